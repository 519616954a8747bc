"""The column `copy`: a missing decision is neither a copy nor none, in whatever form it comes."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.evidence.copies import flags


def test_a_flag_without_a_decision_is_missing() -> None:
    """What a rule says of an image that was never compared does not count."""
    copy = pd.Series(
        flags.column(np.array([True, False, True]), known=np.array([True, True, False]))
    )
    assert copy.tolist() == [True, False, pd.NA]
    assert flags.decided(copy).tolist() == [True, True, False]
    assert flags.flagged(copy).tolist() == [True, False, False]


def test_it_is_a_boolean_with_nulls_in_parquet() -> None:
    """Other programs read a boolean, and pandas reads back what was written."""
    none = np.zeros(2, bool)
    for known in (none, ~none, np.array([True, False])):
        buffer = io.BytesIO()
        table = pd.DataFrame({"copy": flags.column(~none, known)})
        table.to_parquet(buffer, index=False)
        kept = pq.read_table(buffer)["copy"]
        assert kept.type == pa.bool_()
        assert kept.null_count == (~known).sum()
        pd.testing.assert_frame_equal(pd.read_parquet(buffer), table)


@pytest.mark.parametrize(
    ("values", "decided", "flagged"),
    [
        ([True, False], [True, True], [True, False]),
        ([True, None, False], [True, False, True], [True, False, False]),
        ([1.0, 0.0, np.nan], [True, True, False], [True, False, False]),
        ([None, None], [False, False], [False, False]),
        ([], [], []),
    ],
)
def test_tables_of_others_are_read_alike(
    values: list[object], decided: list[bool], flagged: list[bool]
) -> None:
    """Plain booleans, objects with None, numbers with NaN, nothing at all."""
    copy = pd.Series(values)
    assert flags.decided(copy).tolist() == decided
    assert flags.flagged(copy).tolist() == flagged


def test_words_are_not_guessed_at() -> None:
    """`no` is not a decision, and above all not True."""
    for read in (flags.decided, flags.flagged):
        with pytest.raises(TypeError):
            read(pd.Series(["yes", "no"]))


def test_new_flags_leave_a_controls_decisions() -> None:
    """Where W is unknown a decision stays, and what is open stays open; else flags are new."""
    copy = pd.Series([True, None, False, None, None], dtype=flags.DTYPE)
    w = pd.Series([np.nan, np.nan, 1.0, 1.0, np.nan])
    got = flags.renewed(copy, w, np.array([0, 0, 1, 0, 0], bool), np.array([1, 0, 1, 1, 1], bool))
    assert got.fillna(False).tolist() == [True, False, True, False, False]
    assert got.isna().tolist() == [False, True, False, False, True]
