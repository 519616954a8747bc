"""Agreement of people who labelled the same images, against scikit-learn and planted errors."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from audit.findings.agreement import findings
from tests.sizes import leading

CLASSES = {"gender": ("woman", "man"), "tone": ("a", "b", "c")}
COLUMNS = ["sample", "attribute", "rater", "value"]


def judged(
    rng: np.random.Generator, errors: dict[str, float], skipped: float = 0.2, n: int = 1000
) -> pd.DataFrame:
    """Labels of gender by raters who err at these rates and leave some images open."""
    rows = []
    truth = rng.random(n) < 0.5
    for rater, error in errors.items():
        for i, woman in enumerate(truth):
            value = "woman" if woman != (rng.random() < error) else "man"
            rows.append((f"i{i}", "gender", rater, None if rng.random() < skipped else value))
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_three_raters_have_alpha_and_no_kappa(seed: int) -> None:
    """Alpha of three raters who err at random; skipping an image is not disagreement."""
    rows = judged(np.random.default_rng(seed), {"a": 0.05, "b": 0.1, "c": 0.1})
    alpha, share = findings(rows, CLASSES, 0)
    assert alpha.id == "quality/agreement/gender"
    # Pairs disagree in .14, .14 and .18 of images, by chance in half.
    assert alpha.estimate == pytest.approx(0.69, abs=0.06)
    assert 0.6 < alpha.low < alpha.estimate < alpha.high < 0.78
    assert share.id == "quality/equal-labels/gender"
    assert share.estimate == pytest.approx(0.85, abs=0.03)
    counts = rows.dropna().groupby("sample").size()
    for f in (alpha, share):
        assert f.n == (counts >= 2).sum()
        assert f.missing == 1000 - f.n
    assert "3 raters of gender agree beyond chance" in alpha.sentence


def test_raters_who_agree_by_chance_or_less_are_not_said_to_agree() -> None:
    """The sentence follows the interval: around 0, and below it."""
    chance = judged(np.random.default_rng(4), {"a": 0.5, "b": 0.5})
    against = judged(np.random.default_rng(4), {"a": 0.05, "b": 0.9})
    for rows, said in (chance, "may agree by chance alone"), (against, "less often than by chance"):
        alpha, _, kappa = findings(rows, CLASSES, 0)
        assert said in alpha.sentence
        assert said in kappa.sentence


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_two_raters_have_kappa_on_what_both_labelled(seed: int) -> None:
    """scikit-learn's kappa and the plain share; images of one rater are missing."""
    rows = judged(np.random.default_rng(seed), {"first": 0.05, "second": 0.1})
    _, share, kappa = findings(rows, CLASSES, 0)
    both = rows.pivot_table("value", "sample", "rater", aggfunc="first").dropna()
    assert kappa.id == "quality/kappa/gender"
    assert kappa.estimate == pytest.approx(cohen_kappa_score(both["first"], both["second"]))
    assert 0.6 < kappa.low < kappa.estimate < kappa.high < 0.82
    assert share.estimate == pytest.approx((both["first"] == both["second"]).mean())
    assert kappa.n == share.n == len(both)
    assert f"on {len(both)} images that both labelled" in kappa.sentence
    assert f"{kappa.estimate:.2f} [{kappa.low:.2f}, {kappa.high:.2f}]" in kappa.sentence


def test_the_attributes_are_those_that_several_people_labelled() -> None:
    """No finding for one rater of an attribute, or for no labels at all."""
    rows = judged(np.random.default_rng(0), {"a": 0.1})
    assert findings(rows, CLASSES, 0) == []
    assert findings(rows[:0], CLASSES, 0) == []
    assert findings(pd.DataFrame(), CLASSES, 0) == []
    tones = pd.DataFrame([(f"i{i}", "tone", r, "abc"[i % 3]) for i in range(9) for r in "xy"],
                         columns=COLUMNS)  # fmt: skip
    found = findings(pd.concat([rows, tones]), CLASSES, 0)
    assert [f.key.attribute for f in found] == ["tone"] * 3
    assert [f.estimate for f in found] == [1, 1, 1]


def test_labels_that_cannot_show_agreement_are_undecided() -> None:
    """One class alone, or nothing that both labelled: NaN and why; no limits are not printed."""
    same = pd.DataFrame([("i", "gender", r, "woman") for r in "ab"], columns=COLUMNS)
    alpha, share, kappa = findings(same, CLASSES, 0)
    assert share.estimate == 1
    for f in (alpha, kappa):
        assert f.verdict == "undecided"
        assert math.isnan(f.estimate)
        assert "one class" in f.sentence
    apart = same.assign(value=["woman", None])
    for f in findings(apart, CLASSES, 0):
        assert f.verdict == "undecided"
        assert "no unit has two ratings" in f.sentence
    rare = pd.DataFrame(
        [(f"i{i}", "gender", r, "man" if (i, r) == (0, "b") else "woman")
         for i in range(40) for r in "ab"], columns=COLUMNS,
    )  # fmt: skip
    for f in findings(rare, CLASSES, 0):
        assert "nan" not in f.sentence
