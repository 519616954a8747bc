"""Candidates from lists of compressed vectors, for training sets that are too large to compare all.

What is kept beside the shards is derived from them and can be made again at any time. It only says
where to look: positions leave this module, never a score.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from faiss.contrib.ondisk import merge_ondisk

from audit.errors import UserError
from audit.records import digest
from audit.replication import chooser
from audit.replication.chooser import Choice
from audit.replication.index import Index
from audit.replication.side import Side
from audit.store import RunFolder

LEAST = 100
"""Candidates of a query at least; all are compared exactly."""
PIECE = 1 << 30
"""Bytes of codes that are held in memory while lists are filled."""
FORMAT = 1
MAPPED = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_ONDISK_SAME_DIR | faiss.IO_FLAG_READ_ONLY


@dataclass(frozen=True)
class Lists:
    """Where to look for the neighbours of a vector: lists of codes, read from disk as needed."""

    path: Path
    choice: Choice
    index: Any
    """The faiss index; its lists are memory-mapped."""

    def candidates(self, queries: np.ndarray, k: int, kept: np.ndarray | None = None) -> np.ndarray:
        """Positions int64[n, m] that may be nearest to float32[n, d], in no order; -1 for none.

        m is 100, or 4 k where that is more. Only positions that bool[N] `kept` allows.
        """
        given: dict[str, Any] = {"nprobe": self.choice.nprobe}
        if kept is not None:
            bits: Any = np.packbits(kept, bitorder="little")
            given["sel"] = faiss.IDSelectorBitmap(bits)
        how = faiss.SearchParametersIVF(**given)
        return np.asarray(self.index.search(queries, max(LEAST, 4 * k), params=how)[1])


def prepared(index: Index, asked: str = "auto", memory: int | None = None) -> Index:
    """The index, searched as `chooser.choose` says for its training set.

    Lists are made where they are not there. A held-out set is searched through lists only where
    the training set is, so that what approximation loses never speaks for copying. `memory` is in
    bytes, half of the machine's without it. Raises UserError as `choose` and `build` do.
    """
    room = spare() if memory is None else memory
    choice = chooser.choose(len(index.train), index.dimensions, room, asked)
    if choice.kind == chooser.FLAT:
        return replace(index, train=index.train.through(None), held=index.held.through(None))
    train = index.train.through(build(index.train, index.folder, choice))
    held = chooser.choose(len(index.held), index.dimensions, room, "auto")
    finder = None if held.kind == chooser.FLAT else build(index.held, index.folder, held)
    return replace(index, train=train, held=index.held.through(finder))


def spare() -> int:
    """Half of this machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def name(side: Side, choice: Choice, seed: int = 0) -> str:
    """File name of the lists: side, and hash of the vectors and of how the lists are made."""
    vectors = [(p.name, p.rows, p.crc) for p in side.parts]
    key = digest([FORMAT, choice.factory, chooser.POINTS, seed, vectors])
    return f"{side.parts[0].name.rpartition('-')[0]}-{key}.lists"


def build(side: Side, folder: Path, choice: Choice, seed: int = 0) -> Lists:
    """The lists of a side that is not empty, from disk where they have been made before.

    Memory is bounded, whatever the size of the side: a training sample of POINTS vectors a list, a
    block of vectors, and PIECE bytes of codes. Lists of vectors that have changed are removed.
    Raises UserError where they cannot be written, or ValueError for a choice that has no lists.
    """
    if not choice.factory or not len(side):
        raise ValueError("Lists need vectors, and a choice that has lists.")
    path = folder / name(side, choice, seed)
    with RunFolder(folder).lock(wait=True):
        found = _read(path, side)
        if found is None:
            _write(path, side, choice, seed)
            found = _read(path, side)
    if found is None:
        raise UserError(f"{path} cannot be read back. Remove it and run the same command again.")
    return Lists(path, choice, found)


def _read(path: Path, side: Side) -> Any:
    """The index at `path` with its lists on disk, or None where it is not there or damaged."""
    if not path.exists():
        return None
    try:
        index = faiss.read_index(str(path), MAPPED)
    except RuntimeError:  # faiss has no other
        return None
    fits = index.ntotal == len(side) and index.d == side.dimensions
    return index if fits else None


def _write(path: Path, side: Side, choice: Choice, seed: int) -> None:
    """Make the lists; the file appears when all is written."""
    stem = path.name.rpartition("-")[0]
    pieces: list[Path] = []
    temporary = path.with_suffix(".making")
    try:
        index = _trained(side, choice, seed)
        pieces = _pieces(index, side, path)
        if len(pieces) == 1:
            pieces[0].rename(temporary)
        else:
            codes = path.with_suffix(".codes")
            merge_ondisk(index, [str(p) for p in pieces], str(codes))
            faiss.write_index(index, str(temporary))
            del index
            _flush(codes)
        _flush(temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"Cannot write the search lists of {path.parent} "
            f"({str(error).strip().splitlines()[-1]}). Free some space; the index is kept."
        ) from error
    finally:
        for left in (*pieces, temporary):
            with suppress(FileNotFoundError):
                left.unlink()
    for old in (*path.parent.glob(f"{stem}-*.lists"), *path.parent.glob(f"{stem}-*.codes")):
        if old.stem != path.stem:
            old.unlink()


def _pieces(index: Any, side: Side, path: Path) -> list[Path]:
    """All vectors in lists, in files of at most about PIECE bytes each; `index` is left empty."""
    most = max(PIECE // (index.code_size + 8), 1)
    pieces: list[Path] = []
    start = 0

    def close() -> None:
        pieces.append(path.with_suffix(f".piece{len(pieces)}"))
        faiss.write_index(index, str(pieces[-1]))
        index.reset()

    for block in side.blocks():
        if index.ntotal and index.ntotal + len(block) > most:
            close()
        index.add_with_ids(block, np.arange(start, start + len(block)))
        start += len(block)
    close()
    return pieces


def _trained(side: Side, choice: Choice, seed: int) -> Any:
    """An empty index whose lists and codes fit a sample that is spread over the side."""
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


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
