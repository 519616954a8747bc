"""Where an interruption falls changes nothing: findings, report and vectors are the same bytes."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.design import suites
from audit.evidence.encoders import named
from audit.runs import draw, line, planning
from audit.runs.options import Options
from audit.store import RunFolder
from audit.world.export import render_set
from tests.builders.suites import TOML
from tests.engine import small

pytestmark = pytest.mark.slow


class Rounding:
    """An encoder that rounds by the batch that an image is in, as kernels do, only more."""

    def __init__(self, inner: Any, tick: Callable[[], None]) -> None:
        self._inner, self._tick = inner, tick

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """The vectors, moved by a ten-thousandth that depends on all images of the call."""
        self._tick()
        rows = np.asarray(self._inner.images(pictures))
        seed = zlib.crc32(b"".join(np.ascontiguousarray(p).tobytes() for p in pictures))
        moved = rows + 1e-4 * np.random.default_rng(seed).standard_normal(rows.shape)
        return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


class Bomb:
    """Interrupts at the count that it is set to."""

    def __init__(self) -> None:
        self.left = -1

    def tick(self) -> None:
        """Count down; KeyboardInterrupt at the end."""
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.fixture
def bomb(monkeypatch: pytest.MonkeyPatch) -> Bomb:
    """One that counts calls of the encoders and files of images and vectors."""
    made, real = Bomb(), named.named

    def rounding(name: str, device: str = "cpu") -> Any:
        return Rounding(real(name, device), made.tick)

    monkeypatch.setattr(named, "named", rounding)
    for name in ("write_image", "add_vectors"):
        method = getattr(RunFolder, name)

        def counted(self: RunFolder, *given: Any, method: Any = method) -> None:
            made.tick()
            method(self, *given)

        monkeypatch.setattr(RunFolder, name, counted)
    monkeypatch.setattr(draw, "GROUP", 5)  # several groups, not of the size of the batches
    return made


def kept(out: Path) -> dict[str, bytes]:
    """What a run leaves: findings, report, images and vectors."""
    folder = next(out.glob("small-*"))
    files = [folder / "findings.json", folder / "report.html", folder / "page.json"]
    files += [p for part in ("images", "vectors") for p in (folder / part).rglob("*.*")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.nightly)])
def test_interrupted_anywhere_it_ends_with_the_same_bytes(
    seed: int, bomb: Bomb, tmp_path: Path
) -> None:
    """Interruptions at points drawn from a seed, inside encoders and between files; then the end.

    The encoders round by batch, so an image whose batch depended on an interruption would show.
    """
    small.save("sd1", tmp_path)
    render_set("planted", tmp_path / "train", 40)
    render_set("twin", tmp_path / "held", 40)
    (tmp_path / "small.toml").write_text(TOML)
    suite = suites.read_suite(str(tmp_path / "small.toml"))
    options = Options(
        model=str(tmp_path / "sd1"), steps=2, batch=4, validation=20, dtype="float32",
        device="cpu", corpus=tmp_path / "train" / "images", held_out=tmp_path / "held" / "images",
        classifier="embedded-classifier", descriptor="embedded-copy",
    )  # fmt: skip

    def execute(name: str) -> None:
        line.execute(planning.open_run(suite, replace(options, out=tmp_path / name)))

    bomb.left = 0
    execute("calm")
    chance, torn = random.Random(seed), 0
    while torn < 4:
        bomb.left = chance.randrange(1, 16)
        try:
            execute("torn")
        except KeyboardInterrupt:
            torn += 1
        else:
            break
    assert torn > 2
    bomb.left = 0
    execute("torn")
    bomb.left = 0
    execute("torn")  # nothing that was encoded is encoded again, but for images of search and page
    assert -bomb.left < 25
    calm, again = kept(tmp_path / "calm"), kept(tmp_path / "torn")
    assert again.keys() == calm.keys()
    assert [n for n in calm if again[n] != calm[n]] == []
