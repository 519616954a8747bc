"""Shards of a run in several processes or commands: who does which, and what is then there.

Workers write files of their own samples into the run folder. What they leave undone, the command
that started them, or the next one, does itself, so no result depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from audit import registry
from audit.records import Settings, Suite
from audit.runs import choosing, cluster, conditions, draw, pool, reading, shards, slurm
from audit.runs.context import Plan, Progress, Run
from audit.runs.given import AUTO
from audit.runs.options import Options
from audit.runs.shards import Shard


@dataclass(frozen=True)
class Searched:
    """What a worker knows of the training set: the descriptor of its index, if there is one."""

    descriptor: str | None


@dataclass(frozen=True)
class Drawing:
    """The job of drawing, encoding and reading shards of a run."""

    folder: Path
    suite: Suite
    options: Options
    settings: Settings
    source: Any
    corpus: Searched | None

    def worker(self, number: int) -> Worker:
        """The worker of a number: on its own GPU where there are several."""
        device = device_of(self.options.device, number)
        return Worker(replace(self, options=replace(self.options, device=device)))


def device_of(name: str, number: int) -> str:
    """The device of a worker by its number, where `name` leaves open which GPU is meant."""
    import torch

    from audit.engine.model import device

    on = device(name)
    if on.type != "cuda" or on.index is not None:
        return str(on)
    return f"cuda:{number % torch.cuda.device_count()}"


@dataclass
class Worker:
    """Does shards one after another with the same models."""

    job: Drawing
    engine: Any = None
    made: dict[str, Any] = field(default_factory=dict)
    """The encoders, once they are loaded."""

    def do(self, task: tuple[Shard, Mapping[str, str]], tell: Progress) -> None:
        """Draw what is missing of a shard, encode and read it, and close its record."""
        (shard, names), job = task, self.job
        pictures = (lambda id: self._elsewhere.image(names[id])) if job.options.images else None
        plan = Plan(
            job.suite, job.options, job.settings, shard.samples, job.corpus, job.source,
            job.options.device, pictures, names,
        )  # fmt: skip
        folder = shards.Part(job.folder, shard)
        run = Run(plan, folder, tell, shard=shard.name, _engine=self.engine)
        if not self.made:
            classifier, descriptor = choosing.encoders(run)
            self.made = {"classifier": classifier, "copies": descriptor}
        encoders = [e for e in self.made.values() if e is not None]
        shards.begin(run, shard, folder.present())
        draw.generate(run, encoders)
        self.engine = run._engine  # noqa: SLF001 - loaded once for all shards
        known = {n: draw.vectors(run, e, n) for n, e in self.made.items() if e is not None}
        reading.read_ahead(run, self.made["classifier"], known["classifier"])
        shards.finish(run, shard, keys(run, encoders))

    @cached_property
    def _elsewhere(self) -> Any:
        from audit.design.imported.pictures import read

        assert self.job.options.images is not None
        return read(self.job.options.images, self.job.options.prompts, self.job.options.chosen)


def keys(run: Run, encoders: Sequence[Any]) -> list[str]:
    """What a finished shard was encoded and read by."""
    return [*(e.key for e in encoders), *(a.reader for a in reading.read_by_pixels(run))]


def ahead(run: Run, encoders: Sequence[Any]) -> None:
    """With workers: draw, encode and read all shards that are not finished."""
    if several(run.options) and run.plan.labels is None:
        wanted = shards.unfinished(run, keys(run, encoders))
        _do(run, [s for s in shards.of(run) if s.name in wanted])


def part(run: Run, encoders: Sequence[Any]) -> None:
    """Do part I of N of the shards that are not finished."""
    number, parts = map(int, run.options.shard.split("/"))
    wanted = shards.unfinished(run, keys(run, encoders))
    _do(run, [s for s in shards.of(run)[number - 1 :: parts] if s.name in wanted])


def _do(run: Run, todo: Sequence[Shard]) -> None:
    """Do shards in as many processes as there are workers."""
    job = Drawing(
        run.folder.path.resolve(), run.suite, _from_anywhere(run), run.settings,
        run.plan.source and replace(run.plan.source, path=run.plan.source.path.absolute()),
        None if run.plan.corpus is None else Searched(_encoder(run.plan.corpus.descriptor)),
    )  # fmt: skip
    tasks, total = [shards.task(s, run.plan.names) for s in todo], _Total(run, todo)
    shown = False
    with closing(results(job, tasks, run.folder.path, run.options, total)) as found:
        for _ in found:
            if not shown and run.plan.pictures is None:
                draw.refuse_nothing(run)
                shown = bool(run.folder.present() - run.folder.blocked().keys())
    shards.collect_notes(run.folder)


def _from_anywhere(run: Run) -> Options:
    """The options with whole paths, and the precision of this command's device.

    Workers may run in another folder, and on a device that would be used at another precision.
    """
    given, names = run.options, ("out", "images", "prompts", "config", "tuned")
    whole: dict[str, Any] = {n: p.resolve() for n in names if (p := getattr(given, n)) is not None}
    kind, sign, place = given.control.partition("=")
    place = place if place == conditions.MADE else _whole(place)
    whole |= {
        "controlnet": _whole(given.controlnet), "control": f"{kind}{sign}{place}",
        "classifier": _encoder(given.classifier), "descriptor": _encoder(given.descriptor),
        "loras": tuple(str(Path(lora).expanduser().absolute()) for lora in given.loras),
    }  # fmt: skip
    return replace(given, **whole, dtype=run.settings.dtype or AUTO)


def _whole(text: str) -> str:
    """The whole path of what is there; a name, such as one of the hub, unchanged."""
    path = Path(text).expanduser()
    return str(path.absolute()) if text and path.exists() else text


def _encoder(name: str) -> str:
    """The name of an encoder with the whole path of its folder, if it is one."""
    before, local, place = name.partition(registry.LOCAL)
    return name if before or not local else f"{registry.LOCAL}{_whole(place)}"


def several(options: Options) -> bool:
    """Whether others than this process do the work."""
    return bool(options.ray or options.slurm) or pool.count(options) > 1


def ready(options: Options) -> None:
    """Raise UserError where those who are to do the work cannot be asked, before anything else."""
    if options.slurm:
        slurm.ready()


def results(
    job: pool.Job, tasks: Sequence[Any], folder: Path, options: Options,
    tell: Callable[[int, str, int, int], None],
) -> Generator[tuple[int, Any], None, None]:  # fmt: skip
    """Position and result of each task, as they end: by Ray, SLURM, processes, or this one."""
    if not tasks:
        return
    if options.ray:
        yield from cluster.work(job, tasks, folder, options, tell)
    elif options.slurm:
        yield from slurm.work(job, tasks, folder, options, tell)
    else:
        yield from pool.here(job, tasks, pool.count(options), tell)


class _Total:
    """One progress of all workers: sums over the shards that are under way or finished."""

    def __init__(self, run: Run, todo: Sequence[Shard]) -> None:
        self._run, self._of = run, [len(s.samples) for s in todo]
        names = {s.name for s in todo}
        others = [s for s in shards.of(run) if s.name not in names]
        self._before = sum(len(s.samples) for s in others)
        self._done: dict[str, dict[int, int]] = {}

    def __call__(self, place: int, step: str, done: int, total: int) -> None:
        """`done` of `total` units of a step of the shard at `place` are finished."""
        here = self._done.setdefault(step, {})
        here[place] = done
        if step.endswith("drawn again"):
            self._run.progress(step, done, total)
            return
        self._run.progress(step, self._before + sum(here.values()), self._before + sum(self._of))


def missing(run: Run, encoders: Sequence[Any], gone: Collection[str]) -> list[str]:
    """What is not finished, a line for each shard; `gone` are damaged images."""
    wanted = shards.unfinished(run, keys(run, encoders), gone)
    every = shards.of(run)
    return [
        f"shard {place} of {len(every)}: {wanted[s.name]}"
        for place, s in enumerate(every, 1) if s.name in wanted
    ]  # fmt: skip
