"""Model sources for `--model`: a diffusers folder, a single checkpoint, or a model on the hub.

Nothing is loaded here; the result is a path on disk and the revision of its content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from audit.errors import UserError, unknown
from audit.files import content

HUB_NAME = re.compile(r"^[\w.-]+/[\w.-]+(@[\w./-]+)?$")
PICKLED = (".ckpt", ".bin", ".pt", ".pth", ".pkl")


@dataclass(frozen=True)
class Source:
    """Where a model is: `path` is a diffusers folder or one safetensors file."""

    name: str
    """As the user gave it, for display."""
    path: Path
    revision: str
    """Content hash of the files, or the hub's commit."""


def find(name: str, registered: Iterable[str] = (), revision: str = "") -> Source:
    """Resolve a model's name; a hub name is downloaded (or found in the local cache).

    `registered` are further names to suggest. Raises UserError for unknown names, for
    pickled checkpoints, and if the hub cannot be reached.
    """
    path = Path(name).expanduser()
    if path.suffix in PICKLED:
        raise UserError(
            f"{path} contains pickled weights, which can run code when they are read. Convert them "
            "to safetensors and give that file."
        )
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            raise UserError(
                f"{path} is not a diffusers model: it has no model_index.json. Give the folder "
                "that `pipeline.save_pretrained` wrote, or `embedded` for the model inside this "
                "package."
            )
        return Source(name, path, content(path))
    if path.is_file():
        if path.suffix != ".safetensors":
            raise UserError(
                f"{path} is not a model. Give a diffusers folder or a .safetensors file."
            )
        return Source(name, path, content(path))
    if HUB_NAME.match(name) and not name.startswith((".", "/")) and path.suffix != ".safetensors":
        return _download(name, revision)
    raise UserError(
        f"{unknown('model', name, registered)} Or give the path of a diffusers folder or of a "
        "safetensors checkpoint, or the name of a model on the hub as `organisation/name`."
    )


def _download(name: str, revision: str) -> Source:
    """The hub's files in the local cache; safetensors and configurations only."""
    from diffusers import DiffusionPipeline

    repository, _, tag = name.partition("@")
    wanted = tag or revision or None
    try:
        folder = Path(DiffusionPipeline.download(repository, revision=wanted, use_safetensors=True))
    except Exception as error:  # the hub's client raises errors of many libraries
        raise UserError(
            f"The model {repository!r}{f' at {wanted!r}' if wanted else ''} could not be "
            f"downloaded from the hub: {_first_line(error)} Check the name, the network, and "
            "whether the model requires you to log in and accept its terms; a folder on disk works "
            "without a network."
        ) from error
    commit = folder.name if re.fullmatch(r"[0-9a-f]{40}", folder.name) else content(folder)
    return Source(name, folder, commit[:16])


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."
