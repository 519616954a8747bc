"""Everything public is called: by the package itself, a benchmark, a template, or a user.

Tests do not count as callers: a function that only they call is theirs, or is not needed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import audit

ROOT = Path(__file__).parent.parent
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
FOR_USERS = {f"audit.api.{name}" for name in audit.__all__}
"""The names of `import audit`."""
TEMPLATED = ("audit.report.", "audit.view.")
"""Rooms whose functions templates call, by name."""
BY_LIBRARIES = {
    "redirect_request": "urllib's HTTPRedirectHandler calls it",
    "http_open": "urllib's OpenerDirector calls it",
    "https_open": "urllib's OpenerDirector calls it",
}
"""Methods that only a library calls, each with the library."""


@cache
def sources() -> Mapping[str, str]:
    """Source by module of the package, the benchmarks and the generator of the reference."""
    paths = [p for d in ("audit", "benchmarks", "docs") for p in sorted((ROOT / d).rglob("*.py"))]
    return {".".join(p.relative_to(ROOT).with_suffix("").parts): p.read_text("utf-8")
            for p in paths}  # fmt: skip


def words() -> set[str]:
    """Every word of the templates: they call functions by name."""
    paths = (ROOT / "audit").rglob("*.j2")
    return {w for p in paths for w in re.findall(r"\w+", p.read_text("utf-8"))}


def imported(module: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Full names under which a module knows what it imports, anywhere in it, and their origins."""
    package = module.removesuffix(".__init__") if module.endswith(".__init__") else (
        module.rpartition(".")[0]
    )  # fmt: skip
    here = module.removesuffix(".__init__")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            yield from ((f"{here}.{a.asname or a.name}", f"{base}.{a.name}") for a in node.names)
        elif isinstance(node, ast.Import):
            yield from ((f"{here}.{a.asname}", a.name) for a in node.names if a.asname)


def beginnings(name: str) -> Iterator[str]:
    """A dotted name and all that it begins with, longest first."""
    parts = name.split(".")
    return (".".join(parts[:i]) for i in range(len(parts), 0, -1))


def origin(name: str, aliases: Mapping[str, str], defined: Collection[str]) -> str:
    """The definition that a dotted name leads to, through imports and packages that pass it on."""
    for _ in range(9):
        known = next((b for b in beginnings(name) if b in defined or b in aliases), "")
        here = known in defined and not (known in aliases and name != known)
        if here or not known:  # a function may import a module of its own name
            return known
        name = aliases[known] + name[len(known) :]
    return ""


@cache
def parsed(text: str) -> ast.Module:
    """A module's tree."""
    return ast.parse(text)


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or an attribute of a name; empty for anything else."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return before and f"{before}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def by_text(node: ast.AST) -> str:
    """The name in `module:name`, as the registry has it, or in `getattr(module, "name")`."""
    if isinstance(node, ast.Call) and dotted(node.func) == "getattr":
        return str(getattr(node.args[1], "value", ""))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        found = re.search(r":(\w+)$", node.value)
        return found[1] if found else ""
    return ""


def registered(node: ast.stmt) -> bool:
    """Whether a decorator makes it a verb of the command line, or Python itself calls it."""
    decorators = [ast.unparse(d) for d in getattr(node, "decorator_list", ())]
    return any(re.search(r"\.(command|callback)\(", d) for d in decorators) or (
        getattr(node, "name", "").startswith("__")
    )


def reached_from(
    module: str, nodes: Iterable[ast.AST], aliases: Mapping[str, str], defined: Collection[str]
) -> set[str]:
    """The definitions that some code of a module names."""
    inside = [inner for node in nodes for inner in ast.walk(node)]
    names = {dotted(n) for n in inside} - {""}
    said = {by_text(n) for n in inside} - {""}
    found = {origin(f"{module}.{n}", aliases, defined) for n in names}
    return found | {d for d in defined if said and d.rpartition(".")[2] in said}


def uncalled(texts: Mapping[str, str], called: Collection[str] = ()) -> set[str]:
    """Public functions and classes of `audit` that no code reaches which runs by itself.

    That is code outside of functions, verbs, benchmarks, what users import, and what templates
    call: the names in `called`.
    To import something, and to pass it on, is not to call it.
    """
    trees = {m: parsed(text) for m, text in texts.items()}
    aliases = {k: v for m, t in trees.items() for k, v in imported(m, t)}
    defined = {f"{m.removesuffix('.__init__')}.{n.name}"
               for m, t in trees.items() if m.startswith("audit.")
               for n in t.body if isinstance(n, Definition)}  # fmt: skip
    used: dict[str, set[str]] = {}
    shown = {d for d in defined if d.startswith(TEMPLATED)}
    waiting = [*FOR_USERS, *(d for d in shown if d.rpartition(".")[2] in called)]
    for module, tree in trees.items():
        here = module.removesuffix(".__init__")
        for node in tree.body:
            names = reached_from(here, [node], aliases, defined)
            waiting += reached_from(here, getattr(node, "decorator_list", ()), aliases, defined)
            own = f"{here}.{getattr(node, 'name', '')}"
            if own in defined and not registered(node):
                used[own] = names
            else:
                waiting += [*names, own]
    reached: set[str] = set()
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting += used.get(name, ())
    return {d for d in defined - reached if not d.rpartition(".")[2].startswith("_")}


def unread(texts: Mapping[str, str], called: Collection[str] = ()) -> set[str]:
    """Public methods of `audit` whose name is nowhere but in their own definitions."""
    seen: dict[str, int] = {}
    methods: dict[str, list[ast.AST]] = {}
    for module, text in texts.items():
        tree = parsed(text)
        for node in ast.walk(tree):
            for name in {getattr(node, k, None) for k in ("attr", "id", "value")}:
                if isinstance(name, str):
                    seen[name] = seen.get(name, 0) + 1
        if module.startswith("audit."):
            for kind in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
                for inner in kind.body:
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                        methods.setdefault(inner.name, []).append(inner)
    own = {
        name: sum(getattr(n, "attr", getattr(n, "id", "")) == name
                  for node in nodes for n in ast.walk(node))
        for name, nodes in methods.items()
    }  # fmt: skip
    return {n for n in methods if seen.get(n, 0) <= own[n] and n not in called}


def test_every_public_function_and_class_has_a_caller() -> None:
    """In all rooms; one without a caller gets one, or goes with its tests."""
    assert not uncalled(sources(), words())


def test_every_public_method_has_a_reader() -> None:
    """Methods and properties, by name."""
    assert unread(sources(), words()) == set(BY_LIBRARIES)


LONELY = """
def lonely():
    return lonely()
def chain():
    return lonely()
class Alone:
    def unread(self):
        return self.unread
"""


def test_what_nothing_calls_is_seen() -> None:
    """Calls of itself, a caller without one, an import, and passing it on do not count."""
    texts = {
        "audit.stats.__init__": "from audit.stats.a import lonely",
        "audit.stats.a": LONELY,
        "audit.findings.b": "from audit.stats.a import Alone, chain",
    }
    assert uncalled(texts) == {f"audit.stats.a.{n}" for n in ("lonely", "chain", "Alone")}
    assert unread(texts) == {"unread"}
    real = {**sources(), "audit.stats.invented": "def invented() -> None: ..."}
    assert uncalled(real, words()) == {"audit.stats.invented.invented"}


@pytest.mark.parametrize(
    "caller",
    [
        "from audit.stats.a import chain as c\nc()",
        "from audit.stats import a\na.chain()",
        "import audit.stats.a as here\nTABLE = {'x': here.chain}",
        "from audit.stats import chain\nchain()",
        "from ..stats.a import chain\n@chain\ndef _inner(): ...",
        "def a():\n    from audit.stats import a\n    a.chain()\na()",
        "def _late():\n    from audit.stats.a import chain\n    chain()\n_late()",
        "KINDS = {'x': 'audit.stats.a:chain'}",
        "A = 'audit.stats.a'\nKINDS = {'x': f'{A}:chain'}",
        "from audit.stats import a\ngetattr(a, 'chain', str)()",
        "from audit.stats.a import chain\n@app.command('x')\ndef verb():\n    chain()",
    ],
)
def test_every_way_to_call_is_seen(caller: str) -> None:
    """Renamed, by module, through a package, late, by decorator, by the registry, by a verb."""
    texts = {"audit.stats.__init__": "from .a import chain", "audit.stats.a": LONELY,
             "audit.findings.b": caller}  # fmt: skip
    assert uncalled(texts) == {"audit.stats.a.Alone"}


def test_templates_call_by_name_what_is_in_their_rooms() -> None:
    """A word of a template does not call a function elsewhere."""
    texts = {f"audit.{room}.c": "def shown(): ..." for room in ("report", "view", "stats")}
    assert uncalled(texts, {"shown"}) == {"audit.stats.c.shown"}
    assert len(uncalled(texts)) == 3


def test_benchmarks_import_what_is_there() -> None:
    """Every name that they, and the generator of the reference, take from the package."""
    texts = sources()
    there = set(texts) | {m.removesuffix(".__init__") for m in texts}
    for module, text in texts.items():
        here, tree = module.removesuffix(".__init__"), parsed(text)
        there |= {f"{here}.{getattr(n, 'name', '')}" for n in tree.body}
        there |= {f"{here}.{n.id}" for n in ast.walk(tree) if isinstance(n, ast.Name)}
        there |= {name for name, _ in imported(module, tree)}
    wanted = {
        (module, of)
        for module, text in texts.items()
        if not module.startswith("audit.")
        for _, of in imported(module, parsed(text))
        if of.startswith(("audit.", "benchmarks.", "docs."))
    }
    assert not {(m, of) for m, of in wanted if of not in there}
    assert len(wanted) > 50
