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
    for start in range(0, len(todo), 256):
        ids, pictures = [], []
        for id in todo[start : start + 256]:
            try:
                pictures.append(run.picture(id))
                ids.append(id)
            except pixels.Unreadable:
                continue
        if ids:
            rows = encoder.images(pictures)
            run.folder.add_vectors(encoder.key, ids, rows)
            found.update(zip(ids, rows, strict=True))
        run.progress(step, len(wanted) - len(todo) + start + len(ids), len(wanted))
    return {i: found[i] for i in wanted if i in found}
