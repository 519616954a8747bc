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

from audit.engine import controlnet, loras, parts, samplers
from audit.engine.choices import OFFLOADS, known_device
from audit.engine.controlnet import Conditioning, Controlled
from audit.engine.source import Source
from audit.errors import UserError, unknown
from audit.files import loads

LARGEST_SIDE = 16_384
"""Pixels; a larger default side is a damaged configuration."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
    partly: bool = False
    """Whether a LoRA may fit the model in part."""
    tuned: Path | None = None
    """Folder of personalised weights that arms name (`engine.personalised`)."""
    control: Conditioning | None = None
    """A ControlNet and its pictures, for the arms that are drawn with one."""


@dataclass(frozen=True)
class Model:
    """A pipeline that is ready to draw."""

    name: str
    revision: str
    pipeline: Any
    dtype: torch.dtype
    device: torch.device
    own: Any = None
    """The model's own sampler, where another has taken its place."""
    notes: tuple[str, ...] = ()
    """What a report says of the loading."""
    tuned: Path | None = None
    """Folder of personalised weights that arms name."""
    control: Controlled | None = None
    """The same parts with a ControlNet, for the arms that are drawn with one."""

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
        known = getattr(torch.cpu, "get_capabilities", None)  # not in torch 2.9
        can: dict[str, bool] = known() if known else {}
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
        if source.path.is_file():
            pipeline = parts.read_file(source.path, dtype, how.config)
        else:
            pipeline = parts.read_folder(source.path, dtype, how.trust)
    except UserError:
        raise
    except Exception as error:  # the libraries raise many kinds for files that are not right
        if isinstance(error, torch.OutOfMemoryError | MemoryError):
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
    own = getattr(pipeline, "scheduler", None) if how.scheduler else None
    if how.scheduler:
        samplers.set_scheduler(pipeline, how.scheduler)
    notes = [loras.add_lora(pipeline, lora, how.partly) for lora in how.loras]
    if how.loras:
        parts.whole(pipeline, source.path)
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    control = _control(pipeline, on, dtype, how)
    _place(pipeline, on, how)
    said = tuple(filter(None, notes))
    return Model(source.name, source.revision, pipeline, dtype, on, own, said, how.tuned, control)


def _control(
    pipeline: Any, on: torch.device, dtype: torch.dtype, how: Loading
) -> Controlled | None:  # fmt: skip
    """The model with a ControlNet, on its device, if one was asked for."""
    if how.control is None:
        return None
    if how.offload != "none":
        raise UserError("--controlnet cannot be drawn with --offload. Leave one of them out.")
    found = controlnet.joined(pipeline, how.control, dtype)
    found.pipeline.controlnet.to(on)
    return found


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
        side = int(denoiser["sample_size"]) * 2 ** (len(vae["block_out_channels"]) - 1)
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError, StopIteration):
        return 0
    return side if 0 < side <= LARGEST_SIDE else 0


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


def _needs_image(pipeline: Any) -> bool:
    parameters = inspect.signature(pipeline.__call__).parameters
    return any(
        n in parameters and parameters[n].default is inspect.Parameter.empty
        for n in ("image", "mask_image", "control_image")
    ) or bool(re.search("Img2Img|Inpaint|ControlNet|Upscale", type(pipeline).__name__))


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
