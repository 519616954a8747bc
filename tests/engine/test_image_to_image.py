"""Drawing on an image against diffusers' own image-to-image pipelines, on small random models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from audit.engine import model as models
from audit.engine import sampler
from audit.engine.image_to_image import drawing_on, enough
from audit.engine.model import Loading, Model
from audit.engine.source import find
from audit.errors import UserError
from audit.keys import Step
from audit.records import Change, Sample, Settings
from tests.engine import small
from tests.sizes import crossed

PIPELINES = {
    "sd1": diffusers.StableDiffusionImg2ImgPipeline,
    "sd2": diffusers.StableDiffusionImg2ImgPipeline,
    "sdxl": diffusers.StableDiffusionXLImg2ImgPipeline,
    "lcm": diffusers.LatentConsistencyModelImg2ImgPipeline,
}
SETTINGS = Settings("m", "r", 4, 3.0, 2)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
TEXTS = ("a photo of a nurse", "a judge on a blue background", "a cook")


def model(root: Path, name: str) -> Model:
    """A small model of an architecture, saved and read back."""
    return models.load(find(str(small.save(name, root))), Loading(dtype="float32", device="cpu"))


def edits(strength: float) -> list[Sample]:
    """Three samples, drawn on the first image, the second, and the first again."""
    how = Change(turn=Step(strength))
    return [Sample(f"s{i}", "p", "none", 2**62 + i, text, change=how, last=f"{i % 2}")
            for i, text in enumerate(TEXTS)]  # fmt: skip


def drawn(it: Model, samples: list[Sample]) -> dict[str, np.ndarray]:
    """Sample id to image."""
    batches = sampler.draw(it, samples, SETTINGS, image=lambda last: IMAGES[int(last)])
    return {i: x for b in batches for i, x in zip(b.ids, b.pictures, strict=True)}


@crossed("strength, name", [0.5, 1.0], list(PIPELINES))
def test_edits_equal_the_pipelines_own_call(tmp_path: Path, name: str, strength: float) -> None:
    """One image at a time, by text, image and generator alone, gives the same pixels."""
    it = model(tmp_path, name)
    ours = drawn(it, edits(strength))
    theirs = PIPELINES[name](**it.pipeline.components)
    theirs.set_progress_bar_config(disable=True)
    for s in edits(strength):
        out = theirs(
            prompt=s.text, image=Image.fromarray(IMAGES[int(s.last)]), strength=strength,
            num_inference_steps=SETTINGS.steps, guidance_scale=SETTINGS.guidance,
            generator=torch.Generator().manual_seed(s.noise), output_type="np",
        )  # fmt: skip
        assert np.abs(ours[s.id].astype(float) - 255 * out.images[0]).max() < 0.51 + 1e-2


def test_edits_leave_no_trace_in_what_is_drawn_from_noise(tmp_path: Path) -> None:
    """Images from noise are the same before and after edits, in whatever order they are asked."""
    it = model(tmp_path, "sd1")
    plain = [Sample(f"n{i}", "p", "none", i, text) for i, text in enumerate(TEXTS)]
    before, mixed, after = drawn(it, plain), drawn(it, edits(0.5) + plain), drawn(it, plain)
    for s in plain:
        assert (before[s.id] == mixed[s.id]).all()
        assert (before[s.id] == after[s.id]).all()


def test_what_cannot_draw_on_images_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Pipelines without an image-to-image form, and strengths that make no step."""
    with pytest.raises(UserError, match="cannot draw on an image with a PixArt"):
        drawing_on(model(tmp_path, "pixart"))
    with pytest.raises(UserError, match=r"strength 0\.2 makes none of 4 steps"):
        enough(0.2, 4)
    with pytest.raises(UserError, match="makes none of 4 steps"):
        drawn(model(tmp_path, "sd1"), edits(0.2))


def given(*_: Any) -> Any:
    """An image that nothing should ask for."""
    raise AssertionError


def test_images_from_noise_ask_for_no_other(tmp_path: Path) -> None:
    """Without a turn, nothing is looked up."""
    samples = [Sample("a", "p", "none", 1, TEXTS[0])]
    assert list(sampler.draw(model(tmp_path, "sd1"), samples, SETTINGS, image=given))
