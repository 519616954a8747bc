"""Pictures of tars by their ids: no second scan, no decompression from the beginning."""

from __future__ import annotations

import gzip
import io
import tarfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.datasets import members, pixels, tar
from audit.datasets.find import find
from audit.datasets.source import Source
from audit.errors import UserError
from tests.evidence.copies import made

SOME = made.pictures(12, 4)


def ids(source: Source) -> list[str]:
    """Ids of everything in a training set."""
    return [i.entry.id for u in source.units() for i in source.read(u)]


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The tars that were scanned, in order."""
    seen: list[Path] = []
    real = members.scan

    def scan(path: Path) -> object:
        seen.append(path)
        return real(path)

    monkeypatch.setattr(tar, "scan", scan)
    return seen


def test_a_tar_is_scanned_once(tmp_path: Path, scans: list[Path]) -> None:
    """Reading it through, and then its pictures in any order, takes one scan of each tar."""
    made.tar(tmp_path / "t" / "0.tar", SOME[:6])
    made.tar(tmp_path / "t" / "1.tar", SOME[6:], 6)
    source = find(tmp_path / "t")
    known = ids(source)
    for i in np.random.default_rng(0).permutation(12):
        np.testing.assert_array_equal(source.image(known[i]), SOME[i])
    assert [p.name for p in scans] == ["0.tar", "1.tar"]


def test_a_tar_that_changed_is_scanned_again(tmp_path: Path, scans: list[Path]) -> None:
    """What is remembered belongs to a file as it was."""
    path = made.tar(tmp_path / "x.tar", SOME[:2])
    source = find(path)
    known = ids(source)
    made.tar(path, SOME[:3][::-1])
    np.testing.assert_array_equal(source.image(known[0]), SOME[2])
    assert len(scans) == 2


def test_memory_is_bounded(
    tmp_path: Path, scans: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit the tar that was used longest ago is forgotten, and scanned again."""
    monkeypatch.setattr(tar, "REMEMBERED", 8)
    for i in range(3):
        made.tar(tmp_path / "t" / f"{i}.tar", SOME[4 * i : 4 * i + 4], 4 * i)
    source = find(tmp_path / "t")
    known = ids(source)
    for i in (11, 7, 0):
        np.testing.assert_array_equal(source.image(known[i]), SOME[i])
    assert [p.name for p in scans] == ["0.tar", "1.tar", "2.tar", "0.tar"]


def test_a_compressed_tar_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that are asked for in order are read in one go, not from the start each time."""
    plain = made.tar(tmp_path / "plain", SOME)
    (tmp_path / "x.tar").write_bytes(gzip.compress(plain.read_bytes()))
    source = find(tmp_path / "x.tar")
    known = ids(source)
    opened: list[object] = []
    real = tarfile.open

    def counted(*given: Any, **more: Any) -> tarfile.TarFile:
        opened.append(given)
        return real(*given, **more)

    monkeypatch.setattr(tarfile, "open", counted)
    for id, picture in zip(known, SOME, strict=True):
        np.testing.assert_array_equal(source.image(id), picture)
    np.testing.assert_array_equal(source.image(known[3]), SOME[3])
    assert len(opened) == 1


def test_threads_share_a_tar(tmp_path: Path) -> None:
    """Pages of a run ask for several pictures at once."""
    source = find(made.tar(tmp_path / "x.tar", SOME))
    known = ids(source)
    wrong: list[int] = []

    def look(seed: int) -> None:
        wrong.extend(
            i
            for i in np.random.default_rng(seed).integers(0, 12, 40)
            if not np.array_equal(source.image(known[i]), SOME[i])
        )

    threads = [threading.Thread(target=look, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Nothing says which of the two pictures is meant, nor whose caption it is."""
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for picture in SOME[:2]:
            member = tarfile.TarInfo("a.png")
            member.size = len(pixels.png(picture))
            archive.addfile(member, io.BytesIO(pixels.png(picture)))
    source = find(tmp_path / "x.tar")
    with pytest.raises(UserError, match=r"contains a\.png twice"):
        list(source.read(source.units()[0]))


@pytest.mark.parametrize("id", ["x.tar/none.png", "x.tar/../x.png", "y.tar/a.png", "a.png", ""])
def test_an_id_that_is_not_there_is_unreadable(id: str, tmp_path: Path) -> None:
    """No name reaches outside the archive."""
    Path(tmp_path / "x.png").write_bytes(pixels.png(SOME[0]))
    with pytest.raises(pixels.Unreadable):
        find(made.tar(tmp_path / "x.tar", SOME[:1])).image(id)


def test_a_damaged_member_costs_itself_alone(tmp_path: Path) -> None:
    """Its neighbours are read, in turn and by their ids."""
    path = made.tar(tmp_path / "x.tar", SOME[:3])
    with tarfile.open(path) as archive:
        second = archive.getmember("00001.png")
    data = bytearray(path.read_bytes())
    data[second.offset_data : second.offset_data + 40] = bytes(40)
    path.write_bytes(data)
    source = find(path)
    items = list(source.read(source.units()[0]))
    assert [bool(i.reason) for i in items] == [False, True, False]
    with pytest.raises(pixels.Unreadable, match="not an image"):
        source.image(items[1].entry.id)
    np.testing.assert_array_equal(source.image(items[2].entry.id), SOME[2])
