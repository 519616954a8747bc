"""Captions of images: text files of the same name, and tables by file name."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from audit.errors import UserError
from audit.files import loads

TEXT_COLUMNS = ("text", "prompt", "caption")
NAME_COLUMNS = ("file_name", "filename", "file", "image", "path", "key")
TABLES = ("metadata.csv", "metadata.jsonl", "prompts.csv", "prompts.jsonl")
SIDECARS = (".txt", ".caption", ".json")
MAX_TEXT = 200_000
"""Bytes of a sidecar that are read."""


@dataclass(frozen=True)
class Caption:
    """The caption of one image, and its origin."""

    text: str = ""
    """In one line; empty if there is none."""
    origin: str = "nowhere"
    """"table", "sidecar" or "nowhere"."""
    seed: Any = None
    """As the table has it; `whole_seed` reads it."""
    arm: str | None = None
    where: str = ""
    """Table and line, for messages."""

    def whole_seed(self) -> int | None:
        """The seed; None if there is none, UserError for one that is not a whole number."""
        try:
            return int(self.seed) if self.seed not in (None, "") else None
        except (TypeError, ValueError):
            wrong = f"{self.where}: seed {self.seed!r} is not a whole number. Correct it."
            raise UserError(wrong) from None


def rows(path: Path) -> dict[str, Caption]:
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
                row = caption_of(record, f"{path}, line {number}")
                row.whole_seed()
                found[PurePosixPath(name).as_posix()] = row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}. Save it as UTF-8 text.") from error
    return found


def _lines(path: Path, file: Any) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                record = loads(line, finite=False)
            except ValueError as error:
                raise UserError(f"{path}, line {number} is not JSON: {error}. Fix it.") from None
            if not isinstance(record, dict):
                raise UserError(f"{path}, line {number} is not a JSON object. Fix it.")
            yield record


def first(record: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of the named fields that is not empty, as text."""
    return next((str(record[n]) for n in names if record.get(n) not in (None, "")), None)


def caption_of(record: Mapping[str, Any], where: str) -> Caption:
    """The caption in a row of a table; its seed is not checked yet."""
    text = " ".join((first(record, TEXT_COLUMNS) or "").split())
    return Caption(text, "table", record.get("seed"), first(record, ("arm", "mitigation")), where)


def sidecar_text(suffix: str, data: bytes) -> str | None:
    """The prompt in a `.txt`, `.caption` or `.json` next to an image."""
    text = data[:MAX_TEXT].decode("utf-8", "replace").strip()
    if suffix == ".json":
        try:
            record = loads(text, finite=False)
        except ValueError:
            return None
        text = (first(record, TEXT_COLUMNS) or "") if isinstance(record, dict) else ""
    return " ".join(text.split()) or None
