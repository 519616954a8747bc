"""Recall of a search on copies with a known source: "none" must not mean "not found".

Copies are planted: stored vectors, turned by a given angle. A rate of copies is a lower bound of
the truth by this factor, and is reported with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audit.evidence.copies.side import Side

DIRECTIONS = ("noise", "blend")


@dataclass(frozen=True)
class Recall:
    """Copies that were found, of those that were planted."""

    found: int
    n: int
    cosine: float
    """Median cosine of the copies with their sources."""

    @property
    def share(self) -> float:
        """0 to 1; NaN if none was planted. `stats.proportions.wilson` gives its interval."""
        return self.found / self.n if self.n else float("nan")


def planted(
    side: Side, n: int, cosine: float, direction: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Queries float32[m, d] at `cosine` to stored vectors, and the positions int64[m] of these.

    Sources are drawn without repeats, at most as many as the side contains. "noise" turns them in a
    direction that is uniform on the sphere; "blend" turns them towards another stored image, as
    overlays and crops do, and stays among the images that lists were made for. Raises
    ValueError for another direction, a cosine outside (0, 1], or a blend of fewer than two.
    """
    if direction not in DIRECTIONS or not 0 < cosine <= 1:
        raise ValueError(f"No copies can be planted by {direction!r} at cosine {cosine}.")
    kept = np.flatnonzero(~side.left_out)
    if direction == "blend" and len(kept) < 2:
        raise ValueError("A blend needs two stored vectors.")
    at = np.sort(rng.choice(kept, min(n, len(kept)), replace=False))
    sources = side.rows(at).astype(np.float64)
    if direction == "noise":
        other = rng.standard_normal(sources.shape)
    else:
        place = np.searchsorted(kept, at)
        step = rng.integers(1, len(kept), len(at))  # never the source itself
        other = side.rows(kept[(place + step) % len(kept)]).astype(np.float64)
    return turned(sources, other, cosine).astype(np.float32), at


def turned(sources: np.ndarray, towards: np.ndarray, cosine: float) -> np.ndarray:
    """Unit vectors float[n, d] at `cosine` to `sources`, in the plane with `towards`.

    A source is unchanged where the two are parallel and there is no plane.
    """
    unit = sources / np.linalg.norm(sources, axis=1, keepdims=True)
    across = towards - (towards * unit).sum(axis=1, keepdims=True) * unit
    size = np.linalg.norm(across, axis=1, keepdims=True)
    parallel = size < 1e-6 * np.linalg.norm(towards, axis=1, keepdims=True)
    across = np.divide(across, size, out=np.zeros_like(across), where=~parallel)
    return np.where(parallel, unit, cosine * unit + np.sqrt(1 - cosine**2) * across)


def of(side: Side, queries: np.ndarray, sources: np.ndarray) -> Recall:
    """How many of float32[n, d] are returned with a vector at least as near as their source.

    `sources` are positions int64[n], known by planting or because the queries are encoded edits
    (`edits.apply`) of these images. All scores are exact: another image nearer than the source, or
    equal to it, is not a loss, and an exact search finds all.
    """
    own = side.score(queries, sources[:, None])[:, 0]
    found = side.nearest(queries)[0][:, 0] >= own
    cosine = float(np.median(own)) if len(own) else float("nan")
    return Recall(int(found.sum()), len(own), cosine)


def measure(
    side: Side, rng: np.random.Generator, n: int = 1000, cosine: float = 0.9
) -> dict[str, Recall]:
    """Recall of planted copies by direction; a side with fewer than two vectors has no blend."""
    kept = int((~side.left_out).sum())
    return {
        d: of(side, *planted(side, n, cosine, d, rng))
        for d in DIRECTIONS
        if d == "noise" or kept > 1
    }
