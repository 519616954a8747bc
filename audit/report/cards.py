"""The cards of the first screen: one finding each, in a figure, a sentence and a small scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from audit.findings.wording import cap
from audit.keys import ALL, BASELINE, Key
from audit.records import Finding
from audit.report import verdicts, wording
from audit.report.evidence import Evidence
from audit.report.scale import Ends, Mark, scale

SHARES = Ends(0.0, 1.0, ("0", "100\N{NO-BREAK SPACE}%"))


@dataclass(frozen=True)
class Card:
    """One finding of the first screen."""

    finding: Finding
    title: str
    figure: str
    says: str
    scale: str
    """An `<svg>`, or nothing where there are no numbers."""
    limits: str = ""
    """Next to the figure, where the sentence does not say them."""


def cards(evidence: Evidence, chosen: Sequence[Finding]) -> list[Card]:
    """A card for each chosen finding, in their order."""
    return [_card(f, evidence) for f in chosen]


def _card(f: Finding, evidence: Evidence) -> Card:
    if f.key.kind == "gap":
        return _gap(f, evidence)
    if f.section == "replication" and f.key.kind == "rate":
        return _copies(f)
    if f.section == "mitigation" and f.key.kind == "verdict":
        return _arm(f, evidence)
    if f.key.kind == "resembles":
        return _resembles(f)
    if f.key.kind == "shown":
        return _shown(f, evidence)
    if f.unit == "share":
        return _share(f, evidence)
    return Card(f, wording.label(f), figure(f), wording.sentence(f), _plain(f))


def figure(f: Finding) -> str:
    """The estimate with its unit."""
    value = wording.estimate(f)
    if f.unit in ("points", "distance") and math.isfinite(f.estimate):
        return wording.text("card.points", n=value)
    return value


def _said(f: Finding, more: str = "") -> str:
    """Text alternative of a scale."""
    return wording.text("card.scale", value=figure(f), span=wording.span(f), more=more)


def _share(f: Finding, evidence: Evidence) -> Card:
    name = wording.primary(f)
    known = name in f.references
    marks = [Mark(f.references[name], wording.reference(name))] if known else []
    says = cap(wording.text("card.share", about=wording.about(f)))
    if known:
        shown = wording.tens(f.references[name])
        said = wording.text("card.share.against", name=wording.reference(name), share=shown)
        says += " " + cap(said)
    if verdicts.doubtful(f):
        among = sum(g.family == f.family for g in evidence.findings)
        says += " " + wording.text("card.share.doubtful", n=wording.count(among))
    drawn = scale((f.estimate, f.low, f.high), SHARES, marks, _said(f))
    return Card(f, wording.label(f), figure(f), says, drawn)


def _gap(f: Finding, evidence: Evidence) -> Card:
    """The mean distance over all subjects, next to that of a faithful model."""
    name = f.key.detail or against(evidence, f.key.attribute)
    rows = [g for g in evidence.findings if g.key.kind == "share" and g.arm == BASELINE
            and g.key.attribute == f.key.attribute]  # fmt: skip
    apart = sum(verdicts.name(g) in ("higher", "lower") for g in rows if g.against == name)
    said = wording.text("card.gap", name=wording.reference(name), floor=wording.distance(f.floor),
                        most=wording.distance(f.floor_high))  # fmt: skip
    if apart:
        said += " " + wording.text("card.gap.some", n=apart, all=len(rows))
    elif verdicts.name(f) == "different":
        said += " " + wording.text("card.gap.together", all=len(rows))
    most = max(x for x in (f.high, f.floor_high, f.estimate, 0.2) if math.isfinite(x))
    high = math.ceil(10 * most) / 10
    ends = Ends(0.0, high, ("0", f"{100 * high:.0f}"))
    chance = wording.text("card.chance", most=f"{100 * f.floor_high:.0f}")
    marks = [Mark(0.0, chance, f.floor_high)]
    drawn = scale((f.estimate, f.low, f.high), ends, marks, _said(f, said))
    about = wording.text("card.gap.title", attribute=wording.shown(f.key.attribute),
                         where=wording.clip(f.where, 60))  # fmt: skip
    return Card(f, cap(about), figure(f), said, drawn, _limits(f))


def _resembles(f: Finding) -> Card:
    """Whom images of prompts that state no group are nearer to, next to one half."""
    says = wording.text("card.resembles")
    marks = [Mark(0.5, wording.text("card.half"))]
    drawn = scale((f.estimate, f.low, f.high), SHARES, marks, _said(f, says))
    return Card(f, wording.label(f), figure(f), says, drawn, _limits(f))


def _shown(f: Finding, evidence: Evidence) -> Card:
    """How many differences between stated groups hold, of all that were compared."""
    family = [g for g in evidence.findings if g.family == f.family]
    held = [g for g in family if verdicts.name(g) in ("higher", "lower")]
    says = wording.text("card.shown", all=len(family))
    if held:
        says += " " + wording.sentence(held[0])
    about = wording.text("card.shown.title", attribute=wording.shown(f.key.attribute))
    return Card(held[0] if held else f, about,
                wording.text("card.shown.of", n=len(held), all=len(family)), says, "")  # fmt: skip


def against(evidence: Evidence, attribute: str) -> str:
    """Name of the reference that the verdicts on an attribute's shares are about, or nothing."""
    shares = (f for f in evidence.findings if f.key.kind == "share"
              and f.key.attribute == attribute and f.arm == BASELINE and f.against)  # fmt: skip
    return next((f.against for f in shares), "")


def _copies(f: Finding) -> Card:
    level = f.key.attribute == "repeats"
    name = wording.repeats(int(f.key.detail)) if level else ""
    about = wording.text("card.captions", times=name) if level else wording.text("card.ordinary")
    says = cap(wording.text("card.copies", about=wording.about(f)))
    if still := f.references.get("open", 0.0):
        says += " " + wording.text("card.copies.open", n=wording.count(still))
    drawn = scale((f.estimate, f.low, f.high), SHARES, [], _said(f))
    return Card(f, about, figure(f), says, drawn)


def _arm(f: Finding, evidence: Evidence) -> Card:
    """What an arm gains and costs, under the verdict on it."""
    by_key = {g.key: g for g in evidence.findings if g.arm == f.arm}
    gain = by_key.get(Key("mitigation", f.arm, ALL, "", "target-distance"))
    copies = next(
        (
            by_key[k]
            for group in ("captions", "ordinary")
            if (k := Key("mitigation", f.arm, "", "", "copies", group)) in by_key
        ),
        None,
    )
    cost = by_key.get(Key("mitigation", f.arm, "", "", "cost", "alignment"))
    main = gain or copies
    if main is None or not math.isfinite(main.estimate):
        return Card(f, wording.arm(f.arm), "", wording.sentence(f), "")
    sides = [100 * main.references.get(k, math.nan) for k in ("before", "after")]
    before, after = (wording.count(x) for x in sides)
    key = "card.arm.distance" if main is gain else "card.arm.copies"
    says = wording.text(key, before=before, after=after)
    if cost is not None:
        says += " " + wording.text(
            "card.arm.cost",
            verdict=wording.inside(wording.short_verdict(cost)),
            value=wording.estimate(cost),
            span=wording.span(cost),
        )
    return Card(f, wording.text("card.arm", name=wording.arm(f.arm)), figure(main), says,
                _plain(main), _limits(main))  # fmt: skip


def _limits(f: Finding) -> str:
    """The limits in brackets; nothing where they are not known."""
    return wording.span(f) if math.isfinite(f.low) and math.isfinite(f.high) else ""


def reading(evidence: Evidence) -> list[str]:
    """How often the classifier reads each attribute rightly, where that was measured."""
    found = [f for f in evidence.findings if f.key.kind == "classifier"]
    hidden = evidence.suite.subject_attribute
    return [
        wording.text("answers.reading.of", attribute=wording.shown(f.key.attribute),
                     value=wording.estimate(f), span=wording.span(f), n=wording.count(f.n))
        for f in found if f.key.attribute != hidden and math.isfinite(f.estimate)
    ]  # fmt: skip


def _plain(f: Finding) -> str:
    """A change on a scale around none; nothing for other numbers."""
    if f.unit != "points" or not math.isfinite(f.estimate):
        return ""
    reach = max(abs(x) for x in (f.estimate, f.low, f.high, 0.2) if math.isfinite(x))
    reach = math.ceil(10 * reach) / 10
    ends = Ends(-reach, reach, (wording.points(-reach), wording.points(reach)))
    marks = [Mark(0.0, wording.text("card.none"))]
    return scale((f.estimate, f.low, f.high), ends, marks, _said(f))


def change(f: Finding) -> Card:
    """The card of a change, on a scale around none."""
    return Card(f, wording.label(f), figure(f), wording.sentence(f), _plain(f))
