"""Coarse maps refined by the pixels of their image: a random walker with priors.

Grady 2005 ("Multilabel random walker image segmentation using prior models", CVPR, eq. 9): the
values x on the pixels minimise sum over neighbours of w (x_i - x_j)^2 + c sum of (x_i - prior_i)^2
with w = exp(-b |colour_i - colour_j|^2), so a value spreads as far as colours stay alike and stops
at an edge.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import sparse
from scipy.sparse.linalg import factorized

SHARPNESS, TRUST = 300.0, 0.01
"""b for colours in 0..1, and c."""
JOINED = 1e-6
"""Least weight between neighbours, with which the system stays well posed."""
LONGEST = 160
"""Longest side at which the system is solved; values between its pixels are interpolated."""
BINS, ROUNDING = 128, 1e-9


def otsu(values: np.ndarray) -> float:
    """The threshold that separates values best into two classes (Otsu 1979), of any shape.

    It maximises the variance between the classes, over BINS bins. Of values that are the same, to
    rounding, it is the largest: nothing lies above it.
    """
    low, high = float(values.min()), float(values.max())
    if high - low <= ROUNDING * max(abs(low), abs(high)):
        return high
    counts, edges = np.histogram(values, BINS)
    centres = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts)[:-1], counts.sum()
    first = np.cumsum(counts * centres)
    apart = first[-1] * below / total - first[:-1]
    between = apart**2 / np.maximum(below * (total - below), 1)
    # Several bins may be empty between two classes: the middle of those that do equally well.
    return float(edges[1:-1][np.isclose(between, between.max(), rtol=1e-9)].mean())


def refined(image: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Maps that follow the edges of an image: float64[maps, h, w] of the image's size.

    `image` is uint8[h, w, 3], `priors` float[maps, rows, columns] of any size over the same frame.
    """
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX), float) / 255
    solve = factorized(_system(small))
    found = [solve(TRUST * _sized(p, size).ravel()).reshape(size[1], size[0]) for p in priors]
    return np.stack([_sized(f, (width, height)) for f in found])


def _system(image: np.ndarray) -> sparse.csc_matrix:
    """The matrix of the linear system for the values: the graph's Laplacian, and c."""
    height, width = image.shape[:2]
    place = np.arange(height * width).reshape(height, width)
    pairs = (
        (place[:, :-1], place[:, 1:], image[:, :-1] - image[:, 1:]),
        (place[:-1], place[1:], image[:-1] - image[1:]),
    )
    one = np.concatenate([a.ravel() for a, _, _ in pairs])
    two = np.concatenate([b.ravel() for _, b, _ in pairs])
    weight = np.concatenate(
        [np.exp(-SHARPNESS * (d**2).sum(-1)).ravel() + JOINED for _, _, d in pairs]
    )
    both = (np.concatenate([weight, weight]), (np.append(one, two), np.append(two, one)))
    joined = sparse.coo_matrix(both, shape=(height * width,) * 2).tocsr()
    own = np.asarray(joined.sum(1)).ravel() + TRUST
    return sparse.csc_matrix(sparse.diags(own) - joined)


def _sized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Values as an array of (width, height), interpolated."""
    if values.shape == (size[1], size[0]):
        return np.asarray(values, float)
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR), float)


def labelled(image: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The segment of each pixel, int16[h, w]: the place of its word in `maps`, -1 for none.

    `maps` is float[words, rows, columns]. Each is refined along edges, which makes its values those
    of few plain areas, and then cut by Otsu's threshold; a pixel belongs to the word that is
    farthest above its threshold there.
    """
    above = np.stack([m - otsu(m) for m in refined(image, maps)])
    return np.where(above.max(0) > 0, above.argmax(0), -1).astype(np.int16)
