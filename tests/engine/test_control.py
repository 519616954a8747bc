"""Images drawn with a ControlNet, on small random models: equal to diffusers' own, and refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from audit.design.mitigations.control import shared
from audit.engine import controlnet, sampler
from audit.engine import model as models
from audit.engine.controlnet import Conditioning
from audit.engine.model import Loading, Model
from audit.engine.source import find
from audit.errors import UserError
from audit.records import Change, Intervention, Sample, Settings
from tests.engine import small
from tests.sizes import leading

SETTINGS = Settings("m", "r", 3, 4.0, 3)
SHAPES = {
    "left": np.repeat(np.tri(16, 16, dtype=np.uint8)[..., None] * 255, 3, axis=2),
    "right": np.repeat(np.tri(16, 16, dtype=np.uint8)[::-1, :, None] * 255, 3, axis=2),
}
KINDS = {"sd1": "StableDiffusionControlNetPipeline", "sdxl": "StableDiffusionXLControlNetPipeline"}


def net_of(folder: Path, out: Path, factors: tuple[int, ...] = (4, 8), **changes: Any) -> Path:
    """A random ControlNet for the model of a folder, whose last layers are not zero."""
    torch.manual_seed(1)
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
    net = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=factors)
    for weights in net.parameters():
        if not weights.any():
            torch.nn.init.normal_(weights, std=0.1)
    net.save_pretrained(out)
    if changes:
        described(out, **changes)
    return out


def described(folder: Path, **changes: Any) -> None:
    """Change a configuration."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def load(folder: Path, net: Path) -> Model:
    """A model with a ControlNet, on the processor."""
    given = Conditioning(controlnet.find(str(net)), lambda name: SHAPES[name])
    return models.load(find(str(folder)), Loading(dtype="float32", device="cpu", control=given))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """A small model of each kind with its ControlNet."""
    root = tmp_path_factory.mktemp("models")
    made = {name: small.save(name, root) for name in KINDS}
    return {name: (at, net_of(at, root / f"{name}-net")) for name, at in made.items()}


@pytest.fixture(scope="module")
def loaded(folders: dict[str, tuple[Path, Path]]) -> dict[str, Model]:
    """The same, read."""
    return {name: load(*at) for name, at in folders.items()}


def under(model: Model, picture: str, scale: float) -> Change:
    """A change that draws after a picture."""
    assert model.control is not None
    source = model.control.conditioning.source
    named: dict[str, Any] = {
        "kind": "silhouette", "scale": scale, "net": source.name, "revision": source.revision,
        "pictures": picture,
    }  # fmt: skip
    return Change(interventions=(Intervention("control", named),))


def drawn(model: Model, changes: list[Change]) -> list[np.ndarray]:
    """Images of one text on the same seeds, one for each change."""
    rows = [Sample(f"s{i}", "p", "x", 70 + i % 2, "a nurse", change=c)
            for i, c in enumerate(changes)]  # fmt: skip
    found: dict[str, np.ndarray] = {}
    for batch in sampler.draw(model, rows, SETTINGS):
        assert set(batch.missing) == {""}
        found.update(zip(batch.ids, batch.pictures, strict=True))
    return [found[s.id] for s in rows]


@pytest.mark.parametrize("name", KINDS)
def test_at_scale_zero_the_model_draws_its_own_images(name: str, loaded: dict[str, Model]) -> None:
    """Bit for bit, in one plan with images without a condition; at scale 1 it does not."""
    model = loaded[name]
    plain = [Change()] * 2
    zero, one = ([under(model, p, scale) for p in SHAPES] for scale in (0.0, 1.0))
    images = drawn(model, [*plain, *zero, *one])
    for own, same, other in zip(images[:2], images[2:4], images[4:], strict=True):
        assert np.array_equal(own, same)
        assert not np.array_equal(own, other)


@pytest.mark.parametrize("name", KINDS)
def test_a_conditioned_image_is_the_pipelines_own(name: str, loaded: dict[str, Model]) -> None:
    """diffusers' own pipeline with the same parts, one image at a time, draws the same pixels.

    Its two images have different pictures, and are drawn in one batch here.
    """
    model = loaded[name]
    assert model.control is not None
    ours = drawn(model, [under(model, p, 0.7) for p in SHAPES])
    theirs = model.control.pipeline
    assert type(theirs).__name__ == KINDS[name]
    for i, (picture, own) in enumerate(zip(SHAPES.values(), ours, strict=True)):
        out = theirs(
            "a nurse", image=Image.fromarray(picture), num_inference_steps=3, guidance_scale=4.0,
            controlnet_conditioning_scale=0.7, generator=torch.Generator().manual_seed(70 + i),
            output_type="np",
        )  # fmt: skip
        assert np.abs(own.astype(float) - 255 * out.images[0]).max() < 0.51 + 1e-2


def test_each_image_has_its_own_picture_whatever_the_batch(loaded: dict[str, Model]) -> None:
    """The same picture and noise give the same image in another order; another picture does not."""
    model = loaded["sd1"]
    left, right = (under(model, p, 1.0) for p in SHAPES)
    one = drawn(model, [left, right, right, left, left, right])
    assert np.array_equal(one[0], one[4])
    assert np.array_equal(one[1], one[5])
    assert not np.array_equal(one[0], one[2])
    assert not np.array_equal(one[1], one[3])


def test_a_picture_is_cut_to_the_shape_that_is_drawn() -> None:
    """The middle of a wide picture, scaled; a picture of that size as it is."""
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 255
    assert (controlnet.fitted(wide, (20, 20)) == 255).all()
    assert controlnet.fitted(wide, (40, 10)) is wide


def without_weight(folder: Path) -> None:
    """A file that lacks one of its weights."""
    file = next(folder.glob("*.safetensors"))
    held = load_file(file)
    save_file({k: v for k, v in held.items() if k != "conv_in.bias"}, file)


def not_finite(folder: Path) -> None:
    """A file with a weight that is not a number."""
    file = next(folder.glob("*.safetensors"))
    held = load_file(file)
    save_file({**held, "conv_in.bias": torch.full_like(held["conv_in.bias"], torch.nan)}, file)


def pickled(folder: Path) -> None:
    """Weights in a pickle alone."""
    file = next(folder.glob("*.safetensors"))
    torch.save(load_file(file), file.with_suffix(".bin"))
    file.unlink()


def with_code(folder: Path) -> None:
    """Python next to the weights."""
    (folder / "net.py").write_text("raise SystemExit")


def cut(folder: Path) -> None:
    """A file that was cut short."""
    file = next(folder.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:500])


def another(folder: Path) -> None:
    """Another class of ControlNet."""
    described(folder, _class_name="FluxControlNetModel")


def nothing(folder: Path) -> None:
    """No configuration."""
    (folder / "config.json").unlink()


WRONG: list[tuple[Callable[[Path], None], str]] = [
    (without_weight, r"lacks 1 weights of its ControlNetModel \(conv_in\.bias\)"),
    (not_finite, r"1 weights of controlnet are not finite"),
    (pickled, r"pickled weights alone"),
    (with_code, r"contains Python code \(net\.py\)"),
    (cut, r"cannot be loaded as a ControlNet"),
    (another, r"is not a ControlNet: it contains a FluxControlNetModel"),
    (nothing, r"is not a ControlNet: it has no config\.json"),
]


@pytest.mark.parametrize(("spoil", "said"), WRONG)
def test_a_folder_that_is_not_whole_or_not_safe_is_one_sentence(
    spoil: Callable[[Path], None], said: str, folders: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    """As for models: no code, no pickles, no random weights."""
    model, net = folders["sd1"]
    shutil.copytree(net, tmp_path / "net")
    spoil(tmp_path / "net")
    with pytest.raises(UserError, match=said):
        load(model, tmp_path / "net")


def test_one_made_for_another_model_is_one_sentence(
    folders: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    """Of another architecture, or for another autoencoder."""
    with pytest.raises(UserError, match=r"does not fit this model: its cross_attention_dim is 16"):
        load(folders["sdxl"][0], folders["sd1"][1])
    far = net_of(folders["sd1"][0], tmp_path / "far", (4, 8, 8))
    with pytest.raises(UserError, match=r"pictures 4 times smaller, and the autoencoder 2 times"):
        load(folders["sd1"][0], far)


@pytest.mark.parametrize("name", leading(1, ["flux", "sd3", "pixart", "lcm"]))
def test_other_architectures_are_one_sentence(
    name: str, folders: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    """Those that no ControlNet of this kind steers."""
    with pytest.raises(UserError, match="cannot be drawn with a ControlNet here"):
        load(small.save(name, tmp_path), folders["sd1"][1])


def test_names_that_lead_nowhere_are_one_sentence(tmp_path: Path) -> None:
    """Paths that are not there, and files."""
    for name in ("./nowhere", str(tmp_path / "none"), "no name"):
        with pytest.raises(UserError, match="there is no such folder"):
            controlnet.find(name)


def test_another_controlnet_than_the_plans_is_refused(loaded: dict[str, Model]) -> None:
    """A plan names the content of its ControlNet; no other one draws its images."""
    change = under(loaded["sdxl"], "left", 1.0)
    with pytest.raises(UserError, match="of the plan is not loaded"):
        drawn(loaded["sd1"], [change])
    assert shared(change) == shared(under(loaded["sdxl"], "right", 1.0))
