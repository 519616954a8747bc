"""User-supplied images of a run: listed with their prompts, and read by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from audit.datasets import find, pixels, prompts
from audit.datasets.listing import LeftOut
from audit.datasets.source import Collection, Record
from audit.errors import UserError
from audit.keys import digest


@dataclass(frozen=True)
class Picture:
    """An image made elsewhere, with everything known about it before it is decoded."""

    name: str
    text: str | None
    source: str
    """Where the prompt was found: "table", "sidecar", "metadata", "name" or "nowhere"."""
    stamp: str
    """Changes when the file does."""
    seed: int | None = None
    arm: str | None = None


class Pictures:
    """A collection with its prompts."""

    def __init__(self, collection: Collection) -> None:
        self.collection, self.name = collection, collection.name

    @cached_property
    def _items(self) -> tuple[list[Picture], list[LeftOut]]:
        some, prefix = self.collection, self.collection.prefix
        found: list[Picture] = []
        left_out = [self._with_prompt(x) for x in some.left_out()]
        for record in (r for u in some.units() for r in some.records(u)):
            if record.left_out:
                name = record.id.removeprefix(prefix)
                left_out.append(LeftOut(name, record.left_out, record.caption.text))
            else:
                found.append(_picture(record, prefix))
        if not found:
            raise UserError(f"{some.place} holds no images. Give one that does.")
        return found, left_out

    def _with_prompt(self, one: LeftOut) -> LeftOut:
        """A file that was left out, with the prompt inside it if it is an image."""
        if one.prompt or self.collection.kind != "folder":
            return one
        try:
            inside = prompts.embedded(self.collection.content(one.file))
        except pixels.Unreadable:
            inside = None
        return replace(one, prompt=inside or "")

    def items(self) -> Sequence[Picture]:
        """All images in a fixed order; raises UserError for no images or a damaged unit."""
        return self._items[0]

    def left_out(self) -> Sequence[LeftOut]:
        """Files that look like images and are not read; raises as `items` does."""
        return self._items[1]

    def notes(self) -> list[str]:
        """What was assumed or left out to list them."""
        self.items()
        return self.collection.notes()

    def image(self, name: str) -> np.ndarray:
        """One image, uint8[h, w, 3]; raises pixels.Unreadable if it is damaged."""
        return self.collection.image(self.collection.prefix + name)


def read(path: Path, table: Path | None = None) -> Pictures:
    """The images at a path; `table` (CSV or JSON lines) gives their prompts by name.

    Raises UserError as `datasets.find.pictures` does.
    """
    return Pictures(find.pictures(path, table, far=True))


def _picture(record: Record, prefix: str) -> Picture:
    """One image, with its prompt from the first source that has one."""
    said, name = record.caption, record.id.removeprefix(prefix)
    seed = said.whole_seed()
    if said.text:
        return Picture(name, said.text, said.origin, record.stamp, seed, said.arm)
    try:
        inside = prompts.embedded(record.data())
    except pixels.Unreadable:
        inside = None
    if inside:
        return Picture(name, inside, "metadata", record.stamp, seed, said.arm)
    named = prompts.from_name(record.name)
    source = "name" if named else "nowhere"
    return Picture(name, named, source, record.stamp, seed, said.arm)


def key(pictures: Pictures) -> str:
    """Hash of all names, prompts and stamps: a changed listing is another run.

    So are the same files where this version decodes them otherwise.
    """
    return digest([pixels.DECODED, [(i.name, i.text, i.stamp) for i in pictures.items()]])
