"""Seconds and memory of the verbs that open a run of a million planned images.

    python -m benchmarks.large_run [--samples 1000000] [--work FOLDER]

Makes the folder of such a run: a plan by the suite `world` with more seeds, tables of readings and
matches for every planned image with random values, findings, and image files of a tenth of them,
which are links to a few small ones. Each verb is then a process of its own, which says its wall
time, its processor time and its peak of memory: `resume` plans the run again, writes the plan and
finds what is left and whether what is there is whole; `runs` lists the folder above; `view` renders
the first page of the wall; `check` judges a gate.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from audit.datasets.alike import Planned
from audit.records import Sample, Settings, Suite
from audit.store import RunFolder

SETTINGS = Settings("m", "r", 20, 3.0, 16)
PICTURES, LINKS = 16, 30_000
"""Different images, and links to one of them, of which file systems allow few."""
ATTRIBUTES = {"gender": ("woman", "man"), "skin_tone": ("light", "medium", "dark")}


def suite_of(samples: int) -> Suite:
    """The suite `world` with about so many images, without mitigations."""
    from audit.design import suites

    suite = suites.read_suite("world")
    each = samples // len(suite.prompts)
    prompts = tuple(replace(p, seeds=each) for p in suite.prompts)
    return replace(suite, mitigations=(), prompts=prompts)


def planned(samples: int) -> Planned[Sample]:
    """The plan."""
    from audit.design import suites

    return suites.expand(suite_of(samples), SETTINGS, {})


def make(folder: RunFolder, samples: int) -> int:
    """The folder of a run, as the program writes it, unless it is there; the number of images."""
    if (folder.path / "findings.json").exists():
        return 0
    present = samples // 10
    plan = planned(samples)
    folder.write_manifest(suite_of(samples), SETTINGS, {})
    folder.write_plan(plan)
    rng = np.random.default_rng(0)
    for i in range(PICTURES):
        folder.write_image(f"00source{i}", rng.integers(0, 256, (16, 16, 3), np.uint8))
    for i, s in enumerate(plan[:present]):
        path = folder.image_path(s.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(folder.image_path(f"00source{i // LINKS % PICTURES}"), path)
    write_tables(folder, plan, present)
    write_findings(folder)
    return present


def write_tables(folder: RunFolder, plan: Sequence[Sample], present: int) -> None:
    """Readings by attribute, and matches; those of planned images without a file are missing."""
    import pandas as pd

    rng = np.random.default_rng(1)
    there = np.arange(len(plan)) < present
    base: dict[str, object] = {k: [getattr(s, k) for s in plan] for k in ("prompt", "arm")}
    base |= {"sample": [s.id for s in plan], "seed": pd.array([s.seed for s in plan], "Int64")}
    parts = []
    for name, classes in ATTRIBUTES.items():
        words = np.array([*classes, None], object)[rng.integers(0, len(classes), len(plan))]
        parts.append(pd.DataFrame({
            **base, "subject": "person", "attribute": name,
            "outcome": np.where(there, "label", "missing"), "value": np.where(there, words, None),
            "score": np.where(there, rng.random(len(plan)), np.nan)}))  # fmt: skip
    matches = pd.DataFrame({
        **base, "score": np.where(there, rng.random(len(plan)), np.nan), "held_score": np.nan,
        "train": np.where(there, "train/1.png", None), "train_caption": None, "repeats": 1.0,
        "copy": pd.array(np.where(there, 0, None), "boolean"),
        "outcome": np.where(there, "label", "missing")})  # fmt: skip
    tables = {"attributes": pd.concat(parts), "matches": matches}
    names = {n: folder.write_table(n, n, t).name for n, t in tables.items()}
    folder.write_results({"tables": names, "classes": {k: list(v) for k, v in ATTRIBUTES.items()},
                          "seeds": "as given"})  # fmt: skip


def write_findings(folder: RunFolder) -> None:
    """One finding, a share of copies."""
    from audit.files import Head
    from audit.keys import BASELINE, Key
    from audit.records import Finding, to_json

    found = Finding(
        Key("replication", BASELINE, kind="rate"), where="all", quantity="copies among images",
        unit="share", counted="images", estimate=0.01, low=0.005, high=0.02, n=100_000,
        n_effective=100_000.0, missing=0, method="Wilson",
    )  # fmt: skip
    folder.write_findings(to_json([found], Head(folder.path.name)))


def resume(folder: RunFolder, samples: int) -> int:
    """Images that are left to be drawn."""
    from audit.runs import mending
    from audit.runs.context import Plan, Run
    from audit.runs.options import Options

    suite, plan = suite_of(samples), planned(samples)
    folder.write_plan(plan)
    run = Run(Plan(suite, Options(), SETTINGS, plan), folder)
    ids = run.ids
    there = folder.present() & ids
    return len(ids - (there - mending.removed(run, there)))


def runs(folder: RunFolder, samples: int) -> int:
    """Runs in the folder above."""
    from audit.runs import catalogue

    return len(catalogue.runs(folder.path.parent))


def view(folder: RunFolder, samples: int) -> int:
    """Bytes of the first page."""
    from starlette.requests import Request

    from audit.view.app import Site
    from audit.view.desk import Desk

    asked = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    return len(Site(Desk(folder)).wall(Request(asked)).body)


def check(folder: RunFolder, samples: int) -> int:
    """The command itself; its exit code."""
    from audit.__main__ import main

    sys.argv = ["t2i-audit", "check", str(folder.path), "--gate", "replication.rate <= 5 %"]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


VERBS: dict[str, Callable[[RunFolder, int], int]] = {
    "make": make, "resume": resume, "runs": runs, "view": view, "check": check,
}  # fmt: skip


def main() -> None:
    """Make the run, and print a line of JSON for each verb."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, help="folder that keeps the run")
    parser.add_argument("--verb", choices=VERBS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.verb:
        began = time.monotonic()
        found = VERBS[options.verb](RunFolder(options.work / "run"), options.samples)
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(json.dumps({
            "verb": options.verb, "result": found, "seconds": round(time.monotonic() - began, 2),
            "processor": round(used.ru_utime + used.ru_stime, 2),
            "peak_mib": used.ru_maxrss // 1024}))  # fmt: skip
        return
    with tempfile.TemporaryDirectory() as place:
        work = options.work or Path(place)
        for verb in VERBS:
            command = [sys.executable, "-m", "benchmarks.large_run", "--verb", verb, "--work",
                       str(work), "--samples", str(options.samples)]  # fmt: skip
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            print(done.stdout.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
