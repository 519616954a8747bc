"""Shares by dose: only planted amplification is found, and noise does not group subjects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from audit.findings import doses
from audit.findings.doses import Dose
from audit.findings.representation import Context
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Attribute, Finding, Mitigation, Reference, to_json
from tests.sizes import at_most, draws

GENDER = Attribute("gender", ("woman", "man"), {})
TONE = Attribute("tone", ("a", "b", "c"), {})
OWN = {f"job{i}": p for i, p in enumerate(np.linspace(0.15, 0.85, 10).round(3))}
PLANTED = Reference("planted", "", {
    (s, "gender", c): p if c == "woman" else 1 - p for s, p in OWN.items() for c in GENDER.classes
}, "")  # fmt: skip
EVEN = Reference("uniform", "", {(s, "gender", c): 0.5 for s in OWN for c in GENDER.classes}, "")
ARMS = [Mitigation(f"g{k}", "guidance", {"scale": float(k)}) for k in (9, 1, 6)]
CONTEXT = Context([TONE, GENDER], (EVEN, PLANTED), {}, None, 0)


def drawn(seed: int, share: Callable[[float, float], float]) -> pd.DataFrame:
    """Readings of all arms on shared noise: P(woman) by the planted share and the guidance."""
    rng = np.random.default_rng(seed)
    amounts = {"none": 3.0, "g1": 1.0, "g6": 6.0, "g9": 9.0}
    rows = []
    for subject, p in OWN.items():
        for k in range(12):
            noise = rng.random()
            for arm, amount in amounts.items():
                missing = rng.random() < 0.1
                woman = noise < share(p, amount)
                rows.append((f"{arm}{subject}{k}", f"{subject}/{k % 3}", subject, arm, k, "gender",
                             "no person" if missing else "label",
                             None if missing else "woman" if woman else "man", 0.9))  # fmt: skip
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def sharper(p: float, amount: float) -> float:
    """A share that guidance drives to its majority: odds to a growing power."""
    odds = (p / (1 - p)) ** (0.5 + amount / 4)
    return odds / (1 + odds)


def by_id(table: pd.DataFrame, context: Context = CONTEXT) -> dict[str, Finding]:
    """Findings by the part of their id after `mitigation/`."""
    found = doses.findings(table, ARMS, context, {"guidance": 3.0})
    assert to_json(found)
    assert len({f.id for f in found}) == len(found)
    return {f.id.removeprefix("mitigation/"): f for f in found}


@pytest.mark.parametrize("seed", range(3))
def test_guidance_that_amplifies_drives_the_groups_apart(seed: int) -> None:
    """Shares are near the truth at every dose, and the highest draws more of the majority."""
    found = by_id(drawn(seed, sharper))
    assert len(found) == 11
    inside = 0
    for arm, amount in (("g1", 1), ("none", 3), ("g6", 6), ("g9", 9)):
        for value, side in (("woman", [p for p in OWN.values() if p > 0.5]),
                            ("man", [p for p in OWN.values() if p < 0.5])):  # fmt: skip
            f = found[f"{arm}/dose-guidance/mostly-{value}"]
            assert f.references == {"dose": float(amount)}
            assert f.n + f.missing == 60
            inside += bool(f.low <= np.mean([sharper(p, amount) for p in side]) <= f.high)
    assert inside >= 7
    grown = found["g9/dose-guidance/majority"]
    truth = np.mean([sharper(max(p, 1 - p), 9) - sharper(max(p, 1 - p), 1) for p in OWN.values()])
    assert grown.verdict == "above"
    assert grown.low <= truth <= grown.high
    assert grown.sentence.startswith("Guidance from 1 to 9: change in the share of each subject's")
    for value, side in (("woman", [p for p in OWN.values() if p > 0.5]),
                        ("man", [1 - p for p in OWN.values() if p < 0.5])):  # fmt: skip
        alone = found[f"g9/dose-guidance/majority-{value}"]
        assert alone.n + alone.missing == 60
        assert alone.low <= np.mean([sharper(p, 9) - sharper(p, 1) for p in side]) <= alone.high
        assert f"among subjects that are mostly {value[:-2]}" in alone.sentence


def test_an_arm_that_was_drawn_on_other_prompts_has_no_row() -> None:
    """Only arms count under which these prompts were drawn."""
    table = drawn(0, sharper)
    found = by_id(table[table.arm != "g6"])
    assert {i.split("/")[0] for i in found} == {"none", "g1", "g9"}
    assert doses.findings(table[table.arm.isin(["none", "g9"])], ARMS, CONTEXT, {}) == []


@draws(few=10, many=40)
def test_guidance_that_does_nothing_is_seldom_said_to_amplify(runs: int) -> None:
    """In runs without an effect, few intervals exclude 0."""
    wrong = 0
    for seed in range(runs):
        rng = np.random.default_rng(100 + seed)
        table = drawn(seed, lambda p, amount: p)
        flip = rng.random(len(table)) < 0.2
        swapped = table.value.map({"woman": "man", "man": "woman"})
        table["value"] = table.value.where(~flip, swapped)
        f = by_id(table)["g9/dose-guidance/majority"]
        wrong += not f.low <= 0 <= f.high
    assert at_most(wrong, runs, 0.05)


def test_without_a_reference_that_knows_majorities_there_is_one_line() -> None:
    """Subjects are not grouped by the images, so there is no finding on majorities."""
    context = Context([GENDER], (EVEN,), {}, None, 0)
    found = by_id(drawn(0, sharper), context)
    assert set(found) == {f"{a}/dose-guidance/all" for a in ("none", "g1", "g6", "g9")}


def test_one_dose_has_no_chart() -> None:
    """An arm alone, arms of other prompts, or an attribute of many classes make no claim."""
    table = drawn(0, sharper)
    assert doses.findings(table, ARMS[:1], CONTEXT, {}) == []
    assert doses.findings(table[table.arm == "none"], ARMS, CONTEXT, {}) == []
    assert doses.findings(table, ARMS, Context([TONE], (EVEN,), {}, None, 0), {}) == []
    assert doses.doses(ARMS, "guidance", 3.0) == [
        Dose("g1", 1.0), Dose("none", 3.0), Dose("g6", 6.0), Dose("g9", 9.0),
    ]  # fmt: skip
