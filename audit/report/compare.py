"""Report of a comparison: one HTML file, no requests, the same bytes for the same findings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audit.findings.wording import share_phrase
from audit.keys import BASELINE, Key
from audit.records import Finding
from audit.report import bounds, charts, language, told, wording
from audit.report.bounds import CHART, Excerpt, embedded, ends, excerpts
from audit.report.cards import change
from audit.report.page import Anchors, environment, frame


@dataclass(frozen=True)
class Pair:
    """Contents of a report on two runs; it computes no estimates."""

    names: tuple[str, str]
    """The models of A and B."""
    runs: tuple[Mapping[str, Any], Mapping[str, Any]]
    """Settings and suite of each."""
    findings: Sequence[Finding]
    notes: Sequence[str]
    margin: float


def page(pair: Pair) -> str:
    """The whole comparison as HTML text; for a large one an excerpt that says so."""
    everything, pair = pair.findings, replace(pair, findings=told.findings(pair.findings))
    spoken = answers(pair.findings)
    for excerpt in excerpts(pair.findings, spoken):
        if excerpt.cost > bounds.WORDS:
            continue
        view = _view(pair, excerpt, spoken)
        bare = _rendered(view, "[]", 0)
        room = bounds.LIMIT - len(bare.encode("utf-8", "replace"))
        if room >= bounds.PICTURES:  # here for the JSON
            break
    return _rendered(view, *embedded(replace(excerpt, everything=everything), room))


def _view(pair: Pair, excerpt: Excerpt, spoken: Sequence[Finding]) -> dict[str, Any]:
    return dict(
        **frame(), w=wording, t=wording.text, pair=pair,
        settings=settings(pair), cards=[change(f) for f in spoken], excerpt=excerpt,
        parts=parts(excerpt.findings, excerpt.families),
        rest=[f for f in excerpt.findings if not _share(f)],
    )  # fmt: skip


def _rendered(view: dict[str, Any], data: str, written: int) -> str:
    page = environment().get_template("compare.html.j2")
    return language.marked(page.render(**view, data=data, written=written, anchor=Anchors()))


def _share(f: Finding) -> bool:
    """Whether a finding is about an attribute's class."""
    return f.key.kind == "share"


def _whole(f: Finding) -> bool:
    return _share(f) and f.key.everyone


def answers(findings: Sequence[Finding]) -> list[Finding]:
    """At most eight findings by a fixed rule that does not depend on their estimates."""
    whole = [f for f in findings if _whole(f)]
    rest = [f for f in findings if not _share(f)]
    single = [f for f in findings if _share(f) and f not in whole]
    return [*whole[:4], *rest[:4], *([] if whole else single[:2])]


def settings(pair: Pair) -> list[tuple[str, str, str]]:
    """Differences and agreements between the two runs' settings, a row each."""
    keys = dict.fromkeys([*pair.runs[0], *pair.runs[1]])
    rows = [(k, *(_said(r.get(k, "")) for r in pair.runs)) for k in keys]
    return [(k, a, b) for k, a, b in rows if a or b]


def _said(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def parts(findings: Sequence[Finding], sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """Per arm, attribute and class: the total, then the subjects with a chart.

    `sizes` is the number of comparisons in each family.
    """
    groups: dict[Key, list[Finding]] = {}
    for f in findings:
        if _share(f):
            groups.setdefault(f.key._replace(subject=""), []).append(f)
    out = []
    for i, (key, rows) in enumerate(groups.items()):
        single = [f for f in rows if not _whole(f)]
        out.append(
            {
                "arm": key.arm, "attribute": wording.shown(key.attribute),
                "value": wording.named(key.detail),
                "rows": rows,
                "chart": _chart(f"changes-{i}", single), "quantity": rows[0].quantity,
                "comparisons": sum(sizes.get(f, 0) for f in {f.family for f in single}),
                "charted": sum(math.isfinite(f.estimate) for f in single),
            }
        )  # fmt: skip
    return out


def _chart(name: str, found: Sequence[Finding]) -> str:
    rows = [
        charts.Row(f.where, f.estimate, f.low, f.high, references=f.references)
        for f in ends([f for f in found if math.isfinite(f.estimate)], CHART)
    ]
    if not rows:
        return ""
    title = language.name(share_phrase(found[0].key.detail))
    return charts.changes(name, title, rows, ("chart.first", "chart.second"))


@dataclass(frozen=True)
class Other:
    """One of the runs that are compared with the first."""

    letter: str
    model: str


@dataclass(frozen=True)
class Several:
    """Contents of a report on several runs, each compared with the first."""

    first: str
    """The model of A."""
    others: Sequence[Other]
    runs: Sequence[Mapping[str, Any]]
    """Settings and suite of each, that of A first."""
    findings: Sequence[Finding]
    letters: Mapping[str, str]
    """Id of a finding to the letter of its run."""
    notes: Sequence[str]
    margin: float


def several_page(them: Several) -> str:
    """The whole comparison as HTML text; for a large one an excerpt that says so."""
    everything, them = them.findings, replace(them, findings=told.findings(them.findings))
    spoken = {o.letter: answers([f for f in them.findings if them.letters[f.id] == o.letter])[:6]
              for o in them.others}  # fmt: skip
    every = [f for found in spoken.values() for f in found]
    for excerpt in excerpts(them.findings, every):
        if excerpt.cost > bounds.WORDS:
            continue
        view = dict(
            **frame(), w=wording, t=wording.text, them=them, excerpt=excerpt,
            settings=table(them.runs), tables=tables(excerpt.findings, them),
            cards={k: [change(f) for f in found] for k, found in spoken.items()},
        )  # fmt: skip
        page = environment().get_template("compare_several.html.j2")
        bare = page.render(**view, data="[]", written=0, anchor=Anchors())
        room = bounds.LIMIT - len(bare.encode("utf-8", "replace"))
        if room >= bounds.PICTURES:
            break
    data, written = embedded(replace(excerpt, everything=everything), room)
    return language.marked(page.render(**view, data=data, written=written, anchor=Anchors()))


def table(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str], bool]]:
    """Settings of the runs: name, a value for each, and whether all have the same."""
    keys = dict.fromkeys(k for r in runs for k in r)
    rows = [(k, [_said(r.get(k, "")) for r in runs]) for k in keys]
    return [(k, cells, len({*cells}) == 1) for k, cells in rows if any(cells)]


def _about(f: Finding) -> tuple[str, str]:
    """Attribute and class of a share; nothing for other changes."""
    return (wording.shown(f.key.attribute), wording.named(f.key.detail)) if _share(f) else ("", "")


def tables(findings: Sequence[Finding], them: Several) -> list[dict[str, Any]]:
    """A table per attribute and class, and one of the rest: rows with a finding for each run."""
    groups: dict[tuple[str, str], dict[str, dict[str, Finding]]] = {}
    for f in findings:
        group = _about(f)
        row = f.where if _share(f) else f"{wording.label(f)}"
        arm = f.arm.removesuffix(f", {them.letters[f.id]}")
        name = row if arm == BASELINE else f"{row}, {wording.arm(arm)}"
        groups.setdefault(group, {}).setdefault(name, {})[them.letters[f.id]] = f
    return [
        {"attribute": attribute, "value": value, "share": bool(attribute),
         "rows": [(name, [cells.get(o.letter) for o in them.others])
                  for name, cells in rows.items()]}
        for (attribute, value), rows in groups.items()
    ]  # fmt: skip
