"""A corpus as descriptors in a FAISS index: built once, whole or absent, searched exactly."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np

from audit.errors import UserError
from audit.records import digest
from audit.replication.corpus import Corpus, Entry, readable

CHUNK = 256

faiss.cvar.distance_compute_blas_threshold = 1  # small query sets are 8 times slower without


class Encoder(Protocol):
    """What an index needs of an encoder."""

    @property
    def key(self) -> str:
        """Hash of weights and preprocessing."""

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 pictures to float32[n, d] of unit length."""


@dataclass(frozen=True)
class Index:
    """Descriptors of a corpus (`train`) and of its held-out twin (`held`, may be empty)."""

    key: str
    train: Any
    """faiss.IndexFlatIP over float32[n, d]."""
    held: Any
    train_entries: tuple[Entry, ...]
    held_entries: tuple[Entry, ...]
    skipped: dict[str, str]
    """Unreadable images of the corpus with the reason."""

    def nearest(self, vectors: np.ndarray, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Exact top-1 cosine float32[n] and position int64[n]; NaN and -1 for an empty side."""
        index = self.held if held_out else self.train
        if not index.ntotal or not len(vectors):
            return np.full(len(vectors), np.nan, np.float32), np.full(len(vectors), -1)
        scores, where = index.search(np.ascontiguousarray(vectors, np.float32), 1)
        return scores[:, 0], where[:, 0]


def _chunks(
    corpus: Corpus, entries: Sequence[Entry], encoder: Encoder, skipped: dict[str, str]
) -> Iterator[tuple[list[Entry], np.ndarray]]:
    """Entries and descriptors by the chunk; the next pictures are read while these are encoded."""
    pairs = readable(corpus, entries, skipped)

    def read() -> list[tuple[Entry, np.ndarray]]:
        return list(islice(pairs, CHUNK))

    with ThreadPoolExecutor(1, "corpus") as reader:
        ahead = reader.submit(read)
        while rows := ahead.result():
            ahead = reader.submit(read)
            yield [e for e, _ in rows], encoder.images([p for _, p in rows])


def build(
    corpus: Corpus, encoder: Encoder, root: Path, advance: Callable[[int, int], None]
) -> Index:
    """The index of a corpus, from `root` where it is, else built there.

    `advance(done, total)` is called as images are read. Raises UserError where every image is
    unreadable or the folder cannot be written.
    """
    key = digest([corpus.key, encoder.key])
    folder = root / f"{corpus.name}-{key[:8]}"
    if (folder / "meta.json").is_file():
        return _open(folder, key)
    total = len(corpus.entries()) + len(corpus.entries(held_out=True))
    temporary = root / f".{folder.name}.{os.getpid()}.tmp"
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        skipped: dict[str, str] = {}
        meta: dict[str, Any] = {"key": key, "corpus": corpus.name, "encoder": encoder.key}
        done = 0
        for side, held_out in (("train", False), ("held", True)):
            kept, parts = [], []
            for part, vectors in _chunks(corpus, corpus.entries(held_out), encoder, skipped):
                kept += [[e.id, e.caption, e.repeats] for e in part]
                parts.append(vectors)
                done += len(part)
                advance(done, total)
            if not held_out and not kept:
                raise UserError(
                    f"None of the {len(skipped)} images of {corpus.name} can be read "
                    f"({next(iter(skipped.values()))}). Check the files."
                )
            vectors = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
            index = faiss.IndexFlatIP(vectors.shape[1])
            index.add(vectors)
            _write(index, temporary / f"{side}.faiss")
            meta[side] = kept
        meta["skipped"] = skipped
        (temporary / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), "utf-8")
        if folder.exists():  # left half-made by an older version: never read, so safe to drop
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except OSError as error:
        raise UserError(
            f"Cannot write the index {folder}: {error.strerror}. Free some space or choose "
            "another folder with --out."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _open(folder, key)


def _write(index: Any, path: Path) -> None:
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:  # what faiss raises where a disk is full
        raise OSError(errno.ENOSPC, "the disk is full or cannot be written") from error


def _open(folder: Path, key: str) -> Index:
    try:
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        sides = {s: faiss.read_index(str(folder / f"{s}.faiss")) for s in ("train", "held")}
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"The index {folder} is damaged ({error}). Delete that folder and run again."
        ) from error
    entries = {s: tuple(Entry(*row) for row in meta[s]) for s in ("train", "held")}
    if meta["key"] != key or any(sides[s].ntotal != len(entries[s]) for s in sides):
        raise UserError(
            f"The index {folder} does not belong to this corpus and descriptor. Delete that "
            "folder and run again."
        )
    return Index(
        key, sides["train"], sides["held"], entries["train"], entries["held"], meta["skipped"]
    )
