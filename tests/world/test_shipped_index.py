"""The index that comes with the world is of its images, as they are rendered and encoded here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit.datasets.listed import Listed
from audit.datasets.source import Entry
from audit.evidence.copies import manifest, shards
from audit.evidence.copies.index import Index, load
from audit.evidence.copies.training_set import TrainingSet, of_corpus
from audit.evidence.encoders.copies import CopyEncoder
from audit.world import models


@pytest.fixture(scope="module")
def encoder() -> CopyEncoder:
    """The embedded descriptor."""
    return models.copy_descriptor()


def found(whole: TrainingSet, encoder: CopyEncoder, root: Path) -> Index:
    """Its index; nothing is rendered for it."""

    def advance(done: int, total: int) -> None:
        raise AssertionError("a shipped index was made again")

    return whole.index(encoder, root, advance)


def compared(index: Index, encoder: CopyEncoder, held_out: bool, rows: range) -> None:
    """Vectors and hashes of pixels of these images equal those that are made now."""
    side = index.held if held_out else index.train
    corpus = models.corpus()
    entries = corpus.entries(held_out)
    pictures = [corpus.image(entries[i].id) for i in rows]
    cosines = (encoder.images(pictures) * side.rows(np.array(rows))).sum(1)
    assert cosines.min() > 0.999
    assert [side.entries[i].id for i in rows] == [entries[i].id for i in rows]
    kept = [c for part in side.parts for c in part.table()["content"].to_pylist()]
    assert [shards.pixels_key(p, None) for p in pictures] == [kept[i] for i in rows]


@pytest.mark.parametrize("held_out", [False, True])
def test_some_of_its_rows_are_made_again(
    tmp_path: Path, encoder: CopyEncoder, held_out: bool
) -> None:
    """The first images of each side have the vectors and the pixels that are shipped."""
    compared(found(of_corpus(models.corpus()), encoder, tmp_path), encoder, held_out, range(40))


@pytest.mark.nightly
@pytest.mark.parametrize("held_out", [False, True])
def test_all_of_its_rows_are_made_again(
    tmp_path: Path, encoder: CopyEncoder, held_out: bool
) -> None:
    """The same of every image."""
    index = found(of_corpus(models.corpus()), encoder, tmp_path)
    n = len(index.held if held_out else index.train)
    compared(index, encoder, held_out, range(n))


def test_it_is_mended_where_a_copy_is_damaged(tmp_path: Path, encoder: CopyEncoder) -> None:
    """Each run gets a copy, in which lists for searching may be kept; bytes that changed return."""
    whole = of_corpus(models.corpus())
    index = found(whole, encoder, tmp_path)
    assert index.folder.parent == tmp_path
    shard = sorted(index.folder.glob("train-*.npy"))[0]
    shard.write_bytes(shard.read_bytes()[:-8] + bytes(8))
    again = found(whole, encoder, tmp_path)
    assert again.key == index.key == load(models.INDEX).key
    again.nearest(np.zeros((1, again.dimensions), np.float32))


class Fewer(models.WorldCorpus):
    """The world with the first of its blocks alone."""

    def entries(self, held_out: bool = False) -> Sequence[Entry]:
        """One block of training images, and no held-out set."""
        return [] if held_out else super().entries(held_out)[: Listed.block]


def test_another_set_and_another_descriptor_are_indexed_anew(
    tmp_path: Path, encoder: CopyEncoder
) -> None:
    """It is used for its own images and its own descriptor, and for nothing else."""
    ticks: list[int] = []
    fewer = of_corpus(Fewer())
    made = fewer.index(encoder, tmp_path, lambda done, total: ticks.append(done))
    assert len(made.train) == Listed.block
    assert ticks

    class Other(CopyEncoder):
        key = "another"

    assert fewer.shipped == models.INDEX
    other = Other(models.DESCRIPTOR)
    made = replace(fewer, sides={"train": Listed(Fewer())}).index(
        other, tmp_path, lambda done, total: ticks.append(done)
    )
    assert made.descriptor.key == "another"


def test_the_list_of_the_package_names_no_other_file() -> None:
    """What is shipped is the list and its shards."""
    listed = manifest.read(models.INDEX)
    stems = {name for parts in listed.shards.values() for name, *_ in parts}
    wanted = {f"{s}{end}" for s in stems for end in (".npy", ".parquet")} | {manifest.LIST}
    assert {p.name for p in models.INDEX.iterdir()} == wanted
