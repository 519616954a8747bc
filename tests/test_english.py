"""Plain English: phrases that native readers stumble over are not used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OUTSIDE = ("audit/world/assets", "docs/reference", "tests/test_english.py")
"""Not checked: third-party art, generated pages, and this list of phrases."""
PROSE = {"audit": (".py", ".md", ".toml", ".j2", ".js"), "docs": (".py", ".md"),
         "tests": (".py",)}  # fmt: skip
"""Suffixes of the files with prose, by folder."""
GAP = r'(?:\s|\\\n|\n\s*#|"\s*\n\s*[fr]?")++'
"""Between two words: space, a continued line, a new comment line, or another string literal."""
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
    r"\bh[au]ngs? (?:on|together)\b": "depends on, is correlated",
    r"\bin silence\b": "silently",
    r"\bchance (?:does|gives)\b": "how near images are by chance",
    r"\bstands? (?:beside|there|here|around|side by side|in (?:the|no)|on the)\b": "`is`",
    r"\bbeside (?:the|it|them|each|its|their|those|that|what|this)\b": "next to, in addition to",
    r"(?<!there\s)\b(?:is|are) no (?!longer|nearer|further|more|less|larger|wider|better)": (
        "`is not`, or `there is no`"
    ),
    r"\bnobody (?:asked|could|looked)\b": "`unrequested`, `could not be`, or name the role",
}
"""Regular expressions of phrases to avoid, with replacements; a space matches GAP."""
KEPT = {
    "audit/design/language_model/questions.py": r"whoever is shown may be of any",
    "audit/design/mitigations/gate_text.py": r'"somebody"',
    "audit/design/mitigations/person_nouns.py": r'"somebody"',
    "audit/design/mitigations/people_words.py": r"solicitor somebody",
    "audit/design/mitigations/phrases.py": r'"somebody"',
    "audit/report/templates/de.toml": r"draw people of the past as somebody else",
    "benchmarks/rewriting.py": r'"somebody"',
    "audit/world/tokens.py": r"someone somebody nobody",
    "audit/world/train/classifier.py": r'"somebody"',
    "tests/runs/test_comparing.py": r'"somebody"',
}
"""Data that must not change: a question that is hashed, word lists, classes, a text of a gate."""


def files() -> list[str]:
    """Files with prose, of the package, its documentation and its tests, by path."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder, suffixes in PROSE.items():
        found += [p for p in (ROOT / folder).rglob("*") if p.suffix in suffixes]
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
    hits = [f"{name}:{line}" for name in files() for line in places(phrase, name)]
    assert not hits, f"Write {PHRASES[phrase]} in place of /{phrase}/:\n" + "\n".join(hits)


@pytest.mark.parametrize("name", KEPT)
def test_data_is_kept_only_where_it_has_to_be(name: str) -> None:
    """Without its exception, each of these files would fail."""
    whole = (ROOT / name).read_text("utf-8")
    assert any(re.search(phrase, whole, re.IGNORECASE) for phrase in PHRASES)
    assert re.search(KEPT[name], whole)
