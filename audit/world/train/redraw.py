"""Renders as the generator leaves them: noised, and denoised with a caption of what they show.

A classifier and a copy descriptor judge generated pictures, so pictures like these belong in their
training and in the measurement of their errors. At moderate strengths the person that is shown
stays the same (SDEdit, Meng et al. 2022), and the render's own labels hold.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audit.files import content, write_atomic
from audit.keys import digest
from audit.world import dataset
from audit.world.art import Sprite
from audit.world.captions import GENDER_WORDS, article, background
from audit.world.dataset import Item
from audit.world.render import Scene
from audit.world.train.loop import half_precision
from audit.world.train.shown import shown
from audit.world.truth import ARTIST, GENDERS, TONES

STRENGTHS = (0.15, 0.6)
"""Share of the noise schedule that a render is sent back to: the label is kept."""
OPPOSED = (0.3, 0.7)
"""The same for captions of the other gender: between these the generator blends the two."""
STEPS = 10
"""As many as the embedded model takes by default."""
BATCH = 32


@dataclass(frozen=True)
class Redrawn:
    """Renders with what the generator makes of them."""

    items: Sequence[Item]
    originals: np.ndarray
    """uint8[n, 64, 64, 3]."""
    pictures: np.ndarray
    """uint8[n, 64, 64, 3]."""
    strengths: np.ndarray
    """float64[n], in 0..1; 0 is the autoencoder's round trip alone."""
    own: np.ndarray
    """bool[n]: denoised with a caption of its own, and so a copy; else as the other gender."""

    @cached_property
    def shown(self) -> list[tuple[Scene, Scene]]:
        """What each picture shows, as measured in it: two scenes where it lies between them."""
        pairs = zip(self.pictures, self.items, strict=True)
        return [shown(picture, item.scene) for picture, item in pairs]


def stated(scene: Scene, own: bool = True) -> str:
    """The caption that leaves nothing open but the place: who, in which skin, on what.

    Not its own, but that of the same person of the other gender, where `own` is false.
    """
    person = scene.sprite
    if not own and person is not None and person.gender in GENDERS:
        other = GENDERS[1 - GENDERS.index(person.gender)]
        return stated(replace(scene, sprite=replace(person, gender=other)))
    if person is None:
        return f"a photo of {background(scene)}"
    word = f"{person.gender} {person.noun}" if person.gender in GENDER_WORDS else person.noun
    return f"a photo of {article(word)} with {person.tone} skin on {background(scene)}"


class Generator:
    """The parts of the embedded pipeline that redrawing needs."""

    def __init__(self, folder: Path) -> None:
        from diffusers import StableDiffusionPipeline

        self.pipe: Any = StableDiffusionPipeline.from_pretrained(
            folder, torch_dtype=torch.float32, local_files_only=True
        )
        self.scale = self.pipe.vae.config.scaling_factor

    @torch.inference_mode()
    def states(self, texts: Sequence[str]) -> torch.Tensor:
        """Text states, float32[n, 32, d]."""
        ids = self.pipe.tokenizer(
            list(texts), padding="max_length", truncation=True, return_tensors="pt",
            max_length=self.pipe.tokenizer.model_max_length,
        ).input_ids  # fmt: skip
        return self.pipe.text_encoder(input_ids=ids).last_hidden_state

    @torch.inference_mode()
    def encode(self, pictures: np.ndarray) -> torch.Tensor:
        """Scaled latents of uint8[n, 64, 64, 3]."""
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        return self.pipe.vae.encode(x).latent_dist.mode() * self.scale

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> np.ndarray:
        """uint8[n, 64, 64, 3]."""
        x = self.pipe.vae.decode(latents / self.scale).sample.clamp(-1, 1)
        return ((x + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()

    @torch.inference_mode()
    def redraw(
        self, latents: torch.Tensor, texts: Sequence[str], strength: float, guidance: float,
        chance: torch.Generator,
    ) -> torch.Tensor:  # fmt: skip
        """Latents noised to `strength` of the schedule and denoised with their captions."""
        scheduler = self.pipe.scheduler
        scheduler.set_timesteps(STEPS)
        first = STEPS - max(1, round(strength * STEPS))
        scheduler.set_begin_index(first)
        times = scheduler.timesteps[first:]
        noise = torch.randn(latents.shape, generator=chance)
        x = scheduler.add_noise(latents, noise, times[:1].repeat(len(latents)))
        states = torch.cat([self.states([""] * len(texts)), self.states(texts)])
        for t in times:
            pair = scheduler.scale_model_input(torch.cat([x, x]), t)
            with half_precision():
                nothing, text = self.pipe.unet(pair, t, states).sample.float().chunk(2)
            x = scheduler.step(nothing + guidance * (text - nothing), t, x).prev_sample
        return x


def people(n: int, seed: int) -> list[Item]:
    """`n` balanced renders, one in two with the hair of another tone: skin alone names the tone."""
    rng = np.random.default_rng((seed, 1))
    items = dataset.balanced((seed,), n)
    return [
        replace(i, scene=replace(i.scene, sprite=other_hair(rng, i.scene.sprite))) for i in items
    ]


def other_hair(rng: np.random.Generator, person: Sprite | None) -> Sprite | None:
    """One person in two with the hair of another tone; ARTIST's alone, whose skin is known."""
    if person is None or person.artist != ARTIST or rng.random() < 0.5:
        return person
    rest = [t for t in TONES if t != person.tone]
    return replace(person, hair=rest[int(rng.integers(len(rest)))])


def redrawn(folder: Path, n: int, seed: int) -> Redrawn:
    """`n` fresh renders (`people`) through the generator in `folder`, at strengths drawn evenly.

    One in four goes through the autoencoder alone; half of the rest are denoised as the other
    gender. Those become blends as the generator draws them where it has not decided who is shown:
    what can be read in them is measured (`shown`). Guidance is drawn from 1 to 3.
    """
    made = Generator(folder)
    items = people(n, seed)
    rng, chance = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    originals = np.stack([item.pixels() for item in items])
    pictures, strengths, own = np.empty_like(originals), np.zeros(n), np.ones(n, bool)
    for start in range(0, n, BATCH):
        rows = slice(start, min(start + BATCH, n))
        z = made.encode(originals[rows])
        if rng.random() >= 0.25:
            own[rows] = rng.random() < 0.5
            reach = STRENGTHS if own[start] else OPPOSED
            strength, guidance = float(rng.uniform(*reach)), float(rng.uniform(1, 3))
            texts = [stated(item.scene, bool(own[start])) for item in items[rows]]
            z, strengths[rows] = made.redraw(z, texts, strength, guidance, chance), strength
        pictures[rows] = made.decode(z)
    return Redrawn(items, originals, pictures, strengths, own)


def kept(folder: Path, n: int, seed: int, file: Path) -> Redrawn:
    """The same, kept in `file`; made again where another generator, number or seed made it."""
    key = digest([content(folder), n, seed, STRENGTHS, OPPOSED, STEPS])
    if file.exists():
        with np.load(file) as found:
            if str(found["key"]) == key:
                items = people(n, seed)
                parts = (found[k] for k in ("originals", "pictures", "strengths", "own"))
                return Redrawn(items, *parts)
    made = redrawn(folder, n, seed)
    buffer = io.BytesIO()
    np.savez(
        buffer, key=key, originals=made.originals, pictures=made.pictures,
        strengths=made.strengths, own=made.own,
    )  # fmt: skip
    write_atomic(file, buffer.getvalue())
    return made
