"""Attributes that are read from pixels: the shipped readers, and user-supplied functions.

A reader takes an image, uint8[h, w, 3], and returns a class name, one of the outcomes "uncertain",
"no person" and "several people", or None for uncertain. Nothing else is needed:

    def hat(picture):
        return "hat" if is_hat(picture) else None
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from audit.errors import UserError, unknown
from audit.evidence.attributes import skin_tone
from audit.keys import digest
from audit.records import Attribute

Reader = Callable[[np.ndarray], str | None]
DRAWN_ONLY = ("monk", "skin-type", "face-monk")
"""Readers of classes of skin tone from pixels."""
WHY_DRAWN = (
    "on photographs the light decides more than the skin. On 40 of one set of 10 people nearly "
    "every lit face was Monk 6 or 7, and one person's angle moved by 25 degrees and more."
)
OUTCOMES = ("uncertain", "no person", "several people")


def monk(picture: np.ndarray) -> str | None:
    """Monk class of the skin in an image, `monk 1` (lightest) to `monk 10`, or None."""
    found = skin_tone.read(picture)
    return f"monk {found.monk}" if found.outcome == "label" else None


def tone_type(picture: np.ndarray) -> str | None:
    """Typology class of the skin in an image, `very light` to `dark`, or None."""
    from audit.evidence.attributes.colour import skin_type

    found = skin_tone.read(picture)
    return skin_type(found.angle) if found.outcome == "label" else None


def classes(name: str, reader: Any) -> tuple[str, ...]:
    """The classes that a reader may return; empty where it does not say, in its `classes`."""
    from audit.evidence.attributes import faces
    from audit.evidence.attributes.colour import MONK, TYPES

    tones = tuple(f"monk {i}" for i in range(1, len(MONK) + 1))
    shipped = {
        "monk": tones, "face-monk": tones, "skin-type": tuple(n for n, _ in TYPES),
        "face-gender": ("woman", "man"), "face-age": faces.AGES,
    }  # fmt: skip
    return shipped.get(name, tuple(getattr(reader, "classes", ())))


def check(attribute: Attribute, reader: Any) -> None:
    """Raise UserError for a class list that lacks a class of the reader, before it reads."""
    for found in classes(attribute.reader, reader):
        if found not in attribute.classes:
            said = unknown(f"class of {attribute.name}", str(found)[:60], attribute.classes)
            raise UserError(f"The reader {attribute.reader!r} may return an unknown class: {said}")


def key(attribute: Attribute, reader: Any) -> str:
    """Changes with the reader's name, the class list and, where available, the code it runs.

    That is the source of its module, and the result of the module's function `stamp`, which
    identifies its libraries.
    """
    module = inspect.getmodule(reader)
    try:
        source = inspect.getsource(module or reader)
    except (OSError, TypeError):
        source = ""
    source += str(getattr(module, "stamp", str)())
    return f"{attribute.name}-{digest([attribute.reader, attribute.classes, source], 8)}"


def read(attribute: Attribute, reader: Reader, picture: np.ndarray) -> tuple[str, str | None]:
    """Outcome and value of one image; UserError, with the reader's name, for its mistakes."""
    try:
        found = reader(picture.copy())
    except Exception as error:  # a user-supplied function may raise anything
        raise UserError(
            f"The reader {attribute.reader!r} of {attribute.name} failed: "
            f"{type(error).__name__}: {error}. Correct it; readings so far are kept."
        ) from error
    if found is None:
        return "uncertain", None
    if found in OUTCOMES:
        return str(found), None
    if not isinstance(found, str) or found not in attribute.classes:
        said = unknown(f"class of {attribute.name}", str(found)[:60], attribute.classes)
        raise UserError(f"The reader {attribute.reader!r} returned an unknown class: {said}")
    return "label", found
