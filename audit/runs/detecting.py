"""Detectors of copying that read the model's internals, and measures of the whole set.

They take time, so a run makes them on demand. A score alone means nothing: it is compared with the
ordinary prompts of the same run, which have no training image to reproduce.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit.errors import UserError, say
from audit.keys import BASELINE, digest
from audit.records import Finding
from audit.runs.context import Run
from audit.runs.given import INSIDE

if TYPE_CHECKING:
    from audit.evidence.copies.index import Index

BENIGN = 2000
"""Maximum ordinary prompts that captions are compared with, drawn by the run's seed."""
TOGETHER = 16
"""Texts whose scores are written at once; written scores are not computed again."""
MOST = 2000
"""Maximum images of each side in measures of the whole set, drawn by the run's seed."""

Scores = Callable[[Sequence[str]], np.ndarray]


def fits(run: Run) -> None:
    """Raise UserError for a requested detector that this run cannot use."""
    inside = [n for n in run.options.detect if n in INSIDE]
    if inside and run.plan.source is None:
        raise UserError(
            f"--detect {inside[0]} reads a model's internals, but there is no model. Give --model."
        )
    if "whole-set" in run.options.detect and run.plan.corpus is None:
        raise UserError(
            "--detect whole-set compares with a training set, but there is none. Give --corpus."
        )


def search(run: Run) -> pd.DataFrame:
    """Scores of captions and ordinary prompts by the detectors that read internals.

    Columns prompt, detector, side ("caption" or "ordinary"), score (higher: evidence of a copy, NaN
    if unknown) and reason.
    """
    texts, side = _asked(run)
    rows = []
    for name in (n for n in run.options.detect if n in INSIDE):
        found, reason = _scores(run, name, sorted(set(texts.values()))) if texts else ({}, "")
        rows += [(p, name, side[p], found.get(t, np.nan), reason) for p, t in texts.items()]
    return pd.DataFrame(rows, columns=["prompt", "detector", "side", "score", "reason"])


def _asked(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """Text and side by prompt: every caption, and a draw of ordinary prompts."""
    sides = {"replication": "caption", "representation": "ordinary"}
    drawn = {s.prompt for s in run.samples if s.arm == BASELINE}
    known = [p for p in run.suite.prompts if p.purpose in sides and p.id in drawn]
    ordinary = sorted(p.id for p in known if p.purpose == "representation")
    kept = set(np.random.default_rng(run.options.seed).permutation(ordinary)[:BENIGN])
    asked = [p for p in known if p.purpose == "replication" or p.id in kept]
    return {p.id: p.text for p in asked}, {p.id: sides[p.purpose] for p in asked}


def _scores(run: Run, name: str, texts: list[str]) -> tuple[dict[str, float], str]:
    """Scores by text, written to the run folder as they come, and the reason if there are none."""
    key = f"{name}-{digest([run.settings.__dict__, 1], 8)}"
    by_digest = {digest(t): t for t in texts}
    kept = run.folder.readings(key)
    found = {by_digest[d]: float(v or "nan") for d, (_, v) in kept.items() if d in by_digest}
    todo = [t for t in texts if t not in found]
    try:
        scores = _detector(run, name) if todo else None
        for start in range(0, len(todo), TOGETHER):
            some = todo[start : start + TOGETHER]
            assert scores is not None
            values = [float(v) for v in scores(some)]
            run.folder.add_readings(
                key, {digest(t): ("label", repr(v)) for t, v in zip(some, values, strict=True)}
            )
            found.update(zip(some, values, strict=True))
            run.progress(name.replace("-", " "), len(found), len(texts))
    except UserError as error:  # a model whose internals cannot be read costs no other result
        run.notes.append(f"--detect {name}: {error}")
        return found, str(error)
    known = any(np.isfinite(v) for v in found.values())
    return found, "" if known else "the model has no such attention, or its first steps no signal"


def _detector(run: Run, name: str) -> Scores:
    from audit.engine.bright_ending import bright_ending
    from audit.engine.magnitude import magnitude

    model = run.engine()
    if name == "magnitude":
        return lambda texts: magnitude(model, texts, run.settings).output_score
    return lambda texts: bright_ending(model, texts, run.settings).score


def whole_set(
    run: Run, known: Mapping[str, np.ndarray], index: Index, left_out: Collection[str] = ()
) -> list[Finding]:
    """Measures of the baseline's whole set against both sides; empty if not requested.

    `known` are descriptors by sample. `index` must exclude near-duplicates across the sides.
    Images of the prompts `left_out` obey captions, which this descriptor takes for copying.
    """
    if "whole-set" not in run.options.detect:
        return []
    from audit.findings import whole_set

    rng = np.random.default_rng(run.options.seed)
    made = [s for s in run.samples if s.arm == BASELINE and s.id in known]
    if obeying := [s for s in made if s.prompt in left_out]:
        run.notes.append(say(
            "Scores of the whole set leave out {n} images of captions: to a descriptor of what "
            "images show, obeying a caption looks like copying.", n=len(obeying)
        ))  # fmt: skip
        made = [s for s in made if s.prompt not in left_out]
    made = [made[int(i)] for i in np.sort(rng.permutation(len(made))[:MOST])]
    if not made:
        return []
    run.progress("whole set", 0, 1)
    train, held = (_drawn(side, rng) for side in (index.train, index.held))
    found = whole_set.findings(
        train, held, np.stack([known[s.id] for s in made]), run.options.seed,
        np.array([s.prompt for s in made]),
    )  # fmt: skip
    run.progress("whole set", 1, 1)
    run.notes += [f.sentence for f in found if f.key.detail == "alike" and f.p < whole_set.ALPHA]
    return found


def _drawn(side: Any, rng: np.random.Generator) -> np.ndarray:
    """Vectors of at most MOST distinct images of a side, without excluded ones."""
    there = np.flatnonzero(~np.asarray(side.left_out))
    return side.rows(np.sort(rng.permutation(there)[:MOST]))
