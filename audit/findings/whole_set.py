"""Copying seen in the whole set: published scores, each with its value without copies.

The scores are known to mistake a generator with too little variety for one that copies. Their
p-values therefore come from permuted labels, training or held-out, which such a generator cannot
affect. Permuting them presupposes that both sets were collected alike; a kernel two-sample test
says whether they differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from audit.errors import figure, listed, say
from audit.findings.claim import Claim, Counts, adjusted, finding
from audit.findings.wording import cap, p_value, percent
from audit.findings.wording import estimate as worded
from audit.keys import BASELINE, Key, Unit
from audit.records import Finding
from audit.stats.discrepancy import gaussian_kernel, median_distance, mmd_test
from audit.stats.error_control import twin
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.likelihood_copying import fld_memorization
from audit.stats.neighbours import nearest
from audit.stats.permutation_copying import (
    SHRINKAGE,
    Calibrated,
    Pool,
    authenticity_statistic,
    c_t_statistic,
    calibrate,
    zu_statistic,
)
from audit.stats.proportions import cluster_bootstrap, effective_n, wilson
from audit.stats.whole_set import (
    CELL,
    Cells,
    Distances,
    authentic,
    authenticity,
    distances,
    prdc,
    spread,
)

LEAST = 50
"""Images that each set needs for a result."""
DRAWS, RESAMPLES = 999, 1000
"""Permutations of the labels, and resamples of the generated images."""
CELLS, WIDTH, NEIGHBOURS, RATE = 3, 64, 5, 0.1
"""C_T: cells, and most dimensions. PRDC: neighbours. Twin: false discovery rate."""
ALPHA = 0.05
"""Level of each test."""
COMPARED = 1000
"""Most images of either reference set in the test of whether they are alike: its memory grows with
their square."""
FAMILY = "copying in the whole set"
NAMES: Mapping[str, str] = {
    "zu": "nearness to the training set rather than to held-out images (Zu)",
    "c_t": "the same within cells of like images (C_T)",
    "authenticity": "share of images outside their training image's own neighbourhood",
    "precision": "share of images inside the training images' neighbourhoods (precision)",
    "recall": "share of training images inside the generated images' neighbourhoods (recall)",
    "density": "training neighbourhoods that contain an image, over their size (density)",
    "coverage": "share of training images with a generated image nearby (coverage)",
    "memorized": "share of images more memorized than any held-out image",
    "alike": "difference of the held-out images from the training images (squared MMD)",
}
"""The quantity of each finding, by the detail of its key."""
UNITS: Mapping[str, Unit] = dict.fromkeys(("zu", "c_t", "density", "alike"), "coefficient")
"""Units of those that are not shares."""


@dataclass(frozen=True)
class _Sets:
    """Distinct reference images, the generated images that are not missing, and their clusters."""

    train: np.ndarray
    held: np.ndarray
    made: np.ndarray
    clusters: np.ndarray
    missing: int
    seed: int

    @property
    def references(self) -> np.ndarray:
        return np.concatenate([self.train, self.held])

    @property
    def labels(self) -> np.ndarray:
        """bool[N] of `references`: is it a training image?"""
        return np.arange(len(self.train) + len(self.held)) < len(self.train)

    @property
    def short(self) -> str:
        """Why nothing can be concluded; else empty."""
        train, held, made = (len(x) for x in (self.train, self.held, self.made))
        told = {say("{n} training", n=train): train, say("{n} held-out", n=held): held,
                say("{n} generated", n=made): made}  # fmt: skip
        few = listed((words for words, n in told.items() if n < LEAST), " and ")
        said = say("there are {few} images, and {least} are needed", few=few, least=LEAST)
        return said if few else ""

    def rng(self, what: str) -> np.random.Generator:
        """Random generator of one finding, independent of the others' draws."""
        return np.random.default_rng([self.seed, list(NAMES).index(what)])


def findings(
    train: np.ndarray, held: np.ndarray, generated: np.ndarray, seed: int,
    clusters: np.ndarray | None = None,
) -> list[Finding]:  # fmt: skip
    """One finding per score of NAMES, from features float[l, d], float[n, d] and float[m, d].

    Rows of `generated` with a NaN are missing images. `clusters` [m] names each one's prompt;
    without it each is its own cluster. Equal reference images count once, and as training images
    where they are on both sides; the caller must leave out near-duplicates, or p is not exact. With
    fewer than 50 images in a set, everything is undecided. Raises ValueError for features of
    different widths.
    """
    sets = _sets(train, held, generated, seed, clusters)
    if sets.short:
        return [_unknown(sets, name) for name in NAMES]
    out = [_zu(sets), _c_t(sets), _authenticity(sets), *_prdc(sets), _memorized(sets)]
    out.append(_alike(sets))
    return [_tested(f) if f.family else f for f in adjusted(out)]


def _sets(
    train: np.ndarray, held: np.ndarray, generated: np.ndarray, seed: int,
    clusters: np.ndarray | None,
) -> _Sets:  # fmt: skip
    train, held, made = (np.asarray(s, float) for s in (train, held, generated))
    widths = {s.shape[1:] for s in (train, held, made)}
    if len(widths) > 1 or len(widths.pop()) != 1:
        raise ValueError("All three sets must be [images, features] of equal width.")
    names = np.arange(len(made)) if clusters is None else np.asarray(clusters)
    if len(names) != len(made):
        raise ValueError(f"{len(names)} clusters do not fit {len(made)} images.")
    there = np.isfinite(made).all(1)
    both = np.concatenate([train, held])
    known = np.flatnonzero(np.isfinite(both).all(1))
    first = np.sort(known[np.unique(both[known], axis=0, return_index=True)[1]])
    place = pd.factorize(names[there])[0]
    return _Sets(both[first[first < len(train)]], both[first[first >= len(train)]], made[there],
                 place, int((~there).sum()), seed)  # fmt: skip


def _finding(sets: _Sets, name: str, ci: Interval, method: str, sentence: str) -> Finding:
    key = Key("replication", BASELINE, "", "", "whole_set", name)
    claim = Claim(key, NAMES[name], "whole run", UNITS.get(name, "share"), "images", method)
    reasons = {"no features": sets.missing} if sets.missing else {}
    size = Counts(len(sets.made), math.nan, sets.missing, reasons)
    return finding(claim, ci, size, verdict="described", sentence=sentence)


def _unknown(sets: _Sets, name: str, why: str = "") -> Finding:
    text = say("{where}: not known, because {value}.", where=cap(NAMES[name]),
               value=why or sets.short)  # fmt: skip
    return replace(_finding(sets, name, UNKNOWN, "none", text), verdict="undecided")


def _tested(f: Finding) -> Finding:
    """The finding with its verdict, and the warning."""
    middle = f.references["labels permuted"]
    share = f.unit == "share"
    value = worded(f.estimate, f.low, f.high) if share else _number(f)
    text = say(
        "{quantity}: {value}, n = {n}; a generator like this that copies nothing scores about "
        "{usual}, p = {p}. {caveat}", quantity=cap(f.quantity), value=value, n=f.n,
        usual=percent(middle) if share else figure(f"{middle:.1f}"), p=p_value(f.p),
        caveat=SHRINKAGE,
    )  # fmt: skip
    return replace(f, verdict="found" if f.q < ALPHA else "not found", sentence=text)


def _number(ci: Finding | Interval, digits: int = 1) -> str:
    limits = f" [{ci.low:.{digits}f}, {ci.high:.{digits}f}]" if math.isfinite(ci.low) else ""
    return figure(f"{ci.estimate:.{digits}f}{limits}")


def _permuted(f: Finding, sets: _Sets, got: Calibrated, usual: float) -> Finding:
    """The finding with its p, and the score under permuted labels."""
    method = say(
        "{method}; p by {n} permutations of {train} training and {held} held-out images, which "
        "must have been collected alike", method=f.method, n=len(got.null), train=len(sets.train),
        held=len(sets.held),
    )  # fmt: skip
    return replace(f, p=got.p, family=FAMILY, references={**f.references, "labels permuted": usual},
                   method=method)  # fmt: skip


def _resampled(sets: _Sets, found: Distances, least: int, rng: np.random.Generator) -> Interval:
    """Percentile interval, resampling whole clusters of generated images, and held-out images."""
    every, held = np.arange(len(sets.made)), np.arange(len(sets.held))
    estimate = found.c_t(every, held, least)
    members = np.split(np.argsort(sets.clusters, kind="stable"),
                       np.cumsum(np.bincount(sets.clusters))[:-1])  # fmt: skip
    if len(members) < 2 or not math.isfinite(estimate):
        return Interval(estimate, math.nan, math.nan)
    scores = []
    for _ in range(RESAMPLES):
        picks = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        scores.append(found.c_t(picks, rng.integers(len(held), size=len(held)), least))
    low, high = np.nanquantile(scores, (0.025, 0.975))
    return Interval(estimate, float(low), float(high))


def _zu(sets: _Sets) -> Finding:
    rng = sets.rng("zu")
    found = distances(sets.train, sets.held, sets.made)
    ci = _resampled(sets, found, 0, rng)
    pool = Pool.of(sets.references, sets.made)
    got = calibrate(zu_statistic(pool), sets.labels, rng, DRAWS)
    method = "Mann-Whitney U of nearest distances; cluster bootstrap by prompt"
    f = replace(_finding(sets, "zu", ci, method, ""),
                n_effective=effective_n(found.made, sets.clusters))  # fmt: skip
    return _permuted(f, sets, got, got.middle)


def _c_t(sets: _Sets) -> Finding:
    rng, real, made = sets.rng("c_t"), sets.references, sets.made
    if real.shape[1] > WIDTH and len(real) > WIDTH:
        reducer = PCA(WIDTH, random_state=sets.seed).fit(real)
        real, made = reducer.transform(real), reducer.transform(made)
    means = KMeans(CELLS, n_init=10, random_state=sets.seed).fit(real)
    at, made_at = means.labels_, means.predict(made)
    train = sets.labels
    cells = Cells(at[train], at[~train], made_at)
    found = distances(real[train], real[~train], made, cells)
    ci = _resampled(sets, found, CELL, rng)
    if not math.isfinite(ci.estimate):
        few = say("no cell holds more than {n} generated images", n=CELL)
        return _unknown(sets, "c_t", few)
    got = calibrate(c_t_statistic(real, made, at, made_at), train, rng, DRAWS)
    method = say("mean of Zu over {n} cells by k-means on training and held-out images; cluster "
                 "bootstrap by prompt", n=CELLS)  # fmt: skip
    f = replace(_finding(sets, "c_t", ci, method, ""),
                n_effective=effective_n(found.made, sets.clusters))  # fmt: skip
    return _permuted(f, sets, got, got.middle)


def _share(sets: _Sets, hits: np.ndarray, rng: np.random.Generator) -> tuple[Interval, str]:
    """Mean of hits per generated image, resampling prompts; Wilson where all prompts agree."""
    values, number = hits.astype(float), int(sets.clusters.max()) + 1
    if np.ptp(values) > 0 and number > 1:
        return cluster_bootstrap(values, sets.clusters, rng), "cluster bootstrap by prompt"
    if hits.dtype == bool:
        ci = wilson(round(values.mean() * number), number)
        return replace(ci, estimate=float(values.mean())), "Wilson with prompts as sample size"
    return Interval(float(values.mean()), math.nan, math.nan), "no interval: all images alike"


def _authenticity(sets: _Sets) -> Finding:
    rng, hits = sets.rng("authenticity"), authentic(sets.train, sets.made)
    ci, method = _share(sets, hits, rng)
    pool = Pool.of(sets.references, sets.made)
    got = calibrate(authenticity_statistic(pool), sets.labels, rng, DRAWS)
    swapped = authenticity(sets.held, sets.made) / 100
    f = replace(
        _finding(sets, "authenticity", ci, f"{method}; difference from swapped labels", ""),
        n_effective=effective_n(hits.astype(float), sets.clusters),
        references={"held-out images": authenticity(sets.train, sets.held) / 100,
                    "labels swapped": swapped},
    )  # fmt: skip
    return _permuted(f, sets, got, float(np.clip(swapped + got.middle / 100, 0, 1)))


def _prdc(sets: _Sets) -> list[Finding]:
    """PRDC against the training images, compared with that of the held-out images."""
    parts = vars(spread(sets.train, sets.made, NEIGHBOURS))
    size = min(len(sets.held), len(sets.made))
    twins = sets.held[np.sort(sets.rng("precision").permutation(len(sets.held))[:size])]
    usual = prdc(sets.train, twins, NEIGHBOURS)
    out = []
    for name, part in zip(("precision", "density", "recall", "coverage"), parts, strict=True):
        values, target = parts[part], float(getattr(usual, name))
        by_image = name in ("precision", "density")
        units = sets if by_image else replace(sets, clusters=np.arange(len(values)))
        ci, method = _share(units, values, sets.rng(name))
        if not by_image:
            method = method.replace("cluster bootstrap by prompt", "bootstrap of training images")
            method = method.replace("prompts", "training images") + ", the generated ones given"
        plain = name == "density"
        value = _number(ci, 2) if plain else worded(ci.estimate, ci.low, ci.high)
        text = say(
            "{quantity}: {value}, n = {n}; {size} held-out images have {against}. Copies and too "
            "little variety move it alike.", quantity=cap(NAMES[name]), value=value,
            n=len(sets.made), size=size,
            against=figure(f"{target:.2f}") if plain else percent(target),
        )  # fmt: skip
        how = say("{n} nearest neighbours; {method}", n=NEIGHBOURS, method=method)
        f = _finding(sets, name, ci, how, text)
        ess = effective_n(values.astype(float), sets.clusters) if by_image else math.nan
        out.append(replace(f, references={"held-out images": target}, n_effective=ess))
    return out


def _memorized(sets: _Sets) -> Finding:
    """Images above the held-out maximum, and those that the twin selects."""
    rng = sets.rng("memorized")
    varied = np.ptp(sets.references, axis=0) > 0
    train, held, made = (s[:, varied] for s in (sets.train, sets.held, sets.made))
    both = np.concatenate([train, held])  # one scale for both sides, so they can be swapped
    to_train, to_held = (fld_memorization(s, both, made) for s in (train, held))

    def most(real: np.ndarray, others: np.ndarray) -> float:
        some = others[np.sort(rng.permutation(len(others))[: len(made)])]
        return float(fld_memorization(real, both, some).max())

    line, other_line = most(train, held), most(held, train)
    hits, other = to_train > line, float((to_held > other_line).mean())
    ci, method = _share(sets, hits, rng)
    f = replace(
        _finding(sets, "memorized", ci, f"likelihood by Gaussians at each image; {method}", ""),
        n_effective=effective_n(hits.astype(float), sets.clusters),
        references={"labels swapped": other},
    )
    text = say("{quantity}: {share}, n = {n}; with training and held-out images swapped {other}.",
               quantity=cap(f.quantity), share=worded(ci.estimate, ci.low, ci.high), n=f.n,
               other=percent(other))  # fmt: skip
    if not 0.9 <= len(train) / len(held) <= 1 / 0.9:
        return replace(f, sentence=say("{text} {caveat}", text=text, caveat=SHRINKAGE))
    # Low scores are arbitrary: an image that explains nothing can have any width. Higher ones
    # compare.
    floor = max(line, other_line)
    w = np.maximum(to_train, floor) - np.maximum(to_held, floor)
    called = _singled_out(train, held, made, w)
    count = int(called.sum())
    text = say("{text} {count} stand out against a held-out twin at a false discovery rate of "
               "{rate}. {caveat}", text=text, count=count, rate=percent(RATE),
               caveat=SHRINKAGE)  # fmt: skip
    return replace(f, verdict="found" if count else "not found", sentence=text,
                   method=f"{f.method}; Barber-Candes selection on the difference")  # fmt: skip


def _singled_out(
    train: np.ndarray, held: np.ndarray, made: np.ndarray, w: np.ndarray
) -> np.ndarray:
    """bool[m] by the twin on differences of scores, one piece of evidence per reference image."""
    near, far = nearest(made, train)[1][:, 0], nearest(made, held)[1][:, 0]
    matched = np.where(w > 0, near, -1 - far).astype(str)
    return twin(w, matched, RATE).selected


def _alike(sets: _Sets) -> Finding:
    """Whether the held-out images differ from the training images, whatever was generated."""
    rng = sets.rng("alike")
    train, held = (s[np.sort(rng.permutation(len(s))[:COMPARED])] for s in (sets.train, sets.held))
    width = median_distance(np.concatenate([train, held]))
    got = mmd_test(
        (train, np.arange(len(train))), (held, np.arange(len(held))),
        partial(gaussian_kernel, sigma=width), rng, DRAWS,
    )  # fmt: skip
    differ = (
        "They differ: both a p-value and a copy flagged against held-out images presuppose that "
        "the sets were collected alike."
        if got.p < ALPHA
        else "No difference was found."
    )
    text = say("{quantity}: {value}, n = {n} and {held}, p = {p}. {differ}",
               quantity=cap(NAMES["alike"]), value=_number(got.interval, 4), n=len(train),
               held=len(held), p=p_value(got.p), differ=differ)  # fmt: skip
    method = say("Gaussian kernel of the median distance; p by {n} permutations; jackknife over "
                 "images", n=DRAWS)  # fmt: skip
    f = _finding(sets, "alike", got.interval, method, text)
    return replace(f, n=len(train) + len(held), missing=0, reasons={}, p=got.p)
