"""The cost of avoiding a classifier's errors, and which groups it leaves without labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from audit.stats.amplification import difference
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import effective_n, intraclass, wilson


def _checked(confidence: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    confidence, wrong = np.asarray(confidence, float), np.asarray(wrong, float)
    if confidence.shape != wrong.shape or confidence.ndim != 1:
        raise ValueError("Confidences and errors must pair up.")
    if not np.isfinite(confidence).all() or not np.isin(wrong, (0, 1)).all():
        raise ValueError("Confidences must be known, and an error is 0 or 1.")
    return confidence, wrong


@dataclass(frozen=True)
class Threshold:
    """The lowest threshold with guaranteed risk; NaN where there is none."""

    threshold: float
    coverage: Interval
    """Share of images that keep their label, by Wilson's interval."""
    risk: float
    """Share of wrong labels among them, in the calibration data."""
    bound: float
    """Upper limit of their risk."""
    kept: int
    reason: str = ""
    """Why there is no threshold; empty where there is one."""


def upper_bound(errors: np.ndarray, n: np.ndarray, delta: float) -> np.ndarray:
    """Upper limit of the risk behind `errors` of `n`, at 1 - delta: the binomial tail inverted.

    One-sided limit of Clopper & Pearson (1934), the B* of Geifman & El-Yaniv (2017, NeurIPS, lemma
    3.1); arrays of one shape, 1 where n = 0 or all are errors.
    """
    errors, n = np.asarray(errors), np.asarray(n)
    bound = beta.ppf(1 - delta, errors + 1.0, np.maximum(n - errors, 0.5))
    return np.where(errors >= n, 1.0, bound)


def guaranteed_threshold(
    confidence: np.ndarray, wrong: np.ndarray, grid: np.ndarray, risk: float, delta: float = 0.05
) -> Threshold:
    """The lowest threshold whose true risk is at most `risk`, except with probability `delta`.

    `confidence` float[n] and `wrong` bool[n] of calibration images, one for each prompt, because
    images of one prompt are not independent; `grid` float[g] thresholds fixed before the data were
    seen: an image keeps its label at this confidence or above. Selection with guaranteed risk
    (Geifman & El-Yaniv 2017, NeurIPS, sec. 3), with their exact binomial tail at delta / g for each
    of the grid's thresholds (Bonferroni) in place of their search over log2 n steps: the search
    takes its thresholds from the data, where a tail bound for a fixed threshold guarantees less
    than it seems to. All bounds are valid at once, so any of them may be chosen. Raises ValueError
    where the two do not pair up or a value is missing, for an empty grid, and for a risk or delta
    outside 0..1.
    """
    confidence, wrong = _checked(confidence, wrong)
    grid = np.unique(np.asarray(grid, float))
    if not len(grid) or not (0 < risk < 1 and 0 < delta < 1):
        raise ValueError("The grid needs thresholds, and risk and delta must be inside 0..1.")
    keep = confidence >= grid[:, None]
    kept, errors = keep.sum(1), (keep & (wrong > 0)).sum(1)
    bounds = upper_bound(errors, kept, delta / len(grid))
    good = np.flatnonzero(bounds <= risk)
    if not len(good):
        need = math.ceil(math.log(delta / len(grid)) / math.log1p(-risk))
        reason = f"no threshold is shown to have so little risk; without errors {need} images would"
        return Threshold(math.nan, UNKNOWN, math.nan, math.nan, 0, reason)
    i = int(good[0])
    return Threshold(
        float(grid[i]), wilson(int(kept[i]), len(confidence)), float(errors[i] / kept[i]),
        float(bounds[i]), int(kept[i]),
    )  # fmt: skip


@dataclass(frozen=True)
class Missingness:
    """Whether groups differ in how often an image has no label."""

    shares: tuple[Interval, ...]
    """Share of images without a label, by group; NaN for a group without images."""
    p: float
    """By exchanging whole prompts between groups."""
    pair: tuple[int, int]
    """Groups of the largest difference, the larger share first; (-1, -1) where unknown."""
    difference: Interval
    """Of that pair; limits are valid for all pairs at once, as it was chosen for its size."""
    floor: float
    """Mean of the largest difference where groups do not differ, at these prompts."""
    floor_high: float
    """The value that it then exceeds in 5 % of cases."""


NOTHING_KNOWN = (math.nan, math.nan, math.nan)
"""p, floor and its upper limit where prompts cannot be exchanged."""


def differential_missingness(
    missing: np.ndarray, totals: np.ndarray, groups: np.ndarray, rng: np.random.Generator,
    level: float = 0.95, draws: int = 1999,
) -> Missingness:  # fmt: skip
    """Whether the share of images without a label differs by group, and by how much at most.

    `missing` int[m] of `totals` int[m] images of each prompt, whose group is `groups` int[m] in
    0..g-1. Images of a prompt are lost together, so prompts are what is exchangeable where groups
    are alike: p is that of Pearson's statistic among `draws` exchanges (Phipson & Smyth 2010, eq.
    2), and the largest difference is accompanied by its value in them, as the largest of many is
    never 0. Its limits are Newcombe's (1998, method 10) at the effective numbers of images (Kish
    1965, one likeness within prompts for all groups), and at a level valid for all pairs
    (Bonferroni). NaN for p and floor where fewer than two groups have images, no group has two
    prompts, or every image or none is missing. Raises ValueError for impossible counts.
    """
    missing, totals, groups = np.asarray(missing), np.asarray(totals), np.asarray(groups)
    if missing.shape != totals.shape or (missing < 0).any() or (missing > totals).any():
        raise ValueError("Each prompt's missing images must be between 0 and its total.")
    count = int(groups.max(initial=-1)) + 1
    k, n = (np.bincount(groups, weights=x, minlength=count) for x in (missing, totals))
    sizes = _effective(missing, totals, groups)
    known = np.flatnonzero(n)
    rates = np.divide(k, n, out=np.full(count, math.nan), where=n > 0)
    shares = tuple(wilson(r * m, m, level) if m else UNKNOWN
                   for r, m in zip(rates, sizes, strict=True))  # fmt: skip
    if len(known) < 2:
        return Missingness(shares, math.nan, (-1, -1), UNKNOWN, math.nan, math.nan)
    i, j = int(np.nanargmax(rates)), int(np.nanargmin(rates))
    if i == j:
        i, j = (int(g) for g in known[:2])
    pairs = math.comb(len(known), 2)
    high, low = (wilson(rates[g] * sizes[g], sizes[g], 1 - (1 - level) / pairs) for g in (i, j))
    p, *floor = _exchanged(missing, totals, groups, rng, draws)
    return Missingness(shares, p, (i, j), difference(high, low), *floor)


def _effective(missing: np.ndarray, totals: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Effective number of images of each group, float[g]; its prompts where likeness is unknown."""
    prompt = np.repeat(np.arange(len(totals)), totals)
    within = np.arange(len(prompt)) - (np.cumsum(totals) - totals)[prompt]
    lost, group = (within < missing[prompt]).astype(float), groups[prompt]
    icc = intraclass(lost, prompt, group)
    out = np.zeros(int(groups.max(initial=-1)) + 1)
    for g in np.unique(group):
        at = group == g
        size = effective_n(lost[at], prompt[at], icc) if np.ptp(lost) else math.nan
        out[g] = size if math.isfinite(size) else float(len(np.unique(prompt[at])))
    return out


def _exchanged(
    missing: np.ndarray, totals: np.ndarray, groups: np.ndarray, rng: np.random.Generator,
    draws: int,
) -> tuple[float, float, float]:  # fmt: skip
    """p, mean and 95 % quantile of the largest difference where prompts change places."""
    there = totals > 0
    missing, totals, groups = missing[there], totals[there], groups[there]
    sizes = np.bincount(groups)
    rate = missing.sum() / max(totals.sum(), 1)
    if (sizes > 0).sum() < 2 or sizes.max() < 2 or rate in (0, 1):
        return NOTHING_KNOWN
    member = (groups == np.flatnonzero(sizes)[:, None]).astype(float)
    orders = np.vstack([np.arange(len(groups)), rng.permuted(
        np.tile(np.arange(len(groups)), (draws, 1)), axis=1)])  # fmt: skip
    k, n = missing[orders] @ member.T, totals[orders] @ member.T
    weigh = ((k - rate * n) ** 2 / n).sum(1)
    gaps = np.ptp(k / n, axis=1)[1:]
    hits = int((weigh[1:] >= weigh[0] - 1e-9).sum())
    return (1 + hits) / (draws + 1), float(gaps.mean()), float(np.quantile(gaps, 0.95))
