"""The labelling queue: the images that `t2i-audit label` drew, without their readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from audit.errors import UserError, unknown
from audit.evidence.attributes.colour import swatches_of
from audit.evidence.labels import sheet
from audit.report import wording
from audit.runs.labelling import RECORD, SHEET, classes_of, drawn_of
from audit.store import RunFolder
from audit.view.journal import Asked, Journal, Label, rater

KEYS: Mapping[str, str] = {"u": "uncertain", "n": "no person", "s": "several people",
                           "x": "unreadable"}  # fmt: skip
"""Keys of the reasons; classes have the digits, the tenth has 0."""


@dataclass(frozen=True)
class Drawn:
    """The draw as raters see it: images by number, and the allowed words."""

    asked: tuple[Asked, ...]
    classes: Mapping[str, Sequence[str]]

    def check(self, sample: str, attribute: str, value: str) -> None:
        """Raise UserError for an image that was not drawn and for a word that is not allowed."""
        if not any((s, a) == (sample, attribute) for _, s, a in self.asked):
            raise UserError("This image is not in the draw. Load the page again.")
        allowed = [*self.classes[attribute], *sheet.REASONS]
        if value and value not in allowed:
            raise unknown(f"value of {attribute}", value[:60], allowed)


def means(reason: str) -> str:
    """What it means to give this reason in place of a class."""
    return wording.text(f"labels.why.{reason}")


def drawn(folder: RunFolder) -> Drawn | None:
    """The current draw of `t2i-audit label`; None where nothing was drawn."""
    if not any(folder.label_file(name).exists() for name in (RECORD, SHEET)):
        return None
    rows = drawn_of(folder).rows
    classes = classes_of(folder.results())
    numbered = enumerate(zip(rows["sample"], rows["attribute"], strict=True), 1)
    asked = tuple((i, str(s), str(a)) for i, (s, a) in numbered if a in classes)
    return Drawn(asked, {a: classes[a] for a in dict.fromkeys(a for _, _, a in asked)})


def state(draw: Drawn, journal: Journal, name: str) -> dict[str, Any]:
    """Data for a rater's page: images by number, words with keys, and labels so far."""
    who = journal.same(rater(name))
    reasons = [{"key": k, "value": v, "means": means(v)} for k, v in KEYS.items()]
    return {
        "rater": who,
        "items": [list(a) for a in draw.asked],
        "classes": {a: list(c) for a, c in draw.classes.items()},
        "colours": {a: swatches_of(c) for a, c in draw.classes.items()},
        "reasons": reasons,
        "said": {str(n): v for n, v in journal.of(who, draw.asked).items()},
    }


def put(draw: Drawn, journal: Journal, body: object) -> dict[str, Any]:
    """Keep a label from JSON; UserError where it does not belong to this draw."""
    fields = ("rater", "sample", "attribute", "value")
    if not isinstance(body, dict) or set(body) != set(fields):
        raise UserError("A label has rater, sample, attribute and value. Load the page again.")
    if not all(isinstance(body[f], str) for f in fields):
        raise UserError("The parts of a label must be text. Load the page again.")
    label = Label(
        journal.same(rater(body["rater"])), body["sample"], body["attribute"], body["value"]
    )
    draw.check(label.sample, label.attribute, label.value)
    return {"saved": asdict(label), "done": journal.put(label, draw.asked)}
