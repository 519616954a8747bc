"""The sections of the report, one row each, in their order.

A new section is a row of this table, a template, and its texts in `templates/en.toml`;
`docs/extending/section.md` walks through one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from audit.report import shares, talks
from audit.report.arms import overview
from audit.report.audited import audited, left_out, missing
from audit.report.bounds import Excerpt
from audit.report.cards import cards, reading
from audit.report.copies import first_pair, pairs, replication
from audit.report.effects import mitigations, strips
from audit.report.evidence import Evidence
from audit.report.next_steps import steps
from audit.report.personal import personalised
from audit.report.shares import of_section
from audit.report.thumbnails import Album

View = Callable[[Evidence, Excerpt], Mapping[str, Any]]
"""Evidence with the findings of an excerpt, and the excerpt, to what a template shows, by name."""
Images = Callable[[Evidence, Album], Mapping[str, Any]]
"""Evidence and an album, which has limited room, to the images that a template shows, by name."""


@dataclass(frozen=True)
class Section:
    """One section: what it shows, apart from its words."""

    name: str
    """Its anchor, its template `NAME.html.j2`, and the name of its heading in `en.toml`."""
    view: View = lambda evidence, excerpt: {}
    images: Images = lambda evidence, album: {}
    turn: int = 0
    """Images of sections with a lower turn are taken first, because a report has limited room."""

    @property
    def template(self) -> str:
        """The file name of its template, which has only the text below the heading."""
        return f"{self.name}.html.j2"


def _answers(evidence: Evidence, excerpt: Excerpt) -> dict[str, Any]:
    return {"cards": cards(evidence, excerpt.answers), "steps": steps(evidence),
            "reading": reading(evidence)}  # fmt: skip


def _representation(evidence: Evidence, excerpt: Excerpt) -> dict[str, Any]:
    return {
        "overall": shares.overall(evidence),
        "parts": shares.parts(evidence, excerpt.families),
        "distances": shares.distances(evidence),
        "joints": shares.joints(evidence),
        "amplified": shares.amplified(evidence),
        "templates": shares.templates(evidence),
        "tones": shares.tones(evidence),
        "how_shown": shares.how_shown(evidence),
        "rest": shares.rest(evidence),
        "talks": talks.talks(evidence),
        "wall": shares,
    }


def _mitigation(evidence: Evidence, excerpt: Excerpt) -> dict[str, Any]:
    return {
        "arms": overview(evidence),
        "personal": personalised(evidence),
        "mitigations": mitigations(evidence, excerpt.families),
    }


_TABLE = (
    Section("answers", _answers, lambda evidence, album: {"pair": first_pair(evidence, album)}),
    Section("audited", lambda evidence, _: {"audited": audited(evidence),
                                            "missing": missing(evidence),
                                            "left_out": left_out(evidence)}),
    Section("representation", _representation,
            lambda evidence, album: {"walls": shares.walls(evidence, album),
                                     "spoken": talks.strips(evidence, album)}, turn=3),
    Section("replication", lambda evidence, _: {"copies": replication(evidence)},
            lambda evidence, album: {"pairs": pairs(evidence, album)}, turn=1),
    Section("mitigation", _mitigation,
            lambda evidence, album: {"strips": strips(evidence, album)}, turn=2),
    Section("method", lambda evidence, _: {"quality": of_section(evidence, "quality")}),
    Section("glossary"),
    Section("repeat"),
)  # fmt: skip
SECTIONS: dict[str, Section] = {s.name: s for s in _TABLE}
"""The sections by name, in the order of the report."""
