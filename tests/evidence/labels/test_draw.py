"""The draw: random within each class that was read, as even as the classes allow."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import UserError
from audit.evidence.labels.draw import allocate, draw
from audit.keys import ATTRIBUTE_COLUMNS
from tests.sizes import at_least, at_most, draws

CLASSES = {"gender": ("woman", "man")}


def table(women: int, men: int, unclear: int = 0) -> pd.DataFrame:
    """Rows of a run with that many readings."""
    values = ["woman"] * women + ["man"] * men + [None] * unclear
    rows = [
        (f"s{i:04d}", "p", "nurse", "none", i, "gender", "label" if v else "uncertain", v, 0.9)
        for i, v in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(0, 200))
def test_shares_of_the_draw_are_as_even_as_the_sizes_allow(sizes: list[int], n: int) -> None:
    """All of n is used while pictures last; a stratum lacks only what it does not have."""
    given_ = allocate(sizes, n)
    assert sum(given_) == min(n, sum(sizes))
    assert all(0 <= g <= s for g, s in zip(given_, sizes, strict=True))
    open_ = [g for g, s in zip(given_, sizes, strict=True) if g < s]
    full = [g for g, s in zip(given_, sizes, strict=True) if g == s]
    assert max(open_, default=0) - min(open_, default=0) <= 1
    assert max(full, default=0) <= max(open_, default=max(full, default=0)) + 1 or not open_


def test_the_rare_class_is_looked_at_as_often_as_the_common_one() -> None:
    """Equal numbers per class, whole strata recorded, nothing without a label."""
    drawn = draw(table(10, 200, 30), CLASSES, 40, 0)
    assert list(drawn.rows.read.value_counts().reindex(["woman", "man"])) == [10, 30]
    assert [(s.read, s.size, s.drawn) for s in drawn.strata] == [
        ("woman", 10, 10), ("man", 200, 30),
    ]  # fmt: skip
    assert drawn.strata[1].weight == pytest.approx(200 / 30)


@draws(few=60, many=300)
def test_every_picture_is_drawn_equally_often(runs: int) -> None:
    """Over many seeds each picture of a stratum comes up at its share."""
    seen: dict[str, int] = {}
    read = table(20, 20)
    for seed in range(runs):
        for s in draw(read, CLASSES, 10, seed).rows["sample"]:
            seen[s] = seen.get(s, 0) + 1
    assert len(seen) == 40
    assert sum(seen.values()) == 10 * runs
    assert all(at_least(k, runs, 0.25) and at_most(k, runs, 0.25) for k in seen.values())


def test_the_order_does_not_betray_the_class() -> None:
    """Classes are mixed on the sheet, or labellers would see what was read."""
    read = draw(table(50, 50), CLASSES, 60, 1).rows.read.to_numpy()
    runs = 1 + int((read[1:] != read[:-1]).sum())
    assert 18 <= runs <= 44  # mean 31, sd 3.8


def test_the_same_seed_draws_the_same_and_another_another() -> None:
    """A draw can be made again, whatever the order of the table."""
    one, two = table(50, 50), table(50, 50).sample(frac=1, random_state=2)
    assert draw(one, CLASSES, 20, 5).rows.equals(draw(two, CLASSES, 20, 5).rows)
    assert not draw(one, CLASSES, 20, 5).rows.equals(draw(one, CLASSES, 20, 6).rows)


def test_nothing_to_draw_is_said() -> None:
    """A run without labels has nothing to be checked."""
    with pytest.raises(UserError, match="nothing to check"):
        draw(table(0, 0, 5), CLASSES, 10, 0)


def test_what_the_classifier_left_open_is_drawn_on_demand() -> None:
    """Open images form strata by their outcome; blocked and unreadable ones cannot be looked at."""
    rows = table(10, 20, 6)
    gone = rows.assign(sample="gone-" + rows["sample"], outcome="unreadable", value=None)
    drawn = draw(pd.concat([rows, gone.head(3)]), CLASSES, 100, 0, everything=True)
    assert len(drawn.rows) == 36
    sizes = {s.read: s.size for s in drawn.strata}
    assert sizes == {"woman": 10, "man": 20, "uncertain": 6, "no person": 0, "several people": 0}
    assert (drawn.rows.read == "uncertain").sum() == 6
    assert len(draw(rows, CLASSES, 100, 0).rows) == 30
