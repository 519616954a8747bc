"""A run's tables as one: a row per planned image, words by code for fast filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from audit.datasets.alike import Planned
from audit.errors import UserError
from audit.evidence.copies import flags
from audit.keys import BASELINE, OUTCOMES
from audit.records import Sample
from audit.store import RunFolder

ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""The allowed form of a sample id, which becomes a file name."""


@dataclass(frozen=True)
class Column:
    """Words by code: row i has `names[codes[i]]`, or none where the code is -1."""

    names: tuple[str, ...]
    codes: np.ndarray

    @classmethod
    def of(cls, words: Iterable[object], first: Sequence[str] = ()) -> Column:
        """Codes for words, None and NaN as -1; the names of `first` come first, used or not."""
        if not isinstance(words, pd.Series):
            words = np.array([*words, None], object)[:-1]  # one more: NumPy looks into equal lists
        codes, found = pd.factorize(words)
        names = dict.fromkeys([*first, *map(str, found)])
        code = {w: i for i, w in enumerate(names)}
        return cls(tuple(names), np.array([*(code[str(w)] for w in found), -1], np.int32)[codes])

    def __getitem__(self, row: int) -> str:
        code = int(self.codes[row])
        return self.names[code] if code >= 0 else ""

    def equals(self, name: str) -> np.ndarray:
        """bool[n]: the rows with that word; all False for an unknown word."""
        return self.codes == (self.names.index(name) if name in self.names else -2)

    @cached_property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """Each word with the number of its rows, in the order of the names."""
        found = np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))
        return tuple(zip(self.names, map(int, found), strict=True))

    @cached_property
    def _folded(self) -> tuple[str, ...]:
        return tuple(n.casefold() for n in self.names)

    def contains(self, words: Sequence[str]) -> np.ndarray:
        """bool[n]: the rows whose text contains every one of `words`, which are in folded case."""
        hit = np.array([all(w in n for w in words) for n in self._folded] + [False])
        return hit[self.codes]


@dataclass(frozen=True)
class Reading:
    """Readings of one attribute, per row; outcome -1 where it was not asked."""

    name: str
    outcome: Column
    value: Column
    score: np.ndarray
    """float64[n]; NaN if there is none."""


@dataclass(frozen=True)
class Match:
    """The nearest training image per row; NaN scores and `copy` -1 if unknown."""

    score: np.ndarray
    held: np.ndarray
    copy: np.ndarray
    """int8[n]: 1 a copy, 0 not a copy, -1 undecided."""
    train: Column
    caption: Column
    repeats: np.ndarray
    single: Column
    """Why an image is that training image, whatever the others are; -1 for all others."""

    @property
    def alone(self) -> np.ndarray:
        """bool[n]: the image has the pixels, or nearly, of its nearest training image."""
        return self.single.codes >= 0


@dataclass(frozen=True)
class Table:
    """Every planned image of a run with everything known about it, in the plan's order."""

    samples: Planned[Sample]
    prompt: Column
    text: Column
    original: Column
    """The prompt's text before an arm rewrote it, where the baseline was planned."""
    subject: Column
    arm: Column
    readings: tuple[Reading, ...]
    match: Match | None
    fit: np.ndarray
    """float64[n]: cosine of image and original prompt; NaN if not measured."""
    blocked: Mapping[str, str]
    """Sample id to the reason why there is no image."""
    missing: Mapping[str, np.ndarray]
    """Reason to bool[n]: rows that lack something for that reason."""
    files: Mapping[str, str]
    """Sample id to the name of its file, for images made elsewhere."""

    def __len__(self) -> int:
        return len(self.samples)

    def rows(self, id: str) -> tuple[int, ...]:
        """The rows of a sample, none for an unknown id: arms with the same text share the image."""
        if not ID.fullmatch(id):
            return ()
        found = pc.equal(self.samples.ids, pa.scalar(id, pa.large_string()))
        return tuple(np.flatnonzero(found).tolist())

    @cached_property
    def noise(self) -> np.ndarray:
        """int64[n]: the same in every arm for a prompt and a seed; -1 where the seed is unknown."""
        seeds = np.unique(self.samples.seeds, return_inverse=True)[1]
        number = self.prompt.codes.astype(np.int64) * (len(self) + 1) + seeds
        return np.where(self.samples.seeded, number, -1)

    @cached_property
    def orders(self) -> Mapping[str, tuple[str, np.ndarray]]:
        """Orders by name: display text, and float64[n], of which the lowest comes first."""
        found = {"": ("As planned", np.arange(len(self), dtype=float))}
        if self.match is not None:
            found["near"] = ("Nearest to a training image", -self.match.score)
            found["far"] = ("Farthest from training images", self.match.score)
        if np.isfinite(self.fit).any():
            found["unfit"] = ("Least like the prompt", self.fit)
            found["fit"] = ("Most like the prompt", -self.fit)
        for r in self.readings:
            if np.isfinite(r.score).any():
                title = r.name.replace("_", " ")
                found[f"least.{r.name}"] = (f"Least certain {title}", r.score)
                found[f"most.{r.name}"] = (f"Most certain {title}", -r.score)
        folded = [n.casefold() for n in self.text.names]
        rank = np.empty(len(folded))
        rank[sorted(range(len(folded)), key=folded.__getitem__)] = np.arange(len(folded))
        found["text"] = ("Text, A to Z", rank[self.text.codes])
        return found


def gather(folder: RunFolder) -> Table:
    """Read the tables of a finished run once; UserError where one is missing or damaged."""
    results = folder.results()
    tables, samples = results["tables"], folder.plan()
    valid = pc.match_substring_regex(samples.ids, f"^{ID.pattern}$")
    for wrong in samples.ids.filter(pc.invert(valid))[:1].to_pylist():
        raise UserError(
            f"The plan of {folder.path} names an image {wrong[:60]!r}. Run the same command again."
        )
    read = {n: folder.read_table(n) for n in ("attributes", "matches", "alignment") if n in tables}
    empty = pd.DataFrame()
    attributes, matches = read.get("attributes", empty), read.get("matches", empty)
    ids = _Ids(samples.ids)
    readings = _readings(ids, attributes, results["classes"])
    base = {k.prompt: k.text for k in reversed(samples.kinds) if k.arm == BASELINE}
    subject = {
        str(p): str(w)
        for t in read.values()
        if "subject" in t
        for p, w in t[["prompt", "subject"]].drop_duplicates("prompt").itertuples(index=False)
    }
    blocked = folder.blocked()
    match, outcomes = _match(ids, matches) if len(matches) else (None, [])

    def column(word: Callable[[Sample], object]) -> Column:
        return _at(Column.of(map(word, samples.kinds)), samples.kind)

    return Table(
        samples, column(lambda s: s.prompt), column(lambda s: s.text),
        column(lambda s: base.get(s.prompt)), column(lambda s: subject.get(s.prompt)),
        column(lambda s: s.arm), readings, match, _fit(samples, read.get("alignment", empty)),
        blocked, _missing(ids, [*(r.outcome for r in readings), *outcomes], blocked),
        folder.files(),
    )  # fmt: skip


@dataclass(frozen=True)
class _Ids:
    """The ids of all planned rows."""

    planned: pa.LargeStringArray

    def place(self, part: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
        """A table, and the position of each planned row's own in it, or -1.

        One that is in the plan's order is left as it is; others have one row per sample.
        """
        if _strings(part["sample"]).equals(self.planned):
            return part, np.arange(len(part))
        once = part.drop_duplicates("sample")
        return once, self.among(_strings(once["sample"]))

    def among(self, ids: pa.LargeStringArray) -> np.ndarray:
        """int64[n]: the position of each planned row's id in an array of ids, or -1."""
        return np.asarray(pc.index_in(self.planned, value_set=ids).fill_null(-1), np.int64)


def _strings(values: object) -> pa.LargeStringArray:
    found = pa.array(values, pa.large_string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _at(column: Column, at: np.ndarray) -> Column:
    """A column at some of its rows, none where the row is -1."""
    return Column(column.names, np.append(column.codes, -1)[at])


def _words(values: Any, at: np.ndarray, first: Sequence[str] = ()) -> Column:
    """A table's column of words, at the planned rows."""
    return _at(Column.of(values, first), at)


def _numbers(values: Any, at: np.ndarray) -> np.ndarray:
    return np.append(np.asarray(values, np.float64), np.nan)[at]


def _readings(
    ids: _Ids, table: pd.DataFrame, classes: Mapping[str, Sequence[str]]
) -> tuple[Reading, ...]:
    if table.empty:
        return ()
    table = table[["sample", "attribute", "outcome", "value", "score"]]
    names = [n for n in dict.fromkeys([*classes, *map(str, table.attribute.unique())])]
    found = []
    for name in names:
        once, at = ids.place(table[table.attribute == name])
        found.append(
            Reading(name, _words(once.outcome, at, OUTCOMES),
                    _words(once.value, at, classes.get(name, ())), _numbers(once.score, at))
        )  # fmt: skip
    return tuple(found)


def _match(ids: _Ids, table: pd.DataFrame) -> tuple[Match, list[Column]]:
    """The matches, and their outcomes."""
    once, at = ids.place(table)
    called = np.where(flags.decided(once["copy"]), flags.flagged(once["copy"]), -1)
    match = Match(
        _numbers(once.score, at), _numbers(once.held_score, at),
        np.append(called, -1).astype(np.int8)[at], _words(once.train, at),
        _words(once.train_caption, at), _numbers(once.repeats, at),
        _words([word or None for word in once.get("single", [""] * len(once))], at),
    )  # fmt: skip
    return match, [_words(once.outcome, at, OUTCOMES)]


def _fit(samples: Planned[Sample], table: pd.DataFrame) -> np.ndarray:
    """Scores of prompt, arm and seed: images without a seed share the others, one each."""
    if table.empty:
        return np.full(len(samples), np.nan)
    read = pd.DataFrame({"prompt": table.prompt, "arm": table.arm, "seed": table.seed})
    planned = pd.DataFrame(
        {"prompt": samples.spread([k.prompt for k in samples.kinds], object),
         "arm": samples.spread([k.arm for k in samples.kinds], object),
         "seed": pd.arrays.IntegerArray(samples.seeds, ~samples.seeded)}
    )  # fmt: skip
    both = pd.concat([planned.astype({"seed": "Int64"}), read.astype({"seed": "Int64"})])
    keys = [pd.factorize(both[c])[0] for c in ("prompt", "arm", "seed")]
    there = np.arange(len(both)) >= len(samples)
    nth = both.groupby([*keys, there], sort=False).cumcount().to_numpy()
    group = both.groupby([*keys, nth], sort=False).ngroup().to_numpy()
    scores = np.full(group.max() + 1, np.nan)
    scores[group[there]] = np.asarray(table.score, np.float64)
    return scores[group[~there]]


def _missing(
    ids: _Ids, outcomes: Sequence[Column], blocked: Mapping[str, str]
) -> dict[str, np.ndarray]:  # fmt: skip
    """Rows by reason: of a reading, of a match, or of the image itself."""
    gone = _words(list(blocked.values()), ids.among(_strings(list(blocked))))
    columns = [*outcomes, gone]
    reasons = dict.fromkeys(n for n in (*OUTCOMES, *(n for c in columns for n in c.names)))
    found = {r: np.any([c.equals(r) for c in columns], axis=0) for r in reasons if r != "label"}
    return {r: rows for r, rows in found.items() if rows.any()}
