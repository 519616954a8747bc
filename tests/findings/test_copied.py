"""An arm's effect on copying: planted removals are found, and nothing is found without any."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from audit.findings import copied
from audit.findings.pairs import Question
from audit.findings.representation import Context
from audit.keys import MATCH_COLUMNS
from audit.records import Finding, Prompt
from tests.sizes import at_least, draws


def prompts(n: int) -> dict[str, Prompt]:
    """Half captions, half ordinary prompts."""
    kinds = ("replication", "representation")
    return {f"p{i}": Prompt(f"p{i}", "t", "s", "b", kinds[i % 2], 4) for i in range(n)}


def matches(n: int, keep: float, seed: int, changed: bool = True) -> pd.DataFrame:
    """Copies by prompt; an arm that keeps that share of the captions' copies, and no other."""
    rng = np.random.default_rng(seed)
    rows = []
    for p, prompt in prompts(n).items():
        often = rng.beta(2, 2) if prompt.purpose == "replication" else 0.0
        for s in range(4):
            copy = bool(rng.random() < often)
            after = copy and bool(rng.random() < keep)
            for arm, c in (("none", copy), ("m", after)):
                sample = f"{p}-{s}" + ("-m" if arm == "m" and changed else "")
                score = 0.9 if c else 0.5
                rows.append((sample, p, arm, s, score, 0.5, "h", "t", "c", 1, c, "label"))
    return pd.DataFrame(rows, columns=list(MATCH_COLUMNS))


def claims(table: pd.DataFrame, n: int, seed: int = 0) -> dict[str, Finding]:
    """Claims about the arm by id."""
    asks = Question("m", {}, Context((), (), {}, None, seed), prompts(n))
    return {f.id: f for f in copied.findings(table, asks)}


@draws(few=15, many=100)
@pytest.mark.parametrize("keep", [0.1, 0.5])
def test_intervals_contain_planted_removals(keep: float, runs: int) -> None:
    """The share that is removed, as often as promised; and copies become fewer."""
    held, fewer = 0, 0
    for seed in range(runs):
        found = claims(matches(60, keep, seed), 60, seed)
        f = found["mitigation/m/removed-captions"]
        held += f.low <= 1 - keep <= f.high
        fewer += found["mitigation/m/copies-captions"].verdict == "below"
    assert at_least(held, runs, 0.95)
    assert fewer >= 0.99 * runs


def test_an_arm_that_does_nothing_changes_nothing() -> None:
    """Other images, as many copies: no detectable change; the same images: no claim."""
    table = matches(40, 1.0, 3)
    found = claims(table, 40)
    assert found["mitigation/m/copies-captions"].estimate == 0
    assert found["mitigation/m/removed-captions"].estimate == 0
    assert found["mitigation/m/copies-ordinary"].verdict != "below"
    assert claims(matches(40, 1.0, 3, changed=False), 40) == {}


def test_all_gone_has_limits_all_the_same() -> None:
    """A bootstrap of equal values has no width; prompts with copies are the sample size."""
    before, clusters = np.ones(12), np.arange(12) // 2
    got = copied.removed(before, np.zeros(12), clusters, np.random.default_rng(0))
    assert (got.estimate, got.high) == (1, 1)
    assert got.low == pytest.approx(0.025 ** (1 / 6))
    more = copied.removed(np.eye(12)[0], before, clusters, np.random.default_rng(0))
    assert more.estimate == -11


def test_missing_sides_are_counted_and_not_compared() -> None:
    """A blocked side leaves its pair out; without pairs the change is not known."""
    table = matches(20, 0.5, 1)
    table.loc[table.arm == "m", "outcome"] = "blocked"
    found = claims(table, 20).values()
    assert {f.missing for f in found} == {40}
    assert all(np.isnan(f.estimate) and f.verdict == "undecided" for f in found)


def test_a_pair_without_a_decision_is_not_compared() -> None:
    """An image of either side that is not decided takes its pair out, as a missing one does."""
    table = matches(20, 0.5, 1)
    whole = claims(table, 20)["mitigation/m/copies-captions"]
    table = table.astype({"copy": "boolean"})
    lost = (table.prompt == "p0") & (table.seed == 0) & (table.arm == "m")
    lost |= (table.prompt == "p2") & (table.seed == 1) & (table.arm == "none")
    table.loc[lost, "copy"] = pd.NA
    f = claims(table, 20)["mitigation/m/copies-captions"]
    assert (whole.n, whole.missing) == (40, 0)
    assert (f.n, f.missing) == (38, 2)


def test_few_prompts_have_no_limits_and_say_so() -> None:
    """Four captions: the change is told, how far it holds for others is not known."""
    found = claims(matches(8, 0.1, 2), 8)
    kinds = ("copies", "nearness", "removed")
    for f in (found[f"mitigation/m/{kind}-captions"] for kind in kinds):
        assert np.isfinite(f.estimate)
        assert np.isnan(f.low)
        assert np.isnan(f.high)
        assert f.verdict == "not enough prompts"
        assert "of 4 prompts: too few for limits" in f.sentence


def test_limits_of_nearness_are_students() -> None:
    """The t interval over captions of one size, by scipy on the same numbers."""
    table = matches(40, 0.3, 4)
    table = table[table.prompt.isin([p for p, k in prompts(40).items()
                                     if k.purpose == "replication"])]  # fmt: skip
    wide = table.pivot(index=["prompt", "seed"], columns="arm", values="score")
    means = (wide["m"] - wide["none"]).groupby("prompt").mean()
    want = ttest_1samp(means, 0).confidence_interval()
    f = claims(table, 40)["mitigation/m/nearness-captions"]
    assert (f.low, f.high) == pytest.approx((want.low, want.high))
