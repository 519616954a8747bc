"""Layouts that come back from every seed, by edges, and how many would come back by chance.

Webster 2023 (A Reproducible Extraction of Training Images from Diffusion Models, arXiv 2305.08694)
asks what part of the pixels has an edge in most of four images of a prompt. That alone says little:
four images of noise have edges everywhere and score 1, more than any copy. Here it is compared with
images of the same edge densities that have nothing to do with one another: images of different
prompts, which still share what all pictures share (a subject in the middle), or, where prompts are
few, the prompt's own maps shifted against each other. What comes back may be a layout that the
words ask for; that it is a copy no statistic of edges can say.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import sobel

from audit.records import Sample

FEWEST = 3
"""Images without which there is no majority worth the name."""
FAINT = 0.75
"""Magnitude below which nothing is an edge: a step of four grey levels, as compression makes."""
POOL = 4
"""Maps of each prompt that are kept for the comparison between prompts."""

EDGE_COLUMNS = (
    "prompt", "arm", "n", "missing", "reasons", "density", "persistence", "chance", "excess", "p",
    "null", "outcome",
)  # fmt: skip
"""One row per prompt and arm: `n` images, `missing` ones by outcome (`reasons`, a mapping), the
mean edge `density`, the `persistence`, what `chance` gives at these densities, the `excess` of one
over the other, its `p` against the `null` ("shuffled" or "shifted"), and `outcome`: "label", or why
nothing can be said."""


@dataclass(frozen=True)
class Edges:
    """What counts as an edge, and how chance is drawn."""

    side: int = 256
    """Pictures are resized to side x side, as Webster has them."""
    share: float | None = 0.1
    """The strongest tenth of each picture's pixels, so that texture does not fill the map; None for
    the paper's fixed threshold."""
    threshold: float = 1.5
    """On the magnitude, where `share` is None."""
    draws: int = 999


def magnitude(picture: np.ndarray) -> np.ndarray:
    """Sobel magnitude of uint8[h, w, 3], not normalised, channels added up: float64[h, w].

    As in the code of Webster 2023, whose filter also weighs neighbouring channels 1, 2, 1: up to 48
    at an upright step from black to white, so that the threshold of 1.5 is one of 8 grey levels.
    """
    values = picture.astype(np.float64) / 255
    return np.asarray(np.hypot(sobel(values, axis=0), sobel(values, axis=1)).sum(axis=2))


def edge_map(picture: np.ndarray, how: Edges) -> np.ndarray:
    """Where the edges of uint8[h, w, 3] are: bool[side, side]; a flat picture has none."""
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
    """Persistence of unrelated maps whose densities float[n] are these, by expectation.

    The upper tail of the Poisson-binomial distribution (Hoeffding 1956): the chance that more than
    half of n independent events occur. Exact for any one pixel of maps that are each shifted at
    random.
    """
    weights = np.ones(1)
    for p in densities:
        weights = np.convolve(weights, [1 - p, p])
    return float(min(max(weights[majority(len(densities)) :].sum(), 0.0), 1.0))


def excess(maps: np.ndarray) -> float:
    """Persistence of maps bool[n, h, w] beyond what their own densities give by chance: -1 to 1."""
    return persistence(maps) - chance(maps.mean(axis=(1, 2)))


def shifted(maps: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Excess of the same maps shifted against each other at random, float64[draws].

    Each map is rolled around its borders, which keeps its density and its texture (Lotwick &
    Silverman 1982, JRSS B 44:406, for point patterns) but not where a picture has its subject.
    """
    height, width = maps.shape[1:]
    expected, out = chance(maps.mean(axis=(1, 2))), np.empty(draws)
    for d in range(draws):
        moved = [maps[0]]
        for one in maps[1:]:
            moved.append(
                np.roll(one, (int(rng.integers(height)), int(rng.integers(width))), (0, 1))
            )
        out[d] = (_count(np.stack(moved)) >= majority(len(maps))).mean() - expected
    return out


def shuffled(
    pool: Sequence[np.ndarray], size: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Excess of `size` maps from as many different prompts, float64[draws].

    `pool` holds bool[k, h, w] maps of each prompt. Raises ValueError for fewer prompts than `size`.
    """
    if len(pool) < size:
        raise ValueError(f"{size} maps of different prompts cannot be drawn from {len(pool)}")
    out = np.empty(draws)
    for d in range(draws):
        prompts = rng.choice(len(pool), size, replace=False)
        out[d] = excess(np.stack([pool[i][rng.integers(len(pool[i]))] for i in prompts]))
    return out


def p_value(found: float, null: np.ndarray) -> float:
    """Chance of an excess as large, (1 + larger or equal) / (draws + 1); never 0, NaN for none.

    Phipson & Smyth 2010, SAGMB 9:39, eq. 2.
    """
    if not len(null) or math.isnan(found):
        return math.nan
    return float(1 + (null >= found - 1e-12).sum()) / (len(null) + 1)


@dataclass
class _Arm:
    """What is known of one arm while its prompts come by."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    pool: dict[str, np.ndarray] = field(default_factory=dict)
    nulls: dict[int, np.ndarray] = field(default_factory=dict)


def persist(
    samples: Sequence[Sample],
    picture: Callable[[Sample], np.ndarray],
    outcomes: Mapping[str, str],
    how: Edges,
    seed: int,
) -> pd.DataFrame:
    """One row per prompt and arm (EDGE_COLUMNS): edges that come back, and how many by chance.

    `picture` gives uint8[h, w, 3]; `outcomes` says why a sample has none and is silent on others.
    Chance is that of images of different prompts where there are twice as many prompts as images of
    one, else that of shifted maps, whose p is too small where all pictures have their subject in
    the same place: `null` says which.
    """
    groups: dict[tuple[str, str], list[Sample]] = {}
    for s in samples:
        groups.setdefault((s.arm, s.prompt), []).append(s)
    prompts_of = {arm: sum(a == arm for a, _ in groups) for arm, _ in groups}
    arms: dict[str, _Arm] = {}
    for (arm, prompt), some in groups.items():
        known = sorted((s for s in some if s.id not in outcomes), key=lambda s: s.seed)
        lost = [outcomes[s.id] for s in some if s.id in outcomes]
        maps = np.array([edge_map(picture(s), how) for s in known])
        here = arms.setdefault(arm, _Arm())
        row = _row(maps)
        if row["outcome"] == "label":
            here.pool[prompt] = maps[:POOL]
            if prompts_of[arm] < 2 * len(maps):  # the maps are not kept, so chance is drawn now
                rng = np.random.default_rng([seed, zlib.crc32(prompt.encode())])
                null = shifted(maps, how.draws, rng)
                row |= {"p": p_value(row["excess"], null), "null": "shifted"}
        reasons = {str(k): int(v) for k, v in pd.Series(lost, dtype=object).value_counts().items()}
        about = {"prompt": prompt, "arm": arm, "missing": len(lost), "reasons": reasons}
        here.rows.append(about | row)
    for a in arms.values():
        _compare(a, how, seed)
    return pd.DataFrame([r for a in arms.values() for r in a.rows], columns=list(EDGE_COLUMNS))


def _row(maps: np.ndarray) -> dict[str, Any]:
    """What one prompt's maps say by themselves."""
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


def _compare(arm: _Arm, how: Edges, seed: int) -> None:
    """Fill in p against images of different prompts where it has not been drawn yet."""
    for row in arm.rows:
        if row["outcome"] != "label" or row["null"]:
            continue
        size = row["n"]
        if size > len(arm.pool):  # prompts without images left too few
            row["outcome"] = "too few prompts to compare with"
            continue
        if size not in arm.nulls:
            rng = np.random.default_rng([seed, size])
            pool = [arm.pool[prompt] for prompt in sorted(arm.pool)]
            arm.nulls[size] = shuffled(pool, size, how.draws, rng)
        row |= {"p": p_value(row["excess"], arm.nulls[size]), "null": "shuffled"}
