"""Skin tones within a run: pairs under an arm, and groups that prompts state."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from audit.findings import tones
from audit.keys import TONE_COLUMNS
from audit.records import Attribute, Finding, Prompt

GENDER = Attribute("gender", ("woman", "man"), {})
SIDES = ("woman", "man", "")


def prompts(each: int) -> dict[str, Prompt]:
    """As many prompts that state a woman, a man, and nobody in particular."""
    made = [
        Prompt(f"{side}{i}", "t", "nurse", "b", "representation", 4,
               states={"gender": side} if side else {})
        for side in SIDES for i in range(each)
    ]  # fmt: skip
    return {p.id: p for p in made}


def table(each: int, darker: float = 0.0, arm: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Four images a prompt and arm: men `darker` in L*, the arm `arm` lighter on the same noise."""
    rng, rows = np.random.default_rng(seed), []
    for p in prompts(each).values():
        own = rng.normal(60 - darker * (p.states.get("gender") == "man"), 2)
        for i in range(4):
            light, hue = own + rng.normal(0, 5), rng.normal(50, 3)
            for name, shift in (("none", 0.0), ("inject", arm + rng.normal(0, 0.5))):
                rows.append((f"{p.id}{i}{name}", p.id, "nurse", name, i, "label", light + shift,
                             hue))  # fmt: skip
    return pd.DataFrame(rows, columns=list(TONE_COLUMNS))


def found(rows: pd.DataFrame, each: int) -> dict[str, Finding]:
    """Findings by id."""
    return {f.id: f for f in tones.findings(rows, [GENDER], prompts(each))}


GROUPS = "representation/none/all/gender-tone/lightness woman+man"


def test_a_planted_difference_between_groups_is_found() -> None:
    """By Welch's t over the means of prompts, as scipy has it; in words, and no class."""
    rows = table(12, darker=8)
    f = found(rows, 12)[GROUPS]
    base = rows[rows.arm == "none"]
    one, two = (base[base.prompt.str.match(rf"{s}\d")].groupby("prompt").lightness.mean()
                for s in ("woman", "man"))  # fmt: skip
    expected = ttest_ind(two, one, equal_var=False)
    assert f.estimate == pytest.approx(two.mean() - one.mean())
    assert f.p == pytest.approx(expected.pvalue)
    assert f.low == pytest.approx(expected.confidence_interval().low)
    assert f.low < -8 < f.high
    assert (f.verdict, f.unit, f.n, f.n_effective) == ("below", "lightness", 96, 12)
    assert "man less those that state woman" in f.sentence
    assert "it is not a class of skin tone" in f.sentence
    assert f.name == "representation.all.gender.tone.lightness woman+man"


def test_a_change_under_an_arm_is_paired() -> None:
    """Noise that both share cancels: 1.5 units are known to a tenth; hue did not change."""
    light, hue = (found(table(4, arm=1.5), 4)[f"mitigation/inject/tone-{c}"]
                  for c in ("lightness", "hue"))  # fmt: skip
    assert light.estimate == pytest.approx(1.5, abs=0.3)
    assert light.high - light.low < 0.6
    assert (light.verdict, light.counted, light.unit) == ("above", "pairs", "lightness")
    assert (hue.estimate, hue.verdict, hue.unit) == (0.0, "compatible", "degrees")
    assert "inject, all prompts: change of the lightness of the skin (L*) +1." in light.sentence


def test_too_few_prompts_have_no_limits() -> None:
    """The difference is printed, without limits and without a test."""
    f = found(table(3, darker=8), 3)[GROUPS]
    assert math.isfinite(f.estimate)
    assert not math.isfinite(f.low)
    assert not math.isfinite(f.p)
    assert f.verdict == "not enough prompts"
    assert "too few prompts for limits, n = 24." in f.sentence


def test_images_without_a_face_are_missing_with_their_reason() -> None:
    """They are counted, and a side without any leaves the difference unknown."""
    rows = table(6)
    gone = rows.prompt.str.match(r"man\d") & (rows.seed < 2)
    rows.loc[gone, ["lightness", "hue"]] = np.nan
    rows.loc[gone, "outcome"] = "several people"
    f = found(rows, 6)[GROUPS]
    assert (f.n, f.missing, f.reasons) == (36, 12, {"several people": 12})
    gone = rows.prompt.str.match(r"man\d")
    rows.loc[gone, ["lightness", "hue"]] = np.nan
    f = found(rows, 6)[GROUPS]
    assert not math.isfinite(f.estimate)
    assert "not known: no face could be read on one side" in f.sentence


def test_without_groups_or_arms_there_is_nothing() -> None:
    """No table, no states: no findings."""
    assert tones.findings(pd.DataFrame(), [GENDER], prompts(2)) == []
    rows = table(2)
    alone = rows[(rows.arm == "none") & rows.prompt.str.match(r"\d")]
    assert found(alone, 2) == {}


@pytest.mark.slow
def test_no_difference_is_rarely_found() -> None:
    """200 runs where the groups are alike: at most 8 % of the intervals leave 0 out."""
    errors = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        got, p = tones._welch(rng.normal(0, 1, 6), rng.normal(0, 2, 9))
        errors += not got.low <= 0 <= got.high
        assert (p < 0.05) == (not got.low <= 0 <= got.high)
    assert errors <= 16
