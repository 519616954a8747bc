"""A run as a workbook for spreadsheets: a sheet per table, and no cell that is a formula."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from audit.errors import UserError, harmless

ROWS, LONGEST = 1_048_576, 32_767
"""Most rows of a sheet and characters of a cell in this format."""
EXACT = 2**53
"""Whole numbers beyond it, such as seeds, would be rounded: they are written as texts."""
WIDTH = {"sentence": 90, "text": 60, "file": 40, "where": 28, "quantity": 40, "name": 44}
"""Widths of columns in characters; others have a default."""
FIRST = ("where", "quantity", "arm", "estimate", "low", "high", "n", "missing", "verdict",
         "sentence", "name")  # fmt: skip
"""Columns of findings in this order; the others follow."""


def workbook(parts: Mapping[str, pd.DataFrame]) -> bytes:
    """Tables by name as an .xlsx file, the same bytes for the same tables.

    Texts are cells of texts, whatever they begin with; unknown numbers are empty. Raises UserError
    where the package that writes the format is not installed, and for a table that is too long.
    """
    try:
        import xlsxwriter
    except ModuleNotFoundError as error:
        raise UserError(
            'The format xlsx needs XlsxWriter. Install it: pip install "t2i-audit[xlsx]"'
        ) from error
    buffer = io.BytesIO()
    inert = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, **inert})
    book.set_properties({"created": pd.Timestamp("2000-01-01").to_pydatetime()})
    head = book.add_format({"bold": True, "bottom": 1})
    for name, table in parts.items():
        _sheet(book.add_worksheet(name), name, table, head)
    book.close()
    return buffer.getvalue()


def _sheet(sheet: Any, name: str, table: pd.DataFrame, head: Any) -> None:
    if len(table) >= ROWS:
        raise UserError(
            f"The table {name} has {len(table)} rows, and a sheet has at most {ROWS - 1}. Use "
            "--format csv or parquet."
        )
    first = [c for c in FIRST if c in table] if name == "findings" else []
    columns = [*first, *(c for c in table.columns if c not in first)]
    for j, column in enumerate(columns):
        sheet.write_string(0, j, str(column), head)
        sheet.set_column(j, j, WIDTH.get(str(column), 14))
        for i, value in enumerate(table[column].tolist(), 1):
            _write(sheet, i, j, value)
    sheet.freeze_panes(1, 1)
    if len(table):
        sheet.autofilter(0, 0, len(table), len(columns) - 1)


def _write(sheet: Any, i: int, j: int, value: Any) -> None:
    """One cell by the type of its value; nothing for what is missing."""
    if value is None or value is pd.NA:
        return
    if isinstance(value, bool):
        sheet.write_boolean(i, j, value)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) <= EXACT):
        if math.isfinite(value):
            sheet.write_number(i, j, value)
    else:
        words = str(value).encode("utf-8", "replace").decode()
        sheet.write_string(i, j, harmless(words)[:LONGEST])
