"""What damaged and hostile files do: every form that is read, mutated, before its verb.

    python -m benchmarks.fuzz [--each 200] [--only NAME ...] [--seed 0] [--write FILE] [--all]
    python -m benchmarks.fuzz --replay NAME:NUMBER [--seed 0]

Each mutation (`fuzz_mutators.py`) of an input (`fuzz_inputs.py`, `fuzz_collections.py`) is read in
a fork of this process, which has imported everything, with 1 GiB of memory more than it has and
10 s of processor time. A row for each input counts what happened:

- accepted: read, also where parts were left out with a reason;
- sentence: `UserError` or `Incomplete`, exit 2 or 3;
- memory: Python's MemoryError, for which the command says that there is not enough (exit 3);
- crash: any other exception (exit 70), a page of `view` with 500, or the death of the process;
- hang: more than 10 s; silent: another answer, though a checksum guards the file.

Mutations follow from seed, name and number alone. Those that fail are listed, and `--replay`
prints their traceback and leaves the files where it says. Not available on Windows, which cannot
fork.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.fuzz_inputs import INPUTS, Input, ready
from benchmarks.fuzz_mutators import mutate

KINDS = ("accepted", "sentence", "memory", "crash", "hang", "silent")
FAULTS = ("crash", "hang", "silent")
SECONDS, WALL = 10, 90
"""Of processor time, and of the clock on a machine that is shared."""
ROOM = 1 << 30
"""Bytes that a mutation may take beyond what this process has."""


@dataclass(frozen=True)
class Outcome:
    """What happened to one mutation."""

    number: int
    file: str
    kind: str
    said: str = ""


class Bench:
    """An input with its undamaged files, in a folder of its own."""

    def __init__(self, name: str, folder: Path, seed: int = 0) -> None:
        self.name, self.seed, self.input = name, seed, INPUTS[name]
        self.base, self.now = folder / "base", folder / "now"
        self.now.mkdir(parents=True)
        self.input.make(self.now)  # here, because some files hold their own place
        shutil.copytree(self.now, self.base)
        self.answer = self.input.use(self.now)

    def _fresh(self) -> None:
        shutil.rmtree(self.now, ignore_errors=True)
        shutil.copytree(self.base, self.now)

    def prepare(self, number: int) -> str:
        """Write the files of a mutation; returns the name of the file that was changed."""
        self._fresh()
        chance = random.Random(f"{self.seed} {self.name} {number}")
        found = [sorted(p for p in self.now.glob(pattern) if p.is_file())
                 for pattern in self.input.files]  # fmt: skip
        victim = chance.choice(chance.choice([files for files in found if files]))
        victim.write_bytes(mutate(victim.read_bytes(), victim.suffix, chance))
        return str(victim.relative_to(self.now))

    def tried(self, number: int) -> Outcome:
        """One mutation, read in a fork."""
        file = self.prepare(number)
        kind, said = in_a_fork(self.input, self.now, self.answer)
        return Outcome(number, file, kind, said)


def judged(one: Input, folder: Path, answer: object) -> tuple[str, str]:
    """What happens to the files of a folder, and what is said about it."""
    from click import ClickException

    from audit.datasets.pixels import Unreadable
    from audit.errors import Incomplete, UserError

    try:
        found = one.use(folder)
    except (UserError, Incomplete, Unreadable, ClickException) as error:
        return "sentence", str(error)[:300]
    except MemoryError as error:
        return "memory", str(error)[:300]
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)
        ours = [f for f in where if "/audit/" in f.filename]
        place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "outside"
        return "crash", f"{place} {type(error).__name__}: {str(error)[:200]}"
    if one.checked and found != answer:
        return "silent", "another answer without a word"
    return "accepted", ""


def in_a_fork(one: Input, folder: Path, answer: object) -> tuple[str, str]:
    """The same in a fork with limits of memory and time."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            faulthandler.disable()
            os.setsid()  # a terminal must not stop what touches it
            signal.alarm(WALL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
            most = psutil.Process().memory_info().vms + ROOM
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nothing, stream)
            os.write(write, json.dumps(judged(one, folder, answer)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if said:
        kind, words = json.loads(said)
        return kind, words
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        late = number in (signal.SIGALRM, signal.SIGXCPU)
        return ("hang" if late else "crash"), signal.Signals(number).name
    return "crash", "the process ended without a word"


def run(names: Sequence[str], each: int, seed: int = 0) -> Iterator[tuple[str, list[Outcome]]]:
    """All mutations of some inputs, an input at a time."""
    ready()
    with tempfile.TemporaryDirectory() as work:
        for i, name in enumerate(names):
            bench = Bench(name, Path(work) / str(i), seed)
            yield name, [bench.tried(n) for n in range(each)]


def table(rows: Sequence[tuple[str, list[Outcome], float]]) -> str:
    """A row for each input, as Markdown."""
    head = ["input", "mutations", *KINDS, "seconds"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, found, seconds in rows:
        counts = Counter(o.kind for o in found)
        cells = [name, len(found), *(counts[k] for k in KINDS), f"{seconds:.0f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def replay(name: str, number: int, seed: int) -> None:
    """One mutation in this process, with its traceback; its files stay."""
    ready()
    bench = Bench(name, Path(tempfile.mkdtemp(prefix="fuzz-")), seed)
    file = bench.prepare(number)
    print(f"{bench.now / file}; undamaged: {bench.base / file}")
    try:
        found = bench.input.use(bench.now)
    except Exception:
        traceback.print_exc()
        return
    same = "the same" if found == bench.answer else "another"
    print(f"accepted, with {same} answer: {str(found)[:2000]}")


def main() -> int:
    """Entry point: 0 without faults, else 1."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--each", type=int, default=200, help="mutations of each input")
    parser.add_argument("--only", nargs="+", choices=list(INPUTS), default=list(INPUTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="also write the table to this file")
    parser.add_argument("--replay", metavar="NAME:NUMBER")
    parser.add_argument("--all", action="store_true", help="list what every mutation did")
    asked = parser.parse_args()
    if asked.replay:
        name, _, number = asked.replay.rpartition(":")
        replay(name, int(number), asked.seed)
        return 0
    rows, faults, started = [], 0, time.monotonic()
    for name, found in run(asked.only, asked.each, asked.seed):
        rows.append((name, found, time.monotonic() - started))
        started = time.monotonic()
        print(table(rows[-1:]).splitlines()[-1], flush=True)
        faults += sum(o.kind in FAULTS for o in found)
        for one in (o for o in found if asked.all or o.kind in FAULTS):
            print(f"    {one.kind} {name}:{one.number} ({one.file}) {one.said}", flush=True)
    print(f"\n{table(rows)}")
    if asked.write:
        asked.write.write_text(table(rows) + "\n", "utf-8")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
