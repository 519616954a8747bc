"""The background writer: order, blocked images, and errors that are not swallowed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from audit.errors import UserError
from audit.runs.writer import BackgroundWriter
from audit.store import RunFolder


class Sums:
    """An encoder whose vector is the image's sum."""

    key = "sums"

    def __init__(self, fail_at: int = -1) -> None:
        self.calls, self.fail_at = 0, fail_at

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """float32[n, 1]; fails at a given call."""
        self.calls += 1
        if self.calls == self.fail_at:
            raise UserError("the encoder broke")
        return np.array([[float(p.sum())] for p in pictures], np.float32)


def batches(n: int, size: int = 4) -> list[tuple[list[str], np.ndarray, list[str]]]:
    """`n` batches of small images; every fifth is blocked."""
    rng = np.random.default_rng(0)
    out = []
    for b in range(n):
        ids = [f"{b:04d}-{i}" for i in range(size)]
        blocked = ["" if (b * size + i) % 5 else "blocked" for i in range(size)]
        out.append((ids, rng.integers(0, 256, (size, 2, 2, 3), dtype=np.uint8), blocked))
    return out


def groups(some: list[tuple[list[str], np.ndarray, list[str]]], size: int) -> list[list[str]]:
    """The ids of the batches in groups."""
    ids = [i for batch in some for i in batch[0]]
    return [ids[i : i + size] for i in range(0, len(ids), size)]


def test_everything_is_written_and_scored_once(tmp_path: Path) -> None:
    """Images, reasons and vectors exist; blocked images have no file and no vector."""
    told: list[str] = []
    folder = RunFolder(tmp_path)
    todo = batches(60)
    with BackgroundWriter(folder, [Sums()], groups(todo, 32), told.extend) as behind:
        for batch in todo:
            behind.put(*batch)
    vectors, blocked = folder.vectors("sums"), folder.blocked()
    for ids, pictures, hidden in todo:
        for id, picture, hide in zip(ids, pictures, hidden, strict=True):
            assert (id in blocked) == bool(hide) == (id not in vectors)
            if not hide:
                assert np.array_equal(folder.read_image(id), picture)
                assert vectors[id][0] == picture.sum()
    assert told == [i for ids, _, _ in todo for i in ids]
    assert len(list((tmp_path / "vectors" / "sums").glob("*.npz"))) > 1


def test_an_error_behind_stops_the_sampler_and_keeps_the_pictures(tmp_path: Path) -> None:
    """The error is raised where batches are added, and nothing hangs."""
    folder, put = RunFolder(tmp_path), 0

    def draw() -> None:
        nonlocal put
        todo = batches(50)
        with BackgroundWriter(folder, [Sums(fail_at=3)], groups(todo, 4), lambda n: None) as behind:
            for batch in todo:
                behind.put(*batch)
                put += 1

    with pytest.raises(UserError, match="the encoder broke"):
        draw()
    assert put < 50
    assert len(folder.present()) >= 8


def test_an_interrupted_sampler_loses_no_finished_picture(tmp_path: Path) -> None:
    """Everything added before an interruption is written, with the vectors of whole groups."""
    folder, todo = RunFolder(tmp_path), batches(4)

    def draw() -> None:
        with BackgroundWriter(folder, [Sums()], groups(todo, 8), lambda n: None) as behind:
            for batch in todo[:3]:
                behind.put(*batch)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw()
    assert len(folder.present()) == 12
    whole = {i for g in groups(todo, 8)[:1] for i in g}
    assert set(folder.vectors("sums")) == whole - set(folder.blocked())
