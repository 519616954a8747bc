"""Fenced blocks of a Markdown page, in order: what the page says they print, and what they do."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = Path(__file__).parents[2] / "docs"
_FENCE = re.compile(
    r"^```(?P<language>\w+)\n(?P<body>.*?)^```$"
    r"(?:\n(?P<drawn><!-- drawn -->\n)?```text\n(?P<said>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One block of code."""

    language: str
    body: str
    line: int
    says: str | None
    """What the page shows as its output, or None where it shows none."""
    drawn: bool
    """Whether the output rests on drawn images, whose last digits another machine may not share."""


def blocks(text: str) -> list[Block]:
    """All fenced blocks but the outputs."""
    return [
        Block(m["language"], m["body"], text.count("\n", 0, m.start()) + 1, m["said"],
              bool(m["drawn"]))
        for m in _FENCE.finditer(text)
    ]  # fmt: skip


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


def printed(block: Block, place: Path, session: dict[str, Any], page: str) -> str:
    """What a block prints; fails the test where it does not run."""
    if block.language == "sh":
        done = shell(place, block.body)
        assert done.returncode == 0, f"{page}, line {block.line}: {done.stderr}"
        return done.stdout
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = "\n" * block.line + block.body
        exec(compile(code, page, "exec"), session)
    return out.getvalue()


_READ = r"(?<![\w-])(label|uncertain|woman|man|None|compatible|above|below|undecided|equivalent|"
_READ += r"pass|fail|kept|lost|met|no person)(?![\w-])"


def masked(text: str) -> str:
    """The text with what drawing decides taken out: hashes, numbers, readings and verdicts."""
    text = re.sub(r"-[0-9a-f]{8}(?=/)", "-#", text)
    text = re.sub(r"[-+]?(\d+(\.\d+)?|NaN|nan|inf)", "#", text)
    return " ".join(re.sub(_READ, "?", text).split())
