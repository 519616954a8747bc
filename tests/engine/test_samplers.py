"""Samplers in place of a model's own: what a model needs is kept, or the sampler is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import diffusers
import pytest

from audit.engine import samplers
from audit.errors import UserError
from tests.sizes import crossed, leading

BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
ZERO: dict[str, Any] = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
OWN: dict[str, Any] = {
    "epsilon": diffusers.PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1),
    "epsilon, linear": diffusers.DPMSolverMultistepScheduler(),
    "epsilon, Euler": diffusers.EulerDiscreteScheduler(**BETAS),
    "v": diffusers.DDIMScheduler(**BETAS, prediction_type="v_prediction", clip_sample=False),
    "v, cosine": diffusers.DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"),
    "v, zero": diffusers.DDIMScheduler(
        **BETAS, **ZERO, prediction_type="v_prediction", clip_sample=False),
    "sample": diffusers.DDIMScheduler(**BETAS, prediction_type="sample", clip_sample=False),
    "flow": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    "flow, shifting": diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
}  # fmt: skip


def pipeline(own: Any, latent: bool = True) -> Any:
    """A pipeline as far as its sampler is concerned."""
    return SimpleNamespace(scheduler=own, vae=object() if latent else None)


@crossed("kind, name", OWN, samplers.SCHEDULERS)
def test_every_sampler_draws_known_values_or_is_refused(kind: str, name: str) -> None:
    """On models of noise, of velocity, of images and of flow, in few steps and in many."""
    own = OWN[kind]
    if why := samplers.unfit(own, name):
        with pytest.raises(UserError, match="does not fit") as error:
            samplers.set_scheduler(pipeline(own), name)
        assert why in str(error.value)
        return
    new = samplers.made(pipeline(own), own, name)
    for steps in (4, 10, 25):
        try:
            samplers.check(pipeline(new), own, steps)
        except UserError as error:
            assert "cannot draw in" in str(error)  # noqa: PT017 - either is right
            continue
        mean, spread = samplers._drawn(own, new, steps)
        assert abs(mean - samplers.CENTRE) < 1
        assert 0.1 < spread < 0.8


@pytest.mark.parametrize("kind", [k for k in OWN if not k.startswith("flow")])
def test_common_samplers_fit_common_models(kind: str) -> None:
    """They are not refused in as many steps as people take."""
    for name in ("ddim", "euler", "dpm++", "unipc"):
        if kind != "sample" or name != "lms":
            samplers.check(
                pipeline(samplers.made(pipeline(OWN[kind]), OWN[kind], name)), OWN[kind], 25
            )


@pytest.mark.parametrize("steps", leading(1, [10, 20, 50]))
def test_a_sampler_that_steps_out_of_its_table_is_refused_before_it_draws(steps: int) -> None:
    """Karras' levels of a cosine schedule (known upstream) end in an index error."""
    own = OWN["v, cosine"]
    with pytest.raises(UserError, match="it fails") as error:
        samplers.check(pipeline(samplers.made(pipeline(own), own, "dpm++-karras")), own, steps)
    said = str(error.value).rpartition(":")[2]
    assert "dpm++" in said
    assert "karras" not in said


@pytest.mark.parametrize("name", ["ddim", "ddpm", "heun", "lcm"])
def test_latent_values_are_not_clipped_unless_the_model_says_so(name: str) -> None:
    """Own samplers without the key: off for latent models, the library's default for pixels."""
    own = OWN["epsilon, Euler"]
    assert samplers.made(pipeline(own), own, name).config.clip_sample is False
    assert samplers.made(pipeline(own, latent=False), own, name).config.clip_sample is True
    said = diffusers.DDIMScheduler(**BETAS, clip_sample=True, clip_sample_range=2.0)
    kept = samplers.made(pipeline(said), said, name).config
    assert (kept.clip_sample, kept.clip_sample_range) == (True, 2.0)
    clipping = diffusers.DDIMScheduler.from_config(own.config, clip_sample=True)
    with pytest.raises(UserError, match="known values of 2"):
        samplers.check(pipeline(clipping), own, 20)


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        (diffusers.DDIMScheduler(**BETAS, **ZERO, clip_sample=False), "rescale_betas_zero_snr"),
        (diffusers.DDIMScheduler(thresholding=True, sample_max_value=1.5), "thresholding"),
        (diffusers.DDPMScheduler(clip_sample=True), "clip_sample"),
        (diffusers.DDPMScheduler(variance_type="learned_range", clip_sample=False), "variance"),
        (diffusers.EulerDiscreteScheduler(sigma_min=0.1, sigma_max=9.0), "sigma_min, sigma_max"),
    ],
)
def test_what_a_sampler_does_not_know_but_the_model_needs_is_refused(own: Any, kept: str) -> None:
    """Each is kept by the samplers that know it."""
    key = kept.partition(",")[0]
    for name, (kind, _) in samplers.SCHEDULERS.items():
        why = samplers.unfit(own, name)
        if "another kind" in why:
            continue
        if key in samplers._takes(kind):
            assert samplers.made(pipeline(own), own, name).config[key] == own.config[key]
        elif "_" in key:
            assert kept in why


def test_the_models_noise_schedule_is_kept_where_it_is_a_default() -> None:
    """Defaults differ: a latent consistency sampler's betas are not those of the others."""
    own = diffusers.DDIMScheduler(clip_sample=False)
    made = samplers.made(pipeline(own), own, "lcm").config
    assert (made.beta_start, made.beta_schedule) == (own.config.beta_start, "linear")
