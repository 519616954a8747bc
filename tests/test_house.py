"""Architecture tests, from the imports: data flows left to right, rooms stay separate."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "audit"
MODULES = sorted(p for p in ROOT.rglob("*.py") if "_prompts" not in p.parts)
ORDER = (
    "errors", "keys", "files", "records", "datasets", "stats", "store", "design",
    "registry", "engine", "evidence", "findings", "report", "world", "runs", "view", "api", "cli",
)  # fmt: skip
"""The order of stages: a file imports its own room and those to its left."""
AT_ROOT = {"__init__", "__main__", "api", "errors", "files", "keys", "records", "registry",
           "store"}  # fmt: skip
"""Files at the root; everything else has a room."""
HEAVY = {"torch", "diffusers", "open_clip", "faiss", "transformers", "pandas", "numpy", "sklearn",
         "seaborn", "matplotlib", "jinja2", "pydantic", "scipy", "statsmodels"}  # fmt: skip
MODELS = {"torch", "torchvision", "diffusers", "open_clip", "faiss", "transformers"}
FORBIDDEN = {
    "report": MODELS | {"audit.stats"},
    "view": MODELS,
    "findings": MODELS | {"matplotlib"},
    "design": MODELS,
    "evidence/attributes": MODELS,
    "evidence/copies": MODELS - {"faiss"},
    "evidence/encoders": {"diffusers", "faiss"},
    "design/language_model": {"diffusers", "faiss", "open_clip"},
}
"""Libraries that a room must not import."""
LOCAL_MODELS = "design/language_model/local.py"
"""The one file of `design` that loads a model: a language model on disk."""
SIBLINGS = {
    ("design/suites", "design/mitigations"), ("design/language_model", "design/mitigations"),
}  # fmt: skip
"""Folders inside a stage that may import a neighbour; no others may."""
STATS_ALONE = {"__future__", "collections", "dataclasses", "functools", "itertools", "math",
               "typing", "numpy", "scipy", "statsmodels", "audit"}  # fmt: skip
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60


@dataclass(frozen=True)
class Import:
    """One imported module by its full name, and whether it is imported at module level."""

    name: str
    top: bool

    @property
    def package(self) -> str:
        """The part before the first dot."""
        return self.name.split(".")[0]


def read(source: str, package: str) -> Iterator[Import]:
    """All imports of a module inside `package`: relative, lazy, conditional and by name.

    Imports for the type checker alone do not run when the file is imported.
    """
    tree = ast.parse(source)
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        or (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        top = id(node) not in lazy
        if isinstance(node, ast.Import):
            yield from (Import(a.name, top) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            # `from audit import cli` and `from . import page` name modules, not objects.
            inner = base == "audit" or (node.level and not node.module)
            yield from (Import(f"{base}.{a.name}" if inner else base, top) for a in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            named = called.id if isinstance(called, ast.Name) else called
            if named in ("import_module", "__import__"):
                value = getattr(node.args[0], "value", "")
                yield Import(value if isinstance(value, str) and value else "?", top)


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """All imports of a file under audit/."""
    package = ".".join(["audit", *path.relative_to(ROOT).parts[:-1]])
    return tuple(read(path.read_text("utf-8"), package))


def room(path: Path) -> str:
    """The first part of a module's path under audit/."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    """A module's path under audit/, for test names and messages."""
    return path.relative_to(ROOT).as_posix()


def test_the_reader_sees_every_way_to_import() -> None:
    """Relative, renamed, lazy, conditional and dynamic imports all count."""
    source = """
import torch.nn as nn
from . import page
from .charts import bar
from .. import store
from ..stats.floors import gap_floor
from audit import cli
if True:
    import faiss
if TYPE_CHECKING:
    from audit.api import run
def draw():
    from diffusers import UNet2DModel
    importlib.import_module("audit.world.models")
    import_module(name)
"""
    seen = {(i.name, i.top) for i in read(source, "audit.report")}
    assert seen == {
        ("torch.nn", True), ("audit.report.page", True), ("audit.report.charts", True),
        ("audit.store", True), ("audit.stats.floors", True), ("audit.cli", True), ("faiss", True),
        ("audit.api", False), ("diffusers", False), ("audit.world.models", False), ("?", False),
    }  # fmt: skip


def folder(path: Path) -> str:
    """The folder of a module under audit/, two levels deep at most: `design/suites`."""
    return "/".join(path.relative_to(ROOT).parts[:-1][:2])


def test_the_root_is_a_short_list() -> None:
    """Every file not shared by all rooms is in a room."""
    assert {p.stem for p in ROOT.glob("*.py")} == AT_ROOT
    assert {p.name for p in ROOT.iterdir() if p.is_dir() and (p / "__init__.py").exists()} <= {
        *ORDER
    }


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in ORDER], ids=name)
def test_rooms_import_only_what_is_to_their_left(path: Path) -> None:
    """Imports go in one direction; each room also has libraries that it must not import."""
    here = room(path)
    for found in imports(path):
        if found.package == "audit" and found.name != "audit":
            target = found.name.split(".")[1]
            assert ORDER.index(target) <= ORDER.index(here), f"{name(path)} imports {found.name}"
        if name(path) == LOCAL_MODELS:
            continue
        for place in (here, folder(path)):
            banned = FORBIDDEN.get(place, set())
            assert not {found.package, found.name.rpartition(".")[0] or found.name} & banned


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_neighbours_inside_a_stage_do_not_know_each_other(path: Path) -> None:
    """A folder of design/, evidence/ or findings/ imports its own files and earlier stages."""
    here = folder(path)
    stage = here.partition("/")[0]
    if "/" not in here or stage not in ("design", "evidence", "findings"):
        return
    for found in imports(path):
        parts = found.name.split(".")
        if parts[:2] == ["audit", stage] and (ROOT / stage / parts[2]).is_dir():
            there = f"{stage}/{parts[2]}"
            assert there == here or (here, there) in SIBLINGS, f"{name(path)}: {found.name}"


def graph() -> dict[str, set[str]]:
    """Module to the modules that it imports, lazily or not; a package means its __init__."""
    modules = {".".join(("audit", *p.relative_to(ROOT).with_suffix("").parts)): p for p in MODULES}
    modules = {n.removesuffix(".__init__"): p for n, p in modules.items()}
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        tree, names = ast.parse(path.read_text("utf-8")), {i.name for i in imports(path)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {f"{node.module}.{a.name}" for a in node.names}
        found[module] = {n for n in names if n in modules} - {module}
    return found


def test_no_module_imports_itself_through_others() -> None:
    """No cycles, including imports inside functions; a package may import its own files."""
    parents = {m: {n for n in to if not n.startswith(f"{m}.")} for m, to in graph().items()}
    tuple(TopologicalSorter(parents).static_order())


def test_private_names_stay_in_their_file() -> None:
    """`from x import _name` would import something that may change without notice."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("audit"):
                private = [a.name for a in node.names if a.name.startswith("_")]
                assert not private, f"{name(path)}: {private}"


SHELL = (
    "runs",
    "report/from_folder.py",
    "report/exports",
    "view",
    "cli",
    "api.py",
    "store.py",
)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_few_know_a_run_or_its_folder(path: Path) -> None:
    """The core takes values; only the shell takes a `Run` or a `RunFolder`."""
    names = {n.id for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Name)}
    if names & {"RunFolder", "Run"}:
        assert name(path).startswith(SHELL)


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) == "stats"], ids=name)
def test_statistics_need_numpy_scipy_and_statsmodels_alone(path: Path) -> None:
    """No torch, no pandas, no files: only arithmetic is imported and nothing is opened."""
    assert {i.package for i in imports(path)} <= STATS_ALONE
    names = {n.id for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Name)}
    assert not names & {"open", "print", "input"}


def test_only_the_engine_and_the_world_import_diffusers() -> None:
    """Pipelines belong to engine/ and to the world, which trains and ships them."""
    assert {room(p) for p in MODULES for i in imports(p) if i.package == "diffusers"} == {
        "engine", "world",
    }  # fmt: skip


def test_the_world_is_imported_late_and_by_few() -> None:
    """The registry names it; only runs and the command line import it, inside functions."""
    found = [
        (room(p), i.top)
        for p in MODULES
        for i in imports(p)
        if i.name.startswith("audit.world") and room(p) != "world"
    ]
    assert {r for r, _ in found} <= {"cli", "registry", "runs"}
    assert not any(top for _, top in found)


def test_only_the_registry_imports_by_name() -> None:
    """Computed imports are invisible to these tests, so all are in one literal table."""
    assert {name(p) for p in MODULES for i in imports(p) if i.name == "?"} <= {"registry.py"}


LIGHT = (
    "audit.errors", "audit.cli", "audit.runs.opt", "audit.runs.given", "audit.runs.options",
    "audit.engine.choices", "audit.evidence.copies.chooser", "audit.evidence.copies.rule",
    "audit.keys",
)  # fmt: skip
"""The package's modules that help and usage errors import."""
COMMANDS = [p.relative_to(ROOT).as_posix() for p in sorted(ROOT.glob("cli/*.py"))]
HELP = ["__main__.py", "__init__.py", "errors.py",
        *(f"{n.removeprefix('audit.').replace('.', '/')}.py" for n in LIGHT[2:])]  # fmt: skip


@pytest.mark.parametrize("file", [*HELP, *COMMANDS])
def test_the_command_line_imports_nothing_heavy_at_the_top(file: str) -> None:
    """Help must be fast, and so must everything that it imports."""
    top = [i for i in imports(ROOT / file) if i.top]
    assert not {i.package for i in top} & HEAVY
    ours = {i.name for i in top if i.package == "audit"}
    assert all(n.startswith(LIGHT) for n in ours)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function, including nested ones and methods."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_and_functions_stay_short(path: Path) -> None:
    """No module over 400 lines, no function over 60, without exceptions."""
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LONGEST_MODULE
    for function, length in functions(path):
        assert length <= LONGEST_FUNCTION, function


MEANING = {"id", "quantity", "method", "family", "where"}
"""Attributes of a finding that are printed from its key, or written for readers."""
SEARCHES = {"split", "rsplit", "partition", "rpartition", "startswith", "endswith", "find", "rfind",
            "index", "rindex", "count", "removeprefix", "removesuffix", "replace", "match",
            "search", "fullmatch", "findall", "finditer", "sub", "fnmatch",
            "fnmatchcase"}  # fmt: skip
PARSER = "findings/gates.py"
"""The only file that parses ids and dotted names: those that users write into gates."""


def meaning(node: ast.AST) -> bool:
    """Whether an expression is one of these attributes, whole or sliced, or a name for it."""
    if isinstance(node, ast.Subscript):
        return meaning(node.value)
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "str":
        return any(map(meaning, node.args))
    if isinstance(node, ast.Name):
        return node.id in {"quantity", "family"}
    return isinstance(node, ast.Attribute) and node.attr in MEANING


def literal(node: ast.AST) -> bool:
    """Whether an expression is a literal text, or a collection of them."""
    if isinstance(node, ast.Tuple | ast.Set | ast.List):
        return any(map(literal, node.elts))
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def parsed(node: ast.AST) -> bool:
    """Whether an expression splits such an attribute, searches it, or compares it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        of = [node.func.value, *node.args]
        return node.func.attr in SEARCHES and any(map(meaning, of))
    if isinstance(node, ast.Match):
        return meaning(node.subject)
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    inside = [
        right
        for op, right in zip(node.ops, node.comparators, strict=True)
        if isinstance(op, ast.In | ast.NotIn)
    ]
    return any(map(meaning, inside)) or (any(map(meaning, sides)) and any(map(literal, sides)))


@pytest.mark.parametrize(
    ("source", "is_parsed"),
    [
        ('f.id.split("/")', True), ('"/all/" in f.id', True), ('f.id.startswith(prefix)', True),
        ('re.search("x", f.id)', True), ('f.method == "paired"', True), ('f.id[0] == "x"', True),
        ('"cosine" not in quantity', True), ('f.where in ("all", "none")', True),
        ('str(f.family).startswith("a")', True), ('f.key.kind == "share"', False),
        ("f.id in kept", False), ("f.id == g.id", False), ("np.where(a == 1, b, c)", False),
    ],
)  # fmt: skip
def test_the_reader_sees_what_is_parsed(source: str, is_parsed: bool) -> None:
    """Splitting, searching and comparing count; looking an id up does not."""
    assert any(map(parsed, ast.walk(ast.parse(source)))) == is_parsed


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if room(p) in ("findings", "report", "runs", "api", "cli", "store")],
    ids=name,
)
def test_what_a_finding_means_is_in_its_key(path: Path) -> None:
    """No id and no sentence is parsed: key, unit and `counted` carry the meaning.

    These are the rooms that use findings.
    """
    if name(path) == PARSER:
        return
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    assert not [f"{name(path)}:{n.lineno}" for n in nodes if parsed(n)]  # type: ignore[attr-defined]


TYPED = ("records.py", "design/", "findings/")
"""Files in which `Any` needs a reason: the shared types, the request and the claims."""
DIRECTIVE = re.compile(r"#\s*(type:|noqa|fmt:)")
"""The start of a comment that is for tools."""


def hints(tree: ast.AST) -> Iterator[ast.expr]:
    """All annotations of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from filter(None, [node.returns])
        elif isinstance(node, ast.arg):
            yield from filter(None, [node.annotation])
        elif isinstance(node, ast.AnnAssign):
            yield node.annotation


def anys(source: str) -> Iterator[int]:
    """Line numbers of every explicit `Any` other than its import, in texts of annotations too."""
    tree = ast.parse(source)
    names = {
        a.asname or a.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in ("typing", "typing_extensions")
        for a in node.names
        if a.name == "Any"
    }
    for node in ast.walk(tree):
        if (isinstance(node, ast.Name) and node.id in names) or (
            isinstance(node, ast.Attribute) and node.attr == "Any"
        ):
            yield node.lineno
    for hint in hints(tree):
        for node in ast.walk(hint):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from [node.lineno] * any(re.search(rf"\b{n}\b", node.value) for n in names)


def unexplained(source: str) -> list[int]:
    """Lines with an `Any` and no comment, on the same line or alone on the line above."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {
        t.start[0]: not t.line[: t.start[1]].strip()
        for t in tokens
        if t.type == tokenize.COMMENT and not DIRECTIVE.match(t.string)
    }
    return sorted({n for n in anys(source) if n not in comments and not comments.get(n - 1)})


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("x: Any = 1", [2]), ("x: Any = 1  # JSON has no types", []),
        ("# JSON has no types\nx: Any = 1", []), ("y = 1  # a reason\nx: Any = 1", [3]),
        ("x: Any = 1  # type: ignore[misc]", [2]), ("x: Any = 1  # noqa: E501", [2]),
        ("# fmt: off\nx: Any = 1", [3]), ('x: "list[Any]" = []', [2]),
        ("Row = dict[str, Any]", [2]), ("x = cast(Any, 1)", [2]), ("x: typing.Any = 1", [2]),
        ("def f(\n    x: int,\n    y: Any,\n) -> int: ...", [4]),
        ("def f(**more: Any) -> Any: ...", [2]), ("x = any([])", []), ('x = "Any"', []),
    ],
)  # fmt: skip
def test_the_reader_sees_any(line: str, lines: list[int]) -> None:
    """In annotations, aliases, calls and texts; a directive for a tool is not a reason."""
    assert unexplained(f"from typing import Any\n{line}\n") == lines
    renamed = line.replace("typing.Any", "Any").replace("Any", "Whatever")
    assert unexplained(f"from typing import Any as Whatever\n{renamed}\n") == lines


@pytest.mark.parametrize("path", [p for p in MODULES if name(p).startswith(TYPED)], ids=name)
def test_any_has_a_reason(path: Path) -> None:
    """A value of any type is a decision, explained where it is made; all others have a type."""
    assert unexplained(path.read_text("utf-8")) == []


def test_rooms_and_arrows_are_few() -> None:
    """A newcomer can remember the diagram: at most 20 rooms and 100 arrows between them."""
    arrows = {
        (room(path), target)
        for path in MODULES
        for found in imports(path)
        if found.package == "audit"
        and "." in found.name
        and (target := found.name.split(".")[1]) != room(path)
    }
    assert len({room(p) for p in MODULES}) <= 20
    assert len(arrows) <= 100
