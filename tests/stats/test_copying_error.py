"""Rules for copies in many simulated audits: what they promise, and where a null fails."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from benchmarks import copies
from benchmarks.copies import Case, Q, Score, draw

RUNS = 30


@cache
def scores(case: Case) -> dict[str, Score]:
    """The benchmark's, on fewer audits."""
    return copies.scores(case, RUNS, 1)


def test_an_audit_measures_what_whole_matrices_measure() -> None:
    """Distances and matches of one simulated audit, from the same draws."""
    case = Case(0.9, 12)
    run = draw(case, np.random.default_rng(4))
    rng = np.random.default_rng(4)
    train, held, made = rng.standard_normal((3, copies.IMAGES, copies.WIDTH))
    made *= 0.9
    made[:12] = train[:12] + copies.NOISE * rng.standard_normal((12, copies.WIDTH))
    near, far = cdist(made, train), cdist(made, held)
    assert run.w == pytest.approx(np.log(far.min(1) / near.min(1)), abs=1e-9)
    assert run.null == pytest.approx(cdist(held, train).min(1), abs=1e-9)
    assert (run.matched[:12] == np.arange(12).astype(str)).all()
    wanted = np.where(near.min(1) < far.min(1), near.argmin(1), -1 - far.argmin(1))
    assert (run.matched == wanted.astype(str)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [Case(1, 12), Case(0.9, 12), Case(0.5, 12), Case(1.2, 12)], ids=str
)
def test_the_twin_finds_every_copy_and_keeps_its_rate_at_any_scale(case: Case) -> None:
    """Two copies in a hundred: all but 2 % found; false discoveries not shown to pass q."""
    got = scores(case)["twin"]
    assert got.power >= 0.98
    assert got.false.low <= Q
    assert got.false.estimate <= 0.16


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.9, 0.5])
def test_without_copies_the_twin_calls_in_few_runs(scale: float) -> None:
    """At most a tenth of the audits of a shrunk generator that copies nothing flag an image."""
    got = scores(Case(scale, 0))["twin"].deceived
    assert got.estimate <= Q
    assert got.high < 0.27


@pytest.mark.slow
def test_the_null_breaks_where_the_generator_shrinks() -> None:
    """False discoveries above q at .9 with real copies; at .5 in every audit, without any."""
    got = scores(Case(0.9, 12))["conformal + BH"]
    assert got.power >= 0.98
    assert got.false.low > Q
    assert scores(Case(0.5, 0))["conformal + BH"].deceived.estimate == 1
    assert scores(Case(1, 12))["conformal + BH"].false.low <= Q


@pytest.mark.slow
def test_a_little_shrinking_deceives_the_null_and_not_the_twin() -> None:
    """At .9 in 128 dimensions without copies: conformal flags in most runs, the twin in a tenth."""
    got = scores(Case(0.9, 0, 128))
    assert got["twin"].deceived.estimate <= 0.1
    assert got["conformal + BH"].deceived.low > 0.6


@pytest.mark.slow
def test_images_that_share_a_match_are_better_counted_once() -> None:
    """At half the width, hubs make more false calls where each image is its own evidence."""
    by_rule = scores(Case(0.5, 12))
    assert by_rule["twin"].false.estimate <= by_rule["twin, every image"].false.estimate
