"""Quotas and draws: exact counts, right chances, and an order that growing keeps."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.design.mitigations import arms, rewrite, words
from audit.design.mitigations.quota import counts, phases, quota
from audit.design.suites import expand
from audit.errors import UserError
from audit.keys import digest
from audit.records import Attribute, Mitigation, Prompt, Reference, Settings, Suite

SHARES = st.lists(st.integers(0, 20), min_size=2, max_size=6).filter(sum)


def as_target(weights: list[int]) -> dict[str, float]:
    """Weights as shares of named values."""
    return {f"v{i}": w / sum(weights) for i, w in enumerate(weights)}


def suite_of(prompts: list[Prompt], target: dict[str, float], **shares: float) -> Suite:
    """A suite with one attribute `a` and an inject arm towards `target`."""
    names = {p.subject for p in prompts}
    table = {(s, "a", k): v for s in names for k, v in target.items()}
    options = {"attribute": "a", "target": "wanted", "words": {k: k for k in target}}
    return Suite(
        "s", "t", "q", tuple(prompts), (Attribute("a", tuple(target), {}),),
        (Reference("wanted", "", table, ""),), (Mitigation("m", "inject", options, ("b",)),),
    )  # fmt: skip


def prompt(text: str, subject: str, seeds: int) -> Prompt:
    """A representation prompt of block b."""
    return Prompt(text, text, subject, "b", "representation", seeds, ("a",))


@given(SHARES, st.integers(0, 200), st.integers(0, 2**32))
def test_quotas_are_exact_and_repeatable(weights: list[int], n: int, seed: int) -> None:
    """Counts are the target rounded up or down, exact where it is whole; one seed, one draw."""
    target = as_target(weights)
    drawn = quota(target, n, np.random.default_rng(seed))
    seen = Counter(drawn)
    assert len(drawn) == n
    for value, weight in zip(target, weights, strict=True):
        whole, rest = divmod(weight * n, sum(weights))
        assert whole <= seen[value] <= whole + (rest > 0)
    assert drawn == quota(target, n, np.random.default_rng(seed))


def test_remainders_go_by_their_size() -> None:
    """Chances of a remainder equal it, also where several are given out at once."""
    target = {"a": 0.45, "b": 0.45, "c": 0.1}
    rng = np.random.default_rng(1)
    seen = np.mean([counts(target, 2, rng.random()) for _ in range(20_000)], axis=0)
    assert seen == pytest.approx([0.9, 0.9, 0.2], abs=4 * np.sqrt(0.25 / 20_000))


def test_the_order_is_uniform() -> None:
    """Every place is equally likely to get the rare value."""
    rng = np.random.default_rng(2)
    places = Counter(quota({"x": 0.25, "y": 0.75}, 4, rng).index("x") for _ in range(8000))
    assert all(abs(places[i] / 8000 - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 8000) for i in range(4))


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_phases_are_evenly_spaced(count: int, seed: int) -> None:
    """Sorted, they are one `count`-th apart."""
    found = np.sort(phases(count, np.random.default_rng(seed)))
    assert ((found >= 0) & (found < 1)).all()
    assert np.diff(found) == pytest.approx(np.full(count - 1, 1 / count))


@given(SHARES, st.integers(1, 30), st.integers(1, 12))
def test_the_suite_as_a_whole_meets_the_target(weights: list[int], n: int, seeds: int) -> None:
    """Over prompts that share a target, counts are within one of it, however few the images."""
    target = as_target(weights)
    suite = suite_of([prompt(f"a {i} nurse", "nurse", seeds) for i in range(n)], target)
    drawn = arms.draws(suite, suite.mitigations[0])
    seen = Counter(d["a"] for values in drawn.values() for d in values)
    assert sum(seen.values()) == n * seeds
    assert all(abs(seen[k] - n * seeds * v) < 1 + 1e-6 for k, v in target.items())


def test_growing_keeps_most_draws() -> None:
    """Twice the images keep far more of the first half's values than half of them."""
    target = {"woman": 0.5, "man": 0.5}
    prompts = [prompt(f"a {i} nurse", "nurse", 20) for i in range(100)]
    small = suite_of(prompts, target)
    large = replace(small, prompts=tuple(replace(p, seeds=40) for p in prompts))
    few, many = (arms.draws(s, s.mitigations[0]) for s in (small, large))
    kept = np.mean([a == b for k in few for a, b in zip(few[k], many[k], strict=False)])
    assert kept > 0.85


def test_gated_prompts_draw_nothing() -> None:
    """A prompt that stays untouched claims no value, and the others still meet the target."""
    prompts = [prompt("a nurse", "nurse", 4), prompt("a nurse in 1850", "nurse", 4)]
    suite = suite_of(prompts, {"x": 0.5, "y": 0.5})
    assert list(arms.draws(suite, suite.mitigations[0])) == ["a nurse"]


def test_targets_are_read_per_subject_and_never_invented() -> None:
    """Each subject has its own share; a target that is silent about one is refused."""
    suite = suite_of(
        [prompt("a nurse", "nurse", 10), prompt("a cook", "cook", 10)], {"x": 1, "y": 0}
    )
    arm = suite.mitigations[0]
    shares = {("nurse", "a", "x"): 0.8, ("nurse", "a", "y"): 0.2, ("cook", "a", "x"): 0.1}
    silent = replace(suite, references=(Reference("wanted", "", shares, ""),))
    with pytest.raises(UserError, match="every a share of cook"):
        arms.draws(silent, arm)
    full = replace(
        suite, references=(Reference("wanted", "", {**shares, ("cook", "a", "y"): 0.9}, ""),)
    )
    assert arms.targets(full, arm, suite.attributes[0]) == {"nurse": 0.8, "cook": 0.1}
    drawn = arms.draws(full, arm)
    assert [sum(d["a"] == "x" for d in drawn[p]) for p in ("a nurse", "a cook")] == [8, 1]


@pytest.mark.parametrize(
    ("method", "options", "how"),
    [("guidance", {"scale": 6.0}, {"guidance": 6.0}), ("guidance", {"scale": 3.0}, {}),
     ("negative", {"text": "a man"}, {"negative": "a man"})],
)  # fmt: skip
def test_an_arm_in_the_engine_leaves_text_and_noise_alone(
    method: str, options: dict[str, object], how: dict[str, object]
) -> None:
    """Only what the engine does differs; where that is the same, so is the image."""
    asked = [prompt("a photo of a nurse", "nurse", 3), prompt("a photo of a cook", "cook", 2)]
    arm = Mitigation("m", method, options, ("b",))
    suite = replace(suite_of(asked, {"x": 0.5, "y": 0.5}), mitigations=(arm,))
    arms.check(suite, arm)
    made = Settings("m", "r", 10, 3.0, 4)
    keep = {method: rewrite.unchanged}
    rows = expand(suite, made, keep)
    base, changed = rows[:5], rows[5:]
    assert [(s.text, s.seed) for s in base] == [(s.text, s.seed) for s in changed]
    assert all(s.change.as_json() == how for s in changed)
    assert ({s.id for s in base} == {s.id for s in changed}) == (not how)


def test_seeds_and_ids_in_bulk_are_those_of_each_image() -> None:
    """Hashed one by one, also of a prompt whose noise is that of the text without a group."""
    asked = [prompt("a photo of a nurse", "nurse", 3),
             replace(prompt("a female cook", "cook", 2), frame="a cook")]  # fmt: skip
    made = Settings("m", "r", 10, 3.0, 4)
    rows = expand(replace(suite_of(asked, {"x": 0.5, "y": 0.5}), mitigations=()), made, {})
    want = [(p, arms.noise_of(p, i)) for p in asked for i in range(p.seeds)]
    assert [(s.prompt, s.text, s.seed, s.id) for s in rows] == [
        (p.id, p.text, seed, digest({"text": p.text, **made.__dict__, "seed": seed}, 20))
        for p, seed in want
    ]


def away(classes: tuple[str, ...], seeds: int, **options: object) -> tuple[Suite, Mitigation]:
    """A suite whose arm stays away from the classes that were not drawn."""
    asked = [prompt(t, "nurse", seeds) for t in ("a photo of a nurse", "a nurse in 1850")]
    arm = Mitigation("m", "negative", {"attribute": "skin_tone", **options}, ("b",))
    asked = [replace(p, attributes=("skin_tone",)) for p in asked]
    suite = suite_of(asked, {"x": 0.5, "y": 0.5})
    return replace(
        suite, attributes=(Attribute("skin_tone", classes, {}),), mitigations=(arm,)
    ), arm


@given(st.integers(2, 6), st.integers(1, 24), st.sampled_from(["", "blurry"]))
def test_an_image_stays_away_from_what_was_not_drawn_for_it(k: int, n: int, own: str) -> None:
    """All classes but the drawn one, by quota; gated prompts share the baseline's image."""
    classes = tuple(f"tone{i}" for i in range(k))
    suite, arm = away(classes, n)
    arms.check(suite, arm)
    made = Settings("m", "r", 10, 3.0, 4, negative=own)
    keep = {"negative": rewrite.unchanged}
    rows = expand(suite, made, keep)
    assert rows == expand(suite, made, keep)
    base, changed = rows[: 2 * n], rows[2 * n :]
    assert [(s.text, s.seed) for s in base] == [(s.text, s.seed) for s in changed]
    for s in changed[:n]:
        drawn = s.drawn["skin_tone"]
        others = [f"{c} skin" for c in classes if c != drawn]
        assert s.change.as_json() == {"negative": ", ".join([*others, *filter(None, [own])])}
    seen = Counter(s.drawn["skin_tone"] for s in changed[:n])
    assert all(n // k <= seen[c] <= -(-n // k) for c in classes)
    assert [s.id for s in changed[n:]] == [s.id for s in base[n:]]
    assert all(s.drawn == s.change.as_json() == {} for s in changed[n:])


def test_words_of_a_negative_prompt_are_defaults_or_options() -> None:
    """Gender has words of its own, a suite may give others, and without any it is refused."""
    assert words.avoided("gender", "woman", ("woman", "man"), {}) == ["male, man"]
    assert words.avoided("gender", "man", ("woman", "man"), {}) == ["female, woman"]
    own = {"words": {"man": "a guy", "old": "elderly", "young": "youthful"}}
    assert words.avoided("gender", "woman", ("woman", "man"), own) == ["a guy"]
    assert words.avoided("age", "old", ("young", "old"), own) == ["youthful"]
    suite, arm = away(("a", "b"), 2)
    ages = replace(suite, attributes=(Attribute("age", ("young", "old"), {}),), prompts=tuple(
        replace(p, attributes=("age",)) for p in suite.prompts))  # fmt: skip
    with pytest.raises(UserError, match="no words state age"):
        arms.check(ages, replace(arm, options={"attribute": "age"}))
    said = {"young": "youthful", "old": "elderly"}
    arms.check(ages, replace(arm, options={"attribute": "age", "words": said}))


def test_latent_guidance_follows_the_draw_and_obeys_the_gate() -> None:
    """Each image goes towards its own draw and away from the rest; a gated prompt is as it was."""
    asked = [prompt("a photo of a nurse", "nurse", 6), prompt("a nurse in 1850", "nurse", 2)]
    words = {k: f"person of {k}" for k in "xyz"}
    arm = Mitigation("m", "fair-guidance", {"attribute": "a", "words": words}, ("b",))
    suite = suite_of(asked, {"x": 0.5, "y": 0.25, "z": 0.25})
    suite = replace(suite, mitigations=(arm,))
    arms.check(suite, arm)
    rows = expand(suite, Settings("m", "r", 10, 3.0, 4), {"fair-guidance": rewrite.unchanged})
    base, steered = rows[:8], rows[8:]
    assert [(s.text, s.seed) for s in base] == [(s.text, s.seed) for s in steered]
    assert Counter(s.drawn["a"] for s in steered[:6]) == {"x": 2, "y": 2, "z": 2}
    for s in steered[:6]:
        (one,) = s.change.interventions
        own = f"person of {s.drawn['a']}"
        others = tuple(w for w in words.values() if w != own)
        assert (one.parameters["towards"], one.parameters["away"]) == ((own,), others)
    assert len({s.id for s in steered[:6]} | {s.id for s in base}) == 14
    assert [s.id for s in steered[6:]] == [s.id for s in base[6:]]
    silent = replace(arm, options={"attribute": "a", "words": {"x": "person"}})
    with pytest.raises(UserError, match="no words state a 'y'"):
        arms.check(suite, silent)
    idle = replace(arm, options={**arm.options, "scale": 0.0})
    rows = expand(replace(suite, mitigations=(idle,)), Settings("m", "r", 10, 3.0, 4),
                  {"fair-guidance": rewrite.unchanged})  # fmt: skip
    assert [s.id for s in rows[:8]] == [s.id for s in rows[8:]]
