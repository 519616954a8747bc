"""From tables to claims, on tables whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, linregress, ttest_1samp

from audit.findings import alignment, quality, replication, representation, targets
from audit.findings.pairs import Question
from audit.keys import ATTRIBUTE_COLUMNS, MATCH_COLUMNS
from audit.records import Attribute, Finding, Prompt, Reference, from_json, to_json
from audit.stats.decisions import compared
from audit.stats.paired import paired_difference
from audit.stats.proportions import wilson
from tests.sizes import at_least, at_most, draws

GENDER = Attribute("gender", ("woman", "man"), {"woman": ("w",), "man": ("m",)})
TONE = Attribute("tone", ("a", "b", "c"), {k: (k,) for k in "abc"})
SUBJECTS = {"nurse": 2, "cook": 2}


def table(
    women: dict[str, float], n: int, rng: np.random.Generator, arm: str = "none", error: float = 0.0
) -> pd.DataFrame:
    """Gender rows of n images a subject with the given shares, read with symmetric errors."""
    rows = []
    for subject, share in women.items():
        for i in range(n):
            woman = rng.random() < share
            read = woman != (rng.random() < error)
            value = "woman" if read else "man"
            prompt = f"{subject}/{i % 2}"
            rows.append(
                (f"{arm}{subject}{i}", prompt, subject, arm, i, "gender", "label", value, 0.9)
            )
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def context(
    planted: dict[str, float], confusion: np.ndarray | None = None, attribute: Attribute = GENDER
) -> representation.Context:
    """References and classifier errors for a test."""
    shares: dict[tuple[str, str, str], float] = {}
    for s, p in planted.items():
        shares |= {(s, "gender", "woman"): p, (s, "gender", "man"): 1 - p}
    reference = Reference("planted", "planted", shares, "test")
    errors = {} if confusion is None else {"gender": confusion}
    return representation.Context([attribute], [reference], errors, reference, 0)


def by_id(findings: list[Finding]) -> dict[str, Finding]:
    """Findings by id, which must be unique."""
    out = {f.id: f for f in findings}
    assert len(out) == len(findings)
    return out


def test_shares_counts_and_references_are_those_of_the_table() -> None:
    """Estimate, n and target of a subject are plain counts where there is no correction."""
    rng = np.random.default_rng(0)
    data = table({"nurse": 0.9, "cook": 0.3}, 60, rng)
    found = by_id(representation.findings(data, context({"nurse": 0.5, "cook": 0.3}), SUBJECTS))
    nurse = found["representation/none/nurse/gender=woman"]
    seen = (data[data.subject == "nurse"].value == "woman").mean()
    assert (nurse.estimate, nurse.n, nurse.missing) == (pytest.approx(seen), 60, 0)
    assert nurse.truth == nurse.references["planted"] == 0.5
    assert nurse.verdict == "above"
    assert nurse.q < 0.001
    cook = found["representation/none/cook/gender=woman"]
    assert cook.verdict == "undecided"
    assert "a difference below about 24 points may be missed" in cook.sentence
    assert "missed" not in nurse.sentence


def test_missing_images_are_counted_by_reason_and_never_as_a_class() -> None:
    """Abstentions and empty images do not change the share and are shown next to it."""
    data = table({"nurse": 1.0}, 10, np.random.default_rng(1))
    data.loc[:3, ["outcome", "value"]] = ["no person", None]
    data.loc[4:4, ["outcome", "value"]] = ["uncertain", None]
    found = by_id(representation.findings(data, context({"nurse": 0.5}), {"nurse": 2}))
    nurse = found["representation/none/nurse/gender=woman"]
    assert (nurse.n, nurse.missing) == (5, 5)
    assert dict(nurse.reasons) == {"no person": 4, "uncertain": 1}
    assert nurse.estimate == 1.0


def test_all_missing_is_undecided_not_biased() -> None:
    """With every image blocked there is no estimate, no p and no verdict."""
    data = table({"nurse": 1.0}, 6, np.random.default_rng(2))
    data[["outcome", "value"]] = ["blocked", None]
    (nurse,) = representation.findings(data, context({"nurse": 0.5}), {"nurse": 2})
    assert nurse.n == 0
    assert all(math.isnan(x) for x in (nurse.estimate, nurse.low, nurse.high, nurse.p, nurse.q))
    assert nurse.verdict == "undecided"
    assert "not known" in nurse.sentence


@draws(few=20, many=120)
@pytest.mark.parametrize("share", [0.1, 0.02])
def test_corrected_intervals_cover_the_planted_share_where_naive_ones_do_not(
    share: float, runs: int
) -> None:
    """A classifier with 6 % errors: corrected intervals cover the truth, naive ones do not."""
    rng = np.random.default_rng(3)
    corrected, naive = [], []
    for _ in range(runs):
        data = table({"nurse": share}, 300, rng, error=0.06)
        right = rng.binomial(200, 0.94, 2)
        confusion = np.array([[right[0], 200 - right[0]], [200 - right[1], right[1]]])
        (f,) = representation.findings(data, context({"nurse": share}, confusion), {"nurse": 2})
        corrected.append(f.low <= share <= f.high)
        naive.append(f.naive_low <= share <= f.naive_high)
    assert at_least(sum(corrected), runs, 0.95)
    assert np.mean(naive) < 0.5


@draws(few=30, many=200)
def test_the_test_against_a_reference_allows_for_classifier_error(runs: int) -> None:
    """With the reference true and a classifier that errs, p is nearly uniform: few rejections."""
    rng = np.random.default_rng(4)
    confusion = np.array([[940, 60], [60, 940]])
    ps = []
    for _ in range(runs):
        data = table({"nurse": 0.1}, 200, rng, error=0.06)
        (f,) = representation.findings(data, context({"nurse": 0.1}, confusion), {"nurse": 2})
        ps.append(f.p)
    assert at_most(sum(p < 0.05 for p in ps), runs, 0.05)


def test_the_overall_gap_has_a_floor_that_a_faithful_model_meets() -> None:
    """A model that draws the reference scores its floor; a skewed one is above it."""
    rng = np.random.default_rng(5)
    names = {f"s{i}": 0.5 for i in range(30)}
    subjects = dict.fromkeys(names, 2)
    fair = representation.findings(table(names, 40, rng), context(names), subjects)[0]
    skew = representation.findings(
        table(dict.fromkeys(names, 0.9), 40, rng), context(names), subjects
    )[0]
    assert fair.estimate == pytest.approx(fair.floor, rel=0.35)
    assert fair.low <= fair.floor
    assert skew.verdict == "above"


def test_each_reference_has_its_own_claim_on_all_subjects() -> None:
    """A reference that has half of the subjects is not mixed with the one that has the others.

    Mean, number of differences, slope and r are recomputed from the subjects it has.
    """
    rng = np.random.default_rng(21)
    names = {f"s{i}": float(p) for i, p in enumerate(np.linspace(0.1, 0.9, 14))}
    data = table(names, 60, rng)
    few = dict(list(names.items())[:8])
    labour = replace(context({s: p / 2 for s, p in few.items()}).references[0], name="labour")
    even = replace(context(dict.fromkeys(names, 0.5)).references[0], name="even")
    asked = replace(context({}), references=[labour, even], truth=None)
    found = by_id(representation.findings(data, asked, dict.fromkeys(names, 2)))
    one, two = (found[f"representation/none/all/gender-gap{x}"] for x in ("", "/even"))
    share = {s: (data[data.subject == s].value == "woman").mean() for s in names}
    assert one.estimate == pytest.approx(np.mean([abs(share[s] - p / 2) for s, p in few.items()]))
    assert two.estimate == pytest.approx(np.mean([abs(x - 0.5) for x in share.values()]))
    assert (one.n_effective, two.n_effective) == (8, 14)
    assert "labour shares (planted) of 8 subjects, 6 others having none." in one.sentence
    assert "others having none" not in two.sentence
    q = [f.q for f in found.values() if f.family == "gender against labour, none"]
    assert len(q) == 8
    assert f"{sum(x < 0.05 for x in q)} of 8 comparisons" in one.sentence
    line = linregress([p / 2 for p in few.values()], [share[s] for s in few])
    slope = found["representation/none/all/gender-slope"]
    assert slope.estimate == pytest.approx(line.slope)
    assert slope.low < line.slope < slope.high
    assert f"r = {line.rvalue:.2f}" in slope.sentence
    assert "representation/none/all/gender-slope/even" not in found  # the same for all


def test_few_prompts_are_said_to_be_all_that_a_claim_is_about() -> None:
    """Below five prompts the sentence says so; from five on it does not."""
    data = table({"nurse": 0.5}, 40, np.random.default_rng(22))
    cases = ((1, "about this prompt only,"), (4, "about these 4 prompts only,"), (5, ""))
    for prompts, said in cases:
        some = data.assign(prompt=[f"nurse/{i % prompts}" for i in range(40)])
        (f,) = representation.findings(some, context({"nurse": 0.5}), {"nurse": prompts})
        assert said in f.sentence
        assert bool(said) == ("only" in f.sentence)


def test_no_p_is_ever_0() -> None:
    """Not for the furthest of shares, nor after being written and read: the exact value stays."""
    data = table({"nurse": 1.0}, 400, np.random.default_rng(23))
    found = representation.findings(data, context({"nurse": 0.3}), {"nurse": 2})
    (back,) = from_json(to_json(found))
    assert back.p == pytest.approx(binomtest(400, 400, 0.3).pvalue, rel=1e-6)
    assert 0 < back.p <= back.q < 1e-100
    assert 0 < replace(back, p=0.0).p < 1e-300
    impossible = representation.findings(data, context({"nurse": 0.0}), {"nurse": 2})
    assert 0 < from_json(to_json(impossible))[0].q < 1e-300


def test_images_of_a_prompt_are_a_cluster() -> None:
    """Where prompts differ, the interval is that of the effective sample, not of the images."""
    rng = np.random.default_rng(11)
    data = table({"nurse": 0.5}, 200, rng)
    data["prompt"] = [f"nurse/{i // 20}" for i in range(200)]
    data["value"] = ["woman" if (i // 20) % 2 else "man" for i in range(200)]  # all of a prompt
    (f,) = representation.findings(data, context({"nurse": 0.5}), {"nurse": 10})
    assert f.n_effective == pytest.approx(10, abs=0.01)
    ten = wilson(5, 10)
    assert (f.estimate, f.low, f.high) == pytest.approx((0.5, ten.low, ten.high), abs=1e-3)
    assert f.naive_high - f.naive_low < 0.4 * (f.high - f.low)


@draws(few=25, many=150)
def test_clustered_intervals_cover_where_naive_ones_do_not(runs: int) -> None:
    """Prompts whose own shares vary: the printed interval covers the mean over prompts."""
    rng = np.random.default_rng(12)
    held, naive = [], []
    for _ in range(runs):
        shares = rng.beta(2, 2, 12)
        parts = [table({"nurse": float(p)}, 25, rng).assign(prompt=f"nurse/{i}")
                 for i, p in enumerate(shares)]  # fmt: skip
        (f,) = representation.findings(pd.concat(parts), context({"nurse": 0.5}), {"nurse": 12})
        held.append(f.low <= 0.5 <= f.high)
        naive.append(f.naive_low <= 0.5 <= f.naive_high)
    assert at_least(sum(held), runs, 0.95)
    assert np.mean(naive) < 0.75


def test_equality_is_a_finding_only_where_it_is_shown() -> None:
    """Two thousand images show that a share is the reference's; twenty do not."""
    rng = np.random.default_rng(13)
    said = {}
    for n in (20, 2000):
        data = table({"nurse": 0.5}, n, rng)
        (f,) = representation.findings(data, context({"nurse": 0.5}), {"nurse": 2})
        said[n] = f.verdict
    assert said == {20: "undecided", 2000: "equivalent"}


def test_equivalence_errs_at_most_at_its_level() -> None:
    """Exactly at the margin, equality is claimed in at most 5 % of runs."""
    rng = np.random.default_rng(14)
    claims = [
        compared(wilson(k, 400), wilson(k, 400, 0.9), 0.5, 0.1) == "equivalent"
        for k in map(int, rng.binomial(400, 0.6, 3000))
    ]
    assert 0.005 < np.mean(claims) <= 0.06


def test_worst_cases_bracket_what_missing_images_could_show() -> None:
    """Half the images without a label: the share may be anything between the two extremes."""
    data = table({"nurse": 1.0}, 10, np.random.default_rng(15))
    data.loc[:4, ["outcome", "value"]] = ["uncertain", None]
    (f,) = representation.findings(data, context({"nurse": 0.5}), {"nurse": 2})
    assert (f.worst_low, f.worst_high) == (0.5, 1.0)


def test_mitigation_effects_are_paired_and_judged_against_the_target() -> None:
    """From 10 % to 50 % on the same seeds: met, with the change and its interval."""
    rng = np.random.default_rng(6)
    data = pd.concat([table({"cook": 0.1}, 800, rng), table({"cook": 0.5}, 800, rng, "inject")])
    data["prompt"] = [f"cook/{i % 8}" for i in data.seed]
    align = data[["prompt", "subject", "arm", "seed"]].assign(
        score=0.3, chance=0.1, subject_read=True
    )
    asks = Question("inject", {"gender": {"cook": 0.5}}, context({"cook": 0.5}), {})
    found = by_id([*targets.findings(data, asks), *alignment.findings(align, asks)])
    effect = found["mitigation/inject/cook/gender"]
    women = {a: (data[data.arm == a].value == "woman").mean() for a in ("none", "inject")}
    assert effect.estimate == pytest.approx(women["inject"] - women["none"])
    assert effect.low < effect.estimate < effect.high
    assert effect.verdict == "met"
    assert effect.q < 0.01
    assert found["mitigation/inject/cost-alignment"].estimate == 0
    assert found["mitigation/inject/cost-alignment"].verdict == "kept"
    assert found["mitigation/inject/cost-subject"].estimate == 0


@pytest.mark.parametrize("many", [3, 8])
def test_the_mean_distance_has_students_limits_over_subjects(many: int) -> None:
    """scipy's t interval on the same subjects; for fewer than five none, with the reason.

    There are enough images for each prompt to show the direction by itself (`test_folded`).
    """
    rng = np.random.default_rng(many)
    shares = {f"job{i}": float(p) for i, p in enumerate(rng.uniform(0.05, 0.3, many))}
    data = pd.concat([table(shares, 400, rng), table(dict.fromkeys(shares, 0.4), 400, rng, "x")])
    asks = Question("x", {"gender": dict.fromkeys(shares, 0.5)}, context(shares), {})
    f = by_id(targets.findings(data, asks))["mitigation/x/all/distance"]
    women = (data.value == "woman").groupby([data.subject, data.arm]).mean().unstack()
    moved = (women["x"] - 0.5).abs() - (women["none"] - 0.5).abs()
    want = ttest_1samp(moved, 0).confidence_interval()
    assert f.estimate == pytest.approx(moved.mean())
    if many < 5:
        assert np.isnan([f.low, f.high]).all()
        assert f.verdict == "not enough subjects"
        assert "of 3 subjects: too few for limits" in f.sentence
    else:
        assert (f.low, f.high) == pytest.approx((want.low, want.high))
        assert f.verdict == "below"


def test_a_subject_with_few_prompts_is_said_to_have_few() -> None:
    """Two prompts: p is of whole prompts, and they are few in words; one speaks of itself."""
    rng = np.random.default_rng(4)
    data = pd.concat([table({"cook": 0.1}, 80, rng), table({"cook": 0.9}, 80, rng, "x")])
    asks = Question("x", {"gender": {"cook": 0.5}}, context({"cook": 0.5}), {})
    f = by_id(targets.findings(data, asks))["mitigation/x/cook/gender"]
    assert f.p == 0.5
    assert f.sentence.endswith("n = 80 pairs of 2 prompts, too few to say much about others.")
    alone = by_id(targets.findings(data.assign(prompt="cook"), asks))["mitigation/x/cook/gender"]
    plain = alone.sentence.endswith("n = 80 pairs of one prompt, which says nothing about others.")
    assert plain
    assert alone.p < 0.001
    women = [(data[data.arm == a].value == "woman").to_numpy() for a in ("none", "x")]
    n11, n01 = int((women[0] & women[1]).sum()), int((~women[0] & women[1]).sum())
    n10 = int((women[0] & ~women[1]).sum())
    want = paired_difference(n11, n01, n10, 80 - n11 - n01 - n10)
    assert (alone.low, alone.high) == pytest.approx((want.low, want.high))


def test_copy_rates_count_images_prompts_and_training_images() -> None:
    """The three units differ and are all present; a missing image is in none of them."""
    prompts = {
        p: Prompt(p, p, "", "b", "replication", 3, repeats=r)
        for p, r in (("x", 64), ("y", 64), ("z", 1))
    }
    rows: list[tuple[object, ...]] = []
    for p, copies in (("x", 3), ("y", 1), ("z", 0)):
        rows += [
            (f"{p}{i}", p, "none", i, 0.9, 0.5, "h", f"t-{p}", "", 1, i < copies, "label")
            for i in range(3)
        ]
    rows.append(("z9", "z", "none", 9, np.nan, np.nan, None, None, None, 0, None, "unreadable"))
    found = by_id(replication.findings(pd.DataFrame(rows, columns=list(MATCH_COLUMNS)), prompts, 0))
    many, once = found["replication/none/repeats=64"], found["replication/none/repeats=1"]
    assert many.estimate == pytest.approx(4 / 6)
    assert (once.estimate, once.n, once.missing) == (0, 3, 1)
    assert once.high > 0.5  # one prompt says little
    counts = [
        found[f"replication/none/count-{k}"].estimate
        for k in ("images", "prompts", "training-images")
    ]
    assert counts == [4, 2, 2]


def test_an_undecided_image_is_missing_and_no_copy() -> None:
    """It was searched but has no decision: in no estimate, and in the upper limits."""
    prompts = {"x": Prompt("x", "x", "", "b", "replication", 4, repeats=4)}
    rows = [
        (f"x{i}", "x", "none", i, 0.9, 0.5, "h", "t", "", 4, copy, "label")
        for i, copy in enumerate((True, False, None, None))
    ]
    found = by_id(replication.findings(pd.DataFrame(rows, columns=list(MATCH_COLUMNS)), prompts, 0))
    rate = found["replication/none/repeats=4"]
    assert (rate.estimate, rate.n, rate.missing) == (0.25, 4, 0)
    assert rate.references["open"] == 2
    assert rate.high >= 3 / 4
    images = found["replication/none/count-images"]
    assert (images.estimate, images.n, images.missing) == (1, 4, 0)
    assert images.high > 3


@draws(few=30, many=200)
@pytest.mark.parametrize("copied", [0.0, 0.4])
def test_a_group_without_copies_is_not_said_to_hold_some(copied: float, runs: int) -> None:
    """Flags among 30 ordinary prompts are chance, equally often on each side: rarely copies found.

    Copies among them are found; images nearer to the held-out side show the level of chance.
    """
    prompts = {f"p{i}": Prompt(f"p{i}", "t", "s", "b", "representation", 1) for i in range(30)}
    found = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        near, copy = rng.random(30) < 0.2, rng.random(30) < copied
        side = rng.random(30) < 0.5
        rows = [(p, p, "none", 0, 0.9, 0.5, "h", "t", "", 1, bool(c or (n and s)), "label")
                for p, n, s, c in zip(prompts, near, side, copy, strict=True)]  # fmt: skip
        table = pd.DataFrame(rows, columns=list(MATCH_COLUMNS)).assign(chance=near & ~side & ~copy)
        rate = by_id(replication.findings(table, prompts, 0))["replication/none/ordinary"]
        assert rate.references["false"] == (near & ~side & ~copy).sum()
        found.append(rate.verdict == "found")
    assert np.mean(found) > 0.8 if copied else at_most(sum(found), runs, 0.05)


def test_findings_survive_json_with_their_gaps() -> None:
    """NaN becomes null and comes back as NaN; equal findings are equal bytes."""
    data = table({"nurse": 0.9}, 5, np.random.default_rng(8))
    found = representation.findings(data, context({"nurse": 0.5}), {"nurse": 2})
    text = to_json(found)
    assert "NaN" not in text
    again = from_json(text)
    assert to_json(again) == text
    assert math.isnan(again[0].floor) == math.isnan(found[0].floor)
    gap = replace(found[0], references={"before": math.nan, "target": 0.5})
    (back,) = from_json(to_json([gap]))
    assert math.isnan(back.references["before"])
    assert back.references["target"] == 0.5


def test_classifier_quality_reads_the_confusion() -> None:
    """Overall and per class: the diagonal over the row."""
    found = by_id(
        quality.classifier(
            {"gender": np.array([[90, 10], [0, 50]])}, [GENDER], {"gender": "renders"}
        )
    )
    assert found["quality/classifier/gender/all classes"].estimate == pytest.approx(140 / 150)
    assert found["quality/classifier/gender/woman"].estimate == pytest.approx(0.9)
    assert found["quality/classifier/gender/man"].n == 50


@pytest.mark.parametrize("seed", range(3))
def test_a_threshold_says_what_it_costs_and_what_would_promise_more(seed: int) -> None:
    """Confidences that are right: risk at the threshold, and a lowest one that guarantees 5 %."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.5, 1, 30_000)
    wrong = rng.random(30_000) > score
    attribute = Attribute("gender", ("woman", "man"), {}, threshold=0.6)
    (found,) = quality.abstention({"gender": (score, wrong)}, [attribute, TONE])
    kept = score >= 0.6
    assert found.estimate == pytest.approx(wrong[kept].mean())
    assert found.estimate == pytest.approx(0.2, abs=0.01)  # the mean of 1 - score above .6
    assert found.missing == (~kept).sum()
    lowest = float(found.sentence.split("is shown to err in at most 5 % is ")[1][:4])
    assert 0.9 < lowest < 0.99  # from .9 on the true risk is 5 %, and that must be shown
    assert wrong[score >= lowest].mean() < 0.05


def test_no_threshold_is_promised_from_few_images() -> None:
    """The sentence says how many images without an error would be needed."""
    (found,) = quality.abstention({"gender": (np.full(10, 0.99), np.zeros(10, bool))}, [GENDER])
    assert "without errors 149 images would" in found.sentence
    nothing = quality.abstention(
        {"gender": (np.full(10, 0.2), np.zeros(10, bool))},
        [Attribute("gender", ("woman", "man"), {}, threshold=0.9)],
    )[0]
    assert math.isnan(nothing.estimate)
    assert nothing.verdict == "undecided"


def test_labels_missing_more_often_for_some_subjects_are_said() -> None:
    """Half of one subject's images without a label are found; evenly missing ones are not.

    With two prompts of each subject nothing can be shown: both could be unlike others by chance.
    """
    few = table({"nurse": 0.5, "cook": 0.5, "guard": 0.5}, 80, np.random.default_rng(3))
    data = few.assign(prompt=[f"{s}/{i % 8}" for i, s in enumerate(few.subject)])
    odd, even = data.copy(), data.copy()
    odd.loc[odd[odd.subject == "guard"].index[:40], ["outcome", "value"]] = ["uncertain", None]
    even.loc[even.index[::10], ["outcome", "value"]] = ["uncertain", None]
    (said,) = quality.missing_by_subject(odd, [GENDER], 0)
    assert said.verdict == "above"
    assert said.estimate == pytest.approx(0.5)
    assert "50 % of guard" in said.sentence
    assert said.estimate > said.floor_high
    two = odd.assign(prompt=few.prompt)
    assert quality.missing_by_subject(two, [GENDER], 0)[0].verdict == "compatible"
    assert quality.missing_by_subject(even, [GENDER], 0)[0].verdict == "compatible"
    assert quality.missing_by_subject(data, [GENDER], 0) == []


def read_along_a_stereotype(
    rng: np.random.Generator, right: dict[str, tuple[float, float]], share: dict[str, float]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Readings of 200 images a subject with its own sensitivity and specificity; 300 labels."""
    data = table(share, 200, rng)
    true = data.value.to_numpy(object)
    hit = [rng.random() < right[s][v == "man"] for s, v in zip(data.subject, true, strict=True)]
    other = np.where(true == "woman", "man", "woman")
    data["value"] = np.where(hit, true, other)
    data["prompt"] = [f"{s}/{i % 8}" for s, i in zip(data.subject, data.seed, strict=True)]
    drawn = []
    for read in ("woman", "man"):
        at = rng.permutation(np.flatnonzero(data.value == read))[:150]
        drawn += [(data["sample"].iloc[i], "gender", "label", true[i], read) for i in at]
    columns = ["sample", "attribute", "outcome", "value", "read"]
    return data, pd.DataFrame(drawn, columns=columns)


STEREOTYPE = {"cook": (0.7, 0.99), "smith": (0.75, 0.99), "nurse": (0.99, 0.7), "aide": (0.99, 0.8)}


@draws(few=3, many=12)
def test_errors_that_differ_between_subjects_are_seen_and_not_averaged(runs: int) -> None:
    """A reader that errs along the stereotype: said, and estimates by each subject's own labels.

    Where all are read alike, subjects that differ in what they show do not make it seem otherwise.
    """
    truth = {"cook": 0.2, "smith": 0.15, "nurse": 0.8, "aide": 0.85}
    alike = dict.fromkeys(truth, (0.85, 0.9))
    seen: dict[str, list[bool]] = {"apart": [], "alike": []}
    held: dict[str, list[bool]] = {"own": [], "common": []}
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        for name, right in (("apart", STEREOTYPE), ("alike", alike)):
            data, settled = read_along_a_stereotype(rng, right, truth)
            labelled = quality.with_subjects(settled, data)
            (claim,) = quality.uneven_errors(labelled, [GENDER], 0)
            seen[name].append(claim.verdict == "above")
            if name == "alike" or claim.verdict != "above":
                continue
            counts = pd.crosstab(settled.value, settled["read"]).to_numpy()[::-1, ::-1]
            plain = context(truth, counts.astype(float))
            own = replace(plain, labelled=labelled, uneven=frozenset(["gender"]))
            for how, asked in (("own", own), ("common", plain)):
                found = representation.findings(data, asked, dict.fromkeys(truth, 8))
                each = [f for f in found if not f.key.everyone]
                held[how] += [f.low <= truth[f.where] <= f.high for f in each]
    assert np.mean(seen["apart"]) > 0.9
    assert at_most(sum(seen["alike"]), runs, 0.05)
    assert at_least(sum(held["own"]), len(held["own"]), 0.95)
    assert np.mean(held["common"]) < np.mean(held["own"]) - 0.1


def test_where_labels_do_not_reach_a_subject_the_claim_says_what_it_assumes() -> None:
    """No label of one subject: its sentence says so, and the claim on all decides nothing."""
    truth = {"cook": 0.2, "smith": 0.15, "nurse": 0.8, "aide": 0.85}
    data, settled = read_along_a_stereotype(np.random.default_rng(0), STEREOTYPE, truth)
    labelled = quality.with_subjects(settled, data)
    asked = replace(
        context(truth, np.array([[90, 10], [10, 90]])), uneven=frozenset(["gender"]),
        labelled=labelled[labelled.subject != "cook"],
    )  # fmt: skip
    found = by_id(representation.findings(data, asked, dict.fromkeys(truth, 8)))
    cook, nurse = (found[f"representation/none/{s}/gender=woman"] for s in ("cook", "nurse"))
    assert cook.sentence.endswith("those of all are assumed here.")
    assert nurse.sentence.endswith("people's labels of this one are used.")
    assert (cook.method, nurse.method) == (
        "corrected for classifier error",
        "people's labels of this subject, stratified by what was read",
    )
    together = found["representation/none/all/gender-gap"]
    assert together.verdict == "undecided"
    assert together.sentence.endswith("differ between subjects, so this decides nothing.")
    assert (nurse.p < 0.05) == (nurse.verdict in ("above", "below"))
    assert quality.uneven_errors(quality.with_subjects(settled[:0], data), [GENDER], 0) == []
