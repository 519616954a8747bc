"""Options of a run: their rules are parsed once."""

from __future__ import annotations

import math

import pytest

from audit.errors import UserError
from audit.evidence.copies.rule import CopyRule
from audit.runs.given import DETECTORS, detectors, half_width
from audit.runs.options import Options


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("twin", CopyRule("twin")),
        ("conformal", CopyRule("conformal")),
        ("fixed:0.5", CopyRule("fixed", 0.5)),
        ("fixed:-1", CopyRule("fixed", -1.0)),
    ],
)
def test_rules_are_known(text: str, rule: CopyRule) -> None:
    """A rule and its threshold are read from the text."""
    found = CopyRule.parse(text)
    assert found.name == rule.name
    assert found.line == rule.line or (math.isnan(found.line) and math.isnan(rule.line))
    assert Options(copies=text).rule.name == rule.name


@pytest.mark.parametrize("text", ["", "twins", "fixed", "fixed:", "fixed:two", "fixed:1.5",
                                  f"fixed:{math.nan}", "twin:0.5"])  # fmt: skip
def test_other_rules_are_refused(text: str) -> None:
    """One sentence that lists the rules."""
    with pytest.raises(UserError, match="twin, conformal, or fixed"):
        CopyRule.parse(text)
    with pytest.raises(UserError, match="twin, conformal, or fixed"):
        Options(copies=text)


def test_names_of_detectors() -> None:
    """Repeats are dropped, `all` means every one, and a wrong name is answered with valid ones."""
    assert detectors(["whole-set", "magnitude", "magnitude"]) == ("magnitude", "whole-set")
    assert detectors(["all"]) == DETECTORS
    assert detectors([]) == ()
    with pytest.raises(UserError, match="magnitude"):
        detectors(["magnitud"])


@pytest.mark.parametrize("wrong", [0.7, 0.001, -1, math.nan, math.inf])
def test_wrong_half_widths_are_refused(wrong: float) -> None:
    """A half-width is from 0.005 to 0.49."""
    with pytest.raises(UserError, match="not a valid half-width"):
        half_width(wrong)
    assert half_width(0.05) == 0.05
