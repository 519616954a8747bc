"""Images from texts and seeds, in micro-batches of one fixed shape.

The pipeline's own call does the sampling, so the audit sees what its users see. Each image has its
own generator on the processor, seeded from its sample; batch, order, shard and interruption
never change its noise. Kernels round differently for different batch shapes, so the
last batch is padded: an image depends only on its sample and the settings, up to rounding (a
kernel that splits a batch over threads may round by the place in it; observed only for Flux).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from audit.design.mitigations.control import picture, shared
from audit.engine import control, image_to_image, samplers
from audit.engine.arguments import fixed, generators, refused
from audit.engine.batch import Batch
from audit.engine.interventions import intervening
from audit.engine.model import Model
from audit.engine.texts import Texts
from audit.errors import UserError
from audit.keys import digest
from audit.records import Change, Sample, Settings


@dataclass(frozen=True)
class Drawn:
    """One batch: ids, images uint8[n, h, w, 3], and why some of them are missing.

    That is empty for an image, "blocked" where the model's own checker says so, and "failed" where
    pixels are not numbers.
    """

    ids: list[str]
    pictures: np.ndarray
    missing: list[str]


@torch.inference_mode()
def called(
    model: Model, states: Mapping[str, Any], seeds: Sequence[int], rest: Mapping[str, Any]
) -> tuple[np.ndarray, list[str]]:
    """One call of the pipeline: images uint8[n, h, w, 3], and why some are missing (see `Drawn`).

    `rest` is from `arguments.fixed`. Raises UserError for settings that it refuses.
    """
    try:
        out = model.pipeline(**states, generator=generators(seeds), **rest)
    except Exception as error:  # pipelines, samplers and encoders raise many kinds
        if out_of_memory(error):
            raise
        raise refused(model, error) from error
    values = out.images.float()
    sound = torch.isfinite(values).flatten(1).all(1).tolist()
    drawn = (values.nan_to_num(0).clamp(0, 1) * 255).round().to(torch.uint8)
    pictures = drawn.permute(0, 2, 3, 1).cpu().numpy()
    flags = getattr(out, "nsfw_content_detected", None) or [False] * len(seeds)
    missing = [
        "blocked" if flag else "" if fine else "failed"
        for flag, fine in zip(flags, sound, strict=True)
    ]
    return pictures, missing


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on an accelerator or in main memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in words or "can't allocate memory" in words
    )


def _no_image(sample: str) -> np.ndarray:
    raise ValueError(f"There is no image of {sample} to draw on.")


def draw(
    model: Model,
    samples: Sequence[Sample],
    settings: Settings,
    say: Callable[[str], None] = lambda _: None,
    image: Callable[[str], np.ndarray] = _no_image,
) -> Iterator[Drawn]:
    """Draw samples batch by batch in their order, filling batches across prompts.

    Samples whose arms change the engine alike are drawn together. The last batch is padded with
    repeats that are discarded. If memory runs out, the batch is halved for the rest of the run,
    and `say` is told. `image` gives the uint8[h, w, 3] of a sample that others go on from. Raises
    UserError if memory is too small for a single image, and for another sampler than the model's
    own that cannot draw with it.
    """
    if model.own is not None:
        samplers.check(model.pipeline, model.own, settings.steps)
    groups: dict[str, list[Sample]] = {}
    for s in samples:
        groups.setdefault(digest(shared(s.change).as_json()), []).append(s)
    # All at first: a change that the model does not take is refused before anything is drawn.
    made = [_Group(model, settings, shared(rows[0].change), image) for rows in groups.values()]
    for group, rows in zip(made, groups.values(), strict=True):
        group.settings = replace(group.settings, batch=settings.batch)
        yield from group.draw(rows, say)
        settings = replace(settings, batch=group.settings.batch)


def changed(settings: Settings, change: Change) -> Settings:
    """Settings under an arm's own guidance and negative prompt, if it has them."""
    guidance = settings.guidance if change.guidance is None else change.guidance
    negative = settings.negative if change.negative is None else change.negative
    return replace(settings, guidance=guidance, negative=negative)


class _Group:
    """Samples that are drawn under the same change."""

    def __init__(
        self, model: Model, settings: Settings, change: Change,
        image: Callable[[str], np.ndarray],
    ) -> None:  # fmt: skip
        self.model, self.settings = model, changed(settings, change)
        self.drawing = control.drawing(model, change)
        self.intervening = intervening(model, self.settings, change.interventions)
        self.texts = Texts(model, self.settings.negative, self.settings.guidance > 1)
        self.image = image
        self.strength = change.turn.strength if change.turn else 0.0
        if self.strength:
            self.drawing = image_to_image.drawing_on(self.drawing)
        self.rest = fixed(self.drawing, self.settings)
        if self.strength:
            strength = image_to_image.enough(self.strength, self.settings.steps)
            self.rest |= {"strength": strength}

    def _on(self, rows: Sequence[Sample]) -> dict[str, Any]:
        """The images that a batch is drawn on; nothing where it is drawn from noise alone."""
        if not self.strength:
            return {}
        return image_to_image.given([self.image(s.last) for s in rows])

    def draw(self, ordered: Sequence[Sample], say: Callable[[str], None]) -> Iterator[Drawn]:
        """Batch by batch, in this order."""
        start = 0
        while start < len(ordered):
            size = self.settings.batch
            rows = list(ordered[start : start + size])
            full = rows + [rows[-1]] * (size - len(rows))
            try:
                texts, seeds = [s.text for s in full], [s.noise for s in full]
                shown = [picture(s.change) for s in full]
                batch = Batch(self.texts.batch(texts), texts, seeds, shown)
                rest = self.rest | self._on(full)
                with self.intervening(batch) as states:
                    pictures, missing = called(self.drawing, states, seeds, rest)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self.settings = replace(self.settings, batch=_halved(size, say))
                continue
            yield Drawn([s.id for s in rows], pictures[: len(rows)], missing[: len(rows)])
            start += len(rows)


def _halved(size: int, say: Callable[[str], None]) -> int:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if size == 1:
        raise UserError(
            "Memory is too small for a single image. Use --dtype bfloat16, --offload model, a "
            "smaller --size, or another device."
        )
    say(f"Memory ran out at {size} images at once; continuing with {size // 2}.")
    return size // 2
