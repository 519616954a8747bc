"""The tutorial does what it says: every block runs, in one folder, and prints what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import DOCS, blocks, masked, printed

PAGE = DOCS / "tutorial.md"
BLOCKS = blocks(PAGE.read_text("utf-8"))


def test_what_is_masked_is_what_drawing_decides() -> None:
    """Numbers, hashes, readings and verdicts go; every other word stays."""
    text = "reports/jobs-embedded-0a1b2c3d/report.html  share -0.5  [1, NaN] compatible no-person"
    assert masked(text) == "reports/jobs-embedded-#/report.html share # [#, #] ? no-person"


def test_the_page_has_both_languages_and_says_what_they_print() -> None:
    """A parser that sees nothing would pass everything."""
    assert [b.language for b in BLOCKS].count("python") >= 8
    assert [b.language for b in BLOCKS].count("sh") >= 6
    assert sum(b.says is not None for b in BLOCKS) >= 12
    assert {b.language for b in BLOCKS} == {"python", "sh"}


@pytest.mark.nightly
def test_every_block_runs_and_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder, in the page's order; drawn numbers may differ, words may not."""
    monkeypatch.chdir(tmp_path)
    session: dict[str, Any] = {}
    for block in BLOCKS:
        got = printed(block, tmp_path, session, PAGE.name)
        where = f"{PAGE.name}, line {block.line}"
        if block.says is None:
            assert got == "", f"{where} prints {got!r}, and the page shows nothing"
        elif block.drawn:
            assert masked(got) == masked(block.says), f"{where} prints:\n{got}"
        else:
            lines = [line.rstrip() for line in got.rstrip().splitlines()]
            assert lines == block.says.splitlines(), f"{where} prints:\n{got}"
