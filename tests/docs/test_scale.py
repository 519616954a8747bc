"""The page on many machines: its scripts can be read, and its simulation keeps to what it says."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.scale import (
    REFERENCES,
    WORKERS,
    Costs,
    Site,
    Stage,
    parsed,
    simulate,
    stages,
    table,
)

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
EVEN = Site(start=60, between=math.inf, spread=0, bandwidth=math.inf, rate=math.inf)
COSTS = Costs(0.25, 0.001, 1e-12, 1e-6, 0.01)


def stage(shards: int = 100, **more: Any) -> Stage:
    """Shards of ten seconds."""
    return Stage(**{"name": "x", "shards": shards, "seconds": 10, "size": 1e9, "requests": 10,
                    "stored": 0, "memory": 0, **more})  # fmt: skip


@pytest.mark.parametrize("script", [text for kind, text in BLOCKS if kind in ("sh", "bash")])
def test_scripts_have_no_syntax_errors(script: str) -> None:
    """As bash reads them without running them."""
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_job_of_kubernetes_is_one_object_with_a_part_for_each_completion() -> None:
    """As many parts as completions, from 1."""
    (text,) = [text for kind, text in BLOCKS if kind == "yaml"]
    job = yaml.safe_load(text)
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert job["kind"] == "Job"
    assert f"/{job['spec']['completions']}" in container["args"][0]
    done = subprocess.run(["bash", "-n", "-c", container["args"][0]], check=False)
    assert done.returncode == 0


def test_array_and_parts_have_one_size() -> None:
    """`--array=1-N` and `--shard I/N`."""
    page = PAGE.read_text("utf-8")
    array = re.search(r"--array=1-(\d+)", page)
    parts = re.search(r"SLURM_ARRAY_TASK_ID/(\d+)", page)
    assert array is not None
    assert parts is not None
    assert array[1] == parts[1]


@pytest.mark.parametrize("workers", [1, 3, 10, 100, 1000])
def test_even_shards_take_as_many_rounds_as_division_says(workers: int) -> None:
    """Without stragglers, failures and limits."""
    assert simulate(stage(), workers, EVEN) == 60 + 10 * math.ceil(100 / workers)


def test_the_store_limits_any_number_of_workers() -> None:
    """Its bytes and its requests pass through it one after another."""
    slow = Site(0, math.inf, 0, bandwidth=1e9, rate=10)
    assert simulate(stage(), 1000, slow) == pytest.approx(100 * (1 + 1))
    assert simulate(stage(), 1, slow) == pytest.approx(100 * 10)


def test_failures_and_stragglers_cost_time_and_no_shard() -> None:
    """More with each, on average over seeds; without any shard, none."""
    failing = Site(60, 300, 0, math.inf, math.inf)
    uneven = Site(60, math.inf, 0.5, math.inf, math.inf)
    plain = simulate(stage(400), 8, EVEN)
    for site in (failing, uneven):
        times = [simulate(stage(400), 8, site, seed) for seed in range(20)]
        assert sum(times) / 20 > plain
        assert max(times) < 3 * plain
    assert simulate(stage(0), 8, failing) == 0


def test_stages_cover_every_image_and_reference() -> None:
    """Shards times their size; the table has a row for each stage and number of workers."""
    options = parsed(["--images", "5000", "--references", "100000"])
    found = {s.name: s for s in stages(options, COSTS)}
    assert found["draw"].shards == 3
    assert found["index"].shards == math.ceil(100_000 / REFERENCES)
    assert found["search"].seconds == pytest.approx(5000 * 100_000 * 1e-12 + 0.01)
    rows = [r for r in table(options, COSTS).splitlines() if r.startswith("|")]
    assert len(rows) == 2 + 4 * len(WORKERS)
