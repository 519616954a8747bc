"""Findings on personalised models: planted values come back, model by model and pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit.findings import personal
from audit.findings.pairs import Tables
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Finding, Suite
from tests.builders.personal import ARMS, GENDER, MODELS, PROMPTS, SUITE, drifted, tables
from tests.sizes import at_most, draws


def claims(t: Tables) -> dict[str, Finding]:
    """Claims by dotted name."""
    return {f.name: f for f in personal.findings(t, SUITE, [GENDER])}


@pytest.fixture(scope="module")
def found() -> dict[str, Finding]:
    """The highest dose copies without a prior, and half of the women become men."""
    return claims(
        tables(
            drifted,
            lambda a, model, i: "40" in a and "prior" not in a and (i >= MODELS or model == 5),
            lambda a, i: "woman" if a == "none" or i >= MODELS else "man",
        )
    )


def test_every_measure_has_its_planted_value(found: dict[str, Finding]) -> None:
    """By arm; 1 is as far as another seed, and what does not move is 1."""
    level = "mitigation.{}.personal.{}"
    for name, far in (("dreambooth-10", 0.2), ("dreambooth-40", 0.6), ("dreambooth-prior-40", 0.3)):
        for what in ("drift", "drift-others"):
            f = found[level.format(name, what)]
            assert f.estimate == pytest.approx(far + 0.025)
            assert f.low < f.estimate < f.high
            assert (f.n, f.counted, f.references["dose"]) == (6, "trainings", int(name[-2:]))
        assert found[level.format(name, "diversity")].estimate == pytest.approx(1)
    copies = found[level.format("dreambooth-40", "copies")]
    assert (copies.estimate, copies.unit) == (pytest.approx(3.5 / 6), "share")
    lead = found[level.format("dreambooth-40", "lead")]
    assert lead.estimate == pytest.approx(0.1 + 0.3 * 3.5 / 6)
    assert found[level.format("dreambooth-40", "fidelity")].estimate == pytest.approx(0.5)
    assert found[level.format("dreambooth-10", "gender=moved")].estimate == pytest.approx(0.5)
    assert found[level.format("dreambooth-10", "gender=woman")].estimate == pytest.approx(-0.5)


def test_pairs_of_models_are_compared(found: dict[str, Finding]) -> None:
    """More steps against fewer, a prior against none, extrapolation against the model itself."""
    rise = found["mitigation.dreambooth-40.rise.drift"]
    assert (rise.estimate, rise.verdict) == (pytest.approx(0.4), "above")
    bought = found["mitigation.dreambooth-prior-40.prior.drift"]
    assert (bought.estimate, bought.verdict) == (pytest.approx(-0.3), "below")
    assert bought.low == pytest.approx(-0.3)  # models differ, pairs do not
    copies = found["mitigation.dreambooth-prior-40.prior.copies"]
    assert (copies.unit, copies.verdict) == ("points", "below")
    assert copies.estimate == pytest.approx(-3.5 / 6)
    assert copies.references == {"before": pytest.approx(3.5 / 6), "after": 0.0}
    beyond = found["mitigation.dreambooth-40-extrapolated.extrapolation.copies"]
    assert beyond.estimate == 0
    assert beyond.low < 0 < beyond.high  # six equal pairs are not certainty
    assert {f.key.kind for f in found.values()} == {"personal", "rise", "prior", "extrapolation"}


@pytest.mark.parametrize(
    "about", [{}, {"training": "lora", "dose": "x", "subjects": []}, "y", None]
)
def test_arms_that_do_not_say_what_was_trained_say_nothing(about: object) -> None:
    """Those of a suite, or of a page.json, that `personalize` did not write."""
    arm = replace(SUITE.mitigations[0], options={"weights": ("x",), "about": about})
    assert personal.arms_of([arm]) == []


def test_a_run_without_personalised_models_says_nothing() -> None:
    """And models without images, vectors or a training set have no claims."""
    empty = Tables(pd.DataFrame(columns=list(ATTRIBUTE_COLUMNS)))
    assert personal.findings(empty, SUITE, [GENDER]) == []
    bare = Suite("s", "s", "?", PROMPTS, (GENDER,), (), ())
    assert personal.findings(empty, bare, [GENDER]) == []


@draws(6, 150)
def test_a_prior_that_buys_nothing_is_rarely_said_to(runs: int) -> None:
    """Trainings that differ by chance alone, two subjects of three seeds."""
    false, two = 0, replace(SUITE, mitigations=(ARMS[1], ARMS[3]))
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        jitter = {(m.name, i): rng.uniform(0.1, 0.6) for m in ARMS for i in range(MODELS)}
        t = tables(
            lambda a, block, i: float(np.arccos(1 - jitter[a, i])),  # noqa: B023
            lambda *_: False, lambda *_: "man",
        )  # fmt: skip
        found = {f.name: f for f in personal.findings(t, two, [])}
        false += found["mitigation.dreambooth-prior-40.prior.drift"].verdict != "compatible"
    assert at_most(false, runs, 0.1)
