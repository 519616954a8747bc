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


def prompts(subjects: int, seeds: int, states: bool = False) -> list[Prompt]:
    """Three turns for each subject: drawn, edited, drawn again."""
    return [
        Prompt(
            f"talk/{s}/{g}{n}", f"text {s} {n}", f"job {s}", "talk", "conversation", seeds,
            ("gender",), turn=Turn(
                n, KINDS[n - 1], f"noise {s} {n}", step=Step(0.6 if n == 2 else 0.0),
                stated=(("gender", g) if g else ("gender",)) if states else (), bound=n != 3,
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
