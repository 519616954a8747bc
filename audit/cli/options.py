"""Options of verbs, made from the fields of a dataclass such as `runs.options.Options`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator
from dataclasses import is_dataclass
from inspect import Parameter
from typing import Any

import typer

from audit.runs.opt import Declared, declared, named

Verb = Callable[..., Any]


def with_options(*only: str, without: Collection[str] = ()) -> Callable[[Verb], Verb]:
    """A verb whose parameter of a dataclass is written out as options, one per field.

    Those of `only`, or all but `without`; other fields keep their defaults.
    """

    def decorate(verb: Verb) -> Verb:
        own = inspect.signature(verb, eval_str=True).parameters
        place = next(p for p in own.values() if is_dataclass(p.annotation))
        kind: Any = place.annotation
        chosen = [
            d for n, d in declared(kind).items() if (not only or n in only) and n not in without
        ]

        @functools.wraps(verb)
        def call(**given: Any) -> Any:
            mine = {n: given.pop(n) for n in [*given] if n not in own}
            return verb(**given, **{place.name: kind(**named(kind, mine))})

        made = [p for d in chosen for p in _parameters(d)]
        every = [q for p in own.values() for q in (made if p is place else [p])]
        every = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in every]
        call.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        return call

    return decorate


def _parameters(option: Declared) -> Iterator[Parameter]:
    """The parameters of one field as typer takes them: one, or one per flag."""
    for flag in option.opt.flags:
        how = typer.Option(False, flag.name, help=flag.help)
        yield Parameter(flag.keyword, Parameter.KEYWORD_ONLY, default=how, annotation=bool)
    if option.opt.flags:
        return
    kind: Any = list[option.kind] if option.several else option.kind  # type: ignore[name-defined]
    default = None if option.several else option.default
    how = typer.Option(default, *option.names, help=option.help)
    shown = kind | None if default is None else kind
    yield Parameter(option.field, Parameter.KEYWORD_ONLY, default=how, annotation=shown)
