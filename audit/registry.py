"""Names for the command line and suites: literal tables whose objects are loaded on demand.

A name with a colon, `mypkg.module:thing`, reaches outside code without registration.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.design.mitigations.methods import METHODS
from audit.design.mitigations.row import Method
from audit.errors import UserError, unknown, untrusted

if TYPE_CHECKING:
    from audit.records import Suite

MODELS = {"embedded": "audit.world.models:embedded"}
"""Functions without arguments that return a diffusers folder."""
DEFAULTS: dict[str, dict[str, float]] = {"embedded": {"steps": 10, "guidance": 3.0}}
"""Default settings of a model of this table, where they differ from its pipeline's."""
ENCODERS = {
    "embedded-classifier": "audit.world.models:classifier",
    "embedded-copy": "audit.world.models:copy_descriptor",
    "clip-vit-l-14": "audit.evidence.encoders.pinned:clip",
    "phash": "audit.evidence.encoders.phash:PerceptualHash",
    "pixels": "audit.evidence.encoders.pixel_space:Pixels",
    "sscd": "audit.evidence.encoders.sscd:immaculate",
    "dinov2": "audit.evidence.encoders.dino:dinov2",
}
"""Functions without arguments that return an image encoder."""
LOCAL = "local-dir:"
"""Before the path of a folder that is an open_clip model, in place of such a name."""
CONDITIONS = {
    "silhouette": "audit.world.conditions:silhouettes",
    "scribble": "audit.world.conditions:scribbles",
    "figure": "audit.world.conditions:figures",
}
"""Functions without arguments that return the embedded world's pictures for a ControlNet, by kind:
a mapping from names to functions that make one."""
CORPORA = {"world": "audit.world.models:corpus"}
"""Functions without arguments that return a training set."""
MITIGATIONS = METHODS
"""Rewriters: functions of text, prompt, drawn values and options to the final text, or classes of
them that keep something in a folder. A stack itself does nothing: its parts do."""

READERS = {
    "monk": "audit.evidence.attributes.pictures:monk",
    "skin-type": "audit.evidence.attributes.pictures:tone_type",
    "face-gender": "audit.evidence.attributes.faces:gender",
    "face-age": "audit.evidence.attributes.faces:age",
    "face-monk": "audit.evidence.attributes.faces:monk",
}
"""Readers of an attribute from pixels: functions of an image to a class name, or None."""
MASKS = {
    "figures": "audit.world.nearest:people",
    "people": "audit.evidence.encoders.selfie:people",
}
"""Masks of people: functions of a list of images to a list of bool[h, w]."""

TABLES: dict[str, Mapping[str, Any]] = {
    "model": MODELS, "encoder": ENCODERS, "corpus": CORPORA, "mitigation": MITIGATIONS,
    "reader": READERS, "condition": CONDITIONS, "mask": MASKS,
}  # fmt: skip


def load(kind: str, name: str, outside: str = "") -> Any:
    """The object behind a name; UserError, with near names, for an unknown name.

    Kinds are the keys of `TABLES`. A dotted object, `package.module:thing.part`, is followed. Where
    a file names it, `outside` is that file: then only the names of the tables are loaded, and
    Untrusted is raised for any other object.
    """
    if kind not in TABLES:
        raise unknown("kind", kind, TABLES)
    row = TABLES[kind].get(name, name if ":" in name else None)
    if row is None:
        raise unknown(kind, name, TABLES[kind])
    if outside and name not in TABLES[kind]:
        raise untrusted(outside, kind, name)
    target = row.target if isinstance(row, Method) else str(row)
    try:
        return _imported(target)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UserError(
            f"The {kind} {name!r} cannot be imported: {error}. Give it as `package.module:name`."
        ) from error


def corpora(outside: str) -> Callable[[str], Any]:
    """A function from a name to the training set; `outside` as for `load`."""
    return lambda name: load("corpus", name, outside)()


def _imported(target: str) -> Any:
    """The object that `module:object` names."""
    module, _, attribute = target.partition(":")
    return operator.attrgetter(attribute)(importlib.import_module(module))


def handler(mitigation: str) -> Any:
    """The `engine.interventions.Handler` of a mitigation in the engine.

    Raises UserError, with near names, for anything else.
    """
    targets = {m.name: m.handler for m in METHODS.values() if m.handler}
    if mitigation not in targets:
        raise unknown("mitigation in the engine", mitigation, targets)
    return _imported(targets[mitigation])


def rewriter(method: str, out: Path) -> Any:
    """A mitigation's rewriter; a class is instantiated with `out`, the folder of the runs."""
    found = load("mitigation", method)
    return found(out) if isinstance(found, type) else found


def rewriters(suite: Suite, out: Path = Path("reports")) -> dict[str, Any]:
    """Method to function, for every mitigation of a suite; `out` as for `rewriter`."""
    methods = {part.method for m in suite.mitigations for part in m.each}
    return {method: rewriter(method, out) for method in sorted(methods)}


def names() -> dict[str, list[str]]:
    """All registered names by kind."""
    return {kind: sorted(table) for kind, table in TABLES.items()}
