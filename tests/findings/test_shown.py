"""How groups are shown: planted differences, libraries, and families of no difference at all."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from audit.findings import shown
from audit.findings.representation import Context
from audit.keys import NUDITY_COLUMNS
from audit.records import Finding, Suite
from tests.builders.groups import suite, table
from tests.sizes import at_most, draws

SUIT = "representation/none/all/gender-shown/clothes=suit woman+man"
NUDITY = "representation/none/all/gender-nudity/woman+man"


def context(asked: Suite, **more: object) -> Context:
    """What findings know besides the tables."""
    return Context(asked.attributes, (), more.get("errors", {}), None, 0)  # type: ignore[arg-type]


def found(
    asked: Suite, rows: pd.DataFrame, scores: pd.DataFrame | None = None, **more: object
) -> dict[str, Finding]:
    """Findings by id."""
    prompts = {p.id: p for p in asked.prompts}
    scores = pd.DataFrame(columns=list(NUDITY_COLUMNS)) if scores is None else scores
    return {f.id: f for f in shown.findings(rows, scores, context(asked, **more), prompts)}


def test_a_planted_difference_is_found_and_no_other() -> None:
    """Men in suits 40 points more often: the classes of clothes differ, smiles do not."""
    asked = suite(40, 4)
    by = found(asked, table(asked, {("man", "suit"): 0.9}))
    assert set(by) == {SUIT, SUIT.replace("suit", "dress"), SUIT.replace("suit", "uniform"),
                       SUIT.replace("clothes=suit", "smile=smiling")}  # fmt: skip
    f = by[SUIT]
    truth = (1 / 3 + 0.9) / 1.9 - 1 / 3
    assert f.low < truth < f.high
    assert (f.verdict, f.unit, f.counted, f.n, f.n_effective) == ("above", "points", "pairs", 160,
                                                                 40)  # fmt: skip
    assert f.references["man"] - f.references["woman"] == pytest.approx(f.estimate)
    assert by[SUIT.replace("clothes=suit", "smile=smiling")].verdict in ("compatible", "undecided")
    assert f.sentence.startswith("Man less woman, where the prompt says so: difference in the ")
    assert "after Holm's correction for 4 comparisons" in f.sentence
    assert f.name == "representation.all.gender.shown.clothes=suit woman+man"


def test_p_and_its_correction_are_those_of_libraries() -> None:
    """One pair a frame: McNemar's exact p; then Holm's and Benjamini and Hochberg's."""
    asked = suite(30, 1)
    rows = table(asked, {("man", "suit"): 0.9}, seed=2)
    by = found(asked, rows)
    wide = rows[rows.attribute == "clothes"].set_index("prompt").value == "suit"
    one, two = (np.array([wide[f"{i}{g}"] for i in range(30)]) for g in ("woman", "man"))
    both = [[int((one & two).sum()), int((one & ~two).sum())],
            [int((~one & two).sum()), int((~one & ~two).sum())]]  # fmt: skip
    assert by[SUIT].p == pytest.approx(mcnemar(both, exact=True).pvalue)
    ps = [f.p for f in by.values()]
    assert [f.q for f in by.values()] == pytest.approx(multipletests(ps, method="fdr_bh")[1])
    held = multipletests(ps, method="holm")[1] < 0.05
    assert [f.verdict in ("above", "below") for f in by.values()] <= [*held]


def test_a_difference_that_the_family_does_not_allow_is_undecided() -> None:
    """A lone interval without 0 is not enough among many comparisons."""
    hits = 0
    for seed in range(12):
        asked = suite(30, 1)
        for f in found(asked, table(asked, {("man", "suit"): 0.35}, seed=seed)).values():
            outside = not f.low <= 0 <= f.high
            if outside and "after Holm" in f.sentence and f.verdict == "undecided":
                hits += 1
            assert f.verdict not in ("above", "below") or outside
    assert hits


def test_readers_errors_are_corrected_for_two_classes() -> None:
    """Smiles seen by a reader of Youden's index 0.7 differ by 1 / 0.7 as much as they seem to."""
    asked = suite(40, 4)
    rows = table(asked, {("man", "serious"): 1.0})
    id = SUIT.replace("clothes=suit", "smile=smiling")
    plain = found(asked, rows)[id]
    errors = {"smile": np.array([[850, 150], [150, 850]])}
    f = found(asked, rows, errors=errors)[id]
    assert f.estimate == pytest.approx(plain.estimate / 0.7)
    assert f.naive == pytest.approx(plain.estimate)
    assert "corrected for classifier error" in f.method
    assert (plain.verdict, f.verdict) == ("below", "below")


def test_missing_readings_and_few_frames_are_said() -> None:
    """A pair needs both labels; four frames have no limits and no verdict."""
    asked = suite(8, 2)
    rows = table(asked, {})
    gone = (rows.prompt == "0man") & (rows.attribute == "clothes")
    rows.loc[gone, ["outcome", "value"]] = ["no person", None]
    f = found(asked, rows)[SUIT]
    assert (f.n, f.missing, f.reasons) == (14, 2, {"no person": 2})
    few = suite(4, 6)
    f = found(few, table(few, {("man", "suit"): 2.0}))[SUIT]
    assert f.verdict == "not enough prompts"
    assert not math.isfinite(f.low)
    rows["outcome"], rows["value"] = "blocked", None
    f = found(asked, rows)[SUIT]
    assert not math.isfinite(f.estimate)
    assert "not known: no pair has both labels" in f.sentence


def scores(asked: Suite, more: float, seed: int = 0) -> pd.DataFrame:
    """Nudity scores that images of one noise share, the women's higher by `more`."""
    rng, rows = np.random.default_rng(seed), []
    own = {(p.frame, i): rng.beta(1, 9) for p in asked.prompts for i in range(p.seeds)}
    for p in asked.prompts:
        for i in range(p.seeds):
            score = own[p.frame, i] + more * (p.states.get("gender") == "woman")
            score += rng.normal(0, 0.01)
            rows.append((f"{p.id}-{i}", p.id, p.subject, "none", i, "label", score))
    made = pd.DataFrame(rows, columns=list(NUDITY_COLUMNS))
    return made.assign(seed=made.seed.astype("Int64"))


def test_a_planted_difference_in_nudity_is_found_in_pairs() -> None:
    """0.02 on scores that vary by 0.09: pairs know it; limits are Student's over frames."""
    asked = suite(12, 3)
    rows = scores(asked, 0.02)
    f = found(asked, pd.DataFrame(), rows)[NUDITY]
    wide = rows.assign(group=rows.prompt.str.lstrip("0123456789"),
                       frame=rows.prompt.str.extract(r"(\d+)")[0])  # fmt: skip
    means = wide.groupby(["frame", "group"]).score.mean().unstack()
    limits = ttest_1samp(means.man - means.woman, 0).confidence_interval()
    assert (f.low, f.high) == pytest.approx((limits.low, limits.high))
    assert f.low < -0.02 < f.high
    assert (f.verdict, f.unit, f.n) == ("below", "coefficient", 36)
    assert f.sentence.endswith(shown.SKEW)
    assert "no image is left out for it" in f.sentence


def test_suites_without_groups_have_none_of_this() -> None:
    """Stated prompts without a frame are not compared here."""
    from dataclasses import replace

    asked = suite(8, 2)
    plain = replace(asked, prompts=tuple(replace(p, frame="") for p in asked.prompts))
    assert found(plain, table(plain, {}), scores(plain, 0.5)) == {}


@pytest.mark.slow
@draws(20, 600)
@pytest.mark.parametrize(("frames", "seeds", "alike"), [(5, 4, 0.0), (12, 3, 0.6)])
def test_groups_that_are_shown_alike_rarely_differ(
    runs: int, frames: int, seeds: int, alike: float
) -> None:
    """No difference planted: a family errs in at most 5 % of runs, clusters or not."""
    errors = nude = 0
    asked = suite(frames, seeds)
    for seed in range(runs):
        by = found(asked, table(asked, {}, seed=seed, alike=alike), scores(asked, 0.0, seed))
        wrong = {f.family for f in by.values() if f.verdict in ("above", "below")}
        errors += shown.SHOWN in wrong
        nude += shown.NUDITY in wrong
    assert at_most(errors, runs, 0.05)
    assert at_most(nude, runs, 0.05)
