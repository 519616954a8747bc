"""Exceptions that users see: a sentence that says what, where, and what to do."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable


class UserError(Exception):
    """Bad input or an impossible request; the command line prints it and exits with 2."""


class Untrusted(UserError):
    """A file names code, or something outside of its folder, and the user has not agreed to it."""


class Damaged(UserError):
    """A file of a run is not what was written."""


class Notice(UserWarning):
    """Something that a user should know; the command line prints it as a sentence."""


class Incomplete(Exception):
    """Work is left to do; what is finished is kept, and the same command continues (exit 3)."""


def untrusted(where: str, what: str, name: str) -> Untrusted:
    """The error for code that a file names: a suite, an index or a run is data."""
    return Untrusted(
        f"{where} names the {what} {name!r}, which is code outside of this package. Read it, "
        "and give --trust-code (`trust_code=True` in Python) if it may run on your machine."
    )


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def harmless(words: object) -> str:
    """Text of strangers without what a terminal or a browser obeys: it is only shown.

    Control characters other than line breaks and tabs, lone surrogates and marks that reorder the
    text around them are left out.
    """
    return "".join(
        c for c in str(words)
        if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _BIDI)
    )  # fmt: skip


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """A UserError for a name that does not exist, with the nearest names that do."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names) or 'none'}."
    return UserError(f"Unknown {kind} {name!r}. {hint}")


def counted(n: int, one: str, more: str) -> str:
    """A number with the words that it takes: `1 shard of RUN is`, `2 shards of RUN are`."""
    return f"{n} {one if n == 1 else more}"


def known(kind: str, name: str, names: Collection[str], where: str) -> None:
    """Raise UserError, with near names, for a name that is not among `names`."""
    if name not in names:
        raise UserError(f"{where}: {unknown(kind, name, names)}")
