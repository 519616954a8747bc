"""Two workers against one process with all threads: the same images and the same index.

    python -m benchmarks.shards                    both jobs, three rounds
    python -m benchmarks.shards --ray              with two actors of Ray on this machine, too
    python -m benchmarks.shards --job index --pictures 16384 --rounds 5
    python -m benchmarks.shards --images 16 --pictures 32 --rounds 1    whether it works

Each side is the command itself, in a new folder. What starting costs, for the command and for its
workers, is taken out: a side's time is that of a large job less that of one of half its size.
Both have an even number of shards with the sizes that are given by default, so that no worker waits
for the other; with others a line on stderr says so. Sides take turns, in the reverse order in every
second round, and a ratio is the median over rounds, because seconds of different runs are not
comparable on a shared machine. Prints one line of JSON for each job: throughput as a multiple of
one process. Limits on threads in the environment are not passed on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

ONE = "one process"
SIDES = {ONE: ["--workers", "1"], "two workers": ["--workers", "2"]}
RAY = {"two actors of Ray": ["--ray", "local", "--workers", "2"]}
PROMPTS, SHARD, BLOCK = 16, 64, 4096
"""Of the suite; images of a shard of a run, and of a block of an index."""
SUITE = """
name = "many"
title = "Many images"
question = "Who?"
subject_attribute = "occupation"
[gate]
person = ["a person", "a photo of a person"]
empty = ["an empty scene", "a photo of a blue background"]
[[blocks]]
id = "jobs"
purpose = "representation"
templates = ["a photo of {a_subject}", "a portrait of {a_subject}", "a picture of {a_subject}", "{a_subject}"]
subjects = ["nurse", "judge", "cook", "pilot"]
seeds = 1
attributes = ["gender"]
[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {a_value}", "a portrait of {a_value}"]
[attributes.occupation]
classes = ["nurse", "judge", "cook", "pilot"]
templates = ["a photo of {a_value}"]
[[references]]
name = "uniform"
label = "even"
uniform = true
"""  # noqa: E501 - a file of its own
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def seconds(words: list[str]) -> float:
    """Wall-clock time of a command; what it said is the end where it fails."""
    free = {k: v for k, v in os.environ.items() if k not in THREADS}
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "audit", *words, "--quiet"], env=free,
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return time.monotonic() - started


def photographs(folder: Path, count: int) -> Path:
    """JPEGs of 512 by 384 pixels that all differ."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        blocks = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((512, 384)).save(folder / f"{i:06}.jpg", quality=90)
    return folder


def drawing(root: Path, images: int) -> Callable[[Path, int, list[str]], float]:
    """Seconds for so many images, or half of them, drawn, encoded and read by the command."""
    suite = root / "many.toml"
    suite.write_text(SUITE)

    def run(out: Path, part: int, how: list[str]) -> float:
        seeds = max(1, images // PROMPTS // part)
        words = ["run", str(suite), "--seeds", str(seeds), "--steps", "10", "--shard", "1/1"]
        return seconds([*words, "--out", str(out), *how])

    return run


def indexing(root: Path, pictures: int) -> Callable[[Path, int, list[str]], float]:
    """Seconds for an index of so many photographs or half of them."""
    places = {part: photographs(root / f"photographs-{part}", pictures // part) for part in (1, 2)}

    def run(out: Path, part: int, how: list[str]) -> float:
        words = ["index", str(places[part]), "--descriptor", "embedded-copy", "--shard", "1/1"]
        return seconds([*words, "--out", str(out), *how])

    return run


def rounds(
    job: Callable[[Path, int, list[str]], float],
    root: Path,
    sides: dict[str, list[str]],
    count: int,
) -> Iterator[dict[str, float]]:
    """Seconds of each side for half of the large job, round by round."""
    for turn in range(count):
        spent: dict[str, float] = {}
        for name in [*sides][:: -1 if turn % 2 else 1]:
            large, small = (job(root / f"{turn} {name} {part}", part, sides[name])
                            for part in (1, 2))  # fmt: skip
            spent[name] = large - small
        yield spent


def main() -> None:
    """Measure, and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--job", choices=("draw", "index", "both"), default="both")
    parser.add_argument("--images", type=int, default=512, help="images to draw")
    parser.add_argument("--pictures", type=int, default=16384, help="photographs to index")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", action="store_true", help="two actors, too; needs the extra ray")
    given = parser.parse_args()
    sides = {**SIDES, **(RAY if given.ray else {})}
    for name, count, unit in (("draw", given.images, SHARD), ("index", given.pictures, BLOCK)):
        if given.job not in (name, "both"):
            continue
        if count % (4 * unit):
            print(f"{name}: {count} is no multiple of {4 * unit}: shards are uneven.",
                  file=sys.stderr)  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            job = (drawing if name == "draw" else indexing)(root, count)
            found = list(rounds(job, root, sides, given.rounds))
        ratios = {s: [r[ONE] / max(r[s], 0.001) for r in found] for s in sides if s != ONE}
        body = {
            "job": name,
            "throughput": {s: round(statistics.median(each), 3) for s, each in ratios.items()},
            "rounds": {s: [round(x, 2) for x in each] for s, each in ratios.items()},
            "seconds": {s: [round(r[s], 1) for r in found] for s in sides},
        }
        print(json.dumps(body), flush=True)


if __name__ == "__main__":
    main()
