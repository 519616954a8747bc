"""The bright ending against diffusers' own attention scores, closed forms and plain pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention

from audit.engine import bright_ending as subject
from audit.engine.bright_ending import bright_ending, grid, watched
from audit.engine.cross_attention import encoded, layers, logits
from audit.engine.magnitude import magnitude
from audit.engine.model import Model
from audit.engine.probe import Probe
from audit.errors import UserError
from audit.records import Settings
from tests.engine import small
from tests.sizes import crossed

TEXTS = ("a photo of a nurse", "a judge")


def model(name: str, root: Path) -> Model:
    """A small model of an architecture, ready to draw."""
    torch.manual_seed(2)
    pipeline = small.ARCHITECTURES[name](root)
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    return Model(name, "r", pipeline, torch.float32, torch.device("cpu"))


def settings(**changes: Any) -> Settings:
    """Small settings with changes."""
    base: dict[str, Any] = {"model": "m", "revision": "r", "steps": 3, "guidance": 3.0, "batch": 2}
    return Settings(**(base | changes))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("norm", [None, "layer_norm"])
def test_attention_is_what_diffusers_computes(norm: str | None, seed: int) -> None:
    """The softmax of our logits equals `Attention.get_attention_scores`, norms included."""
    torch.manual_seed(seed)
    attn = Attention(12, cross_attention_dim=10, heads=3, dim_head=4, cross_attention_norm=norm)
    hidden, states = torch.randn(2, 6, 12), torch.randn(2, 5, 10)
    plain = encoded(attn, states)
    query, key = (attn.head_to_batch_dim(x) for x in (attn.to_q(hidden), attn.to_k(plain)))
    wanted = attn.get_attention_scores(query, key).unflatten(0, (2, 3))
    torch.testing.assert_close(logits(attn, hidden, plain).softmax(-1), wanted)


@crossed("guidance, name", [1.0, 4.0], ["sd1", "sdxl", "lcm"])
def test_masks_are_the_end_tokens_share_at_the_last_step(
    tmp_path: Path, name: str, guidance: float
) -> None:
    """A hook on the layer at the last step, read by diffusers, gives the mask for each text."""
    it = model(name, tmp_path)
    how = settings(guidance=guidance)
    found = bright_ending(it, TEXTS, how, (3, 4))
    assert found.masks is not None
    (layer,) = watched(it).values()
    seen: list[Any] = []
    handle = layer.register_forward_pre_hook(
        lambda _, args, given: seen.append((args[0], given["encoder_hidden_states"])),
        with_kwargs=True,
    )
    probe = Probe(it, how)
    for i, (text, end) in enumerate(zip(TEXTS, (6, 3), strict=True)):
        for j, seed in enumerate((3, 4)):
            probe.record(probe.states([text, text]), [seed, seed])
            hidden, states = seen[-1]
            query, key = (
                layer.head_to_batch_dim(x) for x in (layer.to_q(hidden), layer.to_k(states))
            )
            scores = layer.get_attention_scores(query, key).unflatten(0, (-1, layer.heads))
            wanted = scores.mean(1)[-1, :, end].reshape(4, 4)
            upright = torch.nn.functional.interpolate(
                wanted[None, None], (8, 8), mode="bilinear", align_corners=False
            )[0, 0]
            np.testing.assert_allclose(found.masks[i, j], upright.numpy(), rtol=1e-3)
    handle.remove()


def test_the_local_magnitude_is_its_formula(tmp_path: Path) -> None:
    """LD equals mean over steps of |difference times mask| over the mask's mean, by numpy."""
    it = model("sd1", tmp_path)
    found = bright_ending(it, TEXTS, settings(steps=4), (5,))
    assert found.masks is not None
    probe = Probe(it, settings(steps=4))
    calls = probe.record(probe.states(TEXTS), [5, 5])
    apart = np.stack([probe.difference(c).double().numpy() for c in calls])
    for i in range(2):
        m = found.masks[i, 0].astype(float)
        each = [np.sqrt(((step[i] * m) ** 2).sum()) for step in apart]
        assert found.local[i, 0] == pytest.approx(np.mean(each) / m.mean(), rel=1e-5)
    plain = magnitude(it, TEXTS, settings(steps=4), (5,), 99)
    np.testing.assert_allclose(found.plain[:, 0], plain.score, rtol=1e-5)


@pytest.mark.parametrize("level", [0.01, 0.7])
def test_a_mask_that_is_the_same_everywhere_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: float
) -> None:
    """With a constant mask of any height the local magnitude is the plain one."""
    monkeypatch.setattr(subject, "grid", lambda seen, h, w: torch.full((len(seen), h, w), level))
    found = bright_ending(model("sd2", tmp_path), TEXTS, settings(), (1, 2))
    np.testing.assert_allclose(found.local, found.plain, rtol=1e-5)


def test_looking_changes_no_picture_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Latents are the same bits while attention is recorded, and every processor comes back."""
    it = model("sd1", tmp_path)
    before = {n: a.processor for n, a in layers(it).items()}
    probe = Probe(it, settings())
    plain = probe.record(probe.states(TEXTS), [1, 2])[-1]
    seen: list[torch.Tensor] = []
    handle = it.pipeline.unet.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    bright_ending(it, TEXTS, settings(), (1,))
    handle.remove()
    with pytest.raises(UserError, match="refuses these settings"):
        bright_ending(it, TEXTS, settings(size="33x16"), (1,))
    assert {n: a.processor for n, a in layers(it).items()} == before
    assert torch.equal(seen[-1][2], plain.args[0][2])


def test_values_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    """One at a time or together, texts keep their masks and magnitudes, to rounding."""
    it = model("sd1", tmp_path)
    one, many = (bright_ending(it, TEXTS, settings(batch=b), (1, 2)) for b in (1, 4))
    assert one.masks is not None
    assert many.masks is not None
    np.testing.assert_allclose(one.local, many.local, rtol=1e-3)
    np.testing.assert_allclose(one.masks, many.masks, rtol=1e-3)


@pytest.mark.parametrize("name", ["sd3", "flux", "pixart"])
def test_transformers_have_no_bright_ending(tmp_path: Path, name: str) -> None:
    """Models without cross-attention in a UNet get NaN and a reason."""
    found = bright_ending(model(name, tmp_path), TEXTS, settings())
    assert np.isnan(found.local).all()
    assert np.isnan(found.score).all()
    assert found.masks is None
    assert "no cross-attention" in found.reason


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 16), (12, 4)])
def test_places_go_back_to_where_they_were(height: int, width: int) -> None:
    """A map that is linear in its place is found again at the latent's size, inside its edges."""
    y, x = torch.meshgrid(torch.arange(height / 2), torch.arange(width / 2), indexing="ij")
    maps = grid((2 * y + 3 * x).reshape(1, -1), height, width)[0]
    big = torch.meshgrid(torch.arange(height) / 2 - 0.25, torch.arange(width) / 2 - 0.25,
                         indexing="ij")  # fmt: skip
    wanted = 2 * big[0] + 3 * big[1]
    torch.testing.assert_close(maps[1:-1, 1:-1], wanted[1:-1, 1:-1])
    flat = torch.rand(1, height * width)
    assert torch.equal(grid(flat, height, width).flatten(), flat[0])
