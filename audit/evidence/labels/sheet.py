"""The sheet that people fill in, and the sheet read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from audit.errors import UserError, unknown
from audit.evidence.labels.draw import Drawn, Stratum
from audit.files import checked, loads

COLUMNS = ("number", "sample", "attribute", "value", "rater")
REASONS = ("uncertain", "no person", "several people", "unreadable")
"""Entries that are allowed in place of a class."""
MAX_BYTES = 50_000_000


def blank(drawn: Drawn) -> bytes:
    """The sheet as CSV: one row per image and attribute, with an empty `value` to fill in."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for i, row in enumerate(drawn.rows.itertuples(index=False), 1):
        writer.writerow([i, row.sample, row.attribute, "", ""])
    return file.getvalue().encode()


def record(drawn: Drawn, seed: int) -> bytes:
    """The draw and its strata, which weight the labels: JSON next to the sheet."""
    body = {
        "seed": seed,
        "strata": [asdict(s) for s in drawn.strata],
        "rows": drawn.rows.to_dict("list"),
    }
    return (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()


def drawn(data: bytes) -> Drawn:
    """The draw that `record` kept; ValueError or KeyError for anything else."""
    body = checked(dict[str, Any], loads(data))
    columns = checked(dict[str, list[str]], body["rows"])
    rows = pd.DataFrame({name: columns[name] for name in ("sample", "attribute", "read")})
    return Drawn(rows, tuple(checked(list[Stratum], body["strata"])))


def read(path: Path, was: Drawn, classes: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """A filled sheet: sample, attribute, rater, outcome and value per judgement; blanks left out.

    Raises UserError, with the line, for an image that was not drawn, a word that is neither a
    class nor a reason, and an image that one rater labelled twice.
    """
    asked = set(zip(was.rows["sample"], was.rows.attribute, strict=True))
    seen: set[tuple[str, str, str]] = set()
    rows = []
    for line, row in _rows(path):
        word = " ".join((row.get("value") or "").split()).casefold()
        if not word:
            continue
        sample, attribute = (row.get("sample") or "").strip(), (row.get("attribute") or "").strip()
        rater = " ".join((row.get("rater") or "").split())
        if (sample, attribute) not in asked:
            raise UserError(
                f"{path}, line {line}: {attribute or 'no attribute'} of {sample[:60]!r} is not on "
                "this run's sheet. Fill in the sheet that `t2i-audit label` wrote."
            )
        if (sample, attribute, rater) in seen:
            raise UserError(
                f"{path}, line {line}: {sample!r} has two labels by the same rater. Keep one."
            )
        if attribute not in classes:
            raise UserError(
                f"{path}, line {line}: this run has no attribute {attribute!r} any more. Draw "
                "again with `t2i-audit label`."
            )
        seen.add((sample, attribute, rater))
        by_word = {c.casefold(): c for c in classes[attribute]}
        if word not in by_word and word not in REASONS:
            said = unknown(f"value of {attribute}", word[:60], [*classes[attribute], *REASONS])
            raise UserError(f"{path}, line {line}: {said}")
        value = by_word.get(word)
        rows.append((sample, attribute, rater, "label" if value else word, value))
    if not rows:
        raise UserError(f"{path} has no filled cell in the column `value`. Fill some in.")
    return pd.DataFrame(rows, columns=["sample", "attribute", "rater", "outcome", "value"])


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is too large for a sheet of labels. Give the filled sheet.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
        # Spreadsheets of many countries write semicolons.
        separator = ";" if text.partition("\n")[0].count(";") > 1 else ","
        reader = csv.DictReader(io.StringIO(text), delimiter=separator)
        missing = {"sample", "attribute", "value"} - set(reader.fieldnames or ())
        if missing:
            raise UserError(f"{path} lacks the column {sorted(missing)[0]!r}. Keep the header.")
        return [(reader.line_num, row) for row in reader]
    except FileNotFoundError as error:
        raise UserError(f"There is no sheet {path}. Give the filled sheet with --read.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}. Save it as UTF-8 CSV.") from error


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
