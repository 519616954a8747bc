"""Training sets of rows: Parquet tables, saved datasets, and vectors that others computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.datasets import pixels, source
from audit.datasets.captions import TEXT_COLUMNS
from audit.datasets.corpus import Entry
from audit.datasets.source import Files, Item, Unit, damaged, item_of, one_line, stamp
from audit.errors import UserError


def _image_column(schema: Any, path: Path) -> str:
    """The column of pictures: bytes, the struct of bytes and path, or paths."""
    import pyarrow as pa

    for field in schema:
        kind = field.type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return str(field.name)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return str(field.name)
    for name in ("image_path", "file_name", "path", "image"):
        if name in schema.names and pa.types.is_string(schema.field(name).type):
            return name
    raise UserError(
        f"{path} has no column of image bytes or of paths (image_path, file_name, path, image). "
        "Give a table that has one."
    )


class _Rows(Files):
    """Tables with a picture in each row: its bytes, or its path below the table's folder."""

    what = "a table"

    def _batches(self, path: Path, start: int | None = None) -> Iterator[Any]:
        """All rows, or those of the window that begins at row `start`."""
        raise NotImplementedError

    def _schema(self, path: Path) -> Any:
        raise NotImplementedError

    def read(self, unit: Unit) -> Iterator[Item]:
        """The pictures of a table, or of a window of one, row by row."""
        import pyarrow as pa

        name, _, first = (unit.id, "", "") if unit.id in self.files else unit.id.rpartition("#")
        path, start = self.files[name], int(first) if first else None

        try:
            schema = self._schema(path)
            column = _image_column(schema, path)
            text = next((c for c in TEXT_COLUMNS if c in schema.names and c != column), None)
            row = start or 0
            for batch in self._batches(path, start):
                texts = batch.column(text).to_pylist() if text else [None] * batch.num_rows
                for value, caption in zip(batch.column(column), texts, strict=True):
                    entry = Entry(f"{name}/{row}", one_line(caption))
                    body = value.as_py()
                    yield item_of(entry, lambda body=body: self._picture(path, body))  # type: ignore[misc]
                    row += 1
        except (OSError, ValueError, pa.ArrowException) as error:
            raise damaged(path, self.what, error) from error

    @staticmethod
    def _picture(path: Path, value: Any) -> np.ndarray:
        body = value
        if isinstance(value, dict):
            body = value.get("bytes") or value.get("path")
        if isinstance(body, str):
            inside = (path.parent / body).resolve()
            if not inside.is_relative_to(path.parent.resolve()):
                raise pixels.Unreadable("its path leaves the table's folder")
            return pixels.read(inside)
        if not isinstance(body, bytes) or len(body) > source.MAX_BYTES:
            raise pixels.Unreadable("no image bytes in this row")
        return pixels.decode(body)

    def image(self, id: str) -> np.ndarray:
        """One picture by table and row."""
        path, place = self._at(id)
        column, row = _image_column(self._schema(path), path), int(place)
        for batch in self._batches(path):
            if row < batch.num_rows:
                return self._picture(path, batch.column(column)[row].as_py())
            row -= batch.num_rows
        raise pixels.Unreadable("the table has fewer rows")


class Parquet(_Rows):
    """Parquet tables with image bytes or paths; a large one is read in windows of row groups."""

    kind, what = "Parquet", "Parquet"
    window = 65_536
    """Rows at least of a window, so that memory does not grow with the length of a table."""

    def units(self) -> Sequence[Unit]:
        """One for each table, or for each window of one that has several; sorted by name."""
        found = []
        for unit in super().units():
            starts = sorted(self._windows(self.files[unit.id]))
            several = [Unit(f"{unit.id}#{start}", unit.stamp) for start in starts]
            found += several if len(several) > 1 else [unit]
        return found

    def _windows(self, path: Path) -> dict[int, list[int]]:
        """Row groups by the first row of their window; none of a table that cannot be read."""
        import pyarrow as pa
        import pyarrow.parquet as parquet

        try:
            about = parquet.read_metadata(path)
        except (OSError, ValueError, pa.ArrowException):
            return {}  # reading it says what is wrong
        windows: dict[int, list[int]] = {}
        start, row = 0, 0
        for group in range(about.num_row_groups):
            windows.setdefault(start, []).append(group)
            row += about.row_group(group).num_rows
            start = row if row - start >= self.window else start
        return windows

    def _schema(self, path: Path) -> Any:
        import pyarrow.parquet as parquet

        return parquet.read_schema(path)

    def _batches(self, path: Path, start: int | None = None) -> Iterator[Any]:
        import pyarrow.parquet as parquet

        groups = None if start is None else self._windows(path)[start]
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=64, row_groups=groups)


class Saved(_Rows):
    """A Hugging Face dataset saved to disk: Arrow streams listed in `state.json`."""

    kind, what = "dataset on disk", "an Arrow stream"

    def _schema(self, path: Path) -> Any:
        import pyarrow as pa

        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            return stream.schema

    def _batches(self, path: Path, start: int | None = None) -> Iterator[Any]:
        import pyarrow as pa

        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream


class Embeddings:
    """Vectors that others computed: `img_emb/*.npy` beside `metadata/*.parquet`.

    As clip-retrieval and img2dataset lay them out. There are no pictures, and which model made the
    vectors is for whoever brings them to say.
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
            raise UserError(f"{file} holds {rows.dtype}{rows.shape}, not vectors. Take it away.")
        return np.asarray(rows)

    def read(self, unit: Unit) -> Iterator[Item]:
        """The vectors of a block, with ids and captions of the metadata."""
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
        """There is none: pixels.Unreadable."""
        raise pixels.Unreadable("only its vector is known")
