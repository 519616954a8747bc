"""Load a text-to-image model from a folder of diffusers components, safely, with its revision."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from audit.errors import UserError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Model:
    """A pipeline's parts, ready to draw. `pipeline` is a diffusers StableDiffusionPipeline."""

    name: str
    revision: str
    pipeline: Any
    dtype: torch.dtype

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one latent."""
        config = self.pipeline.unet.config
        return config.in_channels, config.sample_size, config.sample_size


def revision(folder: Path) -> str:
    """Content hash of a model folder: every file's name and bytes, so any change shows."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in (".json", ".safetensors", ".txt", ".model"):
            digest.update(
                f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode()
            )
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def load(folder: Path, name: str | None = None, dtype: str = "float32") -> Model:
    """Load a local diffusers folder; UserError where it is none, or not a model of this kind.

    Weights are read as safetensors only and no code from the folder is ever run.
    """
    if not (folder / "model_index.json").is_file():
        raise UserError(
            f"{folder} is not a diffusers model: it has no model_index.json. Give the folder that "
            "`pipeline.save_pretrained` wrote, or `embedded` for the model inside this package."
        )
    if dtype not in DTYPES:
        raise UserError(f"Unknown precision {dtype!r}. Use one of {', '.join(DTYPES)}.")
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    for library in (logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        pipeline = StableDiffusionPipeline.from_pretrained(
            folder, use_safetensors=True, local_files_only=True
        ).to(DTYPES[dtype])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{folder} cannot be loaded as a Stable Diffusion pipeline: {first}. Check that the "
            "folder is complete and that its weights are safetensors."
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.eval().requires_grad_(False)
    return Model(name or folder.name, revision(folder), pipeline, DTYPES[dtype])
