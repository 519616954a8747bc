"""A training set to be searched: the source of its images, and their index."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audit.datasets import far as addresses
from audit.datasets import find, pixels
from audit.datasets.chosen import of_text
from audit.datasets.listed import Listed
from audit.datasets.source import Corpus, Source
from audit.errors import Untrusted, UserError
from audit.evidence.copies import manifest
from audit.evidence.copies.index import Index, build, load
from audit.evidence.copies.making import Encoder
from audit.files import write_atomic
from audit.keys import digest


@dataclass(frozen=True)
class TrainingSet:
    """A training set and its held-out twin, as sources, as an existing index, or both."""

    name: str
    sides: Mapping[str, Source]
    """`train`, and `held` where there is a twin; empty where the sources are missing."""
    made: Path | None = None
    """Folder of an existing index."""
    coverage: float | None = None
    """Share of the model's training data that is here; None if not stated."""
    shipped: Path | None = None
    """Folder of an index that comes with the set: copied where it is of these images and this
    descriptor."""

    def image(self, id: str) -> np.ndarray:
        """A training image by its entry's id; pixels.Unreadable where it is not available."""
        if "train" not in self.sides:
            raise pixels.Unreadable("the training set is no longer where it was indexed")
        return self.sides["train"].image(id)

    @property
    def descriptor(self) -> str | None:
        """Name of the descriptor of an existing index, or None."""
        return load(self.made).descriptor.name if self.made else None

    def index(self, encoder: Encoder, root: Path, advance: Callable[[int, int], None]) -> Index:
        """The index by a descriptor: the existing one, a shipped one, or one in a folder of `root`.

        Raises UserError as `build` and `Index.check` do.
        """
        if self.made:
            found = load(self.made)
            found.check(encoder)
            return found
        units = {s: v.units() for s, v in self.sides.items()}
        key = digest(
            [{s: digest([(u.id, u.stamp) for u in v]) for s, v in units.items()}, encoder.key]
        )
        folder = root / f"{self.name}-{key[:8]}"
        if self.shipped is not None and (self.shipped / manifest.LIST).is_file():
            found = load(self.shipped)
            if found.descriptor.key == encoder.key and found.units == units:
                return _copied(found.folder, folder)
        return build(self.sides, encoder, folder, advance, {"coverage": self.coverage})


def _copied(shipped: Path, folder: Path) -> Index:
    """A copy of a finished index, in which lists for searching can be kept; the list comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(shipped.iterdir(), key=lambda p: p.name == manifest.LIST):
        data, copy = path.read_bytes(), folder / path.name
        if not copy.is_file() or copy.read_bytes() != data:
            write_atomic(copy, data)
    return load(folder)


def of_corpus(corpus: Corpus) -> TrainingSet:
    """A registered training set, with its twin and its own index where it has them."""
    sides: dict[str, Source] = {"train": Listed(corpus)}
    if len(corpus.entries(held_out=True)):
        sides["held"] = Listed(corpus, held_out=True)
    share = None if math.isnan(corpus.coverage) else corpus.coverage
    return TrainingSet(corpus.name, sides, None, share, getattr(corpus, "index", None))


def at(
    path: Path, held_out: Path | None, corpora: Callable[[str], Corpus], far: bool = False
) -> TrainingSet:
    """The training set at a path: images or vectors in any known form, or a finished index.

    `corpora` returns registered ones by name. Raises UserError where nothing is there, and for an
    index together with a held-out set, which must be given when the index is made. What `corpora`
    raises for code that an index names, Untrusted, is passed on. With `far`, the user gave the
    path, and it may be an address; an index there is copied first.
    """
    if far and (where := addresses.address(path)) and "index.json" in addresses.objects(where):
        path = addresses.local(path)
    if not (path / "index.json").is_file():
        sides = {"train": find.find(path, far=far)}
        if held_out is not None:
            sides["held"] = find.find(held_out, far=far)
        return TrainingSet(sides["train"].name, sides)
    if held_out is not None:
        raise UserError(
            f"{path} is an index already. Give --held-out to `t2i-audit index`, which made it."
        )
    found = load(path)
    return TrainingSet(found.name, _places(found, corpora), path)


def _places(index: Index, corpora: Callable[[str], Corpus]) -> dict[str, Source]:
    """Sources of an index that are still where they were."""
    out: dict[str, Source] = {}
    for side, (kind, place, *named) in index.places.items():
        if addresses.address(place):  # a file names it, and perhaps another's
            continue
        try:
            listed = kind == Listed.kind
            out[side] = (Listed(corpora(place), side == "held") if listed
                         else find.find(Path(place), of_text("".join(named)), True))  # fmt: skip
        except Untrusted:
            raise
        except (UserError, ValueError):
            continue
    return out
