"""Errors that libraries raise for damaged files: named once, and turned into one sentence."""

from __future__ import annotations

import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.datasets import pixels
from audit.errors import UserError

BROKEN = (OSError, EOFError, ValueError, ArithmeticError, LookupError, NotImplementedError,
          SyntaxError, tokenize.TokenError, RecursionError, TypeError)  # fmt: skip
"""What damaged files make NumPy and the standard library raise; a UnicodeError is a ValueError."""


def damaged(path: Path, what: str, error: Exception) -> UserError:
    """The sentence for a file that cannot be read."""
    reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
    return UserError(f"{path} cannot be read as {what}: {reason}. Fetch it again or remove it.")


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn the errors of a damaged file into the sentence of `damaged`.

    Arrow's lack of memory is one of them: a damaged length asks for any amount. Python's own is
    not, which says nothing about the file.
    """
    try:
        yield
    except Exception as error:
        if not _is_damage(error):
            raise
        raise damaged(path, what, error) from error


@contextmanager
def unreadable() -> Iterator[None]:
    """Turn the errors of a damaged file into pixels.Unreadable, for one image of it."""
    try:
        yield
    except Exception as error:
        if not _is_damage(error):
            raise
        raise pixels.Unreadable(f"cannot be read from the table ({error})") from None


def _is_damage(error: Exception) -> bool:
    if isinstance(error, UserError | pixels.Unreadable):
        return False
    import pyarrow as pa

    return isinstance(error, (*BROKEN, pa.ArrowException))
