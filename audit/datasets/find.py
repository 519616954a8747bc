"""Which training set lies at a path: a folder, tars, tables, a saved dataset, or embeddings."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from audit.datasets import pixels
from audit.datasets.folder import Folder, Tars
from audit.datasets.source import Source, damaged
from audit.datasets.table import Embeddings, Parquet, Saved
from audit.errors import UserError
from audit.records import digest


def find(path: Path) -> Source:
    """The training set at a path; UserError where there is none that can be read."""
    if path.is_file():
        if path.suffix == ".parquet":
            return Parquet([path], path.parent, path.stem)
        if tarfile.is_tarfile(path):
            return Tars([path], path.parent, path.stem)
        raise UserError(f"{path} is no tar and no Parquet file. Give one, or a folder.")
    if not path.is_dir():
        raise UserError(f"There is nothing at {path}. Give a folder, a .tar or a .parquet file.")
    name = path.resolve().name
    if (path / "img_emb").is_dir():
        found = Embeddings(path)
        if not found.files:
            raise UserError(f"{path / 'img_emb'} holds no .npy file. Give a folder that does.")
        return found
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        return Saved(_arrow_files(path), path, name)
    for suffix, kind in ((".tar", Tars), (".parquet", Parquet)):
        if files := sorted(p for p in path.rglob(f"*{suffix}") if p.is_file()):
            return kind(files, path, name)
    if not pixels.list_images(path):
        raise UserError(
            f"{path} holds no images ({', '.join(pixels.SUFFIXES)}), tars or Parquet tables. Give "
            "a folder that does."
        )
    return Folder(path)


def _arrow_files(path: Path) -> list[Path]:
    """The streams of a saved dataset, or of all splits of one."""
    splits = [path]
    if (path / "dataset_dict.json").is_file():
        splits = sorted(p.parent for p in path.glob("*/state.json"))
    files = []
    for split in splits:
        try:
            state = json.loads((split / "state.json").read_text("utf-8"))
            names = [Path(str(f["filename"])).name for f in state["_data_files"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(split / "state.json", "a saved dataset's state", error) from error
        files += [split / n for n in names]
    return files


def key(source: Source) -> str:
    """Hash of every piece's name and stamp: another content is another index."""
    return digest([(u.id, u.stamp) for u in source.units()])
