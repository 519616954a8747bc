"""The page of the Python API."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import is_dataclass
from typing import Any

import audit
from docs.making.markdown import attributes, code, doc, said, section, table


def page() -> str:
    """One section per name of the package."""
    api: Any = importlib.import_module("audit.api")
    intro = (
        said("audit.api") + "\n\nA first session, step by step: [tutorial.md](../tutorial.md).\n"
    )
    functions = [n for n in audit.__all__ if inspect.isfunction(getattr(api, n))]
    others = [n for n in audit.__all__ if n not in functions]
    return doc(intro) + "\n" + "".join(_name(n, getattr(api, n)) for n in [*functions, *others])


def _name(name: str, there: Any) -> str:
    full = f"audit.{name}"
    if inspect.isfunction(there):
        return section(full, f"```python\n{signature(full, there)}\n```", doc(there.__doc__ or ""))
    rows = list(attributes(there)) if isinstance(there, type) and is_dataclass(there) else []
    for n, v in vars(there).items():
        if not n.startswith("_") and (isinstance(v, property) or inspect.isfunction(v)):
            rows.append((n, inspect.getdoc(v) or ""))
    return section(full, doc(there.__doc__ or ""),
                   table(("part", "meaning"), [(code(n), t) for n, t in rows]))  # fmt: skip


def signature(name: str, function: Any) -> str:
    """A function's signature, one parameter per line, as in the source."""
    lines, keyword = [], False
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.KEYWORD_ONLY and not keyword:
            lines.append("*,")
            keyword = True
        stars = "**" if p.kind is p.VAR_KEYWORD else "*" if p.kind is p.VAR_POSITIONAL else ""
        known = getattr(p.default, "__name__", repr(p.default))
        default = "" if p.default is p.empty else f" = {known}"
        lines.append(f"{stars}{p.name}: {p.annotation}{default},")
    body = "".join(f"    {line}\n" for line in lines)
    return f"{name}(\n{body}) -> {inspect.signature(function).return_annotation}"
