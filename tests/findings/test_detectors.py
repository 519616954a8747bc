"""Detectors' scores as claims: areas, shares found and captions flagged, on simulated scores."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from audit.findings.detectors import findings
from audit.records import Finding, Prompt


def simulated(
    seed: int, shift: float, n: int = 20, m: int = 400, gone: int = 0
) -> tuple[dict[str, Finding], pd.DataFrame]:
    """Findings of normal scores: captions shifted, ordinary prompts not; the first are missing."""
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(shift, 1, n), rng.normal(0, 1, m)])
    scores[:gone] = np.nan
    side = np.repeat(["caption", "ordinary"], [n, m])
    table = pd.DataFrame({
        "prompt": [f"p{i}" for i in range(n + m)], "detector": "magnitude", "side": side,
        "score": scores, "reason": "",
    })  # fmt: skip
    prompts = {
        f"p{i}": Prompt(f"p{i}", f"t{i}", "nurse", "b", "x", 1, repeats=64 if i < n else None)
        for i in range(n + m)
    }
    return {f.id.split("detectors/")[1]: f for f in findings(table, prompts, seed)}, table


@pytest.mark.parametrize("seed", range(4))
def test_the_area_is_scikit_learns(seed: int) -> None:
    """Whatever the shift, with limits around it, and missing scores counted."""
    shift = np.random.default_rng(seed).uniform(-1, 2)
    found, table = simulated(seed, shift, gone=seed)
    f, known = found["magnitude/auc/repeats=64"], table[table.score.notna()]
    assert f.estimate == pytest.approx(roc_auc_score(known.side == "caption", known.score))
    assert f.low <= f.estimate <= f.high
    assert (f.n, f.missing) == (20 - seed, seed)
    assert f.reasons == ({"no score": seed} if seed else {})


def test_captions_that_stand_out_are_flagged_and_others_are_not() -> None:
    """Captions far away are all flagged; in new draws without a difference hardly any."""
    found, _ = simulated(1, 8.0)
    assert found["magnitude/called/repeats=64"].estimate == 1
    assert found["magnitude/called/repeats=64"].verdict == "found"
    runs = [simulated(s, 0.0)[0]["magnitude/called/repeats=64"].estimate > 0 for s in range(60)]
    assert np.mean(runs) <= 0.15


def test_the_share_found_is_judged_where_the_threshold_was_not_set() -> None:
    """The lowest rate that the prompts allow is nearly achieved; too few prompts are reported."""
    rates = [simulated(s, 3.0)[0] for s in range(20)]
    found = [r["magnitude/found-at-10/repeats=64"].estimate for r in rates]
    truth = 0.957  # P(N(3, 1) > 1.2816)
    assert np.mean(found) == pytest.approx(truth, abs=0.03)
    assert not any("found-at-1/" in key for key in rates[0])
    many = simulated(0, 3.0, m=2000)[0]["magnitude/found-at-1/repeats=64"]
    assert many.low <= 0.75 <= many.high  # P(N(3, 1) > 2.3263)
    few = simulated(0, 3.0, m=150)[0]["magnitude/found-at-10/repeats=64"]
    assert few.verdict == "undecided"
    assert math.isnan(few.estimate)
    assert "100 negatives" in few.sentence


@pytest.mark.parametrize(("n", "m", "gone"), [(5, 0, 0), (5, 10, 5), (5, 10, 0)])
def test_too_little_is_undecided_with_its_reason(n: int, m: int, gone: int) -> None:
    """No ordinary prompts, no scores, or too few prompts for the error rate."""
    found, _ = simulated(0, 1.0, n, m, gone)
    called = found["magnitude/called/repeats=64"]
    assert called.verdict == "undecided"
    assert "because" in called.sentence
    assert "nan" not in " ".join(f.sentence for f in found.values())


def test_without_captions_there_are_no_findings() -> None:
    """An empty table has no findings."""
    _, table = simulated(0, 1.0)
    assert findings(table.iloc[:0], {}, 0) == []
