"""Findings and tables as CSV, Parquet and xlsx, for other programs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from audit.datasets.cells import of_frame
from audit.errors import UserError
from audit.files import write_atomic
from audit.records import Finding, row
from audit.report.exports.workbook import workbook
from audit.store import RunFolder, asdict_sample

TABLES = ("attributes", "alignment", "matches")


def frame(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row per finding, one column per field; mappings are JSON, missing numbers NaN."""

    rows = [{k: writable(_json(v)) for k, v in row(f).items()} for f in findings]
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


def samples(folder: RunFolder) -> pd.DataFrame:
    """One row per image: what was asked, and for images made elsewhere the file it is in."""
    rows = [asdict_sample(s) for s in folder.plan()]
    found = pd.DataFrame(
        [{k: writable(_json(v)) for k, v in row.items()} for row in rows],
        columns=["id", "prompt", "arm", "seed", "text", "drawn", "how", "reason"],
    )
    found = found.astype({"seed": "Int64"}).rename(columns={"id": "sample"})
    return _with_files(found, folder)


def _json(value: Any) -> Any:
    """A mapping as JSON; anything else unchanged."""
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False, sort_keys=True)
    return value


def _parts(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """Findings and every table of the run, by name."""
    parts = {"findings": frame(folder.findings())}
    if folder.finished:
        there = folder.results()["tables"]
        parts["samples"] = samples(folder)
        parts |= {n: _with_files(folder.read_table(n), folder) for n in TABLES if n in there}
    if left_out := folder.left_out():
        rows = [{k: writable(v) for k, v in asdict(x).items()} for x in left_out]
        parts["left_out"] = pd.DataFrame(rows)
    return parts


def _with_files(table: pd.DataFrame, folder: RunFolder) -> pd.DataFrame:
    """The table with the column `file`, where its images were made elsewhere."""
    files = folder.files()
    if not files or "sample" not in table:
        return table
    return table.assign(file=table["sample"].map(files).map(writable, na_action="ignore"))


def write(folder: RunFolder, form: str, out: Path) -> list[Path]:
    """Findings to the file `out`; if it has no extension, into this folder with the run's tables.

    A workbook (`xlsx`) is a file with all tables. Returns the written paths. Raises UserError for
    the extension of another format.
    """
    if (out.suffix or form == "xlsx") and out.suffix != f".{form}":
        more = "." if form == "xlsx" else ", or none for a folder."
        raise UserError(f"{out} does not end in .{form}. Use that extension{more}")
    if form == "xlsx":
        about = pd.DataFrame(
            [(k, writable(v)) for k, v in asdict(folder.head()).items()], columns=["what", "is"]
        )
        write_atomic(out, workbook({**_parts(folder), "about": about}))
        return [out]
    if out.suffix:
        write_atomic(out, FORMATS[form](frame(folder.findings())))
        return [out]
    paths = []
    for name, table in _parts(folder).items():
        paths.append(out / f"{name}.{form}")
        write_atomic(paths[-1], FORMATS[form](table))
    return paths
