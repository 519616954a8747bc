"""The plan of the house, read from the imports: data flows left to right, rooms stay apart."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "audit"
MODULES = sorted(p for p in ROOT.rglob("*.py") if "_prompts" not in p.parts)
SHARED = {"records", "errors", "pixels"}
MAY_IMPORT: dict[str, set[str]] = {
    "stats": {"stats"},
    "errors": set(),
    "records": {"errors"},
    "pixels": {"errors"},
    "generate": SHARED | {"generate"},
    "encode": SHARED | {"encode", "registry"},
    "attributes": SHARED | {"attributes"},
    "replication": SHARED | {"replication", "sidecars", "store"},
    "mitigate": SHARED | {"mitigate"},
    "asking": SHARED | {"asking", "mitigate", "generate"},
    "findings": SHARED | {"findings", "stats", "suites"},
    "report": SHARED | {"report", "findings", "store"},
    "imported": SHARED | {"imported", "sidecars"},
    "labelling": SHARED | {"labelling"},
    "view": SHARED | {"view", "store", "labelling", "report", "imported", "runs"},
    "exporting": SHARED | {"exporting", "report", "store"},
    "sidecars": {"errors"},
    "store": SHARED,
    "suites": SHARED | {"suites", "mitigate"},
    "registry": SHARED,
}
"""Rooms of the package that a room may import; the line, the command line and the world may all.

`asking` takes from `generate` the hash of a model's folder, and from `mitigate` the gate."""
EVERYWHERE = {"__init__", "__main__", "api", "cli", "commands", "runs", "world"}
HEAVY = {"torch", "diffusers", "open_clip", "faiss", "transformers", "pandas", "numpy", "sklearn",
         "seaborn", "matplotlib", "jinja2", "pydantic", "scipy", "statsmodels"}  # fmt: skip
MODELS = {"torch", "torchvision", "diffusers", "open_clip", "faiss", "transformers"}
FORBIDDEN = {
    "report": MODELS,
    "view": MODELS,
    "findings": MODELS | {"matplotlib"},
    "suites": MODELS,
    "mitigate": MODELS,
    "attributes": MODELS,
    "replication": MODELS - {"faiss"},
    "encode": {"diffusers", "faiss"},
    "asking": {"diffusers", "faiss", "open_clip"},
}
STATS_ALONE = {"__future__", "collections", "dataclasses", "functools", "itertools", "math",
               "typing", "numpy", "scipy", "statsmodels", "audit"}  # fmt: skip
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60
LONGER = {"run": 127, "fit": 70}
"""What has outgrown the limits, each with its own: a command is as long as its options are
many; the rest is to be taken apart, and never to be added to."""


@dataclass(frozen=True)
class Import:
    """One imported module by its full name; whether it is imported as soon as the file is."""

    name: str
    top: bool

    @property
    def package(self) -> str:
        """The part before the first dot."""
        return self.name.split(".")[0]


def read(source: str, package: str) -> Iterator[Import]:
    """All imports of a module inside `package`: relative, lazy, conditional and by name.

    Those for the type checker alone are no part of what runs when the file is imported.
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
    """The first part of a module's place under audit/."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    """A module's place under audit/, for test names and messages."""
    return path.relative_to(ROOT).as_posix()


def test_the_reader_sees_every_way_to_import() -> None:
    """Relative, renamed, lazy, conditional and dynamic imports all count."""
    source = """
import torch.nn as nn
from . import page
from .charts import bar
from .. import store
from ..stats.floors import kl
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


def test_every_room_has_a_rule() -> None:
    """A new file or folder under audit/ must be given its place in the plan."""
    assert MODULES
    assert {room(p) for p in MODULES} == MAY_IMPORT.keys() | EVERYWHERE


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in MAY_IMPORT], ids=name)
def test_rooms_import_only_what_lies_to_their_left(path: Path) -> None:
    """A room imports itself and the rooms it is allowed: not its neighbours, not the world."""
    here = room(path)
    for found in imports(path):
        if found.package == "audit":
            target = found.name.split(".")[1]
            assert target in MAY_IMPORT[here], f"{name(path)} imports {found.name}"
        assert found.package not in FORBIDDEN.get(here, set()), f"{name(path)}: {found.name}"


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) == "stats"], ids=name)
def test_statistics_need_numpy_scipy_and_statsmodels_alone(path: Path) -> None:
    """No torch, no pandas, no files: nothing but arithmetic is imported, nothing is opened."""
    assert {i.package for i in imports(path)} <= STATS_ALONE
    names = {n.id for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Name)}
    assert not names & {"open", "print", "input"}


def test_only_the_engine_and_the_world_import_diffusers() -> None:
    """Pipelines belong to generate/ and to the world, which trains and ships them."""
    assert {room(p) for p in MODULES for i in imports(p) if i.package == "diffusers"} == {
        "generate", "world",
    }  # fmt: skip


def test_the_world_is_imported_late_and_by_few() -> None:
    """The registry names it; only the line and the command line reach it, inside functions."""
    found = [
        (room(p), i.top)
        for p in MODULES
        for i in imports(p)
        if i.name.startswith("audit.world") and room(p) != "world"
    ]
    assert {r for r, _ in found} <= {"commands", "registry", "runs"}
    assert not any(top for _, top in found)


def test_only_the_registry_imports_by_name() -> None:
    """An import that is computed hides from these tests, so one literal table owns them all."""
    assert {name(p) for p in MODULES for i in imports(p) if i.name == "?"} <= {"registry.py"}


COMMANDS = [p.relative_to(ROOT).as_posix() for p in sorted(ROOT.glob("commands/*.py"))]


@pytest.mark.parametrize("file", ["cli.py", "errors.py", "__main__.py", "__init__.py", *COMMANDS])
def test_the_command_line_imports_nothing_heavy_at_the_top(file: str) -> None:
    """Help must answer at once, and so must everything that help imports."""
    top = [i for i in imports(ROOT / file) if i.top]
    assert not {i.package for i in top} & HEAVY
    ours = {i.name for i in top if i.package == "audit"}
    assert all(n.startswith(("audit.errors", "audit.cli", "audit.commands")) for n in ours)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function, nested ones and methods included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_and_functions_stay_short(path: Path) -> None:
    """No module over 400 lines, no function over 60, but for those that are named as longer."""
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LONGER.get(name(path), LONGEST_MODULE)
    for function, length in functions(path):
        assert length <= LONGER.get(function, LONGEST_FUNCTION), function
