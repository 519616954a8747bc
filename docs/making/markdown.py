"""Docstrings and tables as Markdown."""

from __future__ import annotations

import ast
import importlib
import inspect
import operator
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def cell(text: object) -> str:
    """Text for a table cell."""
    return " ".join(prose(str(text)).split()).replace("|", "\\|")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, or empty text without rows."""
    lines = ["| " + " | ".join(cell(c) for c in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines]) + "\n"


def code(text: object) -> str:
    """Text as code; empty text stays empty."""
    return f"`{text}`" if str(text) else ""


def quoted(values: Iterable[object]) -> str:
    """Values as code, separated by commas."""
    return ", ".join(code(v) for v in values)


def prose(text: str) -> str:
    """A docstring as Markdown, with tags escaped outside of backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else p.replace("<", "&lt;") for p in parts)


def doc(text: str) -> str:
    """A docstring with its examples and indented blocks as code."""
    out = []
    for part in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        indented = all(line.startswith("    ") for line in part.splitlines())
        if part.lstrip().startswith(">>>") or indented:
            out.append(f"```python\n{textwrap.dedent(part)}\n```")
        else:
            out.append(prose(part))
    return "\n\n".join(out) + "\n"


def section(name: str, *parts: str) -> str:
    """A section with the parts that are not empty."""
    return "\n".join([f"## {name}\n", *(p.rstrip() + "\n" for p in parts if p.strip())]) + "\n"


def found(target: str) -> Any:
    """A module, or an object in it, by `package.module` or `package.module:name`."""
    module, _, name = target.partition(":")
    whole = importlib.import_module(module)
    return operator.attrgetter(name)(whole) if name else whole


def said(target: str) -> str:
    """The docstring of a module or an object, never an inherited one."""
    there = found(target)
    return inspect.cleandoc(there.__doc__ or "")


def attributes(kind: type) -> Iterator[tuple[str, str]]:
    """Fields of a class with the docstrings below them, in order."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    yield from _documented(body.body, ast.AnnAssign)


def module_texts(module: Any) -> dict[str, str]:
    """Constants of a module with the docstrings below them."""
    return dict(_documented(ast.parse(inspect.getsource(module)).body, ast.Assign))


def _documented(body: Sequence[ast.stmt], kind: type) -> Iterator[tuple[str, str]]:
    for at, node in enumerate(body):
        if not isinstance(node, kind):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        after = body[at + 1] if at + 1 < len(body) else None
        value = getattr(after, "value", None) if isinstance(after, ast.Expr) else None
        text = getattr(value, "value", "")
        yield getattr(target, "id", ""), inspect.cleandoc(text) if isinstance(text, str) else ""
