"""Pages on extending the package: every block of Python runs and prints what is shown."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import DOCS, blocks

PAGES = sorted((DOCS / "extending").glob("*.md"))


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
