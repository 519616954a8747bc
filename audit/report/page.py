"""Assemble the report: one HTML file, no requests, the same bytes for the same evidence."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from audit.keys import digest
from audit.report import bounds, language, told, wording
from audit.report.answers import answers
from audit.report.audited import head
from audit.report.bounds import Excerpt, element, embedded, excerpts
from audit.report.evidence import Evidence
from audit.report.sections import SECTIONS
from audit.report.thumbnails import Album

TEMPLATES = Path(__file__).parent / "templates"
PICTURES = ("all", "blur", "none")
"""Images are shown as they are, blurred until clicked, or left out."""


def page(evidence: Evidence, pictures: str = "all") -> str:
    """The whole report as HTML text; any fact may be absent, any section empty.

    `pictures` is one of PICTURES. For a large run the report is an excerpt that says so.
    """
    everything, evidence = evidence.findings, told.evidence(evidence)
    spoken, least = answers(evidence), 0 if pictures == "none" else bounds.PICTURES
    for excerpt in excerpts(evidence.findings, spoken):
        if excerpt.cost > bounds.WORDS:
            continue
        part = replace(evidence, findings=excerpt.findings)
        common, views = _view(part, excerpt, pictures)
        bare = _rendered(common, views, part, Album(0, off=pictures == "none"))
        room = bounds.LIMIT - len(bare.encode("utf-8", "replace"))
        if room >= least:
            break
    data, written = embedded(replace(excerpt, everything=everything), room - least)
    album = Album(room - len(data.encode()), off=pictures == "none")
    made = {**common, "data": data, "written": written}
    return language.marked(_rendered(made, views, part, album))


def _view(
    evidence: Evidence, excerpt: Excerpt, pictures: str
) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
    """What every template may show, and what each section shows, both without images."""
    common = dict(
        **frame(), data="[]", written=0, suite=evidence.suite,
        settings=evidence.settings, facts=evidence.facts, w=wording, t=wording.text,
        excerpt=excerpt, blur=pictures == "blur", head=head(evidence),
        made=made(evidence),
    )  # fmt: skip
    return common, {s.name: s.view(evidence, excerpt) for s in SECTIONS.values()}


def made(evidence: Evidence) -> str:
    """Tool, version and date, for citations."""
    version = evidence.facts.versions.get("t2i-audit", "")
    words = [wording.clip(f"t2i-audit {version}", 60), wording.date(evidence.written)]
    return ", ".join(w for w in words if w)


def _rendered(
    common: dict[str, Any], views: Mapping[str, Mapping[str, Any]], evidence: Evidence, album: Album
) -> str:
    made, common = environment(), {**common, "off": album.off, "anchor": Anchors()}
    images = {}
    for section in sorted(SECTIONS.values(), key=lambda s: s.turn):
        images[section.name] = section.images(evidence, album)
    bodies = {
        s.name: made.get_template(s.template).render(**common, **views[s.name], **images[s.name])
        for s in SECTIONS.values()
    }
    return made.get_template("page.html.j2").render(**common, sections=bodies, left=album)


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


SPOKEN = (
    "sort", "reference", "filter", "rows", "every", "dialog", "close", "difference", "next",
    "previous", "enlarge", "cite", "cite.word", "citation", "copy", "copied", "link",
)  # fmt: skip
"""Texts of page.js, `script.NAME` in the file of texts."""


OTHER_SHEETS = ((), ("other.css",))
"""What a page in another language than English has in addition."""
COMMA = ('replace(/\\u2212/g, "-")', 'replace(/\\u2212/g, "-").replace(/(\\d),(?=\\d)/g, "$1.")')
"""Part of page.js that reads numbers, and the same for decimal commas."""


def frame() -> dict[str, Any]:
    """What every page has inside: its style and its script, each with the hash that allows it.

    `words` are the script's texts.
    """
    spoken = language.now()
    sheets = ("style.css", "script.css", *OTHER_SHEETS[spoken.code != language.ENGLISH])
    style = "".join((TEMPLATES / name).read_text("utf-8") for name in sheets)
    script = (TEMPLATES / "page.js").read_text("utf-8")
    if spoken.code != language.ENGLISH:
        script = script.replace(*COMMA)
    words = element({name: wording.text(f"script.{name}") for name in SPOKEN})
    return {"style": style, "script": script, "words": words, "words_of": spoken,
            "policy": policy(style, script)}  # fmt: skip


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy of a page: this style, this script, images inside it, no more.

    No text becomes markup or script, where the browser knows trusted types.
    """
    parts = ("default-src 'none'", "img-src data:", f"style-src 'sha256-{_hash(style)}'",
             f"script-src 'sha256-{_hash(script)}'", "base-uri 'none'", "form-action 'none'",
             "require-trusted-types-for 'script'", "trusted-types 'none'")  # fmt: skip
    return "; ".join(parts)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Anchors:
    """Attributes of the elements of a page that show a finding; the first can be linked to."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def __call__(self, id: str) -> Markup:
        """`data-finding`, and `id` where it is the first of this finding on the page."""
        shown, name = wording.clip(id, 200), f"f-{digest(id, 10)}"
        if name in self._known:
            return Markup('data-finding="{}" data-anchor="{}"').format(shown, name)
        self._known.add(name)
        return Markup('id="{}" data-finding="{}"').format(name, shown)
