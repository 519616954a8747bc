"""Latent guidance against diffusers' own semantic guidance, and what it must not do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from audit.design import suites
from audit.design.mitigations.rewrite import unchanged
from audit.engine.arguments import fixed, generators
from audit.engine.latent_guidance import Guide, masked, steered
from audit.engine.model import Loading, Model, load
from audit.engine.probe import Probe
from audit.engine.sampler import called, draw
from audit.engine.source import find
from audit.errors import UserError
from audit.evidence.attributes.zero_shot import probabilities, prototypes
from audit.evidence.encoders.openclip import ClipEncoder
from audit.records import Mitigation, Settings
from audit.world.models import CLASSIFIER, embedded
from tests.engine import small
from tests.sizes import crossed, draws

TEXTS = ("a photo of a nurse", "a judge")
SEEDS = [5, 6]
PAIR = Guide(("female person",), ("male person",), warmup=0.2)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the tokenizer, which is made once."""
    return tmp_path_factory.mktemp("guidance")


def model(name: str, root: Path, dtype: torch.dtype = torch.float32) -> Model:
    """A small model of an architecture, ready to draw."""
    torch.manual_seed(4)
    pipeline = small.ARCHITECTURES[name](root)
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False).to(dtype)
    return Model(name, "r", pipeline, dtype, torch.device("cpu"))


def settings(**changes: Any) -> Settings:
    """Small settings with changes."""
    base: dict[str, Any] = {"model": "m", "revision": "r", "steps": 6, "guidance": 5.0, "batch": 2}
    return Settings(**(base | changes))


def latents(
    it: Model, how: Settings, guide: Guide | None, rows: slice = slice(None)
) -> torch.Tensor:
    """Final latents of the texts [n, ...], with a guide or without."""
    probe, texts, seeds = Probe(it, how), TEXTS[rows], SEEDS[rows]
    given = {**probe.states(texts), "generator": generators(seeds)}
    rest = fixed(it, how) | {"output_type": "latent"}
    if guide is None:
        return it.pipeline(**given, **rest).images
    with steered(probe, guide, len(texts)):
        return it.pipeline(**given, **rest).images


GUIDES = (
    PAIR,
    Guide(("female person",), ("male person",), 9.0, 0.5, 0.0, 0.0, 0.0),
    Guide(("male person",), (), 5.0, 0.9, 0.5, 0.1, 0.4),
)


@crossed(
    "guide, model_and_scheduler",
    GUIDES,
    [("sd1", diffusers.PNDMScheduler), ("sd1", diffusers.EulerDiscreteScheduler),
     ("sd2", diffusers.DDIMScheduler)],
)  # fmt: skip
def test_it_is_diffusers_semantic_guidance(
    root: Path, model_and_scheduler: tuple[str, Any], guide: Guide
) -> None:
    """Equal noise, texts and parameters change latents equally, with several schedulers.

    Random weights hardly read the text, so only float64 shows the change well.
    """
    name, scheduler = model_and_scheduler
    it = model(name, root, torch.float64)
    own = it.pipeline
    own.scheduler = scheduler.from_config(own.scheduler.config)
    theirs = diffusers.SemanticStableDiffusionPipeline(
        vae=own.vae, text_encoder=own.text_encoder, tokenizer=own.tokenizer, unet=own.unet,
        scheduler=own.scheduler, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    theirs.set_progress_bar_config(disable=True)
    how, texts = settings(), [t for t, _ in guide.concepts]
    own.scheduler.set_timesteps(how.steps)
    wanted = theirs(
        prompt=list(TEXTS), num_inference_steps=how.steps, guidance_scale=how.guidance,
        generator=generators(SEEDS), output_type="latent", editing_prompt=texts,
        reverse_editing_direction=[w < 0 for _, w in guide.concepts],
        edit_warmup_steps=round(guide.warmup * len(own.scheduler.timesteps)),
        edit_guidance_scale=guide.scale, edit_threshold=guide.threshold,
        edit_momentum_scale=guide.momentum, edit_mom_beta=guide.beta,
    ).images  # fmt: skip
    base = latents(it, how, None)
    change = wanted - base
    most = float(change.abs().max())
    assert most > 1e-3
    torch.testing.assert_close(latents(it, how, guide) - base, change, rtol=1e-3, atol=1e-3 * most)


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "sd3", "pixart"])
def test_every_guided_architecture_is_steered(root: Path, name: str) -> None:
    """Latents move, the same each time, whatever the batch; at scale 0 they do not; it ends."""
    it, how = model(name, root), settings(steps=4)
    base = latents(it, how, None)
    still = Guide(PAIR.towards, PAIR.away, scale=0.0)
    assert torch.equal(latents(it, how, still), base)
    moved = latents(it, how, PAIR)
    assert all((moved[i] - base[i]).abs().max() > 1e-3 for i in range(2))
    assert torch.equal(latents(it, how, PAIR), moved)
    for i in range(2):
        alone = latents(it, how, PAIR, slice(i, i + 1))
        torch.testing.assert_close(alone, moved[i : i + 1], rtol=1e-3, atol=1e-3)
    assert torch.equal(latents(it, how, None), base)


def test_away_weighs_as_much_as_towards_however_many_there_are(root: Path) -> None:
    """The same text twice is the same as once."""
    it, how = model("sd1", root), settings(steps=3)
    once = latents(it, how, Guide(("a nurse",), ("a judge",)))
    twice = latents(it, how, Guide(("a nurse",), ("a judge", "a judge")))
    torch.testing.assert_close(once, twice, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threshold", [0.0, 0.9, 0.95])
def test_the_mask_keeps_the_highest_of_each_channel(seed: int, threshold: float) -> None:
    """numpy's quantile says what stays; the rest is zero."""
    term = torch.randn(3, 4, 7, 9, generator=torch.Generator().manual_seed(seed))
    found, x = masked(term, threshold).numpy(), term.numpy()
    least = np.quantile(np.abs(x), threshold, axis=(2, 3), keepdims=True)
    np.testing.assert_array_equal(found, np.where(np.abs(x) >= least, x, 0))


@pytest.mark.parametrize("name", ["flux", "lcm"])
def test_embedded_guidance_is_refused(root: Path, name: str) -> None:
    """A model that takes its scale as an input has nothing to add to: one sentence."""
    it = model(name, root)
    with pytest.raises(UserError, match="no classifier-free guidance"):
        latents(it, settings(), PAIR)


def test_guidance_that_is_off_is_refused(root: Path) -> None:
    """At a scale of 1 the pipeline asks for the text alone."""
    with pytest.raises(UserError, match="off at 1"):
        latents(model("sd1", root), settings(guidance=1.0), PAIR)


def test_a_pipeline_that_asks_otherwise_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two questions in place of one cannot be told apart: one sentence, and the hook goes."""
    it, how = model("sd1", root), settings()
    with (
        pytest.raises(UserError, match="does not ask with and without text at once"),
        steered(Probe(it, how), PAIR, 4),
    ):
        called(it, Probe(it, how).states(TEXTS), SEEDS, fixed(it, how))
    assert not it.pipeline.unet._forward_hooks


@pytest.mark.slow
@draws(few=2, many=6)
def test_the_embedded_model_draws_what_is_drawn_for_it(runs: int) -> None:
    """Technologists, of whom one in ten is a woman, become half women, as the quota says."""
    suite = suites.read_suite("world_lab")
    prompts = [p for p in suite.prompts if p.text == "a photo of a technologist"]
    options = {"attribute": "gender", "target": "uniform"}
    arm = Mitigation("fair", "fair-guidance", options, ("occupations",))
    suite = replace(suite, prompts=(replace(prompts[0], seeds=runs),), mitigations=(arm,))
    it = load(find(str(embedded())), Loading(dtype="float32", device="cpu"))
    how = settings(steps=8, guidance=3.0, batch=6)
    planned = suites.expand(suite, how, {"fair-guidance": unchanged})
    pictures = {
        i: p for b in draw(it, planned, how) for i, p in zip(b.ids, b.pictures, strict=True)
    }
    gender = next(a for a in suite.attributes if a.name == "gender")
    encoder = ClipEncoder(f"local-dir:{CLASSIFIER}")
    classes = prototypes([gender.texts[c] for c in gender.classes], encoder.texts)
    vectors = encoder.images([pictures[s.id] for s in planned])
    read = probabilities(vectors, classes, encoder.scale).argmax(1)
    base, steered_ = read[:runs], [gender.classes[k] for k in read[runs:]]
    assert (base == 0).sum() <= runs / 3
    drawn = [s.drawn["gender"] for s in planned[runs:]]
    assert sum(a == b for a, b in zip(drawn, steered_, strict=True)) >= runs * 5 / 6
    assert drawn.count("woman") == runs / 2
    assert all(s.text == "a photo of a technologist" for s in planned)
