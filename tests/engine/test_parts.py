"""Models that are not what they say: code, pickles, absent parts, and weights that are wrong."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from audit.engine import model as models
from audit.engine import source
from audit.engine.model import Loading
from audit.errors import UserError
from tests.engine import ldm, small
from tests.sizes import crossed, leading

MODELLED = {
    "sd1": ("unet", "vae", "text_encoder"),
    "sd3": ("transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"),
}
PARTS = [(name, part) for name, parts in MODELLED.items() for part in parts]
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of small models."""
    root = tmp_path_factory.mktemp("models")
    return {name: small.save(name, root) for name in MODELLED}


def load(path: Path, **how: Any) -> models.Model:
    """A model on the processor at full precision."""
    plain = {"dtype": "float32", "device": "cpu"}
    return models.load(source.find(str(path)), Loading(**plain | how))


def weights(folder: Path, part: str, change: Callable[[Weights], Weights]) -> None:
    """Write other weights into a part's file."""
    file = next((folder / part).glob("*.safetensors"))
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def some(held: Weights, seed: int) -> str:
    """One of the weights that are not tied to another."""
    names = sorted(k for k in held if "embed_tokens" not in k and held[k].is_floating_point())
    return random.Random(seed).choice(names)


def lacking(held: Weights, key: str) -> Weights:
    """Without a weight."""
    return {k: v for k, v in held.items() if k != key}


@pytest.mark.parametrize(("name", "part"), PARTS)
@pytest.mark.parametrize("seed", leading(1, range(2)))
def test_weights_are_those_of_the_model(
    name: str, part: str, seed: int, whole: dict[str, Path], tmp_path: Path
) -> None:
    """Any that is missing, foreign, too many, or not finite is named; none is random."""
    file = next((whole[name] / part).glob("*.safetensors"))
    key = some(load_file(file), seed)
    wrong: dict[str, tuple[Callable[[Weights], Weights], str]] = {
        "missing": (lambda w: lacking(w, key), rf"lacks 1 weights of its \w+ \({key}\)"),
        "foreign": (lambda w: {f"foo.{k}": v for k, v in w.items()}, r"lacks \d+ weights"),
        "extra": (lambda w: w | {"more.weight": torch.zeros(2)}, r"not part of .*more\.weight"),
        "nan": (lambda w: w | {key: torch.full_like(w[key], torch.nan)}, f"not finite.*{key}"),
        "inf": (lambda w: w | {key: torch.full_like(w[key], -torch.inf)}, f"not finite.*{key}"),
    }
    for what, (change, said) in wrong.items():
        shutil.copytree(whole[name], tmp_path / what)
        weights(tmp_path / what, part, change)
        with pytest.raises(UserError, match=said):
            load(tmp_path / what)


@crossed("name, dtype", small.ARCHITECTURES, ["float32", "bfloat16"])
def test_whole_models_are_not_refused(name: str, dtype: str, tmp_path: Path) -> None:
    """Tied weights and buffers that no file holds are not missing."""
    assert load(small.save(name, tmp_path), dtype=dtype).kind


def test_buffers_of_older_files_are_not_too_many(whole: dict[str, Path], tmp_path: Path) -> None:
    """Positions were once kept with the weights."""
    shutil.copytree(whole["sd1"], tmp_path / "old")
    held = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    weights(tmp_path / "old", "text_encoder", lambda w: w | held)
    assert load(tmp_path / "old").kind == "StableDiffusionPipeline"


def without(name: str) -> Callable[[Path], None]:
    """A model without the folder of a part."""
    return lambda folder: shutil.rmtree(folder / name)


def listed(name: str, *entry: str) -> Callable[[Path], None]:
    """A model whose list has another entry."""

    def change(folder: Path) -> None:
        path = folder / "model_index.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: list(entry)}))

    return change


def config(part: str, **values: Any) -> Callable[[Path], None]:
    """A model whose part is described otherwise."""

    def change(folder: Path) -> None:
        path = folder / part / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def stub(folder: Path) -> None:
    """A tokenizer without words."""
    for path in (folder / "tokenizer").iterdir():
        if path.name != "tokenizer_config.json":
            path.unlink()


def cut(part: str) -> Callable[[Path], None]:
    """A file of weights that was cut short."""

    def change(folder: Path) -> None:
        file = next((folder / part).glob("*.safetensors"))
        file.write_bytes(file.read_bytes()[:-100])

    return change


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no tokenizer": (without("tokenizer"), "lacks the folder tokenizer"),
    "no scheduler": (without("scheduler"), "lacks the folder scheduler"),
    "no denoiser": (without("unet"), "lacks the folder unet"),
    "no words": (stub, "no vocabulary"),
    "cut vae": (cut("vae"), "cannot be loaded"), "cut text": (cut("text_encoder"), "cannot be"),
    "wrong type": (config("text_encoder", hidden_size="many"), "cannot be loaded"),
    "wrong null": (config("text_encoder", vocab_size=None), "cannot be loaded"),
    "fewer layers": (config("text_encoder", num_hidden_layers=1), "are not part of"),
    "more layers": (config("text_encoder", num_hidden_layers=3), "lacks .* weights"),
    "wider": (config("unet", cross_attention_dim=24), "cannot be loaded"),
    "system": (listed("unet", "os", "system"), "of 'os', which is neither"),
    "module": (listed("unet", "evil", "Net"), "'evil', which is neither"),
    "dotted": (listed("unet", "diffusers.utils", "Net"), "which is neither"),
    "one name": (listed("unet", "evil"), "'evil', which is neither"),
    "dunder": (listed("unet", "__builtins__", "Net"), "which is neither"),
    "a list": (lambda f: (f / "model_index.json").write_text("[1]"), "list of parts"),
    "nested": (lambda f: (f / "model_index.json").write_text("[" * 99_999), "cannot be"),
    "stray code": (lambda f: (f / "unet" / "x.py").write_text(""), "trust-remote-code"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGES)
def test_a_model_that_is_not_whole_is_one_sentence(
    what: str, whole: dict[str, Path], tmp_path: Path
) -> None:
    """Exit code 2, before anything is drawn."""
    spoil, said = DAMAGES[what]
    shutil.copytree(whole["sd1"], tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(UserError, match=said):
        load(tmp_path / "model")


def test_single_files_have_all_parts(whole: dict[str, Path], tmp_path: Path) -> None:
    """A denoiser alone, a file that lacks one weight, and a LoRA are told apart from a model."""
    state = ldm.checkpoint(load(whole["sd1"]).pipeline)
    first = "model.diffusion_model."
    one = next(k for k in state if k.startswith(first) and k.endswith("to_k.weight"))
    lora = {"unet.a.lora_A.weight": torch.zeros(2, 2), "unet.a.lora_B.weight": torch.zeros(2, 2)}
    for name, held, said in (
        ("denoiser", {k: v for k, v in state.items() if k.startswith(first)}, "missing in the"),
        ("lacking", lacking(state, one), "lacks weights"), ("lora", lora, "is a LoRA"),
    ):  # fmt: skip
        save_file(held, tmp_path / f"{name}.safetensors")
        with pytest.raises(UserError, match=said):
            load(tmp_path / f"{name}.safetensors", config=whole["sd1"])


def test_pickles_are_read_where_the_user_trusts_them(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    """`--trust-remote-code` is the word for all that may run."""
    shutil.copytree(whole["sd1"], tmp_path / "old")
    file = next((tmp_path / "old" / "vae").glob("*.safetensors"))
    torch.save(load_file(file), file.with_suffix(".bin"))
    file.unlink()
    with pytest.raises(UserError, match="pickled weights alone"):
        load(tmp_path / "old")
    assert load(tmp_path / "old", trust=True).kind == "StableDiffusionPipeline"


def test_the_hubs_cache_is_a_model_like_any(whole: dict[str, Path], tmp_path: Path) -> None:
    """Its files are links to blobs outside of the folder; settings may be lists of numbers."""
    (tmp_path / "blobs").mkdir()
    snapshot = tmp_path / "snapshots" / "0"
    for i, file in enumerate(sorted(p for p in whole["sd1"].rglob("*") if p.is_file())):
        shutil.copy(file, tmp_path / "blobs" / str(i))
        link = snapshot / file.relative_to(whole["sd1"])
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(tmp_path / "blobs" / str(i))
    assert load(snapshot).kind == "StableDiffusionPipeline"
