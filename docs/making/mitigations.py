"""The page of mitigations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from audit.design.mitigations.methods import METHODS
from audit.design.mitigations.row import Method
from audit.errors import UserError
from audit.runs import preview
from docs.making.markdown import attributes, code, doc, said, section, table

VALUES = {"attribute": "gender", "scale": "6", "text": "'a man'"}
"""Examples for first options that have no default."""


def page() -> str:
    """One section per registered mitigation."""
    head = (
        "A mitigation is an arm of a run: the same prompts from the same noise, changed, in "
        "addition to the baseline. `-t METHOD:VALUE,option=value` on the command line, where VALUE "
        "is the first option; `[[mitigations]]` with `method` and `options` in a suite; "
        "`audit.run(..., mitigations=[...])` in Python. A gate keeps rewriters of what a text says "
        "about people from changing names, periods, fixed roles, quotes, groups, and attributes "
        "that are already stated.\n\n"
    )
    return head + "".join(_mitigation(m) for m in METHODS.values())


def _mitigation(row: Method) -> str:
    texts = [
        "Against copies." if row.family == "copies" else "",
        said(row.rewriter) if row.rewriter else "",
        said(row.handler) if row.handler else "",
        (row.options.__doc__ or "") if row.options else "",
    ]
    return section(row.name, *(doc(t) for t in texts if t), _told(row.options), _how(row.name))


def _told(model: Any) -> str:
    """The table of options, with a column of descriptions if any option has one."""
    heads = ["option", "type", "default", "range", "description"]
    rows = list(_options(model)) if model else []
    if not any(r[-1] for r in rows):
        heads, rows = heads[:-1], [r[:-1] for r in rows]
    return table(heads, rows)


def _how(name: str) -> str:
    """How to give a mitigation, and an example of a rewritten prompt."""
    spec = example(name)
    if not spec:
        block = f'[[mitigations]]\nname = "mine"\nmethod = "{name}"\nblocks = [...]'
        return f"In a suite:\n\n```toml\n{block}\n```"
    lines = [f"t2i-audit mitigate SUITE --model MODEL -t {spec}"]
    shown = rewritten(spec)
    if shown:
        lines.append(f't2i-audit rewrite "a photo of a nurse" -t {spec}')
    return "```sh\n" + "\n".join(lines) + "\n```" + (f"\n\n{shown}" if shown else "")


def _options(model: Any) -> Iterator[tuple[str, ...]]:
    texts = {n: t for kind in reversed(model.__mro__[:-2]) if kind.__module__ == model.__module__
             for n, t in attributes(kind)}  # fmt: skip
    for name, field in model.model_fields.items():
        default = (
            "needed"
            if field.is_required()
            else code(_plain(field.get_default(call_default_factory=True)))
        )
        limits = []
        for rule in field.metadata:
            for sign, key in ((">=", "ge"), (">", "gt"), ("<=", "le"), ("<", "lt")):
                if getattr(rule, key, None) is not None:
                    limits.append(f"`{sign} {getattr(rule, key):g}`")
        what = field.description or texts.get(name, "")
        yield code(name), _type(field.annotation), default, ", ".join(limits), what


def _plain(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else value


WORDS = {str: "text", int: "whole number", float: "number", bool: "yes or no", object: "anything"}


def _type(annotation: Any) -> str:
    """A type in words; the default shows whether None is allowed."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin is Literal:
        return " or ".join(map(str, inner))
    if origin in (Union, UnionType):
        return " or ".join(_type(a) for a in inner if a is not type(None))
    if origin is dict:
        return f"table of {_type(inner[0])} to {_type(inner[1])}"
    if origin in (list, tuple):
        return f"list of {_type(inner[0])}"
    return WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def example(name: str) -> str:
    """A mitigation as given on the command line; words in capitals are placeholders.

    Empty for one that only a suite can describe.
    """
    model, first = METHODS[name].options, METHODS[name].first_option
    if model is None or not first:
        return ""
    field = model.model_fields[first]
    known = "" if field.is_required() else field.get_default(call_default_factory=True)
    value = VALUES.get(first) or (_plain(known) if known not in ("", None) else first.upper())
    needed = [n for n, f in model.model_fields.items() if f.is_required() and n != first]
    more = "".join(f",{n}={VALUES.get(n, n.upper())}" for n in needed)
    return f"{name}:{value}{more}"


def rewritten(spec: str) -> str:
    """An example of a rewritten prompt, if the mitigation changes the text and needs no model."""
    if METHODS[spec.partition(":")[0]].rewriter is None or re.search(r":[A-Z]", spec):
        return ""
    try:
        row = preview.rewrite("a photo of a nurse", spec.replace("'", ""))[0]
    except UserError:
        return ""
    return f"Result for one image: *{row.text}*" if row.text != row.original else ""
