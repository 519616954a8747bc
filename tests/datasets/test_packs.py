"""Packed images of a run: the same bytes as files, whole or absent whatever ends the packing."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.datasets import packs, pixels
from audit.datasets.tar import Tars
from audit.store import RunFolder

IDS = ["ab01", "ab02", "cd03", "ef04", "ef05"]
"""The last has a reason instead of an image."""


class Killed(BaseException):
    """The process ends here."""


def picture(n: int) -> np.ndarray:
    """uint8[9, 7, 3]; another one for each number."""
    return np.random.default_rng(n).integers(0, 256, (9, 7, 3), np.uint8)


def drawn(path: Path) -> RunFolder:
    """Four images and a reason, as files."""
    folder = RunFolder(path)
    for n, id in enumerate(IDS[:-1]):
        folder.write_image(id, picture(n))
    folder.write_blocked(IDS[-1], "blank")
    return folder


def again(path: Path) -> RunFolder:
    """The folder as another process finds it."""
    packs._index.cache_clear()
    return RunFolder(path)


def files(path: Path) -> list[str]:
    """Names of all files of images, those of killed writers left out."""
    found = (p for p in (path / "images").rglob("*") if p.is_file())
    return sorted(p.name for p in found if not p.name.startswith("."))


def assert_whole(folder: RunFolder) -> None:
    """Everything that was drawn is there, bit by bit."""
    assert folder.present() == set(IDS)
    assert folder.blocked() == {IDS[-1]: "blank"}
    for n, id in enumerate(IDS[:-1]):
        assert folder.images.content(id) == pixels.png(picture(n))
        assert np.array_equal(folder.read_image(id), picture(n))


def test_a_pack_is_a_tar_that_others_read(tmp_path: Path) -> None:
    """By the standard library, and by our reader of WebDataset; two files are left of all."""
    folder = drawn(tmp_path)
    folder.images.pack("shard", [*IDS, "gh99"])
    assert files(tmp_path) == ["shard.json", "shard.tar"]
    assert_whole(folder)
    assert_whole(again(tmp_path))
    assert folder.images.members() == IDS[:-1]
    with tarfile.open(tmp_path / "images" / "shard.tar") as archive:
        assert archive.getnames() == [*(f"{i}.png" for i in IDS[:-1]), "ef05.why"]
        for n, id in enumerate(IDS[:-1]):
            member = archive.extractfile(f"{id}.png")
            assert member is not None
            assert member.read() == pixels.png(picture(n))
    found = Tars(tmp_path / "images", [tmp_path / "images" / "shard.tar"])
    assert found.names() == [f"{id}.png" for id in IDS[:-1]]
    assert found.content("shard.tar/cd03.png") == pixels.png(picture(2))
    folder.images.tidy()
    assert [p.name for p in (tmp_path / "images").iterdir() if p.is_dir()] == []


def test_the_same_images_give_the_same_tar(tmp_path: Path) -> None:
    """Bytes do not depend on times or on who packs."""
    for name in ("a", "b"):
        drawn(tmp_path / name).images.pack("shard", IDS)
    one, two = ((tmp_path / n / "images" / "shard.tar").read_bytes() for n in ("a", "b"))
    assert one == two


def interrupted(at: int, patch: pytest.MonkeyPatch) -> None:
    """End the process before the operation of that number that changes what is on disk."""
    turns = count()

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if next(turns) == at:
                raise Killed
            return real(*args, **more)

        return call

    patch.setattr(os, "replace", counting(os.replace))
    patch.setattr(os, "fsync", counting(os.fsync))
    patch.setattr(Path, "unlink", counting(Path.unlink))
    patch.setattr(tarfile.TarFile, "addfile", counting(tarfile.TarFile.addfile))


def test_whatever_is_interrupted_each_image_is_there(tmp_path: Path) -> None:
    """Before every operation in turn; packed again, it is as if nothing had happened."""
    for at in count():
        path = tmp_path / str(at)
        folder = drawn(path)
        with pytest.MonkeyPatch.context() as patch:
            interrupted(at, patch)
            try:
                folder.images.pack("shard", IDS)
                break
            except Killed:
                pass
        assert_whole(again(path))
        folder = again(path)
        folder.images.pack("shard", IDS)
        assert files(path) == ["shard.json", "shard.tar"]
        assert_whole(folder)
    assert at > len(IDS) + 5  # each member, three times fsync, two renames, five removals


def test_an_image_packed_by_another_process_while_it_is_read_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look for a file and the reading of it, the file may go into a pack."""
    plain = pixels.content

    def late(path: Path) -> bytes:
        again(tmp_path / "run").images.pack("shard", IDS)
        return plain(path)

    folder = drawn(tmp_path / "run")
    monkeypatch.setattr(pixels, "content", late)
    assert folder.images.content(IDS[0]) == pixels.png(picture(0))
    assert folder.images.reason(IDS[-1]) == b"blank"
    with pytest.raises(pixels.Unreadable):
        folder.images.content("ff99")


def test_what_is_damaged_is_taken_out_and_packed_beside(tmp_path: Path) -> None:
    """A manifest without it; the image that is made again goes into another tar."""
    folder = drawn(tmp_path)
    folder.images.pack("shard", IDS)
    assert folder.images.drop(["ab02", "zz00"]) == {"ab02"}
    assert folder.present() == again(tmp_path).present() == {*IDS} - {"ab02"}
    with pytest.raises(pixels.Unreadable, match="cannot be opened"):
        folder.read_image("ab02")
    folder.write_image("ab02", picture(1))
    folder.images.pack("shard", IDS)
    assert files(tmp_path) == ["shard-2.json", "shard-2.tar", "shard.json", "shard.tar"]
    assert_whole(again(tmp_path))
    assert folder.images.drop(IDS) == set(IDS)
    assert files(tmp_path) == []


def test_a_stamp_changes_with_the_image(tmp_path: Path) -> None:
    """As a file, in a pack, and gone."""
    folder = drawn(tmp_path)
    seen = [folder.images.stamp(i) for i in IDS[:2]]
    folder.images.pack("shard", IDS)
    seen += [folder.images.stamp(i) for i in IDS[:2]]
    assert len(set(seen)) == 4
    folder.images.drop(IDS)
    with pytest.raises(pixels.Unreadable):
        folder.images.stamp(IDS[0])


def instead(body: Any, was: dict[str, Any]) -> Any:
    """Another manifest."""
    return body


def damages() -> Iterator[tuple[str, Callable[[bytes], bytes], Callable[[dict[str, Any]], Any]]]:
    """Name of a damage, what it makes of the tar, and what of the manifest."""

    def same(body: Any) -> Any:
        return body

    def at(place: object) -> Callable[[dict[str, Any]], Any]:
        return lambda body: {**body, "images": dict.fromkeys(body["images"], place)}

    yield "cut tar", lambda data: data[:700], same
    yield "longer tar", lambda data: data + b"x", same
    yield "other headers", lambda data: bytes(len(data)), same
    yield "flipped header", lambda data: bytes([data[0] ^ 1]) + data[1:], same
    for place in (1, 512, -1, 10**6, 10**30, "0", None, 1.5):
        yield f"place {place}", same, at(place)
    yield "size", same, lambda body: {**body, "bytes": body["bytes"] - 1}
    yield "reasons", same, lambda body: {**body, "reasons": {"ab01": "\udcff"}, "images": {}}
    bodies: list[Any] = [None, [], {}, "x", {"images": []}]
    for body in bodies:
        yield f"manifest {body}", same, partial(instead, body)


@pytest.mark.parametrize(("tar", "manifest"), [pytest.param(*d[1:], id=d[0]) for d in damages()])
def test_a_damaged_pack_is_unreadable_or_absent(
    tar: Callable[[bytes], bytes], manifest: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    """Never another image, and no other exception."""
    folder = drawn(tmp_path)
    folder.images.pack("shard", IDS)
    data, body = (tmp_path / "images" / f"shard.{e}" for e in ("tar", "json"))
    data.write_bytes(tar(data.read_bytes()))
    body.write_text(json.dumps(manifest(json.loads(body.read_text()))))
    folder = again(tmp_path)
    there, _ = folder.present(), folder.blocked()
    for n, id in enumerate(IDS[:-1]):
        assert dict(folder.images.packed([id])).get(id) in (None, b"", b"?", pixels.png(picture(n)))
        try:
            assert np.array_equal(folder.read_image(id), picture(n))
            assert id in there
        except pixels.Unreadable:
            pass


@pytest.mark.parametrize("id", ["../../x", "/x", "..", "a/b", ".x", "a\\b", ""])
@pytest.mark.parametrize("part", ["images", "reasons"])
def test_ids_that_lead_out_make_a_pack_damaged(id: str, part: str, tmp_path: Path) -> None:
    """A manifest that a stranger wrote names no file outside of the folder."""
    folder = drawn(tmp_path)
    folder.images.pack("shard", IDS)
    body = tmp_path / "images" / "shard.json"
    read = json.loads(body.read_text())
    read[part][id] = 0 if part == "images" else "blank"
    body.write_text(json.dumps(read))
    folder = again(tmp_path)
    assert (folder.present(), folder.images.members()) == (set(), [])


def test_links_are_not_packs(tmp_path: Path) -> None:
    """Neither file of a pack may be one, since it may lead out of the run."""
    for link in ("tar", "json"):
        folder = drawn(tmp_path / link)
        folder.images.pack("shard", IDS)
        place = tmp_path / link / "images" / f"shard.{link}"
        place.rename(tmp_path / f"secret.{link}")
        place.symlink_to(tmp_path / f"secret.{link}")
        assert again(tmp_path / link).present() == set()
