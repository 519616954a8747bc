"""Candidates from lists of compressed vectors, for training sets that are too large for all
to be compared.

The lists next to the shards are derived from them and can be made again at any time. They only
say where to look: this module returns positions, never a score.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from audit.errors import UserError
from audit.evidence.copies import chooser
from audit.evidence.copies.chooser import Choice
from audit.evidence.copies.index import Index
from audit.evidence.copies.side import Side
from audit.files import locked
from audit.keys import digest

LEAST = 100
"""Minimum candidates of a query; all are compared exactly."""
PIECE = 1 << 30
"""Bytes of codes that are kept in memory while lists are filled."""
FORMAT = 2
"""2: the name of a file of lists ends with the checksum of its content."""


@dataclass(frozen=True)
class Lists:
    """Where to look for the neighbours of a vector: lists of codes, read from disk as needed."""

    paths: tuple[Path, ...]
    choice: Choice
    pieces: tuple[Any, ...]
    """faiss indexes of disjoint vectors with the same centroids; their lists are memory-mapped."""

    def candidates(self, queries: np.ndarray, k: int, kept: np.ndarray | None = None) -> np.ndarray:
        """Positions int64[n, m] that may be nearest to float32[n, d], in no order; -1 for none.

        m is 100, or 4 k if that is more. Only positions that bool[N] `kept` allows.
        """
        given: dict[str, Any] = {"nprobe": self.choice.nprobe}
        if kept is not None:
            selector: Any = faiss.IDSelectorBitmap  # whose stub is that of the C++ constructor
            given["sel"] = selector(np.packbits(kept, bitorder="little"))
        how, most = faiss.SearchParametersIVF(**given), max(LEAST, 4 * k)
        found = [piece.search(queries, most, params=how) for piece in self.pieces]
        rough, where = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
        order = np.argsort(np.where(where < 0, np.inf, -rough), axis=1)[:, :most]
        return np.asarray(np.take_along_axis(where, order, 1))


def prepared(index: Index, asked: str = "auto", memory: int | None = None) -> Index:
    """The index with the search that `chooser.choose` selects for its training set.

    Missing lists are made. A held-out set is searched through lists only where the training set
    is, so losses from approximation never count as evidence of copying. `memory` is in bytes, by
    default half of the machine's. Raises UserError as `choose` and `build` do.
    """
    room = spare() if memory is None else memory
    if index.crops > 1 and asked not in ("auto", chooser.FLAT):
        raise UserError(
            f"{index.folder} is a local index, whose crops are all compared: {asked} is for whole "
            "images. Omit --search."
        )
    if index.crops > 1:
        return index
    choice = chooser.choose(len(index.train), index.dimensions, room, asked)
    if choice.kind == chooser.FLAT:
        return replace(index, train=index.train.through(None), held=index.held.through(None))
    train = index.train.through(build(index.train, index.folder, choice))
    held = chooser.choose(len(index.held), index.dimensions, room, "auto")
    finder = None if held.kind == chooser.FLAT else build(index.held, index.folder, held)
    return replace(index, train=train, held=index.held.through(finder))


def spare() -> int:
    """Half of this machine's memory in bytes."""
    import psutil

    return int(psutil.virtual_memory().total) // 2


def name(side: Side, choice: Choice, seed: int = 0) -> str:
    """First part of the lists' file names: side, and hash of the vectors and of the recipe."""
    vectors = [(p.name, p.rows, p.crc) for p in side.parts]
    key = digest([FORMAT, choice.factory, chooser.POINTS, seed, vectors])
    return f"{_stem(side)}-{key}"


def _stem(side: Side) -> str:
    return side.parts[0].name.rpartition("-")[0]


def build(side: Side, folder: Path, choice: Choice, seed: int = 0) -> Lists:
    """The lists of a side that is not empty, from disk if they were made before.

    Memory is bounded, whatever the size of the side: a training sample of POINTS vectors per list,
    a block of vectors, and PIECE bytes of codes. Lists of vectors that have changed are removed.
    Raises UserError where they cannot be written, or ValueError for a choice that has no lists.
    """
    if not choice.factory or not len(side):
        raise ValueError("Lists need vectors, and a choice that has lists.")
    with locked(folder / ".lock"):
        own = name(side, choice, seed)
        found = _read(folder, own, side, choice)
        for torn in folder.glob("*.lists.tmp"):  # of a dead process: the lock is ours
            torn.unlink(missing_ok=True)
        if found is None:
            for old in folder.glob(f"{_stem(side)}-*.lists*"):
                old.unlink()
            _write(folder / own, side, choice, seed)
            found = _read(folder, own, side, choice)
    if found is None:
        raise UserError(f"{folder / own} cannot be read back. Run the same command again.")
    return found


def _read(folder: Path, own: str, side: Side, choice: Choice) -> Lists | None:
    """The lists of that name, or None where they are absent, incomplete, or damaged."""
    paths = tuple(sorted(folder.glob(f"{own}-*.lists")))
    if not all(p.stem.endswith(_checksum(p)) for p in paths):
        return None  # before faiss reads them, which trusts lengths in a file
    try:
        pieces = tuple(faiss.read_index(str(p), faiss.IO_FLAG_MMAP) for p in paths)
    except RuntimeError:  # faiss has no other
        return None
    whole = sum(p.ntotal for p in pieces) == len(side)
    return Lists(paths, choice, pieces) if whole else None


def _write(path: Path, side: Side, choice: Choice, seed: int) -> None:
    """Make the lists. All files are written before the first is renamed."""
    pieces: list[Path] = []
    try:
        for index in _filled(_trained(side, choice, seed), side):
            pieces.append(path.with_name(f"{path.name}-{len(pieces):03d}.lists.tmp"))
            faiss.write_index(index, str(pieces[-1]))
            _flush(pieces[-1])
        for i, piece in enumerate(pieces):
            os.replace(piece, path.with_name(f"{path.name}-{i:03d}-{_checksum(piece)}.lists"))
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error).strip().splitlines()[-1]
        raise UserError(
            f"Cannot write the search lists in {path.parent}: {why}. Free some space; the index "
            "itself is kept."
        ) from error
    finally:
        for piece in pieces:
            piece.unlink(missing_ok=True)


def _filled(index: Any, side: Side) -> Iterator[Any]:
    """The same index repeatedly, with the next vectors: at most PIECE bytes, or a block."""
    most, start = PIECE // (index.code_size + 8), 0
    for block in side.blocks():
        if index.ntotal and index.ntotal + len(block) > most:
            yield index
            index.reset()
        index.add_with_ids(block, np.arange(start, start + len(block)))
        start += len(block)
    yield index


def _trained(side: Side, choice: Choice, seed: int) -> Any:
    """An empty index whose lists and codes fit a sample spread over the side."""
    index: Any = faiss.index_factory(side.dimensions, choice.factory, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed + 1
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, chooser.POINTS
    index.train(side.rows(_sample(len(side), chooser.POINTS * choice.nlist, seed)))
    return index


def _sample(n: int, size: int, seed: int) -> np.ndarray:
    """Positions int64[min(n, size)], ascending and distinct: one drawn in each of equal strata."""
    if size >= n:
        return np.arange(n)
    edges = np.arange(size + 1) * n // size
    return np.random.default_rng(seed).integers(edges[:-1], edges[1:])


def _checksum(path: Path) -> str:
    """CRC-32 of a file, as eight hexadecimal digits."""
    total = 0
    with path.open("rb") as file:
        for part in iter(lambda: file.read(1 << 22), b""):
            total = zlib.crc32(part, total)
    return f"{total:08x}"


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
