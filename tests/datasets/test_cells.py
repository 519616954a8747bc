"""Cells: what counts as the same word, numbers in other notations, and formulas."""

from __future__ import annotations

import csv
import io
import unicodedata
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.datasets import cells

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d")


@given(st.text(max_size=12), st.sampled_from(["", " ", "\t", "'", "''", "\u00a0", " '"]),
       st.sampled_from(FORMULA))  # fmt: skip
def test_a_formula_is_disarmed_and_given_back(text: str, before: str, sign: str) -> None:
    """Nothing that is written begins a formula, also after spaces, and reading undoes it."""
    for cell in (before + sign + text, before + text, text):
        made = cells.inert(cell)
        assert cells.plain(made) == cell
        number = cells.number(cell) == cells.number(cell)
        assert number or not made.strip("\u00a0 \ufeff").startswith(FORMULA[:4])


def test_numbers_are_not_formulas() -> None:
    """Also as text: a spreadsheet shows them as they are."""
    assert [cells.inert(v) for v in ("-1", "+0.5", "-1e-3", -2, None)] == [
        "-1", "+0.5", "-1e-3", -2, None,
    ]  # fmt: skip


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=2,
                         max_size=2), min_size=1, max_size=5))  # fmt: skip
def test_a_written_table_is_read_back(rows: list[list[str]]) -> None:
    """By the reader of the standard library, cell by cell; frames give the same bytes."""
    data = cells.written(["a", "=b"], rows)
    found = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert [[cells.plain(c) for c in row] for row in found] == [["a", "=b"], *rows]
    assert cells.of_frame(pd.DataFrame(rows, columns=["a", "=b"], dtype=object)) == data


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("word", ["Ménagère", "\ufb01reman", "\uff2e\uff55rse", "İstanbul judge"])
def test_capitals_unicode_and_invisible_characters_do_not_matter(word: str, form: Any) -> None:
    """Folded, all spellings of a word are one; tidied, nothing invisible is left."""
    other = unicodedata.normalize(form, word)
    for around in (
        "{}",
        " {} ",
        "\ufeff{}",
        "\u200b{}\u200b",
        "\u00a0{}",
        "{}\u200d",
        "\u2060{}\t",
    ):
        assert cells.fold(around.format(other)) == cells.fold(word)
        assert cells.tidy(around.format(other)) == cells.tidy(other)
    assert cells.fold("Can\u2019t tell") == "can't tell"
    assert cells.fold("non\u2011binary") == "non-binary"
    assert cells.name(" Skin\u00a0Tone") == "skin_tone"


@pytest.mark.parametrize(
    ("cell", "right"),
    [
        ("0,88", "0.88"), ("88%", "0.88"), ("88 %", "0.88"), ("88,5 %", "0.885"),
        ("1.234,5", "1234.5"), ("1,234.5", "1234.5"), ("1 234,5", "1234.5"),
        ("1,234,567", "1234567"), ("0.88*", "0.88"), ("\uff10.\uff18\uff18", "0.88"),
        ("1,234", ""), ("-", ""),
        ("", ""), ("0.8-0.9", ""), ("12,34,56", ""), ("NA", ""),
    ],
)  # fmt: skip
def test_other_notations_are_understood_and_not_read(cell: str, right: str) -> None:
    """They are not numbers here; what they mean is offered where it is clear."""
    assert cells.meant(cell) == right
    assert cells.number(cell) != cells.number(cell)


@given(st.floats(-1e6, 1e6))
def test_plain_numbers_are_read(value: float) -> None:
    """As Python writes them, with a point."""
    assert cells.number(repr(value)) == value
    assert all(pd.isna(cells.number(t)) for t in ("nan", "inf", "1_000", "0x1", "", "1e9999"))
