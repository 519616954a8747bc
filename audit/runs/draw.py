"""Drawing planned images that are missing, and the vectors of every image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from audit.datasets import pixels
from audit.errors import UserError
from audit.records import Sample
from audit.runs import mending, paraphrasing, shards, turning
from audit.runs.context import Run
from audit.runs.given import INSIDE
from audit.runs.packing import Packer
from audit.runs.writer import BackgroundWriter, keep_vectors

GROUP, ELSEWHERE = 64, 256
"""Images that are encoded together: of a run, and of images made elsewhere."""

NOTHING = {"failed": "are not numbers", "blank": "have one colour"}
"""Outcomes of images that show nothing, in words."""
ENOUGH = 32
"""Images of nothing after which a model that has drawn no other is given up."""
BLANK = "one colour, as safety checkers and failed decoders leave it"
"""Why an image made elsewhere counts as blocked."""


def generate(run: Run, encoders: Sequence[Any] = ()) -> None:
    """Draw the planned images that are missing or damaged; each is scored while the next is drawn.

    What is noted about their drawing is kept in the run folder (`notes`). Raises UserError where
    the model draws nothing; the worker of a shard leaves that to its command.
    """
    if run.plan.pictures is not None:
        return
    parts = shards.of(run)
    planned = [id for part in parts for id in part.ids]
    present = run.folder.present()
    present -= mending.removed(run, [id for id in planned if id in present])
    missing = set(planned) - present
    done = len(planned) - len(missing)
    packer = Packer(run, parts, missing)
    run.progress("images", done, len(planned))
    refuse_nothing(run)
    if not missing:
        packer.close()
        return
    todo: list[Sample] = []
    for part in parts:
        if some := [s for s in part.samples if s.id in missing]:
            shards.begin(run, part, present)
            todo += some
    from audit.engine.probe import Probe
    from audit.engine.texts import truncated

    model = run.engine()
    if not {*INSIDE}.isdisjoint(run.options.detect):
        Probe(model, run.settings)  # refuses a model that detectors cannot look into
    texts, against = _read_by_model(run)
    cut = [t for t in sorted(texts | against) if truncated(model, t)]
    run.folder.add_notes(cut, model.notes)
    todo = paraphrasing.reworded(todo, run.folder, model, run.settings, run.progress)
    known = bool(run.shard or present.intersection(planned) - run.folder.blocked().keys())
    work = _Work(run, encoders, packer, done, len(planned), known)
    for rows in turning.levels(todo):
        work.leave(turning.lacking(run, rows))
        if not work.draw([s for s in rows if s.id not in work.left]):
            break  # more would be wasted
    refuse_nothing(run)
    packer.close()
    if not run.shard:
        for part in parts:
            shards.finish(run, part, [e.key for e in encoders])


def _missing(batch: Any) -> list[str]:
    """Why each image of a batch is not kept; empty for those that are."""
    return [
        why or ("blank" if pixels.blank(picture) else "")
        for why, picture in zip(batch.missing, batch.pictures, strict=True)
    ]


@dataclass
class _Work:
    """The drawing of a plan, one turn after another."""

    run: Run
    encoders: Sequence[Any]
    packer: Packer
    done: int
    total: int
    shown: bool
    """Whether any image shows something."""
    drawn: int = 0
    left: set[str] = field(default_factory=set)
    """Samples that have no image, because the one that they go on from is missing."""

    def leave(self, reasons: Mapping[str, str]) -> None:
        """Keep why samples have no image to go on from."""
        for id, why in reasons.items():
            self.run.folder.write_blocked(id, why)
        self.left |= set(reasons)
        self._finished(list(reasons))

    def draw(self, samples: Sequence[Sample]) -> bool:
        """Draw samples whose earlier images are there; False where the model draws nothing."""
        from audit.engine.sampler import draw

        run = self.run
        todo = turning.captioned(run, samples, next(iter(self.encoders), None))
        groups = list(_groups(run))
        with BackgroundWriter(run.folder, self.encoders, groups, self._finished) as writer:
            for batch in draw(run.engine(), todo, run.settings, self._say, run.folder.read_image):
                missing = _missing(batch)
                writer.put(batch.ids, batch.pictures, missing)
                self.drawn += len(batch.ids)
                self.shown |= any(why not in NOTHING for why in missing)
                if self.drawn >= ENOUGH and not self.shown:
                    return False
        return True

    def _finished(self, ids: Sequence[str]) -> None:
        self.done += len(ids)
        self.packer.drawn(ids)
        self.run.progress("images", self.done, self.total)

    def _say(self, words: str) -> None:
        self.run.folder.add_notes(said=[words])


def _read_by_model(run: Run) -> tuple[set[str], set[str]]:
    """Texts and negative prompts of the plan."""
    against = {s.change.negative or run.settings.negative for s in run.samples} - {""}
    return {s.text for s in run.samples}, against


def refuse_nothing(run: Run) -> None:
    """Raise UserError where all images that were drawn show nothing: a whole plan, or ENOUGH."""
    if run.shard:
        return
    reasons, there = run.folder.blocked(), run.ids & run.folder.present()
    lost = Counter(reasons[i] for i in there if reasons.get(i) in NOTHING)
    if there and lost.total() == len(there) >= min(ENOUGH, len(run.ids)):
        said = ", ".join(f"{n} {NOTHING[why]}" for why, n in sorted(lost.items()))
        raise UserError(
            f"The model {run.settings.model} draws nothing: of {len(there)} images, {said}. Try "
            "--dtype float32 or bfloat16, since some models overflow at float16."
        )


def notes(run: Run) -> list[str]:
    """What was noted while the run's images were drawn, now or earlier."""
    kept = run.folder.notes()
    cut = [
        f"{n} {what} are longer than the model reads and were cut short."
        for what, read in zip(("texts", "negative prompts"), _read_by_model(run), strict=True)
        if (n := len(read.intersection(kept.cut)))
    ]
    mixed = shards.mixed(run.folder.path)
    return [*cut, *kept.said, *([mixed] if mixed else [])]


def _groups(run: Run) -> Iterator[list[str]]:
    """Ids that are encoded together, in the order of drawing; no group is in two shards."""
    size = GROUP if run.plan.pictures is None else ELSEWHERE
    for shard in shards.of(run):
        ids = shard.ids
        yield from (ids[start : start + size] for start in range(0, len(ids), size))


def vectors(run: Run, encoder: Any, step: str) -> dict[str, np.ndarray]:
    """Vectors of every image by one encoder; unreadable images are left out.

    An image of one colour, made elsewhere, is kept as blocked: it is what a safety checker or a
    failed decoder left, and a classifier would give it a class.
    """
    found = run.folder.vectors(encoder.key)
    wanted = run.ids - run.folder.blocked().keys()
    left, blank = len(wanted - found.keys()), set()
    reasons: dict[str, str] = {}

    def picture(id: str) -> np.ndarray:
        shown = run.picture(id)
        if run.plan.pictures is not None and pixels.blank(shown):
            blank.add(id)
            raise pixels.Unreadable(BLANK)
        return shown

    for group in _groups(run) if left else ():
        ids = [i for i in group if i in wanted]
        todo = sum(i not in found for i in ids)
        if todo:
            found.update(keep_vectors(run.folder, encoder, ids, picture, found, reasons))
            left -= todo
            run.progress(step, len(wanted) - left, len(wanted))
    for id in blank:
        run.folder.write_blocked(id, "blocked")
    run.unread.update({i: why for i, why in reasons.items() if i not in blank})
    return {i: found[i] for i in sorted(wanted) if i in found}
