"""Whom neutral images resemble: planted shares, closed forms, and how often nothing is found."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, ttest_1samp
from statsmodels.stats.proportion import proportion_confint

from audit.findings import triplets
from audit.records import Finding
from tests.builders.groups import suite, threes
from tests.sizes import at_most, draws

ALL = "representation/none/all/gender-resembles/vectors woman+man"


def found(rows: pd.DataFrame) -> dict[str, Finding]:
    """Findings by id."""
    return {f.id: f for f in triplets.findings(rows)}


def test_a_planted_resemblance_is_found() -> None:
    """30 % nearer to the woman's images: below one half, by Student's t over frames."""
    rows = threes(suite(40, 4), 0.3)
    f = found(rows)[ALL]
    shares = (rows.to_one > rows.to_two).groupby(rows.frame).mean()
    limits = ttest_1samp(shares, 0.5).confidence_interval()
    assert f.estimate == pytest.approx(shares.mean())
    assert (f.low, f.high) == pytest.approx((limits.low, limits.high))
    assert f.low < 0.3 < f.high
    assert (f.verdict, f.unit, f.n, f.n_effective, f.against) == ("below", "share", 160, 40,
                                                                  "uniform")  # fmt: skip
    assert f.references["uniform"] == 0.5
    assert "nearer to that of the prompt that states woman than man, on the same noise" in (
        f.sentence
    )
    assert f.name == "representation.all.gender.resembles.vectors woman+man"


def test_one_image_of_each_frame_is_a_sign_test() -> None:
    """p is the exact binomial one where no frame has two images."""
    rows = threes(suite(24, 1, subjects=1), 0.25, seed=3)
    f = found(rows)[ALL]
    k = int((rows.to_one > rows.to_two).sum())
    assert f.p == pytest.approx(binomtest(k, 24, 0.5).pvalue)


def test_subjects_are_a_family_of_their_own() -> None:
    """One with a planted preference is found among eight; with one frame each it is Wilson's."""
    rows = threes(suite(8, 24, subjects=8), 0.5, seed=1)
    mine = rows.subject == "job 3"
    rows.loc[mine, ["to_one", "to_two"]] = [0.9, 0.5]
    rows.loc[mine & (rows.seed == 0), ["to_one", "to_two"]] = [0.5, 0.9]
    by = found(rows)
    each = [f for f in by.values() if f.key.subject != "*"]
    assert len(each) == 8
    assert {f.family for f in each} == {"whom neutral images resemble, by subject"}
    assert {f.key.subject for f in each if f.verdict in ("above", "below")} == {"job 3"}
    f = by["representation/none/job 3/gender-resembles/vectors woman+man"]
    assert (f.low, f.high) == pytest.approx(proportion_confint(23, 24, method="wilson"))
    assert f.p == pytest.approx(binomtest(23, 24, 0.5).pvalue)
    assert "after Holm's correction for 8 comparisons" in f.sentence


def test_unrelated_images_are_the_control() -> None:
    """Where the men's images are nearer to every image, unrelated ones say so."""
    rows = threes(suite(12, 4), 0.2)
    rows[["other_to_one", "other_to_two"]] = [0.1, 0.2]
    rows.loc[rows.index[:12], ["other_to_one", "other_to_two"]] = [0.2, 0.1]
    f = found(rows)[ALL]
    assert f.references["unrelated images"] == 0.25
    assert "threes, by vectors (of unrelated neutral images 25 %)" in f.sentence
    rows[["other_to_one", "other_to_two"]] = np.nan
    assert set(found(rows)[ALL].references) == {"uniform"}


def test_what_cannot_be_compared_is_missing_with_its_reason() -> None:
    """Blocked images and ties are counted, and nothing left is not known."""
    rows = threes(suite(12, 4), 0.5)
    rows.loc[rows.seed == 0, ["to_one", "to_two", "outcome"]] = [np.nan, np.nan, "blocked"]
    rows.loc[rows.seed == 1, ["to_one", "to_two"]] = [0.5, 0.5]
    f = found(rows)[ALL]
    assert (f.n, f.missing, f.reasons) == (24, 24, {"blocked": 12, "equally near": 12})
    rows[["to_one", "to_two"]], rows["outcome"] = np.nan, "blocked"
    f = found(rows)[ALL]
    assert (f.n, f.verdict) == (0, "undecided")
    assert not math.isfinite(f.estimate)
    assert "no three of images could be compared" in f.sentence
    assert triplets.findings(pd.DataFrame()) == []


def test_few_frames_have_no_limits() -> None:
    """Four frames describe themselves alone."""
    f = found(threes(suite(4, 9, subjects=1), 0.1))[ALL]
    assert not math.isfinite(f.low)
    assert not math.isfinite(f.p)
    assert f.verdict == "not enough prompts"


def test_both_measures_are_read_beside_each_other() -> None:
    """Over all subjects by both; subjects by the first alone, or SSIM where nothing else is."""
    rows = threes(suite(12, 2), 0.5, measures=2)
    by = found(rows)
    assert {f.key.detail for f in by.values() if f.key.everyone} == {"vectors woman+man",
                                                                     "ssim woman+man"}  # fmt: skip
    assert sum(not f.key.everyone for f in by.values()) == 4
    alone = found(rows[rows.measure == "ssim"])
    assert len(alone) == 5
    assert {f.quantity for f in alone.values()} == {
        "share of neutral images nearer to woman than man, by SSIM"
    }


@pytest.mark.slow
@draws(20, 600)
@pytest.mark.parametrize(("frames", "subjects", "spread"), [(6, 1, 0.5), (8, 4, 0.0), (16, 8, 0.3)])
def test_no_resemblance_is_rarely_found(
    runs: int, frames: int, subjects: int, spread: float
) -> None:
    """Neutral images that prefer neither group: an error in at most 5 % of families.

    Also where each frame has a preference of its own, in either direction.
    """
    errors = {True: 0, False: 0}
    for seed in range(runs):
        rows = threes(suite(frames, 6, subjects), 0.5, seed=seed, spread=spread)
        wrong = [f for f in triplets.findings(rows) if f.verdict in ("above", "below")]
        for everyone in errors:
            errors[everyone] += any(f.key.everyone == everyone for f in wrong)
    assert at_most(errors[True], runs, 0.05)
    assert at_most(errors[False], runs, 0.05)
