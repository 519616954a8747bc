"""Words and numbers of the page: sensible digits, units kept, untrusted text on one line."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.keys import VERDICTS, Key, Unit
from audit.records import Finding
from audit.report import page, wording
from audit.report.verdicts import TONES

SHARE = Finding(
    key=Key("representation", "none", "cook", "gender", "share", "woman"), where="cook",
    quantity="share of women", unit="share", counted="images", estimate=0.1, low=0.04, high=0.22,
    n=40, n_effective=38.0, missing=2,
    method="Wilson", references={"uniform": 0.5, "planted": 0.2}, q=0.01, verdict="below",
    family="gender against planted, none", against="planted",
)  # fmt: skip


@pytest.mark.parametrize(
    ("finding", "estimate", "span"),
    [
        (SHARE, "10 %", "[4 %, 22 %]"),
        (replace(SHARE, estimate=math.nan, low=math.nan), "not known", "\u2013"),
        (replace(SHARE, unit="points", low=-0.02), "+10", "[\u22122, +22]"),
        (replace(SHARE, unit="cosine", estimate=-0.0123), "\u22120.012",
         "[+0.040, +0.220]"),
        (replace(SHARE, unit="distance", estimate=0.066), "7", "[4, 22]"),
        (replace(SHARE, unit="count", estimate=1234.0, low=1000.0, high=2000.0), "1 234",
         "[1 000, 2 000]"),
    ],
)  # fmt: skip
def test_a_finding_is_set_in_its_own_unit(finding: Finding, estimate: str, span: str) -> None:
    """Shares in percent, changes signed in points, cosines plain, counts whole."""
    spaces = str.maketrans("\u00a0\u202f", "  ")
    assert wording.estimate(finding).translate(spaces) == estimate
    assert wording.span(finding).translate(spaces) == span


def test_verdicts_name_their_reference() -> None:
    """The reference is the family's, not the first of a mapping; what q undoes is open."""
    assert wording.verdict(SHARE) == "Lower (built-in shares: 20\u00a0%)"
    assert wording.verdict(replace(SHARE, q=0.2)) == "Cannot tell (q = 0.20)"
    assert wording.short_verdict(replace(SHARE, q=0.2)) == "Cannot tell"


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("unit", get_args(Unit))
def test_every_verdict_has_words(verdict: str, unit: Unit) -> None:
    """No verdict of the records is without a phrase in any unit."""
    words = wording.verdict(replace(SHARE, unit=unit, verdict=verdict))
    assert len(words) > 3
    assert "{" not in words


def test_verdict_words_are_at_most_twelve_and_each_is_defined() -> None:
    """Words, signs and definitions are distinct, and colours are those of the sheet."""
    shown = list(wording.VERDICTS.values())
    assert 0 < len(shown) <= 12
    for part in ("word", "sign", "means"):
        assert len({getattr(v, part) for v in shown}) == len(shown)
    assert {v.tone for v in shown} <= set(TONES)


@pytest.mark.parametrize("unit", get_args(Unit))
@pytest.mark.parametrize("kind", ["share", "rate", "gap", "verdict", "why", "cost"])
def test_verdicts_of_findings_are_words_of_the_list(unit: Unit, kind: str) -> None:
    """Whatever its kind and unit, a finding's verdict is one of the list, but for descriptions."""
    for verdict in VERDICTS:
        f = replace(SHARE, unit=unit, verdict=verdict, key=SHARE.key._replace(kind=kind))
        assert (wording.verdict_of(f) is None) == (verdict == "described")
    correlation = replace(SHARE, unit="coefficient", verdict="found",
                          key=SHARE.key._replace(kind="why"))  # fmt: skip
    assert wording.short_verdict(correlation) == "Different"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "none"), (0.003, "fewer than 1 in 100"), (0.04, "4 in 100"), (0.31, "3 in 10"),
     (0.97, "97 in 100"), (0.999, "more than 99 in 100"), (1.0, "all"), (math.nan, "not known")],
)  # fmt: skip
def test_a_share_is_said_as_a_person_says_it(share: float, words: str) -> None:
    """Tenths in the middle, hundredths near the ends, and words at them."""
    assert wording.tens(share) == words


def test_an_interval_is_said_in_tenths() -> None:
    """The unit is said once where all three are tenths."""
    f = replace(SHARE, estimate=0.31, low=0.2, high=0.5)
    assert wording.about(f) == "3 in 10 (between 2 and 5)"
    assert wording.about(replace(f, low=0.0)) == "3 in 10 (between none and 5)"


@given(st.tuples(*[st.floats(0, 1)] * 3).map(sorted))
def test_no_interval_lies_between_a_number_and_itself(three: list[float]) -> None:
    """Limits that round to the same tenth are said in hundredths, or not at all."""
    low, estimate, high = three
    words = wording.about(replace(SHARE, estimate=estimate, low=low, high=high))
    assert not re.search(r"between (.+) and \1\)", words)
    f = replace(SHARE, estimate=0.7, low=0.66, high=0.74)
    assert wording.about(f) == "70 in 100 (between 66 and 74)"


def test_every_text_of_the_templates_exists_and_is_used() -> None:
    """Names in the templates and the code are those of TEXTS, and no text is idle."""
    folder = page.TEMPLATES.parent
    sources = [*page.TEMPLATES.glob("*.j2"), *folder.glob("*.py")]
    body = "\n".join(p.read_text("utf-8") for p in sources)
    asked = set(re.findall(r'(?<![\w.])(?:t|text|wording\.text)\(\s*"([^"]+)"', body))
    begun = {a for a in asked if a.endswith(".")} | {"script."}  # and a verdict, kind or name
    assert asked - begun <= set(wording.TEXTS)
    assert all(any(k.startswith(b) for k in wording.TEXTS) for b in begun)
    idle = {k for k in wording.TEXTS if f'"{k}"' not in body and not k.startswith(tuple(begun))}
    assert idle == set()


def test_sources_of_the_methods_are_named() -> None:
    """The papers that the page rests on are listed, without addresses."""
    listed = "\n".join(wording.CITATIONS)
    for paper in ("Wilson", "Rogan", "Lang", "Benjamini", "Barber", "Somepalli", "Carlini",
                  "Luccioni", "Rombach"):  # fmt: skip
        assert paper in listed
    assert "://" not in listed


@given(st.text(max_size=300), st.integers(2, 80))
def test_clipped_text_is_one_short_line(text: str, length: int) -> None:
    """Whatever comes, the result is short, on one line, and can be written."""
    made = wording.clip(text, length)
    assert len(made) <= length
    assert not re.search(r"[\r\n\t\x00\u202e]", made)
    made.encode()


def test_short_text_is_left_alone_and_long_text_ends_in_an_ellipsis() -> None:
    """Only what is cut is marked."""
    assert wording.clip("a  b\nc") == "a b c"
    assert wording.clip("x" * 30_000, 10) == "x" * 9 + "\N{HORIZONTAL ELLIPSIS}"


def test_tying_keeps_numbers_together() -> None:
    """Units and intervals do not break over lines, hyphens in words stay hyphens."""
    tied = wording.tie("x-ray -3 [-5, +1] points, 9 % [4 %, 22 %], n = 60")
    assert tied == (
        "x-ray \u22123 [\u22125,\u00a0+1] points, 9\u00a0% [4\u00a0%,\u00a022\u00a0%], "
        "n\u00a0=\u00a060"
    )
