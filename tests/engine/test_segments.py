"""Maps of words against attention that diffusers' own processors compute, and plain pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention, AttnProcessor
from PIL import Image

from audit.engine import segments as subject
from audit.engine.cross_attention import layers
from audit.engine.model import Model
from audit.engine.probe import Probe
from audit.engine.segments import Where, of_drawn, of_given
from audit.errors import UserError
from tests.engine.test_bright_ending import model, settings
from tests.sizes import crossed

WORD = "a nurse"
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)


class Recorded:
    """Attention probabilities that `AttnProcessor` computes, by layer, of the text half."""

    def __init__(self, it: Model, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.by: dict[int, list[torch.Tensor]] = {}
        own = Attention.get_attention_scores

        def scores(attn: Any, query: Any, key: Any, mask: Any = None) -> torch.Tensor:
            found = own(attn, query, key, mask)
            heads = found.unflatten(0, (-1, attn.heads))[-n:]
            self.by.setdefault(id(attn), []).append(heads.detach())
            return found

        monkeypatch.setattr(Attention, "get_attention_scores", scores)
        for layer in layers(it).values():
            layer.set_processor(AttnProcessor())

    def maps(self, it: Model, rows: slice, side: int) -> np.ndarray:
        """Log shares of some rows, standardised, mean over the decoder's layers."""
        out = []
        for layer in layers(it, "up_blocks.").values():
            shares = torch.stack(self.by[id(layer)]).mean(2)[..., rows].sum(-1)
            logs = shares.log().mean(0)
            level = (logs - logs.mean(1, keepdim=True)) / logs.std(1, keepdim=True, correction=0)
            at = round(level.shape[1] ** 0.5)
            out.append(F.interpolate(level.unflatten(1, (at, at))[:, None], (side, side),
                                     mode="bilinear", align_corners=False)[:, 0])  # fmt: skip
        return torch.stack(out).mean(0).numpy()


@crossed("guidance, name", [1.0, 4.0], ["sd1", "sd2", "sdxl", "lcm"])
def test_maps_are_the_pipelines_own_attention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, guidance: float
) -> None:
    """A word that is the whole prompt has the map that the pipeline's processors make of it."""
    it, how = model(name, tmp_path), settings(guidance=guidance)
    recorded = Recorded(it, 2, monkeypatch)
    probe = Probe(it, how)
    probe.record(probe.states([WORD, WORD]), [3, 4])
    wanted = recorded.maps(it, slice(1, 3), 8)
    recorded.by.clear()
    *_, maps = of_drawn(it, [WORD, WORD], [3, 4], [WORD, "hat"], how)
    np.testing.assert_allclose(maps.values[:, 0], wanted, rtol=1e-3, atol=1e-4)
    assert not np.allclose(maps.values[:, 1], wanted, atol=0.1)


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_given_image_is_noised_and_denoised_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its maps are those of the UNet's attention on a x + s e, evaluated by hand."""
    it, how = model(name, tmp_path), settings()
    recorded = Recorded(it, 2, monkeypatch)
    seen: list[Any] = []
    handle = it.pipeline.unet.register_forward_pre_hook(
        lambda _, args, given: seen.append((args, given)), with_kwargs=True
    )
    maps = of_given(it, IMAGES, [WORD], how, WORD, Where(levels=(0.25,)))
    handle.remove()
    (noisy, step), given = seen[-1]
    vae = it.pipeline.vae
    x = torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 127.5 - 1
    clean = vae.encode(x).latent_dist.mode() * vae.config.scaling_factor
    kept = it.pipeline.scheduler.alphas_cumprod[250]
    noise = torch.randn(clean.shape[1:], generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(noisy, kept.sqrt() * clean + (1 - kept).sqrt() * noise)
    assert int(step) == 250
    recorded.by.clear()
    it.pipeline.unet(noisy, step, **given)
    wanted = recorded.maps(it, slice(1, 3), 8)
    np.testing.assert_allclose(maps.values[:, 0], wanted, rtol=1e-3, atol=1e-4)


def test_looking_changes_no_image_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Images keep their bits while words are looked for, and every processor comes back."""
    it, how = model("sd1", tmp_path), settings()
    before = {n: a.processor for n, a in layers(it).items()}
    rest = {"num_inference_steps": how.steps, "guidance_scale": how.guidance, "output_type": "np"}
    plain = it.pipeline(["a judge"], generator=[torch.Generator().manual_seed(5)], **rest).images
    images, missing, maps = of_drawn(it, ["a judge"], [5], ["hat", "a nurse"], how)
    np.testing.assert_array_equal(images, np.rint(plain * 255).astype(np.uint8))
    assert missing == [""]
    assert maps.values.shape == (1, 2, 8, 8)
    assert maps.contrast.shape == (1, 2)
    with pytest.raises(UserError, match="refuses these settings"):
        of_drawn(it, ["a judge"], [5], ["hat"], settings(size="33x16"))
    assert {n: a.processor for n, a in layers(it).items()} == before


def test_maps_do_not_depend_on_the_batch_or_on_other_words(tmp_path: Path) -> None:
    """Alone or together, an image and a word have the same map, to rounding."""
    it, how = model("sd1", tmp_path), settings()
    both = of_given(it, IMAGES, ["hat", "nurse"], how)
    alone = of_given(it, IMAGES[1:], ["nurse"], how)
    np.testing.assert_allclose(both.values[1, 1], alone.values[0, 0], atol=1e-3)
    np.testing.assert_allclose(both.contrast[1, 1], alone.contrast[0, 0], rtol=1e-3)


def test_an_image_of_another_size_is_scaled(tmp_path: Path) -> None:
    """A larger image has the maps of its scaled version, also where the settings are not square."""
    it, how = model("sd1", tmp_path), settings(size="32x16")
    large = np.asarray(Image.fromarray(IMAGES[0]).resize((96, 48)))
    scaled = np.asarray(Image.fromarray(large).resize((32, 16), Image.Resampling.LANCZOS))
    one, two = (of_given(it, [i], ["nurse"], how).values for i in (large, scaled))
    assert one.shape == (1, 1, 8, 16)
    np.testing.assert_array_equal(one, two)


def test_coarse_layers_are_left_out_where_there_are_finer_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers of fewer places than SIDE count only where none has more."""
    it, how = model("sd1", tmp_path), settings()
    assert len(of_given(it, IMAGES, ["nurse"], how).layers) == len(layers(it, "up_blocks."))
    seen = {"coarse": (2, 16), "fine": (2, 64), "finer": (2, 256)}
    watches = {k: subject.Watch(None, [], 1, torch.rand(1, *s), 1) for k, s in seen.items()}
    assert subject.gathered(watches, ["a", "b"], (16, 16)).layers == ("fine", "finer")


def test_an_image_whose_numbers_run_out_of_range_has_no_place() -> None:
    """Its map is constant, so nothing is cut out of it; its neighbours keep theirs."""
    logs = torch.randn(2, 1, 64)
    logs[0] = torch.nan
    maps = subject.gathered({"a": subject.Watch(None, [], 2, logs, 1)}, ["hat"], (8, 8))
    assert (maps.values[0] == 0).all()
    assert (maps.contrast[0] == 0).all()
    assert maps.values[1].std() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("name", ["sd3", "flux", "pixart"])
def test_other_architectures_get_one_sentence(tmp_path: Path, name: str) -> None:
    """Transformers have no such layers; the sentence says which models do."""
    it = model(name, tmp_path)
    with pytest.raises(UserError, match="has no UNet with cross-attention"):
        of_given(it, IMAGES, ["nurse"], settings())
    with pytest.raises(UserError, match="SDXL model"):
        of_drawn(it, ["a nurse"], [1], ["nurse"], settings())


@pytest.mark.parametrize(
    ("word", "part", "words"),
    [("nurse " * 90, "up_blocks.", "longer than the model reads"),
     (" ", "up_blocks.", "has no token for"), ("nurse", "attic.", "begins with 'attic.'")],
)  # fmt: skip
def test_words_and_layers_that_are_not_there(
    tmp_path: Path, word: str, part: str, words: str
) -> None:
    """One sentence for each."""
    with pytest.raises(UserError, match=words):
        of_given(model("sd1", tmp_path), IMAGES, [word], settings(), "", Where(part))


def test_a_sampler_without_levels_by_step_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise by time step is needed to noise a given image."""
    it = model("sd1", tmp_path)
    monkeypatch.delattr(it.pipeline.scheduler, "alphas_cumprod")
    with pytest.raises(UserError, match="--scheduler"):
        of_given(it, IMAGES, ["nurse"], settings())
