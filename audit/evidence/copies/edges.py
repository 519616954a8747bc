"""Layouts that recur from every seed, by edges, and how many would recur by chance.

Webster 2023 (A Reproducible Extraction of Training Images from Diffusion Models, arXiv 2305.08694)
asks what part of the pixels has an edge in most of four images of a prompt. This means little:
four images of noise have edges everywhere and score 1, more than any copy, and four images of one
subject share its outline, copied or not. So seeds are exchanged between the prompts of a subject:
a prompt stands out where its images share more than as many images of its subject, drawn from all
prompts that ask for it. On the embedded world that flags 32 of 32 captions of images that the
training set contains 16 and 64 times, 1 of 16 that it contains once and 0 of 64 of held-out images,
where images of different subjects would flag 32, 8 and 24.

A recurring layout may be one that the words ask for: a caption that states more than its
neighbours gives more uniform images, and no statistic of edges can distinguish that from a copy.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import sobel
from scipy.stats import hypergeom

from audit.records import Sample

FEWEST = 3
"""Minimum images for a meaningful majority."""
FAINT = 0.75
"""Magnitude below which nothing is an edge: a step of four grey levels, as compression makes."""
OTHERS = 64
"""Maximum images of other prompts that seeds are exchanged with, or 4 for each of the prompt's own
if that is more."""
ALIKE = 0.01
"""Maximum share of exchanges that may leave most of a prompt's images together: were it larger, a
prompt that repeats one image could not stand out."""
HITS = 20
"""Exchanges that reach the observed value, after which p is large enough to be known."""

EDGE_COLUMNS = (
    "prompt", "arm", "n", "missing", "reasons", "density", "persistence", "chance", "excess", "p",
    "null", "outcome",
)  # fmt: skip
"""One row per prompt and arm: `n` images, `missing` ones by outcome (`reasons`, a mapping), the
mean edge `density`, the `persistence`, its value by `chance` at these densities, the `excess` of
one over the other, its `p` against the `null` (seeds exchanged with prompts of the same "subject"
or of "all" subjects, or maps "shifted"), and `outcome`: "label", or why there is no result."""


@dataclass(frozen=True)
class Edges:
    """The definition of an edge, and of the draws for chance."""

    side: int = 256
    """Images are resized to side x side, as Webster's are."""
    share: float | None = 0.1
    """The strongest tenth of each image's pixels, or texture would fill the map; None for the
    paper's fixed threshold."""
    threshold: float = 1.5
    """On the magnitude, where `share` is None."""
    draws: int = 999


def magnitude(picture: np.ndarray) -> np.ndarray:
    """Sobel magnitude of uint8[h, w, 3], not normalised, channels added up: float64[h, w].

    As in the code of Webster 2023, whose filter also weighs neighbouring channels 1, 2, 1: up to 48
    at a vertical step from black to white, so the threshold of 1.5 is one of 8 grey levels.
    """
    values = picture.astype(np.float64) / 255
    return np.asarray(np.hypot(sobel(values, axis=0), sobel(values, axis=1)).sum(axis=2))


def edge_map(picture: np.ndarray, how: Edges) -> np.ndarray:
    """Where the edges of uint8[h, w, 3] are: bool[side, side]; a flat image has none."""
    image = Image.fromarray(picture)
    if image.size != (how.side, how.side):
        image = image.resize((how.side, how.side), Image.Resampling.BICUBIC)
    strength = magnitude(np.asarray(image))
    if how.share is None:
        return np.asarray(strength > how.threshold)
    return np.asarray(strength >= max(float(np.quantile(strength, 1 - how.share)), FAINT))


def majority(n: int) -> int:
    """More than half of n images: 3 of 4, as Webster's mean above 0.5 asks."""
    return n // 2 + 1


def persistence(maps: np.ndarray) -> float:
    """Share of pixels with an edge in more than half of the maps, bool[n, h, w]: 0 to 1."""
    return float((_count(maps) >= majority(len(maps))).mean())


def _count(maps: np.ndarray) -> np.ndarray:
    kind = np.uint8 if len(maps) < 256 else np.uint32  # 65,536 small sums: half the time in bytes
    return np.asarray(maps.sum(axis=0, dtype=kind))


def chance(densities: np.ndarray) -> float:
    """Expected persistence of unrelated maps with these densities, float[n].

    The upper tail of the Poisson-binomial distribution (Hoeffding 1956): the chance that more than
    half of n independent events occur. Exact for any one pixel of maps that are each shifted at
    random.
    """
    weights = np.ones(1)
    for p in densities:
        weights = np.convolve(weights, [1 - p, p])
    return float(min(max(weights[majority(len(densities)) :].sum(), 0.0), 1.0))


def excess(maps: np.ndarray) -> float:
    """Persistence of maps bool[n, h, w] beyond chance at their own densities: -1 to 1."""
    return persistence(maps) - chance(maps.mean(axis=(1, 2)))


def shifted(maps: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Excess of the same maps shifted against each other at random, float64[draws].

    Each map is rolled around its borders, which keeps its density and its texture (Lotwick &
    Silverman 1982, JRSS B 44:406, for point patterns) but not the position of an image's subject.
    """
    height, width = maps.shape[1:]
    expected, out = chance(maps.mean(axis=(1, 2))), np.empty(draws)
    for d in range(draws):
        shifts = [(int(rng.integers(height)), int(rng.integers(width))) for _ in maps[1:]]
        moved = [np.roll(one, by, (0, 1)) for one, by in zip(maps[1:], shifts, strict=True)]
        moved.insert(0, maps[0])
        out[d] = (_count(np.stack(moved)) >= majority(len(maps))).mean() - expected
    return out


def exchanged(maps: np.ndarray, others: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """p of the excess of bool[n, h, w] if its images and `others` bool[m, h, w] are exchangeable.

    The share of n images, drawn from all n + m, that share at least as much. The prompt's own are
    among them, so p is exact for any m where nothing sets the prompt apart. It ends early where
    HITS draws reach the observed value (Besag & Clifford 1991, Biometrika 78:301, eq. 2).
    """
    pool, found, hits = np.concatenate([maps, others]), excess(maps), 0
    for drawn in range(1, draws + 1):
        some = pool[rng.choice(len(pool), len(maps), replace=False)]
        hits += excess(some) >= found - 1e-12
        if hits == HITS:
            return HITS / drawn
    return (1 + hits) / (draws + 1)


def enough(n: int, others: int) -> bool:
    """Whether exchanging n images with so many others takes a prompt's images apart.

    At most ALIKE of the draws contain most of the prompt's own: hypergeometric upper tail.
    """
    return float(hypergeom.sf(majority(n) - 1, n + others, n, n)) <= ALIKE


def p_value(found: float, null: np.ndarray) -> float:
    """Chance of an excess as large, (1 + larger or equal) / (draws + 1); never 0, NaN for no draws.

    Phipson & Smyth 2010, SAGMB 9:39, eq. 2.
    """
    if not len(null) or math.isnan(found):
        return math.nan
    return float(1 + (null >= found - 1e-12).sum()) / (len(null) + 1)


def persist(
    samples: Sequence[Sample],
    picture: Callable[[Sample], np.ndarray],
    outcomes: Mapping[str, str],
    how: Edges,
    seed: int,
    subjects: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """One row per prompt and arm (EDGE_COLUMNS): edges that recur, and how many by chance.

    `picture` returns uint8[h, w, 3]; `outcomes` has the reason of each sample without one.
    `subjects` maps a prompt to its subject, empty if unknown. Chance is that of images
    of other prompts for the same subject where there are enough of them, else for any subject, else
    of shifted maps; the last two give too small a p where a subject, or every image, has a layout
    of its own: `null` records which was used.
    """
    groups = _by_prompt(samples)
    maps = {
        key: _packed([s for s in some if s.id not in outcomes], picture, how)
        for key, some in groups.items()
    }
    rows = []
    for (arm, prompt), some in groups.items():
        lost = pd.Series([outcomes[s.id] for s in some if s.id in outcomes], dtype=object)
        reasons = {str(k): int(v) for k, v in lost.value_counts().items()}
        own = _unpacked(maps[arm, prompt], how)
        row = {"prompt": prompt, "arm": arm, "missing": len(lost), "reasons": reasons, **_row(own)}
        if row["outcome"] == "label":
            rng = np.random.default_rng([seed, zlib.crc32(prompt.encode())])
            beside = {p: m for (a, p), m in maps.items() if a == arm and p != prompt}
            null, pool = _compared(prompt, len(own), beside, subjects or {}, rng)
            row |= {"null": null, "p": _p(own, _unpacked(pool, how), null, how, rng)}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(EDGE_COLUMNS))


def _by_prompt(samples: Sequence[Sample]) -> dict[tuple[str, str], list[Sample]]:
    """Samples by arm and prompt, in the order of their seeds, where known."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for s in sorted(samples, key=Sample.order):
        groups.setdefault((s.arm, s.prompt), []).append(s)
    return {k: groups[k] for k in dict.fromkeys((s.arm, s.prompt) for s in samples)}


def _packed(
    some: Sequence[Sample], picture: Callable[[Sample], np.ndarray], how: Edges
) -> np.ndarray:
    """Edge maps in an eighth of the memory: uint8[n, side, side / 8]."""
    maps = [np.packbits(edge_map(picture(s), how), axis=-1) for s in some]
    return np.stack(maps) if maps else np.empty((0, how.side, -(-how.side // 8)), np.uint8)


def _unpacked(packed: np.ndarray, how: Edges) -> np.ndarray:
    return np.unpackbits(packed, axis=-1, count=how.side).astype(bool)


def _row(maps: np.ndarray) -> dict[str, Any]:
    """The measures of one prompt's maps alone."""
    unknown = dict.fromkeys(("density", "persistence", "chance", "excess", "p"), math.nan)
    if len(maps) < FEWEST:
        return {"n": len(maps), **unknown, "null": "", "outcome": "too few images"}
    densities = maps.mean(axis=(1, 2))
    found, expected = persistence(maps), chance(densities)
    return {
        "n": len(maps), "density": float(densities.mean()), "persistence": found,
        "chance": expected, "excess": found - expected, "p": math.nan, "null": "",
        "outcome": "label",
    }  # fmt: skip


def _compared(
    prompt: str, n: int, beside: Mapping[str, np.ndarray], subjects: Mapping[str, str],
    rng: np.random.Generator,
) -> tuple[str, np.ndarray]:  # fmt: skip
    """The comparison for n images of a prompt: the null's name, and packed maps."""
    own = subjects.get(prompt, "")
    same = [p for p in beside if own and subjects.get(p, "") == own]
    for null, prompts in (("subject", same), ("all", list(beside))):
        pool = _spread([beside[p] for p in sorted(prompts)], max(OTHERS, 4 * n), rng)
        if enough(n, len(pool)):
            return null, np.stack(pool)
    return "shifted", np.empty((0, 1, 1), np.uint8)


def _spread(groups: Sequence[np.ndarray], most: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Up to `most` rows, as evenly from the groups as possible, in random order."""
    order = rng.permutation(len(groups))
    turns = sorted((k, at) for at, i in enumerate(order) for k in range(len(groups[i])))
    return [groups[order[at]][k] for k, at in turns[:most]]


def _p(
    own: np.ndarray, others: np.ndarray, null: str, how: Edges, rng: np.random.Generator
) -> float:
    if null == "shifted":
        return p_value(excess(own), shifted(own, how.draws, rng))
    return exchanged(own, others, how.draws, rng)
