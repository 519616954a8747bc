"""The cost of avoiding a classifier's errors, and which groups it leaves without labels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, chi2_contingency, fisher_exact

from audit.stats.amplification import difference
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import wilson


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
    """Share of images without a label, by group."""
    p: float
    method: str
    """`Fisher`, `chi-square` or `chi-square, drawn`."""
    pair: tuple[int, int]
    """Groups of the largest difference, the larger share first; (-1, -1) where unknown."""
    difference: Interval
    """Of that pair; limits are valid for all pairs at once, as it was chosen for its size."""
    floor: float
    """Mean of the largest difference where groups do not differ, at these n."""
    floor_high: float
    """The value that it then exceeds in 5 % of cases."""


def _drawn(missing: np.ndarray, totals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tables int[4999, g] with the same margins, where groups do not differ."""
    return np.asarray(rng.multivariate_hypergeometric(totals, int(missing.sum()), 4999))


def _test(missing: np.ndarray, totals: np.ndarray, tables: np.ndarray) -> tuple[float, str]:
    """p-value of no difference between groups, and the name of the test."""
    table = np.stack([missing, totals - missing])
    if len(totals) == 2:
        return float(fisher_exact(table).pvalue), "Fisher"
    share = missing.sum() / totals.sum()
    if (np.outer([share, 1 - share], totals) >= 5).all():
        return float(chi2_contingency(table, correction=False).pvalue), "chi-square"
    # With fixed margins chi-square is a constant times this sum.
    weigh = ((np.vstack([missing, tables]) - totals * share) ** 2 / totals).sum(1)
    hits = int((weigh[1:] >= weigh[0] * (1 - 1e-9)).sum())
    return (1 + hits) / (len(tables) + 1), "chi-square, drawn"


def differential_missingness(
    missing: np.ndarray, totals: np.ndarray, rng: np.random.Generator, level: float = 0.95
) -> Missingness:
    """Whether the share of images without a label differs by group, and by how much at most.

    `missing` int[g] of `totals` int[g] images, independent of each other within a group. Two
    groups: Fisher's exact test. More: Pearson's chi-square, by 4,999 draws with the same margins
    where a cell expects fewer than 5 (Phipson & Smyth 2010, eq. 2). The largest difference has
    Newcombe's limits (1998, method 10) at a level valid for all pairs (Bonferroni), and is
    accompanied by its value where groups do not differ: the largest of many is never 0. Groups
    without images have an unknown share and are left out; NaN where fewer than two are left, or no
    image or every image has a label, except for the difference, which is then 0. Raises ValueError
    for impossible counts.
    """
    missing, totals = np.asarray(missing), np.asarray(totals)
    if missing.shape != totals.shape or (missing < 0).any() or (missing > totals).any():
        raise ValueError("Each group's missing images must be between 0 and its total.")
    shares = tuple(wilson(int(k), int(n), level) for k, n in zip(missing, totals, strict=True))
    groups = np.flatnonzero(totals)
    if len(groups) < 2:
        nan = math.nan
        return Missingness(shares, nan, "too few groups", (-1, -1), UNKNOWN, nan, nan)
    k, n = missing[groups], totals[groups]
    tables = _drawn(k, n, rng)
    gaps = np.ptp(tables / n, axis=1)
    constant = k.sum() in (0, n.sum())
    p, method = (math.nan, "all groups alike") if constant else _test(k, n, tables)
    rates = k / n
    i, j = int(rates.argmax()), int(rates.argmin())
    if i == j:
        i, j = 0, 1
    pairs = len(list(itertools.combinations(groups, 2)))
    high, low = (wilson(int(k[g]), int(n[g]), 1 - (1 - level) / pairs) for g in (i, j))
    return Missingness(
        shares, p, method, (int(groups[i]), int(groups[j])), difference(high, low),
        float(gaps.mean()), float(np.quantile(gaps, 0.95)),
    )  # fmt: skip


def exchanged_prompts(
    missing: np.ndarray, totals: np.ndarray, groups: np.ndarray, rng: np.random.Generator,
    draws: int = 1999,
) -> float:  # fmt: skip
    """p of equal shares of missing images in all groups, by exchanging whole prompts.

    `missing` int[m] of `totals` int[m] images of each prompt, whose group is `groups` int[m].
    Images of a prompt are lost together: prompts are what is exchangeable where groups are alike.
    The statistic is Pearson's; p counts the data among the draws (Phipson & Smyth 2010, eq. 2).
    NaN for fewer than two groups, where no group has two prompts, and where every image or none is
    missing.
    """
    sizes = np.bincount(groups)
    rate = missing.sum() / max(totals.sum(), 1)
    if (sizes > 0).sum() < 2 or sizes.max() < 2 or rate in (0, 1):
        return math.nan

    def statistic(order: np.ndarray) -> float:
        k, n = (np.bincount(groups, weights=x[order]) for x in (missing, totals))
        used = n > 0
        return float(((k[used] - rate * n[used]) ** 2 / n[used]).sum())

    own = statistic(np.arange(len(groups)))
    others = [statistic(rng.permutation(len(groups))) for _ in range(draws)]
    return (1 + int((np.array(others) >= own - 1e-9).sum())) / (draws + 1)
