"""Indexing photographs: this version, an earlier one, and a plain loader and encoder.

    python -m benchmarks.indexing [--images 2000] [--distinct 200] [--earlier WORKTREE] [--rounds 3]
    python -m benchmarks.indexing --form tar --images 50000

Writes JPEG files of 1024 x 768 pixels, or tars of 1,000 of them, and lets each side describe them
by `--descriptor`: `index` of this version; `index` of another one, a folder with its source such as
`git worktree add FOLDER 2fa7f4e` makes, where 2fa7f4e is the first commit with the number 0.1.0;
and torchvision's `ImageFolder` (for tars, `tarfile`) in a `DataLoader` with a process for each
core. Sides are processes of their own and take turns. Each says its wall time, its processor time
and its peak of memory; ratios are medians over rounds. The loader's processes decode and describe
whole images; it writes the vectors in one file at the end. On a shared machine the ratio of
processor times is the one to read.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 1024, 768
IN_A_TAR = 1000
HERE = Path(__file__).parents[1]


def photograph(seed: int) -> bytes:
    """Smooth colours with grain, which compresses as photographs do: about 190 kB at quality 90."""
    rng = np.random.default_rng(seed)
    low = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
    smooth = np.asarray(low.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    grain = rng.integers(-9, 10, (HEIGHT, WIDTH, 1), np.int16)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(
        buffer, "JPEG", quality=90
    )
    return buffer.getvalue()


def write(folder: Path, form: str, images: int, distinct: int) -> None:
    """The files; those beyond the distinct ones have the same content in other names."""
    some = [photograph(i) for i in range(min(images, distinct))]
    if form == "folder":
        (folder / "one").mkdir(parents=True)
        for i in range(images):
            (folder / "one" / f"{i:06d}.jpg").write_bytes(some[i % len(some)])
        return
    folder.mkdir(parents=True)
    for start in range(0, images, IN_A_TAR):
        with tarfile.open(folder / f"{start // IN_A_TAR:05d}.tar", "w") as archive:
            for i in range(start, min(images, start + IN_A_TAR)):
                about = tarfile.TarInfo(f"{i:06d}.jpg")
                about.size = len(some[i % len(some)])
                archive.addfile(about, io.BytesIO(some[i % len(some)]))


def indexed(folder: Path, out: Path, descriptor: str) -> None:
    """`index` of whichever version is imported."""
    from audit.runs import indexing

    indexing.make(str(folder), out, indexing.Plan(descriptor=descriptor))


def loaded(folder: Path, out: Path, descriptor: str) -> None:
    """A dataset, a loader and the encoder, as a script would have them."""
    import torch
    from torch.utils.data import DataLoader

    from audit.evidence.encoders import named

    encoder = named.named(descriptor)
    data: Any = (
        _Tarred(folder, encoder) if any(folder.glob("*.tar")) else _pictures(folder, encoder)
    )
    cores = len(os.sched_getaffinity(0))
    rows = [np.asarray(b) for b in DataLoader(data, batch_size=64, num_workers=cores)]
    out.mkdir(parents=True, exist_ok=True)
    torch.save(torch.from_numpy(np.concatenate(rows)), out / "vectors.pt")


def _pictures(folder: Path, encoder: Any) -> Any:
    from torchvision.datasets import DatasetFolder

    def load(path: str) -> np.ndarray:
        with Image.open(path) as image:
            return encoder.images([np.asarray(image.convert("RGB"))])[0]

    return _First(DatasetFolder(str(folder), load, extensions=(".jpg",)))


class _First:
    """A data set without its labels."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, at: int) -> np.ndarray:
        return self.data[at][0]


class _Tarred:
    """Members of tars by number, each tar opened once in a process."""

    def __init__(self, folder: Path, encoder: Any) -> None:
        self.encoder, self.open = encoder, dict[Path, tarfile.TarFile]()
        self.members: list[tuple[Path, tarfile.TarInfo]] = []
        for path in sorted(folder.glob("*.tar")):
            with tarfile.open(path) as archive:
                self.members += [(path, member) for member in archive]

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, at: int) -> np.ndarray:
        path, member = self.members[at]
        if path not in self.open:
            self.open[path] = tarfile.open(path)  # noqa: SIM115 - open while its process reads
        file = self.open[path].extractfile(member)
        assert file is not None
        with Image.open(file) as image:
            return self.encoder.images([np.asarray(image.convert("RGB"))])[0]


SIDES = {"index": indexed, "earlier": indexed, "loader": loaded}


def measured(side: str, source: Path, work: Path, options: argparse.Namespace) -> dict[str, float]:
    """Seconds, processor seconds and peak of memory in MiB of one side in a process of its own."""
    out = work / f"out-{side}"
    shutil.rmtree(out, ignore_errors=True)
    root = options.earlier if side == "earlier" else HERE
    command = [sys.executable, str(Path(__file__).resolve()), "--side", side, "--work", str(work),
               "--descriptor", options.descriptor, "--source", str(source)]  # fmt: skip
    done = subprocess.run(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one(options: argparse.Namespace) -> None:
    """One side in this process; prints its figures."""
    began = time.monotonic()
    SIDES[options.side](options.source, options.work / f"out-{options.side}", options.descriptor)
    seconds = time.monotonic() - began
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({
        "seconds": seconds, "processor": sum(u.ru_utime + u.ru_stime for u in used),
        "peak": max(u.ru_maxrss for u in used) / 1024,
    }))  # fmt: skip


def rounds(options: argparse.Namespace, work: Path) -> Iterator[dict[str, dict[str, float]]]:
    """The figures of each side, round by round."""
    source = work / "source"
    write(source, options.form, options.images, options.distinct)
    sides = [s for s in SIDES if s != "earlier" or options.earlier]
    for _ in range(options.rounds):
        yield {side: measured(side, source, work, options) for side in sides}


def main() -> None:
    """Print the figures of every round, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--distinct", type=int, default=200)
    parser.add_argument("--form", choices=("folder", "tar"), default="folder")
    parser.add_argument("--descriptor", default="phash")
    parser.add_argument("--earlier", type=Path, help="folder with the source of another version")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        one(options)
        return
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        found = []
        for figures in rounds(options, Path(folder)):
            found.append(figures)
            for side, f in figures.items():
                rate = options.images / f["seconds"]
                print(
                    f"{side:8} {f['seconds']:7.1f} s, {f['processor']:7.1f} s of processor, "
                    f"{f['peak']:6.0f} MiB, {rate:6.0f} images/s",
                    flush=True,
                )
        for side in found[0]:
            for what in ("seconds", "processor"):
                ratio = statistics.median(f[side][what] / f["index"][what] for f in found)
                if side != "index":
                    print(f"{side}: {ratio:.2f} times the {what} of index")


if __name__ == "__main__":
    main()
