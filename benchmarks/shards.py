"""Two workers against one process with all threads: the same images and the same index.

    python -m benchmarks.shards                    both jobs, three rounds
    python -m benchmarks.shards --job index --pictures 20000 --rounds 5

Each side is the command itself, in a new folder. What starting costs, for the command and for its
workers, is taken out: a side's time is that of a large job less that of a small one. Rounds
alternate between the sides, and the ratio is the median over rounds, because seconds of different
runs are not comparable on a shared machine. Prints one line of JSON for each job.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def seconds(*words: str) -> float:
    """Wall-clock time of a command."""
    started = time.monotonic()
    command = [sys.executable, "-m", "audit", *words, "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def photographs(folder: Path, count: int) -> Path:
    """JPEGs of 512 by 384 pixels that all differ."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        blocks = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((512, 384)).save(folder / f"{i:06}.jpg", quality=90)
    return folder


def drawn(out: Path, seeds: int, workers: int) -> float:
    """Seconds for all images of the embedded model's suite, with their vectors and readings."""
    words = ["run", "world", "--seeds", str(seeds), "--steps", "10", "--shard", "1/1"]
    return seconds(*words, "--out", str(out), "--workers", str(workers))


def indexed(out: Path, pictures: Path, workers: int) -> float:
    """Seconds for an index of the photographs."""
    words = ["index", str(pictures), "--descriptor", "embedded-copy", "--shard", "1/1"]
    return seconds(*words, "--out", str(out), "--workers", str(workers))


def main() -> None:
    """Measure, and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--job", choices=("draw", "index", "both"), default="both")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--pictures", type=int, default=16384)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for job in ("draw", "index") if given.job == "both" else (given.job,):
            if job == "index":
                large = photographs(root / "large", given.pictures)
                small = photographs(root / "small", given.pictures // 2)
            ratios = []
            for turn in range(given.rounds):
                spent = {}
                for workers in (1, 2) if turn % 2 else (2, 1):
                    out = root / f"{job}-{turn}-{workers}"
                    if job == "draw":
                        both = [drawn(out / str(n), n, workers)
                                for n in (given.seeds, 2 * given.seeds)]  # fmt: skip
                    else:
                        both = [indexed(out / p.name, p, workers) for p in (small, large)]
                    spent[workers] = both[1] - both[0]
                ratios.append(spent[1] / spent[2])
            found = {"job": job, "throughput of two workers": statistics.median(ratios)}
            print(json.dumps({**found, "rounds": [round(r, 2) for r in ratios]}), flush=True)


if __name__ == "__main__":
    main()
