"""Attention rescaling against diffusers' own attention and numpy, and what it must not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention

from audit.engine.cross_attention import layers
from audit.engine.model import Model
from audit.engine.probe import Probe
from audit.engine.rescaling import Rescaled, rescaled
from audit.errors import UserError
from audit.records import Settings
from tests.engine import small

TEXTS = ("a photo of a nurse", "a judge")


@pytest.fixture(scope="module", params=["sd1", "sdxl", "lcm"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small model with a UNet, ready to draw."""
    torch.manual_seed(3)
    pipeline = small.ARCHITECTURES[request.param](tmp_path_factory.mktemp("rescaling"))
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    return Model(request.param, "r", pipeline, torch.float32, torch.device("cpu"))


def settings(**changes: Any) -> Settings:
    """Small settings with changes."""
    base: dict[str, Any] = {"model": "m", "revision": "r", "steps": 2, "guidance": 4.0, "batch": 2}
    return Settings(**(base | changes))


def layer(seed: int, **more: Any) -> tuple[Attention, torch.Tensor, torch.Tensor]:
    """A random layer with its picture [4, 6, 12] and its text states [4, 5, 10]."""
    torch.manual_seed(seed)
    attn = Attention(12, cross_attention_dim=10, heads=3, dim_head=4, **more).eval()
    return attn, torch.randn(4, 6, 12), torch.randn(4, 5, 10)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "more", [{}, {"residual_connection": True, "rescale_output_factor": 2.0}, {"bias": True}]
)
def test_without_a_change_it_is_diffusers_own_attention(seed: int, more: dict[str, Any]) -> None:
    """Factor 1 and texts that fill all rows give the output of the layer's own processor."""
    attn, hidden, states = layer(seed, **more)
    wanted = attn(hidden, encoder_hidden_states=states)
    attn.set_processor(Rescaled(None, (5, 5), 1.0))
    torch.testing.assert_close(attn(hidden, encoder_hidden_states=states), wanted)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("factor", [1.25, 1.5])
def test_rescaling_is_its_formula(seed: int, factor: float) -> None:
    """In numpy: mask behind the text, multiply the first logit, softmax, on the text half alone."""
    attn, hidden, states = layer(seed)
    plain = attn(hidden, encoder_hidden_states=states)
    attn.set_processor(Rescaled(None, (3, 5), factor))
    found = attn(hidden, encoder_hidden_states=states).detach().numpy()
    np.testing.assert_allclose(found[:2], plain.detach().numpy()[:2], atol=1e-6)
    weights = {k: v.detach().double().numpy() for k, v in attn.state_dict().items()}
    for row, kept in ((2, 3), (3, 5)):
        x, s = hidden[row].double().numpy(), states[row].double().numpy()[:kept]
        out = []
        for h in range(3):
            part = slice(4 * h, 4 * h + 4)
            q, k, v = (
                inp @ weights[f"to_{n}.weight"][part].T for n, inp in (("q", x), ("k", s), ("v", s))
            )
            z = q @ k.T / 2
            z[:, 0] *= factor
            p = np.exp(z - z.max(1, keepdims=True))
            out.append(p / p.sum(1, keepdims=True) @ v)
        wanted = np.concatenate(out, 1) @ weights["to_out.0.weight"].T + weights["to_out.0.bias"]
        np.testing.assert_allclose(found[row], wanted, rtol=1e-4, atol=1e-6)


def last(model: Model, states: dict[str, Any], how: Settings) -> torch.Tensor:
    """The denoiser's last answer, [no text, text] or text alone."""
    return Probe(model, how).record(states, [1, 2])[-1].output


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_padding_no_longer_matters(model: Model, guidance: float) -> None:
    """Other states behind the text change the picture, but not once they are masked."""
    how = settings(guidance=guidance)
    states = Probe(model, how).states(TEXTS)
    other = {**states, "prompt_embeds": states["prompt_embeds"].clone()}
    for row, length in enumerate((7, 4)):
        other["prompt_embeds"][row, length:] += 1.0
    assert not torch.allclose(last(model, states, how), last(model, other, how), atol=1e-6)
    with rescaled(model, TEXTS):
        torch.testing.assert_close(last(model, states, how), last(model, other, how))
    other["prompt_embeds"][:, [6, 3]] += 1.0
    for row, length in enumerate((6, 3)):
        other["prompt_embeds"][row] = states["prompt_embeds"][row]
        other["prompt_embeds"][row, length:] += 1.0
    with rescaled(model, TEXTS):
        assert not torch.allclose(last(model, states, how), last(model, other, how), atol=1e-6)
    with rescaled(model, TEXTS, keep_end=False):
        torch.testing.assert_close(last(model, states, how), last(model, other, how))


def test_a_factor_changes_the_picture_and_all_comes_back(model: Model) -> None:
    """Inside the block pictures change with the factor; outside, and after errors, they do not."""
    how = settings()
    states = Probe(model, how).states(TEXTS)
    before = {n: a.processor for n, a in layers(model).items()}
    plain = last(model, states, how)
    found = []
    for factor in (1.0, 1.25):
        with rescaled(model, TEXTS, factor):
            found.append(last(model, states, how))
    assert not torch.allclose(found[0], found[1], atol=1e-6)
    with pytest.raises(UserError, match="3 texts"), rescaled(model, (*TEXTS, "a")):
        last(model, states, how)
    assert {n: a.processor for n, a in layers(model).items()} == before
    assert torch.equal(last(model, states, how), plain)


def test_transformers_are_refused(tmp_path: Path) -> None:
    """A model without cross-attention in a UNet is told so in one sentence."""
    it = Model("sd3", "r", small.sd3(tmp_path), torch.float32, torch.device("cpu"))
    with pytest.raises(UserError, match="no cross-attention"), rescaled(it, TEXTS):
        pass
