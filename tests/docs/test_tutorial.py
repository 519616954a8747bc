"""The tutorial does what it says: every block runs, in one folder, and prints what stands there."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import DOCS, Block, blocks, masked

ROOT = Path(__file__).parents[2]
PAGE = DOCS / "tutorial.md"
BLOCKS = blocks(PAGE.read_text("utf-8"))


def shell(place: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run a shell block with this checkout's `t2i-audit` in front of any other."""
    bin_ = place.parent / f"{place.name}-bin"
    bin_.mkdir(exist_ok=True)
    command = bin_ / "t2i-audit"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m audit "$@"\n')
    command.chmod(0o755)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{bin_}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", body],
        cwd=place, env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def printed(block: Block, place: Path, session: dict[str, Any]) -> str:
    """What a block prints; fails the test where it does not run."""
    if block.language == "sh":
        done = shell(place, block.body)
        assert done.returncode == 0, f"{PAGE.name}, line {block.line}: {done.stderr}"
        return done.stdout
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = "\n" * block.line + block.body
        exec(compile(code, str(PAGE), "exec"), session)
    return out.getvalue()


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
        got = printed(block, tmp_path, session)
        where = f"{PAGE.name}, line {block.line}"
        if block.says is None:
            assert got == "", f"{where} prints {got!r}, and the page shows nothing"
        elif block.drawn:
            assert masked(got) == masked(block.says), f"{where} prints:\n{got}"
        else:
            lines = [line.rstrip() for line in got.rstrip().splitlines()]
            assert lines == block.says.splitlines(), f"{where} prints:\n{got}"
