"""Large photographs made elsewhere: memory and rate of `run --images` against a plain loop.

    python -m benchmarks.photographs [--images 2000] [--distinct 200] [--classifier NAME] [--work D]

Writes JPEG files of 12 megapixels, each with a prompt of the suite `occupations` in its name, runs
`run occupations --images` over them, and then opens the same files with Pillow and gives them to
the same encoder, 16 at a time. Each side is a process of its own, one after the other, and says
its processor time, wall time and peak of memory. The rate is that of all images beyond FEW, which
are read by another process of each side: imports, models and the report cost the same for any
number. It is of processor time; on a shared machine wall times are not comparable.
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
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 4000, 3000
BATCH, FEW = 16, 16


def photograph(seed: int) -> Image.Image:
    """Smooth colours with grain, which compresses as photographs do: about 2.5 MB at quality 85."""
    rng = np.random.default_rng(seed)
    low = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
    smooth = np.asarray(low.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    grain = rng.integers(-9, 10, (HEIGHT // 2, WIDTH // 2, 1), np.int16).repeat(2, 0).repeat(2, 1)
    return Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))


def make(folder: Path, images: int, distinct: int) -> None:
    """The files; those beyond the distinct ones are links to them, in other names."""
    from audit.design import suites

    prompts = suites.read_suite("occupations").prompts
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(images):
        prompt = prompts[i % len(prompts)].text.replace("/", " ")
        path = folder / f"{i:05d}-{i}-{prompt}.jpg"
        if path.exists():
            continue
        if i < distinct:
            photograph(i).save(path, quality=85)
        else:
            os.link(next(folder.glob(f"{i % distinct:05d}-*.jpg")), path)


def plain(files: Sequence[Path], classifier: str) -> None:
    """Pillow and the encoder, as a script would have them."""
    from audit import registry

    encoder = registry.load("encoder", classifier)()
    for start in range(0, len(files), BATCH):
        pictures = []
        for path in files[start : start + BATCH]:
            with Image.open(path) as image:
                pictures.append(np.asarray(image.convert("RGB")))
        encoder.images(pictures)


def ours(folder: Path, out: Path, classifier: str) -> None:
    """The command."""
    from audit.api import run

    run("occupations", images=folder, out=out, classifier=classifier)


def said(side: str, folder: Path, out: Path, classifier: str) -> None:
    """One side in this process; its figures as JSON."""
    started, wall = time.process_time(), time.monotonic()
    files = sorted(folder.glob("*.jpg"))
    if side == "ours":
        ours(folder, out, classifier)
    else:
        plain(files, classifier)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu, wall = time.process_time() - started, time.monotonic() - wall
    print(json.dumps({"side": side, "images": len(files), "cpu_s": round(cpu, 2),
                      "wall_s": round(wall, 1), "peak_mib": round(peak)}), flush=True)  # fmt: skip


def measured(side: str, folder: Path, classifier: str) -> dict[str, float]:
    """What `said` prints, in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.photographs", "--side", side,
             "--work", str(folder), "--classifier", classifier]  # fmt: skip
    text = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(text.splitlines()[-1], flush=True)
    return dict(json.loads(text.splitlines()[-1]))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--distinct", type=int, default=200)
    parser.add_argument("--classifier", default="embedded-classifier")
    parser.add_argument("--work", type=Path, help="where the files are kept")
    parser.add_argument("--side", choices=("ours", "plain"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if asked.side:
            said(asked.side, asked.work, Path(place) / "out", asked.classifier)
            return
        work = asked.work or Path(place)
        make(work / "all", asked.images, asked.distinct)
        make(work / "few", FEW, FEW)
        rates = {}
        for side in ("plain", "ours"):
            few, every = (measured(side, work / n, asked.classifier) for n in ("few", "all"))
            rates[side] = (every["images"] - few["images"]) / (every["cpu_s"] - few["cpu_s"])
        print(f"{rates['plain']:.2f} and {rates['ours']:.2f} images per second of processor time: "
              f"{rates['ours'] / rates['plain']:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
