"""Search in large training sets: our exact search against faiss, and the costs of lists.

    python benchmarks/search.py                                  1,000,000 x 512; about 4 GB of disk
    python benchmarks/search.py --images 200000 --queries 500 --sizes 10000 50000

`exact`: our search and a bare `faiss.IndexFlatIP` on the same float32 vectors, in one process and
in alternating rounds; `streamed` is the same search from half-precision shards on disk. `index`:
seconds and peak memory to index sets of each size, each in a separate process. `search`: all three
ways to search the largest set, each in a separate process: seconds to make its lists and for the
queries, peak memory, and the share of planted copies whose source is found, with Wilson's 95 %
interval. Queries are copies at a cosine of `--cosine` to their sources.

Vectors are half precision, in clusters of about 500 with a cosine of 0.5 inside; `--spread` omits
the clusters, the hardest case for lists. Peak memory is that of the whole process, pages of mapped
files included; `anonymous` is without these, sampled every 20 ms.
"""

from __future__ import annotations

import argparse
import inspect
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from audit.datasets.find import find
from audit.evidence.copies import approximate, recall, side
from audit.evidence.copies.index import build, load
from audit.evidence.copies.side import Side
from audit.stats.proportions import wilson

FILE = 50_000
"""Vectors per file."""
FAISS_ROWS = 1024
"""Vectors that faiss multiplies at once by default."""
KINDS = ("flat", "ivf-sq8", "ivf-rabitq")


class NoEncoder:
    """A placeholder encoder: the vectors already exist."""

    key = "benchmark"

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """There are no images."""
        raise NotImplementedError


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of unit length."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write(folder: Path, images: int, options: argparse.Namespace) -> None:
    """Vectors as clip-retrieval lays them out, file by file."""
    (folder / "img_emb").mkdir(parents=True)
    rng = np.random.default_rng(options.seed)
    d = options.dimensions
    centres = unit(rng.standard_normal((max(options.images // 500, 1), d), np.float32))
    for i, start in enumerate(range(0, images, FILE)):
        rows = unit(rng.standard_normal((min(FILE, images - start), d), np.float32))
        if not options.spread:
            rows = unit(rows + centres[rng.integers(0, len(centres), len(rows))])
        np.save(folder / "img_emb" / f"img_emb_{i:05d}.npy", rows.astype(np.float16))


class Peak:
    """Peak memory of this process in MB: resident, and sampled without mapped files."""

    def __init__(self) -> None:
        self.anonymous, self._done = 0.0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    self.anonymous = max(self.anonymous, int(line.split()[1]) / 1e3)

    def close(self) -> dict[str, float]:
        """Both figures."""
        self._done.set()
        return {"peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
                "peak_anonymous_mb": round(self.anonymous)}  # fmt: skip


@contextmanager
def seconds(out: dict[str, Any], name: str) -> Any:
    """Wall-clock seconds of the block."""
    started = time.perf_counter()
    yield
    out[name] = round(time.perf_counter() - started, 2)


def copies(of: Side, options: argparse.Namespace) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Planted copies and their sources, by direction."""
    rng = np.random.default_rng(options.seed + 1)
    return {
        d: recall.planted(of, options.queries, options.cosine, d, rng) for d in recall.DIRECTIONS
    }


def index(options: argparse.Namespace) -> dict[str, Any]:
    """Index the vectors in `work` in half precision."""
    out: dict[str, Any] = {"images": options.images}
    peak = Peak()
    with seconds(out, "index_s"):
        build({"train": find(options.work / "vectors")}, NoEncoder(), options.work / "index",
              how={"dtype": "float16"})  # fmt: skip
    return out | peak.close()


def search(options: argparse.Namespace) -> dict[str, Any]:
    """Search the index in `work` one way."""
    out: dict[str, Any] = {}
    peak, found = Peak(), load(options.work / "index")
    with seconds(out, "lists_s"):
        ready = approximate.prepared(found, options.kind)
    finder = ready.train.finder
    if isinstance(finder, approximate.Lists):
        out |= {k: v for k, v in asdict(finder.choice).items() if k != "kind"}
        out["lists_mb"] = round(sum(p.stat().st_size for p in finder.paths) / 1e6)
    for direction, (queries, at) in copies(ready.train, options).items():
        with seconds(out, f"{direction}_queries_s"):
            ready.train.nearest(queries, options.k)
        some = recall.of(ready.train, queries, at)
        interval = wilson(some.found, some.n)
        out[f"{direction}_recall"] = [some.share, round(interval.low, 5), round(interval.high, 5)]
    return out | peak.close()


def exact(options: argparse.Namespace) -> dict[str, Any]:
    """Bare faiss and our exact search on the first `--exact` vectors, in alternating rounds."""
    whole = load(options.work / "index").train
    parts, rows = [], 0
    for part in whole.parts:
        if rows < options.exact:
            parts.append(part)
            rows += part.rows
    ours = Side(parts, options.dimensions)
    side.IN_MEMORY = 0
    streamed = Side(parts, options.dimensions)
    theirs = faiss.IndexFlatIP(options.dimensions)
    for block in streamed.blocks():
        theirs.add(block)
    queries, _ = copies(streamed, options)["noise"]

    def run(held: int, of: Side) -> Callable[[], np.ndarray]:
        def timed() -> np.ndarray:
            side.IN_MEMORY = held
            return of.nearest(queries, options.k)[1]

        return timed

    def bare() -> np.ndarray:
        ours, faiss.cvar.distance_compute_blas_database_bs = (
            faiss.cvar.distance_compute_blas_database_bs, FAISS_ROWS,
        )  # fmt: skip
        found = theirs.search(queries, options.k)[1]
        faiss.cvar.distance_compute_blas_database_bs = ours
        return found

    sides: dict[str, Callable[[], np.ndarray]] = {
        "faiss": bare,
        "ours": run(1 << 62, ours), "streamed": run(0, streamed),
    }  # fmt: skip
    times: dict[str, list[float]] = {s: [] for s in sides}
    found = {s: call() for s, call in sides.items()}  # warms up
    for _ in range(options.rounds):
        for name, call in sides.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    out: dict[str, Any] = {"images": len(ours), "queries": len(queries), "k": options.k}
    out["seconds"] = {s: [round(t, 3) for t in ts] for s, ts in times.items()}
    for name in ("ours", "streamed"):
        ratios = [a / b for a, b in zip(times[name], times["faiss"], strict=True)]
        out[f"{name}_to_faiss"] = round(statistics.median(ratios), 3)
        out[f"{name}_same_ids"] = round(float((found[name] == found["faiss"]).mean()), 5)
    return out


PHASES = {"index": index, "search": search, "exact": exact}


def alone(phase: str, options: argparse.Namespace, **given: Any) -> dict[str, Any]:
    """One phase in a separate process, for its own peak memory."""
    command = [sys.executable, __file__, "--phase", phase]
    for key, value in (vars(options) | given).items():
        if key == "spread":
            command += ["--spread"] * bool(value)
        elif key not in ("phase", "sizes") and value is not None:
            command += [f"--{key}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    print(phase, json.dumps(result), file=sys.stderr, flush=True)
    return result


def everything(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """All phases; files are deleted as soon as they are not needed."""
    result: dict[str, Any] = {"options": {k: str(v) for k, v in vars(options).items()}, "index": []}
    for images in sorted({*(s for s in options.sizes if s < options.images), options.images}):
        place = work / str(images)
        write(place / "vectors", images, options)
        result["index"].append(alone("index", options, work=place, images=images))
        shutil.rmtree(place / "vectors")
        if images < options.images:
            shutil.rmtree(place)
    result["exact"] = alone("exact", options, work=place)
    result["search"] = {k: alone("search", options, work=place, kind=k) for k in KINDS}
    return result


def main() -> None:
    """Print one JSON object; a line for each phase on standard error as it ends."""
    parser = argparse.ArgumentParser(
        description=inspect.cleandoc(__doc__ or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--exact", type=int, default=200_000, help="vectors of the comparison")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--k", type=int, default=1)
    parser.add_argument("--cosine", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spread", action="store_true", help="vectors without clusters")
    parser.add_argument("--work", type=Path, help="folder for some gigabytes; kept empty")
    parser.add_argument("--phase", choices=PHASES, help=argparse.SUPPRESS)
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        print(json.dumps(PHASES[options.phase](options)))
        return
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        print(json.dumps(everything(options, Path(work)), indent=1))


if __name__ == "__main__":
    main()
