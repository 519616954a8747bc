"""How much of a label is due to template or seed, and whether one template decides a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from audit.stats.decisions import verdict
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import effective_n, wilson

REST = "rest"
"""Name of the part that no factor explains."""


@dataclass(frozen=True)
class Component:
    """What one factor contributes to the variance of a label."""

    name: str
    variance: float
    """Unbiased, so it may be below 0 where there is no effect."""
    share: Interval
    """Share of the total variance, clipped to 0..1."""
    levels: int


@dataclass(frozen=True)
class Components:
    """Variance components in the order of the factors, the rest last."""

    parts: tuple[Component, ...]
    total: float
    """Sum of the components: the variance of the label over all possible images."""
    n: int
    missing: int
    reason: str = ""
    """Why components or their limits are unknown; empty where they are known."""

    def __getitem__(self, name: str) -> Component:
        return next(p for p in self.parts if p.name == name)


def crossed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One level int[n] for each pair of levels that occurs, e.g. a prompt: template and subject."""
    a, b = (np.unique(v, return_inverse=True)[1] for v in (first, second))
    return np.unique(a * (int(b.max(initial=0)) + 1) + b, return_inverse=True)[1]


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Sum of n_ij^2 / n_i over the levels of two factors: the trace of P_i Z_j Z_j'."""
    cells, counts = np.unique(first * (int(second.max()) + 1) + second, return_counts=True)
    sizes = np.bincount(first)
    return float((counts**2 / sizes[cells // (int(second.max()) + 1)]).sum())


def _moments(values: np.ndarray, levels: list[np.ndarray]) -> np.ndarray:
    """Variances float[k + 1] of k factors and the rest; NaN where they cannot be separated."""
    n = len(values)
    factors = [*(np.unique(f, return_inverse=True)[1] for f in levels), np.arange(n)]
    centred = values - values.mean()  # makes sums of squares be about the mean
    whole = np.zeros(n, int)
    squares = [float((np.bincount(f, centred) ** 2 / np.bincount(f)).sum()) for f in factors]
    base = np.array([_overlap(whole, g) for g in factors])
    system = np.array([[_overlap(f, g) for g in factors] for f in factors]) - base
    scale = np.abs(system).max(axis=1, keepdims=True)
    if (scale <= 1e-9 * n).any() or np.linalg.cond(system / scale) > 1e8:
        return np.full(len(factors), math.nan)
    return np.linalg.solve(system, np.array(squares))


def _shares(variances: np.ndarray) -> np.ndarray:
    total = variances.sum()
    return variances / total if total > 1e-12 else np.full(len(variances), math.nan)


def _jackknife(
    values: np.ndarray, levels: list[np.ndarray], unit: np.ndarray, level: float
) -> np.ndarray:
    """Half-widths float[k + 1] of the shares, each unit left out once; NaN where impossible."""
    names = np.unique(unit)
    if len(names) < 3:
        return np.full(len(levels) + 1, math.nan)
    left = []
    for name in names:
        keep = unit != name
        left.append(_shares(_moments(values[keep], [f[keep] for f in levels])))
    spread = np.array(left) - np.mean(left, axis=0)
    c = len(names)
    error = np.sqrt((c - 1) / c * (spread**2).sum(0))
    return np.asarray(student.ppf((1 + level) / 2, c - 1) * error)


def variance_components(
    values: np.ndarray, factors: Mapping[str, np.ndarray], unit: np.ndarray, level: float = 0.95
) -> Components:
    """Variance of a label among images by factor, and the rest, which no factor explains.

    `values` float[n] 0/1 (other numbers work too), NaN for missing; each factor any labels [n],
    crossed or, with a separate level for each prompt (`crossed`), nested; sizes may differ.
    Analysis of variance with random effects: uncorrected sums of squares equated with their
    expectations (Henderson 1953, Biometrics 9:226, method 1), which are unbiased whatever the
    distribution and in balanced data those of the classical table. A factor represents only its own
    levels: five templates show how far five such templates differ.

    Limits: jackknife over `unit` any labels [n], with Student's t of units - 1 (Efron & Stein 1981,
    Ann Stat 9:586), clipped to 0..1. With subjects as units they describe what other subjects would
    have given with the same templates and seeds. Unknown, with a reason, where all labels are the
    same or factors cannot be separated. Raises ValueError where lengths differ.
    """
    if any(len(f) != len(values) for f in (*factors.values(), unit)):
        raise ValueError("Values, factors and units must have the same length.")
    known = np.isfinite(values)
    y, missing = np.asarray(values, float)[known], int((~known).sum())
    levels = [np.unique(np.asarray(f)[known], return_inverse=True)[1] for f in factors.values()]
    names, sizes = [*factors, REST], [*(len(np.unique(f)) for f in levels), len(y)]
    variances = np.full(len(names), math.nan)
    reason = ""
    if len(y) < 2 or np.ptp(y) == 0:
        reason = "all labels are the same" if len(y) else "no image has a label"
    elif np.isnan(variances := _moments(y, levels)).any():
        reason = "the factors cannot be told apart, or one has a single level"
    shares = _shares(variances)
    reach = np.full(len(names), math.nan)
    if not reason:
        reach = _jackknife(y, levels, np.asarray(unit)[known], level)
        reason = "too few units to leave one out" if np.isnan(reach).any() else ""
    parts = tuple(
        Component(name, float(v), _cut(float(s), float(r)), size)
        for name, v, s, r, size in zip(names, variances, shares, reach, sizes, strict=True)
    )
    return Components(parts, float(variances.sum()), len(y), missing, reason)


def _cut(share: float, reach: float) -> Interval:
    low, mid, high = np.clip([share - reach, share, share + reach], 0, 1)
    return Interval(float(mid), float(low), float(high))


@dataclass(frozen=True)
class TemplateVerdict:
    """One template: its own result, and the result without it."""

    template: object
    n: int
    missing: int
    share: Interval
    own: str
    """Verdict of this template alone against the reference."""
    without: Interval
    verdict_without: str
    change: str
    """Effect of leaving it out: `none`, `lost`, `gained` or `reversed`."""


@dataclass(frozen=True)
class TemplateVerdicts:
    """The claim of all templates together, and of each one."""

    share: Interval
    verdict: str
    templates: tuple[TemplateVerdict, ...]

    @property
    def robust(self) -> bool:
        """Whether no single template decides the verdict."""
        return all(t.change == "none" for t in self.templates)


def _share(values: np.ndarray, clusters: np.ndarray, level: float) -> Interval:
    """Wilson's interval at the effective sample size; over clusters where that is unknown."""
    n, groups = len(values), len(np.unique(clusters))
    if n == 0:
        return UNKNOWN
    size = effective_n(values, clusters) if groups > 1 else float(n)
    size = groups if math.isnan(size) else size
    return wilson(float(values.mean()) * size, size, level)


def _change(before: str, after: str) -> str:
    claims = ("above", "below")
    if before == after:
        return "none"
    if before in claims and after in claims:
        return "reversed"
    return "lost" if before in claims else ("gained" if after in claims else "none")


def template_verdicts(
    labels: np.ndarray, templates: np.ndarray, prompts: np.ndarray, reference: float,
    level: float = 0.95,
) -> TemplateVerdicts:  # fmt: skip
    """Whether the verdict on a share against a reference depends on one template.

    `labels` float[n] 0/1, NaN for missing; `templates` and `prompts` any labels [n], prompts being
    the clusters (one template of one subject). Intervals are Wilson's (1927) at Kish's effective
    sample size over prompts; a template with one prompt counts its images. Raises ValueError where
    lengths differ.
    """
    if not len(labels) == len(templates) == len(prompts):
        raise ValueError("Labels, templates and prompts must have the same length.")
    known = np.isfinite(labels)
    whole = _share(labels[known], prompts[known], level)
    found, rows = verdict(whole, reference), []
    for name in np.unique(templates):
        at = templates == name
        own, rest = (_share(labels[m], prompts[m], level) for m in (known & at, known & ~at))
        after = verdict(rest, reference)
        rows.append(
            TemplateVerdict(
                name.item(), int((known & at).sum()), int((at & ~known).sum()), own,
                verdict(own, reference), rest, after, _change(found, after),
            )
        )  # fmt: skip
    return TemplateVerdicts(whole, found, tuple(rows))
