"""The twelve verdict words of the report, and which of them a finding has.

Findings have more verdicts than a reader can keep apart, because a gate needs them. The report
groups them by their meaning; `[verdicts]` of `templates/en.toml` has word, sign and definition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from audit.keys import TOO_FEW
from audit.records import Finding

ALPHA = 0.05
"""A difference whose q is at least this is not shown."""
TONES = ("found", "good", "bad", "open", "clear")
"""Classes of verdicts that share a colour: a difference or copies, a gain, a harm, nothing known,
nothing found."""
COPIES = frozenset({"rate", "count", "copies"})
"""Kinds of claims about copies themselves; `found` of another kind is a difference."""
ARM = {"works": "works", "at a cost": "cost", "no effect": "no-effect", "harms": "harms"}


@dataclass(frozen=True)
class Verdict:
    """A verdict of the report: its name in the list of texts, word, sign, colour, definition."""

    name: str
    word: str
    sign: str
    tone: str
    means: str


def doubtful(f: Finding) -> bool:
    """Whether a difference is seen but not after the correction for many comparisons."""
    return f.verdict in ("above", "below") and math.isfinite(f.q) and f.q >= ALPHA


def name(f: Finding) -> str:
    """The name of a finding's verdict in the list of texts; empty for a mere description."""
    if doubtful(f) or f.verdict in ("undecided", *TOO_FEW.values()):
        return "open"
    if f.verdict in ("above", "below"):
        return _direction(f)
    if f.verdict in ("found", "not found"):
        return _found(f)
    same = {"compatible": "not-shown", "equivalent": "same", "kept": "same", "met": "same",
            "not met": "different", "lost": "lower", "described": ""}  # fmt: skip
    return {**ARM, **same}.get(f.verdict, "")


def _direction(f: Finding) -> str:
    """A side where the quantity has two; distances, bits and errors only tell that some is."""
    if f.unit in ("distance", "bits") or f.section == "quality":
        return "different"
    return "higher" if f.verdict == "above" else "lower"


def _found(f: Finding) -> str:
    found = f.verdict == "found"
    if f.key.kind in COPIES:
        return "copies" if found else "no-copies"
    return "different" if found else "not-shown"
