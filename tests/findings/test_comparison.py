"""Changes between two runs: against planted changes, libraries, and each other."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from audit.findings.comparison import Common, Context, findings
from audit.keys import VERDICTS
from audit.records import Finding
from audit.runs.comparing import join
from audit.stats.change import youden
from audit.stats.interval import Interval
from audit.stats.multiplicity import benjamini_hochberg
from tests.sizes import at_least, at_most, draws, leading

NONE = Common(*(pd.DataFrame(columns=["prompt", "arm", "seed", "subject"]),) * 3)
CLASSES = {"gender": ("woman", "man")}


def table(rng: np.random.Generator, values: dict[str, np.ndarray], first: int = 0) -> pd.DataFrame:
    """Labels per subject, bool[prompts, seeds]: True is a woman; a tenth has none."""
    rows = [
        (f"{s} {i}", "none", first + j, s, "gender",
         "uncertain" if rng.random() < 0.1 else "label", "woman" if v else "man")
        for s, grid in values.items()
        for i, line in enumerate(grid)
        for j, v in enumerate(line)
    ]  # fmt: skip
    columns = ["prompt", "arm", "seed", "subject", "attribute", "outcome", "value"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(value=found.value.where(found.outcome == "label", None))


def changes(a: pd.DataFrame, b: pd.DataFrame, context: Context) -> dict[str, Finding]:
    """The findings on these labels by `where`."""
    return {f.where: f for f in findings(join(a, b, ["attribute", "subject"]), NONE, NONE, context)}


def images(rng: np.random.Generator, n: int = 6) -> dict[str, np.ndarray]:
    """Labels of five subjects with a share each, one image of every prompt."""
    return {f"s{i}": rng.random((40, 1)) < rng.uniform(0.1, 0.9) for i in range(n)}


@pytest.mark.parametrize("seed", leading(1, range(4)))
def test_pairs_are_tested_by_mcnemar(seed: int) -> None:
    """p is statsmodels' exact McNemar on the pairs with both labels; q is inside the family."""
    rng = np.random.default_rng(seed)
    before = images(rng)
    after = {s: v ^ (rng.random(v.shape) < 0.3) for s, v in before.items()}
    a, b = table(rng, before), table(rng, after)
    found = changes(a, b, Context(CLASSES))
    ps = []
    for s in before:
        both = a[a.subject == s].merge(b[b.subject == s], on=["prompt", "seed"])
        known = both[(both.outcome_x == "label") & (both.outcome_y == "label")]
        tally = pd.crosstab(known.value_x == "woman", known.value_y == "woman")
        tally = tally.reindex([False, True], fill_value=0).reindex([False, True], axis=1)
        wanted = mcnemar(tally.fillna(0).to_numpy(), exact=True).pvalue
        f = found[s]
        assert f.p == pytest.approx(wanted)
        assert (f.n, f.missing) == (len(known), len(both) - len(known))
        assert f.reasons == {"uncertain": f.missing}
        shift = (known.value_y == "woman").mean() - (known.value_x == "woman").mean()
        assert f.estimate == pytest.approx(shift)
        assert "paired" in f.method
        assert f.n_effective == f.n  # every prompt has one image
        ps.append(f.p)
    assert [found[s].q for s in before] == pytest.approx(benjamini_hochberg(np.array(ps)))
    assert all(f.verdict in VERDICTS for f in found.values())


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_other_seeds_are_two_groups(seed: int) -> None:
    """Where no seeds are shared: Newcombe's unpaired interval, Fisher's p, and the reason."""
    rng = np.random.default_rng(seed)
    a, b = table(rng, images(rng)), table(rng, images(rng), first=100)
    found = changes(a, b, Context(CLASSES))
    for s in images(rng):
        f = found[s]
        k, n = zip(
            *(
                (int((t.value == "woman").sum()), int((t.outcome == "label").sum()))
                for t in (a[a.subject == s], b[b.subject == s])
            ),
            strict=True,
        )
        low, high = confint_proportions_2indep(k[1], n[1], k[0], n[0], method="newcomb")
        assert (f.low, f.high) == pytest.approx((low, high))
        assert f.n == sum(n)
        assert "the seeds differ: 0 of 40" in f.method
    assert "over subjects" in found["all 6 subjects"].method


def test_other_prompts_are_two_groups() -> None:
    """Subjects without a common prompt are compared on all images, and the method says so."""
    rng = np.random.default_rng(5)
    a, b = table(rng, images(rng)), table(rng, images(rng))
    b["prompt"] = "other " + b.prompt
    found = changes(a, b, Context(CLASSES))
    assert "the prompts differ" in found["s0"].method
    assert found["s0"].n > 60


def test_few_pairs_do_not_speak_for_many_images() -> None:
    """Under half of the images in pairs: the groups are compared; half: the pairs are."""
    rng = np.random.default_rng(6)
    wide = {"s0": rng.random((10, 10)) < 0.5}
    a = table(rng, wide)
    for first, unpaired in ((6, True), (5, False)):
        f = changes(a, table(rng, wide, first), Context(CLASSES))["s0"]
        assert ("two groups" in f.method) == unpaired


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_a_run_compared_with_itself_does_not_change(seed: int) -> None:
    """Every change is 0, nothing is above or below, and with enough images it is equivalent."""
    rng = np.random.default_rng(seed)
    a = table(rng, {s: rng.random((60, 4)) < 0.5 for s in ("x", "y")})
    found = changes(a, a, Context(CLASSES))
    for f in found.values():
        assert f.estimate == 0
        assert f.low < 0 < f.high
        assert f.verdict == "equivalent"
        assert f.p == 1


def test_swapping_the_runs_mirrors_every_change() -> None:
    """B against A is A against B with the sign reversed."""
    rng = np.random.default_rng(7)
    a, b = table(rng, images(rng)), table(rng, images(rng))
    there, back = changes(a, b, Context(CLASSES)), changes(b, a, Context(CLASSES))
    for where in there:
        f, g = there[where], back[where]
        assert f.estimate == pytest.approx(-g.estimate)
        if where.startswith("s"):
            assert (f.low, f.high) == pytest.approx((-g.high, -g.low))
        assert f.p == pytest.approx(g.p)


@draws(few=10, many=60)
@pytest.mark.parametrize("paired", [True, False])
def test_planted_changes_are_covered_through_the_readers_errors(paired: bool, runs: int) -> None:
    """Truth is within 95 % intervals in about 95 % of runs; uncorrected ones shrink towards 0."""
    rng = np.random.default_rng(8)
    covered, naive, estimates = [], [], []
    for _ in range(runs):
        shares = {f"s{i}": rng.uniform(0.1, 0.9, 2) for i in range(5)}
        tables = []
        noise = {s: rng.random((50, 1)) for s in shares}
        for side in (0, 1):
            drawn = {
                s: np.where(rng.random((50, 1)) < 0.5, noise[s], rng.random((50, 1))) < p[side]
                for s, p in shares.items()
            }
            read = {
                s: np.where(v, rng.random(v.shape) < 0.9, rng.random(v.shape) >= 0.8)
                for s, v in drawn.items()
            }
            tables.append(table(rng, read, 0 if paired else side))
        index = youden(rng.binomial(150, 0.9), 150, rng.binomial(150, 0.8), 150)
        found = changes(tables[0], tables[1], Context(CLASSES, {"gender": index}))
        for s, p in shares.items():
            f, true = found[s], p[1] - p[0]
            covered.append(f.low <= true <= f.high)
            estimates.append(f.estimate * np.sign(true) - abs(true))
            naive.append(f.naive * np.sign(true) - abs(true))
    assert at_least(sum(covered), len(covered), 0.95)
    assert abs(np.mean(estimates)) < 0.025 * math.sqrt(60 / runs)
    assert np.mean(naive) < -0.05
    assert np.mean(covered) <= 0.99 or runs < 60  # of few intervals all may hold


def test_images_of_one_prompt_are_not_independent_pairs() -> None:
    """Ten identical images of each of eight prompts count as eight: the interval is as wide."""
    rng = np.random.default_rng(9)
    zero = np.zeros((8, 10), bool)
    after = {"s0": np.repeat(rng.random((8, 1)) < 0.5, 10, 1), "s1": zero.copy()}
    after["s1"][::2] = True
    a, b = table(rng, {"s0": zero, "s1": zero}), table(rng, after)
    f = changes(a, b, Context(CLASSES))["s1"]
    assert f.n > 60
    assert f.n_effective == pytest.approx(8, abs=0.6)
    assert f.high - f.low > 0.4
    assert f.p > 0.05


def scores(rng: np.random.Generator, shift: float, copies: float) -> pd.DataFrame:
    """Cosines and copies of thirty prompts, four images each; the prompt decides most."""
    level = np.random.default_rng([1, 99]).normal(0.3, 0.05, 30)
    rows = [
        (f"p{i}", "none", j, "s", level[i] + shift + 0.01 * rng.normal(), bool(rng.random() < 0.9),
         float(rng.random() < copies), "ordinary prompts")
        for i in range(30)
        for j in range(4)
    ]  # fmt: skip
    columns = ["prompt", "arm", "seed", "subject", "score", "subject_read", "copy", "group"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize("seed", leading(1, range(4)))
def test_cosines_and_copies_change_prompt_by_prompt(seed: int) -> None:
    """A planted shift is found, with an interval that covers it; without one none is found."""
    rng = np.random.default_rng(seed)
    a, b = scores(rng, 0, 0.1), scores(rng, -0.02, 0.5)
    found = {
        f.id: f for f in findings(NONE, join(a, b, ["subject"]), join(a, b, ["group"]), Context({}))
    }
    cosine = found["comparison/none/all/alignment"]
    assert cosine.estimate == pytest.approx(-0.02, abs=0.005)
    assert cosine.high - cosine.low < 0.012
    assert cosine.verdict == "below"
    assert cosine.n_effective == 30
    copied = found["comparison/none/copies/ordinary prompts"]
    assert copied.estimate == pytest.approx(b["copy"].mean() - a["copy"].mean())
    assert copied.verdict == "above"
    assert copied.q < 0.01
    assert found["comparison/none/all/subject"].p > 0.001


@draws(few=15, many=60)
def test_the_shift_of_cosines_is_covered(runs: int) -> None:
    """Thirty prompts: a 95 % interval by resampling them covers the planted shift."""
    held = []
    for seed in range(runs):
        rng = np.random.default_rng([seed, 5])
        both = join(scores(rng, 0, 0), scores(rng, -0.02, 0), ["subject"])
        f = next(f for f in findings(NONE, both, NONE, Context({})) if "cosine" in f.quantity)
        held.append(f.low < -0.02 < f.high)
    assert at_least(sum(held), runs, 0.95)


def test_seeds_that_differ_leave_prompts_as_pairs() -> None:
    """Without common seeds, means of prompts are compared, and n counts prompts."""
    rng = np.random.default_rng(3)
    a, b = scores(rng, 0, 0.1), scores(rng, 0.02, 0.1).assign(seed=lambda t: t.seed + 50)
    found = findings(NONE, join(a, b, ["subject"]), NONE, Context({}))
    f = next(f for f in found if f.id.endswith("alignment"))
    assert f.n == 30
    assert "prompt by prompt (the seeds differ" in f.method
    assert f.low < 0.02 < f.high


@pytest.mark.parametrize(
    ("before", "after", "change"), [(0.0, 0.0, 0), (0.0, 1.0, 1), (1.0, 1.0, 0)]
)
def test_prompts_that_all_change_alike_still_have_an_interval(
    before: float, after: float, change: int
) -> None:
    """Equal changes of all prompts have no spread, and still leave room for prompts to come."""
    rng = np.random.default_rng(4)
    a, b = (scores(rng, 0, r) for r in (before, after))
    f = findings(NONE, NONE, join(a, b, ["group"]), Context({}))[0]
    assert f.estimate == change
    assert f.high - f.low > 0.05
    assert "Student's t over prompts" in f.method


def test_nothing_known_is_undecided() -> None:
    """No labels at all on one side: NaN and a reason, never a change of 0."""
    rng = np.random.default_rng(2)
    a, b = table(rng, images(rng)), table(rng, images(rng))
    b = b.assign(outcome="no person", value=None)
    f = changes(a, b, Context(CLASSES))["s0"]
    assert math.isnan(f.estimate)
    assert f.verdict == "undecided"
    assert f.reasons["no person"] > 0
    assert Interval(f.estimate, f.low, f.high) != Interval(0, 0, 0)


def seedless(counts: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Labels of images without a seed, one prompt a subject: women of all, by subject."""
    rows = [
        (s, "none", s, "gender", "label", "woman" if i < k else "man", f"{s}{i}")
        for s, (k, n) in counts.items()
        for i in range(n)
    ]
    columns = ["prompt", "arm", "subject", "attribute", "outcome", "value", "sample"]
    return pd.DataFrame(rows, columns=columns).assign(seed=pd.array([None] * len(rows), "Int64"))


def test_rows_without_seeds_are_never_pairs() -> None:
    """Twenty of 50 against 28 of 50 is Fisher's .16 for each subject, not McNemar's .008."""
    jobs = ("nurse", "engineer")
    a, b = (seedless(dict.fromkeys(jobs, (k, 50))) for k in (20, 28))
    joined = join(a, b, ["attribute", "subject"])
    assert joined.pairs.empty
    found = changes(a, b, Context(CLASSES))
    for job in jobs:
        f = found[job]
        assert (round(f.low, 2), round(f.estimate, 2), round(f.high, 2)) == (-0.03, 0.16, 0.34)
        assert f.p == pytest.approx(fisher_exact([[20, 30], [28, 22]]).pvalue)
        assert f.verdict == "undecided"
        assert "no seeds are given" in f.method
    whole = found["all 2 subjects"]
    assert whole.verdict == "not enough subjects"
    assert math.isnan(whole.low)
    for f in found.values():
        assert "paired" not in f.sentence + f.method
        assert f.verdict in VERDICTS


def test_a_few_seeds_among_many_images_pair_only_their_own() -> None:
    """Half of the images with a seed that both have: these are the pairs, and no others."""
    rng = np.random.default_rng(11)
    a = table(rng, {"s0": rng.random((4, 10)) < 0.5})
    for share, groups in ((0.6, False), (0.3, True)):
        gone = a.seed >= 10 * share
        some = a.assign(seed=a.seed.astype("Int64").mask(gone))
        f = changes(some, some, Context(CLASSES))["s0"]
        assert ("two groups" in f.method) == groups
        if not groups:
            assert f.n + f.missing == 24


@draws(few=8, many=40)
@pytest.mark.parametrize("prompts", [2, 4])
@pytest.mark.parametrize("paired", [True, False])
def test_prompts_that_differ_show_no_change_of_their_own(
    prompts: int, paired: bool, runs: int
) -> None:
    """Two runs, each with its own effect of each prompt: a subject changes in 7 % or fewer.

    `benchmarks/changes.py` has the same with more runs, for other numbers of prompts and subjects.
    """
    rng, subjects, shown = np.random.default_rng([prompts, paired]), 4, list[bool]()
    for _ in range(runs):
        sides = []
        for side in (0, 1):
            share = np.clip(0.5 + rng.normal(0, 0.2, (subjects, prompts, 1)), 0.05, 0.95)
            drawn = rng.random((subjects, prompts, 6)) < share
            grids = {f"s{i}": g for i, g in enumerate(drawn)}
            sides.append(table(rng, grids, first=0 if paired else 10 * side))
        found = changes(sides[0], sides[1], Context(CLASSES))
        shown += [f.verdict in ("above", "below") for w, f in found.items() if w.startswith("s")]
    assert at_most(sum(shown), len(shown), 0.07)
