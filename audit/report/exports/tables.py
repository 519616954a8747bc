"""Findings and tables as CSV and Parquet, for other programs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from audit.datasets.cells import of_frame
from audit.errors import UserError
from audit.files import write_atomic
from audit.records import Finding, row
from audit.store import RunFolder

TABLES = ("attributes", "alignment", "matches")


def frame(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row per finding, one column per field; mappings are JSON, missing numbers NaN."""

    def cell(value: Any) -> Any:
        if isinstance(value, Mapping):
            value = json.dumps(dict(value), ensure_ascii=False, sort_keys=True)
        return writable(value)

    rows = [{k: cell(v) for k, v in row(f).items()} for f in findings]
    return pd.DataFrame(rows, columns=[f.name for f in fields(Finding)])


def writable(value: Any) -> Any:
    """A text that UTF-8 can encode, lone surrogates as question marks; anything else unchanged."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def parquet(table: pd.DataFrame) -> bytes:
    """Parquet as pyarrow writes it, without the index."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


FORMATS = {"csv": of_frame, "parquet": parquet}


def _with_files(table: pd.DataFrame, folder: RunFolder) -> pd.DataFrame:
    """The table with the column `file`, where its images were made elsewhere."""
    files = folder.files()
    if not files or "sample" not in table:
        return table
    return table.assign(file=table["sample"].map(files).map(writable, na_action="ignore"))


def write(folder: RunFolder, form: str, out: Path) -> list[Path]:
    """Findings to the file `out`; if it has no extension, into this folder with the run's tables.

    Returns the written paths. Raises UserError for the extension of another format.
    """
    found = frame(folder.findings())
    if out.suffix:
        if out.suffix != f".{form}":
            raise UserError(
                f"{out} does not end in .{form}. Use that extension, or none for a folder."
            )
        write_atomic(out, FORMATS[form](found))
        return [out]
    parts = {"findings": found}
    if folder.finished:
        there = folder.results()["tables"]
        parts |= {n: _with_files(folder.read_table(n), folder) for n in TABLES if n in there}
    paths = []
    for name, table in parts.items():
        paths.append(out / f"{name}.{form}")
        write_atomic(paths[-1], FORMATS[form](table))
    return paths
