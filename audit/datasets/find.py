"""Find the form of a collection: a folder, tars, tables, a saved dataset, embeddings."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

from audit.datasets import kinds, listing, saved
from audit.datasets.columns import columns
from audit.datasets.embeddings import Embeddings
from audit.datasets.far import Far, address
from audit.datasets.folder import Folder
from audit.datasets.listing import LeftOut, Listing
from audit.datasets.members import BROKEN, has_images
from audit.datasets.parquet import Parquet
from audit.datasets.saved import Saved
from audit.datasets.source import Collection, Files, Source
from audit.datasets.tar import Tars
from audit.errors import Untrusted, UserError

LOOKED_AT = 20
"""Tars or tables next to images that are looked into."""


def find(path: Path, far: bool = False) -> Source:
    """The training set, or the images of a run, at a path; UserError where none can be read.

    A folder that contains images is read as these; tars of other things and tables next to them are
    left out, which `left_out` of the source says. UserError where they hold images, too. With
    `far`, the user gave the path, and it may be an address; one that a file names is not opened.
    """
    if where := address(path):
        if not far:
            raise Untrusted(f"A file names the address {where}. Give it yourself to open it.")
        return Far(where)
    if path.is_file():
        return _file(path)
    if not path.is_dir():
        raise UserError(f"There is nothing at {path}. Give a folder, a .tar or a .parquet file.")
    path = listing.snapshot(path)
    if (path / "img_emb").is_dir():
        found = Embeddings(path)
        if not found.files:
            raise UserError(f"{path / 'img_emb'} contains no .npy file. Give a folder that does.")
        return found
    if saved.is_saved(path):
        return Saved(path, saved.streams(path))
    return _folder(path, listing.listed(path))


def _folder(path: Path, found: Listing) -> Source:
    """A folder by what its files hold."""
    if found.images:
        several = [p for p in (*found.tars[:LOOKED_AT], *found.tables[:LOOKED_AT]) if _holds(p)]
        if several:
            raise UserError(
                f"{path} contains {len(found.images)} images such as {found.images[0].name}, and "
                f"data with images, {several[0].name}. Give the one or the other: a file, or a "
                "folder of its own."
            )
        return Folder(path, found=found)
    tars = any(_holds(p, alone=True) for p in found.tars[:LOOKED_AT])
    tables = [] if tars else [p for p in found.tables if _holds(p, alone=True)]
    source: Files
    if found.tars and (tars or not tables):
        source, rest = Tars(path, found.tars), found.tables
    elif found.tables:
        own = tables or found.tables
        source, rest = Parquet(path, own), [*found.tars, *sorted({*found.tables} - {*own})]
    else:
        raise _nothing(path, found.left_out)
    source.aside = [*found.left_out, *_beside(path, rest)]
    return source


def _beside(path: Path, files: Sequence[Path]) -> list[LeftOut]:
    return [LeftOut(p.relative_to(path).as_posix(), "data without images") for p in files]


def _nothing(path: Path, left_out: Sequence[LeftOut]) -> UserError:
    if left_out:
        return UserError(
            f"{path} contains no image that can be read. {listing.said(left_out)} Give a folder "
            "that contains some."
        )
    endings = sorted({kinds.ending(p.name) for p in path.rglob("*") if p.is_file()} - {""})
    there = f" It has files ending in {', '.join(endings[:6])}." if endings else ""
    return UserError(
        f"{path} contains no images ({', '.join(kinds.READ)}), tars or Parquet tables.{there} "
        "Give a folder that does."
    )


def _holds(path: Path, alone: bool = False) -> bool:
    """Whether a tar or a table holds images.

    Where the folder has no images (`alone`), paths of images count, and a damaged file does:
    reading it says what is wrong.
    """
    if kinds.is_tar(path.name):
        try:
            return has_images(path)
        except (*BROKEN, UserError):
            return alone
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        found = columns(parquet.read_schema(path), path)
        return alone or not found.paths
    except (OSError, ValueError, pa.ArrowException):
        return alone
    except UserError:
        return False


def _file(path: Path) -> Source:
    if kinds.ending(path.name) == ".parquet":
        return Parquet(path, [path])
    if kinds.is_tar(path.name) or tarfile.is_tarfile(path):
        return Tars(path, [path])
    raise UserError(f"{path} is not a tar or a Parquet file. Give one, or a folder.")


def pictures(path: Path, table: Path | None = None, far: bool = False) -> Collection:
    """The images at a path, for a run over them; `table` gives their captions by file name.

    Raises UserError as `find` does, for embeddings, and for a table of captions where images have
    no file names.
    """
    found = find(path, far)
    if not isinstance(found, Collection):
        raise UserError(
            f"{path} contains embeddings, which are vectors computed from images. Give the images "
            "themselves."
        )
    if table is None:
        return found
    if isinstance(found, Far):
        raise UserError(f"{table} cannot be read with images at an address. Copy them here first.")
    if not isinstance(found, Tars | Folder):
        raise UserError(
            f"{table} names images by file, and the images of {path} are rows of a table. Put "
            "their prompts into a column named text, prompt or caption instead."
        )
    found.table = table
    return found
