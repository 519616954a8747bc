"""Find the form of a collection: a folder, tars, tables, a saved dataset, embeddings."""

from __future__ import annotations

import tarfile
from pathlib import Path

from audit.datasets import pixels, saved
from audit.datasets.embeddings import Embeddings
from audit.datasets.folder import Folder
from audit.datasets.parquet import Parquet
from audit.datasets.saved import Saved
from audit.datasets.source import Collection, Source
from audit.datasets.tar import Tars
from audit.errors import UserError


def find(path: Path) -> Source:
    """The training set at a path; UserError where none can be read.

    A folder that contains tars or tables is read as these, whatever else it contains.
    """
    if path.is_file():
        return _file(path)
    if not path.is_dir():
        raise UserError(f"There is nothing at {path}. Give a folder, a .tar or a .parquet file.")
    if (path / "img_emb").is_dir():
        found = Embeddings(path)
        if not found.files:
            raise UserError(f"{path / 'img_emb'} contains no .npy file. Give a folder that does.")
        return found
    if saved.is_saved(path):
        return Saved(path, saved.streams(path))
    for suffix, kind in ((".tar", Tars), (".parquet", Parquet)):
        if files := sorted(p for p in path.rglob(f"*{suffix}") if p.is_file()):
            return kind(path, files)
    if not pixels.has_images(path):
        raise UserError(
            f"{path} contains no images ({', '.join(pixels.SUFFIXES)}), tars or Parquet tables. "
            "Give a folder that does."
        )
    return Folder(path)


def _file(path: Path) -> Source:
    if path.suffix == ".parquet":
        return Parquet(path, [path])
    if tarfile.is_tarfile(path):
        return Tars(path, [path])
    raise UserError(f"{path} is not a tar or a Parquet file. Give one, or a folder.")


def pictures(path: Path, table: Path | None = None) -> Collection:
    """The images at a path, for a run over them; `table` gives their captions by file name.

    A folder that contains images is read as these, whatever else it contains. Raises UserError as
    `find` does, for embeddings, and for a table of captions where images have no file names.
    """
    if path.is_dir() and pixels.has_images(path):
        return Folder(path, table)
    found = find(path)
    if not isinstance(found, Collection):
        raise UserError(
            f"{path} contains embeddings, which are vectors computed from images. Give the images "
            "themselves."
        )
    if table is not None and not isinstance(found, Tars):
        raise UserError(
            f"{table} names images by file, and the images of {path} are rows of a table. Put "
            "their prompts into a column named text, prompt or caption instead."
        )
    found.table = table
    return found
