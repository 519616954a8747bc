"""Training images read ahead: order, bytes held, and JPEGs at a reduced size."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.datasets import jpeg, pixels
from audit.datasets.find import find
from audit.datasets.source import Item
from audit.errors import UserError
from audit.evidence.copies import index as indexes
from audit.evidence.copies import reading
from audit.evidence.copies.reading import Reader
from audit.evidence.encoders.phash import PerceptualHash, bits
from tests.evidence.copies import made


def photo(seed: int, width: int = 320, height: int = 200) -> Image.Image:
    """A smooth image with structure at several scales."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (s, s, 3), np.uint8)).resize(
            (width, height)), float)
        for s in (3, 8, 24)
    ]  # fmt: skip
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))


def jpg(image: Image.Image, **how: object) -> bytes:
    """The file of an image."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, **how)
    return buffer.getvalue()


def photos(folder: Path, count: int) -> Path:
    """A folder of JPEGs, the last of which has the pixels of the first and a comment."""
    folder.mkdir()
    for i in range(count):
        (folder / f"{i}.jpg").write_bytes(jpg(photo(i)))
    (folder / "same.jpg").write_bytes(jpg(photo(0), comment=b"seen", exif=_titled("one")))
    return folder


def _titled(text: str) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = text
    return exif.tobytes()


@pytest.mark.parametrize("least", [0, 64])
def test_items_are_those_of_one_thread_in_their_order(
    least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tars with damaged members, cut tars and folders: what is read one by one, by any threads."""
    some = made.pictures(30, 3)
    made.tar(tmp_path / "set" / "a.tar", some)
    cut = made.tar(tmp_path / "set" / "b.tar", some, 40)
    cut.write_bytes(cut.read_bytes()[:20_000])
    monkeypatch.setattr(pixels, "BATCH", 7)
    monkeypatch.setattr(reading, "AHEAD_BYTES", 3 * some[0].nbytes)
    source = find(tmp_path / "set")
    units = source.units()
    with Reader(source, least) as reader:
        steps = [s for part in reader.parts(units) for s in part]
    items = [s for s in steps if isinstance(s, Item)]
    alone = list(source.read(units[0]))
    assert [i.entry for i in items[: len(alone)]] == [i.entry for i in alone]
    for one, other in zip(items, alone, strict=False):
        assert one.picture is not None
        assert other.picture is not None
        assert np.array_equal(one.picture, other.picture)
    assert [type(s).__name__ for s in steps if not isinstance(s, Item)] == ["Unit", "Failed"]


def test_no_more_is_decoded_ahead_than_its_bytes_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted at the decoder: images that are decoded and not yet taken."""
    source = find(photos(tmp_path / "set", 9))
    size = photo(0).width * photo(0).height * 3
    monkeypatch.setattr(reading, "AHEAD_BYTES", 2 * size)
    begun, most, lock = [0], [0], threading.Lock()
    real = pixels.decode

    def counted(data: bytes, least: int = 0) -> np.ndarray:
        with lock:
            begun[0] += 1
        return real(data, least)

    monkeypatch.setattr(pixels, "decode", counted)
    with Reader(source) as reader:
        for taken, _ in enumerate(
            s for s in reader._decoded(reader._steps(source.units())) if isinstance(s, Item)
        ):
            with lock:
                most[0] = max(most[0], begun[0] - taken)
    assert begun[0] == 10
    assert most[0] <= 3  # two ahead, and the one in hand


def test_a_reduced_jpeg_has_the_descriptor_of_the_whole_one_but_for_few_bits() -> None:
    """At 1/2, 1/4 and 1/8; a PNG and a small JPEG stay as they are."""
    for seed in range(6):
        data = jpg(photo(seed, 1024, 768))
        whole, small = pixels.decode(data), pixels.decode(data, 64)
        assert small.shape == (96, 128, 3)
        assert pixels.extent(data, 64) == small.nbytes
        assert (bits(whole) != bits(small)).sum() <= 2
    assert pixels.decode(jpg(photo(0, 100, 120)), 64).shape == (120, 100, 3)
    assert pixels.decode(pixels.png(np.asarray(photo(0))), 64).shape == (200, 320, 3)
    assert pixels.extent(b"no image", 64) == 0


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_reduced_jpeg_is_the_way_up_that_its_exif_says(turn: int) -> None:
    """The same turn as the whole one."""
    exif = Image.Exif()
    exif[pixels.ORIENTATION] = turn
    data = jpg(photo(5, 512, 256), exif=exif.tobytes())
    whole, small = pixels.decode(data), pixels.decode(data, 64)
    assert tuple(4 * n for n in small.shape[:2]) == whole.shape[:2]
    shrunk = Image.fromarray(whole).resize(small.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(np.asarray(shrunk, float) - small).mean() < 4


def test_what_decides_the_pixels_of_a_jpeg_is_told_from_what_does_not() -> None:
    """Comments and EXIF data do not count; another quality, another picture and CMYK do."""
    one = jpg(photo(1))
    assert jpeg.body(jpg(photo(1), comment=b"x" * 300, exif=_titled("y"))) == jpeg.body(one)
    assert jpeg.body(jpg(photo(2))) != jpeg.body(one)
    cmyk = jpg(photo(1).convert("CMYK"))
    assert b"Adobe" in jpeg.body(cmyk)
    for bad in (b"\xff\xd8\xff", one[:30], b"\xff\xd8\xffxx" + one):
        assert jpeg.body(bad) == bad


def test_an_index_by_phash_reads_reduced_jpegs_and_counts_same_ones(tmp_path: Path) -> None:
    """Vectors are those of the reduced images; a comment makes no other image."""
    source = find(photos(tmp_path / "set", 4))
    index = indexes.build({"train": source}, PerceptualHash(), tmp_path / "new")
    files = [tmp_path / "set" / e.id for e in index.train.entries]
    own = PerceptualHash().images([pixels.decode(f.read_bytes(), 64) for f in files])
    assert np.array_equal(index.train.rows(np.arange(5)), own)
    assert index.repeated == (1, 0)


def test_an_index_of_earlier_versions_is_continued_as_it_was(tmp_path: Path) -> None:
    """Its key stays, new images are read whole, queries fit; another descriptor is refused."""
    source = find(photos(tmp_path / "set", 3))
    was = indexes.build({"train": source}, PerceptualHash(0), tmp_path / "idx")
    (tmp_path / "set" / "9.jpg").write_bytes(jpg(photo(9)))
    more = {"train": find(tmp_path / "set")}
    now = indexes.build(more, PerceptualHash(), tmp_path / "idx")
    assert now.descriptor.key == was.descriptor.key == PerceptualHash(0).key
    whole = PerceptualHash().images([pixels.read(tmp_path / "set" / "9.jpg")])
    assert np.array_equal(now.train.rows(np.array([4])), whole)
    now.check(PerceptualHash())
    fresh = indexes.build(more, PerceptualHash(), tmp_path / "other")
    assert fresh.descriptor.key != was.descriptor.key
    with pytest.raises(UserError, match="same descriptor"):
        fresh.check(PerceptualHash(0))
