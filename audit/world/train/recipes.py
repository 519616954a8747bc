"""The recipes as commands: what `t2i-audit world train` does, part by part."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from audit.errors import UserError, unknown
from audit.files import content
from audit.world.dataset import training_set
from audit.world.planned import claim
from audit.world.train.loop import Schedule
from audit.world.train.redraw import Redrawn
from audit.world.truth import EMBEDDED, World

SCHEDULES = {
    "vae": Schedule(steps=12_000, rate=2e-3, budget_seconds=1860),
    "unet": Schedule(
        steps=60_000, rate=6e-4, warmup=300, decay=0.3, floor=0.01, budget_seconds=10_800
    ),
    "text": Schedule(steps=20_000, rate=2e-3, warmup=150, average=0.995, budget_seconds=780),
    "classifier": Schedule(steps=20_000, rate=2e-3, warmup=150, average=0.995, budget_seconds=2700),
    "descriptor": Schedule(steps=20_000, rate=2e-3, warmup=100, average=0.99, budget_seconds=1200),
    "controlnet": Schedule(
        steps=3_000, rate=3e-4, warmup=100, average=0.995, budget_seconds=1500, decay=0.5
    ),
}
"""Seconds on two cores each; `recipe.json` next to the weights says how many steps that was."""
WITHOUT_REPEATS = replace(SCHEDULES["unet"], steps=11_611, budget_seconds=math.inf)
"""As many steps as the shipped generator took: repeats are all that differs."""


def _within(schedule: Schedule, minutes: float | None) -> Schedule:
    """A schedule that ends after so many minutes, or as it is where none are given."""
    return schedule if minutes is None else replace(schedule, budget_seconds=60 * minutes)


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights at half precision, contiguous, as they ship."""
    return {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in state.items()}


def save_half(model: nn.Module, path: Path) -> Path:
    """Write a model's weights as fp16 safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(half(model.state_dict()), path)
    return path


def _vae(work: Path, schedule: Schedule, world: World) -> Path:
    from audit.world.train import vae

    model = vae.train(work / "vae", schedule)
    model.half().save_pretrained(work / "generator" / "vae")
    return work / "generator" / "vae"


def _unet(work: Path, schedule: Schedule, world: World) -> Path:
    from diffusers import AutoencoderKL

    from audit.world import tokens
    from audit.world.train import unet

    folder, tower = work / "generator", work / "text"
    _needs("vae", folder / "vae")
    _needs("text", tower)
    from transformers import CLIPTokenizer

    vae = AutoencoderKL.from_pretrained(folder / "vae").float()
    tokenizer = CLIPTokenizer.from_pretrained(tokens.build(folder / "tokenizer"))
    text = unet.text_encoder(tower, tokenizer)
    items = training_set(world)
    model = unet.train(vae, tokenizer, text, work / "unet", schedule, items)
    return assemble(model, vae, tokenizer, folder)


def without_repeats(work: Path, minutes: float | None = None) -> Path:
    """Train the generator on the set with each image once; a diffusers folder for `--model`.

    Autoencoder and tokenizer are the shipped ones, and the text tower begins as the shipped
    classifier's, where the embedded model's began as an earlier one's. Returns the folder.
    """
    from diffusers import AutoencoderKL
    from transformers import CLIPTokenizer

    from audit.world.models import CLASSIFIER, embedded
    from audit.world.train import unet

    schedule = _within(WITHOUT_REPEATS, minutes)
    shipped, name = embedded(), "without-repeats"
    vae = AutoencoderKL.from_pretrained(shipped / "vae").float()
    tokenizer = CLIPTokenizer.from_pretrained(shipped / "tokenizer")
    text = unet.text_encoder(CLASSIFIER, tokenizer)
    items = unet.once(training_set())
    model = unet.train(vae, tokenizer, text, work / f"{name}-training", schedule, items)
    made = assemble(model, vae, tokenizer, work / name)
    write_card("unet", schedule, work / f"{name}-training", made, " --without-repeats")
    return made


def assemble(model: nn.ModuleDict, vae: nn.Module, tokenizer: object, folder: Path) -> Path:
    """Save the generator as a diffusers folder, at half precision."""
    from diffusers import StableDiffusionPipeline

    from audit.world.train import unet

    StableDiffusionPipeline(
        vae=vae, text_encoder=model["text"], tokenizer=tokenizer, unet=model["unet"],
        scheduler=unet.scheduler(), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    ).to(torch.float16).save_pretrained(folder)  # fmt: skip
    return folder


def _needs(part: str, made: Path) -> None:
    """UserError where an earlier part is missing."""
    if not made.exists():
        raise UserError(f"{made} is missing. Train the part `{part}` first.")


def _text(work: Path, schedule: Schedule, world: World) -> Path:
    """A classifier of renders, for its text tower, from which the generator's starts."""
    return _clip(work, "text", work / LOGS["text"], schedule, None)


def _classifier(work: Path, schedule: Schedule, world: World) -> Path:
    """The classifier that ships: it has seen renders as the generator leaves them."""
    return _clip(work, "classifier", work / LOGS["classifier"], schedule, _bank(work))


def classifier_from(start: Path, work: Path, minutes: float | None = None) -> Path:
    """Train the classifier on from the weights of another one; returns its folder.

    Its checkpoints are kept by what it began with: another beginning is another training.
    """
    from audit.world.train.classifier import WEIGHTS

    weights = start / WEIGHTS
    _needs("classifier", weights)
    schedule = _within(SCHEDULES["classifier"], minutes)
    schedule = replace(schedule, rate=schedule.rate / 4)
    log = work / f"{LOGS['classifier']}-{content(weights)[:8]}"
    made = _clip(work, "classifier", log, schedule, _bank(work), start)
    write_card("classifier", schedule, log, made, " --start FOLDER")
    return made


def _clip(
    work: Path, part: str, log: Path, schedule: Schedule, bank: Redrawn | None,
    start: Path | None = None,
) -> Path:  # fmt: skip
    from audit.world.train import classifier

    model, folder = classifier.train(log, schedule, bank, start), work / part
    shutil.copytree(log / "model", folder, dirs_exist_ok=True)
    save_half(model, folder / classifier.WEIGHTS)
    return folder


def _descriptor(work: Path, schedule: Schedule, world: World) -> Path:
    from audit.world.train import descriptor

    model = descriptor.train(work / LOGS["descriptor"], schedule, _bank(work))
    return save_half(model, work / "descriptor" / "copynet.safetensors").parent


def _bank(work: Path) -> Redrawn:
    """Renders that the generator in `work` has redrawn; made once."""
    from audit.world.train import redraw

    _needs("unet", work / "generator" / "unet")
    return redraw.kept(work / "generator", BANK, BANK_SEED, work / "redrawn.npz")


BANK, BANK_SEED = 6_000, 71


PARTS: dict[str, Callable[[Path, Schedule, World], Path]] = {
    "vae": _vae,
    "text": _text,
    "unet": _unet,
    "classifier": _classifier,
    "descriptor": _descriptor,
}


LOGS = {
    "vae": "vae",
    "text": "text-training",
    "unet": "unet",
    "classifier": "classifier-training",
    "descriptor": "descriptor-training",
}
"""Working folder of each part, below the one that is given."""


def write_card(part: str, schedule: Schedule, work: Path, made: Path, options: str = "") -> None:
    """Write `recipe.json` next to the weights: command, schedule, seed, and the last log."""
    lines = (work / "log.jsonl").read_text("utf-8").splitlines()
    card = {
        "command": f"t2i-audit world train {part}{options}",
        "seed": SEEDS[part],
        "data": "renders of audit.world, licences in ../licenses or above"
        + ("; ../labelled" if part == "classifier" else ""),
        "schedule": {k: v for k, v in schedule.__dict__.items() if v != math.inf},
        "last_log": json.loads(lines[-1]),
    }
    (made / "recipe.json").write_text(json.dumps(card, indent=1) + "\n", "utf-8")


SEEDS = {"vae": 11, "text": 37, "unet": 23, "classifier": 37, "descriptor": 53, "controlnet": 61}


def controlnet(
    work: Path, kind: str = "silhouette", minutes: float | None = None, world: World = EMBEDDED
) -> Path:
    """Train a ControlNet that sees pictures of a kind; returns its folder, for `--controlnet`.

    It is for the generator in `work`, if there is one, else for the embedded one, and not a part of
    `all`. Raises UserError for an unknown kind.
    """
    from audit.world import conditions
    from audit.world.models import embedded
    from audit.world.train import controlnet as recipe

    if kind not in conditions.KINDS:
        raise unknown("condition", kind, conditions.KINDS)
    claim(work, world)
    schedule = _within(SCHEDULES["controlnet"], minutes)
    own = work / "generator"
    folder = own if (own / "unet").exists() else embedded()
    made, log = work / f"controlnet-{kind}", work / f"controlnet-{kind}-training"
    generator = recipe.Generator.read(folder)
    net = recipe.train(generator, training_set(world), kind, log, schedule, world)
    net.half().save_pretrained(made)
    write_card("controlnet", schedule, log, made, f" --condition {kind}")
    return made


def train(part: str, work: Path, minutes: float | None = None, world: World = EMBEDDED) -> Path:
    """Train one part, or `all` in order, on a world; returns the folder of what was made.

    Only the generator learns what a world plants: the other parts see everybody equally often.
    Raises UserError for an unknown part, or where an earlier part is missing.
    """
    if part == "controlnet":
        return controlnet(work, minutes=minutes, world=world)
    if part != "all" and part not in PARTS:
        raise unknown("part", part, [*PARTS, "controlnet", "all"])
    claim(work, world)
    made = work
    for name in PARTS if part == "all" else [part]:
        schedule = _within(SCHEDULES[name], minutes)
        made = PARTS[name](work, schedule, world)
        write_card(name, schedule, work / LOGS[name], made)
    return made
