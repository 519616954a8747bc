"""Labels without images: a table of existing labels, re-analysed as a whole run.

This re-analyses published data sets: one row per image (wide, a column per attribute) or
one row per image and attribute (long, columns `attribute` and `value`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit.datasets import cells
from audit.design.imported import judged as judgements
from audit.design.imported.names import unmatched
from audit.design.imported.seeds import single
from audit.errors import UserError, ours, say
from audit.keys import ATTRIBUTE_COLUMNS, BASELINE, digest
from audit.records import Attribute, Mitigation, Prompt, Sample, Settings, Suite

BLOCK = "labels"
NOT_RECORDED = "not recorded"
"""Method of an arm of which the table has only the name."""


@dataclass(frozen=True)
class Labels:
    """A suite made from the table, its samples, and their rows (ATTRIBUTE_COLUMNS)."""

    suite: Suite
    settings: Settings
    samples: list[Sample]
    table: pd.DataFrame
    raters: pd.DataFrame
    """sample, attribute, rater, value: every single judgement, if the table names raters."""
    notes: list[str]


def _settled(values: Sequence[str | None], outcomes: Sequence[str]) -> tuple[str, str | None]:
    """One reading from several raters: the absolute majority, otherwise uncertain."""
    votes = Counter(zip(outcomes, values, strict=True)).most_common()
    (outcome, value), most = votes[0]
    return (outcome, value) if 2 * most > len(values) else ("uncertain", None)


def load(path: Path, template: Suite, missing: Sequence[str] = ()) -> Labels:
    """A table of labels as a run, read against a suite's attributes and references.

    Subjects, prompts, arms, images and seeds come from the table; without a column `seed` no image
    has one. The class lists are the suite's and fixed. Several raters of an image are resolved by
    majority. Cells that say one of `missing` have no label. Raises UserError as `judged.load` does.
    """
    found = judgements.load(path, template, missing)
    return _assemble(path, template, found)


def _assemble(path: Path, template: Suite, found: judgements.Judged) -> Labels:
    judged = found.rows
    keys = ["sample", "subject", "prompt", "arm", "attribute"]
    twice = judged[judged.duplicated([*keys, "rater"])]
    if len(twice):
        row = twice.iloc[0]
        raise UserError(
            f"{path}: {row['sample']!r} is labelled twice for {row.attribute}"
            f"{' by ' + repr(row.rater) if row.rater else ''}. Keep one row, or name the raters in "
            "a column `rater`."
        )
    rows = judged
    if found.raters:
        settled = [
            (*k, *_settled(list(g.value), list(g.outcome)))
            for k, g in judged.groupby(keys, sort=False)
        ]
        rows = pd.DataFrame(settled, columns=[*keys, "outcome", "value"])
    pairs = list(dict.fromkeys(_each(rows, "subject", "prompt")))
    ids = {pair: f"labels/{digest(pair, 10)}" for pair in pairs}
    rows = rows.assign(prompt=[ids[p] for p in _each(rows, "subject", "prompt")], score=np.nan)
    texts = {ids[s, p]: (s, p) for s, p in pairs}
    samples, shared = single(_samples(judged, ids))
    seeds = {(s.id, s.prompt, s.arm): s.seed for s in samples}
    placed = _each(rows, "sample", "prompt", "arm")
    rows["seed"] = pd.array([seeds[k] for k in placed], dtype="Int64")
    suite = _suite(template, rows, texts, path)
    settings = Settings(path.name, digest(judged.to_csv(index=False)), 0, 0.0, 0, "")
    raters = judged[["sample", "attribute", "rater", "value"]] if found.raters else judged.iloc[:0]
    notes: list[str] = [
        ours("Only labels were given: no image was looked at, and no classifier was run.")
    ]
    if not any(s.arm == BASELINE for s in samples):
        notes.append(
            ours("Every row names an arm, so the arms have nothing to be compared with. Leave the "
                 f"cell empty, or write {BASELINE}, where nothing was done.")
        )  # fmt: skip
    if found.raters:
        notes.append(
            say("{n} raters; each image counts once, by the majority of its judgements, and "
                "without a majority it is uncertain.", n=judged.rater.nunique())
        )  # fmt: skip
    notes += [
        *found.notes,
        *shared,
        *unmatched(template.references, list(rows.subject.unique())),
    ]
    return Labels(suite, settings, samples, rows[list(ATTRIBUTE_COLUMNS)], raters, notes)


def _each(rows: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:  # cells of columns
    """The cells of some columns, row by row; columns of Arrow are slow to go through themselves."""
    return zip(*(rows[c].to_numpy(object) for c in columns), strict=True)


def _samples(judged: pd.DataFrame, ids: Mapping[tuple[str, str], str]) -> list[Sample]:
    """One sample per image, prompt and arm, with the first seed that the table gives it."""
    out: dict[tuple[str, str, str, str], Sample] = {}
    seeds = judged.seed if "seed" in judged else [pd.NA] * len(judged)
    places = _each(judged, "sample", "subject", "prompt", "arm")
    for (image, subject, prompt, arm), seed in zip(places, seeds, strict=True):
        made = Sample(str(image), ids[subject, prompt], str(arm),
                      None if seed is pd.NA else int(seed), str(prompt))  # fmt: skip
        known = out.setdefault((made.id, made.prompt, made.arm, made.text), made)
        if known.seed is None:
            out[known.id, known.prompt, known.arm, known.text] = made
    return list(out.values())


def _suite(
    template: Suite, rows: pd.DataFrame, texts: Mapping[str, tuple[str, str]], path: Path
) -> Suite:
    """The template with the table's own subjects; arms of the table become mitigations."""
    asked = {str(p): tuple(map(str, g.attribute.unique())) for p, g in rows.groupby("prompt")}
    used = {a for names in asked.values() for a in names}
    most = rows.drop_duplicates(["sample", "prompt"]).prompt.value_counts()
    try:
        prompts = tuple(
            Prompt(id, text, subject, BLOCK, "representation", int(most[id]), asked[id])
            for id, (subject, text) in texts.items()
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    attributes = tuple(a for a in template.attributes if a.name in used)
    subjects = {p.subject for p in prompts}
    references = tuple(
        replace(r, shares=_shares(r.name, dict(r.shares), subjects, attributes))
        for r in template.references
    )
    return replace(
        template, name=f"{template.name}-labels", prompts=prompts, attributes=attributes,
        title=f"Labels of {path.name}",
        references=tuple(r for r in references if r.shares), mitigations=_arms(template, rows),
        corpus=None, subject_attribute=None, notes=(),
    )  # fmt: skip


def _arms(template: Suite, rows: pd.DataFrame) -> tuple[Mitigation, ...]:
    """The table's arms, in its order: those of the suite by name, others with only their name.

    An arm with a target other than the uniform one is not taken from the suite, because the target
    may be unknown for the table's subjects.
    """
    known = {
        m.name: m
        for m in template.mitigations
        if all(p.options.get("target", "uniform") == "uniform" for p in m.each)
    }
    names = dict.fromkeys(str(a) for a in rows.arm if a != BASELINE)
    return tuple(replace(known.get(n, Mitigation(n, NOT_RECORDED)), blocks=(BLOCK,)) for n in names)


def _shares(
    name: str, shares: dict[tuple[str, str, str], float], subjects: set[str],
    attributes: Sequence[Attribute],
) -> dict[tuple[str, str, str], float]:  # fmt: skip
    """A reference for these subjects; the uniform one says the same of every subject."""
    if name == "uniform":
        return {(s, a.name, c): 1 / len(a.classes)
                for s in sorted(subjects) for a in attributes for c in a.classes}  # fmt: skip
    known = {cells.fold(s): s for s in subjects}
    return {(known[k], a, c): v for (s, a, c), v in shares.items() if (k := cells.fold(s)) in known}
