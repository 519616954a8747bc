"""Joint shares of two attributes: every cell, small ones hidden, association within subjects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.findings import intersections
from audit.findings.representation import Context
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Attribute

GENDER = Attribute("gender", ("woman", "man"), {})
TONE = Attribute("tone", ("a", "b", "c"), {})
CONTEXT = Context([GENDER, TONE], [], {}, None, 0)


def table(seed: int, n: int, tied: float) -> pd.DataFrame:
    """Two subjects that differ in both attributes, which are otherwise associated at a rate."""
    rng = np.random.default_rng(seed)
    rows = []
    for k, subject in enumerate(("nurse", "pilot")):
        for i in range(n):
            woman = rng.random() < (0.8, 0.2)[k]
            tone = "a" if (woman and rng.random() < tied) else str(rng.choice(list("abc")))
            base = (f"{subject}{i}", f"{subject}/0", subject, "none", i)
            rows.append((*base, "gender", "label", "woman" if woman else "man", 0.9))
            rows.append((*base, "tone", "label", tone, 0.9))
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def test_cells_are_the_cross_table_of_pandas() -> None:
    """Each cell's plain share is crosstab's, and all are present, empty classes included."""
    data = table(1, 80, 0.2)
    found = {f.id: f for f in intersections.findings(data, CONTEXT)}
    wide = data.pivot(index="sample", columns="attribute", values="value")
    counts = pd.crosstab(wide.gender, wide.tone)
    for g in GENDER.classes:
        for t in TONE.classes:
            f = found[f"representation/none/all/gender+tone={g}&{t}"]
            assert f.naive == pytest.approx(counts.loc[g, t] / 160)
            assert f.low < f.estimate < f.high
            assert (f.verdict == "undecided") == (counts.loc[g, t] < intersections.MINIMUM)
    assert len(found) == 7


def test_what_goes_together_is_found_and_what_does_not_is_not() -> None:
    """A planted association is detected; subjects that differ in both attributes are not one."""
    tied = [f for f in intersections.findings(table(2, 150, 0.7), CONTEXT) if "together" in f.id]
    free = [f for f in intersections.findings(table(3, 150, 0.0), CONTEXT) if "together" in f.id]
    assert tied[0].verdict == "above"
    assert tied[0].p < 0.01
    assert tied[0].estimate > tied[0].floor
    assert free[0].verdict == "compatible"
    assert "do not go together" in free[0].sentence


def test_missing_labels_leave_the_image_out() -> None:
    """Only images with both labels count; without any there are no findings."""
    data = table(4, 20, 0.0)
    data.loc[data.attribute == "tone", ["outcome", "value"]] = ["uncertain", None]
    assert intersections.findings(data, CONTEXT) == []
