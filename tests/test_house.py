"""The plan of the house, read from the imports: data flows left to right, rooms stay apart."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "audit"
MODULES = sorted(p for p in ROOT.rglob("*.py") if "_prompts" not in p.parts)
SHARED = {"records", "errors", "pixels"}
MAY_IMPORT: dict[str, set[str]] = {
    "stats": {"stats"},
    "generate": {"generate"},
    "encode": {"encode"},
    "attributes": {"attributes"},
    "replication": {"replication"},
    "mitigate": {"mitigate"},
    "findings": {"findings", "stats"},
    "report": {"report", "findings"},
    "store": set(),
    "suites": {"mitigate"},
    "registry": set(),
}
HEAVY = {"torch", "diffusers", "open_clip", "faiss", "transformers", "pandas", "numpy", "sklearn",
         "seaborn", "matplotlib", "jinja2", "pydantic", "scipy", "statsmodels"}  # fmt: skip
FORBIDDEN = {
    "stats": {"torch", "pandas", "diffusers", "faiss", "open_clip", "matplotlib"},
    "report": {"torch", "diffusers", "faiss", "open_clip", "transformers"},
    "findings": {"torch", "diffusers", "faiss", "open_clip", "matplotlib"},
    "suites": {"torch", "diffusers", "open_clip", "faiss"},
    "mitigate": {"torch", "diffusers", "open_clip", "faiss"},
    "attributes": {"torch", "diffusers", "open_clip", "faiss"},
    "replication": {"torch", "diffusers", "open_clip"},
    "encode": {"diffusers", "faiss"},
}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Names of imported modules, and whether the import stands at the top of the file."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            yield from ((a.name, top) for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "audit":
                yield from ((f"audit.{a.name}", top) for a in node.names)
            else:
                yield node.module, top


def room(path: Path) -> str:
    """The first part of a module's place under audit/."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_rooms_import_only_what_lies_to_their_left(path: Path) -> None:
    """A room imports the shared types, itself, and the rooms it is allowed."""
    here = room(path)
    if here not in MAY_IMPORT:
        pytest.skip("this module may look everywhere: line, command line, world")
    for name, _ in imports(path):
        if name.startswith("audit."):
            target = name.split(".")[1]
            assert target in SHARED | MAY_IMPORT[here], f"{here} imports {target}"
        assert name.split(".")[0] not in FORBIDDEN.get(here, set()), f"{here} imports {name}"


def test_only_the_engine_and_the_world_import_diffusers() -> None:
    """Pipelines belong to generate/ and, for training, to world/."""
    rooms = {room(p) for p in MODULES for n, _ in imports(p) if n.split(".")[0] == "diffusers"}
    assert rooms == {"generate", "world"}


def test_the_command_line_imports_nothing_heavy_at_the_top() -> None:
    """Help must answer at once, and so must everything that help imports."""
    for name in ("cli.py", "errors.py", "__main__.py", "__init__.py"):
        top = {n.split(".")[0] for n, at_top in imports(ROOT / name) if at_top}
        assert not top & HEAVY, name
        assert not {
            n for n, at_top in imports(ROOT / name) if at_top and n.startswith("audit.")
        } - {
            "audit.errors",
            "audit.cli",
        }


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_modules_and_functions_stay_short(path: Path) -> None:
    """No module over 450 lines, no function over 70."""
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 450
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno:
            assert node.end_lineno - node.lineno < 70, node.name
