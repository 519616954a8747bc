"""Shared by all pages: templates with their filters, and an image as a card."""

from __future__ import annotations

import math
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audit.datasets import pixels
from audit.report import wording
from audit.view.desk import Opened
from audit.view.table import Table

TEMPLATES = Path(__file__).parent / "templates"


def environment(base: str = "", runs: bool = False) -> Environment:
    """Templates, escaped and strict about undefined values.

    `base` is the start of every address of a run; `runs` says whether there is a list of runs.
    """
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"clip": wording.clip, "count": wording.count, "title": title,
                     "arm": wording.arm, "cosine": cosine, "ref": ref}  # fmt: skip
    made.filters["here"] = lambda address: f"{base}{address}"
    made.globals |= {"base": base, "runs": runs}
    return made


def title(name: str) -> str:
    """An attribute's name for display."""
    return wording.clip(name.replace("_", " "), 60)


def cosine(x: float) -> str:
    """A similarity or probability with two decimals, and a dash if unknown."""
    return wording.tie(f"{x:.2f}") if math.isfinite(x) else wording.DASH


def ref(id: str) -> str:
    """An id as one part of an address."""
    return urllib.parse.quote(id, safe="")


@dataclass(frozen=True)
class Tag:
    """The reading of one attribute of one image, or why there is none."""

    attribute: str
    word: str
    known: bool
    score: float


def tags(table: Table, row: int) -> list[Tag]:
    """The readings of a row, for the attributes that were asked."""
    found = []
    for r in table.readings:
        if outcome := r.outcome[row]:
            known = outcome == "label"
            word = r.value[row] if known else outcome
            found.append(Tag(r.name, word, known, float(r.score[row])))
    return found


def gone(opened: Opened, id: str) -> str:
    """Why a sample has no image; empty if it has one."""
    if reason := opened.table.blocked.get(id, ""):
        return reason
    try:
        opened.source.stamp(id)
    except (pixels.Unreadable, KeyError):
        return "no image"
    return ""


def card(opened: Opened, row: int, href: str) -> dict[str, Any]:
    """One image on a wall; keys must not be methods of dict, which a template would find first."""
    table, match = opened.table, opened.table.match
    id = table.samples[row].id
    return {
        "id": id, "href": href, "text": table.text[row], "tags": tags(table, row),
        "gone": gone(opened, id), "arm": table.arm[row],
        "score": float(match.score[row]) if match else math.nan,
        "called": bool(match is not None and (match.copy[row] == 1 or match.alone[row])),
    }  # fmt: skip
