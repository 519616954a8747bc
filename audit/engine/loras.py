"""LoRAs: laid on a model's weights for good, and refused where they do not fit all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from audit.errors import UserError
from audit.files import content

LORA = re.compile(r"^(?P<path>.+?)(?:@(?P<scale>-?\d+(?:\.\d+)?))?$")
ADAPTER = "audited_lora"
"""Name of the adapter while it is laid on; a file's name may be that of an attribute."""
_DOWN = re.compile(r"\.lora_A\.|[._]lora\.down\.|\.lora_down\.|\.lora_linear_layer\.down\.")


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


def add_lora(pipeline: Any, lora: str, partly: bool) -> str:
    """Load a LoRA's weights and fuse them at its scale (Hu et al. 2021, sec. 4.1).

    Returns a note where only a part of it fits. Raises UserError for one that changes no weight,
    and, unless `partly`, for one of whose weights some fit nothing in the model.
    """
    path, scale = lora_parts(lora)
    if not hasattr(pipeline, "load_lora_weights"):
        raise UserError(f"A {type(pipeline).__name__} takes no LoRA. Leave --lora out.")
    file = path if path.is_file() else None
    where: dict[str, Any] = {
        "pretrained_model_name_or_path_or_dict": str(path.parent if file else path),
        "weight_name": path.name if file else None,
        "use_safetensors": True, "local_files_only": True,
    }  # fmt: skip
    try:
        stated = pipeline.lora_state_dict(**where)
        wanted = _wanted(stated[0] if isinstance(stated, tuple) else stated)
        pipeline.load_lora_weights(**where, adapter_name=ADAPTER)
        laid, moved = _laid(pipeline)
        pipeline.fuse_lora(lora_scale=scale, adapter_names=[ADAPTER])
        pipeline.unload_lora_weights()
    except ImportError as error:
        raise UserError(
            'A LoRA needs the package peft. Install it with `pip install "t2i-audit[hub]"`.'
        ) from error
    except Exception as error:  # diffusers, peft and safetensors raise many kinds
        if "PEFT backend" in str(error):
            raise UserError(
                'A LoRA needs the package peft. Install it with `pip install "t2i-audit[hub]"`.'
            ) from error
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(
            f"The LoRA {path} cannot be applied to this model: {first}. Check that it was made for "
            "this model's architecture."
        ) from error
    if not moved:
        raise UserError(
            f"The LoRA {path} changes no weight of this model: {len(wanted)} layers in the file, "
            f"{laid} of them in the model. Check that it was made for this model's architecture."
        )
    if laid >= len(wanted):
        return ""
    said = f"The LoRA {path} fits this model in part: {laid} of its {len(wanted)} layers."
    if partly:
        return said
    raise UserError(f"{said} Give --partial-lora to lay on those that fit.")


def _wanted(state: Any) -> list[str]:
    """The layers that a LoRA changes, by the names of the file."""
    return sorted({k[: m.start()] for k in state if (m := _DOWN.search(k))})


def _layers(pipeline: Any) -> Iterator[Any]:
    """The layers of a pipeline that the adapter is laid on."""
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            for layer in part.modules():
                if ADAPTER in getattr(layer, "lora_A", ()) or ADAPTER in getattr(
                    layer, "lora_embedding_A", ()
                ):
                    yield layer


def _laid(pipeline: Any) -> tuple[int, int]:
    """Layers of the model that the adapter is laid on, and those whose weights it moves."""
    layers = list(_layers(pipeline))
    moved = sum(bool(layer.get_delta_weight(ADAPTER).abs().max() > 0) for layer in layers)
    return len(layers), moved
