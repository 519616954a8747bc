"""Indexing of a training set, from its source to the folder of its index."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit import registry
from audit.datasets import cells, far, listing
from audit.datasets.chosen import USUALLY, Chosen, chosen
from audit.datasets.listing import LeftOut
from audit.errors import UserError, counted
from audit.evidence.copies import decision
from audit.evidence.encoders import named
from audit.files import write_atomic
from audit.runs import choosing, shards
from audit.runs.context import Progress, silent
from audit.runs.given import AUTO
from audit.store import RunFolder

if TYPE_CHECKING:
    from audit.evidence.copies.index import Index
    from audit.evidence.copies.sides import Sides

LISTED = "unreadable.csv"
"""File of an index that lists images without a vector and files that were left out."""


@dataclass(frozen=True)
class Made:
    """An index that was just made, with its encoder and source."""

    index: Index
    encoder: Any
    source: Any
    """The training set that was read, `datasets.source.Source`."""
    left_out: tuple[LeftOut, ...] = ()
    """Files of either side that look like images or data, and are not read."""
    said: tuple[str, ...] = ()
    """What was assumed or left out where images were read that are new in the index."""

    @property
    def unreadable(self) -> dict[str, str]:
        """Images of either side that have no vector, and damaged files, with the reason."""
        return {**self.index.train.skipped, **self.index.held.skipped, **self.index.damaged}

    @property
    def notes(self) -> list[str]:
        """What was assumed or left out, and which images are there more than once: sentences."""
        mixed = shards.mixed(self.index.folder)
        index, out = self.index, [*self.said, *self.index.notes, *([mixed] if mixed else [])]
        if index.damaged:
            out.append(damaged_files(index.damaged))
        images, shared = index.repeated
        if images:
            some = counted(images, "training image has", "training images have")
            out.append(f"{some} the same pixels as another one.")
        if shared:
            some = counted(shared, "held-out image has", "held-out images have")
            also = "is" if shared == 1 else "are"
            out.append(
                f"{some} the pixels of a training image and {also} not compared as held out."
            )
        return out

    @property
    def left_out_words(self) -> str:
        """The files that were left out, counted by reason."""
        return listing.said(self.left_out, str(self.index.folder / LISTED))


@dataclass(frozen=True)
class Plan:
    """How an index is made."""

    held_out: str | None = None
    """Images exchangeable with the training set; a registered set has its own."""
    descriptor: str = AUTO
    coverage: float | None = None
    """Share of the model's training set that this is, 0..1; None if not stated."""
    half: bool = False
    """Whether vectors are stored as float16."""
    device: str = "auto"
    columns: tuple[str, ...] = ()
    """Of tables, as `datasets.chosen.chosen` takes them."""
    split: str = ""
    held_out_split: str = ""


def damaged_files(damaged: Mapping[str, str]) -> str:
    """A sentence that names files of a training set that could not be read, the first three."""
    some = "; ".join(list(damaged.values())[:3]) + ("; ..." if len(damaged) > 3 else "")
    files = counted(len(damaged), "file", "files")
    return f"{files} of the training set cannot be read and left out: {some}"


def _registered(text: str) -> bool:
    return text in registry.CORPORA and not Path(text).exists()


def source(text: str, read: Chosen = USUALLY, held_out: bool = False) -> Any:
    """The training set of that name or at that path; UserError where there is none.

    If it is `held_out`, the columns to read are those of tables of images alone.
    """
    from audit.datasets.find import find
    from audit.datasets.listed import Listed

    if not _registered(text):
        return find(Path(text), read, held_out, far=True)
    if read != USUALLY and not held_out:
        raise UserError(f"{text} has no columns or splits. Leave --columns and --split out.")
    return Listed(registry.load("corpus", text)(), held_out)


def make(training: str, out: Path, plan: Plan, progress: Progress = silent) -> Made:
    """Make the index of a training set, or add new images to it; lists images without a vector.

    Files that cannot be read are left out, and read again the next time. Writes the index and
    `unreadable.csv` into `out`. Raises UserError as `source` and `build` do.
    """
    far.refuse(out)
    with RunFolder(out).lock():
        return finish(opened(training, plan), out, progress)


@dataclass(frozen=True)
class Opened:
    """A training set about to be indexed: its sides, their encoder, and how vectors are stored."""

    sides: dict[str, Any]
    encoder: Any
    how: dict[str, Any]
    plain: bool
    """Whether the descriptor is the default, which finds near-exact copies alone."""


def opened(training: str, plan: Plan, device: str = "") -> Opened:
    """The training set with its encoder, on a device if one is given; UserError as `source`."""
    registered = _registered(training)
    sides = {"train": source(training, chosen(plan.columns, plan.split))}
    if plan.held_out is not None:
        other = chosen(plan.columns, plan.held_out_split)
        sides["held"] = source(plan.held_out, other, True)
    elif plan.held_out_split:
        raise UserError("--held-out-split is about held-out images: give these with --held-out.")
    elif registered:
        sides["held"] = source(training, USUALLY, held_out=True)
    name = choosing.index_descriptor(plan.descriptor, registered)
    encoder = named.named(name, device or _device(name, plan.device))
    coverage = plan.coverage
    if coverage is None and registered:
        own = float(sides["train"].corpus.coverage)
        coverage = None if math.isnan(own) else own
    how = {"descriptor": name, "dtype": "float16" if plan.half else "float32",
           "coverage": coverage}  # fmt: skip
    plain = name != plan.descriptor and name == choosing.PLAIN_DESCRIPTOR
    return Opened(sides, encoder, how, plain)


def finish(found: Opened, out: Path, progress: Progress) -> Made:
    """The index in a folder whose lock is held, with what workers left undone; see `make`."""
    from audit.evidence.copies.index import build

    sides, encoder = found.sides, found.encoder
    index = build(sides, encoder, out, lambda n, of: progress("index", n, of), found.how)
    aside = [x for side in sides.values() for x in getattr(side, "left_out", list)()]
    said = dict.fromkeys(n for side in sides.values() for n in side.notes())
    if found.plain:
        said[choosing.PLAIN] = None
    made = Made(index, encoder, sides["train"], tuple(aside), tuple(said))
    rows = [LeftOut(name, reason) for name, reason in made.unreadable.items()]
    write_atomic(out / LISTED, listing.table([*rows, *made.left_out]))
    return made


def _device(descriptor: str, asked: str) -> str:
    """The device of a descriptor; torch, which takes seconds, is loaded only if that matters."""
    if asked == "auto" and descriptor.removeprefix("local:") in named.ARITHMETIC:
        return "cpu"
    from audit.engine.model import device

    return str(device(asked))


def compared(made: Made, seed: int = 0) -> Sides:
    """Which images of the two sides a run would compare, and whether the sides look alike."""
    from audit.evidence.copies import sides

    seen = decision.edits(made.index, made.encoder, made.source.image, seed, (decision.SAME,))
    return sides.sides(made.index, decision.duplicate_cosine(seen.rows), seed)


def duplicates(made: Made) -> tuple[Path, dict[str, Any]]:
    """Write the clusters of near-duplicates, largest first; the file, and facts on them."""
    table, facts = decision.duplicates(made.index, made.encoder, made.source.image)
    path = made.index.folder / "duplicates.csv"
    write_atomic(path, cells.of_frame(table))
    return path, dict(facts)
