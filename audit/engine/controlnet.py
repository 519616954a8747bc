"""ControlNets: found and read like models, checked against the one that they steer, and joined.

Zhang, Rao & Agrawala 2023 ("Adding conditional control to text-to-image diffusion models", ICCV): a
copy of the denoiser's first half reads a picture, and its outputs are added, times a scale, to what
the denoiser's second half receives.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from audit.engine import parts
from audit.engine.source import HUB_NAME, Source
from audit.errors import UserError
from audit.files import content, loads

KINDS = {
    "StableDiffusionPipeline": "StableDiffusionControlNetPipeline",
    "StableDiffusionXLPipeline": "StableDiffusionXLControlNetPipeline",
}
"""Pipelines that a ControlNet can steer, and those that draw with one."""
CLASS = "ControlNetModel"
SHARED = ("in_channels", "block_out_channels", "layers_per_block", "cross_attention_dim",
          "addition_embed_type", "projection_class_embeddings_input_dim")  # fmt: skip
"""Entries of a configuration that a ControlNet has in common with the denoiser that it steers."""


@dataclass(frozen=True)
class Conditioning:
    """What a model is conditioned with: a ControlNet, and pictures by the name that arms use."""

    source: Source
    picture: Callable[[str], np.ndarray]
    """uint8[h, w, 3] of any size."""


@dataclass(frozen=True)
class Controlled:
    """A pipeline that has a ControlNet in addition to the model's own parts."""

    pipeline: Any
    conditioning: Conditioning

    def side(self, size: str) -> tuple[int, int]:
        """Width and height that are drawn: of `WIDTHxHEIGHT`, else the model's own."""
        if size:
            wide, _, high = size.partition("x")
            return int(wide), int(high)
        own = self.pipeline.unet.config.sample_size
        height, width = (own, own) if isinstance(own, int) else own
        factor = self.pipeline.vae_scale_factor
        return int(width) * factor, int(height) * factor

    def batch(self, names: list[str], size: str) -> torch.Tensor:
        """The pictures of a batch at the size that is drawn: float32[n, 3, h, w] in 0..1."""
        side = self.side(size)
        rows = [fitted(self.conditioning.picture(name), side) for name in names]
        return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255


def fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture uint8[h, w, 3] at (width, height): the largest part of that shape in its middle."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    scale = max(size[0] / width, size[1] / height)
    wide, high = max(1, round(size[0] / scale)), max(1, round(size[1] / scale))
    left, top = (width - wide) // 2, (height - high) // 2
    image = Image.fromarray(picture[top : top + high, left : left + wide])
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def find(name: str) -> Source:
    """A ControlNet by its folder or its name on the hub, as `organisation/name@revision`.

    Raises UserError for another kind of folder, and where the hub cannot be reached.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        _vetted(path)
        return Source(name, path, content(path))
    if path.exists() or not HUB_NAME.match(name) or name.startswith((".", "/")):
        raise UserError(
            f"--controlnet {name}: there is no such folder. Give one with the config.json and "
            "safetensors weights of a ControlNet, or its name on the hub as `organisation/name`."
        )
    folder = _download(name)
    _vetted(folder)
    commit = folder.name if re.fullmatch(r"[0-9a-f]{40}", folder.name) else content(folder)
    return Source(name, folder, commit[:16])


def _download(name: str) -> Path:
    """The hub's files in the local cache; safetensors and the configuration only."""
    from huggingface_hub import snapshot_download

    repository, _, tag = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=tag or None, allow_patterns=[
            "config.json", "*.safetensors"], ignore_patterns=["*/*"]))  # fmt: skip
    except Exception as error:  # the hub's client raises errors of many libraries
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(
            f"The ControlNet {name!r} could not be downloaded from the hub: {first}. Check the "
            "name and the network; a folder on disk works without a network."
        ) from error


def _vetted(folder: Path) -> None:
    """UserError for what is not a ControlNet, and for code and pickles, which could run."""
    try:
        config = loads((folder / "config.json").read_bytes(), finite=False)
        kind = config["_class_name"]
    except (OSError, ValueError, KeyError, TypeError):
        kind = ""
    if kind != CLASS:
        found = f"it contains a {kind}" if isinstance(kind, str) and kind else (
            "it has no config.json that says so")  # fmt: skip
        raise UserError(
            f"{folder} is not a ControlNet: {found}. Give the folder of a {CLASS} for Stable "
            "Diffusion 1.x, 2.x or XL."
        )
    parts.refuse_files(folder)


def read(source: Source, dtype: torch.dtype) -> Any:
    """The ControlNet of a source, with every weight from its file.

    Raises UserError for weights that are missing, superfluous or damaged.
    """
    from diffusers import ControlNetModel

    try:
        return parts.read_part(source.path, ControlNetModel, dtype)
    except UserError:
        raise
    except Exception as error:  # the libraries raise many kinds for files that are not right
        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            raise
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(
            f"{source.path} cannot be loaded as a ControlNet: {first}. Check that it is complete "
            "and that its weights are safetensors."
        ) from error


def joined(pipeline: Any, given: Conditioning, dtype: torch.dtype) -> Controlled:
    """A pipeline of the same parts and a ControlNet, which draws with both.

    Raises UserError for a pipeline that no ControlNet steers, for one made for another model, and
    as `read` does.
    """
    import diffusers

    kind, name = type(pipeline).__name__, given.source.name
    if kind not in KINDS:
        raise UserError(
            f"A {kind} cannot be drawn with a ControlNet here. Use a model of one of these kinds: "
            f"{', '.join(KINDS)}."
        )
    net = read(given.source, dtype)
    if wrong := _misfit(pipeline, net):
        raise UserError(
            f"The ControlNet {name} does not fit this model: {wrong}. Give one that was trained "
            "for a model of this architecture."
        )
    more = {k: pipeline.config[k] for k in ("requires_safety_checker",
            "force_zeros_for_empty_prompt") if k in pipeline.config}  # fmt: skip
    if hasattr(pipeline, "watermark"):
        more["add_watermarker"] = pipeline.watermark is not None
    made = getattr(diffusers, KINDS[kind])(**pipeline.components, controlnet=net, **more)
    made.set_progress_bar_config(disable=True)
    net.eval().requires_grad_(False)
    parts.whole(SimpleNamespace(components={"controlnet": net}), given.source.path)
    return Controlled(made, given)


def _misfit(pipeline: Any, net: Any) -> str:
    """What a ControlNet and the denoiser do not have in common, or empty text."""
    for entry in SHARED:
        own, other = (getattr(x.config, entry, None) for x in (pipeline.unet, net))
        if _plain(own) != _plain(other):
            return f"its {entry} is {_plain(other)}, and the denoiser's is {_plain(own)}"
    factor = 2 ** (len(net.config.conditioning_embedding_out_channels) - 1)
    if factor != pipeline.vae_scale_factor:
        return (
            f"it makes pictures {factor} times smaller, and the autoencoder "
            f"{pipeline.vae_scale_factor} times"
        )
    return ""


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value
