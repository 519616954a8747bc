"""Assemble the report: one HTML file, no requests, the same bytes for the same evidence."""

from __future__ import annotations

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audit.keys import BASELINE, OUTCOMES
from audit.records import Finding
from audit.report import bounds, shares, wording
from audit.report.arms import overview
from audit.report.bounds import Excerpt, embedded, excerpts
from audit.report.copies import pairs, replication
from audit.report.effects import mitigations, strips
from audit.report.evidence import Evidence
from audit.report.shares import of_section
from audit.report.thumbnails import Album

TEMPLATES = Path(__file__).parent / "templates"
MISSING_ROWS = 20
PICTURES = ("all", "blur", "none")
"""Images are shown as they are, blurred until clicked, or left out."""


def page(evidence: Evidence, pictures: str = "all") -> str:
    """The whole report as HTML text; any fact may be absent, any section empty.

    `pictures` is one of PICTURES. For a large run the report is an excerpt that says so.
    """
    spoken, least = answers(evidence), 0 if pictures == "none" else bounds.PICTURES
    for excerpt in excerpts(evidence.findings, spoken):
        if excerpt.cost > bounds.WORDS:
            continue
        part = replace(evidence, findings=excerpt.findings)
        view = _view(part, excerpt, spoken, pictures)
        bare = _rendered(view, part, Album(0, off=pictures == "none"))
        room = bounds.LIMIT - len(bare.encode("utf-8", "replace"))
        if room >= least:
            break
    data, written = embedded(excerpt, room - least)
    album = Album(room - len(data.encode()), off=pictures == "none")
    return _rendered(view | {"data": data, "written": written}, part, album)


def _view(
    evidence: Evidence, excerpt: Excerpt, spoken: Sequence[Finding], pictures: str
) -> dict[str, Any]:
    """Everything that the template shows, except images."""
    style = (TEMPLATES / "style.css").read_text("utf-8").strip()
    return dict(
        style=style, style_hash=style_hash(style), data="[]", written=0, suite=evidence.suite,
        settings=evidence.settings, facts=evidence.facts, w=wording, t=wording.text,
        sections=SECTIONS, answers=spoken, audited=audited(evidence),
        overall=shares.overall(evidence), parts=shares.parts(evidence, excerpt.families),
        distances=shares.distances(evidence), joints=shares.joints(evidence),
        amplified=shares.amplified(evidence), templates=shares.templates(evidence), wall=shares,
        copies=replication(evidence), arms=overview(evidence),
        mitigations=mitigations(evidence, excerpt.families), missing=missing(evidence),
        quality=of_section(evidence, "quality"), excerpt=excerpt, blur=pictures == "blur",
    )  # fmt: skip


def _rendered(view: dict[str, Any], evidence: Evidence, album: Album) -> str:
    # Evidence of copying takes its images first; walls come last.
    copied = pairs(evidence, album)
    same_noise = strips(evidence, album)
    return environment().get_template("page.html.j2").render(
        **view, pairs=copied, strips=same_noise, walls=shares.walls(evidence, album), left=album,
        off=album.off,
    )  # fmt: skip


SECTIONS = (
    "answers", "audited", "representation", "replication", "mitigation", "missing", "method",
    "repeat",
)  # fmt: skip


@cache
def environment() -> Environment:
    """Templates with their filters: escaped, and strict about undefined names."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {"blur": False, "off": False}
    environment.filters |= {
        "percent": wording.percent,
        "distance": wording.distance,
        "count": wording.count,
        "number": wording.number,
        "q": wording.p_value,
        "clip": wording.clip,
        "cap": lambda words: str(words)[:1].upper() + str(words)[1:],
        "known": lambda x: math.isfinite(wording.as_number(x)),
    }
    return environment


def style_hash(style: str) -> str:
    """The Content-Security-Policy source that allows exactly this `<style>`."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


ANSWERS: tuple[tuple[Callable[[Finding], bool], slice], ...] = (
    (lambda f: _of_model(f) and f.unit == "share" and not f.key.everyone, slice(1)),
    (lambda f: _of_model(f) and f.unit == "distance" and f.key.everyone, slice(2)),
    (lambda f: _of_model(f) and f.unit == "points" and f.key.everyone, slice(1)),
    (lambda f: _copying(f) and f.key.attribute == "repeats", slice(-1, None)),
    (lambda f: _copying(f) and f.key.attribute != "repeats", slice(1)),
    (lambda f: f.section == "mitigation" and not _cost(f), slice(1)),
    (lambda f: _cost(f) and math.isfinite(f.estimate), slice(1)),
)  # fmt: skip
"""The answers: these of the matching findings, in their order."""


def _of_model(f: Finding) -> bool:
    return f.section == "representation" and f.arm == BASELINE


def _cost(f: Finding) -> bool:
    return f.section == "mitigation" and f.key.kind == "cost"


def _copying(f: Finding) -> bool:
    return f.section == "replication" and f.arm == BASELINE and f.key.kind in ("rate", "count")


def answers(evidence: Evidence) -> list[Finding]:
    """Three to seven findings by a fixed rule that does not depend on their estimates."""
    spoken = [f for f in evidence.findings if f.sentence]
    rated = any(f.key.kind == "rate" and _copying(f) for f in spoken)
    heard = [f for f in spoken if not (rated and f.key.kind == "count")]
    fitting = [[f for f in heard if fits(f)] for fits, _ in ANSWERS]
    chosen = [f for found, (_, these) in zip(fitting, ANSWERS, strict=True) for f in found[these]]
    first = [*fitting[0], *filter(_copying, heard)]
    effects = [f for f in spoken if f.section == "mitigation"]
    more = (f for f in [*first, *effects, *spoken] if f not in chosen)
    while len(chosen) < 3 and (extra := next(more, None)) is not None:
        chosen.append(extra)
    return list({f.id: f for f in chosen}.values())[:7]


def audited(evidence: Evidence) -> dict[str, Any]:
    """The size of the audit, and how many labels are missing for which reason."""
    suite = evidence.suite
    prompts = {
        purpose: sum(p.purpose == purpose for p in suite.prompts)
        for purpose in dict.fromkeys(p.purpose for p in suite.prompts)
    }
    names = [wording.arm(m.name) for m in suite.mitigations]
    arms = wording.text("audited.arm")
    if names:
        both = ", ".join([wording.arm(BASELINE), *names])
        arms = wording.text("audited.arms", n=1 + len(names), names=both)
    return {"prompts": prompts, "images": len(evidence.samples), "arms": arms,
            "missing": _reasons(_gone(evidence))}  # fmt: skip


def _gone(evidence: Evidence) -> pd.DataFrame:
    """Readings without a label, one row per sample, attribute and prompt."""
    table = evidence.attributes
    asked = table[table.attribute != evidence.suite.subject_attribute] if len(table) else table
    return asked[asked.outcome != "label"] if len(asked) else asked


def _reasons(rows: pd.DataFrame) -> dict[str, int]:
    counts = Counter(map(str, rows.outcome)) if len(rows) else Counter()
    return {o: counts[o] for o in (*OUTCOMES, *sorted(set(counts) - set(OUTCOMES))) if counts[o]}


def missing(evidence: Evidence) -> dict[str, Any]:
    """Readings without a label by prompt, arm and reason, most first, capped; number hidden."""
    table = evidence.attributes
    hidden = evidence.suite.subject_attribute
    asked = int((table.attribute != hidden).sum()) if len(table) else 0
    gone = _gone(evidence)
    texts = {p.id: p.text for p in evidence.suite.prompts}
    rows, rest = [], list[int]()
    if len(gone):
        keys = ["prompt", "arm"]
        sizes = gone.groupby(keys, sort=True).size().sort_values(ascending=False, kind="stable")
        most = dict(sizes.head(MISSING_ROWS).items())
        by_key = gone.groupby(keys, sort=True)
        for (prompt, arm), size in most.items():
            reasons = _reasons(by_key.get_group((prompt, arm)))
            label = texts.get(str(prompt), str(prompt))
            rows.append({"prompt": label, "arm": arm, "reasons": reasons, "all": int(size)})
        rest = [int(n) for n in sizes.iloc[MISSING_ROWS:]]
    return {"asked": asked, "gone": len(gone), "reasons": _reasons(gone), "rows": rows,
            "left": len(rest), "most": max(rest, default=0)}  # fmt: skip
