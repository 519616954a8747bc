"""Images, indexes and runs at an address: the same as on this machine, or one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from audit.datasets import far, pixels
from audit.datasets.far import Far, address
from audit.datasets.find import find
from audit.errors import Untrusted, UserError
from audit.evidence.copies import training_set
from audit.evidence.copies.index import build, load
from tests.evidence.copies import made
from tests.evidence.copies.made import Thumbnail

SOME = made.pictures(6, 4)


@pytest.fixture
def store() -> Iterator[MemoryFileSystem]:
    """An empty store at memory://."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()


def put(store: MemoryFileSystem, folder: Path, to: str = "/b/set") -> str:
    """Copy a folder into the store; its address."""
    for path in folder.rglob("*"):
        if path.is_file():
            store.pipe_file(f"{to}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"memory:/{to}"


def tables(folder: Path) -> Path:
    """Two Parquet tables."""
    folder.mkdir()
    for i in (0, 3):
        rows = [{"image": {"bytes": pixels.png(p)}, "text": f"c {i}"} for p in SOME[i : i + 3]]
        parquet.write_table(pa.Table.from_pylist(rows), folder / f"{i}.parquet")
    return folder


def tars(folder: Path) -> Path:
    """Three tars, one of them in a folder."""
    for i, name in enumerate(("a.tar", "b.tar", "deep/c.tar")):
        made.tar(folder / name, SOME[2 * i : 2 * i + 2], 10 * i)
    return folder


FORMS = {"tars": tars, "tables": tables, "images": lambda p: made.folder(p, SOME)}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_far_is_read_as_what_is_here(
    form: str, tmp_path: Path, store: MemoryFileSystem
) -> None:
    """Ids, captions, pixels and vectors; at most KEPT files are on the disk at any time."""
    here = FORMS[form](tmp_path / "set")
    there = find(Path(put(store, here)), far=True)
    assert isinstance(there, Far)
    near = find(here)
    rows = [[i for u in s.units() for i in s.read(u)] for s in (near, there)]
    assert [i.entry for i in rows[0]] == [i.entry for i in rows[1]]
    assert len(rows[1]) == 6
    for near_one, far_one in zip(*rows, strict=True):
        assert near_one.picture is not None
        assert far_one.picture is not None
        assert np.array_equal(near_one.picture, far_one.picture)
        assert np.array_equal(there.image(near_one.entry.id), near_one.picture)
    assert len([p for p in there._folder.iterdir()]) <= far.KEPT
    indexes = [build({"train": s}, Thumbnail(), tmp_path / f"idx{i}")
               for i, s in enumerate((near, there))]  # fmt: skip
    one, other = (i.train.rows(np.arange(6)) for i in indexes)
    assert np.array_equal(one, other)


def test_one_file_at_an_address_has_the_ids_of_one_file_here(
    tmp_path: Path, store: MemoryFileSystem
) -> None:
    """`a.tar/name`, and their prefix, which a run omits."""
    here = tars(tmp_path / "set")
    there = find(Path(put(store, here) + "/a.tar"), far=True)
    near = find(here / "a.tar")
    assert there.prefix == near.prefix == "a.tar/"  # type: ignore[attr-defined]
    ids = [[i.entry.id for u in s.units() for i in s.read(u)] for s in (near, there)]
    assert ids[0] == ids[1]


def test_a_damaged_or_vanished_file_is_left_out_and_read_again_later(
    tmp_path: Path, store: MemoryFileSystem
) -> None:
    """The others are indexed; when it is whole again, it alone is read."""
    where = Path(put(store, tars(tmp_path / "set")))
    whole = store.cat_file("/b/set/b.tar")
    store.pipe_file("/b/set/b.tar", whole[:700])
    index = build({"train": find(where, far=True)}, Thumbnail(), tmp_path / "idx")
    assert (len(index.train), [*index.damaged]) == (4, ["b.tar"])
    source = find(where, far=True)
    store.rm_file("/b/set/a.tar")
    again = build({"train": source}, Thumbnail(), tmp_path / "idx")
    assert len(again.train) == 4  # a.tar is in the index already
    store.pipe_file("/b/set/a.tar", whole)
    store.pipe_file("/b/set/b.tar", whole)
    assert not build({"train": find(where, far=True)}, Thumbnail(), tmp_path / "idx").damaged


def test_a_file_that_arrives_short_is_not_read(
    tmp_path: Path, store: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is that of the listing, or it is not there."""
    put(store, tars(tmp_path / "set"))

    def short(self: Any, path: str, to: str, **more: Any) -> None:
        Path(to).write_bytes(self.cat_file(path)[:-512])

    monkeypatch.setattr(MemoryFileSystem, "get_file", short)
    with pytest.raises(UserError, match="cut short"):
        far.download("memory://b/set", tmp_path / "new")
    assert not [p for p in (tmp_path / "new").rglob("*") if p.is_file()]


@pytest.mark.parametrize("name", ["..\\up.png", "c:x.png", "a/..\\..\\b.png", "nul\0.png"])
def test_names_that_leave_a_folder_are_left_out(
    name: str, tmp_path: Path, store: MemoryFileSystem
) -> None:
    """Listed as left out where images are read, refused where a folder is copied."""
    put(store, made.folder(tmp_path / "set", SOME[:1]))
    store.store[f"/b/set/{name}"] = type(store.open("/b/x", "wb"))(
        store, f"/b/set/{name}", pixels.png(SOME[1])
    )
    source = find(Path("memory://b/set"), far=True)
    assert len(source.units()) == 1
    assert [x.reason for x in source.left_out()] == ["its name leaves the folder"]  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="leaves the folder"):
        far.download("memory://b/set", tmp_path / "new")


def test_an_index_goes_and_comes_back_whole_or_not_at_all(
    tmp_path: Path, store: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after any file there is no index at the address; afterwards it is the same bytes."""
    made.folder(tmp_path / "set", SOME)
    build({"train": find(tmp_path / "set")}, Thumbnail(), tmp_path / "idx")
    files = sorted(p.name for p in (tmp_path / "idx").iterdir() if not p.name.startswith("."))
    real = MemoryFileSystem.put_file
    for stop in range(len(files)):
        left = [stop]

        def stopped(self: Any, one: str, to: str, left: list[int] = left, **more: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError("connection lost")
            real(self, one, to, **more)

        monkeypatch.setattr(MemoryFileSystem, "put_file", stopped)
        with pytest.raises(UserError, match="connection lost"):
            far.upload(tmp_path / "idx", "memory://b/idx")
        assert not store.exists("/b/idx/index.json")
    monkeypatch.setattr(MemoryFileSystem, "put_file", real)
    assert far.upload(tmp_path / "idx", "memory://b/idx") == len(files)
    there = training_set.at(Path("memory://b/idx"), None, lambda name: None, far=True)  # type: ignore[arg-type, return-value]
    assert there.made is not None
    assert load(there.made).key == load(tmp_path / "idx").key
    assert sorted(p.name for p in there.made.iterdir()) == files


@pytest.mark.parametrize(
    ("where", "words"),
    [("ftp://host/x", "not an address that is read"), ("http://host/x", "not an address"),
     ("s3://a::http://b", "not an address"), ("memory://none/there", "There is nothing at"),
     ("file:///none/there", "There is nothing at")],
)  # fmt: skip
def test_a_wrong_address_is_one_sentence(where: str, words: str, store: MemoryFileSystem) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(UserError, match=words) as error:
        find(Path(where), far=True)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("raised", "words"),
    [(PermissionError("Access Denied"), "may not be written"),
     (FileNotFoundError("NoSuchBucket"), "no such bucket"),
     (ConnectionError("no route\nto host"), r"cannot be written \(no route\)"),
     (ValueError(), r"cannot be written \(ValueError\)")],
)  # fmt: skip
def test_a_write_that_fails_is_one_sentence(
    raised: Exception, words: str, tmp_path: Path, store: MemoryFileSystem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Denied, without a bucket, without a network."""

    def fails(*args: Any, **more: Any) -> None:
        raise raised

    monkeypatch.setattr(MemoryFileSystem, "put_file", fails)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UserError, match=words):
        far.upload(tmp_path, "memory://b/run")


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that installs it."""

    def missing(scheme: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(UserError, match=r"s3fs.*t2i-audit\[remote\]"):
        far.objects("s3://bucket/x")


def test_only_the_users_own_address_is_opened(tmp_path: Path, store: MemoryFileSystem) -> None:
    """Not one that an index, a run or a suite names."""
    where = put(store, made.folder(tmp_path / "set", SOME))
    with pytest.raises(Untrusted, match="Give it yourself"):
        find(Path(where))
    build({"train": find(Path(where), far=True)}, Thumbnail(), tmp_path / "idx")
    opened = training_set.at(tmp_path / "idx", None, lambda name: None, far=True)  # type: ignore[arg-type, return-value]
    assert load(tmp_path / "idx").places["train"][1] == where
    assert not opened.sides


@pytest.mark.parametrize(
    ("text", "expected"),
    [("s3://b/x/", "s3://b/x"), ("s3:/b/x", "s3://b/x"), ("file:/a/b", "file:///a/b"),
     ("file:///a/b", "file:///a/b"), ("hf://datasets/o/n", "hf://datasets/o/n"),
     ("S3://b", "s3://b"), ("folder/x", ""), ("/a:b/c", ""), ("c:/x", ""), ("a.tar", "")],
)  # fmt: skip
def test_an_address_is_told_from_a_path(text: str, expected: str) -> None:
    """Also where `Path` has merged its slashes; drives of Windows have one letter."""
    assert address(text) == address(Path(text)) == expected


def test_results_are_not_written_to_an_address() -> None:
    """But to a folder, which is then copied."""
    with pytest.raises(UserError, match="t2i-audit copy"):
        far.refuse(Path("s3://b/runs"))
    far.refuse(Path("runs"))
