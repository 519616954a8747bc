"""Records: changes as JSON, as ids hash them and as they are read back, and subjects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.design.mitigations.changes import sample_ids
from audit.errors import UserError
from audit.keys import ALL, Key, id_of
from audit.records import (
    Change,
    Intervention,
    Paraphrase,
    Prompt,
    Sample,
    Settings,
)
from audit.store import RunFolder, asdict_sample, sample_from

NUMBERS = st.floats(0, 100)
INTERVENTIONS = st.builds(
    Intervention,
    st.sampled_from(["noise", "fair-guidance", "later"]),
    st.dictionaries(st.text(max_size=5), NUMBERS | st.lists(st.text(max_size=5)).map(tuple)),
)
CHANGES = st.builds(
    Change,
    guidance=st.none() | NUMBERS,
    negative=st.none() | st.text(min_size=1, max_size=9),
    paraphrase=st.none()
    | st.builds(
        Paraphrase, st.integers(1, 9), st.integers(1, 9), st.dictionaries(st.text(), st.text())
    ),
    interventions=st.lists(INTERVENTIONS, max_size=3).map(tuple),
)
SETTINGS = Settings("m", "r", 10, 3.0, 4)


@given(CHANGES)
def test_a_change_comes_back_as_it_was(change: Change) -> None:
    """Through JSON text, with the same id; only an empty one is false and leaves the id alone."""
    body = json.loads(json.dumps(change.as_json()))
    assert Change.from_json(body) == change
    assert bool(change) == bool(body)
    sample = Sample("i", "p", "a", 1, "t", {"gender": "woman"}, change, "why")
    assert sample_from(json.loads(json.dumps(asdict_sample(sample)))) == sample
    same = sample_ids("t", SETTINGS, change)(1) == sample_ids("t", SETTINGS)(1)
    assert same == (not change)


def test_one_intervention_is_flat_and_several_are_a_stack() -> None:
    """As plans of version 0.1.0 have it."""
    noise = Intervention("noise", {"level": 0.5})
    flat = {"inside": "noise", "options": {"level": 0.5}}
    assert Change(6.0, "a man", interventions=(noise,)).as_json() == {
        "guidance": 6.0, "negative": "a man", **flat,
    }  # fmt: skip
    assert Change(interventions=(noise, noise)).as_json() == {"stack": [flat, flat]}


@pytest.mark.parametrize(
    "row", [{"guidence": 6.0}, {"inside": "noise"}, {"paraphrase": {"count": 1}}, {"stack": [1]}]
)
def test_a_plan_that_is_not_one_is_one_sentence(row: dict[str, Any], tmp_path: Path) -> None:
    """A change with unknown or missing keys is an error for the user, not a traceback."""
    whole = asdict_sample(Sample("i", "p", "a", 1, "t")) | {"how": row}
    (tmp_path / "plan.jsonl").write_text(json.dumps(whole) + "\n", "utf-8")
    with pytest.raises(UserError, match=r"plan\.jsonl"):
        RunFolder(tmp_path).plan()


def test_no_subject_is_mistaken_for_all_subjects() -> None:
    """The mark for all subjects is refused as a subject; every other text keeps its own key."""
    with pytest.raises(UserError, match=r"'\*' cannot be a subject, because .* Rename it\.$"):
        Prompt("jobs/1", "a star", ALL, "jobs", "representation", 1)
    for subject in ("all", "**", " *", "* nurse"):
        assert Prompt("jobs/1", "a star", subject, "jobs", "representation", 1).subject == subject
        key = Key("representation", "none", subject, "gender", "share", "woman")
        assert not key.everyone
        assert id_of(key) != id_of(key._replace(subject=ALL))
