"""The page of a search: each image with its nearest training images, and the certainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from audit.report import language, wording
from audit.report.page import environment, frame
from audit.report.thumbnails import Album

BUDGET = 1_600_000
"""Budget of characters for images."""
SIDE, LARGE = 200, 448
"""Longest sides of images in pixels: of the nearest ones if few images were searched for."""
FEW = 16
SHOWN = 60
"""Number of images shown; the rest are in the JSON of the command."""
VERDICTS = {
    "this training image": "single", "copy": "copy", "no copy found": "none",
    "cannot be flagged": "open", "not calibrated": "unknown",
    "a copy or alike in content": "alike",
}  # fmt: skip
SIGNS = {
    "single": ("bad", "\N{BLACK CIRCLE}"), "copy": ("bad", "\N{BLACK CIRCLE}"),
    "none": ("clear", "\N{WHITE CIRCLE}"), "open": ("open", "?"), "unknown": ("open", "?"),
    "alike": ("open", "?"),
}  # fmt: skip
"""Tone and sign of a verdict, as in the report."""


@dataclass(frozen=True)
class Searched:
    """What was searched, with which method, and what was not searched."""

    table: pd.DataFrame
    """Rows of `audit.runs.searching.search`."""
    images: int
    """Distinct training images."""
    held_out: int
    """Number of held-out images, which show what happens by chance."""
    coverage: float
    """Share of the model's training set that was searched; NaN where unknown."""
    descriptor: str
    reason: str = ""
    """Why candidates were found by this method, where not all images were compared."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Images that could not be read, with the reason."""
    sides: str = ""
    """Distinct images of both sides, tests of their likeness, and what follows."""

    index: str = ""
    """Name of the index."""
    date: str = ""
    """When the search was made."""

    @property
    def local(self) -> bool:
        """Whether parts of images were compared."""
        return bool(self.table.part.notna().any())


def page(
    searched: Searched,
    picture: Callable[[str], np.ndarray],
    source: Callable[[str], np.ndarray],
) -> str:
    """HTML of one search: `picture` loads a queried image by name, `source` a training image.

    The image most certain to be a copy comes first. No requests, no scripts.
    """
    album = Album(BUDGET)
    groups = sorted(searched.table.groupby("query", sort=False), key=_order)
    side = LARGE if len(groups) <= FEW else SIDE
    shown = [_one(str(n), rows, album, (picture, source, side)) for n, rows in groups[:SHOWN]]
    verdicts = [p["verdict"] for p in map(_verdict, groups)]
    return language.marked(environment().get_template("search.html.j2").render(
        **frame(), s=searched, shown=shown, w=wording,
        t=wording.text, asked=len(groups), left_out=album.left_out,
        copies=sum(v in ("copy", "alike") for v in verdicts), singles=verdicts.count("single"),
        among={*verdicts}, signs=SIGNS,
    ))  # fmt: skip


def _order(group: tuple[object, pd.DataFrame]) -> tuple[bool, float, float]:
    first = group[1].iloc[0]
    return not first.single, (first.p if math.isfinite(first.p) else 2.0), -first.score


def _verdict(group: tuple[object, pd.DataFrame]) -> dict[str, str]:
    return {"verdict": VERDICTS.get(str(group[1].iloc[0].verdict), "unknown")}


def _one(name: str, rows: pd.DataFrame, album: Album, load: Any) -> dict[str, Any]:
    picture, source, side = load
    first = rows.iloc[0]
    near = [
        {
            "src": album.uri(_framed(source, r.source_part), r.image, SIDE if i else side),
            "own": album.uri(_framed(picture, r.part), name, SIDE if i else side) if r.part else "",
            "score": float(r.score), "image": r.image,
            "caption": r.caption, "repeats": wording.repeats(r.repeats),
        }
        for i, r in enumerate(rows.itertuples(index=False))
    ]  # fmt: skip
    return {
        "name": Path(name).name, "src": album.uri(picture, name, side), "near": near,
        "verdict": VERDICTS.get(str(first.verdict), "unknown"),
        "single": str(first.single), "p": float(first.p),
        "q": float(first.q), "low": float(first.p_low), "high": float(first.p_high),
    }  # fmt: skip


def _framed(
    load: Callable[[str], np.ndarray], box: Sequence[float] | None
) -> Callable[[str], np.ndarray]:
    """A loader that frames a part of images: left, top, right, bottom in shares of the sides."""
    if box is None:
        return load
    left, top, right, bottom = box

    def framed(id: str) -> np.ndarray:
        image = Image.fromarray(load(id))
        w, h = image.size
        edge = max(w, h) / SIDE
        corners = (left * w, top * h, right * w - 1, bottom * h - 1)
        inner = tuple(c + s * edge * 1.5 for c, s in zip(corners, (1, 1, -1, -1), strict=True))
        draw = ImageDraw.Draw(image)
        draw.rectangle(corners, outline="white", width=max(round(edge * 4), 2))
        draw.rectangle(inner, outline="#b3261e", width=max(round(edge * 2), 1))
        return np.asarray(image)

    return framed
