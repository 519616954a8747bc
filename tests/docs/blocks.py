"""Fenced blocks of a Markdown page, in order, each with what the page says it prints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

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


_READ = r"(?<![\w-])(label|uncertain|woman|man|None|compatible|above|below|undecided|equivalent|"
_READ += r"pass|fail|kept|lost|met|no person)(?![\w-])"


def masked(text: str) -> str:
    """The text with what drawing decides taken out: hashes, numbers, readings and verdicts."""
    text = re.sub(r"-[0-9a-f]{8}(?=/)", "-#", text)
    text = re.sub(r"[-+]?(\d+(\.\d+)?|NaN|nan|inf)", "#", text)
    return " ".join(re.sub(_READ, "?", text).split())
