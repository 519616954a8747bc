"""Seconds and memory to plan, write, list and resume a run of 100,000 samples.

python benchmarks/plan.py [--samples 100000]
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from audit.design import suites
from audit.records import Settings
from audit.store import RunFolder


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=100_000)
    wanted = parser.parse_args().samples
    suite = suites.read_suite("world")
    each = wanted // len(suite.prompts) + 1
    many = replace(
        suite, mitigations=(), prompts=tuple(replace(p, seeds=each) for p in suite.prompts)
    )
    seconds: dict[str, float] = {}

    def lap(name: str) -> None:
        nonlocal started
        seconds[name] = round(time.perf_counter() - started, 2)
        started = time.perf_counter()

    started = time.perf_counter()
    samples = suites.expand(many, Settings("m", "r", 20, 3.0, 16), {})
    lap("plan")
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place))
        folder.write_plan(samples)
        lap("write the plan")
        for s in samples:  # as many small files as images: listing them is timed
            path = folder.image_path(s.id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        lap("(make the files)")
        present = folder.present()
        lap("list what is there")
        left = [s for s in samples if s.id not in present]
        lap("find what is left")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"samples": len(samples), "left": len(left), "seconds": seconds,
                      "peak_mib": round(peak)}, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
