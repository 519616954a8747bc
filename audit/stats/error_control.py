"""Flagging copies at a stated error rate: by a twin, by a null, or by a fixed threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from audit.stats.multiplicity import benjamini_hochberg
from audit.stats.selection import barber_candes, collapse, conformal_p


@dataclass(frozen=True)
class Selection:
    """Which of n images are flagged as copies, and how."""

    selected: np.ndarray
    """bool[n]; a missing image is never selected."""
    threshold: float
    """Smallest score (W for a twin) flagged as a copy; infinite where nothing can be flagged."""
    evidence: int
    """Pieces of evidence that the threshold rests on: images, or matched reference images."""
    need: str = ""
    """What it would take to flag anything as a copy, where this is impossible."""
    p: np.ndarray | None = None
    """float[n] p-values by the null, where there is one."""


def twin(w: np.ndarray, matched: np.ndarray, q: float) -> Selection:
    """Barber-Candes selection on W, one W per matched reference image.

    `w` float[n] = log(d_held / d_train), NaN for missing; `matched` object[n] names each image's
    nearest reference image of either side. Under no copying W is symmetric about 0 whatever the
    generator's quality, so the share of false flags is at most `q` (Barber & Candes 2015). Images
    that share their match are one piece of evidence and are selected or rejected together.
    """
    known = np.isfinite(w)
    keep = np.zeros(len(w), bool)
    keep[known] = collapse(w[known], np.unique(matched[known].astype(str), return_inverse=True)[1])
    threshold = barber_candes(w[keep], q)
    need = "" if math.isfinite(threshold) else f"at least {math.ceil(1 / q)} images must stand out"
    return Selection(np.nan_to_num(w, nan=-math.inf) >= threshold if np.isfinite(threshold)
                     else np.zeros(len(w), bool), threshold, int(keep.sum()), need)  # fmt: skip


def conformal(scores: np.ndarray, null: np.ndarray, q: float) -> Selection:
    """Conformal p-values against a null, with Benjamini-Hochberg at `q`.

    `scores` float[n] nearest cosines, NaN for missing; `null` float[m] those of images that copy
    nothing, searched in the same index (Bates et al. 2023, theorem 2.1). It is valid where images
    that are not copied come as near as the null's do. A generator that draws nearer to the middle
    of its training set than real images are is wrongly flagged as copying; `twin` does not make
    this error.
    """
    p = conformal_p(scores, null)
    adjusted = benjamini_hochberg(p)
    selected = np.nan_to_num(adjusted, nan=2.0) <= q
    threshold = float(scores[selected].min()) if selected.any() else math.inf
    known = int(np.isfinite(scores).sum())
    least = math.ceil(known / q) - 1  # one image alone must have p <= q / n
    size = int(np.isfinite(null).sum())
    need = "" if size >= least or selected.any() else (
        f"{size} held-out images cannot single out one image of {known}; {least} could"
    )  # fmt: skip
    return Selection(selected, threshold, known, need, p)


def fixed(scores: np.ndarray, threshold: float) -> Selection:
    """Every score of at least a threshold, as in most published audits: the error rate is unknown.

    Raises ValueError for a threshold that is not a cosine.
    """
    if not -1 <= threshold <= 1:
        raise ValueError(f"{threshold} is not a cosine.")
    selected = np.nan_to_num(scores, nan=-2.0) >= threshold
    return Selection(selected, threshold, int(np.isfinite(scores).sum()))
