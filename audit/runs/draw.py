"""Drawing planned images that are missing, and the vectors of every image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from audit.keys import digest
from audit.runs import mending, paraphrasing
from audit.runs.context import Run
from audit.runs.writer import BackgroundWriter, keep_vectors

GROUP, ELSEWHERE = 64, 256
"""Images that are encoded together: of a run, and of images made elsewhere."""


def generate(run: Run, encoders: Sequence[Any] = ()) -> None:
    """Draw the planned images that are missing or damaged; each is scored while the next is drawn.

    What is noted about their drawing is kept in the run folder (`notes`).
    """
    planned = {s.id: s for s in run.samples}
    if run.plan.pictures is not None:
        return
    present = run.folder.present()
    present -= mending.removed(run, [i for i in planned if i in present])
    todo = [s for i, s in planned.items() if i not in present]
    done = len(planned) - len(todo)
    run.progress("images", done, len(planned))
    if not todo:
        return
    from audit.engine.sampler import draw
    from audit.engine.texts import truncated

    model = run.engine()
    cut = [t for t in {s.text for s in run.samples} if truncated(model, t)]
    run.folder.add_notes(cut=cut)
    todo = paraphrasing.reworded(todo, run.folder, model, run.settings, run.progress)

    def finished(n: int) -> None:
        nonlocal done
        done += n
        run.progress("images", done, len(planned))

    def say(words: str) -> None:
        run.folder.add_notes(said=[words])

    with BackgroundWriter(run.folder, encoders, list(_groups(run)), finished) as writer:
        for batch in draw(model, todo, run.settings, say):
            writer.put(batch.ids, batch.pictures, batch.blocked)


def notes(run: Run) -> list[str]:
    """What was noted while the run's images were drawn, now or earlier."""
    kept = run.folder.notes()
    cut = len({s.text for s in run.samples}.intersection(kept.cut))
    long = [f"{cut} texts are longer than the model reads and were cut short."] if cut else []
    return [*long, *kept.said]


def _groups(run: Run) -> Iterator[list[str]]:
    """Ids that are encoded together: the plan in about the order in which it is drawn."""
    if run.plan.pictures is not None:
        ids, size = sorted({s.id for s in run.samples}), ELSEWHERE
    else:
        order: dict[str, list[str]] = {}
        for s in sorted(run.samples, key=lambda s: s.text):
            order.setdefault(digest(s.change.as_json()), []).append(s.id)
        ids, size = list(dict.fromkeys(i for some in order.values() for i in some)), GROUP
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def vectors(run: Run, encoder: Any, step: str) -> dict[str, np.ndarray]:
    """Vectors of every image by one encoder; unreadable images are left out."""
    found = run.folder.vectors(encoder.key)
    wanted = {s.id for s in run.samples} - run.folder.blocked().keys()
    left = len(wanted - found.keys())
    for group in _groups(run) if left else ():
        ids = [i for i in group if i in wanted]
        todo = sum(i not in found for i in ids)
        if todo:
            found.update(keep_vectors(run.folder, encoder, ids, run.picture, found))
            left -= todo
            run.progress(step, len(wanted) - left, len(wanted))
    return {i: found[i] for i in sorted(wanted) if i in found}
