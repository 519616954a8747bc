"""Blocks of a training set in several processes or commands, each a part of one index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.datasets import far
from audit.errors import Damaged, counted
from audit.evidence.encoders import named
from audit.files import checked, loads, now, write_atomic
from audit.runs import shards
from audit.runs.context import Progress
from audit.runs.distributing import device_of, ready, results, several
from audit.runs.gathering import FILE, unfinished
from audit.runs.given import AUTO
from audit.runs.indexing import Made, Opened, Plan, finish, opened
from audit.runs.locks import alone, moment, registered
from audit.runs.options import Options
from audit.store import RunFolder

if TYPE_CHECKING:
    from audit.evidence.copies.blocks import Block


@dataclass(frozen=True)
class Indexing:
    """The job of indexing blocks of a training set."""

    training: str
    out: Path
    plan: Plan

    def worker(self, number: int) -> Indexer:
        """The worker of a number: on its own GPU where there are several."""
        own = self.plan.descriptor in (AUTO, *named.ARITHMETIC)  # on the processor
        device = "" if own else device_of(self.plan.device, number)
        return Indexer(self.out, opened(self.training, self.plan, device))


@dataclass
class Indexer:
    """Indexes blocks one after another with the same descriptor."""

    out: Path
    found: Opened
    begun: Any = None
    maker: shards.Maker | None = field(default=None)

    def do(self, block: Block, tell: Progress) -> None:
        """Write the missing shards of a block, then the last line of its record."""
        from audit.evidence.copies import index

        if self.begun is None:
            self.begun = index.begin(self.found.sides, self.found.encoder, self.out, self.found.how)
            self.maker = shards.maker(str(getattr(self.found.encoder, "device", "cpu")))
        maker, done = self.maker, 0
        assert maker is not None

        def tick(pieces: int) -> None:
            nonlocal done
            done += pieces
            tell("index", done, len(block.units))

        began = shards.Began(maker.device, maker.versions, now())
        shards.write(self.out, block.name, [began])
        damaged = index.add(
            self.found.sides[block.side], block, self.begun.encoder, self.out,
            str(self.found.how["dtype"]), tick,
        )  # fmt: skip
        end = shards.Done(now(), len(block.units) - len(damaged), len(damaged), [])
        shards.write(self.out, block.name, [began, end])


def make(training: str, out: Path, plan: Plan, options: Options, progress: Progress) -> Made:
    """The index, whose blocks are made by as many processes as there are workers.

    The same index as `indexing.make` makes, in the same files.
    """
    far.refuse(out)
    ready(options)
    found, folder = opened(training, plan), RunFolder(out)
    with folder.lock(), alone(folder):
        if several(options):
            _do(_job(training, out, plan), _begin(found, out).blocks, options, progress)
        return finish(found, out, progress)


def _job(training: str, out: Path, plan: Plan) -> Indexing:
    """The job with whole paths: actors may run in another folder."""

    def whole(text: str) -> str:
        return str(Path(text).resolve()) if Path(text).exists() else text

    held = None if plan.held_out is None else whole(plan.held_out)
    return Indexing(whole(training), out.resolve(), replace(plan, held_out=held))


def part(training: str, out: Path, plan: Plan, options: Options, progress: Progress) -> None:
    """Do part I of N of the blocks; `gather` makes the index of all of them."""
    far.refuse(out)
    found, folder = opened(training, plan), RunFolder(out)
    number, parts = map(int, options.shard.split("/"))
    with ExitStack() as held:
        with moment(folder):
            asked = {"training": training, **asdict(plan)}
            write_atomic(out / FILE, (json.dumps(asked, indent=1, sort_keys=True) + "\n").encode())
            mine = _begin(found, out).blocks[number - 1 :: parts]
            held.enter_context(registered(folder, options.shard))
        _do(_job(training, out, plan), mine, options, progress)


def _begin(found: Opened, out: Path) -> Any:
    from audit.evidence.copies import index

    return index.begin(found.sides, found.encoder, out, found.how)


def _do(job: Indexing, blocks: Sequence[Block], options: Options, progress: Progress) -> None:
    """Do the blocks that have no finished record."""
    todo = [b for b in blocks if shards.record(job.out, b.name).end is None]
    total, seen = sum(len(b.units) for b in todo), dict[int, int]()

    def tell(place: int, name: str, done: int, of: int) -> None:
        seen[place] = done
        progress(name, sum(seen.values()), total)

    for _ in results(job, todo, job.out, options, tell):
        pass


def is_index(folder: Path) -> bool:
    """Whether the parts in a folder are those of an index."""
    try:
        return "training" in checked(dict[str, Any], loads((folder / FILE).read_bytes()))
    except (OSError, ValueError):
        return False


def gather(out: Path, options: Options, progress: Progress) -> Made:
    """The index of parts that are all there; Incomplete with those that are not.

    UserError where a descriptor is a file, or code, that `options` does not name.
    """
    try:
        asked = checked(dict[str, Any], loads((out / FILE).read_bytes()))
        training = checked(str, asked.pop("training"))
        plan = checked(Plan, {**asked, "device": options.device})
    except (OSError, ValueError, KeyError) as error:
        raise Damaged(f"{out / FILE} is damaged. Run the command of one part again.") from error
    if plan.descriptor != AUTO:
        given = "" if options.descriptor == AUTO else options.descriptor
        where = "" if options.trust_code else f"The index {out}"
        named.recorded(plan.descriptor, given, "cpu", where)
        plan = replace(plan, descriptor=given or plan.descriptor)
    found, folder = opened(training, plan), RunFolder(out)
    with folder.lock(), alone(folder):
        lost = _unfinished(out, _begin(found, out).blocks)
        if lost:
            raise unfinished(counted(len(lost), f"block of {out} is", f"blocks of {out} are"), lost)
        return finish(found, out, progress)


def _unfinished(out: Path, blocks: Sequence[Block]) -> list[str]:
    """Blocks whose record does not end, or whose shards are gone or damaged, with the reason."""
    from audit.evidence.copies import index

    found = []
    for place, block in enumerate(blocks, 1):
        end = shards.record(out, block.name).end
        if end is None:
            found.append(f"block {place} of {len(blocks)}: its record has no last line")
            continue
        there = index.pieces(out, block)
        if there < end.images:
            lost = end.images - there
            gone = f"{lost} of {counted(end.images, 'piece is', 'pieces are')} gone"
            found.append(f"block {place} of {len(blocks)}: {gone}")
            shards.reopen(out, block.name)
    return found
