"""Mutations of every form that is read (benchmarks/fuzz.py): a sentence or a result, no crash."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

fuzz = pytest.importorskip("benchmarks.fuzz", reason="needs the POSIX module `resource`")
inputs = pytest.importorskip("benchmarks.fuzz_inputs")
mutators = pytest.importorskip("benchmarks.fuzz_mutators")

CHEAP = [n for n in inputs.INPUTS if n not in inputs.SLOW]
FEW, MANY = 4, 150
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def faults(name: str, each: int, seed: int, folder: Path) -> list[str]:
    """Crashes, hangs and silent differences, each with the command that repeats it."""
    inputs.ready()
    bench = fuzz.Bench(name, folder, seed)
    return [
        f"python -m benchmarks.fuzz --seed {seed} --replay '{name}:{o.number}': {o.kind} {o.said}"
        for o in map(bench.tried, range(each))
        if o.kind in fuzz.FAULTS
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", CHEAP)
def test_a_few_mutations_of_the_cheap_inputs(name: str, tmp_path: Path) -> None:
    """Other ones than the nightly test has, the same each time."""
    assert faults(name, FEW, 1000, tmp_path / "f") == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", list(inputs.INPUTS))
def test_many_mutations_of_every_input(name: str, tmp_path: Path) -> None:
    """0 crashes, 0 hangs, 0 silent differences."""
    assert faults(name, MANY if name in CHEAP else MANY // 3, 0, tmp_path / "f") == []


def test_what_is_a_fault(tmp_path: Path) -> None:
    """Every kind of outcome is told apart, also the death of a process."""

    def kind(use: object, checked: bool = False) -> str:
        one = inputs.Input(print, use, (), checked)
        return str(fuzz.in_a_fork(one, tmp_path, "right")[0])

    def refuse(_: Path) -> None:
        from audit.errors import UserError

        raise UserError("Correct it.")

    def forget(_: Path) -> object:
        return [bytearray(1 << 30) for _ in range(8)]

    def die(_: Path) -> None:
        import os

        os.abort()

    assert kind(lambda _: "right", True) == "accepted"
    assert kind(lambda _: "other", True) == "silent"
    assert kind(lambda _: "other") == "accepted"
    assert kind(refuse) == "sentence"
    assert kind(lambda _: 1 / 0) == kind(die) == "crash"
    assert kind(forget) == "memory"


@pytest.mark.parametrize("ending", ["", *mutators.FORMS])
def test_a_mutation_follows_from_its_number(ending: str) -> None:
    """The same number gives the same bytes, and another one nearly always others."""
    data = b"0,a\n" * 40

    def made(number: int) -> bytes:
        return bytes(mutators.mutate(data, ending, random.Random(f"0 x {number}")))

    assert [made(n) for n in range(20)] == [made(n) for n in range(20)]
    assert len({made(n) for n in range(20)}) > 15
