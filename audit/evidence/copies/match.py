"""Generated images against the training set: exact scores and the twin design's evidence.

Under "no copying" a generated image is as near to the held-out set as to the training set, so the
difference of its two nearest scores is symmetric about 0, whatever the generator's quality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from audit.evidence.copies import flags
from audit.evidence.copies.index import Index
from audit.keys import MATCH_COLUMNS
from audit.records import Sample


def match(
    samples: Sequence[Sample],
    vectors: Mapping[str, np.ndarray],
    outcomes: Mapping[str, str],
    index: Index,
) -> pd.DataFrame:
    """One row per sample (MATCH_COLUMNS); no `copy` is decided yet.

    A sample without a vector is kept with NaN scores and its outcome as the reason.
    """
    known = [s for s in samples if s.id in vectors]
    stack = np.stack([vectors[s.id] for s in known]) if known else np.empty((0, index.dimensions))
    score, where = index.nearest(stack)
    held, held_where = index.nearest(stack, held_out=True)
    place = {s.id: i for i, s in enumerate(known)}
    rows = []
    for s in samples:
        i = place.get(s.id)
        entry = index.train.entry(int(where[i])) if i is not None else None
        rows.append(
            {
                "sample": s.id, "prompt": s.prompt, "arm": s.arm, "seed": s.seed,
                "score": float(score[i]) if i is not None else np.nan,
                "held_score": float(held[i]) if i is not None else np.nan,
                "held": _held_id(index, held_where, i),
                "train": entry.id if entry else None,
                "train_caption": entry.caption if entry else None,
                "repeats": index.train.times(int(where[i])) if i is not None else 0,
                "outcome": "label" if entry else outcomes.get(s.id, "unreadable"),
            }
        )  # fmt: skip
    none = np.zeros(len(rows), bool)
    table = pd.DataFrame(rows, columns=list(MATCH_COLUMNS))
    seeds = pd.array([s.seed for s in samples], dtype="Int64")
    return table.assign(seed=seeds, copy=flags.column(none, known=none))


def stacked(table: pd.DataFrame, vectors: Mapping[str, np.ndarray], index: Index) -> np.ndarray:
    """The vectors of a table's samples in its order, float32[n, d]; NaN where there is none."""
    missing = np.full(index.dimensions, np.nan, np.float32)
    return np.stack([vectors.get(s, missing) for s in table["sample"]])


def _held_id(index: Index, where: np.ndarray, i: int | None) -> str | None:
    if i is None or where[i] < 0:
        return None
    return index.held.entry(int(where[i])).id


def twin_evidence(scores: np.ndarray, held: np.ndarray) -> np.ndarray:
    """W = log(d_held / d_train), float64[n], from cosines; positive is evidence of copying.

    Distances are chords of the unit sphere, d = sqrt(2 - 2 cos), floored at 1e-3 to give an exact
    copy a finite W.
    """
    near, far = (np.sqrt(np.maximum(2 - 2 * s.astype(np.float64), 1e-6)) for s in (scores, held))
    return np.asarray(np.log(far / near))
