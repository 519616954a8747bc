"""LoRAs: laid on whole, under any name, or refused with what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from audit.engine import model as models
from audit.engine import source
from audit.engine.model import Loading
from audit.errors import UserError
from tests.engine import small
from tests.sizes import leading

LAYERS = ("attn1.to_q.weight", "attn2.to_q.weight", "attn1.to_v.weight")
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def sd1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Stable Diffusion 1.x folder."""
    return small.save("sd1", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def lora(sd1: Path) -> Weights:
    """A LoRA of its denoiser, without a prefix."""
    torch.manual_seed(5)
    held: Weights = {}
    for key, value in load(sd1).pipeline.unet.state_dict().items():
        if key.endswith(LAYERS):
            out, into = value.shape
            held[key.replace(".weight", ".lora_A.weight")] = torch.randn(2, into)
            held[key.replace(".weight", ".lora_B.weight")] = torch.randn(out, 2)
    return held


def load(path: Path, *loras: str, partly: bool = False) -> models.Model:
    """The model with these LoRAs, on the processor."""
    how = Loading(dtype="float32", device="cpu", loras=loras, partly=partly)
    return models.load(source.find(str(path)), how)


def moved(sd1: Path, *loras: str, **how: Any) -> set[str]:
    """The weights of the denoiser that LoRAs change."""
    plain = load(sd1).pipeline.unet.state_dict()
    laid = load(sd1, *loras, **how).pipeline.unet.state_dict()
    assert plain.keys() == laid.keys()
    return {k for k in plain if not torch.equal(plain[k], laid[k])}


def prefixed(held: Weights, prefix: str) -> Weights:
    """All keys under a prefix."""
    return {f"{prefix}{k}": v for k, v in held.items()}


@pytest.mark.parametrize(
    "name", leading(4, ["good", "train", "a.b c", "unet", "half", "to", "items", "eval"])
)
def test_the_name_of_a_file_does_not_matter(
    name: str, sd1: Path, lora: Weights, tmp_path: Path
) -> None:
    """It is not an attribute of a layer; every weight that it is about changes."""
    save_file(prefixed(lora, "unet."), tmp_path / f"{name}.safetensors")
    found = moved(sd1, str(tmp_path / f"{name}.safetensors"))
    assert found == {k.replace(".lora_A", "") for k in lora if ".lora_A" in k}


def test_two_loras_are_laid_on_one_another(sd1: Path, lora: Weights, tmp_path: Path) -> None:
    """In their order, though both have the same name."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_file(prefixed(lora, "unet."), tmp_path / name / "same.safetensors")
    one, other = (str(tmp_path / n / "same.safetensors") for n in ("a", "b"))
    weights = [load(sd1, *some).pipeline.unet.state_dict() for some in ((), (one,), (one, other))]
    key = next(k for k in lora if ".lora_A" in k).replace(".lora_A", "")
    step = weights[1][key] - weights[0][key]
    assert torch.allclose(weights[2][key] - weights[1][key], step, atol=1e-4)


def foreign(held: Weights) -> Weights:
    """Layers that the model does not have."""
    return prefixed({k.replace("attn1", "attn9").replace("attn2", "attn8"): v
                     for k, v in held.items()}, "unet.")  # fmt: skip


NOTHING: dict[str, Callable[[Weights], Weights]] = {
    "bare": lambda w: w, "transformer": lambda w: prefixed(w, "transformer."),
    "other layers": foreign,
    "zero": lambda w: prefixed({k: torch.zeros_like(v) for k, v in w.items()}, "unet."),
    "empty": lambda _: {"unet.x": torch.zeros(1)},
}  # fmt: skip


@pytest.mark.parametrize("what", NOTHING)
def test_a_lora_that_changes_nothing_is_refused(
    what: str, sd1: Path, lora: Weights, tmp_path: Path
) -> None:
    """Also where it may fit in part."""
    save_file(NOTHING[what](lora), tmp_path / "x.safetensors")
    for partly in (False, True):
        with pytest.raises(UserError, match=r"changes no weight|cannot be applied"):
            load(sd1, str(tmp_path / "x.safetensors"), partly=partly)


@pytest.mark.parametrize("fitting", [1, 2])
def test_a_lora_that_fits_in_part_is_refused_unless_the_user_agrees(
    fitting: int, sd1: Path, lora: Weights, tmp_path: Path
) -> None:
    """The sentence says how many layers fit."""
    some = dict(list(prefixed(lora, "unet.").items())[: 2 * fitting])
    rest = dict(list(prefixed(lora, "transformer.").items())[2 * fitting :])
    save_file(some | rest, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=rf"{fitting} of its {len(lora) // 2} layers"):
        load(sd1, str(tmp_path / "x.safetensors"))
    assert len(moved(sd1, str(tmp_path / "x.safetensors"), partly=True)) == fitting
    [note] = load(sd1, str(tmp_path / "x.safetensors"), partly=True).notes
    assert f"{fitting} of its" in note


def test_weights_that_are_not_numbers_are_not_laid_on(
    sd1: Path, lora: Weights, tmp_path: Path
) -> None:
    """A LoRA can spoil a model that is whole."""
    held = {k: torch.full_like(v, torch.nan) for k, v in prefixed(lora, "unet.").items()}
    save_file(held, tmp_path / "x.safetensors")
    with pytest.raises(UserError):
        load(sd1, str(tmp_path / "x.safetensors"))
