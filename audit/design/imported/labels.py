"""Labels without images: a table of existing labels, re-analysed as a whole run.

This re-analyses published data sets: one row per image (wide, a column per attribute) or
one row per image and attribute (long, columns `attribute` and `value`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from audit.design.imported.names import unmatched
from audit.design.imported.seeds import single
from audit.errors import UserError, unknown
from audit.keys import ATTRIBUTE_COLUMNS, BASELINE, OUTCOMES, digest
from audit.records import Attribute, Mitigation, Prompt, Sample, Settings, Suite

MAX_ROWS = 5_000_000
SUBJECT = ("subject", "occupation", "profession", "job", "concept")
PROMPT = ("prompt", "text", "caption")
SAMPLE = ("sample", "image", "file_name", "filename", "file", "path", "id")
RATER = ("rater", "annotator", "coder", "worker")
BLOCK = "labels"
WITHOUT = {"", BASELINE, "baseline"}
"""Words for the baseline in a column of arms, in small letters."""
NOT_RECORDED = "not recorded"
"""Method of an arm of which the table has only the name."""
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
    seed: str | None


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
        _column(table, ("attribute",)), _column(table, ("outcome",)), _column(table, ("seed",)),
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

    Subjects, prompts, arms, images and seeds come from the table; without a column `seed` no image
    has one. The class lists are the suite's and fixed. Several raters of an image are resolved by
    majority. Raises UserError, with the line, for a value that is neither a class nor a reason for
    a missing one, and for a seed that is not a whole number.
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
            "arm": [_arm(a) for a in _words(long, at.arm)] if at.arm else BASELINE,
            "attribute": long.attribute.to_numpy(),
            "outcome": [o for o, _ in read_],
            "value": [v for _, v in read_],
            "rater": _words(long, at.rater) if at.rater else "",
        }
    )
    if at.seed:
        judged["seed"] = pd.array(list(_seeds(long, at.seed, path)), dtype="Int64")
    return _assemble(path, template, judged, at)


def _arm(word: str) -> str:
    return BASELINE if word.casefold() in WITHOUT else word


def _seeds(long: pd.DataFrame, column: str, path: Path) -> Iterator[int | None]:
    for word, line in zip(long[column].astype(str), long["_line"], strict=True):
        plain = re.fullmatch(r"(-?\d{1,18})(\.0*)?", word.strip())
        if word.strip() and not plain:
            raise UserError(
                f"{path}, line {line}: seed {word[:40]!r} is not a whole number. Correct it, or "
                "leave the cell empty."
            )
        yield int(plain[1]) if plain else None


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
    texts = {ids[s, p]: (s, p) for s, p in pairs}
    samples, shared = single(_samples(judged, ids))
    seeds = {(s.id, s.prompt, s.arm): s.seed for s in samples}
    placed = zip(rows["sample"], rows.prompt, rows.arm, strict=True)
    rows["seed"] = pd.array([seeds[k] for k in placed], dtype="Int64")
    suite = _suite(template, rows, texts, path)
    settings = Settings(path.name, digest(judged.to_csv(index=False)), 0, 0.0, 0, "")
    raters = judged[["sample", "attribute", "rater", "value"]] if at.rater else judged.iloc[:0]
    notes = ["Only labels were given: no image was looked at, and no classifier was run."]
    if not any(s.arm == BASELINE for s in samples):
        notes.append(
            "Every row names an arm, so the arms have nothing to be compared with. Leave the cell "
            f"empty, or write {BASELINE}, where nothing was done."
        )
    if at.rater:
        notes.append(
            f"{judged.rater.nunique()} raters; each image counts once, by the majority of its "
            "judgements, and without a majority it is uncertain."
        )
    notes += [*shared, *unmatched(template.references, list(dict.fromkeys(rows.subject)))]
    return Labels(suite, settings, samples, rows[list(ATTRIBUTE_COLUMNS)], raters, notes)


def _samples(judged: pd.DataFrame, ids: Mapping[tuple[str, str], str]) -> list[Sample]:
    """One sample per image, prompt and arm, with the first seed that the table gives it."""
    out: dict[tuple[str, str, str, str], Sample] = {}
    seeds = judged.seed if "seed" in judged else [pd.NA] * len(judged)
    places = zip(judged["sample"], judged.subject, judged.prompt, judged.arm, strict=True)
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
    asked = {str(p): tuple(dict.fromkeys(map(str, g.attribute))) for p, g in rows.groupby("prompt")}
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
        corpus=None, subject_attribute=None,
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
    known = {s.casefold(): s for s in subjects}
    return {
        (known[s.casefold()], a, c): v
        for (s, a, c), v in shares.items()
        if s.casefold() in known
    }  # fmt: skip
