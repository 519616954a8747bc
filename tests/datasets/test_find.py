"""Training sets on disk: every form gives the same pictures and captions; damage is named."""

from __future__ import annotations

import gzip
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from audit.datasets import pixels
from audit.datasets.find import find
from audit.datasets.parquet import Parquet
from audit.datasets.source import Item
from audit.errors import UserError
from tests.evidence.copies import made

SOME = made.pictures(11, 3)


def items(path: Path) -> list[Item]:
    """Everything in a training set."""
    source = find(path)
    return [i for u in source.units() for i in source.read(u)]


def forms(root: Path) -> dict[str, Path]:
    """The same pictures in every form."""
    made.tar(root / "tars" / "00000.tar", SOME[:6])
    made.tar(root / "tars" / "00001.tar", SOME[6:], 6)
    made.parquet_file(root / "tables" / "a.parquet", SOME[:4])
    made.parquet_file(root / "tables" / "b.parquet", SOME[4:], 4)
    return {
        "folder": made.folder(root / "folder", SOME), "WebDataset": root / "tars",
        "one tar": made.tar(root / "one.tar", SOME), "Parquet": root / "tables",
        "one table": made.parquet_file(root / "one.parquet", SOME),
        "dataset on disk": made.saved(root / "saved", SOME),
    }  # fmt: skip


@pytest.mark.parametrize(
    "form", ["folder", "WebDataset", "one tar", "Parquet", "one table", "dataset on disk"]
)
def test_every_form_gives_the_same_images(form: str, tmp_path: Path) -> None:
    """Pictures, captions and order agree, and each image can be read again by its id."""
    path = forms(tmp_path)[form]
    found = items(path)
    assert [i.entry.caption for i in found] == [f"caption {i}" for i in range(11)]
    source = find(path)
    for item, picture in zip(found, SOME, strict=True):
        np.testing.assert_array_equal(item.picture, picture)
        np.testing.assert_array_equal(source.image(item.entry.id), picture)
    assert len({i.entry.id for i in found}) == 11


def test_embeddings_come_with_their_metadata(tmp_path: Path) -> None:
    """Vectors, ids and captions by row; without metadata the ids are file and row."""
    vectors = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float16)
    path = made.embeddings(tmp_path / "e", vectors)
    found = items(path)
    np.testing.assert_array_equal(
        np.stack([i.vector for i in found if i.vector is not None]), vectors
    )
    assert [i.entry.id for i in found] == [f"{i:05d}" for i in range(9)]
    assert found[8].entry.caption == "caption 8"
    with pytest.raises(pixels.Unreadable, match="only its vector"):
        find(path).image("00001")
    shutil.rmtree(path / "metadata")
    assert items(path)[0].entry.id == "img_emb_0.npy/0"


def test_metadata_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """A caption is never given to another image's vector."""
    path = made.embeddings(tmp_path / "e", np.ones((6, 3), np.float32))
    parquet.write_table(pa.table({"url": ["a"]}), path / "metadata" / "metadata_1.parquet")
    with pytest.raises(UserError, match="1 rows for 3 vectors"):
        items(path)


def test_an_archive_of_python_objects_is_refused(tmp_path: Path) -> None:
    """A NumPy file with objects in it is not opened, and nothing in it runs."""
    path = made.embeddings(tmp_path / "e", np.ones((2, 3), np.float32), files=1)
    np.save(path / "img_emb" / "img_emb_0.npy", np.array([{"a": 1}], object))
    with pytest.raises(UserError, match=r"img_emb_0\.npy"):
        find(path).units()


@pytest.mark.parametrize("form", ["folder", "WebDataset", "Parquet", "dataset on disk"])
def test_a_damaged_picture_costs_itself_alone(form: str, tmp_path: Path) -> None:
    """One cut-off picture is an item with a reason; the others are read."""
    real = pixels.png

    def cut(picture: np.ndarray) -> bytes:
        data = real(picture)
        return data[:300] if picture is SOME[5] else data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixels, "png", cut)
        path = forms(tmp_path)[form]
    found = items(path)
    assert [i for i, item in enumerate(found) if item.picture is None] == [5]
    assert found[5].reason.startswith("damaged or cut short")


@pytest.mark.parametrize(
    ("form", "file"),
    [("WebDataset", "00001.tar"), ("Parquet", "b.parquet"),
     ("dataset on disk", "data-00001-of-00002.arrow")],
)  # fmt: skip
def test_a_damaged_piece_is_named(form: str, file: str, tmp_path: Path) -> None:
    """A file cut in half stops with its name; the piece before it was read whole."""
    path = forms(tmp_path)[form]
    whole = (path / file).read_bytes()
    (path / file).write_bytes(whole[: len(whole) // 2])
    source = find(path)
    first, second = source.units()
    assert all(i.picture is not None for i in source.read(first))
    with pytest.raises(UserError, match=rf"{file}.*Fetch it again"):
        list(source.read(second))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kept", [0, 1, 2, 5])
def test_a_tar_that_was_cut_between_two_members_is_damaged(
    kept: int, packed: bool, tmp_path: Path
) -> None:
    """It looks whole and holds fewer pictures; the end mark that it lacks says so."""
    path = made.tar(tmp_path / "x.tar", SOME[:3])
    with tarfile.open(path) as archive:
        starts = [m.offset for m in archive]
    data = path.read_bytes()[: starts[kept]] or b"\0" * 512
    path.write_bytes(gzip.compress(data) if packed else data)
    if not kept:  # nothing but zeros is an archive of nothing
        assert items(path) == []
        return
    with pytest.raises(UserError, match="cut short"):
        items(path)


def test_another_caption_is_another_stamp(tmp_path: Path) -> None:
    """A piece is known again by its content's time and size, its sidecar's included."""
    path = made.folder(tmp_path / "f", SOME[:2])
    before = find(path).units()
    assert find(path).units() == before
    (path / "001.txt").write_text("another caption")
    after = find(path).units()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_no_name_leaves_its_folder(tmp_path: Path) -> None:
    """Links, paths in tables and names in archives cannot reach other files."""
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    path = made.folder(tmp_path / "f", SOME[:1])
    (path / "link.png").symlink_to(secret)
    assert len(items(path)) == 1
    with pytest.raises(pixels.Unreadable, match="outside"):
        find(path).image("../secret.png")
    (tmp_path / "t").mkdir()
    table = pa.table({"file_name": ["../secret.png", str(secret)]})
    parquet.write_table(table, tmp_path / "t" / "x.parquet")
    assert [i.reason for i in items(tmp_path / "t")] == ["its path leaves the table's folder"] * 2


def test_paths_in_a_table_are_read_below_it(tmp_path: Path) -> None:
    """A Parquet file of paths next to a folder of images."""
    made.folder(tmp_path / "p", SOME[:3])
    table = pa.table({"file_name": [f"p/{i:03d}.png" for i in range(3)], "text": list("abc")})
    parquet.write_table(table, tmp_path / "x.parquet")
    found = items(tmp_path / "x.parquet")
    assert [i.entry.caption for i in found] == list("abc")
    np.testing.assert_array_equal(found[2].picture, SOME[2])


@pytest.mark.parametrize("rows", [1, 7, 8, 14, 100])
def test_a_long_table_is_read_in_windows(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of whole row groups, here of 7 rows; ids, order and pictures stay what they were."""
    path = made.parquet_file(tmp_path / "odd#7.parquet", made.pictures(30, 4))
    whole = items(path)
    monkeypatch.setattr(Parquet, "window", rows)
    parts = find(path).units()
    size = -(-rows // 7) * 7
    assert len(parts) == -(-30 // size)
    assert len({(u.id, u.stamp) for u in parts}) == len(parts)
    found = items(path)
    assert [i.entry for i in found] == [i.entry for i in whole]
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)
    np.testing.assert_array_equal(find(path).image(found[29].entry.id), found[29].picture)


def test_captions_come_from_a_table_where_there_is_one(tmp_path: Path) -> None:
    """`metadata.csv` with file_name and text, as image folders have it."""
    path = made.folder(tmp_path / "f", SOME[:2])
    (path / "000.txt").unlink()
    (path / "metadata.csv").write_text("file_name,text\n000.png,from the table\n")
    assert [i.entry.caption for i in items(path)] == ["from the table", "caption 1"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: None, "There is nothing at"),
        (lambda p: p.write_text("hello"), "is not a tar or a Parquet"),
        (lambda p: p.mkdir(), "contains no images"),
        (lambda p: (p / "img_emb").mkdir(parents=True), "contains no .npy"),
        (lambda p: (p.mkdir(), (p / "state.json").write_text("{}")), "saved dataset"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(make, said: str, tmp_path: Path) -> None:
    """Nothing, a text file, an empty folder, and halves of known forms."""
    make(tmp_path / "x")
    with pytest.raises(UserError, match=said):
        find(tmp_path / "x").units()


def test_a_compressed_tar_is_read_too(tmp_path: Path) -> None:
    """`.tar` files that are gzip inside."""
    plain = made.tar(tmp_path / "plain", SOME[:3])
    (tmp_path / "x.tar").write_bytes(gzip.compress(plain.read_bytes()))
    assert len(items(tmp_path / "x.tar")) == 3


def test_huge_members_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member above the limit is not read into memory, and its item says so."""
    made.tar(tmp_path / "x.tar", SOME[:3])
    monkeypatch.setattr(pixels, "MAX_BYTES", 30)
    found = items(tmp_path / "x.tar")
    assert len(found) == 3
    assert all(i.picture is None and i.reason.endswith("is too large") for i in found)
