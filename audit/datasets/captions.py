"""Words beside pictures: captions in files of the same name, and tables by file name."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from audit.errors import UserError

TEXT_COLUMNS = ("text", "prompt", "caption")
NAME_COLUMNS = ("file_name", "filename", "file", "image", "path", "key")
TABLES = ("metadata.csv", "metadata.jsonl", "prompts.csv", "prompts.jsonl")
SIDECARS = (".txt", ".caption", ".json")
MAX_TEXT = 200_000
"""Bytes of a sidecar that are read."""


@dataclass(frozen=True)
class Row:
    """What a table says of one picture."""

    text: str | None
    seed: int | None = None
    arm: str | None = None


def rows(path: Path) -> dict[str, Row]:
    """A CSV or JSON lines table by file name; UserError says which line is wrong."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file) if path.suffix == ".csv" else _lines(path, file)
            found = {}
            for number, record in enumerate(reader, 2 if path.suffix == ".csv" else 1):
                name = first(record, NAME_COLUMNS)
                if name is None:
                    raise UserError(
                        f"{path}, line {number}: no file name. Name it in one of the columns "
                        f"{', '.join(NAME_COLUMNS)}."
                    )
                found[PurePosixPath(name).as_posix()] = row_of(record, path, number)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}. Save it as UTF-8 text.") from error
    return found


def _lines(path: Path, file: Any) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                record = json.loads(line)
            except ValueError as error:
                raise UserError(f"{path}, line {number} is no JSON: {error}. Correct it.") from None
            if not isinstance(record, dict):
                raise UserError(f"{path}, line {number} is no JSON object. Correct it.")
            yield record


def first(record: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of the named fields that is not empty, as text."""
    return next((str(record[n]) for n in names if record.get(n) not in (None, "")), None)


def row_of(record: Mapping[str, Any], path: Path, number: int) -> Row:
    """What a record says of its picture; UserError, with the line, for a seed that is none."""
    seed = record.get("seed")
    try:
        whole = int(seed) if seed not in (None, "") else None
    except (TypeError, ValueError):
        raise UserError(f"{path}, line {number}: {seed!r} is no whole seed. Correct it.") from None
    return Row(first(record, TEXT_COLUMNS), whole, first(record, ("arm", "mitigation")))


def sidecar_text(suffix: str, data: bytes) -> str | None:
    """The prompt in a `.txt`, `.caption` or `.json` that lies beside a picture."""
    text = data[:MAX_TEXT].decode("utf-8", "replace").strip()
    if suffix == ".json":
        try:
            record = json.loads(text)
        except ValueError:
            return None
        text = (first(record, TEXT_COLUMNS) or "") if isinstance(record, dict) else ""
    return " ".join(text.split()) or None
