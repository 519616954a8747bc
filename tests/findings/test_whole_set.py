"""Whole-set copying as claims: copies found, shrinkage tolerated, too few images undecided."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audit.findings import whole_set
from audit.findings.whole_set import NAMES, findings
from audit.keys import VERDICTS
from audit.records import Finding, from_json, to_json
from audit.stats.permutation_copying import SHRINKAGE
from audit.stats.whole_set import authenticity, distances, prdc
from tests.sizes import at_least, at_most, draws, leading

TESTED = ("zu", "c_t", "authenticity")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer permutations than a report has."""
    monkeypatch.setattr(whole_set, "DRAWS", 199)
    monkeypatch.setattr(whole_set, "RESAMPLES", 100)


def draw(
    seed: int, scale: float = 1.0, copies: int = 0, n: int = 120
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, held-out and generated features, the first of the last being copies."""
    rng = np.random.default_rng(seed)
    train, held, gen = rng.standard_normal((3, n, 10))
    gen *= scale
    gen[:copies] = train[:copies] + 0.05 * rng.standard_normal((copies, 10))
    return train, held, gen


def by_name(found: list[Finding]) -> dict[str, Finding]:
    """Findings by the last part of their ids."""
    return {f.id.removeprefix("replication/whole_set/"): f for f in found}


@pytest.mark.parametrize("seed", leading(1, range(2)))
def test_the_estimates_are_the_published_scores(seed: int) -> None:
    """Each finding repeats its statistic, is in its interval, and has n, a method and a name."""
    train, held, gen = draw(seed, 0.9, 20)
    found = by_name(findings(train, held, gen, seed, np.arange(120) // 3))
    assert list(found) == ["zu", "c_t", "authenticity", "precision", "density", "recall",
                           "coverage", "memorized", "alike"]  # fmt: skip
    assert {*found} == {*NAMES}
    assert found["zu"].estimate == pytest.approx(distances(train, held, gen).c_t(least=0))
    assert found["authenticity"].estimate == pytest.approx(authenticity(train, gen) / 100)
    assert found["authenticity"].references["held-out images"] == pytest.approx(
        authenticity(train, held) / 100
    )
    balls, usual = (vars(prdc(train, s)) for s in (gen, held))
    for name, value in balls.items():
        assert found[name].estimate == pytest.approx(value)
        assert found[name].references["held-out images"] == pytest.approx(usual[name])
    for f in found.values():
        assert f.low <= f.estimate <= f.high
        assert f.n == (240 if f.key.detail == "alike" else 120)
        assert f.verdict in VERDICTS
        assert f.method
        assert "n = 120" in f.sentence
    assert all(0 < found[k].p <= found[k].q <= 1 and found[k].family for k in TESTED)
    assert from_json(to_json(list(found.values())))[0].id == "replication/whole_set/zu"


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_copies_are_found_by_all_that_test(seed: int) -> None:
    """Half of the images copied, by a generator that also shrinks."""
    found = by_name(findings(*draw(seed, 0.9, 60), seed))
    assert [found[k].verdict for k in (*TESTED, "memorized")] == ["found"] * 4
    assert found["memorized"].estimate > 0.2
    assert found["memorized"].references["labels swapped"] < 0.1


@draws(few=5, many=15)
@pytest.mark.parametrize("scale", [1.0, 0.7])
def test_without_copies_little_is_found(
    scale: float, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of faithful and of shrunk generators few are flagged by any score: one in twenty may be."""
    monkeypatch.setattr(whole_set, "DRAWS", 59)
    monkeypatch.setattr(whole_set, "RESAMPLES", 10)
    called, scores = [], []
    for seed in range(runs):
        found = by_name(findings(*draw(seed, scale, n=80), seed))
        called.append(any(found[k].verdict == "found" for k in (*TESTED, "memorized")))
        scores.append(found["zu"].estimate)
        assert SHRINKAGE in found["zu"].sentence
    assert at_most(sum(called), runs, 0.05)
    assert (np.mean(scores) < -1.645) == (scale < 1)


def test_too_few_images_are_undecided() -> None:
    """Fewer than 50 of a kind: undecided, NaN, with the reason and what is needed."""
    train, held, gen = draw(0)
    for sets in ((train[:49], held, gen), (train, held[:0], gen), (train, held, gen[:10])):
        for f in findings(*sets, 0):
            assert f.verdict == "undecided"
            assert math.isnan(f.estimate)
            assert math.isnan(f.p)
            assert "50 are needed" in f.sentence


def test_missing_images_are_counted_and_leave_the_rest_alone() -> None:
    """Rows of NaN are missing with a reason; estimates are those of the rest."""
    train, held, gen = draw(4)
    some = gen.copy()
    some[[3, 50, 51]] = np.nan
    clusters = np.array([f"prompt {i // 4}" for i in range(120)])
    there = np.isfinite(some).all(1)
    rest = findings(train, held, gen[there], 1, clusters[there])
    for f, g in zip(findings(train, held, some, 1, clusters), rest, strict=True):
        if f.key.detail != "alike":  # which is not about generated images
            assert (f.missing, f.n, dict(f.reasons)) == (3, 117, {"no features": 3})
        assert (f.estimate, f.low, f.high) == (g.estimate, g.low, g.high)


def test_equal_reference_images_count_once() -> None:
    """A training set that repeats images, also among the held-out ones, changes nothing."""
    train, held, gen = draw(5)
    again = np.concatenate([train, np.repeat(train[:20], 5, 0)])
    both = np.concatenate([held, train[:7]])
    one, two = (findings(t, h, gen, 2) for t, h in ((train, held), (again, both)))
    assert to_json(one) == to_json(two)  # since Python 3.13 NaN makes equal findings unequal


def test_prompts_and_not_images_are_resampled() -> None:
    """Ten prompts that each give the same image twelve times leave the interval wide."""
    train, held, gen = draw(6)
    rng = np.random.default_rng(0)
    same = np.repeat(gen[:10], 12, 0) + 0.01 * rng.standard_normal((120, 10))
    prompts = np.arange(120) // 12
    wide, narrow = (by_name(findings(train, held, same, 0, c)) for c in (prompts, None))
    for name in ("zu", "authenticity", "precision", "density"):
        assert wide[name].high - wide[name].low > 2 * (narrow[name].high - narrow[name].low)
        assert wide[name].n_effective < 20


def test_sets_of_unlike_size_get_no_verdict_by_twin() -> None:
    """Half as many held-out images are not a twin: the share is described, the p-values remain."""
    train, held, gen = draw(7, 1.0, 40)
    found = by_name(findings(train, held[:60], gen, 0))
    assert found["memorized"].verdict == "described"
    assert found["zu"].verdict == "found"


def test_few_generated_images_have_no_cells() -> None:
    """Where no cell contains more than 20 images C_T is unknown, with the reason."""
    train, held, gen = draw(8)
    f = by_name(findings(train, held, gen, 0))["c_t"]
    many = np.concatenate([gen[:20] + 50, gen[20:40] - 50])
    few = by_name(findings(np.concatenate([train, train[:20] + 50, train[:20] - 50]), held,
                           np.concatenate([many, gen[:15]]), 0))["c_t"]  # fmt: skip
    assert f.verdict != "undecided"
    assert few.verdict == "undecided"
    assert "no cell holds more than 20" in few.sentence


def test_what_makes_no_sense_is_refused() -> None:
    """Sets of different features, and clusters that name other images."""
    train, held, gen = draw(9)
    with pytest.raises(ValueError, match="equal width"):
        findings(train, held[:, :3], gen, 0)
    with pytest.raises(ValueError, match="do not fit"):
        findings(train, held, gen, 0, np.arange(3))


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_per_image_scores_find_the_few_that_no_sum_shows(seed: int) -> None:
    """Fifteen copies of 200 in 128 dimensions: all stand out, and no sum needs to be low."""
    rng = np.random.default_rng(seed)
    train, held, gen = rng.standard_normal((3, 200, 20)) @ rng.standard_normal((20, 128))
    gen[:15] = train[:15] + 0.2 * rng.standard_normal((15, 128))
    f = by_name(findings(train, held, gen, seed))["memorized"]
    assert f.verdict == "found"
    assert 15 / 200 <= f.estimate <= 18 / 200
    assert f.references["labels swapped"] < f.estimate


@draws(few=6, many=20)
def test_a_held_out_set_from_elsewhere_is_found_to_differ(runs: int) -> None:
    """Sets from one source differ at 5 % in few runs; a moved, or a wider one, in nearly each."""
    seen: dict[str, list[bool]] = {"same": [], "moved": [], "wider": []}
    for seed in range(runs):
        train, held, gen = draw(seed, n=60)
        for name, other in (("same", held), ("moved", held + 0.4), ("wider", 1.5 * held)):
            f = whole_set._alike(whole_set._sets(train, other, gen, seed, None))
            assert f.verdict == "described"
            assert ("They differ" in f.sentence) == (f.p < 0.05)
            seen[name].append(f.p < 0.05)
    assert at_most(sum(seen["same"]), runs, 0.05)
    assert at_least(sum(seen["moved"]), runs, 0.95)
    assert at_least(sum(seen["wider"]), runs, 0.95)


def test_what_was_generated_does_not_matter_to_whether_the_sets_are_alike() -> None:
    """Copies or not, and many images of one prompt or not: the same numbers."""
    train, held, gen = draw(3)
    few, many = (by_name(findings(train, held, g, 0))["alike"] for g in (gen, train[:60]))
    assert (few.estimate, few.p, few.n) == (many.estimate, many.p, many.n)
    assert not few.family
