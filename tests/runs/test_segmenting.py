"""`segment` from the command line, on the world, whose masks are known, and on a small model."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from audit.cli import main as cli
from audit.errors import UserError
from audit.records import Settings
from audit.runs.options import Options
from audit.runs.segmenting import (
    MOST,
    Asked,
    Segmented,
    Segmenter,
    described,
    overlay,
    segment,
    words_of,
)
from audit.world.dataset import fresh
from audit.world.render import mask
from tests.engine import small

GOAL = 0.6
LABELS = np.array([[-1, 0, 0], [-1, 0, 1]], np.int16)


def test_words_are_listed_once() -> None:
    """Commas separate, spaces are tidied, repeats count once; none and too many are refused."""
    assert words_of(["person, red  hat", "person"]) == ("person", "red hat")
    for given in ([], ["person,"], [" "], [",".join(f"w{i}" for i in range(MOST + 1))]):
        with pytest.raises(UserError, match="--words"):
            words_of(given)


def test_rows_have_shares_and_boxes() -> None:
    """Areas are shares of the image, boxes end behind the last pixel, and an absent word has no
    box."""
    found = Segmented("x", np.zeros((2, 3, 3), np.uint8), LABELS, (0.5, 0.25, 0.0))
    one, two, none = described(found, ("a", "b", "c"), "x-mask.png")
    assert [one[k] for k in ("share", "left", "top", "right", "bottom")] == [0.5, 1, 0, 3, 2]
    assert [two[k] for k in ("share", "left", "top", "right", "bottom")] == [1 / 6, 2, 1, 3, 2]
    assert (none["share"], none["left"]) == (0, None)


def test_an_overlay_tints_what_it_names() -> None:
    """Pixels without a word keep their colour; others are half their word's."""
    image = np.full((2, 3, 3), 100, np.uint8)
    sheet = np.asarray(overlay(Segmented("x", image, LABELS, (0, 0)), ("person", "desk")))
    scale = sheet.shape[1] // 3
    at = [sheet[scale // 2, scale // 2 + i * scale].tolist() for i in range(2)]
    assert at == [[100, 100, 100], [165, 130, 50]]
    assert len(sheet) == 2 * scale + 40


def invoke(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the verb."""
    found = CliRunner().invoke(cli.app, ["segment", *arguments, "--device", "cpu"])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout, found.stderr


def test_a_small_model_segments_what_is_given_and_what_it_draws(tmp_path: Path) -> None:
    """A table, a mask and an overlay for each; a damaged file costs only itself."""
    folder, out = small.save("sd1", tmp_path), tmp_path / "out"
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "=1+1;..png")
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, stdout, _ = invoke(
        str(tmp_path / "=1+1;..png"), str(tmp_path / "torn.png"), "--model", str(folder), "-w",
        "nurse,hat", "--draw", "a judge", "--seeds", "2", "--steps", "2", "--out", str(out),
        "--json", "-q",
    )  # fmt: skip
    body = json.loads(stdout)
    assert code == 3
    assert len(body["segments"]) == 6
    assert [str(tmp_path / "torn.png")] == list(body["unreadable"])
    with Image.open(out / body["segments"][0]["mask"]) as made:
        labels = np.asarray(made)
    assert labels.shape == (40, 60)
    assert np.isclose((labels == 2).mean(), body["segments"][1]["share"], atol=1e-4)
    with (out / "segments.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["word"] for r in rows] == ["nurse", "hat"] * 3
    assert sorted(p.name for p in out.glob("*-overlay.webp")) == [
        "0000-1-1-overlay.webp", "0001-a-judge-0-overlay.webp", "0002-a-judge-1-overlay.webp",
    ]  # fmt: skip
    with Image.open(out / "0001-a-judge-0.png") as made:
        assert made.size == (16, 16)


def test_other_architectures_and_nothing_to_do(tmp_path: Path) -> None:
    """One sentence each."""
    folder = small.save("flux", tmp_path)
    with pytest.raises(UserError, match="no UNet with cross-attention"):
        invoke("-w", "hat", "--draw", "a judge", "--model", str(folder), "--out", str(tmp_path))
    with pytest.raises(UserError, match="nothing to segment"):
        invoke("-w", "hat", "--out", str(tmp_path))


class Stub:
    """A segmenter whose second image the model's own checker has blocked."""

    words = ("hat",)

    def drawn(self, text: str, seeds: Sequence[int]) -> Iterator[Segmented]:
        """One image for each seed."""
        for seed in seeds:
            reason = "blocked" if seed == 1 else ""
            yield Segmented("", np.zeros((2, 3, 3), np.uint8), LABELS, (0.5,), True, reason)


def test_a_blocked_image_is_missing_with_its_reason(tmp_path: Path) -> None:
    """It has no row and no file."""
    stub: Any = Stub()
    table, missing = segment(stub, Asked(None, texts=["a judge"], seeds=3), tmp_path)
    assert missing == {"a judge 1": "blocked"}
    assert table.image.tolist() == ["a judge 0", "a judge 2"]
    assert not list(tmp_path.glob("0001-*"))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory")])
def test_too_little_memory_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """One sentence in place of an internal error; other errors stay what they are."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("audit.engine.segments.of_given", fail)
    it = object.__new__(Segmenter)
    it.model, it.words, it.where = None, ("hat",), None  # type: ignore[assignment]
    it.settings = Settings("m", "r", steps=1, guidance=1.0, batch=2)
    with pytest.raises(UserError, match="--batch 1"):
        list(it.given([np.zeros((2, 2, 3), np.uint8)]))


@pytest.mark.slow
def test_people_of_the_world_are_found() -> None:
    """IoU of the person with the renderer's masks reaches the goal, with the usual options."""
    items = [i for i in fresh(9, 20) if i.scene.sprite is not None][:12]
    segmenter = Segmenter(Options(device="cpu"), ["person"], "up_blocks.")
    found = np.stack([s.labels == 0 for s in segmenter.given([i.pixels() for i in items])])
    truth = np.stack([mask(i.scene) > 127 for i in items])
    scores = (found & truth).sum((1, 2)) / (found | truth).sum((1, 2))
    assert scores.mean() >= GOAL
