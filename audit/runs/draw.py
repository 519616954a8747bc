"""Drawing planned images that are missing, and the vectors of every image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from audit.datasets import pixels
from audit.errors import UserError
from audit.runs import paraphrasing
from audit.runs.context import Run

NOTHING = {"failed": "are not numbers", "blank": "have one colour"}
"""Outcomes of images that show nothing, in words."""
ENOUGH = 32
"""Images of nothing after which a model that has drawn no other is given up."""


def generate(run: Run, encoders: Sequence[Any] = ()) -> None:
    """Draw the planned images that are missing; each is scored while the next is drawn.

    Raises UserError where the model draws nothing.
    """
    planned = {s.id: s for s in run.samples}
    if run.plan.pictures is not None:
        return
    present = run.folder.present()
    todo = [s for i, s in planned.items() if i not in present]
    done = len(planned) - len(todo)
    run.progress("images", done, len(planned))
    _refuse_nothing(run)
    if not todo:
        return
    from audit.engine.sampler import draw
    from audit.runs.writer import BackgroundWriter

    model = run.engine()
    said = [*model.notes, *_cut_short(run, model)]
    run.notes += [n for n in said if n not in run.notes]
    todo = paraphrasing.reworded(todo, run.folder, model, run.settings, run.progress)

    def finished(n: int) -> None:
        nonlocal done
        done += n
        run.progress("images", done, len(planned))

    shown = bool(present & planned.keys() - run.folder.blocked().keys())
    drawn = 0
    with BackgroundWriter(run.folder, encoders, finished) as writer:
        for batch in draw(model, todo, run.settings, run.notes.append):
            missing = [
                why or ("blank" if pixels.blank(picture) else "")
                for why, picture in zip(batch.missing, batch.pictures, strict=True)
            ]
            writer.put(batch.ids, batch.pictures, missing)
            drawn += len(batch.ids)
            shown |= any(why not in NOTHING for why in missing)
            if drawn >= ENOUGH and not shown:
                break  # more would be wasted
    _refuse_nothing(run)


def _cut_short(run: Run, model: Any) -> list[str]:
    """Notes on texts that the model reads in part."""
    from audit.engine.texts import truncated

    texts = {s.text for s in run.samples}
    against = {s.change.negative or run.settings.negative for s in run.samples} - {""}
    return [
        f"{n} {what} are longer than the model reads and were cut short."
        for what, some in (("texts", texts), ("negative prompts", against))
        if (n := sum(truncated(model, t) for t in some))
    ]


def _refuse_nothing(run: Run) -> None:
    """Raise UserError where all images that were drawn show nothing: a whole plan, or ENOUGH."""
    planned = {s.id for s in run.samples}
    reasons, there = run.folder.blocked(), planned & run.folder.present()
    lost = Counter(reasons[i] for i in there if reasons.get(i) in NOTHING)
    if there and lost.total() == len(there) >= min(ENOUGH, len(planned)):
        said = ", ".join(f"{n} {NOTHING[why]}" for why, n in sorted(lost.items()))
        raise UserError(
            f"The model {run.settings.model} draws nothing: of {len(there)} images, {said}. Try "
            "--dtype float32 or bfloat16, since some models overflow at float16."
        )


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
