"""Flagging copies at a stated error rate: by a twin, by a null, or by a fixed threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from audit.stats.multiplicity import benjamini_hochberg
from audit.stats.selection import barber_candes, collapse, conformal_p

RATHER = 0.5
"""Rate of false flags up to which images are rather copies than not, though none can be flagged."""


def _none() -> np.ndarray:
    return np.zeros(0, bool)


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
    unsettled: np.ndarray = field(default_factory=_none)
    """bool[n]: images that may be copies, but are too few to be flagged; empty if unknown."""
    mirrored: np.ndarray = field(default_factory=_none)
    """bool[n]: images as near to held-out ones as flagged ones are to training images; empty
    where there is no such measure."""


def twin(w: np.ndarray, matched: np.ndarray, q: float) -> Selection:
    """Barber-Candes selection on W, one W per matched reference image.

    `w` float[n] = log(d_held / d_train), NaN for missing; `matched` object[n] names each image's
    nearest reference image of either side. Under no copying W is symmetric about 0 whatever the
    generator's quality, if both sides have as many images and are alike, so the share of false
    ones among the matched training images that are selected is at most `q` (Barber & Candes 2015).
    Images that share their match are one piece of evidence and are selected or rejected together:
    the rate counts a match once, however many images have it.
    """
    keep = independent(w, matched)
    threshold = barber_candes(w[keep], q)
    none = np.zeros(len(w), bool)
    known = np.nan_to_num(w, nan=0.0)
    if math.isfinite(threshold):
        return Selection(known >= threshold, threshold, int(keep.sum()), unsettled=none,
                         mirrored=known <= -threshold)  # fmt: skip
    return Selection(
        none, threshold, int(keep.sum()), _few(q), unsettled=_rather([w], [matched], q)
    )


def subsets(w: Sequence[np.ndarray], matched: Sequence[np.ndarray], q: float) -> Selection:
    """The twin on several random subsets of equal size, made one selection by e-values.

    `w` float[n] and `matched` object[n] of each subset, as in `twin`. A matched training image has
    the e-value m 1{W >= T} / (1 + #{W <= -T}) of each subset, 0 where it is not in it, with the
    threshold T at q / 2; their mean is selected by e-BH at `q`, which controls the false discovery
    rate over matched training images (Ren & Barber 2024, JRSS B 86:122, algorithm 2; Wang & Ramdas
    2022, JRSS B 84:822). An image is selected with its match.
    """
    none = np.zeros(len(w[0]), bool)
    chosen: list[np.ndarray] = []
    thresholds, evalues = [], dict[str, float]()
    for one, names in zip(w, matched, strict=True):
        keep = independent(one, names)
        t = barber_candes(one[keep], q / 2)
        thresholds.append(t)
        chosen.append(np.nan_to_num(one, nan=-math.inf) >= t if math.isfinite(t) else none)
        below = int((one[keep] <= -t).sum())
        for name in np.unique(names[chosen[-1]].astype(str)):
            evalues[name] = evalues.get(name, 0.0) + 1 / (1 + below) / len(w)
    ranked = np.sort(list(evalues.values()))[::-1]
    enough = np.flatnonzero(ranked * q * np.arange(1, len(ranked) + 1) >= 1 - 1e-9)
    evidence = int(independent(w[0], matched[0]).sum())
    if not len(enough):
        return Selection(none, math.inf, evidence, _few(q / 2), unsettled=_rather(w, matched, q))
    line = ranked[enough[-1]]
    names_in = [n for n, e in evalues.items() if e >= line - 1e-12]
    hits = [c & np.isin(m.astype(str), names_in) for c, m in zip(chosen, matched, strict=True)]
    threshold = min(float(a[h].min()) for a, h in zip(w, hits, strict=True) if h.any())
    mirror = [np.nan_to_num(a, nan=0.0) <= -t for a, t in zip(w, thresholds, strict=True)]
    return Selection(np.any(hits, 0), threshold, evidence, unsettled=none,
                     mirrored=np.mean(mirror, 0) > 0.5)  # fmt: skip


def _few(q: float) -> str:
    return f"at least {math.ceil(1 / q - 1e-9)} images must stand out"


def independent(w: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """bool[n]: of the images that share their match, the one with the largest |W|."""
    known = np.isfinite(w)
    keep = np.zeros(len(w), bool)
    keep[known] = collapse(w[known], np.unique(matched[known].astype(str), return_inverse=True)[1])
    return keep


def _rather(w: Sequence[np.ndarray], matched: Sequence[np.ndarray], q: float) -> np.ndarray:
    """Images that stand out though none can be flagged; all that may where evidence is too little.

    With fewer pieces of evidence than 1 / q, none could have been flagged, so every image nearer
    to the training set counts. Otherwise those that would be selected at a rate of RATHER.
    """
    out = np.zeros(len(w[0]), bool)
    for one, names in zip(w, matched, strict=True):
        keep = independent(one, names)
        t = barber_candes(one[keep], RATHER) if keep.sum() >= 1 / q else 0.0
        out |= np.nan_to_num(one, nan=-math.inf) >= t if t else np.nan_to_num(one) > 0
    return out


def conformal(scores: np.ndarray, null: np.ndarray, q: float) -> Selection:
    """Conformal p-values against a null, with Benjamini-Hochberg at `q`.

    `scores` float[n] nearest cosines, NaN for missing; `null` float[m] those of images that copy
    nothing, searched in the same index (Bates et al. 2023, theorem 2.1). It is valid where images
    that are not copied come as near as the null's do. A generator that draws nearer to the middle
    of its training set than real images are is wrongly flagged as copying; `twin` does not make
    this error. The rate is of images. Where nothing is selected, images nearer than the whole null
    stay open if the null is too small to flag one image alone, and so do those that would be
    selected at a rate of RATHER.
    """
    p = conformal_p(scores, null)
    adjusted = np.nan_to_num(benjamini_hochberg(p), nan=2.0)
    selected = adjusted <= q
    threshold = float(scores[selected].min()) if selected.any() else math.inf
    known = int(np.isfinite(scores).sum())
    least = math.ceil(known / q) - 1  # one image alone must have p <= q / n
    size = int(np.isfinite(null).sum())
    short = size < least and not selected.any()
    need = "" if not short else (
        f"{size} held-out images cannot single out one image of {known}; {least} could"
    )  # fmt: skip
    nearest = np.nan_to_num(p, nan=2.0) <= 1 / (size + 1) + 1e-12
    rather = (adjusted <= RATHER) | (short & nearest)
    return Selection(selected, threshold, known, need, p, unsettled=rather & ~selected.any())


def fixed(scores: np.ndarray, threshold: float) -> Selection:
    """Every score of at least a threshold, as in most published audits: the error rate is unknown.

    Raises ValueError for a threshold that is not a cosine.
    """
    if not -1 <= threshold <= 1:
        raise ValueError(f"{threshold} is not a cosine.")
    selected = np.nan_to_num(scores, nan=-2.0) >= threshold
    return Selection(selected, threshold, int(np.isfinite(scores).sum()),
                     unsettled=np.zeros(len(scores), bool))  # fmt: skip
