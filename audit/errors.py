"""Exceptions that users see: a sentence that says what, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


class UserError(Exception):
    """Bad input or an impossible request; the command line prints it and exits with 2."""


class Notice(UserWarning):
    """Something that a user should know; the command line prints it as a sentence."""


class Incomplete(Exception):
    """Work is left to do; what is finished is kept, and the same command continues (exit 3)."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """A UserError for a name that does not exist, with the nearest names that do."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names) or 'none'}."
    return UserError(f"Unknown {kind} {name!r}. {hint}")


def known(kind: str, name: str, names: Collection[str], where: str) -> None:
    """Raise UserError, with near names, for a name that is not among `names`."""
    if name not in names:
        raise UserError(f"{where}: {unknown(kind, name, names)}")
