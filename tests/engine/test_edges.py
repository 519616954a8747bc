"""Refinement along edges against its energy, solved densely, and pictures with known parts."""

from __future__ import annotations

import numpy as np
import pytest

from audit.engine import edges
from audit.engine.edges import labelled, otsu, refined


def energy(image: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The values of least energy, by a dense matrix made pair by pair."""
    h, w = prior.shape
    colour = image.reshape(-1, 3) / 255
    matrix = edges.TRUST * np.eye(h * w)
    for i in range(h * w):
        for j in range(i + 1, h * w):
            if abs(i // w - j // w) + abs(i % w - j % w) == 1:
                apart = ((colour[i] - colour[j]) ** 2).sum()
                weight = np.exp(-edges.SHARPNESS * apart) + edges.JOINED
                matrix[i, i] += weight
                matrix[j, j] += weight
                matrix[i, j] = matrix[j, i] = -weight
    return np.linalg.solve(matrix, edges.TRUST * prior.ravel()).reshape(h, w)


def halves(h: int = 24, w: int = 30, at: int = 13) -> np.ndarray:
    """An image of two plain colours side by side."""
    image = np.full((h, w, 3), (40, 90, 160), np.uint8)
    image[:, at:] = (220, 180, 60)
    return image


def test_values_have_the_least_energy() -> None:
    """A sparse solution equals the dense one, for any image and prior."""
    rng = np.random.default_rng(1)
    image = (rng.integers(0, 256, (7, 9, 1)) // 8 + rng.integers(0, 40, (7, 9, 3))).astype(np.uint8)
    priors = rng.normal(size=(2, 7, 9))
    found = refined(image, priors)
    for one, prior in zip(found, priors, strict=True):
        np.testing.assert_allclose(one, energy(image, prior), rtol=1e-7)


def test_a_constant_stays_and_a_map_stops_at_an_edge() -> None:
    """A blurred and noisy map becomes two plains, cut where the colours change."""
    image = halves()
    np.testing.assert_allclose(refined(image, np.full((1, 3, 3), 0.7)), 0.7, rtol=1e-6)
    rng = np.random.default_rng(0)
    coarse = np.array([[-1, -0.5, 0.8], [-1, -0.1, 1], [-1, -0.2, 1]]) + rng.normal(0, 0.1, (3, 3))
    np.testing.assert_array_equal(labelled(image, coarse[None]) == 0, image[..., 0] > 100)


def test_large_images_are_solved_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above LONGEST the answer is scaled, and its border is where it was."""
    monkeypatch.setattr(edges, "LONGEST", 40)
    image = halves(120, 200, 90)
    found = labelled(image, np.array([[[-1.0, -1.0, 1.0, 1.0]]]))
    assert found.shape == (120, 200)
    assert (found[:, :85] == -1).all()
    assert (found[:, 95:] == 0).all()


def test_each_pixel_has_the_word_that_is_strongest_there() -> None:
    """Two words share an image, and what neither claims has none."""
    image = np.repeat(np.array([[30, 90, 150, 210]], np.uint8), 20, 0)
    image = np.repeat(np.repeat(image, 5, 1)[..., None], 3, 2)
    maps = np.array([[[2.0, -1, -1, -1]], [[-1.0, -1, 2, 2]]])
    assert labelled(image, maps)[10].tolist() == [0] * 5 + [-1] * 5 + [1] * 10


@pytest.mark.parametrize("seed", range(5))
def test_otsu_is_the_best_of_all_thresholds(seed: int) -> None:
    """No threshold separates values with a larger variance between classes, up to a bin."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 1, 60), rng.normal(rng.uniform(2, 6), 1, 40)])

    def between(t: float) -> float:
        low, high = values[values <= t], values[values > t]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2 if len(high) else 0.0

    assert between(otsu(values)) >= 0.98 * max(map(between, values))


def test_a_constant_map_has_no_segment() -> None:
    """Nothing stands out of a constant, so no pixel has a word."""
    assert otsu(np.full(9, 0.3)) == 0.3
    assert (labelled(halves(), np.full((1, 3, 3), 0.3)) == -1).all()
