"""Shares by subject and by joint cell, side by side with fairlearn's disaggregated metrics."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from audit.findings import intersections, representation
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Attribute

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fairlearn.metrics import MetricFrame, count, demographic_parity_difference, selection_rate

GENDER = Attribute("gender", ("woman", "man"), {})
TONE = Attribute("tone", ("a", "b", "c"), {})
CONTEXT = representation.Context([GENDER, TONE], [], {}, None, 0)


def wide(seed: int) -> pd.DataFrame:
    """One row per image: a subject, a gender and a tone, in shares drawn from the seed."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(4):
        n, share, tones = int(rng.integers(30, 90)), rng.uniform(0.1, 0.9), rng.dirichlet([3] * 3)
        women, tone = rng.random(n) < share, rng.choice(list("abc"), n, p=tones)
        rows += [(f"s{s}", "woman" if w else "man", t) for w, t in zip(women, tone, strict=True)]
    return pd.DataFrame(rows, columns=["subject", "gender", "tone"])


def tidy(images: pd.DataFrame) -> pd.DataFrame:
    """The same images as a table of attributes."""
    rows = [
        (f"i{i}", f"p{i}", r.subject, "none", i, name, "label", getattr(r, name), 0.9)
        for i, r in enumerate(images.itertuples())
        for name in ("gender", "tone")
    ]
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_selection_rates(seed: int) -> None:
    """A subject's share and n, and the largest difference between subjects, are fairlearn's."""
    images = wide(seed)
    found = {
        f.where: f
        for f in representation.findings(tidy(images), CONTEXT, dict.fromkeys(images.subject, 1))
        if f.id.endswith("gender=woman")
    }
    picked = (images.gender == "woman").astype(int)
    frame = MetricFrame(
        metrics={"share": selection_rate, "n": count}, y_true=picked, y_pred=picked,
        sensitive_features=images.subject,
    )  # fmt: skip
    for subject, row in frame.by_group.iterrows():
        assert found[subject].naive == pytest.approx(row["share"])
        assert found[subject].n == row["n"]
    shares = [f.naive for f in found.values()]
    theirs = demographic_parity_difference(picked, picked, sensitive_features=images.subject)
    assert max(shares) - min(shares) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(5))
def test_joint_cells_are_intersections(seed: int) -> None:
    """Every cell's plain share is fairlearn's count of that intersection over all images."""
    images = wide(seed)
    ones = np.ones(len(images), int)
    frame = MetricFrame(
        metrics=count, y_true=ones, y_pred=ones, sensitive_features=images[["gender", "tone"]]
    )
    cells = {f.id: f for f in intersections.findings(tidy(images), CONTEXT)}
    for (gender, tone), n in frame.by_group.items():
        cell = cells[f"representation/none/all/gender+tone={gender}&{tone}"]
        assert cell.naive == pytest.approx((0 if np.isnan(n) else n) / len(images))
