"""Runs under way: what a step is given, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audit.records import Sample, Settings
from audit.runs.context import Plan, Run
from audit.runs.options import Options
from audit.store import RunFolder

SETTINGS = Settings("m", "r", 20, 3.0, 16)


def run(
    folder: Path, suite: Any = None, samples: Sequence[Sample] = (), options: Any = None,
    **plan: Any,
) -> Run:  # fmt: skip
    """A run of a suite, or of what a step asks of one, with these samples; `plan` as in `Plan`."""
    chosen = Options() if options is None else options
    return Run(Plan(suite, chosen, SETTINGS, tuple(samples), **plan), RunFolder(folder))
