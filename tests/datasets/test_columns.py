"""Tables of images by the types, names and contents of their columns, and their damage."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from audit.datasets import pixels
from audit.datasets.find import find
from audit.design.imported import pictures as imported
from audit.errors import UserError
from tests.evidence.copies import made

SOME = made.pictures(3, 8)
DATA = [pixels.png(p) for p in SOME]
WAVE = b"RIFF\x24\0\0\0WAVEfmt "
NURSE = "a photo of a nurse"


def as_parquet(root: Path, table: pa.Table) -> Path:
    """A Parquet file of a table."""
    parquet.write_table(table, root / "x.parquet", row_group_size=2)
    return root / "x.parquet"


def as_saved(root: Path, table: pa.Table) -> Path:
    """A dataset saved to disk."""
    root = root / "saved"
    root.mkdir(exist_ok=True)
    with (root / "data.arrow").open("wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table, max_chunksize=2)
    (root / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    return root


FORMS: list[Callable[[Path, pa.Table], Path]] = [as_parquet, as_saved]


def read(path: Path) -> tuple[list[str], list[str]]:
    """Captions of both ways, which are the same, and the notes; the images are those of SOME."""
    source, run = find(path), imported.read(path)
    items = [i for u in source.units() for i in source.read(u)]
    for item, right in zip(items, SOME, strict=False):
        assert item.picture is not None, item.reason
        np.testing.assert_array_equal(item.picture, right)
        np.testing.assert_array_equal(source.image(item.entry.id), right)
    for listed, right in zip(run.items(), SOME, strict=False):
        np.testing.assert_array_equal(run.image(listed.name), right)
    captions = [i.entry.caption for i in items]
    assert [i.text or "" for i in run.items() if i.source == "table"] == [c for c in captions if c]
    assert run.notes() == source.notes()
    return captions, source.notes()


BYTES: dict[str, Callable[[list[Any]], Any]] = {
    "binary": lambda v: pa.array(v, pa.binary()),
    "large_binary": lambda v: pa.array(v, pa.large_binary()),
    "binary_view": lambda v: pa.array(v, pa.binary_view()),
    "dictionary": lambda v: pa.array(v, pa.binary()).dictionary_encode(),
    "struct": lambda v: pa.array([{"bytes": x, "path": None} for x in v]),
    "large struct": lambda v: pa.array(
        [{"bytes": x, "path": "x"} for x in v],
        pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())])),
    "struct of dictionaries": lambda v: pa.StructArray.from_arrays(
        [pa.array(v).dictionary_encode(), pa.array(["x"] * len(v))], ["bytes", "path"]),
}  # fmt: skip
TEXT: dict[str, Callable[[list[Any]], Any]] = {
    "string": lambda v: pa.array(v, pa.string()),
    "large_string": lambda v: pa.array(v, pa.large_string()),
    "string_view": lambda v: pa.array(v, pa.string_view()),
    "dictionary": lambda v: pa.array(v, pa.string()).dictionary_encode(),
    "large dictionary": lambda v: pa.array(v, pa.large_string()).dictionary_encode(),
    "binary": lambda v: pa.array([x.encode() for x in v]),
    "large_binary": lambda v: pa.array([x.encode() for x in v], pa.large_binary()),
    "list": lambda v: pa.array([[x] for x in v]),
    "large list": lambda v: pa.array([["", x] for x in v], pa.large_list(pa.large_string())),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", BYTES)
@pytest.mark.parametrize("name", ["image", "Image", "jpg", "x.y"])
def test_image_bytes_of_any_type(
    tmp_path: Path, form: Callable[[Path, pa.Table], Path], kind: str, name: str
) -> None:
    """Whatever wrote the table, also where the column has another name."""
    path = form(tmp_path, pa.table({"id": [1, 2, 3], name: BYTES[kind](DATA)}))
    _, notes = read(path)
    assert "Tables without a column of captions" in notes[0]
    assert f"with the columns 'id', '{name}': 1" in notes[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", TEXT)
@pytest.mark.parametrize("name", ["text", "TEXT", "Prompt", "caption"])
def test_captions_of_any_type(
    tmp_path: Path, form: Callable[[Path, pa.Table], Path], kind: str, name: str
) -> None:
    """Never `b'...'` or `['...']`."""
    texts = ["a nurse", "a  judge", "die Ärztin"]
    captions, notes = read(form(tmp_path, pa.table({name: TEXT[kind](texts), "image": DATA})))
    assert captions == ["a nurse", "a judge", "die Ärztin"]
    assert not notes


@pytest.mark.parametrize("kind", list(TEXT)[:5])
@pytest.mark.parametrize("name", ["image_path", "FILE_NAME", "image"])
def test_paths_of_any_type(tmp_path: Path, kind: str, name: str) -> None:
    """As pandas 3, polars and others write them."""
    for i, data in enumerate(DATA):
        (tmp_path / f"{i}.png").write_bytes(data)
    names = TEXT[kind]([f"{i}.png" for i in range(3)])
    md5 = pa.array([b"0" * 16] * 3)
    table = pa.table({"md5": md5, name: names, "text": ["a"] * 3})
    assert read(as_parquet(tmp_path, table))[0] == ["a"] * 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("md5", [b"\x01" * 16] * 3), ("audio", [{"bytes": WAVE, "path": "a.wav"}] * 3),
        ("audio", [{"bytes": None, "path": "a.wav"}] * 3), ("bytes", [b"no"] * 3),
        ("embedding", [b"\0" * 64, None, b""]), ("x", [None, None, b"no"]),
    ],
)  # fmt: skip
def test_what_is_not_an_image_is_passed_over(
    tmp_path: Path, form: Callable[[Path, pa.Table], Path], name: str, cells: list[Any]
) -> None:
    """A hash or a sound before the image, told by its first bytes."""
    read(form(tmp_path, pa.table({name: cells, "picture_of_it": DATA})))
    read(form(tmp_path, pa.table({name: cells, "image": DATA})))


@pytest.mark.parametrize("form", FORMS)
def test_of_two_images_the_one_called_image(
    tmp_path: Path, form: Callable[[Path, pa.Table], Path]
) -> None:
    """And that is said; without such a name the choice is the user's."""
    other = list(reversed(DATA))
    _, notes = read(form(tmp_path, pa.table({"control_image": other, "Image": DATA})))
    assert "several columns of images ('control_image', 'Image'), of which 'Image' was" in notes[0]
    path = form(tmp_path, pa.table({"control": other, "jpg": DATA}))
    with pytest.raises(UserError, match=r"2 columns of images \('control', 'jpg'\). Say which"):
        imported.read(path).items()


@pytest.mark.parametrize("form", FORMS)
def test_missing_images_do_not_hide_the_column(
    tmp_path: Path, form: Callable[[Path, pa.Table], Path]
) -> None:
    """Failed downloads are null, or nothing at all."""
    for cells in ([None, None, DATA[0]], [None, None, None], [b"", b"no", None]):
        path = form(
            tmp_path, pa.table({"key": ["0", "1", "2"], "jpg": pa.array(cells, pa.binary())})
        )
        source = find(path)
        reasons = [i.reason for u in source.units() for i in source.read(u)]
        assert len(reasons) == 3
        assert all(reasons[:2])


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_read_names_the_types(
    tmp_path: Path, form: Callable[[Path, pa.Table], Path]
) -> None:
    """Lists of images in a row, and tables of something else."""
    path = form(tmp_path, pa.table({"images": [[d] for d in DATA], "n": [1, 2, 3]}))
    with pytest.raises(UserError, match=r"'images' \(list<.*: binary>\), 'n' \(int64\)"):
        imported.read(path).items()
    path = form(tmp_path, pa.table({"image": DATA, "text": ["a"] * 3, "Text": ["b"] * 3}))
    with pytest.raises(UserError, match="2 columns 'text'"):
        imported.read(path).items()


@pytest.mark.parametrize(
    ("cell", "what"),
    [("https://example.org/0.png", "addresses on the web"), ("/9j/4AAQSkZJRg", "base64"),
     ("data:image/png;base64,xx", "base64"), ("iVBORw0KGgoAAAANSUhEUg", "base64")],
)  # fmt: skip
@pytest.mark.parametrize("form", FORMS)
def test_text_that_is_not_a_path(
    tmp_path: Path, form: Callable[[Path, pa.Table], Path], cell: str, what: str
) -> None:
    """It is refused at once, not listed as so many unreadable images."""
    path = form(tmp_path, pa.table({"image": [cell] * 3, "text": ["a"] * 3}))
    with pytest.raises(UserError, match=what):
        imported.read(path).items()


def test_paths_as_windows_writes_them(tmp_path: Path) -> None:
    """With backslashes, in a folder below the table."""
    (tmp_path / "p").mkdir()
    for i, data in enumerate(DATA):
        (tmp_path / "p" / f"{i}.png").write_bytes(data)
    names = [f"p\\{i}.png" for i in range(3)]
    read(as_parquet(tmp_path, pa.table({"file_name": names, "text": ["a"] * 3})))


@pytest.mark.parametrize("form", FORMS)
def test_several_captions_and_captions_of_another_kind(
    tmp_path: Path, form: Callable[[Path, pa.Table], Path]
) -> None:
    """The first one counts, with a note; a structure is not a caption."""
    lists = [["a nurse", "x"], ["", "a judge"], None]
    captions, notes = read(form(tmp_path, pa.table({"image": DATA, "captions": lists})))
    assert captions == ["a nurse", "a judge", ""]
    assert notes[0].startswith("Of several captions of an image, the first was read: 1 (")
    captions, notes = read(form(tmp_path, pa.table({"image": DATA, "text": [{"en": "x"}] * 3})))
    assert captions == [""] * 3
    assert notes[0].startswith("Captions that are not text were not read: 3")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("seeds", "right"),
    [([1.0, math.nan, None], [1, None, None]), (["1.0", "", "NaN"], [1, None, None]),
     ([1, 2**62, None], [1, 2**62, None]), ([b"1", b"", None], [1, None, None]),
     ([Decimal("1.00"), Decimal("2"), None], [1, 2, None]),
     ([np.float16(1), np.float16(math.nan), None], [1, None, None])],
)  # fmt: skip
def test_seeds_of_a_table(
    tmp_path: Path, form: Callable[[Path, pa.Table], Path], seeds: list[Any], right: list[Any]
) -> None:
    """NaN and null mean none, 1.0 is 1, and 1.5 is refused with its row."""
    path = form(tmp_path, pa.table({"image": DATA, "text": ["a"] * 3, "Seed": seeds}))
    assert [i.seed for i in imported.read(path).items()] == right
    path = form(tmp_path, pa.table({"image": DATA, "text": ["a"] * 3, "seed": [1, 1.5, 2]}))
    with pytest.raises(UserError, match=r"line 2: seed '1\.5' is not a whole number"):
        imported.read(path).items()


@pytest.mark.parametrize(
    "file",
    ["caption_bytes", "caption_list", "dictionary_binary", "hash_first", "path_large_string",
     "two_images"],
)  # fmt: skip
def test_cases_of_the_field(file: str) -> None:
    """Tables as others had them, one row each."""
    source = find(Path(__file__).parent.parent / "cases" / "parquet" / f"{file}.parquet")
    (item,) = [i for u in source.units() for i in source.read(u)]
    assert item.entry.caption == NURSE
    assert item.picture is not None


def test_several_splits_are_said(tmp_path: Path) -> None:
    """Of a dictionary of datasets and of a folder of tables; not of parts of one split."""
    for split in ("train", "test"):
        made.saved(tmp_path / "d" / split, SOME)
        made.parquet_file(tmp_path / "p" / "data" / f"{split}-00000-of-00001.parquet", SOME)
        made.parquet_file(tmp_path / "t" / f"train-{len(split)}-of-2.parquet", SOME)
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    said = "All splits were read: test, train. Give --split NAME to read one alone."
    assert find(tmp_path / "d").notes()[0] == said.replace(
        "test, train", "test (2 files), train (2 files)"
    )
    assert find(tmp_path / "p").notes() == [said]
    assert find(tmp_path / "t").notes() == find(tmp_path / "d" / "train").notes() == []


@pytest.mark.parametrize(
    ("name", "body", "what"),
    [
        ("state.json", '{"_data_files": [{"filename": "x.arrow"}]}', "lists x.arrow, not there"),
        ("state.json", '{"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}',
         "is a selection of the rows"),
        ("state.json", "[" * 100_000, "nested too deeply"), ("state.json", "[]", "cannot be read"),
        ("state.json", '{"_data_files": 3}', "cannot be read"),
        ("dataset_dict.json", '{"splits": ["a"]}', "lists the splits a, not there"),
        ("dataset_dict.json", '{"splits": []}', "lists no splits"),
        ("dataset_dict.json", "{}", "cannot be read as a list of splits"),
    ],
)  # fmt: skip
def test_a_list_of_streams_that_is_wrong(tmp_path: Path, name: str, body: str, what: str) -> None:
    """Nothing is read of half a dataset, or of the rows that were not selected."""
    (tmp_path / name).write_text(body)
    with pytest.raises(UserError, match=what):
        find(tmp_path)


def embeddings(root: Path, **columns: list[Any]) -> Path:
    """Three vectors with these metadata."""
    path = made.embeddings(root, np.eye(3, dtype=np.float32), 1)
    parquet.write_table(pa.table(columns), path / "metadata" / "metadata_0.parquet")
    return path


def test_metadata_of_embeddings(tmp_path: Path) -> None:
    """LAION's capitals, lists and bytes; what is not there is said."""
    path = embeddings(tmp_path / "a", URL=["u", None, "w"], TEXT=["a", "b", None])
    source = find(path)
    items = [i.entry for u in source.units() for i in source.read(u)]
    assert [(e.id, e.caption) for e in items] == [
        ("u", "a"), ("img_emb_0.npy/1", "b"), ("w", ""),
    ]  # fmt: skip
    source = find(embeddings(tmp_path / "b", key=["0", "1", "2"], caption=[["a", "b"], [b"c"], []]))
    assert [i.entry.caption for u in source.units() for i in source.read(u)] == ["a", "c", ""]
    assert source.notes()[0].startswith("Of several captions of an image, the first was read: 1")
    source = find(embeddings(tmp_path / "c", key=["0", "1", "2"], title=["x"] * 3))
    assert len([i for u in source.units() for i in source.read(u)]) == 3
    assert "Metadata without captions, with the columns 'key', 'title': 1" in source.notes()[0]
    (tmp_path / "c" / "metadata" / "metadata_0.parquet").unlink()
    source = find(tmp_path / "c")
    assert len([i for u in source.units() for i in source.read(u)]) == 3
    assert source.notes() == ["Embeddings without metadata: 1 (img_emb_0.npy)."]


def changed(data: bytes, rng: random.Random, within: int) -> bytes:
    """The same file with a few bytes exchanged, removed or added, or cut."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        start = max(0, len(out) - within) if rng.random() < 0.5 else 0
        at = rng.randrange(start, max(start + 1, min(len(out), start + within)))
        how = rng.random()
        if how < 0.6 and out:
            out[min(at, len(out) - 1)] = rng.randrange(256)
        elif how < 0.8:
            del out[at : at + rng.randrange(1, 30)]
        elif how < 0.9:
            out[at:at] = rng.randbytes(rng.randrange(1, 20))
        else:
            del out[at:]
    return bytes(out)


@pytest.mark.parametrize("form", ["parquet", "arrow", "npy", "metadata"])
@pytest.mark.parametrize("seed", range(3))
def test_damage_is_a_sentence(form: str, seed: int, tmp_path: Path) -> None:
    """Whatever happened to the bytes: a sentence, or images; never another exception."""
    if form == "parquet":
        path = file = made.parquet_file(tmp_path / "x.parquet", SOME)
    elif form == "arrow":
        path = made.saved(tmp_path / "x", SOME, 1)
        file = next(path.glob("*.arrow"))
    else:
        path = embeddings(tmp_path / "x", key=["0", "1", "2"], caption=["a", "b", "c"])
        file = next(path.rglob("*.npy" if form == "npy" else "*.parquet"))
    whole, rng = file.read_bytes(), random.Random(seed)
    for _ in range(60):
        file.write_bytes(changed(whole, rng, 128 if form == "npy" else 1500))
        with_images = form in ("parquet", "arrow")
        try:
            source = find(path)
            items = [i for u in source.units() for i in source.read(u)]
            if with_images:
                imported.read(path).items()
        except UserError:
            continue
        for item in items:
            try:
                source.image(item.entry.id)
            except pixels.Unreadable:
                continue


@pytest.mark.parametrize(
    "head",
    [b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }",
     b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999, 4), }",
     b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)", b"{'descr': '|O', 'fortran_order'"
     b": False, 'shape': (3, 4), }", b"(((((((", b"\xff\xfe", b"{'descr': ('<f4', 99999999999), "
     b"'fortran_order': False, 'shape': (3,), }"],
)  # fmt: skip
def test_heads_of_arrays_that_are_wrong(head: bytes, tmp_path: Path) -> None:
    """NumPy raises many kinds for them."""
    path = embeddings(tmp_path / "x", key=["0", "1", "2"])
    body = head.ljust(117) + b"\n"
    start = b"\x93NUMPY\x01\0" + len(body).to_bytes(2, "little")
    (path / "img_emb" / "img_emb_0.npy").write_bytes(start + body + bytes(48))
    with pytest.raises(UserError, match=r"cannot be read as a NumPy array|not vectors"):
        find(path).units()


BOMB = """
import resource, sys
from pathlib import Path
from audit.datasets import metadata
from audit.datasets.find import find
import pyarrow.parquet
path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if path.name == "metadata.parquet":
    found = metadata.read(path).rows
else:
    source = find(path)
    found = [i.reason for u in source.units() for i in source.read(u)]
print(len(found), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("where", ["image", "text", "metadata"])
def test_memory_is_bounded_by_bytes(where: str, repeated: bool, tmp_path: Path) -> None:
    """30 rows of 20 MB, from some kB: one row at a time, and a repeated value once."""
    big = bytes(20_000_000) if where == "image" else b"x" * 20_000_000
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 30, pa.int32()), pa.array([big]))
    images = cells if where == "image" else pa.array([DATA[0]] * 30)
    texts = ["x"] * 30 if where == "image" else cells.cast(pa.dictionary(pa.int32(), pa.string()))
    table = pa.table({"image": images, "text": texts})
    path = tmp_path / "x.parquet"
    if where == "metadata":
        path = tmp_path / "metadata.parquet"
        table = pa.table({"file_name": [f"{i}.png" for i in range(30)], "text": texts})
    parquet.write_table(table, path, compression="zstd", use_dictionary=repeated)
    assert path.stat().st_size < 200_000
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, check=True
    )
    count, grown = map(int, done.stdout.split())
    assert count == 30
    assert grown < 400
