"""Associations of concepts with classes: from vectors to claims, by prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.design import suites
from audit.findings import associations
from audit.records import Association, Attribute, Prompt, Sample, Suite
from audit.runs import reading
from audit.runs.context import Run
from tests.builders import running

DECLARED = Association("t", "Title", ("x1", "x2"), ("y1", "y2"), "xs", "ys", "gender", "woman",
                       "man")  # fmt: skip
GENDER = Attribute("gender", ("woman", "man"), {"woman": ("w",), "man": ("m",)})


def scores(seed: int, gap: float, prompts: int = 8, images: int = 5) -> pd.DataFrame:
    """Prompts of two concepts whose scores differ by a gap in deviations of prompts."""
    rng = np.random.default_rng(seed)
    rows = [
        ("t", f"{side}{k}", side, middle + rng.normal(0, 0.3))
        for side in (True, False)
        for k in range(prompts)
        for middle in [rng.normal(gap * side, 1)]
        for _ in range(images)
    ]
    return pd.DataFrame(rows, columns=["association", "prompt", "of_x", "score"])


def test_a_planted_association_is_found_and_chance_is_not() -> None:
    """A gap of three deviations is found in all runs; none at about the level without a gap."""
    one = [associations.findings(scores(s, 3.0), [DECLARED], 0)[0] for s in range(20)]
    assert all(f.verdict == "found" and f.low > 0 for f in one)
    assert "xs is drawn nearer to woman, and ys to man" in one[0].sentence
    none = [associations.findings(scores(s, 0.0), [DECLARED], 0)[0] for s in range(60)]
    assert np.mean([f.verdict == "found" for f in none]) < 0.15
    turned = associations.findings(scores(1, -3.0), [DECLARED], 0)[0]
    assert "ys is drawn nearer to woman, and xs to man" in turned.sentence


def test_many_images_of_few_prompts_are_not_enough() -> None:
    """Three prompts a side cannot reach p = .05 by an exact two-sided test, however many images."""
    found = associations.findings(scores(2, 9.0, prompts=3, images=400), [DECLARED], 0)[0]
    assert found.p == pytest.approx(2 / 20)
    assert found.verdict == "undecided"
    assert "with so few prompts no p can be below 0.10" in found.sentence
    four = associations.findings(scores(2, 9.0, prompts=4), [DECLARED], 0)[0]
    assert four.verdict == "found"
    assert found.n == 2400
    assert found.n_effective == 6


def test_p_is_adjusted_over_the_suites_associations() -> None:
    """Two associations are one family."""
    two = [DECLARED, replace(DECLARED, name="u")]
    data = pd.concat([scores(1, 2.0), scores(2, 0.0).assign(association="u")])
    first, second = associations.findings(data, two, 0)
    assert first.q == pytest.approx(min(2 * first.p, second.p if second.p > first.p else 1))
    assert first.family == second.family


def test_no_images_is_not_known() -> None:
    """Nothing of Y: NaN with the reason, and no verdict."""
    data = scores(1, 1.0)
    data.loc[~data.of_x, "score"] = np.nan
    found = associations.findings(data, [DECLARED], 0)[0]
    assert np.isnan(found.estimate)
    assert found.verdict == "undecided"
    assert "no prompt of Y" in found.sentence


class Encoder:
    """Texts as two directions."""

    def texts(self, texts: list[str]) -> np.ndarray:
        """Unit vectors: w is the first axis, m the second."""
        return np.array([[1.0, 0, 0] if t == "w" else [0, 1.0, 0] for t in texts], np.float32)


def run(states: bool) -> Run:
    """Two prompts of concepts, and two that state a class."""
    prompts = [Prompt(f"p{i}", s, s, "b", "representation", 1, ("gender",))
               for i, s in enumerate(("x1", "y1"))]  # fmt: skip
    if states:
        prompts += [
            Prompt(f"s{v}", v, "x1", "c", "representation", 1, ("gender",), {"gender": v})
            for v in ("woman", "man")
        ]
    suite = Suite("s", "t", "q", tuple(prompts), (GENDER,), (), (), associations=(DECLARED,))
    samples = [Sample(f"i{p.id}", p.id, "none", 0, p.text) for p in prompts]
    samples.append(Sample("rewritten", "p0", "arm", 0, "x1"))
    return running.run(Path(), suite, samples)


def test_images_are_compared_with_texts_or_with_images_that_state_the_class() -> None:
    """Without stating prompts the texts are A and B; with them, their images, left out as items."""
    known = {"ip0": np.array([0.8, 0.6, 0]), "ip1": np.array([0.6, 0.8, 0]),
             "rewritten": np.array([1.0, 0, 0])}  # fmt: skip
    table = reading.associate(run(False), Encoder(), known)
    assert table.prompt.tolist() == ["p0", "p1"]
    assert table.of_x.tolist() == [True, False]
    np.testing.assert_allclose(table.score, [0.2, -0.2])
    known |= {"iswoman": np.array([0, 0, 1.0]), "isman": np.array([0, 1.0, 0])}
    table = reading.associate(run(True), Encoder(), known)
    assert table.prompt.tolist() == ["p0", "p1"]
    np.testing.assert_allclose(table.score, [-0.6, -0.8])


def test_a_missing_image_is_missing() -> None:
    """A blocked image has no vector and no score."""
    table = reading.associate(run(False), Encoder(), {"ip1": np.array([0.6, 0.8, 0])})
    assert np.isnan(table.score[0])


def test_the_shipped_traits_declare_associations() -> None:
    """Three of them, with enough prompts for an exact test to reach p = .05 at all."""
    suite = suites.read_suite("traits")
    assert [a.name for a in suite.associations] == [
        "communal-agentic", "warmth-competence", "wrongdoing-kindness",
    ]  # fmt: skip
    for a in suite.associations:
        sizes = [sum(p.subject in side for p in suite.prompts) for side in (a.x, a.y)]
        assert min(sizes) >= 8


def test_a_small_p_is_written_once() -> None:
    """Below a thousandth a p-value has its own sign, so it is never printed as `= <`."""
    sure = associations.findings(scores(1, 6.0, prompts=10), [DECLARED], 0)[0]
    assert sure.p < 0.001
    assert "p < 0.001" in sure.sentence
    unsure = associations.findings(scores(2, 0.0), [DECLARED], 0)[0]
    assert f"p = {unsure.p:.2f}" in unsure.sentence
