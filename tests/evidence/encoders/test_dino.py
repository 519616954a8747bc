"""DINO descriptors against the models' own forward passes, on tiny random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision import transforms
from transformers import (
    BitImageProcessor,
    ConvNextConfig,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    ViTConfig,
    ViTModel,
)

from audit.errors import UserError
from audit.evidence.encoders.dino import Dino

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def dinov2(folder: Path, seed: int, crop: int = 28) -> Dinov2Model:
    """A tiny random DINOv2 with DINOv2's kind of processor, saved as transformers do."""
    torch.manual_seed(seed)
    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    model = Dinov2Model(config).eval()
    model.save_pretrained(folder)
    BitImageProcessor(
        do_resize=True, size={"shortest_edge": 32}, resample=3, do_center_crop=True,
        crop_size={"height": crop, "width": crop}, do_rescale=True, rescale_factor=1 / 255,
        do_normalize=True, image_mean=MEAN, image_std=STD, do_convert_rgb=True,
    ).save_pretrained(folder)  # fmt: skip
    return model


def photos() -> list[np.ndarray]:
    """Photographs of several sizes and shapes, and one that is tiny."""
    names = ("astronaut", "chelsea", "coffee", "rocket", "retina")
    some = [getattr(skimage.data, n)()[:400, :300] for n in names]
    return [*some, some[0][:9, :5]]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_class_tokens_are_those_of_the_models_own_forward_pass(seed: int, tmp_path: Path) -> None:
    """Processor and model by hand give the same vectors; none depends on its companions."""
    model = dinov2(tmp_path, seed)
    processor = BitImageProcessor.from_pretrained(tmp_path)
    encoder = Dino(str(tmp_path), batch=4)
    vectors = encoder.images(photos())
    assert vectors.dtype == np.float32
    for picture, vector in zip(photos(), vectors, strict=True):
        pixels = processor(images=Image.fromarray(picture), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            token = model(pixels).pooler_output[0]  # DINOv2's own: the normalised class token
        expected = torch.nn.functional.normalize(token, dim=0).numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-5)
        assert np.array_equal(encoder.images([picture])[0], vector)
    assert encoder.images([]).shape == (0, 32)


def test_preprocessing_is_resize_crop_and_normalise(tmp_path: Path) -> None:
    """What the saved processor says, against torchvision's transforms (one grey level apart)."""
    dinov2(tmp_path, 0)
    by_hand = transforms.Compose(
        [
            transforms.Resize(32, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(28),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    prepare = Dino(str(tmp_path))._parts.prepare
    for picture in photos():
        difference = prepare(picture) - by_hand(Image.fromarray(picture)).numpy()
        assert np.abs(difference).max() <= 2.01 / 255 / min(STD)


def test_the_key_names_weights_and_preprocessing_and_not_the_place(tmp_path: Path) -> None:
    """A copy elsewhere has the same key; another weight or another crop has another."""
    for name, seed, crop in (("a", 0, 28), ("same", 0, 28), ("seed", 1, 28), ("crop", 0, 14)):
        dinov2(tmp_path / name, seed, crop)
    keys = {name: Dino(str(tmp_path / name)).key for name in ("a", "same", "seed", "crop")}
    assert keys["a"] == keys["same"]
    assert len(set(keys.values())) == 3
    weights = load_file(tmp_path / "same" / "model.safetensors")
    weights["layernorm.bias"] = weights["layernorm.bias"] + 1e-6
    save_file(weights, tmp_path / "same" / "model.safetensors", {"format": "pt"})
    assert Dino(str(tmp_path / "same")).key != keys["a"]


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    """A folder with pytorch_model.bin alone is refused."""
    model = dinov2(tmp_path, 0)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded"):
        Dino(str(tmp_path)).images(photos())


def test_a_checkpoint_with_holes_is_refused(tmp_path: Path) -> None:
    """Weights that are missing would be drawn at random, another model each time."""
    dinov2(tmp_path, 0)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["layernorm.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lacks 1 of its weights .layernorm.weight"):
        Dino(str(tmp_path)).images(photos())


def test_a_missing_pooler_does_not_matter(tmp_path: Path) -> None:
    """DINO's checkpoints have none: its random weights change neither vectors nor key."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        image_size=28, patch_size=14,
    )  # fmt: skip
    dinov2(tmp_path, 0)
    ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    one, two = Dino(str(tmp_path)), Dino(str(tmp_path))
    assert one.key == two.key
    assert np.array_equal(one.images(photos()), two.images(photos()))


def test_code_from_a_folder_is_not_run(tmp_path: Path) -> None:
    """A config that names its own Python is refused or read as the model it says it is."""
    dinov2(tmp_path, 0)
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.C", "AutoModel": "evil.M"}
    config["model_type"] = "evil"
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text("open('run', 'w')\nraise SystemExit('code was run')\n")
    with pytest.raises(UserError, match="cannot be loaded"):
        Dino(str(tmp_path)).images(photos())


def test_models_without_a_class_token_are_refused(tmp_path: Path) -> None:
    """The first position of a ConvNext is the top left corner, not a description."""
    config = ConvNextConfig(hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1])
    ConvNextModel(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="'convnext'"):
        Dino(str(tmp_path)).images(photos())


def test_a_missing_model_is_a_sentence(tmp_path: Path) -> None:
    """Offline, a hub name that is not on this disk is named with what to give instead."""
    for name in (str(tmp_path / "nowhere"), "nobody/nothing", "timm:test_vit.r160_in1k"):
        with pytest.raises(UserError, match="cannot be loaded"):
            Dino(name).images(photos())
    with pytest.raises(UserError, match="timm has no model 'no_such_model'"):
        Dino("timm:no_such_model@x.safetensors").images(photos())
    with pytest.raises(UserError, match="no weights of"):
        Dino("timm:vit_giant_patch14_224").images(photos())


@pytest.mark.parametrize("seed", [0, 1])
def test_a_timm_checkpoint_equals_its_own_forward_pass(seed: int, tmp_path: Path) -> None:
    """`timm:NAME@FILE`: features before the classifier, by timm's own transform."""
    torch.manual_seed(seed)
    model = timm.create_model("test_vit", pretrained=False).eval()
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    encoder = Dino(f"timm:test_vit@{tmp_path / 'w.safetensors'}", batch=4)
    vectors = encoder.images(photos())
    for picture, vector in zip(photos(), vectors, strict=True):
        with torch.inference_mode():
            x = transform(Image.fromarray(picture))[None]
            features = model.forward_head(model.forward_features(x), pre_logits=True)[0]
        expected = torch.nn.functional.normalize(features, dim=0).numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-5)
        assert np.array_equal(encoder.images([picture])[0], vector)


def test_timm_weights_decide_the_key_and_must_fit(tmp_path: Path) -> None:
    """Another checkpoint is another key; one of another model, or a pickle, is refused."""
    keys = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = timm.create_model("test_vit", pretrained=False)
        save_file(model.state_dict(), tmp_path / f"{seed}.safetensors")
        keys.append(Dino(f"timm:test_vit@{tmp_path / f'{seed}.safetensors'}").key)
    assert keys[0] != keys[1]
    weights = model.state_dict()
    body = {k: v for k, v in weights.items() if not k.startswith("head.")}
    save_file(body, tmp_path / "body.safetensors")
    assert Dino(f"timm:test_vit@{tmp_path / 'body.safetensors'}").key == keys[1]
    save_file({"w": torch.ones(2)}, tmp_path / "other.safetensors")
    save_file({k: v for k, v in body.items() if k != "norm.bias"}, tmp_path / "part.safetensors")
    torch.save(weights, tmp_path / "pickle.safetensors")
    for name in ("other", "part", "pickle"):
        with pytest.raises(UserError, match="cannot be loaded"):
            Dino(f"timm:test_vit@{tmp_path / name}.safetensors").images(photos())
