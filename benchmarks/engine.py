"""Our engine against a peer-style loop, in one process and on the same plan.

    python benchmarks/engine.py                         the embedded model, many prompts, few seeds
    python benchmarks/engine.py --model FOLDER --device cuda --steps 50 --size 512

The peer's loop is that of published audits: one prompt at a time through `pipe(prompt,
num_images_per_prompt=seeds)`, each image written as PNG by Pillow's defaults, read back from disk,
and scored one call at a time. Both sides draw the same number of images. Rounds alternate between
the sides, everything is warmed up before it is timed, and the ratio is the median over rounds:
wall-clock figures of different runs are not comparable on a shared machine.
"""

from __future__ import annotations

import argparse
import inspect
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from audit import registry
from audit.design.mitigations.arms import noise_seed
from audit.design.mitigations.changes import sample_ids
from audit.design.mitigations.grammar import article
from audit.engine import model as models
from audit.engine import sampler
from audit.engine.model import Loading, Model
from audit.engine.source import find
from audit.records import Sample, Settings
from audit.runs.writer import BackgroundWriter
from audit.store import RunFolder

JOBS = ("technologist", "nurse", "judge", "cook", "singer", "builder", "pilot", "teacher", "farmer",
        "artist", "student", "guard", "welder", "scientist", "mechanic", "detective")  # fmt: skip


def source(name: str) -> Any:
    """A model by registered name or folder."""
    return find(str(registry.load("model", name)()) if name in registry.MODELS else name)


def plan(prompts: int, seeds: int, settings: Settings) -> list[Sample]:
    """`prompts` distinct texts with `seeds` images each."""
    texts = [f"a photo of {article(JOBS[i % 16])}" + ", again" * (i // 16) for i in range(prompts)]
    return [
        Sample(sample_ids(t, settings)(noise_seed(t, k)), t, "none", noise_seed(t, k), t)
        for t in texts
        for k in range(seeds)
    ]


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Any:
        """Add the seconds inside to a stage."""
        started = time.perf_counter()
        yield
        self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - started


def peer(
    model: Model, encoder: Any, samples: list[Sample], settings: Settings, folder: Path
) -> Clock:
    """One prompt at a time; files written and read back; one scoring call per image and text."""
    clock, by_text = Clock(), {}
    for s in samples:
        by_text.setdefault(s.text, []).append(s)
    extra = {"height": None, "width": None}
    if settings.size:
        width, _, height = settings.size.partition("x")
        extra = {"height": int(height), "width": int(width)}
    for text, rows in by_text.items():
        with clock.stage("draw"):
            out = model.pipeline(
                text, num_images_per_prompt=len(rows), num_inference_steps=settings.steps,
                guidance_scale=settings.guidance, generator=sampler.generators([rows[0].seed])[0],
                output_type="pil", **extra,
            ).images  # fmt: skip
        with clock.stage("write"):
            for row, image in zip(rows, out, strict=True):
                image.save(folder / f"{row.id}.png")
        with clock.stage("score"):
            for row in rows:
                pixels = np.asarray(Image.open(folder / f"{row.id}.png").convert("RGB"))
                vector = encoder.images([pixels])
                for caption in ("a photo of a woman", "a photo of a man"):
                    vector @ encoder.texts([caption]).T
    return clock


def ours(
    model: Model, encoder: Any, samples: list[Sample], settings: Settings, folder: Path
) -> Clock:
    """Batches across prompts; each is written and scored from memory while the next is drawn."""
    clock = Clock()
    with clock.stage("all"):
        encoder.texts(["a photo of a woman", "a photo of a man"])
        with BackgroundWriter(RunFolder(folder), [encoder], lambda n: None) as writer:
            for batch in sampler.draw(model, samples, settings):
                writer.put(batch.ids, batch.pictures, batch.blocked)
    return clock


@contextmanager
def forward_time(model: Model) -> Any:
    """Seconds inside the model's own networks, which no engine can save."""
    spent, handles, starts = [0.0], [], []
    parts = [p for p in model.pipeline.components.values() if isinstance(p, torch.nn.Module)]

    def settle() -> None:
        if model.device.type == "cuda":
            torch.cuda.synchronize()

    def begin(*_: Any) -> None:
        settle()
        starts.append(time.perf_counter())

    def end(*_: Any) -> None:
        settle()
        spent[0] += time.perf_counter() - starts.pop()

    for part in parts:
        handles += [part.register_forward_pre_hook(begin), part.register_forward_hook(end)]
    vae = model.pipeline.vae
    decode = vae.decode

    def timed(*args: Any, **given: Any) -> Any:
        begin()
        out = decode(*args, **given)
        end()
        return out

    vae.decode = timed
    yield spent
    vae.decode = decode
    for handle in handles:
        handle.remove()


def seconds(run: Callable[..., Clock], *args: Any) -> tuple[float, Clock]:
    """Wall-clock seconds of one arm, in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        started = time.perf_counter()
        clock = run(*args, Path(folder))
        return time.perf_counter() - started, clock


def compare(
    peers: tuple[Model, Settings], mine: tuple[Model, Settings], options: argparse.Namespace
) -> dict[str, Any]:
    """Alternate rounds of both sides on plans of the same size."""
    encoder = registry.load("encoder", "embedded-classifier")()
    one_by_one = registry.load("encoder", "embedded-classifier")()
    one_by_one.batch = 1
    sides = {
        "peer": (peer, peers[0], one_by_one, peers[1], options.prompts_peer),
        "ours": (ours, mine[0], encoder, mine[1], options.prompts),
    }
    rates: dict[str, list[float]] = {"peer": [], "ours": []}
    stages: dict[str, Any] = {}
    for round_ in range(options.rounds + 1):
        for name, (run, model, scorer, settings, prompts) in sides.items():
            count = 1 if round_ == 0 else prompts  # the first round warms up
            samples = plan(count, options.seeds, settings)
            spent, clock = seconds(run, model, scorer, samples, settings)
            if round_:
                rates[name].append(len(samples) / spent)
                stages[name] = {k: round(v, 2) for k, v in clock.stages.items()}
    ratios = [b / a for a, b in zip(rates["peer"], rates["ours"], strict=True)]
    return {
        "images_per_second": {k: [round(r, 3) for r in v] for k, v in rates.items()},
        "ratio": round(statistics.median(ratios), 2), "ratios": [round(r, 2) for r in ratios],
        "stages_s": stages,
    }  # fmt: skip


def overhead(model: Model, settings: Settings, options: argparse.Namespace) -> dict[str, float]:
    """Share of our time that is not spent inside the model."""
    encoder = registry.load("encoder", "embedded-classifier")()
    samples = plan(options.prompts, options.seeds, settings)
    with forward_time(model) as spent:
        whole, _ = seconds(ours, model, encoder, samples, settings)
    return {"seconds": round(whole, 2), "inside_model": round(spent[0], 2),
            "overhead_share": round(1 - spent[0] / whole, 4)}  # fmt: skip


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__ or ""))
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--size", default="")
    parser.add_argument("--dtype", default="float32", help="of both sides, at equal settings")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--prompts-peer", type=int, default=8, help="the rate is what counts")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    found = source(options.model)

    def side(dtype: str, steps: int, guidance: float, **how: Any) -> tuple[Model, Settings]:
        on = models.device(options.device)
        settings = Settings("m", "r", steps, guidance, options.batch, dtype, size=options.size)
        return models.load(found, Loading(dtype=dtype, device=str(on), **how)), settings

    equal_peer = side(options.dtype, options.steps, options.guidance)
    equal = side(options.dtype, options.steps, options.guidance, compile=options.compile)
    own = {**models.defaults(found), **registry.DEFAULTS.get(options.model, {})}
    theirs = models.defaults(found)
    best = models.precision("auto", models.device(options.device))
    result = {
        "device": str(models.device(options.device)), "torch": torch.__version__,
        "threads": torch.get_num_threads(), "options": vars(options),
        "equal_steps_and_precision": compare(equal_peer, equal, options),
        "each_at_its_defaults": compare(
            side("float32", int(theirs["steps"]), float(theirs["guidance"])),
            side(best, int(own["steps"]), float(own["guidance"])),
            options,
        ),
        "overhead": overhead(*equal, options),
    }  # fmt: skip
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
