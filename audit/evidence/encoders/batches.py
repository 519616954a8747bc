"""Images through a network in batches of fixed shapes, and rows to unit length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from audit.errors import UserError


def unit(rows: np.ndarray) -> np.ndarray:
    """float[n, d] to float32[n, d] of unit length; a row of zeros is unchanged.

    Raises UserError where a value is not finite: such a row would silently never be a neighbour.
    """
    rows = np.asarray(rows, np.float32)
    if not np.isfinite(rows).all():
        raise UserError(
            "The descriptor returned values that are not finite. Check its weights, or run it in "
            "32-bit arithmetic."
        )
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def encode(
    pictures: Sequence[np.ndarray],
    batch: int,
    prepare: Callable[[np.ndarray], np.ndarray],
    forward: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """uint8[h, w, 3] images to float32[n, d] of unit length, in their order.

    `prepare` returns one image as the network takes it; `forward` maps a stack of them to [n, d].
    Square inputs go in batches of exactly `batch`, filled up with repeats; others go alone. So the
    shape that an image is computed in, and with it its vector, depends on that image only.
    """
    if not len(pictures):  # a probe tells the width
        return encode([np.full((64, 64, 3), 127, np.uint8)], batch, prepare, forward)[:0]
    rows: dict[int, np.ndarray] = {}
    waiting: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}

    def flush(some: list[tuple[int, np.ndarray]], size: int) -> None:
        stack = np.stack([x for _, x in some] + [some[-1][1]] * (size - len(some)))
        rows.update(zip([i for i, _ in some], unit(forward(stack)), strict=False))

    for i, picture in enumerate(pictures):
        x = prepare(picture)
        size = batch if _square(x) else 1
        queue = waiting.setdefault(x.shape, [])
        queue.append((i, x))
        if len(queue) == size:
            flush(waiting.pop(x.shape), size)
    for queue in waiting.values():
        flush(queue, batch)
    return np.stack([rows[i] for i in range(len(pictures))])


def _square(x: np.ndarray) -> bool:
    """Whether [h, w, 3] or [3, h, w] has equal sides."""
    height, width = x.shape[:2] if x.shape[-1] == 3 else x.shape[-2:]
    return bool(height == width)
