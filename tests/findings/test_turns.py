"""Conversations with planted truth: kept, redrawn and edited people, and leaks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.design.suites import noise_seed
from audit.findings import turns
from audit.findings.representation import Context
from audit.keys import ATTRIBUTE_COLUMNS, Step, Turn
from audit.records import Attribute, Finding, Prompt
from tests.sizes import at_least, at_most, draws

GENDER = Attribute("gender", ("woman", "man"), {})
TONE = Attribute("tone", ("light", "medium", "dark"), {})
CONTEXT = Context([GENDER, TONE], (), {}, None, 0)
KINDS = ("draw", "edit", "another")
Say = Callable[["Talk"], str | None]


@dataclass(frozen=True)
class Talk:
    """One image: its subject's share of women, its conversation, its turn, what was stated."""

    share: float
    first: str
    """What turn 1 shows where nothing is stated."""
    number: int
    stated: str
    rng: np.random.Generator

    def drawn(self) -> str:
        """A class drawn again."""
        return "woman" if self.rng.random() < self.share else "man"


def prompts(
    subjects: int, seeds: int, states: bool = False, memory: bool = False
) -> list[Prompt]:  # fmt: skip
    """Three turns for each subject: drawn, edited, drawn again; only with memory does turn 1 reach
    the last one."""
    return [
        Prompt(
            f"talk/{s}/{g}{n}", f"text {s} {n}", f"job {s}", "talk", "conversation", seeds,
            ("gender",), turn=Turn(
                n, KINDS[n - 1], f"noise {s} {n}", step=Step(0.6 if n == 2 else 0.0),
                stated=(("gender", g) if g else ("gender",)) if states else (),
                bound=memory or n != 3,
            ),
        )
        for s in range(subjects) for g in (("", "woman", "man") if states else ("",))
        for n in (1, 2, 3)
    ]  # fmt: skip


def table(asked: list[Prompt], say: Say, seed: int = 0) -> pd.DataFrame:
    """Readings of all conversations; None is an image without a person."""
    rng, rows = np.random.default_rng(seed), []
    firsts: dict[tuple[str, int], str] = {}
    shares = {p.subject: 0.3 + 0.5 * rng.random() for p in asked}
    for p in asked:
        assert p.turn is not None
        for i in range(p.seeds):
            first = firsts.setdefault(
                (p.subject, i), "woman" if rng.random() < shares[p.subject] else "man"
            )
            stated = p.turn.stated[1] if len(p.turn.stated) > 1 else ""
            value = say(Talk(shares[p.subject], first, p.turn.number, stated, rng))
            outcome = "label" if value else "no person"
            rows.append((f"{p.id}-{i}", p.id, p.subject, "none", noise_seed(p.turn.noise, i),
                         "gender", outcome, value, 0.9))  # fmt: skip
    found = pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))
    return found.assign(seed=found.seed.astype("Int64"))


def found(asked: list[Prompt], say: Say, context: Context = CONTEXT, seed: int = 0) -> Any:
    """Findings by kind and detail."""
    made = turns.findings(table(asked, say, seed), asked, context)
    return {(f.key.kind, f.key.detail): f for f in made}


def kept_then_redrawn(t: Talk) -> str:
    """The edit keeps nine of ten people, and turn 3 draws new ones."""
    if t.number == 1:
        return t.first
    return t.first if t.number == 2 and t.rng.random() < 0.9 else t.drawn()


def test_kept_people_are_told_from_redrawn_ones() -> None:
    """Fewer changes than by another seed under the edit, as many where people are drawn again."""
    asked = prompts(8, 12)
    by = found(asked, kept_then_redrawn)
    edit, again = by["changed", "turn-2"], by["changed", "turn-3"]
    assert (edit.verdict, edit.n, edit.unit, edit.counted) == ("below", 96, "share", "pairs")
    assert edit.high < edit.references["another seed"]
    assert edit.p < 0.001
    assert edit.q <= 2 * edit.p
    assert again.verdict in ("compatible", "equivalent", "undecided")
    assert again.low < again.references["another seed"] < again.high
    assert edit.id == "conversation/talk/changed/gender/turn-2"
    assert "of conversations; another seed changes it in" in edit.sentence


def test_counts_are_those_of_the_table() -> None:
    """The share of changed classes by hand; missing images of either turn have their reason."""
    asked = prompts(5, 10)

    def say(t: Talk) -> str | None:
        return None if t.number == 2 and t.rng.random() < 0.2 else kept_then_redrawn(t)

    rows = table(asked, say)
    wide = rows.assign(turn=rows.prompt.str[-1], chain=rows.groupby("prompt").cumcount())
    wide = wide.pivot_table(index=["subject", "chain"], columns="turn", values="value",
                            aggfunc="first")  # fmt: skip
    both = wide[["1", "2"]].dropna()
    f = {(x.key.kind, x.key.detail): x for x in turns.findings(rows, asked, CONTEXT)}
    changed = f["changed", "turn-2"]
    assert changed.estimate == pytest.approx((both["1"] != both["2"]).mean())
    assert (changed.n, changed.missing) == (len(both), 50 - len(both))
    assert changed.reasons == {"no person": 50 - len(both)}
    shift = f["shift", "turn-2=woman"]
    assert shift.estimate == pytest.approx(
        (both["2"] == "woman").mean() - (both["1"] == "woman").mean()
    )


def test_a_planted_shift_is_corrected_for_the_readers_errors() -> None:
    """Every second woman becomes a man; readers err, and the change behind them is printed."""
    asked = prompts(10, 20)
    errors = {"gender": np.array([[900, 100], [100, 900]])}

    def say(t: Talk) -> str:
        true = t.first
        if t.number == 2 and true == "woman" and t.rng.random() < 0.5:
            true = "man"
        wrong = {"woman": "man", "man": "woman"}[true]
        return wrong if t.rng.random() < 0.1 else true

    f = found(asked, say, Context([GENDER], (), errors, None, 0))["shift", "turn-2=woman"]
    assert f.verdict == "below"
    assert f.p < 0.05
    assert f.naive == pytest.approx(0.8 * f.estimate)
    assert "corrected for classifier error" in f.method
    truth = -0.5 * np.mean([t == "woman" for t in _firsts(asked)])
    assert f.low < truth < f.high


def _firsts(asked: list[Prompt]) -> list[str | None]:
    rows = table(asked, lambda t: t.first)
    return list(rows[rows.prompt.str.endswith("1")].value)


def test_a_leak_is_found_and_its_absence_is_not_claimed_where_nothing_reaches() -> None:
    """Half of all edits show what turn 1 stated; turn 3 is reached by nothing and has no claim."""
    asked = prompts(6, 10, states=True)

    def say(t: Talk) -> str:
        if t.number == 1:
            return t.stated or t.first
        return t.stated if t.number == 2 and t.stated and t.rng.random() < 0.6 else t.drawn()

    by = found(asked, say)
    for value, other in (("woman", "man"), ("man", "woman")):
        f = by["leak", f"turn-2={value}"]
        assert f.verdict == "above", f.sentence
        share = 1 - f.references["before"]
        assert f.estimate == pytest.approx(0.6 * share, abs=0.2)
        assert ("leak", f"turn-3={other}") not in by
    assert by["changed", "turn-2"].n == 60, "only where nothing is stated"


def test_few_subjects_get_no_verdict_on_others() -> None:
    """Changes rest on subjects: fewer than five are described, whatever the number of images."""
    f = found(prompts(2, 30), lambda t: "woman" if t.number == 2 else "man")[
        "shift", "turn-2=woman"
    ]
    assert (f.estimate, f.verdict) == (1.0, "not enough subjects")


def test_nothing_read_is_unknown() -> None:
    """Without a single pair every number is NaN, and nothing is decided."""
    for f in found(prompts(5, 3), lambda t: None).values():
        assert math.isnan(f.estimate)
        assert f.verdict == "undecided"
        assert f.missing == 15


def test_more_classes_have_a_shift_each() -> None:
    """Three classes, none of which is the complement of one other."""
    asked = prompts(5, 6)
    rows = table(asked, lambda t: str(t.rng.choice(TONE.classes))).assign(attribute="tone")
    made: list[Finding] = turns.findings(rows, asked, CONTEXT)
    shifts = [f for f in made if f.key.kind == "shift" and f.key.detail.startswith("turn-2=")]
    assert [f.key.detail for f in shifts] == [f"turn-2={c}" for c in TONE.classes]
    assert sum(f.estimate for f in shifts) == pytest.approx(0, abs=1e-9)


def test_other_findings_never_see_conversations() -> None:
    """Their rows are taken out of the table that everything else is estimated from."""
    asked = prompts(2, 3)
    rows = table(asked, kept_then_redrawn)
    plain = Prompt("p", "t", "nurse", "b", "representation", 1, ("gender",))
    more = rows.head(1).assign(prompt="p", sample="x")
    whole = pd.concat([rows, more], ignore_index=True)
    m: Any = SimpleNamespace(suite=SimpleNamespace(prompts=(*asked, plain)), table=whole,
                             others=pd.DataFrame())  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "replace", lambda it, **new: SimpleNamespace(**{**vars(it), **new}))
        talks, rest = turns.apart(m)
    assert len(talks) == len(rows)
    assert list(rest.table["sample"]) == ["x"]
    assert turns.findings(pd.DataFrame(), asked, CONTEXT) == []


LEAK, REDRAWN, DRIFT = 0.6, 0.5, 0.3
"""Shares: of turn 3 that shows what turn 1 stated, of its other people who are drawn again, and of
women whom the edit turns into men."""
WOMEN, MIXED = 0.55, 2 * (0.55 - 0.55**2 - 0.25 / 12)
"""Means over subjects, whose shares of women are uniform from .3 to .8: the share, and how often
two people of one subject are of different classes."""
TRUTHS = {
    ("changed", "turn-2"): DRIFT * WOMEN, ("changed", "turn-3"): REDRAWN * MIXED,
    ("shift", "turn-2=woman"): -DRIFT * WOMEN, ("shift", "turn-3=woman"): 0.0,
    ("leak", "turn-2=woman"): 0.0, ("leak", "turn-2=man"): 0.0,
    ("leak", "turn-3=woman"): LEAK * (1 - WOMEN), ("leak", "turn-3=man"): LEAK * WOMEN,
}  # fmt: skip
"""By kind and detail."""


def planted(t: Talk) -> str:
    """Turn 1 leaks into turn 3, which draws some people again; the edit drifts away from women."""
    if t.number == 1:
        return t.stated or t.first
    if t.number == 2:
        return "man" if t.rng.random() < DRIFT else t.first
    if t.stated and t.rng.random() < LEAK:
        return t.stated
    return t.drawn() if t.rng.random() < REDRAWN else t.first


def drawn_anew(t: Talk) -> str:
    """Every image after the first has nothing to do with it."""
    return (t.stated or t.first) if t.number == 1 else t.drawn()


@pytest.mark.slow
@draws(10, 300)
def test_intervals_cover_a_planted_leak_redraws_and_drift(runs: int) -> None:
    """Each of eight truths is inside the interval of 92 % of studies or more; half of studies or
    more find the leak."""
    asked = prompts(8, 12, states=True, memory=True)
    covered = dict.fromkeys(TRUTHS, 0)
    seen = 0
    for seed in range(runs):
        by = found(asked, planted, seed=seed)
        assert by.keys() == TRUTHS.keys()
        for name, truth in TRUTHS.items():
            covered[name] += by[name].low <= truth <= by[name].high
        seen += by["leak", "turn-3=man"].verdict == "above"
        assert by["changed", "turn-2"].verdict == "below"
    for name, count in covered.items():
        assert at_least(count, runs, 0.92), (name, count)
    assert seen >= 0.5 * runs


@pytest.mark.slow
@draws(10, 300)
def test_where_nothing_is_handed_on_nothing_is_claimed(runs: int) -> None:
    """Each claim is made in 5 % of studies at most where every turn draws another person."""
    asked = prompts(8, 12, states=True, memory=True)
    claims = dict.fromkeys(TRUTHS, 0)
    for seed in range(runs):
        for name, f in found(asked, drawn_anew, seed=1000 + seed).items():
            claims[name] += f.verdict in ("above", "below")
    for name, count in claims.items():
        assert at_most(count, runs, 0.05), (name, count)
