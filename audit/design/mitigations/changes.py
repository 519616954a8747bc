"""What an arm changes in the engine for one image, from its options and the values drawn for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from audit import records
from audit.design.mitigations import words
from audit.design.mitigations.in_engine import Paraphrase
from audit.design.mitigations.methods import method
from audit.keys import digest_but
from audit.records import Change, Intervention, Mitigation, Settings

Classes = Mapping[str, Sequence[str]]
"""All values of each attribute."""


def change(
    arm: Mitigation, settings: Settings, drawn: Mapping[str, str], classes: Classes, image: int = 0
) -> Change:
    """What all parts of an arm change for an image with these drawn values, together.

    `image` is its number among those of its prompt.
    """
    parts: dict[str, list[Mitigation]] = {}
    for part in arm.each:
        parts.setdefault(method(part.method).changes, []).append(part)
    return Change(
        guidance=_guidance(parts.get("guidance", []), settings),
        negative=_negative(parts.get("negative", []), settings, drawn, classes),
        paraphrase=_paraphrase(parts.get("paraphrase", [])),
        interventions=tuple(
            one
            for part in arm.each
            if method(part.method).handler
            for one in _interventions(part, drawn, classes, image)
        ),
    )


def _guidance(parts: Sequence[Mitigation], settings: Settings) -> float | None:
    scales = [float(part.options["scale"]) for part in parts]
    return scales[-1] if scales and scales[-1] != settings.guidance else None


def _negative(
    parts: Sequence[Mitigation], settings: Settings, drawn: Mapping[str, str], classes: Classes
) -> str | None:
    """First the classes that were not drawn, then a part's own text or else the run's."""
    away: list[str] = []
    text = settings.negative
    for part in parts:
        name = str(part.options.get("attribute", ""))
        if name in drawn:
            away += words.avoided(name, drawn[name], classes[name], part.options) or []
        text = str(part.options.get("text", text))
    whole = ", ".join([*away, *filter(None, [text])])
    return None if whole == settings.negative else whole


def _paraphrase(parts: Sequence[Mitigation]) -> records.Paraphrase | None:
    if not parts:
        return None
    return records.Paraphrase(**Paraphrase(**parts[-1].options).model_dump())


def _interventions(
    part: Mitigation, drawn: Mapping[str, str], classes: Classes, image: int
) -> list[Intervention]:
    """One with the part's options; a method with words steers to the drawn class, if any."""
    row = method(part.method)
    given = row.options(**part.options).model_dump() if row.options else dict(part.options)
    if row.turns:
        items = given[row.turns] or ("",)
        given[row.turns] = items[turn(part, image)]
        given.pop("about", None)
    if row.words is None:
        return [Intervention(part.method, given)]
    name = given["attribute"]
    if name not in drawn or not given.get("scale", 1):
        return []
    sides = {
        "towards": [drawn[name]],
        "away": [c for c in classes.get(name, ()) if c != drawn[name]],
    }
    # `arms.check` refuses a class without words, so none is left out here.
    texts = {
        side: tuple(filter(None, (row.words(name, c, part.options) for c in values)))
        for side, values in sides.items()
    }
    kept = {k: v for k, v in given.items() if k not in ("attribute", "target", "words")}
    return [Intervention(part.method, {**texts, **kept})]


def turn(part: Mitigation, image: int) -> int:
    """Which item of a list an image has, where a method's items take turns over images."""
    return image % max(1, len(part.options.get(method(part.method).turns, ())))


def sample_ids(
    text: str, settings: Settings, change: Change | None = None, last: str = ""
) -> Callable[[int], str]:
    """Seed to the hash of all that produces the image; `last` as in `Sample`."""
    inside = ({"how": change.as_json()} if change else {}) | ({"last": last} if last else {})
    return digest_but({"text": text, **asdict(settings), **inside}, "seed", 20)
