"""Bytes of strangers as text: encodings are recognised.

What cannot be decided is assumed, and the assumption is returned with the text, to be said once.
"""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from itertools import chain
from pathlib import Path
from typing import NamedTuple

MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
"""Byte order marks; those of UTF-32 begin with those of UTF-16 and go first."""
WINDOWS = "cp1252"
BLOCK = 1 << 16
"""Bytes of a file by which its encoding is recognised."""
SAMPLE = 8192
"""Bytes of a text by which two encodings are compared; a multiple of 4."""
_WIDE = ("utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le")
_NO_CONTROLS = bytes(range(7, 256))
_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "CYRILLIC", "GREEK", "LATIN", "ARABIC",
            "HEBREW", "DEVANAGARI", "THAI", "FULLWIDTH", "IDEOGRAPHIC")  # fmt: skip


class Encoding(NamedTuple):
    """How bytes are read as text."""

    name: str
    skip: int = 0
    """Bytes of a byte order mark."""
    assumed: bool = False
    """Whether nothing shows that it is this one."""


def encoding(data: bytes, cut: bool = False) -> Encoding:
    """The encoding of a text by its first bytes; `cut` where more bytes follow.

    A byte order mark decides. Without one, control characters show that it may be UTF-16 or
    UTF-32, in the order that makes most sense. What is neither these nor UTF-8 is read as
    Windows-1252, which is an assumption.
    """
    if found := marked(data):
        return found
    if data.translate(None, _NO_CONTROLS) and (likely := wide(data, cut, "utf-8")):
        return Encoding(likely)
    if _fits(data, "utf-8", cut):
        return Encoding("utf-8")
    return Encoding(WINDOWS, assumed=True)


def marked(data: bytes) -> Encoding | None:
    """The encoding that a byte order mark names; None without one."""
    return next((Encoding(n, len(mark)) for mark, n in MARKS if data.startswith(mark)), None)


def of_file(path: Path) -> Encoding:
    """The encoding of a text file: its beginning shows it, and all of it whether it is UTF-8."""
    with path.open("rb") as file:
        start = file.read(BLOCK)
        found = encoding(start, cut=len(start) == BLOCK)
        if found.name != "utf-8":
            return found
        decoder = codecs.getincrementaldecoder(found.name)()
        try:
            for part in chain([start[found.skip :]], iter(lambda: file.read(BLOCK), b"")):
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return Encoding(WINDOWS, found.skip, assumed=True)
    return found


def decoded(data: bytes, cut: bool = False) -> tuple[str, bool]:
    """The text of bytes by their `encoding`, without zeros at its end; true where assumed."""
    found = encoding(data, cut)
    body = data[found.skip :]
    if cut and not found.assumed:
        text = codecs.getincrementaldecoder(found.name)("replace").decode(body)
    else:
        text = body.decode(found.name, "replace")
    return text.strip("\0"), found.assumed


def wide(data: bytes, cut: bool = False, *others: str) -> str | None:
    """The one of UTF-16 and UTF-32, or `others`, that makes most sense; None if none makes any."""
    names = (*others, *_WIDE)
    sense = {name: _sense(data, name, cut) for name in names}
    best = max(names, key=lambda n: sense[n])
    return best if sense[best] > 0 else None


def _fits(data: bytes, name: str, cut: bool) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(data, not cut)
    except UnicodeDecodeError:
        return False
    return True


def _sense(data: bytes, name: str, cut: bool) -> float:
    """How much bytes look like text in an encoding, -inf..3 a byte."""
    some = data[:SAMPLE]
    if not _fits(some, name, cut or len(data) > len(some)):
        return -math.inf
    text = codecs.getincrementaldecoder(name)().decode(some).rstrip("\0")
    return sum(map(_plausible, text)) / max(1, len(some))


def _plausible(character: str) -> float:
    """3 for ASCII, 2 for letters of the larger scripts, 1 for other letters and marks, else -4."""
    if character in "\t\n\r" or " " <= character <= "~":
        return 3
    if unicodedata.category(character)[0] == "C":  # control, private, unassigned
        return -4
    return 2 if unicodedata.name(character, "").startswith(_SCRIPTS) else 1


def spelled(name: str) -> str:
    """A file's name as text that can be stored: a byte that is not UTF-8 becomes `\\xe9`.

    Systems keep names as bytes, and archives of other systems bring theirs along.
    """
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return name.encode("utf-8", "backslashreplace").decode()


def place(root: Path, name: str) -> Path:
    """The path of a file below a folder by its name as `spelled` writes it."""
    path = root / name
    if "\\x" in name and not path.exists():
        raw = re.sub(r"\\x([89a-f][0-9a-f])", lambda m: chr(0xDC00 + int(m[1], 16)), name)
        return root / raw
    return path
