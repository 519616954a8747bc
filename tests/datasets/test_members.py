"""Tars by the WebDataset specification: keys, links, names that repeat, damage, bounds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audit.datasets import members, pixels
from audit.datasets.find import find
from audit.design.imported import pictures as imported
from audit.errors import UserError
from tests.evidence.copies import made

CASES = Path(__file__).parent.parent / "cases" / "tars"
FUZZ = Path(__file__).parent.parent / "cases" / "tar"
SOME = made.pictures(6, 9)
PNG = [pixels.png(p) for p in SOME]

Member = tuple[str, bytes | str]
"""A name with its bytes, or with `hard NAME` or `sym NAME` for a link."""


def tar(path: Path, *some: Member, mode: str = "w") -> Path:
    """A tar of these members, in this order."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in some:
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                kind, _, info.linkname = data.partition(" ")
                info.type = tarfile.LNKTYPE if kind == "hard" else tarfile.SYMTYPE
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def captions(path: Path) -> dict[str, str]:
    """Name to caption, which both ways find."""
    source = find(path)
    found = {i.entry.id.partition("/")[2]: i.entry.caption
             for u in source.units() for i in source.read(u)}  # fmt: skip
    texts = {p.name: p.text for p in imported.read(path).items() if p.source == "sidecar"}
    assert texts == {k: v for k, v in found.items() if v}
    return found


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("0.l.png", "0.r.png", "0.txt=both"), {"0.l.png": "both", "0.r.png": "both"}),
        (("a/0.1.png", "a/0.caption=x"), {"a/0.1.png": "x"}),
        (("22.05.png", "22.05.txt=may", "22.06.png", "22.06.txt=june"),
         {"22.05.png": "may", "22.06.png": "june"}),
        (("a.b/0.png", "a.b/0.txt=x", "a.c/0.png"), {"a.b/0.png": "x", "a.c/0.png": ""}),
        (("0.png", "1.png", "1.txt=one", "0.txt=zero"), {"0.png": "zero", "1.png": "one"}),
        (("0.TXT=big", "0.JPG"), {"0.JPG": "big"}),
        (("0.left.png", "0.left.txt=own", "0.txt=both", "0.right.png"),
         {"0.left.png": "own", "0.right.png": "both"}),
        (("0", "0.txt=no ending"), {"0": "no ending"}),
    ],
)  # fmt: skip
def test_a_key_ends_at_the_first_full_stop(
    names: tuple[str, ...], wanted: dict[str, str], tmp_path: Path
) -> None:
    """A text of an image's own name goes first; members need not be side by side."""
    some = [(n.partition("=")[0], n.partition("=")[2].encode() or PNG[0]) for n in names]
    assert captions(tar(tmp_path / "x.tar", *some)) == wanted


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize(
    "link", ["hard a/0.png", "sym 0.png", "sym ./0.png", "sym ../a/0.png", "sym 2.png"]
)
def test_links_inside_a_tar_are_followed(link: str, mode: str, tmp_path: Path) -> None:
    """tar writes an inode that it meets again as a link: repeats are what models copy most."""
    some: list[Member] = [
        ("a/0.png", PNG[0]), ("a/2.png", "hard a/0.png"), ("a/1.png", link),
        ("a/1.txt", "sym 0.txt"), ("a/0.txt", b"text"),
    ]  # fmt: skip
    path = tar(tmp_path / "x.tar", *some, mode=mode)
    assert captions(path) == {"a/0.png": "text", "a/2.png": "", "a/1.png": "text"}
    source = find(path)
    for name in ("a/1.png", "a/2.png"):
        np.testing.assert_array_equal(source.image(f"x.tar/{name}"), SOME[0])


@pytest.mark.parametrize(
    "link", ["sym /etc/passwd", "sym ../../x.png", "hard gone.png", "sym 1.png", "sym a"]
)
def test_links_out_of_a_tar_lead_nowhere(link: str, tmp_path: Path) -> None:
    """The image is missing, with the reason."""
    path = tar(tmp_path / "x.tar", ("0.png", PNG[0]), ("1.png", link))
    source = find(path)
    items = [i for u in source.units() for i in source.read(u)]
    assert [i.reason for i in items] == ["", "a link to a member that is not in the tar"]
    with pytest.raises(pixels.Unreadable, match="not in the tar"):
        imported.read(path).image("1.png")


@pytest.mark.parametrize("what", ["0.png", "0.txt"])
def test_a_name_that_repeats_is_refused(what: str, tmp_path: Path) -> None:
    """In both ways; folders may repeat, as tar writes them."""
    some: list[Member] = [("0.png", PNG[0]), ("0.txt", b"a"), ("1.png", PNG[1])]
    path = tar(tmp_path / "x.tar", *some, (what, PNG[2]))
    source = find(path)
    with pytest.raises(UserError, match=f"contains {what} twice"):
        list(source.read(source.units()[0]))
    with pytest.raises(UserError, match=f"contains {what} twice"):
        imported.read(path).items()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress,
}  # fmt: skip


@pytest.mark.parametrize("form", PACKED)
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_tar_is_one_sentence(form: str, seed: int, tmp_path: Path) -> None:
    """Cut anywhere, or with bytes changed; whatever is accepted has whole images."""
    some = [(f"{i}.{e}", d) for i, p in enumerate(PNG) for e, d in (("png", p), ("txt", b"x"))]
    whole = PACKED[form](tar(tmp_path / "whole.tar", *some).read_bytes())
    rng = np.random.default_rng(seed)
    data = bytearray(whole)
    if seed % 2:
        del data[int(rng.integers(40, int(len(data) * 0.8))) :]
    else:
        for at in rng.integers(0, len(data), 8):
            data[at] = int(rng.integers(256))
    path = tmp_path / f"x.tar{'' if form == 'plain' else '.' + form}"
    path.write_bytes(data)
    for way in (lambda: [i for u in find(path).units() for i in find(path).read(u)],
                lambda: imported.read(path).items()):  # fmt: skip
        try:
            way()
            assert not seed % 2
        except UserError as error:
            assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("ending", ["tar.gz", "tgz", "tar.xz", "TAR.BZ2"])
def test_compressed_tars_are_found_in_a_folder(ending: str, tmp_path: Path) -> None:
    """By their usual endings."""
    plain = tar(tmp_path / "plain", ("0.png", PNG[0])).read_bytes()
    packed = PACKED["xz" if "xz" in ending else "bz2" if "BZ2" in ending else "gz"](plain)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / f"a.{ending}").write_bytes(packed)
    assert [p.name for p in imported.read(tmp_path / "d").items()] == [f"a.{ending}/0.png"]


def test_zstandard_is_read_or_named(tmp_path: Path) -> None:
    """Python reads it from version 3.14 on."""
    path = tmp_path / "x.tar.zst"
    path.write_bytes(members.ZSTD + b"rest")
    with pytest.raises(UserError, match=r"x\.tar\.zst"):
        imported.read(path).items()


def test_names_and_captions_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of gigabytes is not read, and captions do not fill the memory."""
    path = tar(tmp_path / "x.tar", ("0.png", PNG[0]), ("a" * 300 + ".png", PNG[1]))
    assert len(imported.read(path).items()) == 2
    monkeypatch.setattr(members, "MAX_HEADER", 200)
    with pytest.raises(UserError, match="a name or header of"):
        imported.read(path).items()
    path = tar(tmp_path / "y.tar", ("0.png", PNG[0]), ("0.txt", b"x" * 900))
    monkeypatch.setattr(members, "MAX_TEXTS", 800)
    with pytest.raises(UserError, match="bytes of captions"):
        imported.read(path).items()


def test_copies_in_a_tar_are_left_out(tmp_path: Path) -> None:
    """As in a folder: what macOS adds, hidden files, kinds that are not read."""
    path = tar(tmp_path / "x.tar", ("0.png", PNG[0]), ("._0.png", b"x"), ("__MACOSX/0.png", PNG[0]),
               ("1.heic", b"x"), ("1.heic.json", b"{}"), ("./2.webp", PNG[1]))  # fmt: skip
    found = imported.read(path)
    assert [p.name for p in found.items()] == ["0.png", "./2.webp"]
    assert {x.file: x.reason for x in found.left_out()} == {
        "._0.png": "a hidden file", "__MACOSX/0.png": "in a folder of copies (__MACOSX)",
        "1.heic": "a kind of image that is not read (HEIC)",
    }  # fmt: skip
    source = find(path)
    items = [i for u in source.units() for i in source.read(u)]
    assert [i.entry.id for i in items if not i.reason] == ["x.tar/0.png", "x.tar/./2.webp"]
    assert len(items) == 5


@pytest.mark.parametrize(
    ("case", "wanted"),
    [("hard_link", 2), ("sym_link", 2), ("not_adjacent", 2), ("two_images", 2), ("cut", "end mark"),
     ("twice", "twice")],
)  # fmt: skip
def test_the_reported_tars(case: str, wanted: int | str) -> None:
    """As other people met them: all captioned, or refused in one sentence."""
    path = CASES / f"{case}.tar"
    if isinstance(wanted, str):
        source = find(path)
        for way in (lambda: list(source.read(source.units()[0])), imported.read(path).items):
            with pytest.raises(UserError, match=wanted):
                way()
    else:
        assert list(captions(path).values()) == ["a photo of a nurse"] * wanted


@pytest.mark.parametrize("path", sorted(FUZZ.iterdir()), ids=lambda p: p.name)
def test_damaged_compression_is_one_sentence(path: Path) -> None:
    """Each library has its own exceptions."""
    with pytest.raises(UserError, match="cannot be read as a tar"):
        imported.read(path).items()
