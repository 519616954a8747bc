"""One verdict per arm: its gains beyond a placebo, against its costs.

An arm is judged against the baseline, on the same noise where that is known, and against its
placebo: words without content. Any effect that the placebo has too comes from the longer prompt
alone. A placebo itself is described.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.design.mitigations.in_engine import CONTROL
from audit.errors import figure, listed, say
from audit.findings.claim import Claim, Counts, finding, interval
from audit.findings.wording import change as points
from audit.findings.wording import cosine_change, percent
from audit.findings.wording import estimate as share
from audit.keys import MARGINS, TOO_FEW, Counted, Key, Margins
from audit.records import Finding, Mitigation
from audit.stats.interval import UNKNOWN, Interval

PLACEBO, NEGATIVE = "placebo", "negative"
"""Methods by name: words without content, and words that the engine is told to avoid."""
NOTHING = Interval(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Axis:
    """One quantity that an arm may make better or worse."""

    name: str
    gain: Interval
    """Fall of the distance from a target, or of the rate of copies: above 0 where the arm helps."""
    beyond: Interval
    """The gain less the placebo's gain; the gain itself where no placebo applies."""
    asked: bool = True
    """Whether there was anything to gain: a rate of copies of 0 cannot fall."""
    few: str = ""
    """Verdict of its finding where that rests on too few subjects or prompts; else empty."""
    matters: float = MARGINS.distance
    """The smallest gain that matters, as the suite declares it."""

    @property
    def helped(self) -> bool:
        """Shown to be better, and by more than under the placebo."""
        return self.gain.low > 0 and self.beyond.low > 0

    @property
    def harmed(self) -> bool:
        """Shown to be worse, and by more than under the placebo."""
        return self.gain.high < 0 and self.beyond.high < 0


@dataclass(frozen=True)
class Sides:
    """Everything known about one arm."""

    axes: tuple[Axis, ...]
    alignment: Interval = UNKNOWN
    """Change of the cosine to the original prompt: below 0 where the arm costs."""
    margin: float = math.nan
    """The smallest loss of alignment that matters."""
    placebo: str = ""


def findings(
    found: Sequence[Finding], declared: Sequence[Mitigation], margins: Margins = MARGINS
) -> list[Finding]:
    """The verdict on each declared arm with known results, in their order.

    The estimate is the net of all gains and of alignment, each in units of the smallest amount that
    matters, which the suite's `margins` declare. Verdicts as in `judge`.
    """
    by_key = {f.key: f for f in found if f.section == "mitigation"}
    made = (_one(by_key, m, placebo_of(m, declared), margins) for m in declared)
    return [f for f in made if f is not None]


def placebo_of(arm: Mitigation, declared: Sequence[Mitigation]) -> Mitigation | None:
    """The placebo of an arm: one as long as the arm or a part of it, or with the same gate.

    Arms that add no words have none, and neither have placebos.
    """
    placebos = [m for m in declared if m.method == PLACEBO and m.name != arm.name]
    speaking = [p for p in arm.each if "attribute" in p.options and p.method != NEGATIVE]
    if not speaking or any(p.method == PLACEBO for p in arm.each):
        return None
    names = {arm.name, *(p.name for p in arm.each)}
    asked = {p.options["attribute"] for p in speaking}
    as_long = [m for m in placebos if m.options.get("like") in names]
    alike = [m for m in placebos if m.options.get("attribute") in asked]
    return next(iter([*as_long, *alike]), None)


def _turned(x: Interval) -> Interval:
    return Interval(-x.estimate, -x.high, -x.low)


def _known(x: Interval) -> bool:
    return all(math.isfinite(v) for v in (x.estimate, x.low, x.high))


def _of(f: Finding | None) -> Interval:
    return UNKNOWN if f is None else interval(f)


def _sides(
    by_key: Mapping[Key, Finding], arm: str, placebo: Mitigation | None, margins: Margins
) -> Sides:
    axes = []
    for f in _gains(by_key, arm):
        gain, beyond = _turned(_of(f)), None
        distance = f.key.kind == "target-distance"
        if placebo is not None:
            other = by_key.get(f.key._replace(arm=placebo.name))
            # A placebo that was not drawn is unknown, so no gain beyond it can be shown.
            beyond = difference(gain, _turned(_of(other))) if other or distance else None
        few = f.verdict if f.verdict in TOO_FEW.values() else ""
        asked = f.references.get("before") != 0
        matters = margins.distance if distance else margins.copies
        axes.append(Axis(_axis(f), gain, beyond or gain, asked, few, matters))
    cost = by_key.get(_cost(arm))
    margin = cost.references.get("margin", math.nan) if cost else math.nan
    return Sides(tuple(axes), _of(cost), margin, placebo.name if placebo else "")


def _axis(f: Finding) -> str:
    """The quantity of a gain, in words."""
    if f.key.kind != "target-distance":
        return "the rate of copies"
    if not f.key.attribute:
        return "the mean distance from the target"
    about = f.key.attribute.replace("_", " ")
    return say("the mean distance of {attribute} from the target", attribute=about)


def _quantity(f: Finding) -> str:
    """The same without an article, before its number."""
    if f.key.kind != "target-distance":
        return "rate of copies"
    if not f.key.attribute:
        return "mean distance from the target"
    about = f.key.attribute.replace("_", " ")
    return say("mean distance of {attribute} from the target", attribute=about)


def _cost(arm: str) -> Key:
    return Key("mitigation", arm, "", "", "cost", "alignment")


def _gains(by_key: Mapping[Key, Finding], arm: str) -> list[Finding]:
    """Distances from the targets that an arm addresses, and copies of captions, or of any."""
    far = [f for k, f in by_key.items() if k.arm == arm and k.kind == "target-distance"]
    keys = [Key("mitigation", arm, "", "", "copies", k) for k in ("captions", "ordinary")]
    copies = [by_key[k] for k in keys if k in by_key]
    return [*far, *copies[:1]]


def difference(a: Interval, b: Interval) -> Interval:
    """a - b with limits recovered from both intervals (Zou & Donner 2008, Stat Med 27:1693, eq. 6).

    As if both were independent; arms that share their baseline and noise vary together, so the
    limits are wider than necessary.
    """
    if not (_known(a) and _known(b)):
        return UNKNOWN
    d = a.estimate - b.estimate
    low = math.hypot(a.estimate - a.low, b.high - b.estimate)
    high = math.hypot(a.high - a.estimate, b.estimate - b.low)
    return Interval(d, d - low, d + high)


def net(sides: Sides) -> Interval:
    """Gains and change of alignment, each in units of the smallest amount that matters, summed.

    Limits as in `difference`; unknown terms are left out; unknown if all are.
    """
    parts = [(axis.gain, axis.matters) for axis in sides.axes]
    parts += [(sides.alignment, sides.margin)] if sides.margin > 0 else []
    known = [(x, unit) for x, unit in parts if _known(x)]
    total = NOTHING
    for x, unit in known:
        part = Interval(x.estimate / unit, x.low / unit, x.high / unit)
        total = difference(total, _turned(part))
    return total if known else UNKNOWN


def judge(sides: Sides) -> tuple[str, str]:
    """A verdict and the reason for it in words.

    A gain is a distance or a rate of copies shown to fall, and by more than under the placebo. A
    harm is one shown to rise, and by more than under the placebo, or alignment shown to fall by
    what matters, which is a harm whatever the placebo costs. `works`: a gain, no harm,
    and a loss of alignment that matters ruled out. `at a cost`: a gain and a harm, with the net
    above 0. `harms`: a harm and no gain, or the net below 0. `no effect`: no harm, and any gain
    beyond the placebo that matters ruled out. `not enough subjects` or `not enough prompts`: too
    few for limits of any gain. Everything else is `undecided`.
    """
    gains = [a.name for a in sides.axes if a.helped]
    harms = [a.name for a in sides.axes if a.harmed]
    lost = sides.alignment.high < -sides.margin
    if gains and (harms or lost):
        return _weighed(sides, gains, [*harms, *["alignment"] * lost])
    if harms or lost:
        worse = _list([*harms, *["alignment"] * lost])
        return "harms", say(
            "{worse} got worse and nothing is shown to have got better", worse=worse
        )
    if gains:
        return _kept(sides, gains)
    return _nothing(sides)


def _weighed(sides: Sides, gains: Sequence[str], harms: Sequence[str]) -> tuple[str, str]:
    total, words = (
        net(sides),
        say("{gains} got better and {harms} worse", gains=_list(gains), harms=_list(harms)),
    )
    if total.low > 0:
        return "at a cost", say("{words}, and the gain outweighs the loss", words=words)
    if total.high < 0:
        return "harms", say("{words}, and the loss outweighs the gain", words=words)
    return "undecided", say("{words}, and which weighs more is not shown", words=words)


def _kept(sides: Sides, gains: Sequence[str]) -> tuple[str, str]:
    words = say("{gains} got better", gains=_list(gains))
    if not (_known(sides.alignment) and sides.margin > 0):
        return "undecided", say(
            "{words}, but what that costs in alignment is not known", words=words
        )
    if sides.alignment.low > -sides.margin:
        return "works", say(
            "{words}, and a loss of alignment that matters is ruled out", words=words
        )
    return "undecided", say(
        "{words}, but a loss of alignment that matters is not ruled out", words=words
    )


def _nothing(sides: Sides) -> tuple[str, str]:
    if not any(_known(a.gain) for a in sides.axes):
        few = next((a for a in sides.axes if a.few), None)
        if few is not None:
            return few.few, say("there are too few for a verdict on {name}", name=few.name)
        return "undecided", "neither a distance nor copies could be measured"
    than = say(" beyond the placebo {placebo}", placebo=sides.placebo) if sides.placebo else ""
    asked = [a for a in sides.axes if a.asked]
    open_ = [a.name for a in asked if not (_known(a.beyond) and a.beyond.high < a.matters)]
    if not open_:
        return "no effect", say("a gain that matters{than} is ruled out", than=than)
    for words, moved in (("better", [a.name for a in sides.axes if a.gain.low > 0]),
                         ("worse", [a.name for a in sides.axes if a.gain.high < 0])):  # fmt: skip
        if moved:
            return "undecided", say(
                "{moved} got {words}, but is not shown to{than}",
                moved=_list(moved),
                words=words,
                than=than,
            )
    return "undecided", say(
        "whether {gains} got better by what matters is not shown", gains=_list(open_)
    )


def _list(names: Sequence[str]) -> str:
    return listed(names, " and ")


def _one(
    by_key: Mapping[Key, Finding], arm: Mitigation, placebo: Mitigation | None, margins: Margins
) -> Finding | None:
    gains = _gains(by_key, arm.name)
    if not gains:
        return None
    sides = _sides(by_key, arm.name, placebo, margins)
    (verdict, why), main = _described(arm) or judge(sides), gains[-1]
    numbers = listed(_numbers(by_key, arm.name, gains), "; ")
    unit = _unit(by_key, arm.name, main)
    claim = Claim(
        Key("mitigation", arm.name, "", "", "verdict"),
        "coefficient of net benefit, in smallest amounts that matter", say(
            "arm {name}",
            name=arm.name
        ),
        "coefficient", unit,
        say("{weights}; square-and-add limits", weights=_weights(margins)),
    )  # fmt: skip
    return finding(
        claim, net(sides), Counts(main.n, main.n_effective, main.missing), verdict=verdict,
        sentence=say(
            "{name}: {why} ({numbers}; n = {n} {unit}).",
            name=arm.name, why=why, numbers=numbers, n=main.n, unit=unit
        ),
    )  # fmt: skip


def _weights(margins: Margins) -> str:
    """What counts as much as what, as the suite declares it."""
    return say(
        "{distance} points of distance, {copies} points of copies and {alignment} of "
        "alignment count alike, summed",
        distance=figure(f"{100 * margins.distance:.10g}"),
        copies=figure(f"{100 * margins.copies:.10g}"),
        alignment=percent(margins.alignment),
    )


def _unit(by_key: Mapping[Key, Finding], arm: str, main: Finding) -> Counted:
    """What the counts of the main gain are: pairs, unless images were compared as groups."""
    changes = [f for k, f in by_key.items() if k.arm == arm and k.kind == "change"]
    units = {f.counted for f in changes} if main.counted == "subjects" else {main.counted}
    return "pairs" if units <= {"pairs"} else "images"


def _described(arm: Mitigation) -> tuple[str, str] | None:
    """Verdict and words for arms that are not judged themselves; None for other arms."""
    methods = {p.method for p in arm.each}
    if PLACEBO in methods:
        return "described", "words that say nothing, which other arms are compared with"
    if methods == {CONTROL}:
        return "described", "a given composition, which mitigates nothing"
    return None


def _numbers(by_key: Mapping[Key, Finding], arm: str, gains: Sequence[Finding]) -> list[str]:
    """The numbers behind the verdict, in the words of their findings."""
    parts: list[str] = [
        say(
            "{axis} {points}",
            axis=_quantity(f),
            points=points(f.estimate, f.low, f.high),
        )
        for f in gains
    ]
    removed = by_key.get(Key("mitigation", arm, "", "", "removed", "captions"))
    cost = by_key.get(_cost(arm))
    if removed is not None:
        parts.append(
            say("copies removed {share}", share=share(removed.estimate, removed.low, removed.high))
        )
    if cost is not None and math.isfinite(cost.estimate):
        parts.append(
            say("alignment {size}", size=cosine_change(cost.estimate, cost.low, cost.high))
        )
    return parts
