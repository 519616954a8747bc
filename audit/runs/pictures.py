"""The images of a finished run: its own, or the existing images that it audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audit.datasets import find, pixels
from audit.datasets.chosen import chosen
from audit.errors import UserError
from audit.store import RunFolder


def _place(folder: RunFolder, results: Mapping[str, Any], moved: Path | None) -> Path:
    """Where the images of a run are: where the user says, where they were, or as was typed."""
    if moved is not None:
        return moved
    places = [Path(str(results[k])) for k in ("images_at", "images") if results.get(k)]
    found = next((p for p in places if p.exists()), None)
    if found is None:
        raise UserError(
            f"The images of {folder.path} were at {places[0]}, and there is nothing now. Give "
            "their new place with --images."
        )
    return found


@dataclass(frozen=True)
class RunPictures:
    """A source of images: id to uint8[h, w, 3], and to a stamp that changes when the image does.

    Both raise pixels.Unreadable for an image that is not available.
    """

    read: Callable[[str], np.ndarray]
    stamp: Callable[[str], str]


def of_run(
    folder: RunFolder, results: Mapping[str, Any], moved: Path | None = None
) -> RunPictures:  # fmt: skip
    """The images of a run by sample; UserError where its folder of images is missing.

    `moved` is where images made elsewhere are now. A name that leaves the folder of images is
    unreadable, as is a sample without a name.
    """
    if not results.get("images"):
        return RunPictures(folder.read_image, folder.images.stamp)
    read = chosen(results.get("columns", ()))
    collection = find.again(_place(folder, results, moved), read, moved is not None)
    names = results["pictures"]

    def place(id: str) -> str:
        if id not in names:
            raise pixels.Unreadable("has no file in this run")
        return collection.prefix + str(names[id])

    return RunPictures(
        lambda id: collection.image(place(id)), lambda id: collection.stamp(place(id))
    )
