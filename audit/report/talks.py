"""Conversations: their claims by form, and a few of them turn by turn as images."""

from __future__ import annotations

from typing import Any

import numpy as np

from audit.records import Finding, Prompt
from audit.report import language, wording
from audit.report.evidence import Evidence
from audit.report.shares import labels, of_section
from audit.report.thumbnails import Album

STRIPS, SIDE = 3, 128
"""Conversations of a form that are shown, and the longest side of their images in pixels."""


def talks(evidence: Evidence) -> list[tuple[str, list[Finding]]]:
    """The claims of each form of conversation, in their order."""
    found: dict[str, list[Finding]] = {}
    for f in of_section(evidence, "conversation"):
        found.setdefault(f.key.subject, []).append(f)
    return list(found.items())


def strips(evidence: Evidence, album: Album) -> dict[str, list[list[dict[str, Any]]]]:
    """By form a random draw of conversations that state nothing, an image for each turn."""
    forms: dict[str, dict[str, list[Prompt]]] = {}
    for p in evidence.suite.prompts:
        if p.turn is not None and len(p.turn.stated) < 2:
            forms.setdefault(p.block, {}).setdefault(p.subject, []).append(p)
    if album.off or not forms:
        return {}
    made, most = {}, len(evidence.samples)  # whatever page.json says
    for form, subjects in forms.items():
        every = [(ps, i) for ps in subjects.values() for i in range(min(ps[0].seeds, most))]
        rng = np.random.default_rng(evidence.facts.wall_seed)
        picks = sorted(rng.permutation(len(every))[:STRIPS])
        made[form] = [_strip(evidence, album, *every[i]) for i in picks]
    return made


def _strip(
    evidence: Evidence, album: Album, prompts: list[Prompt], chain: int
) -> list[dict[str, Any]]:
    """One conversation: the image of each turn, with what was asked and what was read."""
    table = evidence.attributes
    cells = []
    for p in prompts:
        rows = table[table.prompt == p.id]
        ids = list(dict.fromkeys(rows["sample"]))
        if chain >= len(ids) or p.turn is None:
            continue
        words = labels(rows[rows["sample"] == ids[chain]], evidence.suite.subject_attribute)
        sample = evidence.samples.get(ids[chain])
        cells.append({
            "src": album.small(evidence.image, ids[chain], SIDE),
            "turn": wording.text("talks.turn", n=p.turn.number, kind=language.name(p.turn.kind)),
            "text": sample.text if sample else p.text,
            "label": words.get((ids[chain], p.id), ""),
        })  # fmt: skip
    return cells
