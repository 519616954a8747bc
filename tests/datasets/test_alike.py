"""Lines of a plan that differ only in id and seed: what is read and written is what JSON says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.datasets import alike
from audit.datasets.alike import Planned
from audit.files import loads
from audit.records import Change, Sample
from audit.store import asdict_sample, sample_from


def encode(sample: Sample) -> str:
    """As the plan is written."""
    return json.dumps(asdict_sample(sample), sort_keys=True, ensure_ascii=False)


def parse(line: str) -> Sample:
    """As a line is read alone."""
    return sample_from(loads(line))


def lines(some: Sequence[Sample]) -> bytes:
    """As a plan is written, line by line."""
    return "".join(f"{encode(s)}\n" for s in some).encode()


WORDS = st.sampled_from(["a", 'a "nurse"', '"id": "x"', '"seed": 1,', "é\\", "", "ab12"])
DRAWN = st.dictionaries(st.sampled_from(["id", "seed", "gender"]), WORDS, max_size=2)
SEEDS = st.none() | st.sampled_from([0, 1, 10, 7, 2**63 - 1, -1, 10**25])
CHANGES = st.sampled_from([Change(), Change(guidance=2.0), Change(negative='"id": "ab12"')])
SAMPLES = st.builds(
    Sample, st.sampled_from(["ab12", "cd34", "ef", "a-b", "é1", 'x"y']), WORDS, WORDS, SEEDS, WORDS,
    DRAWN, CHANGES, WORDS,
)  # fmt: skip


@given(st.lists(SAMPLES, max_size=12))
def test_lines_are_those_of_each_sample_alone(some: list[Sample]) -> None:
    """Whatever words look like keys, in any order and mixture."""
    assert b"".join(alike.written(some, encode)) == lines(some)
    assert alike.read(lines(some), parse) == some


def test_a_plan_of_many_seeds_is_parsed_twice() -> None:
    """Once, and once with another id and seed at the same places."""
    asked = []

    def counted(line: str) -> Sample:
        asked.append(line)
        return parse(line)

    some = [Sample(f"a{i}", "p", "none", i, "a nurse", {"gender": "man"}) for i in range(100)]
    assert alike.read(lines(some), counted) == some
    assert len(asked) == 2


def test_lines_are_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """However the file is cut, with empty lines and those of another system, and without an end."""
    monkeypatch.setattr(alike, "BYTES", 300)
    monkeypatch.setattr(alike, "CHUNK", 3)
    some = [Sample(f"a{i}", f"p{i % 3}", "none", i or None, "é" * (i % 4)) for i in range(40)]
    for ending in ("\n", "\n\n", "\r\n"):
        text = ending.join(encode(s) for s in some)
        found = alike.read(text.encode(), parse)
        assert found == some
        assert [k.prompt for k in found.kinds[:3]] == ["p0", "p1", "p2"]
    assert b"".join(alike.written(found, encode)) == lines(some)
    with pytest.raises(UnicodeDecodeError):
        alike.read(lines(some).replace("é".encode(), b"\xe9"), parse)


def test_columns_are_the_samples_in_order() -> None:
    """Of one, some, all and each; an id that is there twice is the last one, in the first place."""
    some = [Sample(f"a{i % 5}", f"p{i % 2}", "none", [i, None, -1, 2**70][i % 4], "t")
            for i in range(8)]  # fmt: skip
    found = Planned.joined([Planned.of(some[:3]), Planned.of(some[3:])])
    assert (found == some, found[2], found[-1], found[1:3]) == (True, some[2], some[7], some[1:3])
    assert found.take([6, 1]) == [some[6], some[1]]
    assert found.distinct() == list({s.id: s for s in some}.values())
    assert found.seeded.tolist() == [i % 4 in (0, 2) for i in range(8)]
    assert len(Planned.of([some[0], replace(some[0], id="b", seed=9)]).kinds) == 1
    with pytest.raises(IndexError):
        found[8]


def line(**changes: Any) -> str:
    """A line with other fields, or without one that is None."""
    row: Mapping[str, Any] = asdict_sample(Sample("ab1", "p", "none", 5, "t")) | changes
    return json.dumps({k: v for k, v in row.items() if v is not None}, sort_keys=True)


@pytest.mark.parametrize(
    "bad",
    ["{", line(text=None), line(seed="x"), line(more=1), line().replace("5,", "05,"),
     line()[:-1], '{"id": "ab1", "seed": 5,'],
)  # fmt: skip
def test_a_damaged_line_is_an_error_also_after_good_ones(bad: str) -> None:
    """As strict as for one line."""
    good = [line(id=f"ab{i}", seed=i) for i in range(3)]
    with pytest.raises((ValueError, TypeError, KeyError)):
        alike.read("\n".join([*good, bad]).encode(), parse)
