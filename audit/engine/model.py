"""Load a text-to-image pipeline of diffusers safely, and set it up according to the settings.

Weights are read as safetensors only, and code that comes with a model runs only with `trust`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from audit.engine.choices import OFFLOADS, known_device
from audit.engine.source import Source
from audit.errors import UserError, unknown
from audit.files import content, loads

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "dpm++-karras": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True},
    ),
    "sde-dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "flow-euler": ("FlowMatchEulerDiscreteScheduler", {}),
    "flow-heun": ("FlowMatchHeunDiscreteScheduler", {}),
}
"""Samplers by their usual names: diffusers class and changes to its configuration."""
LORA = re.compile(r"^(?P<path>.+?)(?:@(?P<scale>-?\d+(?:\.\d+)?))?$")


@dataclass(frozen=True)
class Loading:
    """How a model is set up; the parts that affect pixels are also in `Settings`."""

    dtype: str = "auto"
    device: str = "auto"
    scheduler: str = ""
    """A key of SCHEDULERS; empty for the model's own."""
    loras: tuple[str, ...] = ()
    """`path` or `path@scale` of LoRA weights, applied in this order."""
    compile: bool = False
    offload: str = "none"
    trust: bool = False
    """Whether code that comes with the model may run."""
    config: Path | None = None
    """A diffusers folder that describes a single-file checkpoint; by default from the hub."""


@dataclass(frozen=True)
class Model:
    """A pipeline that is ready to draw."""

    name: str
    revision: str
    pipeline: Any
    dtype: torch.dtype
    device: torch.device

    @property
    def kind(self) -> str:
        """The pipeline's class, e.g. `StableDiffusionXLPipeline`."""
        return type(self.pipeline).__name__

    @property
    def execution_device(self) -> Any:
        """The device that the pipeline's parts run on; offloading stores them elsewhere."""
        return self.pipeline._execution_device  # noqa: SLF001 - diffusers has no public name for it

    def default(self, name: str) -> Any:
        """The pipeline's own default for an argument of its call, or None without one."""
        found = inspect.signature(self.pipeline.__call__).parameters.get(name)
        return None if found is None or found.default is inspect.Parameter.empty else found.default


def device(name: str = "auto") -> torch.device:
    """The device to draw on; `auto` is the first accelerator, else the processor.

    Raises UserError for a device that is not available.
    """
    if known_device(name) == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if name == "cpu" and torch.backends.mps.is_available():
            name = "mps"
    try:
        chosen = torch.device(name)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(
            f"The device {name!r} cannot be used: {first} Use `--device auto` or `cpu`; "
            "`t2i-audit doctor` lists the devices of this machine."
        ) from error
    return chosen


def precision(name: str, on: torch.device) -> str:
    """Name of the precision; `auto` is bfloat16 if the hardware multiplies it, else float32.

    Raises UserError for an unknown name.
    """
    if name != "auto":
        if name not in DTYPES:
            raise unknown("precision", name, [*DTYPES, "auto"])
        return name
    if on.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    if on.type == "cpu":
        can = torch.cpu.get_capabilities()
        if any(can.get(k, False) for k in ("avx512_bf16", "amx_bf16", "sve_bf16", "bf16")):
            return "bfloat16"
    return "float32"


def load(source: Source, how: Loading | None = None) -> Model:
    """The model of a source; raises UserError if it cannot be loaded or does not draw from text."""
    how = how or Loading()
    if how.offload not in OFFLOADS:
        raise unknown("offload", how.offload, OFFLOADS)
    on = device(how.device)
    dtype = DTYPES[precision(how.dtype, on)]
    _quiet()
    try:
        read = _read_file if source.path.is_file() else _read_folder
        pipeline = read(source.path, dtype, how)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        if _exhausted(error):
            raise
        raise UserError(
            f"{source.path} cannot be loaded as a text-to-image pipeline: {_first_line(error)}. "
            "Check that it is complete and that its weights are safetensors."
        ) from error
    if "prompt" not in inspect.signature(pipeline.__call__).parameters or _needs_image(pipeline):
        raise UserError(
            f"{source.path} contains a {type(pipeline).__name__}, which does not draw from text "
            "alone. Give a text-to-image model."
        )
    if how.scheduler:
        set_scheduler(pipeline, how.scheduler)
    for lora in how.loras:
        add_lora(pipeline, lora)
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    _place(pipeline, on, how)
    return Model(source.name, source.revision, pipeline, dtype, on)


def defaults(source: Source, config: Path | None = None) -> dict[str, Any]:
    """The pipeline's own steps, guidance and size, read without its weights."""
    import diffusers

    found: dict[str, Any] = {"steps": 50, "guidance": 7.5, "size": (512, 512)}
    folder = config or source.path
    try:
        index = loads((folder / "model_index.json").read_bytes(), finite=False)
        kind = getattr(diffusers, str(index["_class_name"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return found  # a single file or custom code: loading will say more
    takes = inspect.signature(kind.__call__).parameters
    for name, argument in (("steps", "num_inference_steps"), ("guidance", "guidance_scale")):
        if argument in takes and isinstance(takes[argument].default, int | float):
            found[name] = takes[argument].default
    side = _side(folder)
    return found | ({"size": (side, side)} if side else {})


def _side(folder: Path) -> int:
    """Pixels of the image's side by the denoiser's and the decoder's configurations, or 0."""
    try:
        parts = [folder / n / "config.json" for n in ("unet", "transformer")]
        denoiser = loads(next(p for p in parts if p.is_file()).read_bytes(), finite=False)
        vae = loads((folder / "vae" / "config.json").read_bytes(), finite=False)
        return int(denoiser["sample_size"]) * 2 ** (len(vae["block_out_channels"]) - 1)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return 0


def _quiet() -> None:
    import warnings

    warnings.filterwarnings("ignore", "`torch_dtype` is deprecated", FutureWarning)
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    for library in (logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def _exhausted(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError)


def _needs_image(pipeline: Any) -> bool:
    parameters = inspect.signature(pipeline.__call__).parameters
    return any(
        n in parameters and parameters[n].default is inspect.Parameter.empty
        for n in ("image", "mask_image", "control_image")
    ) or bool(re.search("Img2Img|Inpaint|ControlNet|Upscale", type(pipeline).__name__))


def _read_folder(folder: Path, dtype: torch.dtype, how: Loading) -> Any:
    from diffusers import DiffusionPipeline

    index = loads((folder / "model_index.json").read_bytes(), finite=False)
    if not isinstance(index.get("_class_name"), str) and not how.trust:
        raise UserError(
            f"{folder} contains its own pipeline as Python code. Read that code, and give "
            "--trust-remote-code if it may run on your machine."
        )
    # A folder may contain its weights only at half precision, under another name.
    weights = [p.name for p in folder.rglob("*.safetensors")]
    half = [n for n in weights if ".fp16." in n]
    variant = "fp16" if half and len(half) == len(weights) else None
    return DiffusionPipeline.from_pretrained(
        folder, torch_dtype=dtype, use_safetensors=True, local_files_only=True, variant=variant,
        trust_remote_code=how.trust,
    )  # fmt: skip


def _read_file(path: Path, dtype: torch.dtype, how: Loading) -> Any:
    """A single checkpoint, as published by the original code bases and most model sites."""
    import diffusers
    from diffusers.loaders.single_file_utils import (
        fetch_diffusers_config,
        load_single_file_checkpoint,
    )

    config = how.config
    if config is None:
        named = fetch_diffusers_config(load_single_file_checkpoint(str(path)))
        where = named["pretrained_model_name_or_path"]
        try:
            index = diffusers.DiffusionPipeline.load_config(where)
        except Exception as error:  # the hub's client raises errors of many libraries
            raise UserError(
                f"{path} is a checkpoint of the kind {where}, whose configuration could not be "
                "downloaded from the hub. Give a diffusers folder of that kind with --config."
            ) from error
    else:
        where = str(config)
        index = loads((config / "model_index.json").read_bytes(), finite=False)
    kind = getattr(diffusers, str(index["_class_name"]), None)
    if kind is None or not hasattr(kind, "from_single_file"):
        raise UserError(f"{path}: a {index['_class_name']} cannot be read from a single file.")
    return kind.from_single_file(
        str(path), config=where, torch_dtype=dtype, local_files_only=config is not None
    )


def set_scheduler(pipeline: Any, name: str) -> None:
    """Replace the sampler, keeping the model's noise schedule and prediction type.

    Raises UserError for an unknown name and for one that does not fit the model.
    """
    import diffusers

    if name not in SCHEDULERS:
        raise unknown("scheduler", name, SCHEDULERS)
    kind, changes = SCHEDULERS[name]
    fitting = {c.__name__ for c in pipeline.scheduler.compatibles}
    fitting.add(type(pipeline.scheduler).__name__)
    flow = type(pipeline.scheduler).__name__.startswith("FlowMatch")
    if not flow:  # made for distilled weights of any model of this kind, which do not say so
        fitting.add("LCMScheduler")
    if kind not in fitting or flow != kind.startswith("FlowMatch"):
        names = [n for n, (k, _) in SCHEDULERS.items() if k in fitting]
        raise UserError(
            f"The scheduler {name!r} does not fit this model, whose own is "
            f"{type(pipeline.scheduler).__name__}. Fitting: {', '.join(names) or 'only its own'}."
        )
    # diffusers drops the model's options that the new sampler does not know, with a warning.
    pipeline.scheduler = getattr(diffusers, kind).from_config(pipeline.scheduler.config, **changes)


def lora_parts(lora: str) -> tuple[Path, float]:
    """Path and scale of `path` or `path@scale`; raises UserError if there is no such file."""
    match = LORA.match(lora)
    assert match  # every non-empty text matches
    path, scale = Path(match["path"]).expanduser(), float(match["scale"] or 1.0)
    if path.is_file() and path.suffix != ".safetensors":
        raise UserError(f"{path} is not a safetensors file. Convert the LoRA and give that file.")
    if not path.exists():
        raise UserError(f"There is no LoRA {path}. Give a .safetensors file, or a folder with one.")
    return path, scale


def lora_key(lora: str) -> str:
    """Content hash and scale of a LoRA, which decide pixels."""
    path, scale = lora_parts(lora)
    return f"{content(path)}@{scale:g}"


def add_lora(pipeline: Any, lora: str) -> None:
    """Load a LoRA's weights and fuse them at its scale (Hu et al. 2021, sec. 4.1)."""
    path, scale = lora_parts(lora)
    if not hasattr(pipeline, "load_lora_weights"):
        raise UserError(f"A {type(pipeline).__name__} takes no LoRA. Leave --lora out.")
    name = re.sub(r"\W", "_", path.stem)
    folder = path.parent if path.is_file() else path
    try:
        pipeline.load_lora_weights(
            str(folder), weight_name=path.name if path.is_file() else None, adapter_name=name,
            use_safetensors=True, local_files_only=True,
        )  # fmt: skip
        pipeline.fuse_lora(lora_scale=scale, adapter_names=[name])
        pipeline.unload_lora_weights()
    except (ValueError, OSError, KeyError, RuntimeError, ImportError) as error:
        need = " Install the package peft." if "PEFT" in str(error) else ""
        raise UserError(
            f"The LoRA {path} cannot be applied to this model: {_first_line(error)}.{need} Check "
            "that it was made for this model's architecture."
        ) from error


def _place(pipeline: Any, on: torch.device, how: Loading) -> None:
    """Move the model to its device, whole or piece by piece, and compile its denoiser if asked."""
    if how.offload != "none" and on.type == "cpu":
        raise UserError("--offload needs an accelerator, which this machine lacks. Leave it out.")
    if how.offload == "model":
        pipeline.enable_model_cpu_offload(device=on)
    elif how.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=on)
    else:
        pipeline.to(on)
    denoiser = "unet" if getattr(pipeline, "unet", None) is not None else "transformer"
    part = getattr(pipeline, denoiser, None)
    if part is None:
        return
    if on.type == "cuda" and denoiser == "unet":
        part.to(memory_format=torch.channels_last)
    if how.compile:
        repeated: Callable[..., None] | None = getattr(part, "compile_repeated_blocks", None)
        if repeated is not None and getattr(part, "_repeated_blocks", None):
            repeated(fullgraph=True)
        else:
            part.compile()
