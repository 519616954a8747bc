"""The README: short, its picture there, its Python a real call, its commands real ones."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import audit
from audit import api
from audit.runs import planning
from audit.runs.opt import named
from audit.runs.options import Options
from tests.builders.runs import Plan, write
from tests.docs.blocks import DOCS, blocks

TEXT = (DOCS.parent / "README.md").read_text("utf-8")


def test_it_is_read_in_five_minutes() -> None:
    """At 230 words a minute."""
    assert len(TEXT.split()) < 5 * 230


def test_the_picture_is_there_and_light() -> None:
    """Before the first section, with words for those who do not see it, under 250 kilobytes."""
    found = re.search(r"!\[([^\]]{60,})\]\((docs/[\w.]+)\)", TEXT)
    assert found
    assert found.end() < TEXT.index("\n## ")
    path = DOCS.parent / found[2]
    assert path.stat().st_size < 250_000
    with Image.open(path) as picture:
        assert picture.width >= 1000


def test_its_python_is_a_real_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is planned as written, and a stored one stands in for what takes a minute to draw."""
    (block,) = [b for b in blocks(TEXT) if b.language == "python"]
    folder = write(tmp_path / "run", Plan())
    asked = []

    def run(suite: str, **given: Any) -> audit.Result:
        quick = bool(given.pop("quick", False))
        asked.append((planning.asked(suite, quick=quick).name, named(Options, given)))
        return audit.open(folder)

    monkeypatch.setattr(api, "run", run)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block.body, "README.md", "exec"), {})
    assert asked == [("world", {})]
    assert "representation.nurse.gender.share.woman" in out.getvalue()
    assert out.getvalue().split()[-1] in ("pass", "fail", "undecided")
