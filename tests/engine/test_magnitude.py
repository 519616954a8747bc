"""The noise magnitude against closed forms, against the models' own calls, and its invariances."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from audit.engine.levels import noise_factor, prediction_type, signal_and_noise
from audit.engine.magnitude import magnitude
from audit.engine.model import Model
from audit.engine.probe import Probe
from audit.errors import UserError
from audit.records import Settings
from tests.engine import small
from tests.sizes import crossed

TEXTS = ("a photo of a nurse", "a welder on a red background", "a judge")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """One small model with random weights of each architecture."""
    root = tmp_path_factory.mktemp("magnitude")
    found = {}
    for name, build in small.ARCHITECTURES.items():
        torch.manual_seed(0)
        found[name] = wrapped(build(root))
    found["flux"].pipeline.default_sample_size = 16  # 128, whatever its parts say
    return found


def wrapped(pipeline: Any) -> Model:
    """A pipeline as a model that is ready to draw."""
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    return Model("small", "r", pipeline, torch.float32, torch.device("cpu"))


def settings(**changes: Any) -> Settings:
    """Small settings with changes."""
    base: dict[str, Any] = {"model": "m", "revision": "r", "steps": 4, "guidance": 3.0, "batch": 3}
    return Settings(**(base | changes))


def stub(probe: Probe, c: torch.Tensor) -> Callable[..., tuple[torch.Tensor]]:
    """A denoiser that says u without a text and u + c with one, in eighths, which is exact."""
    empty = probe.nothing(1)["prompt_embeds"]

    def forward(sample: torch.Tensor, *_: Any, **given: Any) -> tuple[torch.Tensor]:
        text = (given["encoder_hidden_states"] != empty).flatten(1).any(1)
        u = (sample * 8).round().clamp(-1e3, 1e3) / 8
        return (u + text[:, None, None, None] * c,)

    return forward


@crossed("seed, guidance, batch", range(3), [1.0, 7.5], [1, 3, 4])
def test_a_known_difference_scores_its_norm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, guidance: float, seed: int
) -> None:
    """u and u + c score exactly |c|, whatever the batch, the steps, the seeds and the guidance."""
    model = wrapped(small.stable_diffusion(tmp_path))
    rng = torch.Generator().manual_seed(seed)
    c = torch.randint(-8, 9, (4, 8, 8), generator=rng) / 8
    how = settings(batch=batch, guidance=guidance)
    monkeypatch.setattr(model.pipeline.unet, "forward", stub(Probe(model, how), c))
    for steps in (1, 3):
        found = magnitude(model, TEXTS, how, (seed, 7), steps)
        assert found.noise.shape == (3, 2, steps)
        wanted = float(np.linalg.norm(c.double().numpy()))
        np.testing.assert_allclose(found.noise, wanted, rtol=1e-12)
        np.testing.assert_allclose(found.score, wanted, rtol=1e-12)
        np.testing.assert_allclose(found.output_score, wanted, rtol=1e-12)


@crossed("guidance, name", [1.0, 4.0], ["sd1", "sd2", "lcm"])
def test_the_first_step_is_the_denoisers_own(
    models: dict[str, Model], name: str, guidance: float
) -> None:
    """At the first step the norm is that of two plain calls of the UNet on the seed's noise."""
    model = models[name]
    found = magnitude(model, TEXTS[:2], settings(guidance=guidance), (5, 6), 1)
    pipe = model.pipeline
    for i, text in enumerate(TEXTS[:2]):
        for j, seed in enumerate((5, 6)):
            x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
            t = pipe.scheduler.timesteps[0]
            more = {}
            if name == "lcm":
                more["timestep_cond"] = pipe.get_guidance_scale_embedding(
                    torch.tensor([guidance - 1]), embedding_dim=8
                )
            out = [
                pipe.unet(x, t, encoder_hidden_states=pipe.encode_prompt(p, "cpu", 1, False)[0],
                          **more).sample
                for p in (text, "")
            ]  # fmt: skip
            wanted = (out[0] - out[1]).norm().item()
            assert found.output[i, j, 0] == pytest.approx(wanted, rel=1e-4)
    assert found.prediction == ("v_prediction" if name == "sd2" else "epsilon")


@pytest.mark.slow
@pytest.mark.parametrize("name", small.ARCHITECTURES)
def test_values_do_not_depend_on_the_batch(models: dict[str, Model], name: str) -> None:
    """Batches of one, of many and of other companions give the same numbers, to rounding."""
    model = models[name]
    whole = magnitude(model, TEXTS[:2], settings(batch=4), (1, 2), 2)
    for batch, order in ((1, (0, 1)), (3, (1, 0))):
        part = magnitude(model, [TEXTS[i] for i in order], settings(batch=batch), (1, 2), 2)
        np.testing.assert_allclose(part.output, whole.output[list(order)], rtol=2e-3)
        assert part.reasons == whole.reasons
    assert whole.output.min() > 0
    assert np.isfinite(whole.score).all()


@pytest.mark.parametrize("name", small.ARCHITECTURES)
def test_the_empty_text_has_no_magnitude(models: dict[str, Model], name: str) -> None:
    """No text against no text is nothing, unless the model has zeros in place of the empty text."""
    found = magnitude(models[name], ["", TEXTS[0]], settings(), (3,), 2)
    if name != "sdxl":
        assert found.output[0].max() < 1e-4 * found.output[1].min()


def test_each_text_is_encoded_once(models: dict[str, Model]) -> None:
    """Texts that come back under several seeds and batches are not encoded again."""
    probe = Probe(models["sd1"], settings())
    for _ in range(3):
        probe.states([TEXTS[0], TEXTS[1], TEXTS[0]])
    assert probe.texts.encoded == 2


SCHEDULES = [
    diffusers.DDIMScheduler, diffusers.PNDMScheduler, diffusers.EulerDiscreteScheduler,
    diffusers.DPMSolverMultistepScheduler, diffusers.UniPCMultistepScheduler,
    diffusers.HeunDiscreteScheduler, diffusers.LMSDiscreteScheduler,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_factors_turn_outputs_into_noise(schedule: Any, kind: str) -> None:
    """x = a x0 + s e solved for e with two predictions gives the factor, for every scheduler."""
    scheduler = schedule.from_config(
        diffusers.DDIMScheduler(prediction_type=kind, beta_schedule="scaled_linear").config
    )
    scheduler.set_timesteps(7)
    rng = np.random.default_rng(0)
    for index in range(5):
        a, s = signal_and_noise(scheduler, index)
        assert a * a + s * s == pytest.approx(1)
        x, one, two = rng.standard_normal((3, 20))
        noise = [a * p + s * x if kind == "v_prediction" else (x - a * p) / s for p in (one, two)]
        apart = np.linalg.norm(noise[0] - noise[1]) / np.linalg.norm(one - two)
        assert noise_factor(scheduler, index) == pytest.approx(apart, rel=1e-6)


def test_schedulers_agree_on_the_level_of_a_time() -> None:
    """At the same time, schedules kept as sigmas and as products of alphas give the same shares."""
    base = diffusers.DDIMScheduler(timestep_spacing="trailing", prediction_type="v_prediction")
    found = []
    for kind in (diffusers.DDIMScheduler, diffusers.DPMSolverMultistepScheduler,
                 diffusers.EulerDiscreteScheduler):  # fmt: skip
        scheduler = kind.from_config(base.config)
        scheduler.set_timesteps(10)
        found.append([signal_and_noise(scheduler, i) for i in range(10)])
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)
    np.testing.assert_allclose(found[2], found[0], atol=1e-4)


def test_flow_differs_in_noise_by_the_share_of_signal() -> None:
    """For x = (1 - s) x0 + s e and f = e - x0, noise is x + (1 - s) f."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(6)
    assert prediction_type(scheduler) == "flow"
    rng = np.random.default_rng(1)
    for index in range(1, 6):
        s = float(scheduler.sigmas[index])
        x0, e = rng.standard_normal((2, 9))
        x, f = (1 - s) * x0 + s * e, e - x0
        np.testing.assert_allclose(x + noise_factor(scheduler, index) * f, e, atol=1e-6)


@pytest.mark.slow
def test_pure_noise_is_missing_with_a_reason(models: dict[str, Model]) -> None:
    """Where a latent holds no signal there is no magnitude, and the score leaves that step out."""
    for name in ("sd2", "sd3", "flux"):
        found = magnitude(models[name], TEXTS[:1], settings(), (0,), 3)
        assert math.isnan(found.noise[0, 0, 0]), name
        assert "pure noise" in found.reasons[0]
        assert not any(found.reasons[1:])
        assert found.score[0] == pytest.approx(found.noise[0, 0, 1:].mean())
        alone = magnitude(models[name], TEXTS[:1], settings(), (0,), 1)
        assert math.isnan(alone.score[0])


def test_unsupported_requests_are_refused(models: dict[str, Model]) -> None:
    """Nothing to do is an error of the program; an unknown architecture one sentence."""
    with pytest.raises(ValueError, match="at least one step"):
        magnitude(models["sd1"], TEXTS, settings(), (0,), 0)
    other = Model("other", "r", diffusers.DDPMPipeline, torch.float32, torch.device("cpu"))
    with pytest.raises(UserError, match="cannot be looked into"):
        magnitude(other, TEXTS, settings())
    with pytest.raises(UserError, match="refuses these settings"):
        magnitude(models["sd1"], TEXTS, settings(size="33x16"))
