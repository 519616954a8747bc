"""Untrusted images: capped, checked, never a crash."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from audit.datasets import pixels


def test_png_is_lossless_and_without_metadata() -> None:
    """Pixels survive; equal pixels give equal bytes."""
    picture = np.random.default_rng(2).integers(0, 256, (12, 10, 3), np.uint8)
    assert np.array_equal(pixels.decode(pixels.png(picture)), picture)
    assert pixels.png(picture) == pixels.png(picture.copy())


def test_transparency_becomes_white() -> None:
    """An invisible pixel is white, whatever colour it hides."""
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(buffer, "PNG")
    assert (pixels.decode(buffer.getvalue()) == 255).all()


def test_huge_pictures_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cap looks at the header."""
    monkeypatch.setattr(pixels, "MAX_PIXELS", 10)
    with pytest.raises(pixels.Unreadable, match="too large"):
        pixels.decode(pixels.png(np.zeros((4, 4, 3), np.uint8)))


@given(st.binary(max_size=200), st.integers(0, 120))
def test_damaged_files_are_outcomes(noise: bytes, cut: int) -> None:
    """Random bytes and cut-off files raise Unreadable and nothing else."""
    whole = pixels.png(np.arange(3 * 64, dtype=np.uint8).reshape(8, 8, 3))
    for data in (noise, whole[:cut] + noise):
        try:
            picture = pixels.decode(data)
        except pixels.Unreadable:
            continue
        assert picture.dtype == np.uint8
        assert picture.ndim == 3


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (12, 200, 7)])
def test_images_of_one_colour_are_blank(colour: tuple[int, int, int]) -> None:
    """Also after lossy compression; one grain of contrast in one channel is an image."""
    plain = np.full((16, 24, 3), colour, np.uint8)
    assert pixels.blank(plain)
    buffer = io.BytesIO()
    Image.fromarray(plain).save(buffer, "JPEG", quality=60)
    assert pixels.blank(pixels.decode(buffer.getvalue()))
    for channel in range(3):
        grain = plain.copy()
        grain[3, 5, channel] ^= 8
        assert not pixels.blank(grain)
    assert pixels.blank(np.zeros((0, 4, 3), np.uint8))


def test_damaged_exif_data_say_nothing_on_a_terminal(tmp_path: Path) -> None:
    """Pillow warns of them for each image; the image is read, and standard error stays empty."""
    image = Image.new("RGB", (8, 8), "red")
    exif = image.getexif()
    exif[0x010E] = "x" * 90
    image.save(tmp_path / "x.jpg", exif=exif)
    data = (tmp_path / "x.jpg").read_bytes()
    place = data.index(b"x" * 90)
    torn = data[: place - 12] + b"\xff\xff\xff\x7f" + data[place - 8 :]
    (tmp_path / "x.jpg").write_bytes(torn)
    code = (
        "import sys; from pathlib import Path; from audit.datasets import pixels, prompts\n"
        "data = Path(sys.argv[1]).read_bytes()\n"
        "print(pixels.decode(data).shape, prompts.embedded(data))"
    )
    plain = "import sys; from PIL import Image; Image.open(sys.argv[1]).getexif()"
    said = [
        subprocess.run(
            [sys.executable, "-W", "default", "-c", c, str(tmp_path / "x.jpg")],
            capture_output=True, text=True, check=True,
        )
        for c in (plain, code)
    ]  # fmt: skip
    assert "UserWarning" in said[0].stderr
    assert (said[1].stdout, said[1].stderr) == ("(8, 8, 3) None\n", "")


def test_lazy_pictures_are_decoded_when_they_are_taken() -> None:
    """One after another, also through slices; those that cannot be read are grey, with reasons."""
    taken: list[str] = []

    def load(name: str) -> np.ndarray:
        taken.append(name)
        if name == "2":
            raise pixels.Unreadable("gone")
        return np.full((2, 3, 3), int(name), np.uint8)

    some = pixels.Lazy([str(i) for i in range(5)], load)
    part = some[1:4]
    assert (len(some), len(part), taken) == (5, 3, [])
    assert [int(p[0, 0, 0]) for p in part] == [1, 127, 3]
    assert taken == ["1", "2", "3"]
    assert some.reasons == {"2": "gone"}


@pytest.mark.parametrize("shape", [(1, 1), (40, 3), (17, 100), (300, 200)])
def test_one_pixel_of_another_colour_is_not_blank(shape: tuple[int, int]) -> None:
    """Wherever it is, also between the few that are looked at first."""
    chance = np.random.default_rng(0)
    one = np.full((*shape, 3), 90, np.uint8)
    assert pixels.blank(one)
    for _ in range(20):
        other = one.copy()
        other[chance.integers(shape[0]), chance.integers(shape[1]), chance.integers(3)] = 99
        assert pixels.blank(other) == (shape == (1, 1))
