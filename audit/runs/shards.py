"""Shards of a run: parts of its plan that are drawn, encoded and read apart, fixed by content.

A shard consists of whole micro-batches in the order of drawing, so no batch depends on who draws
it. Its record, `shards/NAME.jsonl`, has a line for each beginning, with the device and the versions
of libraries, and a last one, which is written when everything else is on disk: a shard without it
is not finished, whatever is there.
"""

from __future__ import annotations

import json
import math
import platform
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.datasets.alike import Planned
from audit.datasets.packs import Images
from audit.design.mitigations.control import shared
from audit.errors import counted
from audit.files import checked, loads, now, write_atomic
from audit.keys import digest
from audit.records import Sample
from audit.runs import turning
from audit.runs.context import Run
from audit.runs.planning import versions
from audit.store import RunFolder

if TYPE_CHECKING:
    import numpy as np

LARGEST, PARTS = 2048, 64
"""Most samples of a shard, and the number of shards that a plan of a moderate size has."""
TOGETHER, ELSEWHERE = 64, 256
"""A shard has a multiple of so many samples, or a few more: of a model, and made elsewhere."""
FOLDER = "shards"


@dataclass(frozen=True)
class Shard:
    """A part of the plan, in the order of drawing; the name is a hash of its ids."""

    name: str
    samples: Sequence[Sample]

    @property
    def ids(self) -> list[str]:
        """Theirs."""
        return list(Planned.of(self.samples).ids.to_pylist())


@dataclass(frozen=True)
class Maker:
    """The kind of device that worked on a shard, and the versions of its libraries."""

    device: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Began(Maker):
    """A line of a record: a worker began, or went on."""

    began: str


@dataclass(frozen=True)
class Done:
    """The last line of a record."""

    done: str
    images: int
    missing: int
    """Samples that have a reason instead of an image."""
    keys: list[str]
    """Encoders and readers of which nothing is left to do."""


@dataclass(frozen=True)
class Record:
    """What is known of the work on a shard."""

    makers: tuple[Began, ...] = ()
    end: Done | None = None
    """None while the shard is not finished."""


def cut(samples: Sequence[Sample], batch: int, elsewhere: bool = False) -> list[Shard]:
    """The shards of a plan whose micro-batches have `batch` rows; each sample is in one of them.

    Images made `elsewhere` are in no batches. The size of shards depends on the size of the plan.
    """
    unit = ELSEWHERE if elsewhere else TOGETHER
    planned = Planned.of(samples).distinct()
    size = min(LARGEST, max(1, math.ceil(len(planned) / PARTS / unit)) * unit)
    found: list[Shard] = []
    some: list[int] = []
    for rows in _singly(planned) if elsewhere else _batches(planned, batch):
        some += rows
        if len(some) >= size:
            found.append(_shard(planned.take(some)))
            some = []
    return [*found, _shard(planned.take(some))] if some else found


def _singly(planned: Planned[Sample]) -> Iterator[list[int]]:
    import pyarrow.compute as pc

    yield from ([int(row)] for row in pc.sort_indices(planned.ids).to_numpy())


def _batches(planned: Planned[Sample], batch: int) -> Iterator[list[int]]:
    """Micro-batches: samples that change the engine alike, text by text (`engine.sampler`).

    Each comes with all samples that go on from its images, so a conversation stays in one shard.
    Samples are given by their row.
    """
    import numpy as np

    rows, later = _roots(planned)
    rank = {text: n for n, text in enumerate(sorted({k.text for k in planned.kinds}))}
    by_text = planned.spread([rank[k.text] for k in planned.kinds], np.int64)
    rows = rows[np.argsort(by_text[rows], kind="stable")]
    keys: dict[int, str] = {}  # samples of an arm share their change
    for k in planned.kinds:
        if id(k.change) not in keys:
            keys[id(k.change)] = digest(shared(k.change).as_json())
    number = {key: n for n, key in enumerate(dict.fromkeys(keys.values()))}
    group = planned.spread([number[keys[id(k.change)]] for k in planned.kinds], np.int64)[rows]
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    order = np.argsort(first[group], kind="stable")  # groups in the order of their first text
    ends = np.flatnonzero(np.diff(first[group][order])) + 1
    for some in np.split(rows[order], ends):
        for start in range(0, len(some), batch):
            part = some[start : start + batch].tolist()
            yield [*part, *(x for row in part for x in later.get(row, ()))]


def _roots(planned: Planned[Sample]) -> tuple[np.ndarray, dict[int, list[int]]]:
    """`turning.roots` by rows."""
    import numpy as np

    if not any(k.last for k in planned.kinds):
        return np.arange(len(planned)), {}
    row = {id: n for n, id in enumerate(planned.ids.to_pylist())}
    first, later = turning.roots(planned)
    return np.array([row[s.id] for s in first]), {
        row[id]: [row[s.id] for s in some] for id, some in later.items()
    }


def _shard(samples: Planned[Sample]) -> Shard:
    return Shard(digest(samples.ids.to_pylist(), 16), samples)


def of(run: Run) -> list[Shard]:
    """The shards of a run's plan; of a worker's run the one that it works on."""
    if run.shard:
        return [Shard(run.shard, run.samples)]
    return cut(run.samples, run.settings.batch, run.plan.pictures is not None)


class Part(RunFolder):
    """The run folder as the worker of one shard uses it: only files of its own samples.

    Chunks and notes have names of their own, so workers never write the same file.
    """

    def __init__(self, path: Path, shard: Shard) -> None:
        super().__init__(path, f"{shard.name}-")
        self._ids = shard.ids
        self.images = Images(path / "images", self._ids)

    @cached_property
    def _whole(self) -> RunFolder:
        return RunFolder(self.path)

    def vectors(self, encoder: str, mend: bool = True) -> dict[str, np.ndarray]:
        """Those of the shard; others' chunks are read only where its own do not have all."""
        found = super().vectors(encoder, mend)
        if self.present() <= found.keys() | self.blocked().keys():
            return found
        more = self._whole.vectors(encoder, mend=False)
        return {**{i: more[i] for i in self._ids if i in more}, **found}

    def readings(self, reader: str) -> dict[str, tuple[str, str | None]]:
        """Those of the shard; others' chunks are read only where there are no own ones."""
        found = super().readings(reader)
        return found or {i: v for i, v in self._whole.readings(reader).items() if i in self._ids}


def maker(device: str) -> Maker:
    """Device by kind, and versions, of this process."""
    import torch

    on = torch.device(device)
    if on.type == "cuda":
        return Maker(torch.cuda.get_device_name(on), versions())
    able = torch.backends.cpu.get_cpu_capability()
    return Maker(f"{on.type} ({platform.machine()}, {able})", versions())


def record(folder: Path, shard: str) -> Record:
    """The record of a shard; lines that are torn or of another form do not count."""
    try:
        lines = (folder / FOLDER / f"{shard}.jsonl").read_bytes().split(b"\n")[:-1]
    except OSError:
        return Record()
    makers, end = [], None
    for line in lines:
        with suppress(ValueError):
            row = checked(dict[str, Any], loads(line))
            if "began" in row:
                makers.append(checked(Began, row))
            end = checked(Done, row) if "done" in row else None
    return Record(tuple(makers), end)


def begin(run: Run, shard: Shard, present: Collection[str]) -> None:
    """Note that this process works on a shard, before its first file is written.

    Earlier makers are kept where some of the shard's images are `present`.
    """
    was = record(run.folder.path, shard.name)
    kept = was.makers if any(id in present for id in shard.ids) else ()
    mine = maker(run.plan.device)
    makers = [*kept]
    if not any((m.device, m.versions) == (mine.device, mine.versions) for m in kept):
        makers.append(Began(mine.device, mine.versions, now()))
    if was.end is not None or tuple(makers) != was.makers:
        write(run.folder.path, shard.name, makers)


def finish(run: Run, shard: Shard, keys: Sequence[str]) -> bool:
    """Write the last line of a shard's record, unless an image is missing; whether it is there."""
    ids = set(shard.ids)
    blocked = run.folder.blocked().keys() & ids
    there = ids if run.plan.pictures is not None else run.folder.present() & ids
    if there != ids:
        return False
    was = record(run.folder.path, shard.name)
    known = was.end.keys if was.end is not None else []
    end = Done(now(), len(ids) - len(blocked), len(blocked), sorted({*known, *keys}))
    if was.end is None or was.end.keys != end.keys:
        write(run.folder.path, shard.name, [*was.makers, end])
    return True


def reopen(folder: Path, shard: str) -> None:
    """Drop the last line of a record whose files are no longer all there."""
    write(folder, shard, record(folder, shard).makers)


def write(folder: Path, shard: str, lines: Sequence[Began | Done]) -> None:
    """Write the record of a shard, whole."""
    body = "".join(json.dumps(asdict(line), sort_keys=True) + "\n" for line in lines)
    write_atomic(folder / FOLDER / f"{shard}.jsonl", body.encode())


def collect_notes(folder: RunFolder) -> None:
    """Add what workers noted about drawing to the notes of the run."""
    for path in sorted((folder.path / FOLDER).glob("*-notes.json")):
        notes = RunFolder(folder.path, path.name.removesuffix("notes.json")).notes()
        folder.add_notes(notes.cut, notes.said)


@dataclass
class _Kinds:
    """Kinds of makers, with the number of shards that each worked on."""

    shards: Counter[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=Counter)

    def add(self, one: Record) -> None:
        """Count the makers of a shard."""
        self.shards.update({(m.device, tuple(sorted(m.versions.items()))) for m in one.makers})

    def words(self) -> list[str]:
        """Each in words, by device; versions are named where they differ."""
        each = [dict(v) for _, v in self.shards]
        differ = sorted({n for v in each for n in v if any(o.get(n) != v[n] for o in each)})
        found = []
        for (device, known), n in sorted(self.shards.items()):
            said = [device, *(f"{name} {dict(known).get(name, 'unknown')}" for name in differ)]
            found.append(f"{', '.join(said)} ({counted(n, 'shard', 'shards')})")
        return found


def mixed(folder: Path) -> str:
    """A sentence where devices or versions that drew the run differ; empty where they do not."""
    kinds = _Kinds()
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        kinds.add(record(folder, path.stem))
    if len(kinds.shards) < 2:
        return ""
    return (
        f"Shards were made by different devices or versions: {'; '.join(kinds.words())}. The "
        "last digits of the same image, or of its vector, may differ from one to another."
    )


def unfinished(run: Run, keys: Collection[str], gone: Collection[str] = ()) -> dict[str, str]:
    """Names of the shards that are not finished, with the reason; `gone` are damaged images.

    Finished is a shard whose record ends, with all images there, and with nothing left to do for
    `keys`: encoders and readers.
    """
    drawn = run.plan.pictures is None
    present = run.folder.present() if drawn else frozenset[str]()
    found: dict[str, str] = {}
    for shard in of(run):
        end = record(run.folder.path, shard.name).end
        ids = shard.ids
        lost = sum(id not in present for id in ids) if drawn else 0
        hurt = sum(id in gone for id in ids)
        if lost:
            those = counted(len(shard.samples), "image is", "images are")
            was = counted(hurt, "of them was", "of them were")
            found[shard.name] = f"{lost} of {those} missing" + (f", {was} damaged" if hurt else "")
        elif end is None:
            found[shard.name] = "its record has no last line"
        elif missing := sorted(set(keys) - set(end.keys)):
            found[shard.name] = f"nothing was read by {', '.join(missing)}"
    return found


def task(shard: Shard, names: Mapping[str, str]) -> tuple[Shard, dict[str, str]]:
    """A shard as a worker gets it, with the names of its images where they were made elsewhere."""
    return shard, {s.id: names[s.id] for s in shard.samples if s.id in names}
