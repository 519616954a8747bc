"""Batches of fixed shapes: what a network is given, and in which order its rows come back."""

from __future__ import annotations

import numpy as np
import pytest

from audit.errors import UserError
from audit.evidence.encoders.batches import encode, unit


@pytest.mark.parametrize("seed", range(4))
def test_square_pictures_share_full_batches_and_others_go_alone(seed: int) -> None:
    """A network sees batches of exactly four squares or of one other; rows keep their order."""
    rng = np.random.default_rng(seed)
    sizes = [(8, 8) if rng.random() < 0.6 else (8, int(rng.integers(9, 12))) for _ in range(30)]
    pictures = [np.full((*s, 3), i + 1, np.uint8) for i, s in enumerate(sizes)]
    seen: list[tuple[int, ...]] = []

    def forward(stack: np.ndarray) -> np.ndarray:
        seen.append(stack.shape)
        value = stack[:, 0, 0, 0].astype(float)
        return np.stack([np.cos(value), np.sin(value)], axis=1) * 5

    rows = encode(pictures, 4, lambda p: p, forward)
    angles = np.arange(1, 31)
    np.testing.assert_allclose(rows, np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1e-6)
    assert {n for n, h, w, _ in seen if h == w} == {4}
    assert {n for n, h, w, _ in seen if h != w} == {1}
    assert len(seen) == -(-sizes.count((8, 8)) // 4) + 30 - sizes.count((8, 8))


def test_rows_have_length_one_zeros_stay_and_nan_is_an_error() -> None:
    """Nothing is divided by zero, and what is not a number is not passed on."""
    np.testing.assert_allclose(unit(np.array([[3.0, 4.0], [0, 0]])), [[0.6, 0.8], [0.0, 0.0]])
    for bad in (np.nan, np.inf):
        with pytest.raises(UserError, match="not finite"):
            unit(np.array([[1.0, bad]]))
