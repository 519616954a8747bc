"""Work that a run need not do again: arrays kept in its folder under the hash of what made them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from audit.files import write_atomic
from audit.keys import digest
from audit.store import RunFolder

Arrays = Mapping[str, np.ndarray]


def remembered(
    folder: RunFolder, name: str, key: object, make: Callable[[], Arrays]
) -> dict[str, np.ndarray]:
    """The arrays that `make` returns, from the folder where they were made before.

    `key` is everything that they depend on, besides the version of this package. Damaged ones are
    made again; empty ones are not kept. UserError where they cannot be written.
    """
    try:
        ours = version("t2i-audit")
    except PackageNotFoundError:
        ours = ""
    path = folder.path / "work" / f"{name}-{digest([key, ours])}.npz"
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            return {n: kept[n] for n in kept.files}
    except Exception:  # NumPy and zipfile raise many kinds for damaged files
        made = dict(make())
    if made:
        buffer = io.BytesIO()
        np.savez(buffer, **made)  # type: ignore[arg-type]
        write_atomic(path, buffer.getvalue())
    return made
