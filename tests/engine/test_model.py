"""What `--model` and its options name: folders, checkpoints, the hub, samplers, LoRAs, devices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from audit.engine import loras, samplers, source
from audit.engine import model as models
from audit.engine.model import Loading, Model
from audit.engine.sampler import draw
from audit.errors import UserError
from audit.records import Sample, Settings
from tests.engine import ldm, small

PLAIN = Loading(dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def sd1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Stable Diffusion 1.x folder."""
    return small.save("sd1", tmp_path_factory.mktemp("models"))


def load(path: Path, **how: Any) -> Model:
    """A model on the processor at full precision."""
    plain = {"dtype": "float32", "device": "cpu"}
    return models.load(source.find(str(path)), Loading(**plain | how))


def picture(model: Model, steps: int = 4, guidance: float = 3.0) -> np.ndarray:
    """One picture of a model."""
    settings = Settings("m", "r", steps, guidance, 1)
    return next(draw(model, [Sample("s", "p", "none", 7, "a nurse")], settings)).pictures[0]


def test_a_folder_a_changed_folder_and_a_file_are_told_apart(sd1: Path, tmp_path: Path) -> None:
    """The revision follows the content, not the place."""
    shutil.copytree(sd1, tmp_path / "copy")
    before = source.find(str(tmp_path / "copy")).revision
    assert before == source.find(str(sd1)).revision
    config = tmp_path / "copy" / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("0.02", "0.03"))
    assert source.find(str(tmp_path / "copy")).revision != before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.ckpt", "pickled weights"),
        ("embeded", "Did you mean embedded"),
        ("readme.md", "is not a model"),
        ("empty", "no model_index.json"),
        ("nobody/nothing@main", "could not be downloaded from the hub"),
    ],
)
def test_a_name_that_leads_nowhere_is_one_sentence(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each says what is wrong and what would do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "readme.md").write_text("hello")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=said):
        source.find(name, ["embedded"])


def test_a_hub_name_is_found_in_the_cache(
    sd1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name and revision reach the hub's client; the commit is the revision, no pickle is asked."""
    import diffusers

    commit = "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(sd1, tmp_path / commit)
    asked: dict[str, Any] = {}

    def download(name: str, **how: Any) -> str:
        asked.update(how, name=name)
        return str(tmp_path / commit)

    monkeypatch.setattr(diffusers.DiffusionPipeline, "download", download)
    found = source.find("org/model@v2")
    assert (found.name, found.revision) == ("org/model@v2", commit[:16])
    assert asked == {"name": "org/model", "revision": "v2", "use_safetensors": True}
    assert picture(models.load(found, PLAIN)).shape == (16, 16, 3)


def test_a_single_checkpoint_is_the_folder_it_was_made_from(sd1: Path, tmp_path: Path) -> None:
    """The original code base's file, read with the folder's configuration: the same picture."""
    whole = load(sd1)
    save_file(ldm.checkpoint(whole.pipeline), tmp_path / "model.safetensors")
    single = load(tmp_path / "model.safetensors", config=sd1)
    assert np.array_equal(picture(whole), picture(single))


def test_a_checkpoint_without_its_configuration_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the hub, the sentence names the kind of model and the option."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    save_file({"weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="--config"):
        load(tmp_path / "model.safetensors")


def test_weights_at_half_precision_only_are_found(sd1: Path, tmp_path: Path) -> None:
    """A folder that holds `*.fp16.safetensors` alone is loaded."""
    import diffusers

    diffusers.DiffusionPipeline.from_pretrained(sd1, torch_dtype=torch.float16).save_pretrained(
        tmp_path / "half", variant="fp16"
    )
    assert list((tmp_path / "half").rglob("*.fp16.safetensors"))
    assert picture(load(tmp_path / "half")).shape == (16, 16, 3)


def test_pickled_weights_are_refused(sd1: Path, tmp_path: Path) -> None:
    """A folder whose weights are pickles is not loaded, however complete it is."""
    shutil.copytree(sd1, tmp_path / "pickled")
    for file in list((tmp_path / "pickled").rglob("*.safetensors")):
        name = (
            "pytorch_model.bin"
            if file.parent.name == "text_encoder"
            else ("diffusion_pytorch_model.bin")
        )
        torch.save(load_file(file), file.with_name(name))
        file.unlink()
    with pytest.raises(UserError, match="safetensors"):
        load(tmp_path / "pickled")


def test_code_that_comes_with_a_model_does_not_run(sd1: Path, tmp_path: Path) -> None:
    """A pipeline of its own as Python code is refused unless the user says so."""
    shutil.copytree(sd1, tmp_path / "strange")
    index = json.loads((tmp_path / "strange" / "model_index.json").read_text())
    index["_class_name"] = ["evil", "Evil"]
    (tmp_path / "strange" / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "strange" / "evil.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w').write('yes')\n"
    )
    with pytest.raises(UserError, match="--trust-remote-code"):
        load(tmp_path / "strange")
    assert not (tmp_path / "ran").exists()


def test_a_model_that_does_not_draw_from_text_is_refused(sd1: Path, tmp_path: Path) -> None:
    """An inpainting or image-to-image pipeline is named as what it is."""
    shutil.copytree(sd1, tmp_path / "other")
    path = tmp_path / "other" / "model_index.json"
    path.write_text(
        path.read_text().replace("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline")
    )
    with pytest.raises(UserError, match="Img2Img"):
        load(tmp_path / "other")


@pytest.mark.parametrize("name", [n for n in samplers.SCHEDULERS if not n.startswith("flow")])
def test_every_sampler_draws_and_keeps_the_noise_schedule(sd1: Path, name: str) -> None:
    """The sampler is exchanged; betas and prediction type stay the model's."""
    own = json.loads((sd1 / "scheduler" / "scheduler_config.json").read_text())
    model = load(sd1, scheduler=name)
    found = model.pipeline.scheduler
    assert type(found).__name__ == samplers.SCHEDULERS[name][0]
    assert (found.config.beta_start, found.config.beta_end) == (own["beta_start"], own["beta_end"])
    assert found.config.prediction_type == own["prediction_type"]
    assert picture(model, steps=12).std() > 0  # fewer are refused for some


@pytest.mark.parametrize(("name", "said"), [("flow-euler", "does not fit"), ("eular", "Did you")])
def test_a_sampler_that_does_not_fit_is_refused(sd1: Path, name: str, said: str) -> None:
    """Flow matching is not for a model that predicts noise; near names are suggested."""
    with pytest.raises(UserError, match=said):
        load(sd1, scheduler=name)


def test_a_lora_is_the_weights_that_it_says(sd1: Path, tmp_path: Path) -> None:
    """W + scale B A, written out by hand (Hu et al. 2021, eq. 3), draws the same picture."""
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    made = load(sd1).pipeline.unet
    made.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"]))
    torch.manual_seed(3)
    for name, parameter in made.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0, 0.5)
    state = convert_state_dict_to_diffusers(get_peft_model_state_dict(made))
    StableDiffusionPipeline.save_lora_weights(tmp_path, unet_lora_layers=state)
    file = next(tmp_path.glob("*.safetensors"))

    by_hand = load(sd1)
    weights = dict(by_hand.pipeline.unet.named_parameters())
    for key, a in load_file(file).items():
        if ".lora_A." in key or ".lora.down." in key:
            b = load_file(file)[key.replace("lora_A", "lora_B").replace("lora.down", "lora.up")]
            name = key.removeprefix("unet.").split(".lora")[0] + ".weight"
            weights[name].data += 0.7 * b @ a
    base, laid = picture(load(sd1)), picture(load(sd1, loras=(f"{file}@0.7",)))
    assert not np.array_equal(base, laid)
    assert np.abs(laid.astype(int) - picture(by_hand)).max() <= 1
    assert np.abs(picture(load(sd1, loras=(f"{file}@0",))).astype(int) - base).max() <= 1
    assert loras.lora_key(f"{file}@0.7") != loras.lora_key(f"{file}@0.8")
    with pytest.raises(UserError, match="There is no LoRA"):
        load(sd1, loras=("nowhere.safetensors",))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_precision_is_what_was_asked(sd1: Path, dtype: str) -> None:
    """Every part has it, and the pictures differ from full precision by little."""
    model = load(sd1, dtype=dtype)
    assert {p.dtype for p in model.pipeline.unet.parameters()} == {models.DTYPES[dtype]}
    apart = np.abs(picture(model).astype(int) - picture(load(sd1)))
    assert apart.mean() <= (0 if dtype == "float32" else 6)


def test_unknown_precision_device_and_offload_are_sentences(sd1: Path) -> None:
    """Each names what would do."""
    with pytest.raises(UserError, match="Did you mean float32"):
        load(sd1, dtype="float23")
    with pytest.raises(UserError, match="doctor"):
        load(sd1, device="cuda:9")
    with pytest.raises(UserError, match="Did you mean model"):
        load(sd1, offload="modell")
    with pytest.raises(UserError, match="which this machine lacks"):
        load(sd1, offload="model")


def test_defaults_are_the_pipelines_own(tmp_path: Path) -> None:
    """Steps and guidance of each pipeline's call, the side of its configuration."""
    calls = {"sd1": (50, 7.5), "sdxl": (50, 5.0), "sd3": (28, 7.0), "flux": (28, 3.5),
             "pixart": (20, 4.5), "lcm": (4, 8.5)}  # fmt: skip
    for name, wanted in calls.items():
        found = models.defaults(source.find(str(small.save(name, tmp_path))))
        assert (found["steps"], found["guidance"]) == wanted
        assert name == "flux" or found["size"] == (16, 16)


def test_compiling_is_asked_of_the_denoiser(sd1: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its repeated blocks where diffusers knows them, else all of it; nothing unless asked."""
    asked = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, *a, **k: asked.append(self))
    load(sd1)
    assert not asked
    denoiser = load(sd1, compile=True).pipeline.unet
    assert asked
    assert all(part in [*denoiser.modules()] for part in asked)


@pytest.mark.nightly
def test_a_compiled_denoiser_draws_the_same(sd1: Path) -> None:
    """Compilation changes speed, and pixels by rounding at most."""
    if not shutil.which("g++"):
        pytest.skip("needs a C++ compiler")
    apart = np.abs(picture(load(sd1, compile=True)).astype(int) - picture(load(sd1)))
    assert apart.max() <= 1


@pytest.mark.parametrize("side", ["1e999", "-8", "1e300", "null", '"64"x', "[8, 8]", "9" * 400])
def test_a_default_side_that_cannot_be_is_left_alone(side: str, sd1: Path, tmp_path: Path) -> None:
    """Loading says what is wrong with the configuration; the usual size does until then."""
    folder = Path(shutil.copytree(sd1, tmp_path / "m"))
    config = json.loads((folder / "unet" / "config.json").read_text()) | {"sample_size": "SIDE"}
    (folder / "unet" / "config.json").write_text(json.dumps(config).replace('"SIDE"', side))
    assert models.defaults(source.find(str(folder)))["size"] == (512, 512)
