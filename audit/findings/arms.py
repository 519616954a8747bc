"""One verdict per mitigation, from what it buys and what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.findings.wording import change as points
from audit.findings.wording import cosine_change, interval, percent
from audit.records import Finding, Mitigation


@dataclass(frozen=True)
class _Sides:
    """What is known of one arm."""

    distance: Finding | None
    removed: Finding | None
    copies: Finding | None
    alignment: Finding | None

    @property
    def gains(self) -> bool:
        """Whether something got better, beyond chance."""
        nearer = self.distance is not None and self.distance.verdict == "below"
        fewer = self.removed is not None and self.removed.low > 0
        return nearer or fewer

    @property
    def harms(self) -> bool:
        """Whether something got worse, beyond chance."""
        further = self.distance is not None and self.distance.verdict == "above"
        return further or (self.copies is not None and self.copies.verdict == "above")

    @property
    def nothing(self) -> bool:
        """Whether an effect that matters is excluded."""
        return self.distance is not None and self.distance.verdict == "equivalent"


def findings(found: Sequence[Finding], declared: Sequence[Mitigation]) -> list[Finding]:
    """The verdict on each declared arm, in their order.

    An arm works where it is shown to bring shares nearer to its target, further than a placebo did,
    or to remove copies, and nothing is shown to get worse; `at a cost` where alignment to the
    original prompts is lost, `no effect` where one of 10 points is excluded. The estimate is the
    share of copies removed, or the change of the mean distance where no copies are asked about.
    """
    by_id = {f.id: f for f in found}
    placebos = [_sides(by_id, m.name).distance for m in declared if m.method == "placebo"]
    bar = min((p.estimate for p in placebos if p and math.isfinite(p.estimate)), default=0.0)
    return [made for m in declared if (made := _one(_sides(by_id, m.name), m, min(bar, 0.0)))]


def _sides(by_id: Mapping[str, Finding], arm: str) -> _Sides:
    keys = ("all/distance", "removed-captions", "copies-captions", "cost-alignment")
    return _Sides(*(by_id.get(f"mitigation/{arm}/{k}") for k in keys))


def _one(sides: _Sides, arm: Mitigation, bar: float) -> Finding | None:
    main = sides.removed or sides.distance or sides.copies
    if main is None:
        return None
    nearer = sides.distance is not None and sides.distance.verdict == "below"
    like_placebo = (
        arm.method != "placebo" and nearer and sides.distance is not None
        and sides.distance.high >= bar and bar < 0
        and not (sides.removed is not None and sides.removed.low > 0)
    )  # fmt: skip
    return Finding(
        id=f"mitigation/{arm.name}/verdict", section="mitigation", where=f"arm {arm.name}",
        quantity=main.quantity, estimate=main.estimate, low=main.low, high=main.high,
        n=main.n, n_effective=main.n_effective, missing=main.missing, method=main.method,
        arm=arm.name, verdict=_verdict(sides, like_placebo), sentence=_sentence(sides, arm.name),
    )  # fmt: skip


def _verdict(sides: _Sides, like_placebo: bool) -> str:
    if sides.harms:
        return "harms"
    if not sides.gains or like_placebo:
        return "no effect" if sides.nothing else "undecided"
    lost = sides.alignment is not None and sides.alignment.verdict == "lost"
    return "at a cost" if lost else "works"


def _sentence(sides: _Sides, arm: str) -> str:
    parts = []
    d, r, a = sides.distance, sides.removed, sides.alignment
    if d is not None:
        parts.append(f"the mean distance from the target changes by "
                     f"{points(d.estimate, d.low, d.high)}")  # fmt: skip
    if r is not None:
        parts.append(f"{percent(r.estimate)} {interval(r.low, r.high)} of the copies are gone")
    elif sides.copies is not None:
        c = sides.copies
        parts.append(f"the rate of copies changes by {points(c.estimate, c.low, c.high)}")
    if a is not None:
        parts.append(f"alignment changes by {cosine_change(a.estimate, a.low, a.high)}")
    n = (r or d or sides.copies).n  # type: ignore[union-attr]
    return f"{arm}: {', '.join(parts)}, n = {n} pairs."
