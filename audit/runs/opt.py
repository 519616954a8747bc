"""Declarations of options in fields of `Options`: help, command-line names, allowed values.

The command line and Python read the same declarations, so an option is written once.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from audit.errors import UserError, unknown


@dataclass(frozen=True)
class Flag:
    """An option without a value that sets a field to `value`."""

    name: str
    value: Any
    help: str

    @property
    def keyword(self) -> str:
        """The name in the form of a Python keyword."""
        return _keyword(self.name)


@dataclass(frozen=True)
class AtLeast:
    """Allows this number or more, but not infinity."""

    low: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value < math.inf

    def __str__(self) -> str:
        return f"{self.low:g} or more"


@dataclass(frozen=True)
class Between:
    """Allows numbers strictly between two limits."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low < value < self.high

    def __str__(self) -> str:
        return f"above {self.low:g} and below {self.high:g}"


@dataclass(frozen=True)
class Within:
    """Allows two limits and the numbers between them."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class OneOf:
    """Allows one of these names."""

    names: tuple[str, ...]

    def __contains__(self, value: str) -> bool:
        return value in self.names

    def __str__(self) -> str:
        return " or ".join(filter(None, (", ".join(self.names[:-1]), self.names[-1])))


@dataclass(frozen=True)
class Opt:
    """A field's option: `Annotated[int, Opt("Help text.", "--name -n", AtLeast(1))]`."""

    help: str
    names: str = ""
    """Names on the command line, separated by spaces; by default the field's own."""
    allow: AtLeast | Between | Within | OneOf | None = None
    """Allowed values, which the help text includes."""
    parse: Callable[[Any], Any] | None = None
    """Takes a value and returns it, changed or not; UserError for one that does not fit."""
    flags: tuple[Flag, ...] = ()
    """Replace the option with a value on the command line."""
    numbers: bool = False
    """Whether a text may also be given as a whole number, which `parse` gets as text."""
    tables: bool = False
    """Whether it changes tables of a run, which makes it part of their file names."""


@dataclass(frozen=True)
class Declared:
    """A field with an option, from its annotation and its default."""

    field: str
    kind: type
    """bool, int, float, str or Path; of the parts where there may be several."""
    several: bool
    default: Any
    opt: Opt

    @property
    def names(self) -> tuple[str, ...]:
        """Names on the command line, the long one first."""
        return tuple(self.opt.names.split()) or (f"--{self.field.replace('_', '-')}",)

    @property
    def keyword(self) -> str:
        """The long name in the form of a Python keyword."""
        return _keyword(self.names[0])

    @property
    def help(self) -> str:
        """The help text, with the allowed values."""
        return f"{self.opt.help} [{self.opt.allow}]" if self.opt.allow else self.opt.help

    def value(self, given: Any) -> Any:
        """A value in the field's own type; None is the default.

        Raises UserError for a value of another type, or one that is not allowed.
        """
        if given is None:
            return self.default
        if self.several:
            one = isinstance(given, str | os.PathLike) or not isinstance(given, Iterable)
            found: Any = tuple(self._one(v) for v in ((given,) if one else given))
        else:
            found = self._one(given)
        return self.opt.parse(found) if self.opt.parse else found

    def _one(self, given: Any) -> Any:
        if self.opt.numbers and type(given) is not bool and isinstance(given, Integral):
            given = str(given)
        accepted, words = _ACCEPTED[self.kind]
        if not isinstance(given, accepted) or isinstance(given, bool) != (self.kind is bool):
            raise UserError(f"{self.names[0]} must be {words}, not {given!r}.")
        value = self.kind(given)
        if self.opt.allow is not None and value not in self.opt.allow:
            raise UserError(f"{self.names[0]} must be {self.opt.allow}, not {given!r}.")
        return value


def checked(
    name: str, kind: type, given: Any, allow: AtLeast | Between | Within | None = None,
    several: bool = False,
) -> Any:  # fmt: skip
    """An argument in its own type, by the rules of options; None is None.

    Raises UserError for a value of another type, or one that is not allowed.
    """
    return Declared(name, kind, several, None, Opt("", name, allow)).value(given)


_ACCEPTED: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "True or False"),
    int: ((Integral,), "a whole number"),
    float: ((Real,), "a number"),
    str: ((str, os.PathLike), "text"),
    Path: ((str, os.PathLike), "a path"),
}


def _keyword(option: str) -> str:
    return option.lstrip("-").replace("-", "_")


@cache
def declared(kind: type) -> dict[str, Declared]:
    """The fields of a dataclass that have an option, by name and in order."""
    hints, found = get_type_hints(kind, include_extras=True), {}
    for f in fields(kind):
        plain, *more = get_args(hints[f.name]) if get_origin(hints[f.name]) is Annotated else [None]
        opts = [m for m in more if isinstance(m, Opt)]
        if opts:
            inner = [t for t in get_args(plain) or (plain,) if t not in (type(None), ...)]
            several = get_origin(plain) is tuple
            found[f.name] = Declared(f.name, inner[0], several, f.default, opts[0])
    return found


def named(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values by field, from names of fields or of the command line: `loras`, `lora`, `no_images`.

    Raises UserError, with near names, for an unknown name, and for a field that is given twice.
    """
    options = declared(kind).values()
    allowed = {n for d in options for n in (d.field, d.keyword, *(f.keyword for f in d.opt.flags))}
    for name in given:
        if name not in allowed:
            raise unknown("option", name, allowed)
    found = {}
    for d in options:
        values = [given[k] for k in {d.field, d.keyword} if given.get(k) is not None]
        if len(values) > 1:
            raise UserError(f"{d.field} and {d.keyword} are one option: give only one of them.")
        values += [f.value for f in d.opt.flags if given.get(f.keyword)]
        if values:
            found[d.field] = values[0]
    return found
