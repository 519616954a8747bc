"""Copies by guidance: plain counts on common noises, planted slopes, and omissions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.findings import copying_doses
from audit.keys import BASELINE, MATCH_COLUMNS
from audit.records import Finding, Mitigation, Prompt
from tests.sizes import leading

SCALES = {"low": 1.0, BASELINE: 3.0, "high": 6.0}
LEVELS = (1, 16, 64)


def prompts(n: int = 30) -> dict[str, Prompt]:
    """Captions held 1, 16 and 64 times, and one ordinary prompt."""
    some = [Prompt(f"c{i}", f"t{i}", "s", "captions", "replication", 4, repeats=LEVELS[i % 3])
            for i in range(n)]  # fmt: skip
    return {p.id: p for p in (*some, Prompt("o", "t", "s", "b", "representation", 4))}


def matches(chance: dict[str, float], seed: int, gone: float = 0.0) -> pd.DataFrame:
    """Captions copy with the arm's chance, on 4 noises each; some images are blocked."""
    rng, rows = np.random.default_rng(seed), []
    for arm, p in chance.items():
        for prompt in prompts():
            for noise in range(4):
                lost = rng.random() < gone
                copied = None if lost else bool(rng.random() < (1.0 if prompt == "o" else p))
                rows.append((f"{arm}{prompt}{noise}", prompt, arm, noise, 0.5, 0.4, "h", "t", "c",
                             1, copied, "blocked" if lost else "label"))  # fmt: skip
    return pd.DataFrame(rows, columns=list(MATCH_COLUMNS))


def by_id(table: pd.DataFrame, scales: dict[str, float] = SCALES) -> dict[str, Finding]:
    """Findings by arm and the end of their id."""
    found = copying_doses.findings(table, scales, prompts(), 0)
    return {f.id.removeprefix("replication/doses/").replace("/guidance", ""): f for f in found}


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_shares_are_counts_on_what_all_scales_have(seed: int) -> None:
    """An image that is blocked at one scale counts at none; ordinary prompts never do."""
    table = matches({"low": 0.2, BASELINE: 0.5, "high": 0.8}, seed, gone=0.1)
    found = by_id(table)
    captions = table[table.prompt != "o"]
    lost = captions[captions.outcome != "label"][["prompt", "seed"]].drop_duplicates()
    key = pd.MultiIndex.from_frame(captions[["prompt", "seed"]])
    common = captions[~key.isin(pd.MultiIndex.from_frame(lost))]
    known = prompts()
    for arm in SCALES:
        rows = common[common.arm == arm]
        f = found[f"{arm}/all"]
        assert (f.estimate, f.n) == (pytest.approx(rows["copy"].mean()), len(rows))
        assert f.missing == sum(f.reasons.values()) == len(lost)
        assert f.low < f.estimate < f.high
        for level in LEVELS:
            part = rows[[known[p].repeats == level for p in rows.prompt]]
            assert found[f"{arm}/repeats={level}"].estimate == pytest.approx(part["copy"].mean())
    assert list(found)[:1] == ["low/all"]
    assert "guidance 6" in found["high/all"].where


def test_an_undecided_image_counts_at_no_scale() -> None:
    """It is left out at all scales, as a blocked one is."""
    table = matches({"low": 0.2, BASELINE: 0.5, "high": 0.8}, 0).astype({"copy": "boolean"})
    before = by_id(table)["low/all"]
    table.loc[(table.arm == "high") & (table.prompt == "c0") & (table.seed == 0), "copy"] = pd.NA
    f = by_id(table)["low/all"]
    assert (f.n, f.missing) == (before.n - 1, before.missing + 1)


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_a_planted_dependence_is_seen_and_none_is_not(seed: int) -> None:
    """Also where the rate rises and falls again; the estimate is the largest difference."""
    table = matches({"low": 0.2, BASELINE: 0.6, "high": 0.2}, seed)
    spread = by_id(table)["none/spread"]
    rates = table[table.prompt != "o"].groupby("arm")["copy"].mean()
    assert spread.estimate == pytest.approx(rates.max() - rates.min())
    assert (spread.verdict, spread.n, spread.n_effective) == ("found", 120, 30)
    assert spread.p == 1 / 2000
    flat = [
        by_id(matches(dict.fromkeys(SCALES, 0.5), 10 * seed + i))["none/spread"] for i in range(10)
    ]
    assert sum(f.verdict == "found" for f in flat) <= 2
    assert "is not shown to depend" in next(f for f in flat if f.verdict != "found").sentence


def test_two_scales_are_too_few_doses() -> None:
    """No findings for two scales, for arms without captions, or without the run's own scale."""
    table = matches({"low": 0.2, BASELINE: 0.5, "high": 0.8}, 0)
    assert by_id(table[table.arm != "low"]) == {}
    assert by_id(table[table.arm != BASELINE]) == {}
    assert by_id(table[table.prompt == "o"]) == {}
    assert by_id(table, SCALES | {"high": 3.0}) == {}
    assert copying_doses.findings(table.iloc[:0], SCALES, prompts(), 0) == []


def test_scales_are_those_of_the_arms() -> None:
    """The run's own scale, and those of the method's arms."""
    arms = (Mitigation("a", "guidance", {"scale": 6.0}), Mitigation("n", "noise", {"level": 0.5}))
    assert copying_doses.of_guidance(3.0, arms) == {BASELINE: 3.0, "a": 6.0}
