"""One verdict per arm: gains beyond a placebo against harms, by hand and on planted arms."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.findings import arms, effects, targets
from audit.findings.arms import Axis, Sides
from audit.keys import ALL, VERDICTS, Key, Margins
from audit.records import Finding, Mitigation, to_json
from audit.stats.decisions import compared, noninferior, verdict
from audit.stats.interval import UNKNOWN, Interval
from tests.findings.test_effects import BASE, GOOD, OVER, Arm, World, question
from tests.sizes import at_most, draws, leading

MARGIN = 0.02


def claim(key: Key, low: float, high: float, word: str, **more: object) -> Finding:
    """One effect of an arm."""
    fields: dict[str, Any] = {
        "quantity": "change in q",
        "unit": "points",
        "counted": "pairs",
        **more,
    }
    return Finding(
        key=key, where="w", estimate=(low + high) / 2, low=low, high=high, n=100, n_effective=20.0,
        missing=0, method="m", verdict=word, sentence="s", **fields,
    )  # fmt: skip


def distance(arm: str, low: float, high: float, key: str = "") -> Finding:
    """A change of the mean distance from the target."""
    wide = Interval((low + high) / 2, low, high)
    of = f" of {key}" if key else ""
    return claim(Key("mitigation", arm, ALL, key, "target-distance"), low, high,
                 compared(wide, wide, 0, 0.1),
                 quantity=f"change in the mean distance{of} from the target")  # fmt: skip


def alignment(arm: str, low: float, high: float) -> Finding:
    """A change of alignment, with a margin of 0.02."""
    word = noninferior(Interval((low + high) / 2, low, high), MARGIN)
    return claim(
        Key("mitigation", arm, "", "", "cost", "alignment"),
        low,
        high,
        word,
        references={"margin": MARGIN},
    )


def copies(arm: str, low: float, high: float) -> Finding:
    """A change of the rate of copies."""
    word = verdict(Interval((low + high) / 2, low, high), 0)
    return claim(Key("mitigation", arm, "", "", "copies", "captions"), low, high, word)


def removed(arm: str, low: float, high: float) -> Finding:
    """The share of copies removed."""
    key = Key("mitigation", arm, "", "", "removed", "captions")
    return claim(key, low, high, "above" if low > 0 else "compatible", unit="share")


def arm(name: str, method: str = "inject", **options: str) -> Mitigation:
    """An arm about gender by default."""
    return Mitigation(name, method, {"attribute": "gender", **options})


def judged(found: list[Finding], *declared: Mitigation) -> dict[str, str]:
    """Arm to verdict."""
    made = arms.findings(found, declared or (arm("a"),))
    assert all(f.verdict in VERDICTS for f in made)
    assert to_json(made)
    return {f.arm: f.verdict for f in made}


NEAR, FREE, DEAR = distance("a", -0.3, -0.1), alignment("a", -0.01, 0), alignment("a", -0.3, -0.2)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([NEAR, FREE], "works"),
        ([NEAR], "undecided"),
        ([NEAR, alignment("a", -0.03, 0.0)], "undecided"),
        ([distance("a", -0.45, -0.4), alignment("a", -0.026, -0.021)], "at a cost"),
        ([NEAR, alignment("a", -0.04, -0.03)], "undecided"),
        ([NEAR, DEAR], "harms"),
        ([distance("a", 0.0, 0.0), DEAR], "harms"),
        ([distance("a", -0.05, 0.04), FREE], "no effect"),
        ([distance("a", -0.15, 0.04)], "undecided"),
        ([distance("a", 0.02, 0.3), FREE], "harms"),
        ([copies("a", -0.9, -0.7), alignment("a", -0.01, 0.01)], "works"),
        ([copies("a", -0.3, 0.1)], "undecided"),
        ([copies("a", 0.1, 0.2)], "harms"),
        ([NEAR, copies("a", 0.01, 0.05), FREE], "at a cost"),
        ([NEAR, copies("a", 0.3, 0.6), FREE], "harms"),
        ([NEAR, copies("a", 0.1, 0.3), FREE], "undecided"),
        ([NEAR, distance("a", -0.02, 0.02, "tone"), FREE], "works"),
        ([distance("a", -0.02, 0.02), distance("a", -0.4, -0.2, "tone"), FREE], "works"),
        ([distance("a", math.nan, math.nan), FREE], "undecided"),
    ],
)
def test_gains_losses_and_nothing(found: list[Finding], wanted: str) -> None:
    """Only shown effects decide; otherwise the verdict is undecided."""
    assert judged(found) == {"a": wanted}


@pytest.mark.parametrize(
    ("margins", "wanted", "points"),
    [(Margins(), "at a cost", "10 points of distance"),
     (Margins(distance=0.5), "harms", "50 points of distance"),
     (Margins(distance=0.36), "undecided", "36 points of distance")],
)  # fmt: skip
def test_the_suite_declares_what_weighs_how_much(
    margins: Margins, wanted: str, points: str
) -> None:
    """A gain of 42 points for some alignment is worth it, or not, by the declared amounts."""
    found = [distance("a", -0.45, -0.4), alignment("a", -0.026, -0.021)]
    (made,) = arms.findings(found, (arm("a"),), margins)
    assert made.verdict == wanted
    assert points in made.method


@pytest.mark.parametrize(
    ("placebo", "wanted"),
    [((-0.31, -0.29), "no effect"), ((-0.05, -0.01), "works"), ((-0.35, -0.15), "undecided"),
     ((math.nan, math.nan), "undecided"), (None, "undecided")],
)  # fmt: skip
def test_an_arm_must_do_better_than_its_placebo(
    placebo: tuple[float, float] | None, wanted: str
) -> None:
    """The same gain as the placebo: no effect; more: works; unclear, or never drawn: undecided."""
    found = [distance("a", -0.32, -0.28), FREE]
    found += [distance("p", *placebo)] if placebo else []
    assert judged(found, arm("a"), arm("p", "placebo"))["a"] == wanted


@pytest.mark.parametrize(
    ("placebo", "wanted"),
    [((0.1, 0.3), "undecided"), ((-0.05, 0.01), "harms"), ((math.nan, math.nan), "undecided"),
     (None, "undecided")],
)  # fmt: skip
def test_a_harm_is_asked_beyond_the_placebo_as_a_gain_is(
    placebo: tuple[float, float] | None, wanted: str
) -> None:
    """What any longer prompt also makes worse is not a harm of these words."""
    found = [distance("a", 0.15, 0.3), FREE]
    found += [distance("p", *placebo)] if placebo else []
    assert judged(found, arm("a"), arm("p", "placebo"))["a"] == wanted


@pytest.mark.parametrize("low", [-0.3, -0.02, 0.1])
def test_a_placebo_is_described_whatever_it_does(low: float) -> None:
    """A placebo has no placebo of its own, so neither a gain nor a harm is due to its words."""
    found = [distance("p", low, low + 0.1), alignment("p", -0.3, -0.2)]
    assert judged(found, arm("p", "placebo")) == {"p": "described"}
    both = Mitigation("p", "stack", {}, parts=(arm("x", "placebo"), arm("y", "guidance")))
    assert judged(found, both) == {"p": "described"}


def test_a_placebo_says_nothing_of_copies_that_it_was_not_asked_about() -> None:
    """A gain on captions counts alone where the placebo was never drawn for them."""
    found = [distance("a", -0.3, -0.1), copies("a", -0.9, -0.7), FREE, distance("p", -0.3, -0.1)]
    assert judged(found, arm("a"), arm("p", "placebo"))["a"] == "works"
    found.append(copies("p", -0.9, -0.7))
    assert judged(found, arm("a"), arm("p", "placebo"))["a"] == "undecided"


def test_each_arm_has_the_placebo_that_is_like_it() -> None:
    """By length first, then by gate; for a stack by any part; none for arms without words."""
    inject, ethical, tone = arm("i"), arm("e", "ethical"), arm("t", attribute="skin_tone")
    long, short = (arm(n, "placebo", like=k) for n, k in (("long", "e"), ("short", "i")))
    guidance = Mitigation("g", "guidance", {"scale": 2.0})
    negative = arm("n", "negative", target="uniform")
    both = Mitigation("b", "stack", {}, parts=(guidance, inject))
    neutral = Mitigation("u", "neutral", {"attribute": "gender"})
    declared = [inject, ethical, tone, long, short, guidance, negative, both, neutral]
    found = {m.name: arms.placebo_of(m, declared) for m in declared}
    assert {k: v.name for k, v in found.items() if v} == {
        "i": "short", "e": "long", "b": "short", "u": "long",
    }  # fmt: skip


def test_an_arm_of_which_nothing_is_known_has_no_verdict() -> None:
    """No row instead of an empty one."""
    assert judged([]) == {}
    assert judged([FREE]) == {}


def test_the_sentence_has_every_part_with_its_interval() -> None:
    """Distance, copies and alignment, each with its limits, and the pairs; the net is the claim."""
    found = [NEAR, copies("a", -0.2, -0.1), removed("a", 0.5, 0.7), FREE]
    (f,) = arms.findings(found, [arm("a")])
    assert f.sentence == (
        "a: the mean distance from the target and the rate of copies got better, and a loss of "
        "alignment that matters is ruled out (mean distance from the target -20 [-30, -10] points; "
        "rate of copies -15 [-20, -10] points; copies removed 60 % [50 %, 70 %]; "
        "alignment -0.005 [-0.010, 0.000]; n = 100 pairs)."
    )
    assert f.estimate == pytest.approx(2 + 1.5 - 0.25)
    assert f.low < f.estimate < f.high


def about(x: float, half: float = 0.02) -> Interval:
    """An interval around x."""
    return Interval(x, x - half, x + half)


def test_limits_of_a_difference_hold_for_two_normal_means() -> None:
    """Independent means with their intervals: the root of summed squares, exactly."""
    got = arms.difference(about(0.5, 0.3), about(0.2, 0.4))
    assert (got.estimate, got.low, got.high) == pytest.approx((0.3, -0.2, 0.8))
    assert arms.difference(about(1), UNKNOWN) == UNKNOWN
    two = tuple(Axis("x", about(0.1, 0.05), about(0.1, 0.05)) for _ in range(2))
    total = arms.net(Sides(two, about(-0.01, 0.0), 0.02))
    assert total.estimate == pytest.approx(1 + 1 - 0.5)
    assert total.high - total.estimate == pytest.approx(math.sqrt(0.5))
    assert arms.net(Sides(())) == UNKNOWN


GAINS = st.floats(-0.5, 0.5).map(lambda x: about(x, abs(x) / 3 + 0.01))


@given(GAINS, GAINS, GAINS, st.floats(0.01, 0.3))
def test_more_of_everything_is_never_judged_worse(
    a: Interval, b: Interval, cost: Interval, more: float
) -> None:
    """Order of verdicts from harm to gain; a better arm with the same limits never ranks lower."""
    order = ["harms", "undecided", "no effect", "at a cost", "works"]

    def word(shift: float) -> str:
        one, two, third = (
            Interval(x.estimate + shift, x.low + shift, x.high + shift) for x in (a, b, cost)
        )
        return arms.judge(Sides((Axis("x", one, one), Axis("y", two, two)), third, 0.02))[0]

    before, after = word(0.0), word(more)
    if "no effect" not in (before, after):
        assert order.index(after) >= order.index(before)
    assert not (before in ("works", "at a cost") and after in ("harms", "no effect"))
    assert not (before == "no effect" and after == "harms")


ARMS = {
    "none": BASE,
    "inject": GOOD,
    "costly": replace(GOOD, alignment=-0.3),
    "placebo": BASE,
    "useless": BASE,
    "guard": Arm(copies=0.2),
    "flip": OVER,
}
DECLARED = [arm(n, "placebo" if n == "placebo" else "ethical") for n in list(ARMS)[1:]]


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_planted_arms_are_judged_as_they_were_planted(seed: int) -> None:
    """Helpful arms work, costly arms harm, inert arms have no effect or are undecided."""
    world = World(seed, ARMS)
    tables = replace(world.tables(), vectors={})
    found: list[Finding] = []
    for name in list(ARMS)[1:]:
        found += effects.findings(tables, question(world, name))
    got = judged(found, *DECLARED)
    assert list(got) == list(ARMS)[1:]
    assert got["inject"] == "works"
    assert got["guard"] == "works"
    assert got["costly"] == "harms"
    assert got["flip"] in ("harms", "undecided")
    assert got["placebo"] == "described"
    assert got["useless"] in ("no effect", "undecided")
    assert np.isfinite([f.estimate for f in arms.findings(found, DECLARED)]).all()


def gaps(rng: np.random.Generator, shares: np.ndarray) -> np.ndarray:
    """Distance of each subject's share from one half, read off 5 prompts with 6 images each."""
    return np.asarray(np.abs(rng.binomial(30, shares) / 30 - 0.5))


@pytest.mark.parametrize("subjects", [3, 5, 10, 20])
@draws(few=100, many=400)
def test_an_arm_that_does_nothing_seldom_works_or_harms(subjects: int, runs: int) -> None:
    """Each of the two in at most 2.5 % of runs, with a placebo and alone."""
    rng = np.random.default_rng(subjects)
    words: dict[str, list[str]] = {"alone": [], "beside": []}
    for _ in range(runs):
        shares = rng.uniform(0.1, 0.9, subjects)
        before, found = gaps(rng, shares), [FREE]
        for name in ("a", "p"):
            moved = gaps(rng, shares) - before
            change = targets.over_subjects(moved)
            found.append(distance(name, change.low, change.high))
        words["alone"].append(judged(found)["a"])
        words["beside"].append(judged(found, arm("a"), arm("p", "placebo"))["a"])
    for said in words.values():
        assert at_most(said.count("works"), runs, 0.025)
        assert at_most(said.count("harms"), runs, 0.025)


@pytest.mark.parametrize("word", ["not enough subjects", "not enough prompts"])
def test_too_few_for_limits_is_a_verdict_of_its_own(word: str) -> None:
    """No limits of any gain: the arm has the verdict of the gain, whatever alignment does."""
    few = replace(distance("a", math.nan, math.nan), estimate=-0.2, verdict=word)
    assert judged([few, FREE]) == {"a": word}
    assert judged([few, copies("a", -0.9, -0.7), FREE]) == {"a": "works"}


def test_copies_that_were_not_there_cannot_be_asked_to_go() -> None:
    """No copies before: the width of that axis leaves nothing open, and more copies are a harm."""
    still = [distance("a", -0.04, 0.04), alignment("a", -0.005, 0.005)]

    def word(low: float, high: float, before: float) -> str:
        rate = replace(copies("a", low, high), references={"before": before, "after": 0.0})
        (f,) = arms.findings([*still, rate], [arm("a")])
        return f.verdict

    assert word(-0.15, 0.15, 0.0) == "no effect"
    assert word(-0.15, 0.15, 0.2) == "undecided"
    assert word(0.02, 0.15, 0.0) == "harms"
