"""Readers on images of known people: accuracy and abstention by group, and how stable tones are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audit import registry
from audit.datasets import labelled, pixels
from audit.design import suites
from audit.errors import UserError
from audit.evidence.attributes import pictures
from audit.evidence.encoders.unread import Unread
from audit.records import Attribute, Settings, Suite
from audit.runs import choosing, judging, tones, validating
from audit.runs.context import Plan, Progress, Run, silent
from audit.runs.options import Options
from audit.stats.interval import Interval
from audit.stats.proportions import wilson
from audit.stats.reliability import icc, ranges
from audit.store import RunFolder

DEFAULT = ("gender=face-gender",)
SUITE = "demographic"
"""The shipped suite whose texts and gate a classifier reads with."""


def measure(place: Path, options: Options, progress: Progress = silent) -> dict[str, Any]:
    """What the readers of the options get right on labelled images, as JSON-able data.

    The table has a column of files, one for each attribute, and may have one of people; with
    people, lightness and hue of the skin are compared between and within them.
    Raises UserError for a table or a reader that cannot be used.
    """
    asked = options.readers or DEFAULT
    names = [t.partition("=")[0].strip() for t in asked]
    shown = labelled.load(place, dict.fromkeys(names, ()))
    readers = []
    for text in asked:
        attribute = _attribute(shown, *(t.strip() for t in text.split("=", 1)))
        judging.check(attribute, replace(options, drawn=True))
        readers.append(_read(attribute, shown, options, progress))
    found: dict[str, Any] = {"images": len(shown.files), "readers": readers}
    if any(shown.people):
        found["people"] = len(set(shown.people) - {""})
        found["tone"] = _tones(shown, progress)
    return found


def _attribute(shown: labelled.Labelled, name: str, reader: str = "") -> Attribute:
    """The attribute as that reader knows it: its own classes, the suite's, or the labels'."""
    if not name or not reader:
        raise UserError("--reader needs ATTRIBUTE=READER, such as gender=face-gender.")
    if not shown.has(name):
        raise UserError(f"{shown.table.path} has no column {name!r}; it has {shown.table.named()}.")
    if reader == "clip":
        known = {a.name: a for a in suites.read_suite(SUITE).attributes}
        if name not in known:
            raise UserError(
                f"The suite {SUITE} has no texts for {name}. It has {', '.join(known)}."
            )
        return known[name]
    classes: tuple[str, ...] = ()
    if not reader.startswith("vlm:"):
        classes = pictures.classes(reader, registry.load("reader", reader))
    return Attribute(name, classes or shown.words(name), {}, reader=reader)


def _run(attribute: Attribute, options: Options, progress: Progress) -> tuple[Run, Any]:
    """A run that only reads, with what tells which images there are."""
    gates = suites.read_suite(SUITE)
    clip = attribute.reader == "clip"
    suite = Suite("readers", "", "", (), (attribute,), (), ())
    if clip:
        suite = replace(suite, person_texts=gates.person_texts, empty_texts=gates.empty_texts,
                        several_texts=gates.several_texts)  # fmt: skip
    settings = Settings("readers", "", 0, 0.0, 0)
    elsewhere = replace(options, images=options.images or Path("readers"))
    run = Run(Plan(suite, elsewhere, settings, ()), RunFolder(options.out / "readers"), progress)
    return run, choosing.classifier(elsewhere, options.device) if clip else Unread()


def _read(
    attribute: Attribute, shown: labelled.Labelled, options: Options, progress: Progress
) -> dict[str, Any]:
    run, encoder = _run(attribute, options, progress)
    read = validating.read(run, attribute, encoder, shown)
    true = shown.labels(attribute.name, attribute.classes)
    rows = [(t, *read.get(i, ("unreadable", None))) for i, t in zip(shown.ids, true, strict=True)]
    groups = {c: [r for r in rows if r[0] == c] for c in attribute.classes}
    return {
        "attribute": attribute.name, "reader": judging.named(attribute),
        "all": _rates([r for r in rows if r[0]]),
        "groups": {c: _rates(some) for c, some in groups.items() if some},
        "unlabelled": sum(not r[0] for r in rows),
    }  # fmt: skip


def _rates(rows: Sequence[tuple[str, str, str | None]]) -> dict[str, Any]:
    """Images, those decided and right with Wilson limits, and the reasons of the others."""
    decided = [(t, v) for t, o, v in rows if o == "label"]
    right = sum(t == v for t, v in decided)
    reasons: dict[str, int] = {}
    for _, outcome, _ in rows:
        if outcome != "label":
            reasons[outcome] = reasons.get(outcome, 0) + 1
    return {
        "images": len(rows), "decided": len(decided), "right": right,
        "accuracy": _plain(wilson(right, len(decided))),
        "abstention": _plain(wilson(len(rows) - len(decided), len(rows))), "reasons": reasons,
    }  # fmt: skip


def _tones(shown: labelled.Labelled, progress: Progress) -> dict[str, Any]:
    """Lightness and hue of the skin (`tones.tone`), between people and within one."""
    people, values = list[str](), list[tuple[float, float]]()
    for n, (id, person) in enumerate(zip(shown.ids, shown.people, strict=True), 1):
        try:
            tone = tones.tone(shown.read(id))[1] if person else None
        except pixels.Unreadable:
            tone = None
        if tone is not None:
            people.append(person)
            values.append((tone.colour[0], tone.hue))
        progress("skin tones", n, len(shown.files))
    codes = np.unique(people, return_inverse=True)[1] if people else np.empty(0, int)
    table = np.array(values, float).reshape(-1, 2)
    found: dict[str, Any] = {"images": len(people), "people": len(set(people))}
    for name, column in zip(("lightness", "hue"), table.T, strict=True):
        spread = ranges(column, codes)
        found[name] = {
            "icc": _plain(icc(column, codes)),
            "range": round(float(np.median(spread)), 1) if len(spread) else None,
        }
    return found


def _plain(found: Interval) -> list[float | None]:
    """Estimate and limits for JSON; None where unknown."""
    numbers = (found.estimate, found.low, found.high)
    return [round(float(x), 3) if np.isfinite(x) else None for x in numbers]


def page(found: dict[str, Any]) -> str:
    """The figures as text for a terminal."""
    lines = [f"{found['images']} images"]
    for reader in found["readers"]:
        lines += ["", f"{reader['attribute']} by {reader['reader']}:"]
        for name, r in (("all", reader["all"]), *reader["groups"].items()):
            why = ", ".join(f"{n} {o}" for o, n in r["reasons"].items())
            lines.append(
                f"  {name}: {r['right']} of {r['decided']} decided are right {_said(r['accuracy'])}"
                f"; {r['images'] - r['decided']} of {r['images']} without a label"
                + (f" ({why})" if why else "")
            )
    if tone := found.get("tone"):
        lines += ["", f"Skin of the face, {tone['people']} people, {tone['images']} images:"]
        for name, unit in (("lightness", "L*"), ("hue", "degrees")):
            t = tone[name]
            lines.append(
                f"  {name}: {_said(t['icc'])} of the variance lies between people (ICC); one "
                f"person's images differ by {t['range']} {unit} (median range)"
            )
    return "\n".join(lines)


def _said(numbers: Sequence[float | None]) -> str:
    estimate, low, high = ("unknown" if x is None else f"{x:.2f}" for x in numbers)
    return f"{estimate} [{low}, {high}]"
