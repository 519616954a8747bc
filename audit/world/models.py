"""What the world offers to the registry: its models, its training set, its planted truth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audit.errors import UserError
from audit.keys import digest
from audit.records import Reference, Truth
from audit.world import art, truth
from audit.world.dataset import Item, training_set, twin_set

if TYPE_CHECKING:
    from audit.datasets.source import Entry
    from audit.evidence.encoders.copies import CopyEncoder
    from audit.evidence.encoders.openclip import ClipEncoder

GENERATOR = art.ASSETS / "generator"
CLASSIFIER = art.ASSETS / "classifier"
DESCRIPTOR = art.ASSETS / "descriptor" / "copynet.safetensors"
INDEX = art.ASSETS / "index"


def _present(path: Path) -> Path:
    if not path.exists():
        raise UserError(
            f"The embedded model is not here: {path} is missing. Reinstall t2i-audit, or make it "
            "again with `t2i-audit world train`."
        )
    return path


class Embedded:
    """The embedded generator, as the registry knows it: its folder, and what was planted in it."""

    def __call__(self) -> Path:
        """Folder of the model, as diffusers' own pipeline loads it."""
        return _present(GENERATOR)

    @staticmethod
    def truth() -> Truth:
        """Shares planted, in the training images, and seen by people; a sentence for the report."""
        from audit.world.export import truth_table
        from audit.world.seen import reference

        shares = {
            (str(r.subject), str(r.attribute), str(r.value)): float(r.share)
            for r in truth_table().itertuples()
        }
        return Truth(
            Reference("planted", "what was planted in the training set", shares, "declared"),
            Reference(
                "training set", "the generator's training images", training_shares(),
                "counted from the labels",
            ),
            reference(),
            "This model and its training set were made for this audit: every planted share and "
            "every repeated image is known, so each estimate can be checked against the truth.",
        )  # fmt: skip


embedded = Embedded()
"""The embedded generator."""


def classifier() -> ClipEncoder:
    """The embedded attribute classifier: an open_clip model, trained on balanced renders.

    It knows the embedded world and nothing else, and brings pictures of known labels for its own
    errors: those that the embedded model drew and two readers labelled (`audit.world.seen`). They
    measure errors on that model's own pictures, and correct no others.
    """
    from audit.evidence.encoders.openclip import ClipEncoder
    from audit.world.seen import validation

    return ClipEncoder(f"local-dir:{_present(CLASSIFIER)}", validation=("embedded", validation))


def copy_descriptor() -> CopyEncoder:
    """The embedded copy descriptor, trained on renders of the world and edits of them.

    It knows the embedded world and nothing else.
    """
    from audit.evidence.encoders.copies import CopyEncoder

    return CopyEncoder(_present(DESCRIPTOR))


class WorldCorpus:
    """The generator's training set with its held-out twin, rendered when asked for."""

    name = "world"
    coverage = 1.0
    index = INDEX
    """Its vectors by the embedded descriptor: `t2i-audit index world --half` makes them again."""

    @cached_property
    def _items(self) -> dict[str, Item]:
        return {item.id: item for held in (False, True) for item in self._side(held)}

    @staticmethod
    def _side(held_out: bool) -> Sequence[Item]:
        return twin_set() if held_out else training_set()

    @cached_property
    def key(self) -> str:
        """Hash of every scene and caption of both sets."""
        sides = [
            [(i.id, repr(i.scene), i.caption, i.repeats) for i in self._side(h)]
            for h in (False, True)
        ]
        return digest(sides)

    def entries(self, held_out: bool = False) -> Sequence[Entry]:
        """All distinct images of one side, in the set's order."""
        from audit.datasets.source import Entry

        return [Entry(i.id, i.caption, i.repeats) for i in self._side(held_out)]

    def image(self, id: str) -> np.ndarray:
        """One picture, uint8[64, 64, 3]; KeyError for an id that is in neither set."""
        return self._items[id].pixels()


def corpus() -> WorldCorpus:
    """The world as a corpus."""
    return WorldCorpus()


def training_shares() -> dict[tuple[str, str, str], float]:
    """Shares in the training set as the generator saw it, repeats and all.

    Keys are (occupation, attribute, class) for gender and skin_tone.
    """
    counts: dict[tuple[str, str, str], int] = {}
    totals: dict[str, int] = {}
    for item in training_set():
        person = item.scene.sprite
        if person is None:
            continue
        totals[person.noun] = totals.get(person.noun, 0) + item.repeats
        for key in (
            (person.noun, "gender", person.gender),
            (person.noun, "skin_tone", person.skin_tone),
        ):
            counts[key] = counts.get(key, 0) + item.repeats
    return {
        (o.noun, attribute, value): counts.get((o.noun, attribute, value), 0) / totals[o.noun]
        for o in truth.OCCUPATIONS
        for attribute, values in (("gender", truth.GENDERS), ("skin_tone", truth.SKIN_TONES))
        for value in values
    }
