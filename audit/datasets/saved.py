"""Hugging Face datasets saved to disk: Arrow streams that `state.json` lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from audit.datasets.source import Key, damaged
from audit.datasets.table import Cursor, Rows
from audit.files import loads


class Saved(Rows):
    """A dataset, or all splits of one, as `save_to_disk` writes it; a stream is a unit."""

    kind, what = "dataset on disk", "an Arrow stream"

    def _schema(self, path: Path) -> Any:
        import pyarrow as pa

        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            return stream.schema

    def _batches(self, path: Path, some: Sequence[str], start: int | None) -> Iterator[Any]:
        """Whole batches: they are mapped into memory, not read yet."""
        import pyarrow as pa

        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream

    def _from(self, key: Key, row: int) -> Cursor:
        image = self._columns(key[0]).image
        batches = (batch.column(image) for batch in self._batches(key[0], [image], None))
        return Cursor(key, None, batches, 0)


def is_saved(path: Path) -> bool:
    """Whether a folder is a saved dataset or a dictionary of splits."""
    return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()


def streams(path: Path) -> list[Path]:
    """The streams of a saved dataset, or of all splits of one; UserError for a damaged list."""
    splits = [path]
    if (path / "dataset_dict.json").is_file():
        splits = sorted(p.parent for p in path.glob("*/state.json"))
    files = []
    for split in splits:
        try:
            state = loads((split / "state.json").read_bytes())
            names = [Path(str(f["filename"])).name for f in state["_data_files"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(split / "state.json", "a saved dataset's state", error) from error
        files += [split / n for n in names]
    return files
