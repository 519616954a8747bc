"""Shared by all tests: no model hub, no display, no tokenizer threads, fixed examples.

Hypothesis draws the same examples for the same code, so results do not depend on chance; `pytest
--hypothesis-profile=search` looks for new ones, and for many more.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # two workers share two cores: one thread each
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SOURCE_DATE_EPOCH", "1790000000")  # the date in findings.json
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
settings.register_profile("commit", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile("commit")


def pytest_configure(config: Any) -> None:
    """In CI a warning is an error, unless pyproject.toml names it."""
    if os.environ.get("CI"):
        config.getini("filterwarnings").insert(0, "error")


LONG = 3.0
"""Seconds from which a test must be marked as slow."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List slow tests without the mark in the summary."""
    slow = sorted(
        {
            (-round(report.duration, 1), report.nodeid)
            for kind in ("passed", "failed")
            for report in terminalreporter.stats.get(kind, [])
            if report.duration > LONG and not {"slow", "nightly"} & {*report.keywords}
        }
    )
    if slow:
        terminalreporter.section(f"not marked slow, yet over {LONG:g} s")
        for seconds, test in slow:
            terminalreporter.write_line(f"{-seconds:6.1f} s  {test}")
