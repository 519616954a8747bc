"""The sheet that people fill in, and the sheet read back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from audit.datasets import answers, cells, strict
from audit.datasets.prompts import from_name
from audit.errors import UserError
from audit.evidence.labels.draw import Drawn, Stratum
from audit.files import checked, loads, only

COLUMNS = ("number", "sample", "attribute", "value", "rater")
REASONS = ("uncertain", "no person", "several people", "unreadable")
"""Entries that are allowed in place of a class."""
MAX_ROWS = 1_000_000
ROWS = ["sample", "attribute", "read"]
"""Columns of a draw."""
WAY = "If they mean that there is no answer, write `uncertain`, or leave these cells empty."


def blank(drawn: Drawn, files: Mapping[str, str] | None = None) -> bytes:
    """The sheet as CSV: one row per image and attribute, with an empty `value` to fill in.

    `files`, sample id to file name, add a column. A name that spells out words is left out: it
    may be the prompt, which raters must not know.
    """
    rows = []
    for i, row in enumerate(drawn.rows.itertuples(index=False), 1):
        name = (files or {}).get(str(row.sample), "")
        shown = "" if from_name(name) else name.encode("utf-8", "replace").decode()
        rows.append([i, row.sample, row.attribute, "", "", *([shown] if files else [])])
    return cells.written([*COLUMNS, *(["file"] if files else [])], rows)


def record(drawn: Drawn, seed: int) -> bytes:
    """The draw and its strata, which weight the labels: JSON next to the sheet."""
    body = {
        "seed": seed,
        "strata": [asdict(s) for s in drawn.strata],
        "rows": drawn.rows.to_dict("list"),
    }
    return (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()


def drawn(data: bytes) -> Drawn:
    """The draw that `record` kept; ValueError, KeyError, TypeError or AttributeError for
    anything else."""
    body = checked(dict[str, Any], loads(data))
    columns = checked(dict[str, list[str]], body["rows"])
    rows = pd.DataFrame({name: columns[name] for name in ROWS})
    strata = tuple(checked(Stratum, only(Stratum, s)) for s in body["strata"])
    if any(type(s[k]) is not int for s in body["strata"] for k in ("size", "drawn")):
        raise ValueError("sizes of strata are whole numbers")
    for s in strata:
        there = ((rows.attribute == s.attribute) & (rows.read == s.read)).sum()
        if not 0 <= s.drawn <= s.size or s.drawn != there:
            raise ValueError("the strata do not fit the rows")
    if sum(s.drawn for s in strata) != len(rows) or rows.duplicated(ROWS[:2]).any():
        raise ValueError("the rows do not fit the strata")
    return Drawn(rows, strata)


def read(path: Path, was: Drawn, classes: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """A filled sheet: sample, attribute, rater, outcome and value per judgement; blanks left out.

    Words are the same whatever their capitals and spaces. Raises UserError as `strict.read` does,
    and, with the line, for an image that was not drawn, an image that one rater labelled twice, and
    words that are neither a class nor a reason: all of these at once.
    """
    table, asked = opened(path), drawn_names(was)
    at = dict(zip(COLUMNS[1:4], table.need(COLUMNS[1:4]), strict=True)) | {
        "rater": table.find(("rater", "annotator", "coder", "worker"))
    }
    reasons = {k: v for k, v in answers.ABSTAINED.items() if v in REASONS}
    words = {a: answers.Words(a, c, reasons | {r: r for r in REASONS}) for a, c in classes.items()}
    seen: set[tuple[str, str, str]] = set()
    unclear: dict[tuple[str, str], list[int]] = {}
    found = []
    for i, row in enumerate(table.rows):
        cell = {name: "" if place is None else row[place] for name, place in at.items()}
        word = cells.tidy(cell["value"])
        if not word:
            continue
        pair = asked.get((cells.tidy(cell["sample"]), cells.name(cell["attribute"])))
        if pair is None:
            raise _strange(table.where(i), cell["sample"], cell["attribute"])
        if pair[1] not in words:
            raise UserError(
                f"{table.where(i)}: this run no longer reads {pair[1]}. Run the suite again with "
                "which the sheet was drawn."
            )
        rater = cells.tidy(cell["rater"])
        if (*pair, cells.fold(rater)) in seen:
            raise UserError(
                f"{table.where(i)}: {pair[0]!r} has two labels by the same rater. Keep one."
            )
        seen.add((*pair, cells.fold(rater)))
        reading = words[pair[1]].read(word)
        if reading is None:
            unclear.setdefault((pair[1], word), []).append(i)
        else:
            found.append((*pair, rater, *reading))
    strange = [answers.Strange(a, w, len(rows), table.where(rows[0]))
               for (a, w), rows in unclear.items()]  # fmt: skip
    answers.refuse(strange, words, WAY, path)
    if not found:
        raise UserError(f"{path} has no filled cell in the column `value`. Fill some in.")
    return pd.DataFrame(found, columns=["sample", "attribute", "rater", "outcome", "value"])


def opened(path: Path) -> strict.Table:
    """The rows of a sheet; UserError where it cannot be read."""
    try:
        return strict.read(path, MAX_ROWS, COLUMNS, ours=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no sheet {path}. Give the filled sheet with --read.") from error


def drawn_names(was: Drawn) -> dict[tuple[str, str], tuple[str, str]]:
    """Image and attribute of each row of a draw, by how they are compared."""
    pairs = zip(was.rows["sample"].tolist(), was.rows["attribute"].tolist(), strict=True)
    return {(cells.tidy(s), cells.name(a)): (s, a) for s, a in pairs}


def rows_are(path: Path, was: Drawn) -> bool:
    """Whether a sheet has the rows of this draw, in its order."""
    try:
        table = opened(path)
        sample, attribute, _ = table.need(COLUMNS[1:4])
    except UserError:
        return False
    found = [(cells.tidy(row[sample]), cells.name(row[attribute])) for row in table.rows]
    return found == list(drawn_names(was))


def counts(path: Path) -> dict[str, int]:
    """The number of rows for each attribute on a sheet; UserError where it cannot be read."""
    table = opened(path)
    place = table.need(["attribute"])[0]
    return dict(Counter(cells.tidy(c) for c in table.column(place)))


def _strange(where: str, sample: str, attribute: str) -> UserError:
    return UserError(
        f"{where}: {cells.tidy(attribute)[:60] or 'no attribute'} of {cells.tidy(sample)[:60]!r} "
        "is not on this run's sheet. Fill in the sheet that `t2i-audit label` wrote."
    )


def check(path: Path, was: Drawn) -> None:
    """Raise UserError for a sheet that cannot be read, or is not of this draw."""
    table, asked = opened(path), drawn_names(was)
    sample, attribute, _ = table.need(COLUMNS[1:4])
    for i, row in enumerate(table.rows):
        if (cells.tidy(row[sample]), cells.name(row[attribute])) not in asked:
            raise _strange(table.where(i), row[sample], row[attribute])


def settle(judged: pd.DataFrame) -> pd.DataFrame:
    """One row per image and attribute: the majority label, `uncertain` without a majority.

    Columns sample, attribute, outcome, value, raters.
    """
    rows = []
    for (sample, attribute), part in judged.groupby(["sample", "attribute"], sort=True):
        votes = part.value.where(part.outcome == "label", part.outcome).value_counts()
        top, most = str(votes.index[0]), int(votes.iloc[0])
        clear = 2 * most > len(part)
        label = clear and top not in REASONS
        outcome = "label" if label else (top if clear else "uncertain")
        rows.append((sample, attribute, outcome, top if label else None, len(part)))
    return pd.DataFrame(rows, columns=["sample", "attribute", "outcome", "value", "raters"])
