"""Captions of images: the fields of a row that give them, and text files of the same name."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from numbers import Real
from typing import Any

from audit.datasets import cells, texts
from audit.errors import UserError
from audit.files import loads

TEXT_COLUMNS = ("text", "prompt", "caption", "captions", "txt", "description", "positive_prompt")
"""Columns of captions as `folded` writes them, the most usual first."""
NAME_COLUMNS = (
    "file_name", "filename", "file", "image", "path", "key", "image_path", "image_name",
    "image_file", "file_path", "filepath", "img", "name",
)  # fmt: skip
SEED_COLUMNS, ARM_COLUMNS = ("seed",), ("arm", "mitigation")
TABLES = tuple(
    f"{n}.{e}" for n in ("metadata", "prompts") for e in ("csv", "tsv", "jsonl", "parquet")
)
"""Names of tables that are read without being asked for, in small letters; the first counts."""
NAMED, SHOWN = 3, 48
"""Names in a note, and characters of each."""
SIDECARS = (".txt", ".caption", ".json")
MAX_TEXT = 200_000
"""Bytes of a sidecar that are read."""
LARGEST_SEED = 2**63 - 1
EXACT = 2**53
"""Above this, a floating-point number no longer says which whole number was meant."""
NO_SEED = {"", "nan", "null", "none", "na", "n/a", "<na>"}
"""Cells that say that no seed is known, in small letters."""
WINDOWS = "Text that is not UTF-8 was read as Windows-1252"
SEVERAL = "Of several captions of an image, the first was read"
NOT_TEXT = "Captions that are not text were not read"
LONG_CELL = f"Captions of a table over {MAX_TEXT // 1000} kB were read to there"
NOT_JSON = "Text files that end in .json and are not JSON were not read"
TOO_LONG = f"Text files over {MAX_TEXT // 1000} kB were read to there"


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
    doubt: str = ""
    """What was assumed or left out to read it: one of the sentences of this module."""

    def whole_seed(self) -> int | None:
        """The seed; None if there is none, UserError for one that is not a whole number."""
        return whole(self.seed, self.where)


@dataclass
class Said:
    """What was assumed or left out while a collection was read, to be said once, with counts."""

    names: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, what: str, name: str) -> None:
        """One image or file to which a sentence applies."""
        if what:
            self.counts[what] += 1
            known = self.names.setdefault(what, [])
            known += [name] if len(known) < 3 else []

    def notes(self) -> list[str]:
        """One sentence for each kind, with its count and its first names."""
        return [f"{w}: {n} ({some_names(self.names[w], n)})." for w, n in self.counts.items()]


def some_names(names: Sequence[str], count: int | None = None, most: int = NAMED) -> str:
    """The first names, long ones cut at their beginning, and dots where there are more.

    `count` is the number of all, where these are not all.
    """
    lines = [" ".join(n.encode("utf-8", "replace").decode().split()) for n in names[:most]]
    short = [n if len(n) <= SHOWN else f"...{n[-SHOWN:]}" for n in lines]
    return ", ".join([*short, *(["..."] if (count or len(names)) > most else [])])


def listed(columns: Sequence[str]) -> str:
    """The first columns of a table, for a note that a report shows in full."""
    short = [repr(c if len(c) <= 24 else f"{c[:24]}...") for c in columns[:6]]
    return ", ".join([*short, *(["..."] if len(columns) > 6 else [])])


@lru_cache(4096)
def folded(name: str) -> str:
    """A column's name for comparison, known for the next row: `IMAGE-PATH` is `image_path`."""
    return cells.name(name)


def column(names: Sequence[str], wanted: Sequence[str], where: str) -> str | None:
    """The first of the wanted columns among these; UserError where one is there twice."""
    for want in wanted:
        found = [n for n in names if folded(n) == want]
        if len(found) > 1:
            raise UserError(
                f"{where} has {len(found)} columns {want!r} ({', '.join(map(repr, found))}). Keep "
                "one of them, or rename the other."
            )
        if found:
            return found[0]
    return None


def first(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of the named fields that is not empty; None if all are."""
    there = _present(tuple(record), tuple(names))
    return next((v for k in there if not _empty(v := record[k])), None)


@lru_cache(256)
def _present(keys: tuple[str, ...], names: tuple[str, ...]) -> list[str]:
    """The keys that are called so, in the order of the names; rows of a table share their keys."""
    by_name = {folded(str(k)): k for k in reversed(keys)}
    return [by_name[n] for n in names if n in by_name]


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or (
        isinstance(value, float) and math.isnan(value)
    )  # fmt: skip


def plain(value: Any) -> tuple[str, str]:
    """A cell as text in one line, and what was left out of it: bytes and lists are texts too."""
    doubt = ""
    if isinstance(value, list | tuple):
        given = [v for v in value if not _empty(v)]
        value, doubt = (given[0] if given else ""), SEVERAL if len(given) > 1 else ""
    if isinstance(value, str | bytes) and len(value) > MAX_TEXT:
        value, doubt = value[:MAX_TEXT], LONG_CELL
    if isinstance(value, bytes):
        value, assumed = texts.decoded(value, doubt == LONG_CELL)
        doubt = doubt or (WINDOWS if assumed else "")
    if isinstance(value, Mapping | list | tuple):
        return "", NOT_TEXT
    return "" if _empty(value) else " ".join(str(value).split()), doubt


def caption_of(record: Mapping[str, Any], where: str) -> Caption:
    """The caption in a row of a table; its seed is not checked yet."""
    text, doubt = plain(first(record, TEXT_COLUMNS))
    arm, _ = plain(first(record, ARM_COLUMNS))
    return Caption(text, "table", first(record, SEED_COLUMNS), arm or None, where, doubt)


def whole(value: Any, where: str) -> int | None:
    """A seed as a whole number, None for an empty cell; the same for CSV, JSON and Parquet.

    NaN and null mean none, 1.0 is 1. UserError, which names the place, for a fraction, for
    anything else that is not a whole number, and for one that 64 bits do not hold.
    """
    if isinstance(value, bytes):
        value = texts.decoded(value)[0]
    elif not isinstance(value, int) and isinstance(value, Real):
        value = float(value)  # also NumPy's half precision
    elif isinstance(value, Decimal):
        value = f"{value:f}"
    if value is None or str(value).strip().casefold() in NO_SEED:
        return None
    wrong = f"{where}: seed {str(value)[:40]!r} is not a whole number"
    if isinstance(value, str) and (match := re.fullmatch(r"\s*([+-]?\d{1,30})(\.0*)?\s*", value)):
        found = int(match[1])
    elif isinstance(value, int) and not isinstance(value, bool):
        found = value
    elif isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        found = int(value)
    elif isinstance(value, float) and value.is_integer():
        raise UserError(f"{wrong} to its last digit. Store seeds as whole numbers or as text.")
    else:
        raise UserError(f"{wrong}. Correct it, or leave the cell empty.")
    if abs(found) > LARGEST_SEED:
        raise UserError(f"{where}: seed {str(value)[:40]} is above 2^63 - 1. Correct or empty it.")
    return found


class Words(str):
    """A caption in one line, with what was assumed or left out to read it."""

    doubt: str = ""


def doubt(text: str) -> str:
    """What was assumed to read a caption; empty for nothing."""
    return text.doubt if isinstance(text, Words) else ""


def sidecar_text(suffix: str, data: bytes) -> Words:
    """The caption in a `.txt`, `.caption` or `.json` next to an image; empty for none.

    `data` are the first MAX_TEXT bytes of the file: as many mean that it is longer. What was
    assumed to read it, or why it was not read, is the `doubt` of the result.
    """
    cut = len(data) >= MAX_TEXT
    text, assumed = texts.decoded(data[:MAX_TEXT], cut)
    found = WINDOWS if assumed else ""
    if suffix == ".json":
        try:
            record = loads(text, finite=False)
        except ValueError:
            text, found, record = "", NOT_JSON, None
        value = first(record, TEXT_COLUMNS) if isinstance(record, Mapping) else None
        text, inner = plain(value)
        found = inner or found
    words = Words(" ".join(text.split()))
    words.doubt = found or (TOO_LONG if cut else "")
    return words


def one_place(name: str) -> str:
    """A file's name in a table as a path in one form: `.\\a\\0.png` is `a/0.png`."""
    return os.path.normpath(name.strip().replace("\\", "/")).replace("\\", "/").lstrip("/")
