"""Requests of strangers reach no other tool and no file, under an audit hook."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from audit.errors import harmless
from tests.cli.talk.made import SECRET, hostile, house

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(100, marks=pytest.mark.slow),
        pytest.param(1000, marks=pytest.mark.nightly),
    ],
)
def test_requests_reach_no_other_tool_and_no_file(count: int, tmp_path: Path) -> None:
    """Each has an answer or one refusal; nothing is written, started, connected or imported."""
    house(tmp_path)
    hostile(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.cli.talk.hooked", str(tmp_path), str(count)],
        capture_output=True, text=True, cwd=ROOT, timeout=1500, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert len(found["rows"]) == count
    for row in found["rows"]:
        assert not row["seen"], row
        assert row["said"], row
        assert SECRET not in row["said"], row
        assert str(tmp_path) not in row["said"], row
        ours = not row["said"].startswith("MCPError: Unknown resource")  # which the SDK repeats
        assert not ours or harmless(row["said"]) == row["said"], row
        assert len(row["said"]) < 200_000, row
    assert not found["modules"]
    assert SECRET not in found["log"]
    logged = [json.loads(line) for line in found["log"].splitlines()]
    assert not [row for row in logged if "crash" in row]
    assert {row["outcome"] for row in logged} == {"answered", "refused", "error"}
    after = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert after == before
