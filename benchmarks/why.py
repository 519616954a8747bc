"""Small training sets, long training and repeated images make copies: measured on the world.

    python benchmarks/why.py [--steps 100 200 400 800 1600] [--sizes 32 256 2048] [--work FOLDER]

The embedded generator is trained further, as Somepalli et al. 2023b (arXiv 2305.20086, sec. 4)
train Stable Diffusion on small sets of LAION: on images that it never saw, each with its caption.
Another set contains each of its first images 64 times. After each number of steps its captions are
drawn again, and every image is compared with the set and with a twin, as many images drawn in the
same way. `copies` is the share that is at most half as far from the set as from the twin, less the
share that is at most half as far from the twin: images near by chance are as often near to either.
Intervals are percentile bootstraps over captions, or Newcombe's where all agree.

Finished work is kept in FOLDER/why.jsonl, and the same command continues from there.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from rich.console import Console
from rich.table import Table
from torch import nn

from audit.engine.model import Loading, load
from audit.engine.sampler import draw
from audit.engine.source import find
from audit.evidence.copies.match import twin_evidence
from audit.records import Sample, Settings
from audit.stats.interval import Interval
from audit.stats.paired import paired_difference
from audit.stats.proportions import cluster_bootstrap, effective_n
from audit.world.dataset import Item, fresh
from audit.world.models import copy_descriptor, embedded
from audit.world.train.loop import Schedule
from audit.world.train.recipes import assemble
from audit.world.train.unet import tune

ASKED, SEEDS, BATCH, RATE = 32, 2, 16, 2e-4
TIMES = 64
"""How often the set with repeats contains each of the requested images."""
NEAR = math.log(2)
SEED = 4101


@dataclass(frozen=True)
class Set:
    """A training set and its twin."""

    name: str
    items: tuple[Item, ...]
    twin: tuple[Item, ...]


def people(n: int) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """`n` images of people and their twin: plain backgrounds recur by chance."""
    found = [i for i in fresh(SEED, 3 * n) if i.scene.sprite is not None]
    return tuple(found[:n]), tuple(found[n : 2 * n])


def sets(sizes: list[int]) -> list[Set]:
    """One set of each size, and the largest again with repeats of the requested images."""
    out = [Set(f"{n:,} images", *people(n)) for n in sizes]
    items, twin = people(max(sizes))
    repeated = tuple(replace(x, repeats=TIMES if i < ASKED else 1) for i, x in enumerate(items))
    return [*out, Set(f"{max(sizes):,}, {ASKED} of them {TIMES} times", repeated, twin)]


def pictures(folder: Path, items: tuple[Item, ...], steps: int = 10) -> tuple[np.ndarray, Any]:
    """Images of the first captions, uint8[n, h, w, 3], and the caption of each."""
    model = load(find(str(folder)), Loading(dtype="float32", device="auto"))
    asked = [(i, item) for i, item in enumerate(items[:ASKED]) for _ in range(SEEDS)]
    samples = [
        Sample(str(k), str(i), "none", SEED + k, item.caption) for k, (i, item) in enumerate(asked)
    ]
    settings = Settings("tuned", "", steps, 3.0, BATCH)
    drawn = {
        id: picture
        for batch in draw(model, samples, settings)
        for id, picture in zip(batch.ids, batch.pictures, strict=True)
    }
    return np.stack([drawn[s.id] for s in samples]), np.array([i for i, _ in asked])


def measured(folder: Path, data: Set, encoder: Any) -> dict[str, float]:
    """Copies among the images of one checkpoint, with an interval, and mean cosine to the set."""
    made, captions = pictures(folder, data.items)
    vectors = encoder.images(list(made))
    near, chance = (
        (vectors @ encoder.images([i.pixels() for i in side]).T).max(axis=1)
        for side in (data.items, data.twin)
    )
    w = twin_evidence(near, chance)
    copies = (w >= NEAR).astype(float) - (w <= -NEAR)
    got = interval(copies, captions)
    return {
        "copies": got.estimate, "low": got.low, "high": got.high, "n": len(w),
        "n_effective": effective_n(copies, captions), "chance": float((w <= -NEAR).mean()),
        "cosine": float(near.mean()), "cosine_twin": float(chance.mean()),
    }  # fmt: skip


def interval(copies: np.ndarray, captions: np.ndarray) -> Interval:
    """Mean of -1, 0 and 1 with 95 % limits over captions."""
    got = cluster_bootstrap(copies, captions, np.random.default_rng(0))
    if got.low < got.high:
        return got
    first = copies[np.unique(captions, return_index=True)[1]]
    counts = [int((first == v).sum()) for v in (1, -1, 0)]
    return paired_difference(0, *counts)


def shipped() -> tuple[nn.ModuleDict, Any, Any]:
    """The embedded generator's text encoder and denoiser, its autoencoder and its tokenizer."""
    pipe = StableDiffusionPipeline.from_pretrained(embedded(), torch_dtype=torch.float32)
    model = nn.ModuleDict({"text": pipe.text_encoder, "unet": pipe.unet})
    return model.requires_grad_(True), pipe.vae, pipe.tokenizer


def trained(data: Set, steps: int, work: Path) -> Path:
    """A diffusers folder of the generator after `steps` on a set; resumes from earlier work."""
    model, vae, tokenizer = shipped()
    schedule = Schedule(
        steps, RATE, warmup=20, floor=1.0, average=0.99, save_every=100, compiled=False
    )
    tune(model, vae, tokenizer, data.items, work, schedule, BATCH)
    return assemble(copy.deepcopy(model), copy.deepcopy(vae), tokenizer, work / "model")


def rows(data: list[Set], steps: list[int], work: Path) -> list[dict[str, Any]]:
    """All cells, including those measured before."""
    log, encoder = work / "why.jsonl", copy_descriptor()
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    known = {(r["set"], r["step"]): r for r in map(json.loads, lines)}
    for one in data:
        for step in [0, *steps]:
            if (one.name, step) in known:
                continue
            started = time.monotonic()
            place = work / "".join(c if c.isalnum() else "-" for c in one.name)
            folder = trained(one, step, place) if step else embedded()
            row = {"set": one.name, "step": step, **measured(folder, one, encoder)}
            known[one.name, step] = row
            with log.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
            print(one.name, step, f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return [known[one.name, step] for one in data for step in [0, *steps]]


def table(found: list[dict[str, Any]], steps: list[int]) -> Table:
    """Copies by set and step, each with its interval, in per cent of the images."""
    out = Table(title=f"copies among {ASKED} captions x {SEEDS} seeds, % [95 % interval]")
    out.add_column("trained on")
    for step in [0, *steps]:
        out.add_column(f"{step} steps", justify="right")
    for name in dict.fromkeys(r["set"] for r in found):
        cells = [r for r in found if r["set"] == name]
        words = ["{:.0f} [{:.0f}, {:.0f}]".format(*(100 * r[k] for k in ("copies", "low", "high")))
                 for r in cells]  # fmt: skip
        out.add_row(name, *words)
    return out


def figure(found: list[dict[str, Any]], path: Path) -> None:
    """Copies by step, a line for each set, as SVG or PNG by the file extension."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    fig, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    names = list(dict.fromkeys(r["set"] for r in found))
    for i, (name, mark) in enumerate(zip(names, "osD^vPX" * len(names), strict=False)):
        cells = [r for r in found if r["set"] == name]
        x = np.arange(len(cells)) + 0.06 * (i - len(names) / 2)
        y = 100 * np.array([r["copies"] for r in cells])
        ends = 100 * np.array([[r["low"], r["high"]] for r in cells]).T
        known = np.isfinite(ends).all(axis=0)
        axes.vlines(x[known], *ends[:, known], lw=1, color=f"C{i}")
        style = "--" if i == len(names) - 1 else "-"
        axes.plot(x, y, style, marker=mark, ms=5, color=f"C{i}", label=name)
    axes.set_xticks(range(len(cells)), [f"{r['step']:,}" for r in cells])
    axes.set(xlabel="steps of training on the set", ylabel="copies among images, %")
    axes.legend(frameon=False, title="trained on", fontsize=8, title_fontsize=8)
    fig.savefig(path, dpi=150)


def main() -> None:
    """Train, measure, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 200, 400, 800, 1600])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 256, 2048])
    parser.add_argument("--work", type=Path, default=Path("why"))
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    found = rows(sets(options.sizes), options.steps, options.work)
    Console(width=120).print(table(found, options.steps))
    if options.figure:
        figure(found, options.figure)


if __name__ == "__main__":
    main()
