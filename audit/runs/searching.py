"""Search of user-supplied images for copies: the nearest images of an index, with uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit.datasets import pixels
from audit.errors import UserError
from audit.evidence.copies import decision, local
from audit.evidence.copies.index import Index
from audit.stats.multiplicity import benjamini_hochberg
from audit.stats.proportions import wilson
from audit.stats.selection import conformal_p

COLUMNS = (
    "query", "rank", "score", "p", "p_low", "p_high", "q", "verdict", "image", "caption", "repeats",
    "part", "source_part",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """The images to search for, and those that cannot be read, with the reason."""

    names: tuple[str, ...]
    pictures: tuple[np.ndarray, ...]
    unreadable: dict[str, str]


def ask(paths: Sequence[Path]) -> Question:
    """Images by file or folder; UserError where none of them can be read."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += pixels.list_images(path)
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"There is nothing at {path}. Give images, or folders of images.")
    names, pictures, unreadable = [], [], {}
    for file in dict.fromkeys(files):
        try:
            pictures.append(pixels.read(file))
            names.append(str(file))
        except pixels.Unreadable as reason:
            unreadable[str(file)] = str(reason)
    if not names:
        why = next((f"{k}: {v}" for k, v in unreadable.items()), "there is no image")
        raise UserError(f"None of the images can be read ({why}). Give others.")
    return Question(tuple(names), tuple(pictures), unreadable)


def opened(folder: Path, how: str = "auto", device: str = "auto") -> tuple[Index, Any]:
    """An index, prepared to be searched as `how` says, and its descriptor.

    Raises UserError where there is no index, or its descriptor cannot be loaded.
    """
    from audit.engine.model import device as found
    from audit.evidence.copies.approximate import prepared
    from audit.evidence.copies.index import load
    from audit.evidence.encoders import named

    index = prepared(load(folder), how)
    return index, named.named(index.descriptor.name, str(found(device)))


def why(index: Index) -> str:
    """The reason for the search method; empty where all images are compared."""
    choice = getattr(index.train.finder, "choice", None)
    return "" if choice is None else str(choice.reason)


def search(index: Index, encoder: Any, question: Question, k: int, seed: int = 0) -> pd.DataFrame:
    """The `k` nearest training images of each image (COLUMNS), nearest first.

    `p` is the share of held-out images that are at least as near to the training set (conformal,
    Bates et al. 2023, eq. 2), `q` its Benjamini-Hochberg value over all images searched for; both
    belong to the nearest image alone. `p_low` and `p_high` are the 95 % interval of that share
    (Wilson) for as many held-out images as were compared. Without a held-out set they are NaN: a
    score alone says little, because it depends on the descriptor and grows with the training
    set. With a local index, `part` and `source_part` are the most similar crops: left, top,
    right and bottom as shares of the sides; else None.
    """
    index.check(encoder)
    vectors = encoder.images(list(question.pictures))
    scores, where = index.train.nearest(vectors, k)
    chance = decision.null(index, seed)
    p = conformal_p(scores[:, 0], chance) if len(chance) else np.full(len(scores), np.nan)
    q = benjamini_hochberg(p)
    low, high = _share(scores[:, 0], chance)
    rows = []
    for i, name in enumerate(question.names):
        for rank in range(scores.shape[1]):
            if where[i, rank] < 0:
                continue
            entry = index.train.entry(int(where[i, rank]))
            first = rank == 0
            rows.append(
                (
                    name, rank + 1, float(scores[i, rank]),
                    *(float(x[i]) if first else np.nan for x in (p, low, high, q)),
                    _verdict(float(q[i])) if first else "",
                    entry.id, entry.caption, entry.repeats,
                    *_parts(index, encoder, vectors[i], int(where[i, rank])),
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _parts(
    index: Index, encoder: Any, query: np.ndarray, position: int
) -> tuple[list[float] | None, list[float] | None]:
    """The most similar crops of an image and of a training image."""
    if index.crops == 1:
        return None, None
    row = index.train.rows(np.array([position]))
    _, own, other = local.matched(query, row, index.crops)[0]
    return _box(encoder, own), _box(encoder, other)


def _box(encoder: Any, crop: int) -> list[float]:
    return [round(side, 4) for side in encoder.box(crop)]


def _share(scores: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of the share of images that were not copied and score at least as high."""
    if not len(chance):
        nothing = np.full(len(scores), np.nan)
        return nothing, nothing
    counts = len(chance) - np.searchsorted(np.sort(chance), scores, side="left")
    found = [wilson(int(c), len(chance)) for c in counts]
    return np.array([f.low for f in found]), np.array([f.high for f in found])


def _verdict(q: float) -> str:
    if not np.isfinite(q):
        return "not calibrated"
    return "copy" if q <= 0.05 else "no copy found"


def write_page(path: Path, index: Index, question: Question, table: pd.DataFrame) -> None:
    """Write the report of a search; with training images only if they are still where indexed."""
    from audit import registry
    from audit.evidence.copies import training_set
    from audit.files import write_atomic
    from audit.report import search as report

    corpus = training_set.at(index.folder, None, lambda name: registry.load("corpus", name)())
    held = int((~index.held.left_out).sum()) if len(index.held) else 0
    most = decision.NULL if index.crops == 1 else decision.NULL_LOCAL
    searched = report.Searched(
        table, len(index.train), min(held, most), index.coverage,
        index.descriptor.name, why(index), question.unreadable,
    )  # fmt: skip
    pictures = dict(zip(question.names, question.pictures, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    made = report.page(searched, pictures.__getitem__, corpus.image)
    write_atomic(path, made.encode("utf-8"))
