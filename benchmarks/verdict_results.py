"""Cells of simulated audits, their results in a file that a second call continues, and rates."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from audit.files import write_atomic
from audit.keys import digest
from audit.stats.proportions import wilson
from benchmarks.verdict_claims import (
    CORNERS,
    DEFAULT,
    FEW,
    REDUCED,
    STAR,
    Claim,
    Scene,
    settings,
)
from benchmarks.verdict_worlds import CONFIRMED, WORLDS, Draws, Setting

ROOT = Path(__file__).parent.parent
BLOCK = 20
"""Audits per line of results."""
NULL, POWER, REDUCED_RUNS = 400, 200, 20
"""Audits per cell where a verdict is false, where it is true, and in the reduced form."""
DEAR = {"mitigated": 200, "whole": 200, "together": 200}
"""Worlds that take long, and their number of audits in every cell."""
ABOVE = 0.02
"""Excess over the nominal level from which a rate is flagged."""
Counts = dict[str, dict[str, int]]
"""Verdicts by label of the claim."""


@dataclass(frozen=True, order=True)
class Cell:
    """One simulated truth in one setting."""

    scene: Scene
    at: Setting

    @property
    def name(self) -> str:
        """The content on which seeds depend."""
        return f"{self.scene} {json.dumps(asdict(self.at))}"


@cache
def version() -> str:
    """Changes with everything that verdicts depend on."""
    paths = [Path(__file__).with_name("verdict_worlds.py")]
    for room in ("findings", "stats", "evidence/copies"):
        paths += sorted((ROOT / "audit" / room).rglob("*.py"))
    return digest([p.read_text("utf-8") for p in paths], 12)


def simulate(cell: Cell, block: int) -> list[Counts]:
    """What is said in the audits of one block."""
    out = []
    for run in range(block * BLOCK, (block + 1) * BLOCK):
        seed = int(digest([cell.name, run], 16), 16)
        world = WORLDS[cell.scene.world]
        said = world(Draws(cell.at, np.random.default_rng(seed)), **dict(cell.scene.planted))
        counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        for label, word in said:
            counts[label][word] += 1
        out.append({k: dict(v) for k, v in counts.items()})
    return out


def cells(claims: Sequence[Claim], reduced: bool = False) -> dict[Cell, int]:
    """Every cell of these claims, in the order in which it helps most, and its number of audits."""
    out: dict[Cell, int] = {}
    for power in (False, True):
        for c in claims:
            truth = c.power if power else c.null
            if truth is None:
                continue
            runs = REDUCED_RUNS if reduced else POWER if power else NULL
            runs = min(runs, DEAR.get(truth.scene.world, runs))
            for at in settings(c, power, reduced):
                cell = Cell(truth.scene, at)
                out[cell] = max(out.get(cell, 0), runs)
    order = {at: i for i, at in enumerate([DEFAULT, *FEW, *STAR, *CORNERS, *REDUCED][::-1])}
    return dict(sorted(out.items(), key=lambda item: -order.get(item[0].at, 0)))


class Results:
    """The lines of a file, by cell."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: dict[str, dict[int, list[Counts]]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.read_text("utf-8") if path.exists() else ""
        if whole and not whole.endswith("\n"):  # a line that was cut off is made again
            whole = whole[: whole.rfind("\n") + 1]
            write_atomic(path, whole.encode())
        for line in whole.splitlines():
            row = json.loads(line)
            if row["version"] == version():
                self.runs.setdefault(row["cell"], {})[row["block"]] = row["runs"]

    def add(self, cell: Cell, block: int, runs: list[Counts]) -> None:
        """Keep a block, and append its line."""
        self.runs.setdefault(cell.name, {})[block] = runs
        row = {"version": version(), "cell": cell.name, "block": block, "runs": runs}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")

    def of(self, cell: Cell) -> list[Counts]:
        """The audits of a cell so far."""
        return [run for _, block in sorted(self.runs.get(cell.name, {}).items()) for run in block]

    def left(self, wanted: Mapping[Cell, int]) -> list[tuple[Cell, int]]:
        """Blocks that are not there yet."""
        return [
            (cell, block)
            for cell, runs in wanted.items()
            for block in range(math.ceil(runs / BLOCK))
            if block not in self.runs.get(cell.name, {})
        ]


def measure(results: Results, wanted: Mapping[Cell, int], jobs: int) -> None:
    """Simulate what is missing, on several cores."""
    left = results.left(wanted)
    for done, ((cell, block), runs) in enumerate(_simulated(left, jobs), 1):
        results.add(cell, block, runs)
        if done % 10 == 0 or done == len(left):
            print(f"{done} of {len(left)} blocks", file=sys.stderr, flush=True)


def _simulated(
    left: Sequence[tuple[Cell, int]], jobs: int
) -> Iterator[tuple[tuple[Cell, int], list[Counts]]]:
    if jobs == 1:
        yield from ((task, simulate(*task)) for task in left)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each process
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        at = {pool.submit(simulate, *task): task for task in left}
        for future in as_completed(at):
            yield at[future], future.result()


@dataclass(frozen=True)
class Rate:
    """How often a claim's words were said, with Wilson's 95 % interval."""

    estimate: float
    low: float
    high: float
    audits: int

    def flagged(self, level: float | None) -> bool:
        """Whether the rate is above the level by more than ABOVE, and the interval excludes it."""
        return level is not None and self.estimate > level + ABOVE and self.low > level

    def __str__(self) -> str:
        if not math.isfinite(self.estimate):
            return "\N{EN DASH}"
        return f"{_share(self.estimate)} [{_share(self.low)}, {_share(self.high)}]"


def _share(x: float) -> str:
    return f"{x:.3f}".lstrip("0") if x < 0.9995 else "1"


def rate(runs: Iterable[Counts], claim: Claim, words: Sequence[str]) -> Rate:
    """The rate of some of a claim's words among its verdicts, or among reports for a family.

    Verdicts of one audit depend on each other: the interval is Wilson's at the size at which single
    verdicts would vary as much as audits do, and at the number of audits where no rate varies.
    """
    pairs = []
    for run in runs:
        said = run.get(claim.label, {})
        told = sum(n for w, n in said.items() if w.startswith(CONFIRMED) == claim.confirmed)
        hits = sum(said.get(w, 0) for w in words)
        if told:
            pairs.append((min(hits, 1), 1) if claim.family else (hits, told))
    if not pairs:
        return Rate(math.nan, math.nan, math.nan, 0)
    k, n = np.array(pairs, float).T
    p, count = k.sum() / n.sum(), len(k)
    between = float(((k - p * n) ** 2).sum()) * count / max(count - 1, 1) / n.sum() ** 2
    size = p * (1 - p) / between if between > 0 else float(count)
    size = min(size, n.sum())
    found = wilson(p * size, size)
    return Rate(float(p), found.low, found.high, count)
