"""Prompts that reproduce one image: from tables to claims, against counts and exact limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, false_discovery_control

from audit.evidence.copies.cliques import CLIQUE_COLUMNS, Rule, calibrate, extract
from audit.evidence.copies.edges import EDGE_COLUMNS, Edges, persist
from audit.evidence.encoders.pixel_space import tiled_l2_pairs
from audit.findings import extraction
from audit.records import Finding, Prompt, Sample, from_json, to_json


def prompt(name: str, repeats: int | None = None) -> Prompt:
    """A prompt of a known level of repetition, or an ordinary one."""
    purpose = "representation" if repeats is None else "replication"
    return Prompt(name, f"text of {name}", "s", "b", purpose, 8, repeats=repeats)


def cliques(rows: Sequence[tuple[str, object, str]], arm: str = "none") -> pd.DataFrame:
    """Rows of prompt, decision and outcome."""
    out = []
    for name, extracted, outcome in rows:
        out.append(
            {"prompt": name, "arm": arm, "n": 8, "missing": 0, "reasons": {}, "needed": 5,
             "clique": 6 if extracted else 2, "members": [], "radius": 0.2, "threshold": 0.15,
             "p": math.nan, "extracted": extracted, "outcome": outcome}
        )  # fmt: skip
    return pd.DataFrame(out, columns=list(CLIQUE_COLUMNS))


def edges(p: np.ndarray, arm: str = "none") -> pd.DataFrame:
    """Rows of prompts with the given p."""
    rows = [
        {"prompt": f"p{i}", "arm": arm, "n": 4, "missing": 0, "reasons": {}, "density": 0.1,
         "persistence": 0.05, "chance": 0.01, "excess": 0.04, "p": v, "null": "subject",
         "outcome": "label" if math.isfinite(v) else "too few images"}
        for i, v in enumerate(p)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(EDGE_COLUMNS))


def by_id(findings: list[Finding]) -> dict[str, Finding]:
    """Findings by id, which must be unique and survive the file."""
    out = {f.id: f for f in findings}
    assert len(out) == len(findings)
    assert to_json(from_json(to_json(findings))) == to_json(findings)
    return out


@pytest.mark.parametrize(("k", "low", "high"), [(5, 0.00325, 0.0232), (0, 0.0, 0.00735)])
def test_rates_have_exact_limits_over_prompts(k: int, low: float, high: float) -> None:
    """Of 500 prompts: the limits of published tables, and those of the beta distribution."""
    rows = [(f"p{i}", i < k, "label") for i in range(500)]
    prompts = {name: prompt(name, 1) for name, _, _ in rows}
    found = by_id(extraction.findings(cliques(rows), prompts))
    rate = found["replication/extraction/none/cliques/all"]
    assert rate.estimate == k / 500
    assert (rate.low, rate.high) == (pytest.approx(low, abs=5e-6), pytest.approx(high, abs=5e-5))
    assert rate.high == pytest.approx(beta.ppf(0.975, k + 1, 500 - k))
    assert (rate.n, rate.n_effective, rate.missing) == (500, 500, 0)
    assert rate.verdict == ("found" if k else "not found")
    assert "of 500 prompts give one image back from many noises" in rate.sentence


@pytest.mark.parametrize("seed", range(4))
def test_levels_arms_and_missing_prompts_are_counted_apart(seed: int) -> None:
    """Each level's share is a plain count; undecided prompts are missing, with their reasons."""
    rng = np.random.default_rng(seed)
    prompts = {f"p{i}": prompt(f"p{i}", [None, 1, 64][i % 3]) for i in range(60)}
    kinds = [(None, "too few images"), (None, "too many near pairs"), (True, "label"),
             (False, "label"), (False, "label")]  # fmt: skip
    rows = [(name, *kinds[int(rng.integers(5))]) for name in prompts]
    table = pd.concat([cliques(rows), cliques([(n, False, "label") for n in prompts], "other")])
    found = by_id(extraction.findings(table, prompts, "the paper's"))
    for key, level in (("repeats=1", 1), ("repeats=64", 64), ("ordinary", None)):
        f = found[f"replication/extraction/none/cliques/{key}"]
        here = [(e, o) for name, e, o in rows if prompts[name].repeats == level]
        known = [e for e, _ in here if e is not None]
        assert (f.estimate, f.n) == (pytest.approx(np.mean(known)), len(known))
        assert f.missing == sum(f.reasons.values()) == 20 - len(known)
        for reason, count in f.reasons.items():
            assert count == sum(o == reason for _, o in here)
        assert "distance below 0.15 (the paper's)" in f.method
        other = found[f"replication/extraction/other/cliques/{key}"]
        assert (other.estimate, other.verdict, other.n) == (0, "not found", 20)
    assert len(found) == 2 * (4 + 60)


def test_captions_of_held_out_images_are_called_so() -> None:
    """The training set does not hold their images 0 times: it is not what they are captions of."""
    prompts = {"p": prompt("p", 0), "q": prompt("q", 1)}
    found = by_id(
        extraction.findings(cliques([(n, False, "label") for n in prompts]), prompts, "the paper's")
    )
    assert "aptions of held-out images" in found[
        "replication/extraction/none/cliques/repeats=0"
    ].sentence  # fmt: skip


def test_each_prompt_is_a_claim_of_its_own() -> None:
    """Extracted, not, and undecided prompts say so, with the observed numbers."""
    table = cliques([("a", True, "label"), ("b", False, "label"), ("c", None, "too few images")])
    found = by_id(extraction.findings(table, {k: prompt(k) for k in "abc"}))
    a, b, c = (found[f"replication/extraction/none/cliques/prompt={k}"] for k in "abc")
    assert [f.verdict for f in (a, b, c)] == ["found", "not found", "undecided"]
    assert a.sentence == "“text of a”: 6 of 8 images are near to one another, 5 are needed."
    assert (a.estimate, b.estimate) == (6 / 8, 2 / 8)
    assert math.isnan(c.estimate)
    assert "too few images" in c.sentence
    assert "replication/extraction/none/cliques/ordinary" not in found  # the same as all


def test_nothing_decided_is_nothing_known() -> None:
    """Without a single decision there is no rate."""
    found = by_id(extraction.findings(cliques([("a", None, "no threshold")]), {"a": prompt("a")}))
    rate = found["replication/extraction/none/cliques/all"]
    assert math.isnan(rate.estimate)
    assert math.isnan(rate.n_effective)
    assert (rate.verdict, rate.n, rate.missing) == ("undecided", 0, 1)
    assert rate.reasons == {"no threshold": 1}
    assert "not known" in rate.sentence


@pytest.mark.parametrize("seed", range(4))
def test_edges_are_adjusted_inside_an_arm(seed: int) -> None:
    """q is scipy's over the arm's known p; prompts at 0.05 or less are found, others not."""
    rng = np.random.default_rng(seed)
    p = np.concatenate([rng.uniform(0, 0.004, 6), rng.random(14), [math.nan, math.nan]])
    other = rng.random(22)
    prompts = {f"p{i}": prompt(f"p{i}") for i in range(22)}
    table = pd.concat([edges(p), edges(other, "other")])
    found = by_id(extraction.persistent(table, prompts))
    q = false_discovery_control(p[:20])
    for i in range(20):
        f = found[f"replication/extraction/none/edges/prompt=p{i}"]
        assert (f.p, f.q) == (p[i], pytest.approx(q[i]))
        assert f.verdict == ("found" if q[i] <= 0.05 else "not found")
        assert f.family != found[f"replication/extraction/other/edges/prompt=p{i}"].family
    rate = found["replication/extraction/none/edges/all"]
    assert (rate.estimate, rate.missing) == (pytest.approx((q <= 0.05).mean()), 2)
    assert rate.reasons == {"too few images": 2}
    assert "5.00 % of pixels have an edge in most of 4 images, 1.00 % by chance" in (
        found["replication/extraction/none/edges/prompt=p0"].sentence
    )


@pytest.mark.parametrize("null", ["all", "shifted"])
def test_the_null_is_named_and_its_weakness_too(null: str) -> None:
    """Other subjects' images and shifted maps do not account for what a subject's images share."""
    table = edges(np.array([0.01, 0.5]))
    prompts = {f"p{i}": prompt(f"p{i}") for i in range(2)}
    method = extraction.persistent(table, prompts)[0].method
    assert "other prompts for the same subject" in method
    assert "layout" not in method
    table.loc[1, "null"] = null
    method = extraction.persistent(table, prompts)[0].method
    assert "the same subject or " in method
    assert "a subject's own layout is not allowed for" in method


@pytest.mark.parametrize("seed", range(2))
def test_from_pictures_to_claims(seed: int) -> None:
    """Two of 12 prompts reproduce one image; both methods find these two and no other."""
    rng = np.random.default_rng(seed)
    samples, pictures = [], {}
    for k in range(12):
        base = rng.integers(20, 236, (32, 32, 3))
        for i in range(5):
            fresh = rng.integers(0, 256, base.shape)
            same = np.clip(base + rng.integers(-9, 10, base.shape), 0, 255)
            s = Sample(f"p{k}-{i}", f"p{k}", "none", i, "t")
            samples.append(s)
            pictures[s.id] = (same if k < 2 else fresh).astype(np.uint8)
    prompts = {f"p{k}": prompt(f"p{k}", 64 if k < 2 else 1) for k in range(12)}
    outcomes = {"p11-0": "unreadable"}
    rule = Rule(0.15, "given", benign=calibrate(list(rng.uniform(0.3, 0.5, 39))).benign)
    stack = partial(tiled_l2_pairs, grid=1)
    table = extract(
        samples, lambda some: np.stack([pictures[s.id] for s in some]), outcomes, rule, stack
    )
    seen = persist(samples, lambda s: pictures[s.id], outcomes, Edges(32, draws=999), seed)
    for found, key in (
        (by_id(extraction.findings(table, prompts)), "cliques"),
        (by_id(extraction.persistent(seen, prompts)), "edges"),
    ):
        copied = found[f"replication/extraction/none/{key}/repeats=64"]
        once = found[f"replication/extraction/none/{key}/repeats=1"]
        assert (copied.estimate, copied.n, once.estimate, once.n) == (1, 2, 0, 10)
        lost = found[f"replication/extraction/none/{key}/prompt=p11"]
        assert (lost.n, lost.missing, lost.reasons) == (4, 1, {"unreadable": 1})
    first = by_id(extraction.findings(table, prompts))
    assert first["replication/extraction/none/cliques/prompt=p0"].p == 1 / 40
    assert "against calibration prompts" in (
        first["replication/extraction/none/cliques/prompt=p0"].sentence
    )
