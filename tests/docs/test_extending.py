"""Pages on extending the package: every block of Python runs and prints what is shown."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from audit.design.mitigations.methods import METHODS
from tests.docs.blocks import DOCS, blocks, printed

MITIGATION = DOCS / "extending" / "mitigation.md"
PAGES = sorted(p for p in (DOCS / "extending").glob("*.md") if p != MITIGATION)


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


@pytest.mark.slow
def test_a_mitigation_is_a_module_and_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up ones, a rewriter and one in the engine, work as the page says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    session: dict[str, Any] = {}
    try:
        for block in blocks(MITIGATION.read_text("utf-8")):
            got = printed(block, tmp_path, session, MITIGATION.name)
            lines = [line.rstrip() for line in got.rstrip().splitlines()]
            assert lines == (block.says or "").splitlines(), f"line {block.line} prints:\n{got}"
    finally:
        for name in ("season", "soften"):
            METHODS.pop(name, None)
            sys.modules.pop(name, None)
