"""Labels without images: a table of existing labels, re-analysed as a whole run.

This re-analyses published data sets: one row per image (wide, a column per attribute) or
one row per image and attribute (long, columns `attribute` and `value`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from audit.errors import UserError, unknown
from audit.keys import ATTRIBUTE_COLUMNS, BASELINE, OUTCOMES, digest
from audit.records import Attribute, Prompt, Sample, Settings, Suite

MAX_ROWS = 5_000_000
SUBJECT = ("subject", "occupation", "profession", "job", "concept")
PROMPT = ("prompt", "text", "caption")
SAMPLE = ("sample", "image", "file_name", "filename", "file", "path", "id")
RATER = ("rater", "annotator", "coder", "worker")
ABSTAINED = {
    "": "uncertain", "unknown": "uncertain", "unclear": "uncertain", "uncertain": "uncertain",
    "ambiguous": "uncertain", "undetermined": "uncertain", "not sure": "uncertain",
    "none": "no person", "nobody": "no person", "no person": "no person", "no face": "no person",
    "multiple": "several people", "several": "several people", "several people": "several people",
    "blocked": "blocked", "nsfw": "blocked", "unreadable": "unreadable",
}  # fmt: skip
"""Words that say why there is no label, and their outcomes."""
SYNONYMS = {
    "woman": ("female", "f", "women", "girl"), "man": ("male", "m", "men", "boy"),
}  # fmt: skip
"""Other words for a class; they count only if the class itself is in the list."""


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


@dataclass(frozen=True)
class Columns:
    """Names of the table's columns by role; None for a role without a column."""

    subject: str | None
    prompt: str | None
    sample: str | None
    rater: str | None
    arm: str | None
    attribute: str | None
    outcome: str | None


def read(path: Path) -> pd.DataFrame:
    """The table as text cells; raises UserError if it is unreadable, empty or too long."""
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as parquet

            if parquet.ParquetFile(path).metadata.num_rows > MAX_ROWS:
                raise UserError(f"{path} has over {MAX_ROWS} rows. Split it, and score each part.")
            table = parquet.read_table(path).to_pandas().astype("string").fillna("")
        else:
            separator = "\t" if path.suffix.lower() == ".tsv" else ","
            table = pd.read_csv(
                path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig",
                nrows=MAX_ROWS + 1,
            )  # fmt: skip
    except FileNotFoundError as error:
        raise UserError(f"There is no table of labels at {path}. Give a CSV or Parquet.") from error
    except UserError:
        raise
    except Exception as error:  # parsers of foreign files raise many kinds
        first = " ".join(str(error).split())[:160]
        raise UserError(f"{path} cannot be read as a table of labels: {first}.") from error
    if len(table) > MAX_ROWS:
        raise UserError(f"{path} has over {MAX_ROWS} rows. Split it, and score each part.")
    if table.empty:
        raise UserError(f"{path} has no rows. Put some in.")
    table.columns = [str(c).strip() for c in table.columns]
    return table.reset_index(drop=True)


def _column(table: pd.DataFrame, names: Sequence[str]) -> str | None:
    lower = {c.casefold(): c for c in reversed(table.columns)}
    return next((lower[n] for n in names if n in lower), None)


def columns(table: pd.DataFrame, path: Path) -> Columns:
    """Find the columns by their usual names; raises UserError without subject and prompt."""
    found = Columns(
        _column(table, SUBJECT), _column(table, PROMPT), _column(table, SAMPLE),
        _column(table, RATER), _column(table, ("arm", "mitigation")),
        _column(table, ("attribute",)), _column(table, ("outcome",)),
    )  # fmt: skip
    if found.subject is None and found.prompt is None:
        raise UserError(
            f"{path} has no column that says what was asked for. Name one `subject` (or `prompt`); "
            f"it has {', '.join(map(repr, table.columns[:12]))}."
        )
    return found


def _long(table: pd.DataFrame, at: Columns, names: Sequence[str], path: Path) -> pd.DataFrame:
    """One row per image and attribute: columns `attribute` and `value`, and the table's own."""
    if at.attribute is not None:
        value = _column(table, ("value", "label"))
        if value is None:
            raise UserError(f"{path} has a column `attribute` but none named `value`. Name one so.")
        renamed = table.rename(columns={at.attribute: "attribute", value: "value"})
        return renamed[renamed.attribute.isin(names)]
    wide = {c.casefold().replace(" ", "_"): c for c in table.columns}
    present = [n for n in names if n.casefold() in wide]
    if not present:
        raise UserError(
            f"{path} has no column named after an attribute ({', '.join(names)}). Name one so, or "
            "declare another attribute with --classes name=one,two."
        )
    return pd.concat(
        [table.assign(attribute=n, value=table[wide[n.casefold()]]) for n in present],
        ignore_index=True,
    )


def _reading(attribute: Attribute, word: str, outcome: str, where: str) -> tuple[str, str | None]:
    """Outcome and value of one cell; raises UserError for neither a class nor a reason."""
    plain = " ".join(word.split()).casefold()
    for c in attribute.classes:
        if plain == c.casefold() or plain in SYNONYMS.get(c, ()):
            stated = outcome.strip().casefold()
            return (stated, None) if stated in OUTCOMES[1:] else ("label", c)
    reason = outcome.strip().casefold() or ABSTAINED.get(plain, "")
    if reason in OUTCOMES[1:]:
        return reason, None
    words = [w for c in attribute.classes for w in SYNONYMS.get(c, ()) if len(w) > 1]
    said = unknown(f"value of {attribute.name}", word[:60], [*attribute.classes, *words])
    raise UserError(f"{where}: {said} Give other classes with --classes, or leave the cell empty.")


def _settled(values: Sequence[str | None], outcomes: Sequence[str]) -> tuple[str, str | None]:
    """One reading from several raters: the absolute majority, otherwise uncertain."""
    votes = Counter(zip(outcomes, values, strict=True)).most_common()
    (outcome, value), most = votes[0]
    return (outcome, value) if 2 * most > len(values) else ("uncertain", None)


def load(path: Path, template: Suite) -> Labels:
    """A table of labels as a run, read against a suite's attributes and references.

    Subjects, prompts, arms and images come from the table; the class lists are the suite's and
    fixed. Several raters of an image are resolved by majority. Raises UserError, with the line, for
    a value that is neither a class nor a reason for a missing one.
    """
    raw = read(path)
    at = columns(raw, path)
    # The subject attribute does not describe people, and the table has its own subject column.
    by_name = {a.name: a for a in template.attributes if a.name != template.subject_attribute}
    raw = raw.assign(_line=np.arange(len(raw)) + 2)
    raw["_sample"] = raw[at.sample] if at.sample else raw["_line"].astype(str)
    long = _long(raw, at, list(by_name), path)
    if long.empty:
        asked = sorted(set(raw[at.attribute])) if at.attribute else []
        raise UserError(f"{path}: {unknown('attribute', asked[0] if asked else '', by_name)}")
    cells = {
        key: _reading(by_name[str(key[0])], str(key[1]), str(key[2]), f"{path}, line {line}")
        for key, line in _kinds(long, at).items()
    }
    outcome = long[at.outcome].astype(str) if at.outcome else pd.Series("", index=long.index)
    read_ = [cells[k] for k in zip(long.attribute, long.value, outcome, strict=True)]
    judged = pd.DataFrame(
        {
            "sample": long["_sample"].to_numpy(),
            "subject": _words(long, at.subject or at.prompt),
            "prompt": _words(long, at.prompt or at.subject),
            "arm": [a or BASELINE for a in _words(long, at.arm)] if at.arm else BASELINE,
            "attribute": long.attribute.to_numpy(),
            "outcome": [o for o, _ in read_],
            "value": [v for _, v in read_],
            "rater": _words(long, at.rater) if at.rater else "",
        }
    )
    return _assemble(path, template, judged, at)


def _kinds(long: pd.DataFrame, at: Columns) -> dict[tuple[str, str, str], int]:
    """Each distinct (attribute, value, outcome) with the line of its first occurrence."""
    outcome = long[at.outcome].astype(str) if at.outcome else pd.Series("", index=long.index)
    kinds: dict[tuple[str, str, str], int] = {}
    for key, line in zip(
        zip(long.attribute, long.value, outcome, strict=True), long["_line"], strict=True
    ):
        kinds.setdefault(key, int(line))
    return kinds


def _words(table: pd.DataFrame, column: str | None) -> list[str]:
    assert column is not None
    return [" ".join(str(w).split()) for w in table[column]]


def _assemble(path: Path, template: Suite, judged: pd.DataFrame, at: Columns) -> Labels:
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
    if at.rater:
        settled = [
            (*k, *_settled(list(g.value), list(g.outcome)))
            for k, g in judged.groupby(keys, sort=False)
        ]
        rows = pd.DataFrame(settled, columns=[*keys, "outcome", "value"])
    pairs = list(dict.fromkeys(zip(rows.subject, rows.prompt, strict=True)))
    ids = {pair: f"labels/{digest(pair, 10)}" for pair in pairs}
    rows = rows.assign(
        prompt=[ids[p] for p in zip(rows.subject, rows.prompt, strict=True)], score=np.nan
    )
    first = rows.drop_duplicates(["sample", "prompt", "arm"])
    seeds = dict(zip(zip(first["sample"], first.prompt, first.arm, strict=True),
                     first.groupby(["prompt", "arm"]).cumcount(), strict=True))  # fmt: skip
    rows["seed"] = [seeds[k] for k in zip(rows["sample"], rows.prompt, rows.arm, strict=True)]
    texts = {ids[s, p]: (s, p) for s, p in pairs}
    samples = [
        Sample(str(s), str(p), str(a), int(n), texts[str(p)][1])
        for (s, p, a), n in seeds.items()
    ]  # fmt: skip
    suite = _suite(template, rows, texts, path)
    settings = Settings(path.name, digest(judged.to_csv(index=False)), 0, 0.0, 0, "")
    raters = judged[["sample", "attribute", "rater", "value"]] if at.rater else judged.iloc[:0]
    notes = ["Only labels were given: no image was looked at, and no classifier was run."]
    if at.rater:
        notes.append(
            f"{judged.rater.nunique()} raters; each image counts once, by the majority of its "
            "judgements, and without a majority it is uncertain."
        )
    return Labels(suite, settings, samples, rows[list(ATTRIBUTE_COLUMNS)], raters, notes)


def _suite(
    template: Suite, rows: pd.DataFrame, texts: Mapping[str, tuple[str, str]], path: Path
) -> Suite:
    """The template with the table's own subjects; arms of the table become mitigations."""
    asked = {str(p): tuple(dict.fromkeys(map(str, g.attribute))) for p, g in rows.groupby("prompt")}
    used = {a for names in asked.values() for a in names}
    most = rows.drop_duplicates(["sample", "prompt"]).prompt.value_counts()
    try:
        prompts = tuple(
            Prompt(id, text, subject, "labels", "representation", int(most[id]), asked[id])
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
        references=tuple(r for r in references if r.shares), mitigations=(), corpus=None,
        subject_attribute=None,
    )  # fmt: skip


def _shares(
    name: str, shares: dict[tuple[str, str, str], float], subjects: set[str],
    attributes: Sequence[Attribute],
) -> dict[tuple[str, str, str], float]:  # fmt: skip
    """A reference for these subjects; the uniform one says the same of every subject."""
    if name == "uniform":
        return {(s, a.name, c): 1 / len(a.classes)
                for s in sorted(subjects) for a in attributes for c in a.classes}  # fmt: skip
    known = {s.casefold(): s for s in subjects}
    return {
        (known[s.casefold()], a, c): v
        for (s, a, c), v in shares.items()
        if s.casefold() in known
    }  # fmt: skip
