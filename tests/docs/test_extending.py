"""Pages on extending the program: every block runs, and prints what the page says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from audit.design.mitigations.methods import METHODS
from tests.docs.blocks import DOCS, blocks, printed

PAGE = DOCS / "extending" / "mitigation.md"


def test_a_mitigation_is_a_module_and_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A made-up one is previewed and planned, from outside and from the table, as the page says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    session: dict[str, Any] = {}
    try:
        for block in blocks(PAGE.read_text("utf-8")):
            got = printed(block, tmp_path, session, PAGE.name)
            lines = [line.rstrip() for line in got.rstrip().splitlines()]
            assert lines == (block.says or "").splitlines(), f"line {block.line} prints:\n{got}"
    finally:
        METHODS.pop("season", None)
        sys.modules.pop("season", None)
    assert "season" not in METHODS
