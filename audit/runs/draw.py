"""Drawing planned images that are missing, and the vectors of every image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from audit.datasets import pixels
from audit.runs import paraphrasing
from audit.runs.context import Run


def generate(run: Run, encoders: Sequence[Any] = ()) -> None:
    """Draw the planned images that are missing; each is scored while the next is drawn."""
    planned = {s.id: s for s in run.samples}
    if run.plan.pictures is not None:
        return
    present = run.folder.present()
    todo = [s for i, s in planned.items() if i not in present]
    done = len(planned) - len(todo)
    run.progress("images", done, len(planned))
    if not todo:
        return
    from audit.engine.sampler import draw
    from audit.engine.texts import truncated
    from audit.runs.writer import BackgroundWriter

    model = run.engine()
    too_long = sum(truncated(model, t) for t in {s.text for s in run.samples})
    if too_long:
        run.notes.append(f"{too_long} texts are longer than the model reads and were cut short.")

    todo = paraphrasing.reworded(todo, run.folder, model, run.settings, run.progress)

    def finished(n: int) -> None:
        nonlocal done
        done += n
        run.progress("images", done, len(planned))

    with BackgroundWriter(run.folder, encoders, finished) as writer:
        for batch in draw(model, todo, run.settings, run.notes.append):
            writer.put(batch.ids, batch.pictures, batch.blocked)


def vectors(run: Run, encoder: Any, step: str) -> dict[str, np.ndarray]:
    """Vectors of every image by one encoder; unreadable images are left out."""
    found = run.folder.vectors(encoder.key)
    wanted = sorted({s.id for s in run.samples} - run.folder.blocked().keys())
    todo = [i for i in wanted if i not in found]
    done = len(wanted) - len(todo)
    for pictures, reasons in pixels.together(todo, run.picture):
        done += len(pictures) + len(reasons)
        run.unread.update(reasons)
        shown = _without_blank(run, pictures)
        if shown:
            ids, rows = list(shown), encoder.images(list(shown.values()))
            run.folder.add_vectors(encoder.key, ids, rows)
            found.update(zip(ids, rows, strict=True))
        run.progress(step, done, len(wanted))
    return {i: found[i] for i in wanted if i in found}


def _without_blank(run: Run, pictures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The images that depict something: one of one colour, made elsewhere, is kept as blocked.

    It is what a safety checker or a failed decoder left, and a classifier would give it a class.
    """
    if run.plan.pictures is None:
        return pictures
    blank = [i for i, p in pictures.items() if pixels.blank(p)]
    for id in blank:
        run.folder.write_blocked(id, "blocked")
    return {i: p for i, p in pictures.items() if i not in blank}
