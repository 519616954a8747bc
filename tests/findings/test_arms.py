"""One verdict per arm: works, at a cost, no effect, harms, or undecided; never past a placebo."""

from __future__ import annotations

import pytest

from audit.findings import arms
from audit.records import VERDICTS, Finding, Mitigation
from audit.stats.decisions import compared, noninferior, verdict
from audit.stats.interval import Interval


def claim(arm: str, key: str, low: float, high: float, word: str) -> Finding:
    """One effect of an arm."""
    return Finding(
        f"mitigation/{arm}/{key}", "mitigation", "w", "change in q", (low + high) / 2, low, high,
        100, 20.0, 0, arm=arm, method="m", verdict=word, sentence="s",
    )  # fmt: skip


def distance(arm: str, low: float, high: float) -> Finding:
    """A change of the mean distance from the target."""
    wide = Interval((low + high) / 2, low, high)
    return claim(arm, "all/distance", low, high, compared(wide, wide, 0, 0.1))


def alignment(arm: str, low: float, high: float) -> Finding:
    """A change of alignment, with a margin of 0.02."""
    word = noninferior(Interval((low + high) / 2, low, high), 0.02)
    return claim(arm, "cost-alignment", low, high, word)


def removed(arm: str, low: float, high: float) -> Finding:
    """The share of copies removed."""
    return claim(arm, "removed-captions", low, high, "above" if low > 0 else "compatible")


def judged(found: list[Finding], *declared: Mitigation) -> dict[str, str]:
    """Arm to verdict."""
    made = arms.findings(found, declared or (Mitigation("a", "inject"),))
    assert all(f.verdict in VERDICTS for f in made)
    return {f.arm: f.verdict for f in made}


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([distance("a", -0.3, -0.1), alignment("a", -0.01, 0.0)], "works"),
        ([distance("a", -0.3, -0.1), alignment("a", -0.09, -0.05)], "at a cost"),
        ([distance("a", -0.05, 0.04), alignment("a", -0.01, 0.0)], "no effect"),
        ([distance("a", -0.15, 0.04)], "undecided"),
        ([distance("a", 0.02, 0.3)], "harms"),
        ([removed("a", 0.8, 1.0), alignment("a", -0.01, 0.01)], "works"),
        ([removed("a", -0.1, 0.3)], "undecided"),
        ([removed("a", 0.8, 1.0), claim("a", "copies-captions", 0.1, 0.2, "above")], "harms"),
    ],
)
def test_gains_losses_and_nothing(found: list[Finding], wanted: str) -> None:
    """What is shown decides; what is not shown is undecided."""
    assert judged(found) == {"a": wanted}


def test_an_arm_must_do_better_than_its_placebo() -> None:
    """Where a placebo seems to bring as much, a gain is not the arm's own."""
    both = (Mitigation("a", "ethical"), Mitigation("p", "placebo"))
    near = [distance("a", -0.3, -0.1), distance("p", -0.25, -0.01)]
    assert judged(near, *both)["a"] == "undecided"
    far = [distance("a", -0.5, -0.3), distance("p", -0.25, -0.01)]
    assert judged(far, *both)["a"] == "works"


def test_an_arm_of_which_nothing_is_known_has_no_verdict() -> None:
    """No row is better than an empty one."""
    assert judged([]) == {}


def test_the_sentence_has_every_part_with_its_interval() -> None:
    """Distance, copies and alignment, each with its limits, and the pairs."""
    found = [distance("a", -0.3, -0.1), removed("a", 0.5, 0.7), alignment("a", -0.01, 0.0)]
    (f,) = arms.findings(found, [Mitigation("a", "inject")])
    assert f.sentence == (
        "a: the mean distance from the target changes by -20 [-30, -10] points, 60 % [50 %, 70 %] "
        "of the copies are gone, alignment changes by -0.005 [-0.010, 0.000], n = 100 pairs."
    )
    assert verdict(Interval(f.estimate, f.low, f.high), 0) == "above"
