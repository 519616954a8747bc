"""What of a folder is an image: by content, and everything else by name and reason."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image, PngImagePlugin

from audit.datasets import listing, pixels
from audit.datasets.find import find, pictures
from audit.datasets.listing import LeftOut
from audit.errors import UserError
from tests.evidence.copies import made

CASES = Path(__file__).parent.parent / "cases"
SOME = made.pictures(4, 6)


def image(form: str = "PNG", **how: Any) -> bytes:
    """A small image in a format."""
    buffer = io.BytesIO()
    Image.fromarray(SOME[0]).save(buffer, form, **how)
    return buffer.getvalue()


def put(root: Path, files: dict[str, bytes]) -> Path:
    """A folder of these files."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def names(root: Path) -> list[str]:
    """The images of a folder, as both ways find them."""
    found = [u.id for u in find(root).units()]
    assert found == [u.id for u in pictures(root).units()]
    return found


def reasons(root: Path) -> dict[str, str]:
    """Why files of a folder are left out."""
    return {x.file: x.reason for x in pictures(root).left_out()}


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF"])
@pytest.mark.parametrize("ending", ["", ".img", ".jpg_large", ".JPG", ".png", ".orig-3", ".001"])
def test_an_image_is_one_by_its_content(form: str, ending: str, tmp_path: Path) -> None:
    """Whatever it is called; texts of any name are not."""
    put(
        tmp_path, {f"a{ending}": image(form), "b": b"some text", "c.dat": b"\0" * 80, "a.txt": b"x"}
    )
    assert names(tmp_path) == [f"a{ending}"]
    source = find(tmp_path)
    (item,) = source.read(source.units()[0])
    assert item.picture is not None
    assert item.picture.shape == (16, 16, 3)
    assert item.entry.caption == "x"
    assert reasons(tmp_path) == {}


@pytest.mark.parametrize(
    "ending", [".jfif", ".jpe", ".JPEG", ".jp2", ".avif", ".Webp", ".tif", ".apng", ".jpg_large"]
)
def test_a_damaged_file_with_the_ending_of_an_image_is_one(ending: str, tmp_path: Path) -> None:
    """It is unreadable, with the reason, instead of nothing."""
    put(tmp_path, {f"a{ending}": b"cut short", "b.png": image()})
    assert names(tmp_path) == [f"a{ending}", "b.png"]


KEPT_OUT = {
    ".ipynb_checkpoints/a-checkpoint.png": "in a folder of copies (a notebook's checkpoint)",
    "x/.ipynb_checkpoints/a.jpg": "in a folder of copies (a notebook's checkpoint)",
    "__MACOSX/a.png": "in a folder of copies (__MACOSX)",
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg": "in a folder of copies (@eaDir)",
    ".thumbnails/a.png": "in a hidden folder", "._a.png": "a hidden file",
    ".a.jpg": "a hidden file", "Thumbs.db": "a cache of thumbnails",
    "a.png~": "a backup or an unfinished download",
    "a.JPG.bak": "a backup or an unfinished download",
    "a.png.part": "a backup or an unfinished download",
    "photo.heic": "a kind of image that is not read (HEIC)",
    "photo.NEF": "a kind of image that is not read (camera raw)",
    "logo.svg": "a kind of image that is not read (SVG)",
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT_OUT)
def test_copies_and_other_kinds_are_left_out_by_name(name: str, tmp_path: Path) -> None:
    """Each with its reason."""
    put(tmp_path, {"a.png": image(), name: image()})
    assert names(tmp_path) == ["a.png"]
    assert reasons(tmp_path) == {name: KEPT_OUT[name]}


def test_other_kinds_are_told_by_content_too(tmp_path: Path) -> None:
    """Without an ending they are left out; under the ending of a JPEG they are unreadable."""
    heic = (24).to_bytes(4) + b"ftypheic\0\0\0\0mif1heic"
    put(tmp_path, {"a.png": image(), "b": heic, "c.jpg": heic})
    assert names(tmp_path) == ["a.png", "c.jpg"]
    assert reasons(tmp_path) == {"b": "a kind of image that is not read (HEIC)"}
    with pytest.raises(pixels.Unreadable, match="HEIC"):
        pictures(tmp_path).image("c.jpg")


def test_hidden_files_of_other_kinds_are_not_worth_a_word(tmp_path: Path) -> None:
    """A folder under version control has thousands."""
    put(tmp_path, {"a.png": image(), ".git/objects/00/aa": b"x", ".DS_Store": b"x", ".cache/b.json":
                   b"{}"})  # fmt: skip
    assert reasons(tmp_path) == {}


def hub(root: Path, revisions: int = 1) -> Path:
    """A repository in a hub's cache: files in blobs, snapshots of links."""
    put(root / "blobs", {"aa": image(), "bb": image("JPEG"), "cc": b"from beside", "dd": b"{}"})
    for i in range(revisions):
        there = root / "snapshots" / f"r{i}"
        (there / "sub").mkdir(parents=True)
        for name, blob in (("0.png", "aa"), ("sub/1.jpg", "bb"), ("0.txt", "cc")):
            up = "../" * (2 + name.count("/"))
            (there / name).symlink_to(f"{up}blobs/{blob}")
    return root


def test_the_links_of_a_hubs_snapshot_are_read(tmp_path: Path) -> None:
    """From the snapshot, a folder in it, or the repository; others that leave it are named."""
    root = hub(tmp_path / "models--x")
    there = root / "snapshots" / "r0"
    secret = put(tmp_path, {"secret.png": image()}) / "secret.png"
    (there / "2.png").symlink_to(secret)
    (there / "3.png").symlink_to("../../blobs/none")
    (there / "4.png").symlink_to("../../../secret.png")
    (there / "5.txt").symlink_to("/etc/hostname")
    (there / "more").symlink_to(tmp_path)
    for path in (there, root):
        assert names(path) == ["0.png", "sub/1.jpg"]
        assert reasons(path) == {
            "2.png": "a link that leaves the folder", "3.png": "a link to nothing",
            "4.png": "a link that leaves the folder", "5.txt": "a link that leaves the folder",
            "more": "a link to a folder",
        }  # fmt: skip
    source = find(there)
    items = [i for u in source.units() for i in source.read(u)]
    np.testing.assert_array_equal(items[0].picture, SOME[0])
    assert items[0].entry.caption == "from beside"
    assert names(there / "sub") == ["1.jpg"]
    with pytest.raises(pixels.Unreadable, match="outside"):
        source.image("../../blobs/aa")
    with pytest.raises(UserError, match="has 2 snapshots"):
        find(hub(tmp_path / "several", 2))


def test_the_reported_folder_of_links(tmp_path: Path) -> None:
    """`ln -s ../blobs/aa 0.png`; links inside the folder are read as ever."""
    put(tmp_path / "blobs", {"aa": image()})
    put(tmp_path / "x", {"1.png": image()})
    (tmp_path / "x" / "0.png").symlink_to("../blobs/aa")
    (tmp_path / "x" / "2.png").symlink_to("1.png")
    assert names(tmp_path / "x") == ["0.png", "1.png", "2.png"]


def test_a_folder_of_nothing_but_links_out_of_it_says_so(tmp_path: Path) -> None:
    """The sentence names links and reason."""
    put(tmp_path, {"x/readme.md": b"", "out.png": image()})
    (tmp_path / "x" / "a.png").symlink_to(tmp_path / "out.png")
    with pytest.raises(UserError, match=r"a\.png, a link that leaves the folder"):
        find(tmp_path / "x")
    (tmp_path / "x" / "a.png").unlink()
    put(tmp_path, {"x/a.cap": b""})
    with pytest.raises(UserError, match=r"It has files ending in \.cap, \.md"):
        find(tmp_path / "x")


def with_text(text: str, side: int = 8) -> bytes:
    """A PNG that carries its settings."""
    said = PngImagePlugin.PngInfo()
    said.add_text("parameters", text)
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "PNG", pnginfo=said)
    return buffer.getvalue()


def with_comment(text: str) -> bytes:
    """A JPEG that carries its settings."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("write", [with_text, with_comment])
@pytest.mark.parametrize(
    "sheet", ["txt2img-grids/grid-0000.png", "grid-0001.png", "xyz_grid-0000-1.png",
              "img2img-grids/00003.png"]
)  # fmt: skip
def test_contact_sheets_are_left_out(write: Any, sheet: str, tmp_path: Path) -> None:
    """They have the metadata of one of their images; a sheet of other images is an image."""
    some = {f"images/0000{i}-{i}.png": write(f"a nurse\nSteps: 20, Seed: {i}") for i in range(3)}
    put(tmp_path, {**some, sheet: write("a nurse\nSteps: 20, Seed: 1")})
    assert names(tmp_path) == sorted(some)
    assert reasons(tmp_path) == {sheet: "a contact sheet, with the metadata of 00001-1.png"}
    (tmp_path / sheet).write_bytes(write("a nurse\nSteps: 20, Seed: 9"))
    assert names(tmp_path) == sorted([*some, sheet])


@pytest.mark.parametrize(
    ("case", "kept", "left_out"),
    [
        ("checkpoints", 1, [".ipynb_checkpoints/a photo of a nurse_1-checkpoint.png"]),
        ("endings", 3, []), ("endings_more", 4, []),
        ("grid", 2, ["txt2img-grids/grid-0000.png"]), ("i2d", 1, ["00000.parquet"]),
        ("stray_tar", 2, ["annotations.tar"]), ("stray_table", 2, ["labels.parquet"]),
    ],
)  # fmt: skip
def test_the_reported_folders(case: str, kept: int, left_out: list[str]) -> None:
    """As other people met them."""
    assert len(names(CASES / case)) == kept
    assert list(reasons(CASES / case)) == left_out


def test_data_without_images_is_left_out_of_data(tmp_path: Path) -> None:
    """Tars with their downloader's tables, and tables with one of labels."""
    made.tar(tmp_path / "t" / "0.tar", SOME)
    for path in (tmp_path / "t" / "0.parquet", tmp_path / "p" / "labels.parquet"):
        path.parent.mkdir(exist_ok=True)
        parquet.write_table(pa.table({"url": ["x"]}), path)
    made.parquet_file(tmp_path / "p" / "a.PARQUET", SOME)
    put(tmp_path / "p", {"._b.png": b"x"})
    tars: Any = find(tmp_path / "t")
    tables: Any = find(tmp_path / "p")
    assert (tars.kind, tables.kind) == ("WebDataset", "Parquet")
    assert tars.left_out() == [LeftOut("0.parquet", "data without images")]
    assert [x.file for x in tables.left_out()] == ["._b.png", "labels.parquet"]
    assert len([i for u in tables.units() for i in tables.read(u)]) == 4


def test_what_is_left_out_is_said_and_listed() -> None:
    """Counts with the first names, and a table that no spreadsheet runs."""
    some = [LeftOut(f"{i}.heic", "a kind", f"=x{i}") for i in range(5)] + [LeftOut("@b", "a link")]
    assert listing.said(some, "t.csv") == (
        "6 files were left out: 5 as a kind (0.heic, 1.heic, 2.heic, ...); @b, a link. "
        "t.csv lists them."
    )
    assert listing.said([]) == ""
    long = [LeftOut(f"{'x' * 90}{i}{j}.png", f"reason {i}") for i in range(9) for j in range(3)]
    text = listing.said(long, "t.csv")
    assert len(text) <= listing.LONGEST
    assert all(f"3 as reason {i}" in text for i in range(9))
    lines = listing.table(some).decode().splitlines()
    assert lines[0] == "file,reason,prompt"
    assert lines[1] == "0.heic,a kind,'=x0"
    assert lines[-1] == "'@b,a link,"


def test_names_that_are_not_text_are_listed_too(tmp_path: Path) -> None:
    """File systems allow bytes that UTF-8 does not, and line breaks."""
    name = os.fsdecode(b"\xff\n.heic")
    put(tmp_path, {"a.png": image(), name: b"x"})
    (one,) = pictures(tmp_path).left_out()
    assert one.file == "\\xff\n.heic"
    listing.said([one]).encode()
    assert listing.table([one]).count(b"heic") == 1


def test_pipes_are_not_opened(tmp_path: Path) -> None:
    """Reading one would wait forever."""
    put(tmp_path, {"a.png": image()})
    os.mkfifo(tmp_path / "b.png")
    os.mkfifo(tmp_path / "c")
    assert names(tmp_path) == ["a.png"]


def test_a_copied_folder_has_the_same_images(tmp_path: Path) -> None:
    """Nothing depends on where it is, not even below a hidden folder."""
    root = put(tmp_path / "a", {"a.png": image(), "b/c.png": image()})
    shutil.copytree(root, tmp_path / ".hidden" / "blobs")
    assert names(tmp_path / ".hidden" / "blobs") == names(root)
