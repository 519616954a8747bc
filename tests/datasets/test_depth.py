"""Pixels as they are meant: depth, orientation, formats, memory."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from audit.datasets import kinds, pixels

CASES = Path(__file__).parent.parent / "cases"
RAMP = np.tile(np.linspace(0, 1, 256), (16, 1))
"""Grey from black to white."""


def saved(image: Image.Image, form: str, **how: Any) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **how)
    return buffer.getvalue()


def grey(values: np.ndarray, form: str, **how: Any) -> bytes:
    """Values of any depth as a grey file."""
    return saved(Image.fromarray(values), form, **how)


DEPTHS: dict[str, Callable[[], bytes]] = {
    "PNG of 16 bits": lambda: grey((RAMP * 65535).astype(np.uint16), "PNG"),
    "TIFF of 16 bits": lambda: grey((RAMP * 65535).astype("<u2"), "TIFF"),
    "TIFF of 16 bits, the other order": lambda: grey((RAMP * 65535).astype(">u2"), "TIFF"),
    "packed TIFF": lambda: grey((RAMP * 65535).astype("<u2"), "TIFF", compression="tiff_lzw"),
    "JPEG 2000 of 16 bits": lambda: grey((RAMP * 65535).astype(np.uint16), "JPEG2000"),
    "integers up to 65535": lambda: grey((RAMP * 65535).astype(np.int32), "TIFF"),
    "integers up to 255": lambda: grey((RAMP * 255).round().astype(np.int32), "TIFF"),
    "floats up to 1": lambda: grey(RAMP.astype(np.float32), "TIFF"),
    "floats up to 255": lambda: grey((RAMP * 255).astype(np.float32), "TIFF"),
    "floats that resampling pushed out": lambda: grey(
        (RAMP * 1.002 - 0.001).astype(np.float32), "TIFF"
    ),
    "8 bits": lambda: grey((RAMP * 255).round().astype(np.uint8), "PNG"),
}  # fmt: skip


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_ramp_is_a_ramp_at_every_depth(depth: str) -> None:
    """It was white, or black, where Pillow clips to 255."""
    found = pixels.decode(DEPTHS[depth]())
    assert found.dtype == np.uint8
    assert np.ptp(found, axis=2).max() == 0
    assert np.abs(found[..., 0] - RAMP * 255).max() <= 1.5


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["<u2", ">u2"])
def test_random_greys_scale_by_257(seed: int, name: str) -> None:
    """Each value by itself, to the nearest level."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 65536, rng.integers(1, 40, 2)).astype(name)
    want = np.rint(values.astype(float) / 257)
    np.testing.assert_array_equal(pixels.decode(grey(values, "TIFF"))[..., 1], want)


@pytest.mark.parametrize(
    "values",
    [
        RAMP.astype(np.float32) * 5, RAMP.astype(np.float32) * 65535,
        RAMP.astype(np.float32) * 2 - 1, np.where(RAMP > 0.5, np.nan, RAMP).astype(np.float32),
        (RAMP * 2**20).astype(np.int32), (RAMP * 600 - 300).astype(np.int32),
    ],
    ids=["up to 5", "up to 65535", "from -1", "not a number", "20 bits", "negative"],
)  # fmt: skip
def test_a_depth_that_cannot_be_told_is_unreadable(values: np.ndarray) -> None:
    """A guess would make another image of it."""
    with pytest.raises(pixels.Unreadable, match="depth that is not read"):
        pixels.decode(grey(values, "TIFF"))


def test_transparency_of_16_bits_is_white() -> None:
    """One grey level that is transparent, and one colour."""
    values = (RAMP * 65535).astype(np.uint16)
    found = pixels.decode(grey(values, "PNG", transparency=int(values[0, 200])))
    assert (found[:, 200] == 255).all()
    assert np.abs(found[:, :200, 0] - RAMP[:, :200] * 255).max() <= 1
    rgb = bytearray(saved(Image.new("RGB", (4, 4), (9, 8, 7)), "PNG"))
    at = rgb.index(b"IDAT") - 4
    chunk = io.BytesIO()
    PngImagePlugin.putchunk(chunk, b"tRNS", b"\0\x09\0\x08\0\x07")
    rgb[at:at] = chunk.getvalue()
    assert (pixels.decode(bytes(rgb)) == 255).all()


@pytest.mark.parametrize(
    ("file", "row"),
    [("depth/grey16.png", None), ("depth/grey16_trns.png", None), ("depth/grey32.tif", None),
     ("wrong_pixels/grey16.png", (78, 156)), ("wrong_pixels/float.tiff", (0, 204))],
)  # fmt: skip
def test_the_reported_depths(file: str, row: tuple[int, int] | None) -> None:
    """As other people met them."""
    found = pixels.read(CASES / file)[5, :, 0].astype(int)
    if row is None:
        assert np.abs(found[1:] - np.linspace(0, 255, len(found))[1:]).max() <= 1
    else:
        assert (found[0], found[-1]) == row


TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud,
    5: lambda p: p.swapaxes(0, 1), 6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p, 2).swapaxes(0, 1), 8: np.rot90,
}  # fmt: skip
CORNERS = np.kron(
    np.array([[[250, 20, 20], [20, 250, 20]], [[20, 20, 250], [240, 240, 240]]], np.uint8),
    np.ones((16, 32, 1), np.uint8),
)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(
    ("form", "how"),
    [("PNG", {}), ("JPEG", {"quality": 95}), ("WEBP", {"lossless": True}), ("TIFF", {}),
     ("TIFF", {"compression": "tiff_lzw"}), ("AVIF", {"quality": 95}), ("MPO", {"quality": 95})],
    ids=lambda x: x if isinstance(x, str) else "-".join(map(str, x.values())),
)  # fmt: skip
def test_images_are_as_a_viewer_shows_them(form: str, how: dict[str, Any], turn: int) -> None:
    """EXIF's eight orientations, in every format that has EXIF."""
    exif = Image.Exif()
    exif[0x0112] = turn
    found = pixels.decode(saved(Image.fromarray(CORNERS), form, exif=exif, **how))
    want = TURNS[turn](CORNERS)
    assert found.shape == want.shape
    assert np.abs(found.astype(int) - want).mean() < 6


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"", b"Exif\0\0junk", b"Exif\0\0MM\0*\xff\xff\xff\xff"])
def test_damaged_exif_data_leave_an_image_as_it_is_stored(exif: bytes) -> None:
    """The pixels are whole."""
    plain = saved(Image.fromarray(CORNERS), "JPEG", quality=95)
    data = plain[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + plain[2:]
    np.testing.assert_array_equal(pixels.decode(data), pixels.decode(plain))


def test_the_reported_orientations() -> None:
    """64 by 32 as stored, 32 by 64 as shown, with blue in the top left corner."""
    found = pixels.read(CASES / "orientation/six.jpg")
    assert found.shape == (64, 32, 3)
    assert found[4, 4].argmax() == 2
    assert found[4, 4, 2] > 200
    assert pixels.read(CASES / "wrong_pixels/orientation6.jpg").shape == (80, 40, 3)


def test_nothing_but_the_listed_formats_is_opened() -> None:
    """PostScript under the name of a PNG would start another program."""
    data = (CASES / "eps_as_png" / "a photo of a nurse.png").read_bytes()
    with pytest.raises(pixels.Unreadable, match="PostScript is not read"):
        pixels.decode(data)
    small = Image.new("RGB", (4, 4))
    for form in ("PPM", "PCX", "TGA", "ICO", "SGI", "IM", "DDS", "EPS", "ICNS"):
        with pytest.raises(pixels.Unreadable, match="not an image in a known format"):
            pixels.decode(saved(small, form))


def test_every_image_is_opened_in_listed_formats() -> None:
    """Each call names the formats that it may meet."""
    for path in Path(pixels.__file__).parent.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                assert any(k.arg == "formats" for k in node.keywords), path


def test_the_kind_is_told_by_content() -> None:
    """What is written here is known again, and text is not an image."""
    forms = {"PNG": "PNG", "JPEG": "JPEG", "WEBP": "WebP", "GIF": "GIF", "BMP": "BMP",
             "TIFF": "TIFF", "JPEG2000": "JPEG 2000", "AVIF": "AVIF", "MPO": "JPEG"}  # fmt: skip
    for form, kind in forms.items():
        data = saved(Image.new("RGB", (9, 7)), form)
        assert kinds.of_content(data[: kinds.HEAD]) == kind
        assert pixels.decode(data).shape == (7, 9, 3)
    heic = (24).to_bytes(4) + b"ftypheic\0\0\0\0mif1heic"
    assert kinds.of_content(heic) == "HEIC"
    assert kinds.of_content(b"BMW builds cars, and this is a text.") == ""
    with pytest.raises(pixels.Unreadable, match="HEIC is not read"):
        pixels.decode(heic)


def test_a_lack_of_memory_says_nothing_about_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is let through, and never becomes the reason why an image is missing."""

    def full(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", full)
    with pytest.raises(MemoryError):
        pixels.decode(saved(Image.new("P", (8, 8)), "PNG"))


def test_large_files_are_not_read(tmp_path: Path) -> None:
    """Their size is asked first; a sparse file of 30 GB costs nothing."""
    with (tmp_path / "x.png").open("wb") as file:
        file.truncate(30 << 30)
    with pytest.raises(pixels.Unreadable, match="too large"):
        pixels.read(tmp_path / "x.png")


@pytest.mark.parametrize("count", [0, 1, 64, 65, 130])
def test_vectors_of_images_that_are_decoded_one_by_one(count: int) -> None:
    """Names, rows and order stay together; those that cannot be read have a reason and no row."""
    gone = {"3", "17", "64"}

    def load(name: str) -> np.ndarray:
        if name in gone:
            raise pixels.Unreadable("gone")
        return np.full((2, 2, 3), int(name), np.uint8)

    def encode(pictures: Sequence[np.ndarray]) -> np.ndarray:
        assert len(pictures) <= pixels.TOGETHER
        return np.array([[p[0, 0, 0]] for p in pictures], np.float32).reshape(-1, 1)

    names = [str(i) for i in range(count)]
    found = list(pixels.encoded(names, load, encode))
    rows = {n: int(r[0]) for some, part, _ in found for n, r in zip(some, part, strict=True)}
    assert rows == {n: int(n) for n in names if n not in gone}
    assert {n for _, _, why in found for n in why} == gone & set(names)


@pytest.mark.slow
def test_a_bomb_of_34_bytes_is_decoded_in_less_than_a_gigabyte() -> None:
    """8000 by 8000 pixels: a band of rows is converted at a time."""
    code = (
        "import resource, sys; from pathlib import Path; from audit.datasets import pixels\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10\n"
        "before = peak(); print(pixels.read(Path(sys.argv[1])).shape, peak() - before)"
    )
    file = CASES / "webp_bomb" / "8000x8000.webp"
    ran = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, text=True, check=True
    )
    shape, _, grown = ran.stdout.rpartition(" ")
    assert shape == "(8000, 8000, 3)"
    assert int(grown) < 1000  # WebP itself takes three times the pixels


def test_parts_are_full_and_never_larger_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every thing once and in order; one more of the largest could exceed the bytes."""
    monkeypatch.setattr(pixels, "BATCH", 4)
    monkeypatch.setattr(pixels, "BATCH_BYTES", 10)
    sizes = [3, 3, 3, 3, 9, 1, 0, 0, 0, 0, 0, 12, 1]
    found = list(pixels.parts(sizes, int))
    assert found == [[3, 3, 3], [3], [9], [1, 0, 0, 0], [0, 0], [12], [1]]
