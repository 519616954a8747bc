"""Self-supervised descriptors: DINO and DINOv2 by transformers, and timm's models.

Caron et al. 2021 and Oquab et al. 2023: the class token after the last normalisation. It describes
what an image shows: two images of one kind are near without being copies, so it needs its own
threshold. Weights are read from safetensors only, which contain numbers and no code; no code from
a repository is run; and a checkpoint with missing weights, which both libraries would fill with
random numbers, is refused.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from audit.errors import UserError
from audit.evidence.encoders import hub
from audit.evidence.encoders.batches import encode

TIMM = "timm:"
CLASS_TOKEN_FIRST = ("dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "vit_msn")
"""Model types of transformers whose first token is the class token."""
ELSEWHERE = {"_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures"}
"""Keys of a config about its place and its writer, not about the model."""


UNUSED = "pooler."
"""Weights after the class token, which some checkpoints omit; not part of the key."""


@dataclass(frozen=True)
class Parts:
    """A loaded model: one image to float32[3, h, w], a stack float32[n, 3, h, w] to [n, d]."""

    model: torch.nn.Module
    prepare: Callable[[np.ndarray], np.ndarray]
    read: Callable[[torch.Tensor], torch.Tensor]
    recipe: dict[str, Any]
    """Architecture and preprocessing, JSON-able: part of the key."""


class Dino:
    """A descriptor by name: float32[n, d] of unit length, by the model's own preprocessing.

    `facebook/dinov2-base` or a folder that transformers saved; `timm:NAME` for a model that timm
    knows, `timm:NAME@FILE.safetensors` for its weights in a local file. Loaded on first use;
    nothing is fetched where HF_HUB_OFFLINE is set or the name is a folder.

    Raises UserError where it cannot be loaded, has no safetensors, or has no class token.
    """

    semantic = True
    """It describes what an image shows; images of one caption are near whether or not copied."""

    def __init__(self, name: str, batch: int = 16, device: str = "cpu") -> None:
        self.name, self.batch, self.device = name, batch, device

    @cached_property
    def key(self) -> str:
        """Hash of every weight, of the architecture and of the preprocessing."""
        digest = hashlib.sha256(
            json.dumps(self._parts.recipe, sort_keys=True, default=str).encode()
        )
        weights = self._parts.model.state_dict().items()
        for name, tensor in sorted(w for w in weights if not w[0].startswith(UNUSED)):
            digest.update(f"{name} {tuple(tensor.shape)} ".encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return f"{'timm' if self.name.startswith(TIMM) else 'dino'}-{digest.hexdigest()[:12]}"

    @cached_property
    def _parts(self) -> Parts:
        try:
            timm = self.name.startswith(TIMM)
            return _timm(self.name, self.device) if timm else _hub(self.name, self.device)
        except UserError:
            raise
        except Exception as error:  # hubs, files and two libraries raise their own exceptions
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise UserError(
                f"The descriptor {self.name!r} cannot be loaded ({reason}). Give a folder or a hub "
                "name with safetensors, `timm:NAME`, or `timm:NAME@FILE.safetensors`."
            ) from error

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8[h, w, 3] images to float32[n, d] of unit length."""
        parts = self._parts

        def forward(stack: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                rows = parts.read(torch.from_numpy(stack).to(self.device))
            if rows.ndim != 2:
                raise UserError(f"{self.name!r} returns {rows.ndim - 1}-d features, not vectors.")
            return np.asarray(rows.float().cpu().numpy())

        return encode(pictures, self.batch, parts.prepare, forward)


def dinov2() -> Dino:
    """DINOv2, ViT-B/14: float32[n, 768]."""
    return Dino("facebook/dinov2-base")


def _offline() -> bool:
    from huggingface_hub import constants

    hub.ready()
    return bool(constants.HF_HUB_OFFLINE)


def _hub(name: str, device: str) -> Parts:
    from transformers import AutoConfig, AutoImageProcessor, AutoModel

    local = {"local_files_only": _offline() or Path(name).is_dir(), "trust_remote_code": False}
    config = AutoConfig.from_pretrained(name, **local)
    if config.model_type not in CLASS_TOKEN_FIRST:
        raise UserError(
            f"{name!r} is of type {config.model_type!r}, whose class token is not known to be "
            f"first. Give one of type {', '.join(CLASS_TOKEN_FIRST)}."
        )
    model, found = AutoModel.from_pretrained(
        name, config=config, use_safetensors=True, output_loading_info=True, **local
    )
    missing = sorted(k for k in found["missing_keys"] if not k.startswith(UNUSED))
    if missing:  # transformers would draw them at random
        raise UserError(
            f"{name!r} lacks {len(missing)} of its weights ({missing[0]}, ...). Save it again."
        )
    model = model.float().eval().to(device)
    processor = AutoImageProcessor.from_pretrained(name, **local)

    def prepare(picture: np.ndarray) -> np.ndarray:
        values = processor(images=Image.fromarray(picture), return_tensors="pt")["pixel_values"]
        return np.asarray(values[0].numpy())

    settings = {k: v for k, v in config.to_dict().items() if k not in ELSEWHERE}
    recipe = {"config": settings, "processor": type(processor).__name__, **processor.to_dict()}
    return Parts(model, prepare, lambda x: model(x).last_hidden_state[:, 0], recipe)


def _timm(name: str, device: str) -> Parts:
    timm: Any = importlib.import_module("timm")
    data: Any = importlib.import_module("timm.data")
    architecture, _, file = name.removeprefix(TIMM).partition("@")
    config = timm.get_pretrained_cfg(architecture)
    if config is None:
        raise UserError(f"timm has no model {architecture!r}. `timm.list_models()` lists them all.")
    weights = load_file(file or _fetched(config))
    heads = (config.classifier,) if isinstance(config.classifier, str) else config.classifier or ()
    body = {k: v for k, v in weights.items() if not k.startswith(tuple(f"{h}." for h in heads))}
    # timm is strict only where it has no classifier to omit: otherwise a checkpoint of another
    # model would be skipped weight by weight, and random features returned.
    overlay = {"state_dict": body, "num_classes": 0}
    model = timm.create_model(
        architecture, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
    )
    model = model.float().eval().to(device)
    how = data.resolve_model_data_config(model)
    transform = data.create_transform(**how, is_training=False)

    def prepare(picture: np.ndarray) -> np.ndarray:
        return np.asarray(transform(Image.fromarray(picture)).numpy())

    return Parts(model, prepare, model, {"architecture": architecture, **how})


def _fetched(config: Any) -> str:
    """Local path of the hub's safetensors of a timm model, fetched unless offline."""
    from huggingface_hub import hf_hub_download

    if not config.hf_hub_id:
        raise UserError(
            f"timm has no weights of {config.architecture!r} on a hub. Name one with its tag "
            "(`timm.list_pretrained()` lists them all), or a file as `timm:NAME@FILE.safetensors`."
        )
    return str(hf_hub_download(config.hf_hub_id, "model.safetensors", local_files_only=_offline()))
