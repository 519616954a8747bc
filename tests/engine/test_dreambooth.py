"""Personalisation: the loss and the step of diffusers' example, and a model left as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from audit.engine import dreambooth, personalised, source
from audit.engine import model as models
from audit.engine.batch import Batch, Engine
from audit.engine.dreambooth import Noised, Training
from audit.engine.model import Loading
from audit.errors import UserError
from audit.records import Settings
from tests.engine import small

IMAGES = np.random.default_rng(3).integers(0, 256, (3, 20, 16, 3), dtype=np.uint8)
TEXTS = ("a photo of sks person", "a photo of a person")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small models of the architectures that are asked for."""
    root = tmp_path_factory.mktemp("models")
    return {n: small.save(n, root) for n in ("sd1", "sd2", "sdxl", "pixart")}


def load(folder: Path, tuned: Path | None = None) -> models.Model:
    """A model on the processor."""
    how = Loading(dtype="float32", device="cpu", tuned=tuned)
    return models.load(source.find(str(folder)), how)


def sides(model: models.Model) -> list[dreambooth.Side]:
    """Three images of the subject and of its class."""
    return [dreambooth.side(model, list(IMAGES), t) for t in TEXTS]


def states(pipeline: Any, text: str) -> torch.Tensor:
    """The text encoder's states, as the example computes them: `text_encoder(input_ids)[0]`."""
    ids = pipeline.tokenizer(
        text, truncation=True, padding="max_length",
        max_length=pipeline.tokenizer.model_max_length, return_tensors="pt",
    ).input_ids  # fmt: skip
    with torch.no_grad():
        return pipeline.text_encoder(ids)[0]


def written_out(pipeline: Any, batch: Noised, prior: float) -> torch.Tensor:
    """The loss of diffusers' examples/dreambooth/train_dreambooth.py, from its formulas alone.

    Noise is added by the schedule's definition in place of `add_noise`, and v is that of Salimans &
    Ho 2022, app. D, in place of `get_velocity`.
    """
    config = pipeline.scheduler.config
    steps = config["num_train_timesteps"]
    assert config["beta_schedule"] == "linear"
    betas = torch.linspace(config["beta_start"], config["beta_end"], steps)
    kept = torch.cumprod(1 - betas, 0)
    if config.get("rescale_betas_zero_snr"):
        # Lin et al. 2023, algorithm 1.
        root = kept.sqrt()
        kept = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    a = kept[batch.times].sqrt()[:, None, None, None]
    s = (1 - kept[batch.times]).sqrt()[:, None, None, None]
    half = len(batch.latents) // 2 if prior else len(batch.latents)
    rows = [states(pipeline, TEXTS[0])] * half
    rows += [states(pipeline, TEXTS[1])] * (len(batch.latents) - half)
    noisy = a * batch.latents + s * batch.noise
    predicted = pipeline.unet(noisy, batch.times, torch.cat(rows)).sample
    target = batch.noise
    if config["prediction_type"] == "v_prediction":
        target = a * batch.noise - s * batch.latents
    value = F.mse_loss(predicted[:half], target[:half])
    return value + prior * F.mse_loss(predicted[half:], target[half:]) if prior else value


@pytest.mark.parametrize("name", ["sd1", "sd2"])
@pytest.mark.parametrize("prior", [0.0, 1.0, 0.5])
def test_the_loss_is_that_of_diffusers_example(
    folders: dict[str, Path], name: str, prior: float
) -> None:
    """To rounding, with and without the prior's term, for noise and for velocity."""
    model = load(folders[name])
    scheduler = dreambooth.schedule(model)
    chance = torch.Generator().manual_seed(1)
    batch = dreambooth.drawn(scheduler, sides(model)[: 2 if prior else 1], 2, chance)
    assert len(batch.latents) == (4 if prior else 2)
    ours = dreambooth.loss(model.pipeline.unet, scheduler, batch, prior)
    theirs = written_out(model.pipeline, batch, prior)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
    if prior:  # the term is there, and counts
        alone = dreambooth.loss(model.pipeline.unet, scheduler, batch)
        assert float(ours) != pytest.approx(float(alone), rel=1e-2)


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_a_step_is_that_of_diffusers_example(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, prior: float
) -> None:
    """The gradient is clipped at 1, and AdamW has the example's defaults."""
    monkeypatch.setattr(dreambooth, "precision", lambda *_: "float32")
    model, other = load(folders["sd1"]), load(folders["sd1"])
    how = Training(prior=prior, rate=1e-3, batch=2)
    some = sides(model)[: 2 if prior else 1]
    ((dose, added),) = dreambooth.train(model, some, how, [1], seed=4)
    assert dose == 1

    unet = other.pipeline.unet.train().requires_grad_(True)
    before = {n: p.detach().clone() for n, p in unet.named_parameters()}
    chance = torch.Generator().manual_seed(4 * 1_000_003)
    batch = dreambooth.drawn(dreambooth.schedule(other), some, 2, chance)
    optimiser = torch.optim.AdamW(
        unet.parameters(), lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8
    )
    written_out(other.pipeline, batch, prior).backward()
    torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
    optimiser.step()
    for n, p in unet.named_parameters():
        # A gradient near 0 has a sign that rounding decides, and a first step goes by signs.
        apart = (added[n] - (p.detach() - before[n])).abs() > 1e-5
        assert apart.float().mean() < 0.01, n


def test_time_ids_and_pooled_states_reach_sdxl(folders: dict[str, Path]) -> None:
    """The denoiser is given what the pipeline itself would give it."""
    model = load(folders["sdxl"])
    pipeline = model.pipeline
    given = dreambooth.condition(model, TEXTS[0])
    states, _, pooled, _ = pipeline.encode_prompt(
        TEXTS[0], device=model.device, do_classifier_free_guidance=False
    )
    at = dreambooth.side_of(model)
    ids = pipeline._get_add_time_ids(
        (at, at), (0, 0), (at, at), torch.float32, int(pooled.shape[-1])
    )
    assert torch.equal(given["encoder_hidden_states"], states)
    assert torch.equal(given["added_cond_kwargs"]["text_embeds"], pooled)
    assert torch.equal(given["added_cond_kwargs"]["time_ids"], ids)


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
@pytest.mark.parametrize("low_rank", [False, True])
def test_training_adds_and_leaves_the_model_as_it_was(
    folders: dict[str, Path], name: str, low_rank: bool
) -> None:
    """A longer training begins like a shorter one; a LoRA moves its layers alone."""
    if low_rank:
        pytest.importorskip("peft")
    model = load(folders[name])
    before = {k: v.clone() for k, v in model.pipeline.unet.state_dict().items()}
    how = Training(low_rank=low_rank, prior=1.0, rate=1e-2)
    made = dict(dreambooth.train(model, sides(model), how, [2, 4], seed=0))
    ((_, short),) = dreambooth.train(model, sides(model), how, [2], seed=0)
    assert list(made) == [2, 4]
    assert all(torch.equal(made[2][k], short[k]) for k in short)
    assert any((made[4][k] != short[k]).any() for k in short)
    after = model.pipeline.unet.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert not any(p.requires_grad for p in model.pipeline.unet.parameters())
    names = {n for n, v in made[4].items() if v.abs().max() > 0}
    lora = tuple(f"{layer}.weight" for layer in dreambooth.LAYERS)
    assert names
    assert all(n.endswith(lora) for n in names) == low_rank


def test_personalised_weights_are_laid_on_for_a_batch(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """What was added comes back to a part in 250, and is gone when the block ends."""
    model = load(folders["sd1"], tmp_path)
    unet = model.pipeline.unet
    before = {k: v.clone() for k, v in unet.state_dict().items()}
    ((_, added),) = dreambooth.train(model, sides(model), Training(rate=1e-2), [2], seed=0)
    personalised.keep(tmp_path, "one", added)
    engine, batch = Engine(model, Settings("m", "r", 2, 3.0, 1)), Batch({}, ["a"], [1])
    with personalised.personalised(engine, batch, weights="one"):
        inside = {k: v.clone() for k, v in unet.state_dict().items()}
    for k, v in added.items():
        torch.testing.assert_close(inside[k] - before[k], v, rtol=4e-3, atol=1e-6)
    assert all(torch.equal(before[k], v) for k, v in unet.state_dict().items())
    with (
        pytest.raises(UserError, match="cannot be read"),
        personalised.personalised(engine, batch, weights="two"),
    ):
        pass
    with (
        pytest.raises(UserError, match="another model"),
        personalised.laid(unet, {"conv_in.weight": torch.zeros(1)}),
    ):
        pass


def test_extrapolation_goes_from_base_to_tuned_and_beyond(folders: dict[str, Path]) -> None:
    """The prediction is t + w (t - b), from both models' own predictions."""
    model = load(folders["sd1"])
    unet = model.pipeline.unet
    chance = torch.Generator().manual_seed(0)
    given = (torch.randn(2, 4, 8, 8, generator=chance), 500,
             torch.randn(2, 7, small.WIDTH, generator=chance))  # fmt: skip
    deltas = {n: 0.1 * torch.randn(p.shape, generator=chance) for n, p in unet.named_parameters()}
    with torch.inference_mode():
        base = unet(*given).sample
        with personalised.laid(unet, deltas) as weights:
            tuned = unet(*given).sample
            with personalised.extrapolated(unet, weights, 1.5):
                beyond, whole = unet(*given).sample, unet(*given, return_dict=False)[0]
        again = unet(*given).sample
    torch.testing.assert_close(beyond, tuned + 1.5 * (tuned - base))
    torch.testing.assert_close(whole, beyond)
    assert torch.equal(again, base)


def test_other_models_are_refused_in_a_sentence(folders: dict[str, Path]) -> None:
    """Transformers are, and arms without the folder of their weights."""
    with pytest.raises(UserError, match="cannot be personalised here"):
        dreambooth.check(load(folders["pixart"]))
    engine = Engine(load(folders["sd1"]), Settings("m", "r", 2, 3.0, 1))
    with (
        pytest.raises(UserError, match="t2i-audit personalize"),
        personalised.personalised(engine, Batch({}, ["a"], [1]), weights="one"),
    ):
        pass


def test_a_loss_that_is_no_number_is_refused(folders: dict[str, Path]) -> None:
    """A sentence names the option, and the model stays as it was."""
    model = load(folders["sd1"])
    before = model.pipeline.unet.conv_in.weight.clone()
    with pytest.raises(UserError, match="not a number after"):
        list(dreambooth.train(model, sides(model)[:1], Training(rate=1e30), [5], seed=0))
    assert torch.equal(model.pipeline.unet.conv_in.weight, before)
