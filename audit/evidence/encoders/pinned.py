"""The default classifier for images of any model: one open_clip checkpoint, pinned by content.

CLIP ViT-L/14 by OpenAI at 224 pixels (Radford et al. 2021). Larger training sets do not read
perceived gender better (Ceschini, Ramos & Jung, CVPR Workshops 2025, on FairFace); the training
images of DataComp have their faces blurred. Errors by group were published for its sibling at 336
pixels. docs/readers.md gives the reasons.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from audit.errors import UserError
from audit.evidence.encoders import hub

if TYPE_CHECKING:
    from audit.evidence.encoders.openclip import ClipEncoder

NAME = "clip-vit-l-14"
ARCHITECTURE = "ViT-L-14-quickgelu"
REPOSITORY, FILE = "timm/vit_large_patch14_clip_224.openai", "open_clip_model.safetensors"
REVISION = "18d0535469bb561bf468d76c1d73aa35156c922b"
SHA256 = "9ce2e8a8ebfff3793d7d375ad6d3c35cb9aebf3de7ace0fc7308accab7cd207e"
FETCH = f"hf download {REPOSITORY} {FILE} --revision {REVISION}"
"""The command that puts the checkpoint into the local cache, 1.7 GB."""
OTHERWISE = (
    "read the images in another way: by a vision-language model (--reader gender=vlm:MODEL,"
    "url=http://HOST/v1), by faces (--classifier none --reader gender=face-gender, with the extra "
    "`faces`), or by people (--labels TABLE)"
)


def weights(folder: Path | None = None) -> Path:
    """The checkpoint's file, from the local cache or the hub; `folder` is another cache.

    Raises UserError where it is in neither, or is not the file that was pinned.
    """
    from huggingface_hub import hf_hub_download

    hub.ready()
    try:
        path = Path(hf_hub_download(REPOSITORY, FILE, revision=REVISION, cache_dir=folder))
    except Exception as error:  # many kinds: offline, unreachable, refused, gone
        raise UserError(
            f"The classifier of images made elsewhere, {NAME}, is neither in the local cache nor "
            f"can it be fetched from here: run `{FETCH}` (1.7 GB) where there is a network, or "
            f"{OTHERWISE}."
        ) from error
    check(path)
    return path


def check(path: Path) -> None:
    """Raise UserError for a file whose content is not that of the pinned checkpoint."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise UserError(
            f"{path} is not the pinned checkpoint {NAME}: its SHA-256 begins with {found[:12]}, "
            f"not {SHA256[:12]}. Delete it, and run `{FETCH}` again."
        )


def clip(device: str = "cpu", cache: Path | None = None) -> ClipEncoder:
    """The pinned checkpoint as a classifier; its key names the revision."""
    from audit.evidence.encoders.openclip import ClipEncoder

    return ClipEncoder(f"{ARCHITECTURE}@{REVISION}", device=device, weights=partial(weights, cache))
