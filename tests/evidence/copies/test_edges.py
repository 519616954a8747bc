"""Edge persistence: published values, closed forms, and chance that is drawn on fresh pictures."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
import skimage.data
from scipy.ndimage import convolve1d, gaussian_filter
from scipy.stats import binom, kstest
from skimage.filters import sobel_h, sobel_v

from audit.evidence.copies.edges import (
    EDGE_COLUMNS,
    Edges,
    chance,
    edge_map,
    enough,
    excess,
    exchanged,
    magnitude,
    p_value,
    persist,
    persistence,
    shifted,
)
from audit.records import Sample
from tests.sizes import at_most, draws, leading

PAPER = Edges(share=None)
SMALL = Edges(side=48, draws=99)


def maps(pictures: list[np.ndarray], how: Edges) -> np.ndarray:
    """Edge maps of pictures."""
    return np.stack([edge_map(p, how) for p in pictures])


def scene(rng: np.random.Generator, side: int = 48) -> np.ndarray:
    """Smooth random colours with edges between them, uint8[side, side, 3]."""
    field = gaussian_filter(rng.normal(size=(side, side, 3)), (3, 3, 0))
    return np.where(field > 0, 200, 60).astype(np.uint8)


def noisy(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same scene drawn again, a little different everywhere."""
    return np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)


def test_published_values_are_reproduced() -> None:
    """Flat 0, a step 2 / 256, also with one flat of four, not with two; four of noise 1."""
    flat = np.full((256, 256, 3), 90, np.uint8)
    step = np.zeros((256, 256, 3), np.uint8)
    step[:, 128:] = 255
    noise = np.random.default_rng(0).integers(0, 256, (4, 256, 256, 3))
    groups = ([flat] * 4, [step] * 4, [step] * 3 + [flat], [step] * 2 + [flat] * 2)
    assert [persistence(maps(g, PAPER)) for g in groups] == [0, 0.0078125, 0.0078125, 0]
    assert persistence(maps(list(noise.astype(np.uint8)), PAPER)) == 1.0


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_the_magnitude_is_scikit_images_over_mixed_channels(name: str) -> None:
    """Their filters on channels mixed 1, 2, 1, times four; a step from black to white is 48."""
    picture = getattr(skimage.data, name)()[:150, :200]
    values = convolve1d(picture / 255, [1, 2, 1], axis=2)
    expected = sum(4 * np.hypot(sobel_h(values[..., c]), sobel_v(values[..., c])) for c in range(3))
    np.testing.assert_allclose(magnitude(picture), expected, atol=1e-10)
    step = np.zeros((6, 6, 3), np.uint8)
    step[:, 3:] = 255
    assert magnitude(step).max() == 48


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [3, 4, 5, 8])
def test_chance_is_that_of_every_outcome(n: int, seed: int) -> None:
    """The sum over all 2^n outcomes; for equal densities scipy's binomial tail."""
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    expected = sum(
        np.prod(np.where(hit, p, 1 - p))
        for hit in map(np.array, product([False, True], repeat=n))
        if hit.sum() > n / 2
    )
    assert chance(p) == pytest.approx(expected, rel=1e-10)
    assert chance(np.full(n, p[0])) == pytest.approx(binom.sf(n // 2, n, p[0]), rel=1e-9)
    assert chance(np.ones(n)) == 1
    assert chance(np.zeros(n)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_unrelated_maps_persist_by_chance(seed: int) -> None:
    """Independent pixels at unequal densities: no excess beyond four standard errors."""
    rng = np.random.default_rng(seed)
    densities = rng.uniform(0.1, 0.9, 4)
    some = rng.random((4, 256, 256)) < densities[:, None, None]
    expected = chance(densities)
    slack = 4 * math.sqrt(expected * (1 - expected)) / 256
    assert abs(excess(some)) < slack
    assert persistence(some) == pytest.approx(expected, abs=2 * slack)


@pytest.mark.parametrize("how", [PAPER, Edges()])
def test_four_images_of_noise_are_not_copies(how: Edges) -> None:
    """By the paper's threshold they score 1, as by chance; by the strongest tenth, little."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        noise = list(rng.integers(0, 256, (4, 256, 256, 3), np.uint8))
        found = maps(noise, how)
        assert abs(excess(found)) < 2e-3
        assert p_value(excess(found), shifted(found, 39, rng)) > 0.03
        assert persistence(found) == (1 if how.share is None else pytest.approx(0.0037, abs=2e-3))


@pytest.mark.parametrize("seed", range(4))
def test_four_copies_of_a_texture_are_above_chance(seed: int) -> None:
    """The same noise four times with noise of its own: seen by shares, not by the threshold."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (128, 128, 3), np.uint8)
    found = maps([noisy(base, rng) for _ in range(4)], Edges(side=128))
    assert excess(found) > 0.05
    assert p_value(excess(found), shifted(found, 99, rng)) == 0.01
    assert abs(excess(maps([noisy(base, rng) for _ in range(4)], Edges(128, None)))) < 0.01


def test_shifted_maps_give_uniform_p_without_copies() -> None:
    """Unrelated scenes without a common layout: p is uniform, over 80 prompts."""
    found = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        some = maps([scene(rng) for _ in range(4)], SMALL)
        found.append(p_value(excess(some), shifted(some, 99, rng)))
    assert kstest(found, "uniform").pvalue > 0.001
    assert np.mean(np.array(found) <= 0.05) < 0.15


def centred(rng: np.random.Generator) -> np.ndarray:
    """A plain picture with a blob in the middle, as most pictures have their subject there."""
    picture = np.full((48, 48, 3), 100, np.uint8)
    y, x = np.mgrid[:48, :48]
    middle = 24 + rng.normal(0, 2, 2)
    inside = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < rng.uniform(8, 14) ** 2
    picture[inside] = rng.integers(150, 256, 3)
    return noisy(picture, rng)


def run(kinds: dict[str, int], seed: int, images: int = 4) -> dict[str, dict[str, object]]:
    """Prompts of centred subjects; of some, the given number of images show the same one."""
    rng = np.random.default_rng(seed)
    samples, pictures = [], {}
    for prompt, same in kinds.items():
        base = centred(rng)
        for i in range(images):
            s = Sample(f"{prompt}-{i}", prompt, "none", i, prompt)
            pictures[s.id] = noisy(base, rng) if i < same else centred(rng)
            samples.append(s)
    outcomes = {"blocked-0": "blocked", "blocked-1": "blocked"}
    table = persist(samples, lambda s: pictures[s.id], outcomes, SMALL, seed)
    assert tuple(table.columns) == EDGE_COLUMNS
    return table.set_index("prompt").to_dict("index")


def test_other_prompts_allow_for_a_common_layout_and_shifts_do_not() -> None:
    """Subjects in the middle: between prompts few p are small, by shifting far too many."""
    plain = {f"p{i}": 0 for i in range(12)}
    between = [r for s in range(5) for r in run(plain, s).values()]
    few = [r for s in range(12) for r in run({"a": 0, "b": 0, "c": 0}, s).values()]
    assert {str(r["null"]) for r in between} == {"all"}
    assert {str(r["null"]) for r in few} == {"shifted"}
    assert np.mean([float(str(r["p"])) <= 0.05 for r in between]) < 0.15
    assert np.mean([float(str(r["p"])) <= 0.05 for r in few]) > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_copies_are_above_images_of_other_prompts(seed: int) -> None:
    """Four or three alike of four are found; what is missing is counted, and may leave too few."""
    kinds = {"four": 4, "three": 3, "blocked": 4} | {f"p{i}": 0 for i in range(12)}
    found = run(kinds, seed)
    assert found["four"]["null"] == "all"
    assert float(str(found["four"]["p"])) <= 0.03
    assert float(str(found["three"]["p"])) <= 0.03
    assert float(str(found["four"]["excess"])) > 0.03
    blocked = found["blocked"]
    assert (blocked["outcome"], blocked["n"], blocked["missing"]) == ("too few images", 2, 2)
    assert blocked["reasons"] == {"blocked": 2}
    assert math.isnan(float(str(blocked["p"])))


def framed(subject: int, rng: np.random.Generator) -> np.ndarray:
    """A subject's own frame and ground, the same in all its pictures, around something random."""
    own = np.random.default_rng(1000 + subject)
    picture = np.full((48, 48, 3), own.integers(60, 200, 3), np.uint8)
    for at in own.integers(4, 44, 3):
        picture[at : at + 2] = own.integers(0, 256, 3)
        picture[:, at : at + 2] = own.integers(0, 256, 3)
    picture[12:36, 12:36] = scene(rng, 24)
    return noisy(picture, rng)


def subjects(seed: int, copied: int, prompts: int = 8, images: int = 4) -> pd.DataFrame:
    """Four subjects, each with a frame of its own; of each, the first prompts give one image."""
    rng = np.random.default_rng(seed)
    samples, pictures, asked = [], {}, {}
    for subject in range(4):
        for k in range(prompts):
            prompt, base = f"s{subject}/{k}", framed(subject, rng)
            asked[prompt] = f"subject {subject}"
            for i in range(images):
                s = Sample(f"{prompt}-{i}", prompt, "none", i, prompt)
                pictures[s.id] = noisy(base, rng) if k < copied else framed(subject, rng)
                samples.append(s)
    found = persist(samples, lambda s: pictures[s.id], {}, SMALL, seed, asked)
    across = persist(samples, lambda s: pictures[s.id], {}, SMALL, seed)
    return found.assign(across=across.p, copied=[int(p[3:]) < copied for p in found.prompt])


@draws(few=2, many=6)
def test_what_a_subject_s_pictures_share_does_not_count(runs: int) -> None:
    """A frame that all of a subject's pictures have: p is exact inside it, and useless across."""
    found = pd.concat([subjects(seed, 0) for seed in range(runs)])
    assert set(found["null"]) == {"subject"}
    assert at_most((found.p <= 0.05).sum(), len(found), 0.05)
    assert at_most((found.p <= 0.2).sum(), len(found), 0.2)
    assert (found.across <= 0.05).mean() > 0.5


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_a_prompt_that_gives_one_image_back_stands_out_of_its_subject(seed: int) -> None:
    """Of eight prompts of each subject one is copied: it is found, and no other with it."""
    found = subjects(seed, 1)
    assert (found[found.copied].p <= 0.02).all()
    assert (found[~found.copied].p <= 0.05).mean() <= 0.15


@pytest.mark.parametrize("seed", range(3))
def test_images_of_noise_do_not_stand_out_of_a_subject(seed: int) -> None:
    """Noise among ordinary pictures of the subject shares less than they do."""
    rng = np.random.default_rng(seed)
    samples, pictures = [], {}
    for k in range(8):
        for i in range(4):
            s = Sample(f"{k}-{i}", f"p{k}", "none", i, "t")
            noise = rng.integers(0, 256, (48, 48, 3), np.uint8)
            pictures[s.id] = noise if k < 2 else framed(0, rng)
            samples.append(s)
    subject = {f"p{k}": "one" for k in range(8)}
    found = persist(samples, lambda s: pictures[s.id], {}, SMALL, seed, subject)
    assert (found.p[:2] > 0.5).all()


def test_exchanged_p_is_the_share_of_all_exchanges() -> None:
    """Against every choice of three of eight maps; one map eight times is never remarkable."""
    rng = np.random.default_rng(3)
    some = rng.random((8, 16, 16)) < rng.uniform(0.2, 0.4, 8)[:, None, None]
    some[1] |= some[0]
    some[2] |= some[0]
    every = [excess(some[list(c)]) for c in combinations(range(8), 3)]
    exact = float(np.mean(np.array(every) >= excess(some[:3]) - 1e-12))
    drawn = exchanged(some[:3], some[3:], 4000, np.random.default_rng(0))
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / 4000) + 0.2 * exact)
    alike = np.repeat(some[:1], 8, 0)
    assert exchanged(alike[:3], alike[3:], 99, rng) == 1


def test_enough_is_what_takes_a_prompt_s_images_apart() -> None:
    """Counted over all choices; four images need eighteen others, and more need more."""
    for n, m in ((3, 5), (4, 6), (5, 7)):
        picks = list(combinations(range(n + m), n))
        share = np.mean([sum(i < n for i in c) > n / 2 for c in picks])
        assert enough(n, m) == (share <= 0.01)
    assert next(m for m in range(40) if enough(4, m)) == 18
    assert not enough(8, 19)


def test_flat_pictures_have_no_edges_and_no_excess() -> None:
    """Blank images give 0 everywhere and p of 1, never a copy."""
    flat = [np.full((48, 48, 3), v, np.uint8) for v in (0, 0, 255, 255)]
    some = maps(flat, SMALL)
    assert not some.any()
    assert excess(some) == 0
    assert p_value(excess(some), shifted(some, 19, np.random.default_rng(0))) == 1


def test_no_draws_give_no_p() -> None:
    """p is unknown where nothing was drawn, and never 0 otherwise."""
    assert math.isnan(p_value(0.1, np.empty(0)))
    assert p_value(2.0, np.zeros(9)) == 0.1


def test_the_same_seed_gives_the_same_table_in_any_order() -> None:
    """p does not depend on which prompt comes first."""
    rng = np.random.default_rng(5)
    samples = [Sample(f"{p}{i}", p, "none", i, p) for p in "abcdefghi" for i in range(3)]
    pictures = {s.id: centred(rng) for s in samples}
    for some in (samples, samples[:9]):  # exchanged, and too few for it
        tables = [
            persist(t, lambda s: pictures[s.id], {}, SMALL, 7).set_index("prompt").sort_index()
            for t in (some, some[::-1])
        ]
        pd.testing.assert_frame_equal(*(t.drop(columns="reasons") for t in tables))
