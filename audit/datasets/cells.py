"""Cells of tables that people make: how words are compared, numbers read, and formulas disarmed.

A spreadsheet runs a cell that begins like a formula (OWASP, CSV injection), so every table that
this package writes goes through `written`.
"""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

_UNSEEN = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
"""Characters without width that carry no meaning; joiners are left, because scripts need them."""
_ENDS = "\u200c\u200d\ufe0e\ufe0f"
"""Joiners and selectors, which mean nothing at the ends of a text."""
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4`\u2032", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_FORMULA = re.compile("'*[\\s\u00a0\ufeff\u200b]*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def tidy(text: str) -> str:
    """A text for showing: in Unicode's composed form, single spaces, nothing invisible."""
    if text.isascii():  # most cells are, and tables are long
        return " ".join(text.split())
    seen = _UNSEEN.sub("", unicodedata.normalize("NFC", text))
    return " ".join(seen.split()).strip(_ENDS)


def fold(text: str) -> str:
    """A text for comparing: capitals, Unicode form, spaces, dashes and quotes do not matter."""
    if text.isascii():
        return " ".join(text.casefold().replace("`", "'").split())
    wide = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    seen = "".join(
        c for c in wide.translate(_ALIKE)
        if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f"
    )  # fmt: skip
    return " ".join(seen.split())


def name(text: str) -> str:
    """A name of a column or an attribute for comparing: spaces and hyphens are underscores."""
    return re.sub(r"[\s_\-]+", "_", fold(text)).strip("_")


def number(cell: str) -> float:
    """A number with a decimal point; NaN for anything else, `0,5`, `50 %` and `inf` included."""
    plain = cell.strip()
    return float(plain) if _NUMBER.fullmatch(plain) else math.nan


def meant(cell: str, percent: bool = True) -> str:
    """How a number in another notation is written here, such as `0.88` for `0,88`; else empty.

    A percentage becomes a share unless `percent` is false. Separators of thousands are left out; a
    single comma followed by three digits could be either mark, so nothing is suggested.
    """
    text = unicodedata.normalize("NFKC", fold(cell)).rstrip("*†‡")
    text, rate, rest = text.partition("%")
    text = re.sub(r"[\s'_]", "", text)
    if rest.strip() or not re.fullmatch(r"[-+]?[\d.,]*\d[\d.,]*", text):
        return ""
    marks = [c for c in text if c in ".,"]
    if len(set(marks)) == 2:
        last = marks[-1]
        text = text.replace("." if last == "," else ",", "").replace(",", ".")
    elif marks and (len(marks) > 1 or re.fullmatch(r"[-+]?[1-9]\d{0,2}[.,]\d{3}", text)):
        if marks == ["."]:
            return ""
        if len(marks) == 1 or not re.fullmatch(r"[-+]?\d{1,3}([.,]\d{3})+", text):
            return ""
        text = re.sub(r"[.,]", "", text)
    else:
        text = text.replace(",", ".")
    value = number(text)
    if math.isnan(value):
        return ""
    return f"{value / 100 if rate and percent else value:.10g}"


def inert(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula, with an apostrophe before it.

    Numbers, also as text, and everything else are unchanged. `plain` gives the text back.
    """
    formula = isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if formula else value


def plain(cell: str) -> str:
    """The text that `inert` was given."""
    disarmed = cell.startswith("'") and _FORMULA.match(cell[1:])
    return cell[1:] if disarmed and not _NUMBER.fullmatch(cell[1:]) else cell


def written(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as CSV: UTF-8, one line per row, no live formula; None is an empty cell.

    Lone surrogates, which UTF-8 cannot encode, become question marks.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([inert(h) for h in header])
    writer.writerows([inert(v) for v in row] for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def of_frame(table: Any) -> bytes:
    """A data frame as CSV, as `written` writes rows: without the index, missing cells empty."""
    texts = [c for c in table.columns if table[c].dtype.kind not in "biuf"]
    safe = table.assign(**{c: table[c].map(inert, na_action="ignore") for c in texts})
    safe.columns = [inert(c) for c in table.columns]
    text: str = safe.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8", "replace")
