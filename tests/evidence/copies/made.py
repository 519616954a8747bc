"""Small training sets in every supported format."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from PIL import Image

from audit.datasets import pixels


class Thumbnail:
    """A tiny real encoder: an 8 by 8 thumbnail, centred and of unit length."""

    key = "thumbnail"

    def __init__(self) -> None:
        self.seen = 0

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 pictures to float32[n, 192]."""
        self.seen += len(pictures)
        small = [
            np.asarray(Image.fromarray(p).resize((8, 8)), np.float32).ravel() for p in pictures
        ]
        rows = np.stack(small) - 127.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def pictures(n: int, seed: int) -> list[np.ndarray]:
    """Random pictures, uint8[16, 16, 3]."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(n)]


def folder(path: Path, some: Sequence[np.ndarray]) -> Path:
    """PNG files with captions next to them."""
    path.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(some):
        (path / f"{i:03d}.png").write_bytes(pixels.png(picture))
        (path / f"{i:03d}.txt").write_text(f"caption {i}")
    return path


def tar(path: Path, some: Sequence[np.ndarray], start: int = 0) -> Path:
    """A WebDataset tar: `key.png`, `key.txt`, and a `key.json` that says less."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for i, picture in enumerate(some, start):
            for name, data in (
                (f"{i:05d}.json", json.dumps({"width": 16}).encode()),
                (f"{i:05d}.png", pixels.png(picture)),
                (f"{i:05d}.txt", f"caption {i}".encode()),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return path


def rows(some: Sequence[np.ndarray], start: int = 0) -> pa.Table:
    """A table with the struct of bytes and path, as datasets have it, and a caption."""
    values = [{"bytes": pixels.png(p), "path": f"{i}.png"} for i, p in enumerate(some, start)]
    texts = [f"caption {i}" for i in range(start, start + len(some))]
    return pa.table({"image": values, "text": texts})


def parquet_file(path: Path, some: Sequence[np.ndarray], start: int = 0) -> Path:
    """A Parquet file of such rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(rows(some, start), path, row_group_size=7)
    return path


def saved(path: Path, some: Sequence[np.ndarray], files: int = 2, start: int = 0) -> Path:
    """A dataset saved to disk: Arrow streams and a state that lists them."""
    path.mkdir(parents=True, exist_ok=True)
    cuts, names = np.linspace(0, len(some), files + 1).astype(int), []
    for k in range(files):
        names.append({"filename": f"data-{k:05d}-of-{files:05d}.arrow"})
        table = rows(some[cuts[k] : cuts[k + 1]], start + int(cuts[k]))
        target = path / names[-1]["filename"]
        with target.open("wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
            out.write_table(table, max_chunksize=5)
    (path / "state.json").write_text(json.dumps({"_data_files": names}))
    return path


def embeddings(path: Path, vectors: np.ndarray, files: int = 2) -> Path:
    """Vectors with metadata, as clip-retrieval writes them."""
    for part in ("img_emb", "metadata"):
        (path / part).mkdir(parents=True, exist_ok=True)
    cuts = np.linspace(0, len(vectors), files + 1).astype(int)
    for k in range(files):
        rows = range(cuts[k], cuts[k + 1])
        np.save(path / "img_emb" / f"img_emb_{k}.npy", vectors[cuts[k] : cuts[k + 1]])
        table = pa.table(
            {"image_path": [f"{i:05d}" for i in rows], "caption": [f"caption {i}" for i in rows]}
        )
        parquet.write_table(table, path / "metadata" / f"metadata_{k}.parquet")
    return path
