"""What an audit costs on 1 to 1,000 workers: costs per unit measured here, the rest simulated.

    python -m benchmarks.scale [--images 1000000] [--references 1000000000] [--gpu-hour 2.5]

Measured here, on one core: decoding and describing a photograph (`index`), comparing a query with a
reference, merging lists of nearest images, and writing the file that says that a shard is done. A
GPU is not at hand everywhere, so its rates are given: images drawn per second (`--draw`, from
published figures for SD 1.5 at 512 pixels and 50 steps on an H100, at 30 to 40 % of its peak) and
multiplications for the search (`--gemm`).

The simulation gives shards to workers one after another. A shard takes its size times the cost of
a unit, times a factor of stragglers (log-normal, `--spread`); its bytes pass through one store with
`--bandwidth` and `--requests` per second, which all workers share, while it computes. A worker
starts once, fails at random every `--between` hours on average, and then loses its shard and starts
again. Nothing is added for what a scheduler makes jobs wait. The knee is the largest number of
workers of which at least 80 % of the time of each is used.
"""

from __future__ import annotations

import argparse
import heapq
import io
import math
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
USED = 0.8
SHARD, REFERENCES, PIECE = 2048, 65_536, 1_000_000
"""Images of a shard of a plan and of a training set, and vectors that a search takes at once."""
DIMENSIONS = 512
NEAREST = 10


@dataclass(frozen=True)
class Costs:
    """Seconds for a unit on one worker."""

    draw: float
    """An image, drawn, read and encoded."""
    index: float
    """A reference, decoded and described."""
    compare: float
    """A query and a reference."""
    merge: float
    """A query and a list of its nearest references."""
    manifest: float
    """The file that says that a shard is done."""


@dataclass(frozen=True)
class Stage:
    """A part of an audit that is divided into shards."""

    name: str
    shards: int
    seconds: float
    """Of a shard, on one worker."""
    size: float
    """Bytes that a shard reads and writes."""
    requests: int
    stored: float
    """Bytes that the whole stage leaves."""
    memory: float
    """Bytes of a worker, without its model."""


@dataclass(frozen=True)
class Site:
    """What the workers share, and how they fail."""

    start: float
    between: float
    spread: float
    bandwidth: float
    rate: float
    """Requests per second that the store answers."""


def simulate(stage: Stage, workers: int, site: Site, seed: int = 0) -> float:
    """Seconds until the last shard is done."""
    rng = random.Random(seed)
    free = [(site.start, i) for i in range(workers)]
    heapq.heapify(free)
    fails = [site.between * rng.expovariate(1) for _ in range(workers)]
    store = end = 0.0
    waiting = stage.shards
    service = stage.size / site.bandwidth + stage.requests / site.rate
    while waiting:
        now, worker = heapq.heappop(free)
        takes = stage.seconds * rng.lognormvariate(-(site.spread**2) / 2, site.spread)
        done = max(now + takes, max(store, now) + service)
        if done > fails[worker]:  # its shard is done again, by whoever is free
            again = max(fails[worker], now)
            fails[worker] = again + site.start + site.between * rng.expovariate(1)
            heapq.heappush(free, (again + site.start, worker))
            continue
        store = max(store, now) + service
        waiting -= 1
        end = max(end, done)
        heapq.heappush(free, (done, worker))
    return end


def stages(options: argparse.Namespace, costs: Costs) -> list[Stage]:
    """Drawing, indexing, searching and merging, each by its shards."""
    images, references = options.images, options.references
    vector = DIMENSIONS * 2  # half precision
    pieces = math.ceil(references / PIECE)
    listed = 8 * NEAREST + 4 * NEAREST
    return [
        Stage("draw", math.ceil(images / SHARD), SHARD * costs.draw + costs.manifest,
              SHARD * (options.picture + 4 * vector), 4, images * (options.picture + 4 * vector),
              32 * 3 * 512 * 512 * 4),
        Stage("index", math.ceil(references / REFERENCES),
              REFERENCES * costs.index + costs.manifest, REFERENCES * (options.reference + vector),
              REFERENCES // 1000 + 3, references * vector, 236 * 2**20),
        Stage("search", pieces, images * min(PIECE, references) * costs.compare + costs.manifest,
              min(PIECE, references) * vector + images * (vector + listed), 8,
              pieces * images * listed, images * (vector * 2 + listed) + 64 * 2**20),
        Stage("merge", max(1, images // 100_000), min(images, 100_000) * pieces * costs.merge,
              min(images, 100_000) * pieces * listed, pieces, images * listed,
              100_000 * listed * 2),
    ]  # fmt: skip


def lap(work: Callable[[], object], units: int, least: float = 1.0) -> float:
    """Processor seconds of a unit, over at least so many seconds."""
    began, done = time.process_time(), 0
    while time.process_time() - began < least or not done:
        work()
        done += units
    return (time.process_time() - began) / done


def measured(options: argparse.Namespace) -> Costs:
    """Costs of a unit on one core here; those of a GPU as they were given."""
    from audit.datasets import pixels
    from audit.evidence.copies import merge
    from audit.evidence.encoders.phash import PerceptualHash
    from audit.files import write_atomic
    from benchmarks.indexing import photograph

    data, encoder = photograph(0), PerceptualHash()
    index = lap(lambda: encoder.images([pixels.decode(data, encoder.smallest)]), 1)
    rng = np.random.default_rng(0)
    queries, rows = (rng.standard_normal((n, DIMENSIONS), np.float32) for n in (512, 20_000))
    blocks = [(np.arange(len(rows)), rows)]
    core = lap(lambda: merge.nearest(queries, lambda: iter(blocks), lambda at: rows[at], NEAREST),
               len(queries) * len(rows))  # fmt: skip
    scores = rng.random((2048, 64 * NEAREST), np.float32)
    places = rng.integers(0, 9**9, scores.shape)
    merged = lap(lambda: merge.best(scores, places, NEAREST), 2048 * 64)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(20):
            write_atomic(Path(folder) / f"{i}.json", b"{}" * 500)
    manifest = (time.monotonic() - began) / 20
    search = 2 * DIMENSIONS / (options.gemm * 1e12) if options.gemm else core
    return Costs(1 / options.draw, index / options.cores, search, merged, manifest)


def hours(seconds: float) -> str:
    """A time in hours, minutes or seconds."""
    if seconds >= 7200:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def size(amount: float) -> str:
    """Bytes in words."""
    for unit, least in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if amount >= least:
            return f"{amount / least:,.1f} {unit}"
    return f"{amount / 1e3:.0f} kB"


def table(options: argparse.Namespace, costs: Costs) -> str:
    """The table in Markdown: a row for each stage and number of workers."""
    site = Site(options.start, options.between * 3600, options.spread, options.bandwidth * 1e9,
                options.requests)  # fmt: skip
    out = io.StringIO()
    out.write("| stage | shards | leaves | memory of a worker | workers | time | used | money |\n")
    out.write("|---|---|---|---|---|---|---|---|\n")
    knees = []
    for stage in stages(options, costs):
        knee = 1
        for workers in options.workers:
            seconds = simulate(stage, workers, site)
            used = stage.shards * stage.seconds / (workers * seconds)
            money = workers * seconds / 3600 * options.gpu_hour
            knee = workers if used >= USED else knee
            first = workers == options.workers[0]
            about = [stage.name, f"{stage.shards:,}", size(stage.stored), size(stage.memory)]
            cells = [*(about if first else [""] * 4), f"{workers:,}", hours(seconds),
                     f"{used:.0%}", f"{money:,.0f}"]  # fmt: skip
            out.write(f"| {' | '.join(cells)} |\n")
        knees.append(f"{stage.name} {knee:,}")
    out.write(f"\nKnees, the most workers at {USED:.0%} of use or more: {', '.join(knees)}.\n")
    return out.getvalue()


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options; sizes in bytes, bandwidth in GB per second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, usual, words in (
        ("images", 1_000_000, "images that are drawn and searched"),
        ("references", 1_000_000_000, "images of the training set"),
        ("gpu-hour", 2.5, "money for an hour of a worker"),
        ("draw", 4.2, "images that a worker draws in a second"),
        ("gemm", 200.0, "10^12 multiplications and additions per second in a search; 0: measured"),
        ("cores", 8, "cores of a worker, which decode"),
        ("picture", 340_000, "bytes of a drawn image"),
        ("reference", 100_000, "bytes of a training image"),
        ("start", 90.0, "seconds until a worker has its model"),
        ("between", 500.0, "hours between failures of a worker"),
        ("spread", 0.15, "standard deviation of the logarithm of a shard's time"),
        ("bandwidth", 20.0, "GB per second of the store, for all workers together"),
        ("requests", 5000.0, "requests per second of the store"),
    ):
        parser.add_argument(f"--{name}", type=type(usual), default=usual, help=words)
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    return parser.parse_args(arguments)


def main() -> None:
    """Print the costs of a unit, and the table."""
    options = parsed()
    costs = measured(options)
    print(f"A reference is described in {costs.index * options.cores * 1e3:.2f} ms on one core; a "
          f"list is merged in {costs.merge * 1e9:.0f} ns, a shard declared done in "
          f"{costs.manifest * 1e3:.1f} ms.\n")  # fmt: skip
    print(table(options, costs))


if __name__ == "__main__":
    main()
