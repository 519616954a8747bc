"""Copies found without a training set: images of one prompt that repeat.

A model that has copied an image reproduces it from many noises; one that has not gives a different
image each time. Carlini et al. 2023 (Extracting Training Data from Diffusion Models, sec. 4.2) draw
500 images of a prompt, join those whose tiled l2 is below a threshold, and call the prompt
extracted where 10 of them are all joined with one another. The threshold is calibrated on the same
model's images of prompts that were not copied, by the same count; see `calibrate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from audit.records import Sample

CLIQUE = 10
"""Images that must all be near to one another (Carlini et al. 2023, sec. 4.2), of 500."""
FEWEST = 3
"""Among many pairs, some two images are near by chance; three that all agree rarely are."""
GRID = 4
"""Tiles along each side: 16 in all, 128 x 128 of 512 x 512."""
STEPS = 100_000
"""Nodes of the search for a clique before it stops: about a second for 500 images."""

CLIQUE_COLUMNS = (
    "prompt", "arm", "n", "missing", "reasons", "needed", "clique", "members", "radius",
    "threshold", "p", "extracted", "outcome",
)  # fmt: skip
"""One row per prompt and arm: `n` images, `missing` ones by outcome (`reasons`, a mapping), how
many are `needed`, the largest `clique` and the sample ids of its `members`, the `radius` (smallest
largest distance among `needed` images), the `threshold`, `p` against calibration prompts, whether
it is `extracted` (None where undecided), and `outcome`: "label", or why there is no verdict."""

L2Pairs = Callable[[np.ndarray], np.ndarray]
"""uint8[n, h, w, 3] to the root-mean-square difference of all pairs in 0..1, float64[n, n]."""


def tiled(pictures: np.ndarray, l2_pairs: L2Pairs, grid: int = GRID) -> np.ndarray:
    """Largest l2 of two tiles at the same place, of all pairs of uint8[n, h, w, 3]: float64[n, n].

    Carlini et al. 2023, sec. 4.2; each tile is normalised by its own size, 0 to 1. Sides that do
    not divide are cut as evenly as possible. One tile of each image is processed at a time.
    Raises ValueError where a side is shorter than the grid.
    """
    rows, columns = (np.linspace(0, side, grid + 1).astype(int) for side in pictures.shape[1:3])
    if min(pictures.shape[1:3]) < grid:
        raise ValueError(f"images of {pictures.shape[1:3]} cannot be cut {grid} by {grid}")
    worst = np.zeros((len(pictures), len(pictures)))
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            tile = np.ascontiguousarray(pictures[:, top:bottom, left:right])
            np.maximum(worst, l2_pairs(tile), out=worst)
    return worst


def needed(n: int) -> int:
    """Images of n that must agree: 10 from n = 20 on, with fewer more than half, at least 3.

    Ten of few images would require nearly all of them, and miss a prompt that is copied most of the
    time; a majority still rules out that two modes share a prompt by chance. The calibration, which
    counts in the same way at the same n, accounts for the false alarms of fewer images.
    """
    return min(CLIQUE, max(FEWEST, n // 2 + 1))


@dataclass(frozen=True)
class Clique:
    """A largest set of images that are all joined, by their positions in ascending order."""

    members: tuple[int, ...]
    whole: bool
    """Whether the search finished or stopped at the requested size; if not, there may be larger
    ones."""

    def __len__(self) -> int:
        return len(self.members)


def largest_clique(near: np.ndarray, enough: int | None = None, steps: int = STEPS) -> Clique:
    """A largest clique of an undirected graph bool[n, n]; the diagonal does not count.

    Branch and bound over Bron and Kerbosch's tree: a branch is abandoned where its greedy colouring
    shows that it contains nothing larger (Tomita & Seki 2003, DMTCS 2731:278), the first in the
    order of degeneracy, above whose number plus one no clique goes (Eppstein, Loffler & Strash
    2010). With a pivot instead of colours 3^(n / 3) maximal cliques may be visited, among them
    those of images that are near to all but a few. Stops at the first of size `enough`, or after
    `steps` nodes. Raises ValueError where the graph is not square and symmetric.
    """
    if near.ndim != 2 or not np.array_equal(near, near.T):
        raise ValueError("an undirected graph is a square matrix that equals its transpose")
    order, degeneracy = _degeneracy(near)
    most = min(degeneracy + 1, len(near) if enough is None else enough)
    graph = _masks(near[np.ix_(order, order)])
    found, whole = _search(graph, most, steps)
    return Clique(tuple(sorted(int(order[v]) for v in found)), whole)


def _degeneracy(near: np.ndarray) -> tuple[np.ndarray, int]:
    """Vertices, those that are removed last first, and the largest degree at a removal."""
    graph = near & ~np.eye(len(near), dtype=bool)
    degree = graph.sum(axis=1)
    order, largest = np.empty(len(near), int), 0
    for place in range(len(near) - 1, -1, -1):
        v = int(degree.argmin())
        order[place], largest = v, max(largest, int(degree[v]))
        degree -= graph[v]
        degree[v] = 2 * len(near)  # removed: never the smallest again, whatever its neighbours lose
    return order, largest


def _masks(near: np.ndarray) -> list[int]:
    """Each vertex's neighbours as the bits of one integer."""
    packed = np.packbits(near & ~np.eye(len(near), dtype=bool), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def _search(graph: Sequence[int], most: int, steps: int) -> tuple[list[int], bool]:
    """Depth first; a level consists of its remaining vertices and their colours."""
    best: list[int] = []
    chosen: list[int] = []
    left = (1 << len(graph)) - 1
    levels = [(left, _coloured(left, graph))]
    while levels and len(best) < most:
        left, colours = levels[-1]
        if not colours or len(chosen) + colours[-1][1] <= len(best):
            levels.pop()
            chosen = chosen[:-1]
            continue
        if steps == 0:
            return best, False
        steps -= 1
        vertex, _ = colours.pop()
        levels[-1] = (left & ~(1 << vertex), colours)
        chosen.append(vertex)
        if len(chosen) > len(best):
            best = chosen.copy()
        inner = left & graph[vertex]
        levels.append((inner, _coloured(inner, graph)))
    return best, True


def _coloured(left: int, graph: Sequence[int]) -> list[tuple[int, int]]:
    """Vertices with greedy colours 1, 2, ... in ascending order: no clique needs more of them."""
    out, colour = [], 0
    while left:
        colour += 1
        free = left
        while free:
            low = free & -free
            vertex = low.bit_length() - 1
            out.append((vertex, colour))
            left ^= low
            free = (free ^ low) & ~graph[vertex]
    return out


def radius(distances: np.ndarray, size: int, steps: int = STEPS) -> float:
    """Smallest r for which `size` images are within r of one another, from float64[n, n].

    A clique of that size exists at every threshold above r and at none up to it. NaN for fewer
    images. Where a search is abandoned, the next larger distance is taken: r is never too small.
    """
    if len(distances) < size or size < 2:
        return math.nan
    steps_of = np.unique(distances[np.triu_indices(len(distances), 1)])
    low, high = 0, len(steps_of) - 1  # the largest distance joins all
    while low < high:
        middle = (low + high) // 2
        if len(largest_clique(distances <= steps_of[middle], size, steps)) >= size:
            high = middle
        else:
            low = middle + 1
    return float(steps_of[low])


@dataclass(frozen=True)
class Rule:
    """The distance below which two images are the same, and its source."""

    threshold: float
    """Distances below it join two images; NaN if unknown."""
    source: str
    benign: tuple[float, ...] = ()
    """Radii of calibration prompts, if there are any."""
    steps: int = STEPS


def calibrate(radii: Sequence[float], alpha: float = 0.05) -> Rule:
    """The threshold at which a prompt without a copy is called extracted in `alpha` of cases.

    `radii` are those of calibration prompts, which were not copied, with as many images and as
    many needed as the prompts in question. The k-th smallest of m, k = floor(alpha (m + 1)): the
    chance that another such prompt is below is at most alpha (Vovk, Gammerman & Shafer 2005,
    sec. 2.2). The threshold is NaN for fewer than 1 / alpha - 1 prompts; a NaN radius does not
    count. Raises ValueError where alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"a chance is between 0 and 1, not {alpha}")
    known = np.sort([r for r in radii if math.isfinite(r)])
    k = math.floor(alpha * (len(known) + 1) + 1e-9)
    source = f"{len(known)} calibration prompts, false alarms in at most {100 * alpha:g} %"
    return Rule(float(known[k - 1]) if k else math.nan, source, tuple(map(float, known)))


def between(distances: np.ndarray, prompts: Sequence[str], share: float = 0.0) -> Rule:
    """The threshold below which a `share` of pairs of different prompts' images are; 0: none.

    `distances` float64[n, n] of images whose `prompts` are given. It is the looser calibration:
    images of one prompt are nearer to one another than these, copied or not. NaN for only one
    prompt.
    """
    other = np.asarray(prompts, object)[:, None] != np.asarray(prompts, object)[None, :]
    pairs = distances[np.triu(other, 1)]
    source = f"{len(pairs)} pairs of images of different prompts, {100 * share:g} % of them nearer"
    return Rule(float(np.quantile(pairs, share)) if len(pairs) else math.nan, source)


def p_value(found: float, benign: Sequence[float]) -> float:
    """Chance that a calibration prompt's radius is as small: (1 + smaller or equal) / (m + 1).

    A conformal p (Vovk et al. 2005); NaN without calibration prompts or for an unknown radius.
    """
    if not benign or math.isnan(found):
        return math.nan
    return float(1 + (np.asarray(benign) <= found).sum()) / (len(benign) + 1)


def extract(
    samples: Sequence[Sample],
    pictures: Callable[[Sequence[Sample]], np.ndarray],
    outcomes: Mapping[str, str],
    rule: Rule,
    l2_pairs: L2Pairs,
) -> pd.DataFrame:
    """One row per prompt and arm (CLIQUE_COLUMNS): whether its images repeat one image.

    `pictures` returns uint8[n, h, w, 3] of the given samples, one prompt at a time; `outcomes` has
    the reason of each sample without an image ("blocked", "unreadable"), and only of these.
    """
    groups: dict[tuple[str, str], list[Sample]] = {}
    for s in samples:
        groups.setdefault((s.prompt, s.arm), []).append(s)
    rows = []
    for (prompt, arm), some in groups.items():
        known = [s for s in some if s.id not in outcomes]
        lost = [outcomes[s.id] for s in some if s.id in outcomes]
        reasons = {str(k): int(v) for k, v in pd.Series(lost, dtype=object).value_counts().items()}
        distances = tiled(pictures(known), l2_pairs) if known else np.zeros((0, 0))
        row = judge(distances, rule)
        row["members"] = [known[i].id for i in row["members"]]
        rows.append({"prompt": prompt, "arm": arm, "missing": len(lost), "reasons": reasons} | row)
    return pd.DataFrame(rows, columns=list(CLIQUE_COLUMNS))


def judge(distances: np.ndarray, rule: Rule) -> dict[str, Any]:
    """The verdict on one prompt from its distances float64[n, n], as columns of CLIQUE_COLUMNS.

    `members` are positions. A clique that is large enough decides, whether or not there is a
    larger one; a search that stopped before finding one decides nothing.
    """
    n = len(distances)
    size = needed(n)
    row: dict[str, Any] = {"n": n, "needed": size, "threshold": rule.threshold, "clique": 0,
                              "members": [], "radius": math.nan, "p": math.nan,
                              "extracted": None, "outcome": "too few images"}  # fmt: skip
    if n < size:
        return row
    row["radius"] = found = radius(distances, size, rule.steps)
    row["p"] = p_value(found, rule.benign)
    if math.isnan(rule.threshold):
        return row | {"outcome": "no threshold"}
    clique = largest_clique(distances < rule.threshold, steps=rule.steps)
    row |= {"clique": len(clique), "members": list(clique.members)}
    if len(clique) < size and not clique.whole:
        return row | {"outcome": "too many near pairs"}
    return row | {"extracted": len(clique) >= size, "outcome": "label"}
