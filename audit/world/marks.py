"""Marks for an auditor: its answers to an exam, held against what is known.

Shares are marked by the interval score (Gneiting & Raftery 2007, eq. 43), which is lowest in
expectation for the auditor's true central interval: width, plus 2/alpha times the distance of a
truth outside. Who answers "0 to 1" scores 1, so the skill 1 - score is 0 for knowing nothing, 1 for
knowing everything, and negative for being sure and wrong. Copies are marked by F1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from audit.datasets import cells, strict
from audit.errors import UserError
from audit.keys import BASELINE
from audit.records import Finding, Sample

ALPHA = 0.05
KEY = ["subject", "attribute", "value"]
NUMBERS = ("share", "low", "high", "copy")
"""Columns of numbers."""
YES = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
MAX_ROWS = 10_000_000


@dataclass(frozen=True)
class Marks:
    """How well an auditor did; NaN where the exam does not ask, or where nothing was answered."""

    asked: int
    """Shares that the exam asks for."""
    answered: int
    error: float
    """Mean absolute error of the answered shares, in points."""
    held: float
    """Share of the answered intervals that hold the truth."""
    width: float
    """Mean width of the answered intervals, in points."""
    skill: float
    """1 - mean interval score; what is not answered counts as the interval from 0 to 1."""
    copies: int
    """Copies among the exam's images."""
    found: float
    """Share of them that were flagged."""
    right: float
    """Share of the flagged images that are copies."""
    f1: float
    """Harmonic mean of `found` and `right`; 0 where none is found."""

    @property
    def score(self) -> float:
        """0 to 100: the mean of skill (at least 0) and F1; skill alone without copies."""
        parts = [max(0.0, self.skill), *([] if math.isnan(self.f1) else [self.f1])]
        return 100 * float(np.mean(parts))


def marks(exam: Path, shares: pd.DataFrame, copies: pd.DataFrame | None) -> Marks:
    """Marks of answers: `shares` (subject, attribute, value, share, low, high), `copies` (image,
    copy as 0 or 1; an image without a row counts as no copy). Of two classes one answer suffices.

    Raises UserError where `exam` is not an exam, and for answers outside it or outside 0 to 1.
    """
    truth = table_of(exam / "answers" / "shares.csv", [*KEY, "share"])
    known = table_of(exam / "answers" / "copies.csv", ["image", "copy"])
    joined = _joined(truth, shares)
    there = joined.low.notna()
    t, low, high = (joined[c].to_numpy(float) for c in ("truth", "low", "high"))
    low, high = np.where(there, low, 0.0), np.where(there, high, 1.0)
    outside = np.maximum(low - t, 0) + np.maximum(t - high, 0)
    score = high - low + 2 / ALPHA * outside
    some = bool(there.any())
    total, found, right, f1 = _of_copies(known, copies)
    return Marks(
        asked=len(truth),
        answered=int(there.sum()),
        error=100 * float((joined.share - joined.truth).abs()[there].mean()) if some else math.nan,
        held=float((outside == 0)[there].mean()) if some else math.nan,
        width=100 * float((high - low)[there].mean()) if some else math.nan,
        skill=1 - float(score.mean()),
        copies=total,
        found=found,
        right=right,
        f1=f1,
    )


def _joined(truth: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    numbers = shares[["share", "low", "high"]].apply(pd.to_numeric, errors="coerce")
    wrong = numbers.isna().any(axis=1) | (numbers < -1e-9).any(axis=1)
    wrong |= (numbers > 1 + 1e-9).any(axis=1) | (numbers.low > numbers.high)
    if wrong.any():
        row = shares[wrong].iloc[0]
        raise UserError(
            f"The answer for {row.subject}, {row.attribute}, {row.value} is not a share with an "
            "interval between 0 and 1. Correct it, or leave it out."
        )
    answers = shares[KEY].join(numbers)
    if answers.duplicated(KEY).any():
        row = answers[answers.duplicated(KEY)].iloc[0]
        raise UserError(f"{row.subject}, {row.attribute}, {row.value} is answered twice. Keep one.")
    known = truth.rename(columns={"share": "truth"})
    answers = pd.concat([answers, _complements(known, answers)], ignore_index=True)
    strange = answers.merge(known, "left", KEY, indicator=True)
    if (strange["_merge"] != "both").any():
        row = strange[strange["_merge"] != "both"].iloc[0]
        raise UserError(
            f"The exam does not ask for {row.subject}, {row.attribute}, {row.value}. Use the names "
            "of its answers/shares.csv."
        )
    return known.merge(answers, "left", KEY)


def _complements(known: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """The second of two classes, where only the first is answered: what is left of 1."""
    pair = known.groupby(KEY[:2]).value.transform("size") == 2
    asked = known[pair].merge(answers, "left", KEY)
    open_ones = asked[asked.share.isna()].drop(columns=["truth", "share", "low", "high"])
    other = asked[asked.share.notna()].rename(columns={"value": "other"})
    found = open_ones.merge(other[[*KEY[:2], "share", "low", "high"]], "inner", KEY[:2])
    return found.assign(share=1 - found.share, low=1 - found.high, high=1 - found.low)


def _of_copies(known: pd.DataFrame, copies: pd.DataFrame | None) -> tuple[int, float, float, float]:
    """How many copies there are, the share found, the share of flags that are right, and F1."""
    is_copy = known["copy"].to_numpy(bool)
    total = int(is_copy.sum())
    if not total:
        return 0, math.nan, math.nan, math.nan
    flagged = np.zeros(len(known), bool)
    if copies is not None:
        strange = set(copies.image) - set(known.image)
        if strange:
            raise UserError(f"The exam has no image {min(strange)!r}. Use the names in images/.")
        named = set(copies.image[pd.to_numeric(copies["copy"], errors="coerce") == 1])
        flagged = known.image.isin(named).to_numpy()
    hits = int((flagged & is_copy).sum())
    right = hits / int(flagged.sum()) if flagged.any() else math.nan
    f1 = 2 * hits / (total + int(flagged.sum()))
    return total, hits / total, right, f1


def sentence(m: Marks) -> str:
    """The marks in words, a line each."""
    lines = [f"score {m.score:.0f} of 100"]
    shares = f"shares: {m.answered} of {m.asked} answered"
    if m.answered:
        shares += (
            f", {m.error:.1f} points off on average, {m.held:.0%} of the intervals hold the truth, "
            f"{m.width:.0f} points wide on average"
        )
    lines.append(f"{shares}; skill {m.skill:.2f} (0 knows nothing, 1 everything)")
    if m.copies:
        right = "nothing flagged" if math.isnan(m.right) else f"{m.right:.0%} of the flagged right"
        lines.append(f"copies: {m.found:.0%} of {m.copies} found, {right}; F1 {m.f1:.2f}")
    else:
        lines.append("copies: the exam has none")
    return "\n".join(lines)


def table_of(path: Path, columns: list[str]) -> pd.DataFrame:
    """These columns of a CSV file, as numbers where they are; UserError otherwise, with the line.

    An empty cell of a column of numbers is NaN.
    """
    try:
        table = strict.read(path, MAX_ROWS, columns, ours=True, least=0)
    except FileNotFoundError as error:
        raise UserError(f"{path} cannot be read: there is no such file. Check the path.") from error
    found: dict[str, list[str] | list[float]] = {}
    for name, place in zip(columns, table.need(columns), strict=True):
        words = [cells.tidy(c) if name in KEY else c for c in table.column(place)]
        found[name] = (
            [_number(w, table.where(i)) for i, w in enumerate(words)] if name in NUMBERS else words
        )
    return pd.DataFrame(found, columns=columns)


def _number(word: str, where: str) -> float:
    """A number, NaN for an empty cell; yes and no are 1 and 0."""
    value = YES.get(cells.fold(word), cells.number(word))
    if math.isnan(value) and word.strip():
        right = cells.meant(word)
        said = f"Did you mean {right}?" if right else "Correct it."
        raise UserError(f"{where}: {word[:40]!r} is not a number. {said}")
    return value


def answers(shares: Path, copies: Path | None) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The answers of any auditor, as two CSV files."""
    found = table_of(copies, ["image", "copy"]) if copies is not None else None
    return table_of(shares, [*KEY, "share", "low", "high"]), found


def of_findings(findings: Sequence[Finding]) -> pd.DataFrame:
    """The shares among a run's findings, without mitigations, as answers."""
    rows = [
        (f.key.subject, f.key.attribute, f.key.detail, f.estimate, f.low, f.high)
        for f in findings
        if (f.key.section, f.key.kind) == ("representation", "share") and f.arm == BASELINE
    ]
    return pd.DataFrame(rows, columns=[*KEY, "share", "low", "high"])


def of_matches(exam: Path, samples: Sequence[Sample], matches: pd.DataFrame) -> pd.DataFrame:
    """A run's decisions on copies as answers; images are recognised by their text and seed."""
    asked = table_of(exam / "images" / "metadata.csv", ["file_name", "text", "seed"])
    if not all(re.fullmatch(r"-?[0-9]{1,18}", str(s)) for s in asked.seed):
        raise UserError(f"{exam} is damaged: a seed in images/metadata.csv is not a whole number.")
    names = {(str(r.text), int(str(r.seed))): r.file_name for r in asked.itertuples()}
    made = {s.id: names.get((s.text, s.seed)) for s in samples if s.seed is not None}
    called = matches["copy"].map({True: 1, False: 0})
    return pd.DataFrame({"image": matches["sample"].map(made), "copy": called}).dropna()
