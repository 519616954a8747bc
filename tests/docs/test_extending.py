"""Pages on extending the package: every block of Python runs and prints what is shown."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from audit.design.mitigations.methods import METHODS
from audit.report import wording
from audit.report.page import environment
from audit.report.sections import SECTIONS
from tests.docs.blocks import DOCS, blocks, printed

MITIGATION, SECTION = (DOCS / "extending" / f"{n}.md" for n in ("mitigation", "section"))
PAGES = sorted({*(DOCS / "extending").glob("*.md")} - {MITIGATION, SECTION})


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_every_block_runs(path: Path) -> None:
    """In the order of the page, in one session."""
    names: dict[str, Any] = {"__name__": "example"}
    for block in blocks(path.read_text("utf-8")):
        if block.language != "python":
            continue
        out, place = io.StringIO(), f"{path.name}:{block.line}"
        with contextlib.redirect_stdout(out):
            exec(compile(block.body, place, "exec", dont_inherit=True), names)
        assert out.getvalue() == (block.says or ""), place


def follow(page: Path, place: Path) -> None:
    """Run the page's blocks in this folder, in one session; each prints what the page shows."""
    session: dict[str, Any] = {}
    for block in blocks(page.read_text("utf-8")):
        got = printed(block, place, session, page.name)
        lines = [line.rstrip() for line in got.rstrip().splitlines()]
        assert lines == (block.says or "").splitlines(), f"line {block.line} prints:\n{got}"


@pytest.mark.slow
def test_a_mitigation_is_a_module_and_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up ones, a rewriter and one in the engine, work as the page says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        follow(MITIGATION, tmp_path)
    finally:
        for name in ("season", "soften"):
            METHODS.pop(name, None)
            sys.modules.pop(name, None)


@pytest.mark.slow
def test_a_section_is_a_row_a_template_and_its_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A made-up one is in the report of a run, and nothing else had to know about it."""
    monkeypatch.chdir(tmp_path)
    loader: Any = environment().loader
    monkeypatch.setattr(loader, "searchpath", [*loader.searchpath])
    tables: tuple[Any, ...] = (SECTIONS, wording.TEXTS)
    before = [dict(table) for table in tables]
    try:
        follow(SECTION, tmp_path)
    finally:
        for kept, table in zip(before, tables, strict=True):
            for name in set(table) - set(kept):
                del table[name]
