"""Embeddings that others computed, with their metadata, in place of a training set's images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from audit.datasets import pixels
from audit.datasets.captions import TEXT_COLUMNS
from audit.datasets.source import Entry, Item, Unit, damaged, one_line, stamp
from audit.errors import UserError


class Embeddings:
    """Vectors that others computed: `img_emb/*.npy` next to `metadata/*.parquet`.

    As clip-retrieval and img2dataset lay them out. There are no images, and the user must say
    which model made the vectors.
    """

    kind = "embeddings"
    block = 65_536

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.place = path, path.resolve().name, str(path.resolve())
        self.files = sorted((path / "img_emb").glob("*.npy"))

    def units(self) -> Sequence[Unit]:
        """Blocks of rows of each file."""
        found = []
        for file in self.files:
            changed, count = stamp(file), len(self._open(file))
            found += [Unit(f"{file.name}#{s}", changed) for s in range(0, count, self.block)]
        return found

    @staticmethod
    def _open(file: Path) -> np.ndarray:
        try:
            rows = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise damaged(file, "a NumPy array", error) from error
        if rows.ndim != 2 or rows.dtype.kind != "f":
            raise UserError(f"{file} contains {rows.dtype}{rows.shape}, not vectors. Remove it.")
        return np.asarray(rows)

    def read(self, unit: Unit) -> Iterator[Item]:
        """The vectors of a block, with ids and captions from the metadata."""
        name, _, start = unit.id.partition("#")
        vectors = self._open(self.path / "img_emb" / name)
        some = vectors[int(start) : int(start) + self.block]
        known = self._metadata(name, len(vectors))[int(start) : int(start) + len(some)]
        for (id, caption), vector in zip(known, some, strict=True):
            yield Item(Entry(id, caption), vector=vector)

    def _metadata(self, name: str, count: int) -> list[tuple[str, str]]:
        import pyarrow.parquet as parquet

        number = Path(name).stem.rpartition("_")[2]
        table = self.path / "metadata" / f"metadata_{number}.parquet"
        plain = [(f"{name}/{i}", "") for i in range(count)]
        if not table.is_file():
            return plain
        try:
            frame = parquet.read_table(table)
        except (OSError, ValueError) as error:
            raise damaged(table, "Parquet", error) from error
        if frame.num_rows != count:
            raise UserError(
                f"{table} has {frame.num_rows} rows for {count} vectors. Fetch both again."
            )
        ids = next((c for c in ("image_path", "url", "key") if c in frame.column_names), None)
        text = next((c for c in TEXT_COLUMNS if c in frame.column_names), None)
        names = frame.column(ids).to_pylist() if ids else [None] * count
        texts = frame.column(text).to_pylist() if text else [None] * count
        return [
            (str(i) if i is not None else p[0], one_line(t))
            for i, t, p in zip(names, texts, plain, strict=True)
        ]

    def image(self, id: str) -> np.ndarray:
        """Always raises pixels.Unreadable: there are no images."""
        raise pixels.Unreadable("only its vector is known")
