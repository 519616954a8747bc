"""Hugging Face datasets saved to disk: Arrow streams that `state.json` lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from audit.datasets.captions import some_names
from audit.datasets.damage import reading
from audit.datasets.source import Key
from audit.datasets.table import Cursor, Rows
from audit.errors import UserError
from audit.files import loads


class Saved(Rows):
    """A dataset, or all splits of one, as `save_to_disk` writes it; a stream is a unit."""

    kind, what = "dataset on disk", "an Arrow stream"

    def _schema(self, path: Path) -> Any:
        import pyarrow as pa

        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            return stream.schema

    def _batches(self, path: Path, some: Sequence[str], start: int | None) -> Iterator[Any]:
        """Whole batches: they are mapped into memory, not read yet.

        Offsets are checked: Arrow follows damaged ones out of the file, which ends the process.
        """
        import pyarrow as pa

        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                batch.validate(full=True)
                yield batch

    def split(self, name: str, path: Path) -> str:
        """The folder of a stream."""
        return path.parent.name

    def _from(self, key: Key, row: int) -> Cursor:
        image = self._columns(key[0]).image
        batches = (batch.column(image) for batch in self._batches(key[0], [image], None))
        return Cursor(key, None, batches, 0)


def is_saved(path: Path) -> bool:
    """Whether a folder is a saved dataset or a dictionary of splits."""
    return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()


def streams(path: Path) -> list[Path]:
    """The streams of a saved dataset, or of all splits of one.

    UserError for a damaged list, for splits or streams that are not there, and for a dataset that
    is a selection of its rows.
    """
    files = []
    for split in _splits(path):
        state = split / "state.json"
        with reading(state, "a saved dataset's state"):
            known = loads(state.read_bytes(), finite=False)
            names = [Path(str(f["filename"])).name for f in known["_data_files"]]
        if known.get("_indices_data_files"):
            raise UserError(
                f"{split} is a selection of the rows that it stores. Save it again after "
                "`flatten_indices()`, which keeps these rows alone."
            )
        files += [split / n for n in names]
    if gone := [p for p in files if not p.is_file()]:
        raise UserError(
            f"{path} lists {some_names([p.name for p in gone])}, not there. Fetch it again."
        )
    return files


def _splits(path: Path) -> list[Path]:
    """The dataset itself, or the splits that `dataset_dict.json` lists."""
    listed = path / "dataset_dict.json"
    if not listed.is_file():
        return [path]
    with reading(listed, "a list of splits"):
        names = [Path(str(n)).name for n in loads(listed.read_bytes(), finite=False)["splits"]]
    if gone := [n for n in names if not (path / n / "state.json").is_file()]:
        raise UserError(f"{path} lists the splits {some_names(gone)}, not there. Fetch it again.")
    if not names:
        raise UserError(f"{listed} lists no splits. Give a dataset that has one.")
    return sorted(path / n for n in names)
