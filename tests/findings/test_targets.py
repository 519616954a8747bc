"""Targets behind a reader's errors: changes, distances, and whether the target is met."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.findings import targets
from audit.findings.pairs import Question
from audit.findings.representation import Context
from audit.keys import ALL, ATTRIBUTE_COLUMNS
from audit.records import Attribute, Finding, Prompt

GENDER = Attribute("gender", ("woman", "man"), {})
POOR = np.array([[90, 10], [20, 80]])
"""Sensitivity .9, specificity .8: a share p is read as .2 + .7 p."""
SUBJECTS, PROMPTS, IMAGES = 6, 6, 40


def rows(arm: str, women: int) -> list[tuple[object, ...]]:
    """Images of six subjects, of which each prompt shows so many women, under an arm about so many.

    A subject in three has one more, one in three one fewer, so distances vary between subjects.
    """
    return [
        (f"{arm}/{s}/{p}/{i}", f"{s}/{p}", f"s{s}", arm, i, "gender", "label",
         "woman" if i < women + (s % 3 - 1) * (arm == "arm") else "man", 0.9)
        for s in range(SUBJECTS) for p in range(PROMPTS) for i in range(IMAGES)
    ]  # fmt: skip


def found(
    before: int, after: int, target: float, confusion: np.ndarray | None
) -> dict[tuple[str, str], Finding]:
    """Findings by kind and subject; so many of 40 images of each prompt are read as women."""
    columns = ["sample", "prompt", "subject", "arm", "seed", "attribute", "outcome", "value",
               "score"]  # fmt: skip
    table = pd.DataFrame([*rows("none", before), *rows("arm", after)], columns=columns)
    prompts = {p: Prompt(p, p, f"s{p[0]}", "jobs", "representation", IMAGES, ("gender",))
               for p in table.prompt.unique()}  # fmt: skip
    errors = {} if confusion is None else {"gender": confusion}
    context = Context([GENDER], (), errors, None, 0)
    aims = {"gender": dict.fromkeys(table.subject.unique(), target)}
    question = Question("arm", aims, context, prompts)
    made = targets.findings(table[list(ATTRIBUTE_COLUMNS)], question)
    return {(f.key.kind, f.key.subject): f for f in made}


def test_changes_and_distances_are_those_behind_the_errors() -> None:
    """Read 75 % and 55 % are 79 % and 50 %: 29 points, to a target that the arm reaches."""
    plain, true = (found(30, 22, 0.5, c) for c in (None, POOR))
    one, other = (f["change", "s1"] for f in (plain, true))
    assert one.estimate == pytest.approx(-0.2)
    assert other.estimate == pytest.approx(-0.2 / 0.7)
    assert (other.naive, other.naive_low, other.naive_high) == (one.estimate, one.low, one.high)
    assert other.low < one.low
    assert other.references == pytest.approx({"before": 0.55 / 0.7, "after": 0.5, "target": 0.5})
    far = true["target-distance", ALL]
    left = 2 / 3 / 40  # of two subjects in three, one image of 40
    assert far.references == pytest.approx({"before": 0.2 / 0.7, "after": left / 0.7})
    assert far.estimate == pytest.approx((left - 0.2) / 0.7)
    assert (far.verdict, plain["target-distance", ALL].verdict) == ("below", "below")


def test_an_arm_that_reaches_a_rare_target_is_not_further_from_it() -> None:
    """No women before, and then a tenth, as asked: read as 20 % and 30 %, both above a tenth."""
    plain, true = (found(8, 12, 0.1, c) for c in (None, POOR))
    assert plain["target-distance", ALL].verdict == "above"
    assert true["target-distance", ALL].verdict == "below"


def test_a_target_is_met_by_the_share_behind_the_errors() -> None:
    """A share read as 25 % is one of 7 %, not one within the margin of 25 %."""
    firm = POOR * 100
    plain, true = (found(30, 10, 0.25, c)["change", "s1"] for c in (None, firm))
    assert (plain.verdict, true.verdict) == ("met", "not met")
    assert found(30, 10, 0.05 / 0.7, firm)["change", "s1"].verdict == "met"
