"""Shares at published error rates: a closed form, and one sentence."""

from __future__ import annotations

import pandas as pd
import pytest

from audit.findings.sensitivity import Published, at_rate, line

RATES = Published(0.02, 0.04, "a source")


@pytest.mark.parametrize("true", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.3])
def test_it_undoes_errors_of_that_size(true: float, rate: float) -> None:
    """Reading at a rate and going back is the identity."""
    assert at_rate(true * (1 - rate) + (1 - true) * rate, rate) == pytest.approx(true)


def test_a_share_stays_a_share() -> None:
    """Fewer than errors alone would give means 0."""
    assert (at_rate(0.01, 0.1), at_rate(0.99, 0.1)) == (0.0, 1.0)


def test_the_sentence_has_both_ends_and_the_largest_move() -> None:
    """30 of 100 read as women: 29 and 28 %; three in four move by 2.2 points."""
    values = ["woman"] * 30 + ["man"] * 70
    rows = [("gender", "none", "label", v, "nurse" if i < 40 else "judge")
            for i, v in enumerate(values)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["attribute", "arm", "outcome", "value", "subject"])
    said = line(table, "gender", ("woman", "man"), RATES)
    assert "2.0 to 4.0 %; a source" in said
    assert "30 % as read, would be 28 % to 29 %" in said
    assert "more than 2.2 points" in said
    assert line(table.iloc[:0], "gender", ("woman", "man"), RATES) == ""
