"""The same collection as a training set and as `--images`: pictures, captions, order and ids."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import audit
from audit.datasets import pixels
from audit.datasets.find import find
from audit.datasets.find import pictures as collection
from audit.datasets.source import Source
from audit.design.imported import pictures as imported
from audit.errors import UserError
from tests.evidence.copies import made

Some = list[np.ndarray]


def drawn(seed: int) -> Some:
    """Two to thirty pictures of random sizes."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 24, (int(rng.integers(2, 31)), 2))
    return [rng.integers(0, 256, (int(h), int(w), 3), np.uint8) for h, w in sizes]


def tars(root: Path, some: Some) -> Path:
    """A folder of two tars, one of which is below another folder and compressed."""
    half = len(some) // 2
    made.tar(root / "tars" / "0.tar", some[:half])
    plain = made.tar(root / "plain", some[half:], half)
    (root / "tars" / "sub").mkdir()
    (root / "tars" / "sub" / "1.tar").write_bytes(gzip.compress(plain.read_bytes()))
    return root / "tars"


def tables(root: Path, some: Some) -> Path:
    """A folder of two Parquet files."""
    half = len(some) // 2
    made.parquet_file(root / "tables" / "a.parquet", some[:half])
    made.parquet_file(root / "tables" / "b.parquet", some[half:], half)
    return root / "tables"


def table_of_paths(root: Path, some: Some) -> Path:
    """A Parquet file that names the pictures of a folder."""
    made.folder(root / "pictures", some)
    names = [f"pictures/{i:03d}.png" for i in range(len(some))]
    texts = [f"caption {i}" for i in range(len(some))]
    parquet.write_table(pa.table({"file_name": names, "text": texts}), root / "paths.parquet")
    return root / "paths.parquet"


def splits(root: Path, some: Some) -> Path:
    """A DatasetDict of two splits, whose names sort in the order of the pictures."""
    half = len(some) // 2
    made.saved(root / "dict" / "test", some[:half], 1)
    made.saved(root / "dict" / "train", some[half:], 2, half)
    (root / "dict" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    return root / "dict"


FORMS: dict[str, Callable[[Path, Some], Path]] = {
    "folder": lambda root, some: made.folder(root / "f", some),
    "tar": lambda root, some: made.tar(root / "x.tar", some),
    "folder of tars": tars,
    "Parquet": lambda root, some: made.parquet_file(root / "x.parquet", some),
    "folder of Parquet": tables,
    "Parquet of paths": table_of_paths,
    "saved dataset": lambda root, some: made.saved(root / "saved", some),
    "saved dataset of one file": lambda root, some: made.saved(root / "saved", some, 1),
    "DatasetDict": splits,
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("form", FORMS)
def test_both_ways_give_the_same(form: str, seed: int, tmp_path: Path) -> None:
    """Pictures, captions and order, read in turn and at random, again in a fresh process."""
    some = drawn(seed)
    path = FORMS[form](tmp_path, some)
    source, made_elsewhere = find(path), imported.read(path)
    items = [i for u in source.units() for i in source.read(u)]
    listed = made_elsewhere.items()
    assert [i.entry.caption for i in items] == [f"caption {i}" for i in range(len(some))]
    assert [p.text for p in listed] == [i.entry.caption for i in items]
    prefix = f"{path.name}/" if path.is_file() else ""
    assert [prefix + p.name for p in listed] == [i.entry.id for i in items]
    assert len({p.name for p in listed}) == len({p.stamp + p.name for p in listed}) == len(some)
    again = find(path)
    for i in np.random.default_rng(seed).permutation(len(some)):
        np.testing.assert_array_equal(items[i].picture, some[i])
        np.testing.assert_array_equal(again.image(items[i].entry.id), some[i])
        np.testing.assert_array_equal(made_elsewhere.image(listed[i].name), some[i])


@pytest.mark.parametrize("form", FORMS)
def test_a_place_leads_back_to_the_same_ids(form: str, tmp_path: Path) -> None:
    """An index keeps the place of its training set and finds its pictures there again."""
    source = find(FORMS[form](tmp_path, drawn(9)))
    ids = [i.entry.id for u in source.units() for i in source.read(u)]
    back = find(Path(source.place))
    assert [i.entry.id for u in back.units() for i in back.read(u)] == ids


def test_a_lone_tar_below_a_folder_is_found_again(tmp_path: Path) -> None:
    """The place is the folder that was given, not the only file in it."""
    made.tar(tmp_path / "set" / "sub" / "x.tar", drawn(1))
    source = find(tmp_path / "set")
    (unit,) = source.units()
    first = next(iter(source.read(unit))).entry.id
    assert first.startswith("sub/x.tar/")
    assert find(Path(source.place)).image(first).size


@pytest.mark.parametrize("form", FORMS)
def test_stamps_change_with_the_file(form: str, tmp_path: Path) -> None:
    """What shows a picture again asks for its stamp; a file that is gone has none."""
    some = drawn(2)
    path = FORMS[form](tmp_path, some)
    source = collection(path)
    record = next(iter(source.records(source.units()[0])))
    before = source.stamp(record.id)
    assert source.stamp(record.id) == before
    place = tmp_path / "pictures" / "000.png"
    file = place if place.is_file() else next(p for p in holders(path) if p.name in record.id)
    os.utime(file, ns=(10**18, 10**18))
    assert source.stamp(record.id) != before
    file.unlink()
    with pytest.raises(pixels.Unreadable):
        source.image(record.id)
    if not place.parent.is_dir():
        with pytest.raises(pixels.Unreadable):
            source.stamp(record.id)


def holders(path: Path) -> list[Path]:
    """Files at a path, itself or below it."""
    return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]


def test_a_table_says_more_than_a_sidecar(tmp_path: Path) -> None:
    """The order of trust is one: table, then the text of the same name."""
    path = made.folder(tmp_path / "f", drawn(0)[:2])
    (path / "metadata.csv").write_text("file_name,text\n000.png,from the  table\n001.png,\n")
    source = find(path)
    captions = [i.entry.caption for u in source.units() for i in source.read(u)]
    assert captions == ["from the table", "caption 1"]
    assert [p.text for p in imported.read(path).items()] == captions


@pytest.mark.parametrize("way", [find, collection])
def test_a_folder_means_the_same_each_way(way: Callable[[Path], Source], tmp_path: Path) -> None:
    """Pictures next to data without pictures are these; next to data with pictures, a question."""
    path = made.folder(tmp_path / "f", drawn(0)[:1])
    with tarfile.open(path / "labels.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("a.xml"))
    parquet.write_table(pa.table({"label": [1]}), path / "labels.parquet")
    source: Any = way(path)
    assert source.kind == "folder"
    assert [x.file for x in source.left_out()] == ["labels.tar", "labels.parquet"]
    made.tar(path / "x.tar", drawn(1))
    with pytest.raises(UserError, match=r"1 images such as 000\.png, and data with images, x\.tar"):
        way(path)


def test_embeddings_hold_no_pictures(tmp_path: Path) -> None:
    """One sentence instead of a run over nothing."""
    path = made.embeddings(tmp_path / "e", np.ones((4, 3), np.float32))
    with pytest.raises(UserError, match="contains embeddings, which are vectors"):
        imported.read(path)


def test_a_table_of_prompts_names_the_members_of_a_tar(tmp_path: Path) -> None:
    """`--prompts` goes before the sidecars; rows of a table have no names to give."""
    path = made.tar(tmp_path / "x.tar", drawn(3)[:2])
    (tmp_path / "t.csv").write_text("file_name,text,seed\n00001.png,a nurse,4\n")
    found = imported.read(path, tmp_path / "t.csv").items()
    assert [(p.text, p.seed) for p in found] == [("caption 0", None), ("a nurse", 4)]
    rows = made.parquet_file(tmp_path / "x.parquet", drawn(3))
    with pytest.raises(UserError, match="are rows of a table"):
        imported.read(rows, tmp_path / "t.csv")


def test_seeds_of_a_training_set_may_be_anything(tmp_path: Path) -> None:
    """A column `seed` matters to `--images` alone, which says which row is wrong."""
    data = [pixels.png(p) for p in drawn(0)[:2]]
    table = pa.table({"image": data, "text": ["a", "b"], "seed": ["1", "x"]})
    parquet.write_table(table, tmp_path / "x.parquet")
    source = find(tmp_path / "x.parquet")
    assert [i.reason for u in source.units() for i in source.read(u)] == ["", ""]
    with pytest.raises(UserError, match="line 2: seed 'x' is not a whole number"):
        imported.read(tmp_path / "x.parquet").items()


def test_captions_apart_from_their_pictures(tmp_path: Path) -> None:
    """A tar need not hold a caption next to its picture: both ways find it by its key."""
    some = drawn(5)[:3]
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for suffix, files in (
            ("png", [pixels.png(p) for p in some]), ("TXT", [b"zero", b"one", b"two"]),
        ):  # fmt: skip
            for i, data in enumerate(files):
                member = tarfile.TarInfo(f"{i}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    source = find(tmp_path / "x.tar")
    captions = [i.entry.caption for u in source.units() for i in source.read(u)]
    assert captions == ["zero", "one", "two"]
    assert [p.text for p in imported.read(tmp_path / "x.tar").items()] == captions


def test_a_tar_that_was_cut_short_is_refused_both_ways(tmp_path: Path) -> None:
    """Half a tar would be another set of images under the same name."""
    path = made.tar(tmp_path / "x.tar", drawn(5)[:3])
    with tarfile.open(path) as archive:
        last = list(archive)[-1].offset
    path.write_bytes(path.read_bytes()[:last])
    with pytest.raises(UserError, match="cut short"):
        imported.read(path).items()
    source = find(path)
    with pytest.raises(UserError, match="cut short"):
        list(source.read(source.units()[0]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:1 training images have the same pixels")
@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode elsewhere")
@pytest.mark.parametrize("name", ["caf\udce9", "\udcff/0", "a\udc80\udcfeb c", "\udce9\udce9"])
@pytest.mark.parametrize("form", ["folder", "tar", "folder of tars", "linked"])
def test_names_that_are_not_unicode(form: str, name: str, tmp_path: Path) -> None:
    """They are spelled with their bytes, can be stored, and lead back to the image and its text."""
    some = drawn(7)[:2]
    root = tmp_path / "set"
    root.mkdir()
    files = {f"{name}.png": pixels.png(some[0]), f"{name}.txt": b"caption",
             "z.png": pixels.png(some[1])}  # fmt: skip
    if form == "folder":
        for file, data in files.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_bytes(data)
    else:
        tar = root / (f"{name.replace('/', '')}.tar" if form == "folder of tars" else "x.tar")
        with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as archive:
            for file, data in files.items():
                member = tarfile.TarInfo(file)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
            if form == "linked":
                link = tarfile.TarInfo("y.png")
                link.type, link.linkname = tarfile.LNKTYPE, f"{name}.png"
                archive.addfile(link)
    source, pictures = find(root), imported.read(root)
    items = [i for u in source.units() for i in source.read(u)]
    found = {i.entry.id.encode().decode(): i for i in items}  # each can be stored
    ((id, one),) = ((k, i) for k, i in found.items() if i.entry.caption == "caption")
    assert one.picture is not None
    assert (one.picture == some[0]).all()
    assert (find(root).image(id) == some[0]).all()
    assert [p.text for p in pictures.items()].count("caption") == 1
    assert all(pictures.image(p.name).size and p.name.encode() for p in pictures.items())
    if form == "linked":
        assert (source.image("x.tar/y.png") == some[0]).all()
    audit.index(root, tmp_path / "index", descriptor="phash", duplicates=True)
    table = audit.search(source_file(root), tmp_path / "index", nearest=1)
    assert set(table.image) <= set(found)


def source_file(root: Path) -> Path:
    """Any image, to search with."""
    path = root.parent / "asked.png"
    path.write_bytes(pixels.png(drawn(7)[1]))
    return path
