"""Embeddings that others computed, with their metadata, in place of a training set's images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from audit.datasets import pixels
from audit.datasets.batches import batches, records
from audit.datasets.captions import TEXT_COLUMNS, Said, column, listed, plain
from audit.datasets.chosen import USUALLY
from audit.datasets.damage import reading
from audit.datasets.source import Entry, Item, Unit, one_line, stamp
from audit.errors import UserError

ID_COLUMNS = ("image_path", "url", "key")


class Embeddings:
    """Vectors that others computed: `img_emb/*.npy` next to `metadata/*.parquet`.

    As clip-retrieval and img2dataset lay them out. There are no images, and the user must say
    which model made the vectors.
    """

    kind, chosen = "embeddings", USUALLY
    block = 65_536

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.place = path, path.resolve().name, str(path.resolve())
        self.files = sorted((path / "img_emb").glob("*.npy"))
        self._said = Said()

    def notes(self) -> list[str]:
        """What the metadata that have been read so far left open, a sentence for each kind."""
        return self._said.notes()

    def units(self) -> Sequence[Unit]:
        """Blocks of rows of each file."""
        found = []
        for file in self.files:
            changed, count = stamp(file), len(self._open(file))
            found += [Unit(f"{file.name}#{s}", changed) for s in range(0, count, self.block)]
        return found

    @staticmethod
    def _open(file: Path) -> np.ndarray:
        with reading(file, "a NumPy array"):
            rows = np.load(file, mmap_mode="r", allow_pickle=False)
        if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind != "f":
            what = f"{rows.dtype}{rows.shape}" if isinstance(rows, np.ndarray) else "an archive"
            raise UserError(f"{file} contains {what}, not vectors. Remove it.")
        return np.asarray(rows)

    def about(self, unit: Unit) -> int:
        """The images of a block."""
        return self.block

    def read(self, unit: Unit) -> Iterator[Item]:
        """The vectors of a block, with ids and captions from the metadata."""
        name, _, start = unit.id.partition("#")
        vectors = self._open(self.path / "img_emb" / name)
        some = vectors[int(start) : int(start) + self.block]
        known = self._metadata(name, len(vectors), start == "0")
        known = known[int(start) : int(start) + len(some)]
        for (id, caption), vector in zip(known, some, strict=True):
            yield Item(Entry(id, caption), vector=vector)

    def _metadata(self, name: str, count: int, first: bool) -> list[tuple[str, str]]:
        """Id and caption of each vector; what is left open is said with the `first` block."""
        import pyarrow.parquet as parquet

        number = Path(name).stem.rpartition("_")[2]
        table = self.path / "metadata" / f"metadata_{number}.parquet"
        nameless = [(f"{name}/{i}", "") for i in range(count)]
        if not table.is_file():
            self._said.add("Embeddings without metadata" if first else "", name)
            return nameless
        with reading(table, "Parquet"):
            there = parquet.read_schema(table).names
            ids, text = (column(there, c, str(table)) for c in (ID_COLUMNS, TEXT_COLUMNS))
            rows = parquet.read_metadata(table).num_rows
            if rows != count:
                raise UserError(f"{table} has {rows} rows for {count} vectors. Fetch both again.")
            found = self._words(table, nameless, ids, text, first)
        if first and text is None:
            said = f"Metadata without captions, with the columns {listed(there)}"
            self._said.add(said, table.name)
        return found

    def _words(
        self, table: Path, nameless: Sequence[tuple[str, str]], ids: str | None, text: str | None,
        first: bool,
    ) -> list[tuple[str, str]]:  # fmt: skip
        """Id and caption of each row, by their columns."""
        names = [c for c in (ids, text) if c]
        if not names:
            return list(nameless)
        rows = (r for batch in batches(table, names) for r in records(batch, names))
        found = []
        for (known, _), row in zip(nameless, rows, strict=True):
            words, doubt = plain(row[text] if text else None)
            self._said.add(doubt if first else "", known)
            found.append((plain(row[ids] if ids else None)[0] or known, one_line(words)))
        return found

    def image(self, id: str) -> np.ndarray:
        """Always raises pixels.Unreadable: there are no images."""
        raise pixels.Unreadable("only its vector is known")
