"""Columns and a split that the user named, where names and contents leave the choice open."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from audit.datasets.captions import (
    ARM_COLUMNS,
    NAME_COLUMNS,
    SEED_COLUMNS,
    TEXT_COLUMNS,
    folded,
    listed,
)
from audit.errors import UserError
from audit.files import checked, loads

USUAL: Mapping[str, tuple[str, ...]] = {
    "image": NAME_COLUMNS, "caption": TEXT_COLUMNS, "seed": SEED_COLUMNS, "arm": ARM_COLUMNS,
}  # fmt: skip
"""What a column may be read as, with its usual names, as `folded` writes them."""
_WORD = re.compile(rf"({'|'.join(USUAL)})=(.*)", re.S)
_NEXT = re.compile(rf",(?=(?:{'|'.join(USUAL)})=)")


class NoColumn(UserError):
    """A table without a column that the user named."""


@dataclass(frozen=True)
class Chosen:
    """Columns by what they are read as, and the split that alone is read; empty for the usual."""

    columns: tuple[tuple[str, str], ...] = ()
    split: str = ""

    @property
    def text(self) -> str:
        """As `of_text` reads it; empty where nothing was named."""
        known = {**dict(self.columns), **({"split": self.split} if self.split else {})}
        return json.dumps(known, sort_keys=True, ensure_ascii=False) if known else ""

    @property
    def key(self) -> str:
        """Part of the stamps of what is read: other columns are other images or captions."""
        return Chosen(self.columns).text

    def named(self, what: str) -> str | None:
        """The name of the column that is read as an image, a caption, ...; None for the usual."""
        return dict(self.columns).get(what)

    def column(self, what: str, names: Sequence[str], where: str) -> str | None:
        """The named column among these, None for the usual; NoColumn where it is missing."""
        if (name := self.named(what)) is None:
            return None
        found = _places(self.columns, tuple(names)).get(what)
        if found is None:
            raise NoColumn(
                f"{where} has no column {name[:60]!r}. Give --columns {what}= another name; the "
                f"columns are {listed(names)}."
            )
        return found

    def reads(self, name: str, names: Sequence[str]) -> str | None:
        """What a column of a table of captions is read as, if it is read."""
        for what, at in _places(self.columns, tuple(names)).items():
            if at == name:
                return what
        open_ = (w for w, usual in USUAL.items() if folded(name) in usual)
        return next((w for w in open_ if self.named(w) is None), None)

    def row(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row with its named columns under their usual names, and none of the same kind."""
        if not self.columns:
            return record
        at = _places(self.columns, tuple(record))
        hidden = {n for what, _ in self.columns for n in USUAL[what]} | {*at.values()}
        rest = {k: v for k, v in record.items() if k not in hidden and folded(str(k)) not in hidden}
        return {**rest, **{USUAL[what][0]: record[name] for what, name in at.items()}}


USUALLY = Chosen()
"""Nothing was named."""


@lru_cache(256)
def _places(columns: tuple[tuple[str, str], ...], names: tuple[str, ...]) -> dict[str, str]:
    """Which of the names each column is: as it is written, else in other capitals and spaces."""
    found = {}
    for what, name in columns:
        near = [n for n in names if folded(str(n)) == folded(name)]
        if name in names or len(near) == 1:
            found[what] = name if name in names else near[0]
    return found


def chosen(columns: Sequence[str] = (), split: str = "") -> Chosen:
    """Of `image=NAME,caption=NAME` and a split; UserError for another form or a repeated word."""
    found: dict[str, str] = {}
    for text in (t for given in columns for t in _NEXT.split(given)):
        match = _WORD.fullmatch(text.strip())
        if match is None or not match[2].strip():
            raise UserError(
                f"--columns {text[:60]!r} is not a valid choice. Give image=NAME, caption=NAME, "
                "seed=NAME or arm=NAME, with commas between several."
            )
        if match[1] in found:
            raise UserError(f"--columns names {match[1]} twice. Give each once.")
        found[match[1]] = match[2].strip()
    return Chosen(tuple(sorted(found.items())), split.strip())


def of_text(text: str) -> Chosen:
    """What `Chosen.text` wrote; ValueError for anything else."""
    known = checked(dict[str, str], loads(text)) if text else {}
    split = known.pop("split", "")
    if unknown := known.keys() - USUAL.keys():
        raise ValueError(f"unknown columns ({', '.join(sorted(unknown))[:60]})")
    return Chosen(tuple(sorted(known.items())), split)
