"""Stated attributes count as followed or not, separately from open ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.findings import following
from audit.findings.representation import Context
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Attribute, Finding, Prompt

GENDER = Attribute("gender", ("woman", "man"), {})
CONTEXT = Context([GENDER], [], {}, None, 0)
PROMPTS = {
    p.id: p
    for p in (
        Prompt("open", "a nurse", "nurse", "b", "representation", 9, ("gender",)),
        Prompt("w", "a woman pilot", "pilot", "b", "representation", 9, ("gender",),
               {"gender": "woman"}),
        Prompt("w2", "a female cook", "cook", "b", "representation", 9, ("gender",),
               {"gender": "woman"}),
        Prompt("m", "a man nurse", "nurse", "b", "representation", 9, ("gender",),
               {"gender": "man"}),
        Prompt("o", "an empty chair", "chair", "b", "representation", 9, ("gender",), {}, "nobody"),
    )
}  # fmt: skip


def table(share: dict[str, float], n: int, people: float = 0.1) -> pd.DataFrame:
    """Readings: share of women by prompt, and how often a person sits on the chair."""
    rng, rows = np.random.default_rng(0), []
    for id, p in PROMPTS.items():
        for i in range(n):
            empty = id == "o" and rng.random() >= people
            value = "woman" if rng.random() < share.get(id, 0.5) else "man"
            read = ("no person", None) if empty else ("label", value)
            rows.append((f"{id}{i}", id, p.subject, "none", i, "gender", *read, 0.9))
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def found(data: pd.DataFrame, context: Context = CONTEXT) -> dict[str, Finding]:
    """Findings by id, each once."""
    claims = following.findings(data, context, PROMPTS)
    assert len({f.id for f in claims}) == len(claims)
    return {f.id: f for f in claims}


def test_open_questions_are_those_that_state_nothing() -> None:
    """Stating prompts and prompts without people do not show whom the model draws by default."""
    data = table({}, 5)
    assert set(following.open_questions(data, PROMPTS).prompt) == {"open"}


def test_following_is_counted_by_subject_and_in_all() -> None:
    """Shares are plain counts of what was stated, with every subject and all together."""
    data = table({"w": 0.6, "w2": 0.9, "m": 0.2}, 80)
    claims = found(data)
    for id, subject, value in (("w", "pilot", "woman"), ("w2", "cook", "woman"),
                               ("m", "nurse", "man")):  # fmt: skip
        f = claims[f"representation/none/{subject}/gender-stated={value}"]
        assert f.naive == pytest.approx((data[data.prompt == id].value == value).mean())
        assert f.low < f.estimate < f.high
    whole = claims["representation/none/all/gender-stated=woman"]
    assert whole.naive == pytest.approx(
        (data[data.prompt.isin(["w", "w2"])].value == "woman").mean()
    )
    assert whole.where == "all 2 subjects"
    assert whole.n_effective < 160  # prompts differ, so images of one count for less


def test_errors_of_the_classifier_are_corrected_here_too() -> None:
    """A model that always follows is read as such through a classifier that errs in 10 %."""
    rng = np.random.default_rng(3)
    data = table({"w": 1.0}, 300)
    flip = (data.prompt == "w") & (rng.random(len(data)) < 0.1)
    data.loc[flip, "value"] = "man"
    errors = {"gender": np.array([[180, 20], [20, 180]])}
    f = found(data, Context([GENDER], [], errors, None, 0))[
        "representation/none/pilot/gender-stated=woman"
    ]
    assert f.high == pytest.approx(1, abs=0.02)
    assert f.naive < 0.95


def test_unrequested_people_are_counted() -> None:
    """Images of an empty chair: the share with a person on it, missing images left out."""
    data = table({}, 100, people=0.3)
    gone = data.index[data.prompt == "o"][:10]
    data.loc[gone, ["outcome", "value"]] = ["blocked", None]
    f = found(data)["representation/none/chair/person-leak"]
    part = data[(data.prompt == "o") & (data.outcome != "blocked")]
    assert f.estimate == pytest.approx((part.outcome != "no person").mean())
    assert (f.n, f.missing, dict(f.reasons)) == (90, 10, {"blocked": 10})


def test_nothing_stated_claims_nothing() -> None:
    """A suite that states nothing has no such findings."""
    data = table({}, 5)
    assert following.findings(data[data.prompt == "open"], CONTEXT, PROMPTS) == []
