"""Plain English: phrases that native readers stumble over are not used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OUTSIDE = ("audit/report/templates", "audit/world/assets", "docs/reference")
"""Folders that are not checked: report templates, third-party art, and generated pages."""
GAP = r'(?:\s|\n\s*#|"\s*\n\s*[fr]?")+'
"""Between two words: space, a new comment line, or the end of a string literal."""
PHRASES: dict[str, str] = {
    "for what is none": "for anything else",
    r"(?<!there\s)\bis none\b": "`is not`, `there is no`, or `is missing`",
    r"(?<!there\s)\bare none\b": "`are not`, `there are no`, or `are missing`",
    r"\bcan(?:not)? be had\b": "`is (not) available`, or `could not be downloaded`",
    r"\bnobody (?:has|knows)\b": "`unknown`, or name who would have to",
    r"\bwhoever\b": "name the role: the user, a reader, the model's author",
    r"\bsomebody\b": "name the role: the user, a person, others",
    ", so that ": "`so`, a full stop, or `because` the other way round",
    r"\banew\b": "again",
    r"\bstrangers?'": "untrusted, or user-supplied",
    r"\bfor ever\b": "forever",
    r"\bby heart\b": "memorized",
    "called a copy": "flagged as a copy",
    "calls copies": "flags copies",
    r"\bhangs? on\b": "depends on",
    r"\bin silence\b": "silently",
}
"""Regular expressions of phrases to avoid, with replacements; a space matches GAP."""
KEPT = {
    "audit/design/language_model/questions.py": r"whoever is shown may be of any",
    "audit/design/mitigations/gate_text.py": r'"somebody"',
    "audit/engine/levels.py": r", so that its noise is known without the model",
    "audit/evidence/copies/chooser.py": r", so that each search reads from disk",
    "audit/world/tokens.py": r"someone somebody nobody",
    "audit/world/train/classifier.py": r'"somebody"',
}
"""Data that must not change: a question that is hashed, a word list, a reason in a table."""
WAITING: tuple[str, ...] = (
    "audit/findings/costs.py",
    "audit/findings/pairs.py",
    "audit/findings/templates.py",
)
"""Files that still have to be rewritten. Remove a file once it passes; never add one."""


def files() -> list[str]:
    """Python and Markdown of the package and its documentation, by path."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in ("audit", "docs"):
        found += [p for p in (ROOT / folder).rglob("*") if p.suffix in (".py", ".md")]
    names = sorted(p.relative_to(ROOT).as_posix() for p in found)
    return [n for n in names if not n.startswith(OUTSIDE)]


@cache
def text(name: str) -> str:
    """A file without the data that it may keep."""
    whole = (ROOT / name).read_text("utf-8")
    return re.sub(KEPT[name], "", whole) if name in KEPT else whole


def places(phrase: str, name: str) -> Iterator[int]:
    """Lines of a file where a phrase begins; capitals count for `none`, because of `None`."""
    flags = re.NOFLAG if "none" in phrase else re.IGNORECASE
    for match in re.finditer(phrase.strip().replace(" ", GAP), text(name), flags):
        yield text(name).count("\n", 0, match.start()) + 1


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_file_says(phrase: str) -> None:
    """Each place is named with its line, and with what to write instead."""
    hits = [f"{name}:{line}" for name in files() if name not in WAITING
            for line in places(phrase, name)]  # fmt: skip
    assert not hits, f"Write {PHRASES[phrase]} in place of /{phrase}/:\n" + "\n".join(hits)


def test_a_file_waits_only_while_it_has_to() -> None:
    """Files that pass, or are gone, leave WAITING."""
    there = set(files())
    done = [name for name in WAITING
            if name not in there or not any(any(places(p, name)) for p in PHRASES)]  # fmt: skip
    assert not done, "Take these out of WAITING:\n" + "\n".join(done)
