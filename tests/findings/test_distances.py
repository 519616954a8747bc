"""Distances of subjects from references: floors met by faithful models, errors on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit.findings import distances
from audit.findings.representation import Context
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Attribute, Reference, to_json
from tests.sizes import at_most, draws

TONE = Attribute("tone", ("a", "b", "c"), {})
SHARES = {"a": 0.6, "b": 0.3, "c": 0.1}
REFERENCE = Reference("planted", "planted", {("nurse", "tone", c): p for c, p in SHARES.items()},
                      "test")  # fmt: skip
EVEN = Reference("uniform", "even", {("nurse", "tone", c): 1 / 3 for c in SHARES}, "test")
BLURRED = np.array([[80, 15, 5], [10, 80, 10], [5, 15, 80]])


def table(rng: np.random.Generator, n: int, rates: np.ndarray | None = None) -> pd.DataFrame:
    """Images of one subject that follow SHARES, read without error or with these rates."""
    rows = []
    for i in range(n):
        true = int(rng.choice(3, p=list(SHARES.values())))
        read = true if rates is None else int(rng.choice(3, p=rates[true] / rates[true].sum()))
        rows.append((f"s{i}", f"p{i % 3}", "nurse", "none", i, "tone", "label", "abc"[read], 0.9))
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def context(errors: np.ndarray | None = None) -> Context:
    """Two references, with or without known errors."""
    known = {} if errors is None else {"tone": errors}
    return Context([TONE], [REFERENCE, EVEN], known, REFERENCE, 0)


def test_a_faithful_model_scores_near_its_floor_and_a_far_one_does_not() -> None:
    """Against its own reference the distance is noise; against even shares it is 60 - 33 points."""
    near, far = distances.findings(table(np.random.default_rng(1), 150), context(), {"nurse": 3})
    assert near.naive <= near.floor_high
    assert near.verdict == "compatible"
    assert near.low == 0
    assert far.verdict == "above"
    assert far.low <= 0.6 - 1 / 3 <= far.high
    assert far.q < 0.01
    assert "in one run of twenty" in far.sentence


@draws(few=10, many=30)
def test_classifier_errors_do_not_make_a_distance(runs: int) -> None:
    """A noisy classifier shifts the shares; the reference is shifted too, so no false alarm."""
    rng = np.random.default_rng(2)
    naive, aware = [], []
    for _ in range(runs):
        data = table(rng, 300, BLURRED)
        naive.append(distances.findings(data, context(), {"nurse": 3})[0].p < 0.05)
        aware.append(distances.findings(data, context(BLURRED), {"nurse": 3})[0].p < 0.05)
    assert np.mean(naive) > 0.5
    assert at_most(sum(aware), runs, 0.05)


def test_silent_references_and_empty_readings_claim_nothing() -> None:
    """A reference without this subject gives no finding, no labels an unknown one."""
    data = table(np.random.default_rng(3), 5)
    silent = replace(REFERENCE, shares={})
    only = replace(context(), references=[silent])
    assert distances.findings(data, only, {"nurse": 3}) == []
    data[["outcome", "value"]] = ["blocked", None]
    found = distances.findings(data, context(), {"nurse": 3})[0]
    assert found.verdict == "undecided"
    assert found.n == 0
    assert "not known" in found.sentence


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_table_gives_the_same_numbers(seed: int) -> None:
    """Monte-Carlo draws follow from the seed and the subject alone."""
    data = table(np.random.default_rng(seed), 40)
    one, two = (distances.findings(data, context(), {"nurse": 3}) for _ in range(2))
    assert to_json(one) == to_json(two)  # since Python 3.13 NaN makes equal findings unequal
