"""Factors of copying: planted associations, levels by hand, and nothing found without any."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, spearmanr

from audit.errors import UserError
from audit.findings import why
from audit.findings.why import FACTORS, Factor, levels, specificity
from audit.keys import MATCH_COLUMNS
from audit.records import Finding, from_json, to_json
from tests.sizes import at_most, draws, leading

TOKENS, ENTROPY = (next(f for f in FACTORS if f.column == c) for c in ("tokens", "entropy"))


def matches(
    seed: int, slope: float, prompts: int = 40, images: int = 6, arm: str = "none"
) -> pd.DataFrame:
    """Prompts of different lengths; scores and copies that rise with the length by a slope."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(prompts):
        tokens, own = int(rng.integers(3, 30)), rng.normal(0, 0.08)
        entropy = rng.normal(6, 1)
        for i in range(images):
            score = 0.5 + slope * (tokens - 16) / 13 + own + rng.normal(0, 0.03)
            held = 0.4 + own / 2 + rng.normal(0, 0.03)
            rows.append(
                (f"{arm}{k}-{i}", f"p{k}", arm, i, score, held, "h", "t", "c",
                 [1, 4, 16][k % 3], bool(score > 0.55), "label", float(tokens), entropy)
            )  # fmt: skip
    return pd.DataFrame(rows, columns=[*MATCH_COLUMNS, "tokens", "entropy"])


def by_id(findings: list[Finding]) -> dict[str, Finding]:
    """Findings by id, which must be unique and survive the file."""
    out = {f.id: f for f in findings}
    assert len(out) == len(findings)
    assert to_json(from_json(to_json(findings))) == to_json(findings)
    return out


@pytest.mark.parametrize("seed", leading(1, range(4)))
def test_a_planted_association_is_found_with_its_sign(seed: int) -> None:
    """rho is scipy's, q that of the arm's factors, and the sentence gives the direction."""
    for slope, way in ((0.2, "larger"), (-0.2, "smaller")):
        table = matches(seed, slope)
        found = by_id(why.findings(table, seed))
        f = found["replication/why/none/tokens/score"]
        assert f.estimate == pytest.approx(spearmanr(table.tokens, table.score).statistic)
        assert f.low < f.estimate < f.high
        assert f.low * f.high > 0
        assert (f.verdict, f.n, f.n_effective) == ("found", 240, 40)
        assert f"The larger the length of the prompt in tokens, the {way} the" in f.sentence
        tests = [found[f"replication/why/none/{c}/score"] for c in ("repeats", "tokens", "entropy")]
        np.testing.assert_allclose(
            [t.q for t in tests], false_discovery_control([t.p for t in tests])
        )
        assert len({t.family for t in tests}) == 1


@draws(few=10, many=30)
def test_nothing_is_found_where_there_is_nothing(runs: int) -> None:
    """Images of a prompt are alike: evidence to scipy, but not to resampling by prompts."""
    tables = [matches(seed, 0.0, prompts=20) for seed in range(30)]
    naive = [spearmanr(table.tokens, table.score).pvalue <= 0.05 for table in tables]
    verdicts = []
    for seed, table in enumerate(tables[:runs]):
        found = by_id(why.findings(table, seed, factors=[TOKENS]))
        verdicts.append(found["replication/why/none/tokens/score"].verdict)
    assert set(verdicts) <= {"found", "not found"}
    assert at_most(verdicts.count("found"), runs, 0.05)
    assert np.mean(naive) > 0.3


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_copies_at_each_level_are_plain_counts(seed: int) -> None:
    """Three repeats are three levels, thirty lengths three thirds; shares are those of the rows."""
    table = matches(seed, 0.1)
    found = by_id(why.findings(table, seed))
    for repeats in (1, 4, 16):
        f = found[f"replication/why/none/repeats/copies={repeats}"]
        part = table[table.repeats == repeats]
        assert (f.estimate, f.n) == (pytest.approx(part["copy"].mean()), len(part))
        assert f.low <= f.estimate <= f.high
        assert f"in the training set is {repeats}:" in f.sentence
    thirds = [found[f"replication/why/none/tokens/copies={k}"] for k in ("low", "middle", "high")]
    assert sum(f.n for f in thirds) == 240
    assert sum(f.estimate * f.n for f in thirds) == pytest.approx(table["copy"].sum())
    assert thirds[0].estimate < thirds[2].estimate
    assert all(f.verdict == "described" for f in thirds)


def test_thirds_keep_equal_values_together() -> None:
    """By hand: ties stay on one side, NaN is in no level, four values are separate levels."""
    values = np.array([1, 2, 2, 2, 3, 4, 5, 6, 7, math.nan])
    found = levels(values)
    assert [(n, w, np.flatnonzero(at).tolist()) for n, w, at in found] == [
        ("low", "1 to 2", [0, 1, 2, 3]),
        ("middle", "3 to 4", [4, 5]),
        ("high", "5 to 7", [6, 7, 8]),
    ]
    few = levels(np.array([4, 1, 64, 16, 1, math.nan]))
    assert [n for n, _, _ in few] == ["1", "4", "16", "64"]
    assert few[0][2].tolist() == [False, True, False, False, True, False]
    assert levels(np.array([math.nan])) == []


@pytest.mark.parametrize("seed", range(3))
def test_every_image_is_in_one_third(seed: int) -> None:
    """Whatever the ties, known values are split completely, in ascending order."""
    rng = np.random.default_rng(seed)
    for values in (rng.normal(size=50), rng.poisson(3, 50).astype(float), rng.geometric(0.3, 80)):
        parts = [at for _, _, at in levels(np.asarray(values, float))]
        assert np.sum(parts, axis=0).tolist() == [1] * len(values)
        for a, b in pairwise(parts):
            assert np.asarray(values)[a].max() < np.asarray(values)[b].min()


@draws(few=2, many=5)
def test_the_twin_takes_off_what_is_near_to_everything(runs: int) -> None:
    """Plain images are nearer to both sides: the score follows, the excess does not."""
    hits = []
    for seed in range(runs):
        table = matches(seed, 0.0)
        plain = (6 - table.entropy) * 0.2
        table = table.assign(score=table.score + plain, held_score=table.held_score + plain)
        score, excess = (
            by_id(why.findings(table, seed, m, [ENTROPY]))[f"replication/why/none/entropy/{m}"]
            for m in ("score", "excess")
        )
        assert score.verdict == "found"
        assert score.estimate < -0.5
        hits.append(excess.verdict == "found")
        expected = spearmanr(table.entropy, table.score - table.held_score).statistic
        assert excess.estimate == pytest.approx(expected)
    assert sum(hits) <= 1


def test_without_decisions_the_mean_similarity_is_given() -> None:
    """No threshold, no copies: means by level with limits over prompts."""
    table = matches(1, 0.1).assign(copy=None)
    found = by_id(why.findings(table, 1, factors=[TOKENS]))
    assert not any("copies" in key for key in found)
    low = found["replication/why/none/tokens/score=low"]
    part = table[table.tokens <= np.quantile(table.tokens, 1 / 3)]
    assert low.estimate == pytest.approx(part.score.mean())
    assert low.low < low.estimate < low.high
    assert f"{low.estimate:.3f} [{low.low:.3f}, {low.high:.3f}]" in low.sentence


def test_what_is_missing_is_counted_with_its_reason() -> None:
    """Blocked images, unknown factors, no twin and no decision have separate reasons."""
    table = matches(2, 0.1).astype({"copy": object})
    table.loc[:4, "outcome"] = "blocked"
    table.loc[:4, ["score", "held_score"]] = math.nan
    table.loc[:4, "copy"] = None
    table.loc[10:16, "tokens"] = math.nan
    table.loc[20:22, "held_score"] = math.nan
    table.loc[30:33, "copy"] = None
    found = by_id(why.findings(table, 2, "excess", [TOKENS]))
    f = found["replication/why/none/tokens/excess"]
    assert (f.n, f.missing) == (240 - 15, 15)
    assert f.reasons == {"blocked": 5, "tokens not known": 7, "excess not known": 3}
    thirds = [v for k, v in found.items() if "copies=" in k]
    assert sum(t.n for t in thirds) == 240 - 5 - 7 - 4
    assert sum(t.missing for t in thirds) == 4


def test_arms_are_families_of_their_own_and_columns_may_be_absent() -> None:
    """Each arm has its correlations; factors without a column are left out."""
    both = pd.concat([matches(1, 0.2), matches(2, 0.0, arm="other")])
    found = by_id(why.findings(both, 0))
    assert found["replication/why/none/tokens/score"].verdict == "found"
    assert found["replication/why/other/tokens/score"].verdict == "not found"
    assert not any("captions" in key or "jpeg" in key for key in found)
    assert len({f.family for f in found.values() if f.family}) == 2


def test_few_prompts_and_flat_factors_are_undecided() -> None:
    """Three prompts, or a factor that is the same everywhere, give no verdict."""
    few = by_id(why.findings(matches(1, 0.2, prompts=3), 0, factors=[TOKENS]))
    f = few["replication/why/none/tokens/score"]
    assert (f.verdict, f.family) == ("undecided", "")
    assert "fewer than 5 prompts" in f.sentence
    flat = by_id(why.findings(matches(1, 0.2).assign(one=1.0), 0, factors=[Factor("one", "one")]))
    assert flat["replication/why/none/one/score"].verdict == "undecided"
    assert math.isnan(flat["replication/why/none/one/score"].estimate)
    lost = matches(1, 0.2).assign(outcome="blocked", score=math.nan, copy=None)
    (only,) = why.findings(lost, 0, factors=[TOKENS])
    assert (only.verdict, only.n, only.missing) == ("undecided", 0, 240)
    with pytest.raises(UserError, match="excess"):
        why.findings(lost, 0, "exces")


def test_specificity_counts_words_and_matching_captions() -> None:
    """Case and punctuation do not count, order does; another token counter can be passed."""
    texts = {"a": "A red  bicycle, leaning.", "b": "bicycle red a leaning", "c": "Ein Café"}
    captions = ["a red bicycle leaning", "A RED BICYCLE LEANING!", "ein café", "a red bicycle"]
    found = specificity(texts, captions)
    assert found.to_dict("list") == {
        "prompt": ["a", "b", "c"], "tokens": [4, 4, 2], "captions": [2, 0, 1],
    }  # fmt: skip
    assert specificity(texts, [], len)["tokens"].tolist() == [len(t) for t in texts.values()]
