"""Corpora, the index and matching, against scikit-learn and planted copies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from audit import pixels
from audit.errors import UserError
from audit.records import Sample
from audit.replication.corpus import FolderCorpus
from audit.replication.index import build
from audit.replication.match import match, twin_evidence


class Thumbnail:
    """A tiny real encoder: an 8 by 8 thumbnail, centred and of unit length."""

    key = "thumbnail"

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 pictures to float32[n, 192]."""
        small = [
            np.asarray(Image.fromarray(p).resize((8, 8)), np.float32).ravel() for p in pictures
        ]
        rows = np.stack(small) - 127.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def quiet(done: int, total: int) -> None:
    """Report nothing."""


def fill(folder: Path, n: int, seed: int) -> list[np.ndarray]:
    """Write `n` random pictures and give them back."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    pictures = [rng.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(n)]
    for i, picture in enumerate(pictures):
        (folder / f"{i:03d}.png").write_bytes(pixels.png(picture))
        (folder / f"{i:03d}.txt").write_text(f"caption {i}")
    return pictures


@pytest.fixture
def corpus(tmp_path: Path) -> FolderCorpus:
    """40 training and 40 held-out pictures."""
    fill(tmp_path / "train", 40, 1)
    fill(tmp_path / "held", 40, 2)
    return FolderCorpus(tmp_path / "train", tmp_path / "held")


def test_search_equals_scikit_learns_exact_search(corpus: FolderCorpus, tmp_path: Path) -> None:
    """Top-1 neighbours and cosines are those of a brute-force search."""
    index = build(corpus, Thumbnail(), tmp_path / "idx", quiet)
    base = Thumbnail().images([corpus.image(e.id) for e in corpus.entries()])
    queries = Thumbnail().images(
        list(np.random.default_rng(9).integers(0, 256, (30, 16, 16, 3), np.uint8))
    )
    distance, where = NearestNeighbors(n_neighbors=1, metric="cosine").fit(base).kneighbors(queries)
    scores, found = index.nearest(queries)
    assert np.array_equal(found, where[:, 0])
    np.testing.assert_allclose(scores, 1 - distance[:, 0], atol=1e-5)


def test_planted_copies_are_found_with_their_source(corpus: FolderCorpus, tmp_path: Path) -> None:
    """A training picture handed back scores 1 and names its caption; a blocked one has NaN."""
    index = build(corpus, Thumbnail(), tmp_path / "idx", quiet)
    vectors = {"a": Thumbnail().images([corpus.image("train/007.png")])[0]}
    samples = [Sample("a", "p", "none", 1, "t"), Sample("b", "p", "none", 2, "t")]
    table = match(samples, vectors, {"b": "blocked"}, index)
    assert table.train[0] == "train/007.png"
    assert pd.isna(table.train[1])
    assert table.train_caption[0] == "caption 7"
    assert table.score[0] == pytest.approx(1, abs=1e-5)
    assert np.isnan(table.score[1])
    assert table.outcome.tolist() == ["label", "blocked"]


def test_an_index_is_built_once(corpus: FolderCorpus, tmp_path: Path) -> None:
    """The second call reads what the first wrote; a changed corpus gets an index of its own."""
    build(corpus, Thumbnail(), tmp_path / "idx", quiet)
    seen: list[int] = []
    build(corpus, Thumbnail(), tmp_path / "idx", lambda done, total: seen.append(done))
    assert not seen
    (corpus.folder / "new.png").write_bytes(pixels.png(np.zeros((4, 4, 3), np.uint8)))
    build(FolderCorpus(corpus.folder, corpus.held_out), Thumbnail(), tmp_path / "idx", quiet)
    assert len(list((tmp_path / "idx").iterdir())) == 2


def test_truncated_pictures_are_skipped_and_counted(corpus: FolderCorpus, tmp_path: Path) -> None:
    """A cut-off PNG and a text file named .png cost two entries, not the run."""
    whole = (corpus.folder / "003.png").read_bytes()
    (corpus.folder / "003.png").write_bytes(whole[: len(whole) // 2])
    (corpus.folder / "004.png").write_text("no picture")
    index = build(FolderCorpus(corpus.folder), Thumbnail(), tmp_path / "idx", quiet)
    assert index.train.ntotal == 38
    assert set(index.skipped) == {"train/003.png", "train/004.png"}


def test_an_empty_folder_is_one_sentence(tmp_path: Path) -> None:
    """A folder without pictures, and one that is not there, are named."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no images"):
        FolderCorpus(tmp_path / "empty")
    with pytest.raises(UserError, match="There is no folder"):
        FolderCorpus(tmp_path / "missing")


def test_a_corpus_of_damaged_pictures_is_refused(tmp_path: Path) -> None:
    """When nothing can be read, the message says so and why."""
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(UserError, match="None of the 1 images"):
        build(FolderCorpus(tmp_path / "bad"), Thumbnail(), tmp_path / "idx", quiet)
    assert not list((tmp_path / "idx").glob("*"))


def test_a_damaged_index_is_never_read(corpus: FolderCorpus, tmp_path: Path) -> None:
    """Another key or a cut-off file stops the search with a sentence that says what to delete."""
    build(corpus, Thumbnail(), tmp_path / "idx", quiet)
    folder = next((tmp_path / "idx").iterdir())
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"key": "other"}))
    with pytest.raises(UserError, match="does not belong"):
        build(corpus, Thumbnail(), tmp_path / "idx", quiet)
    (folder / "train.faiss").write_bytes(b"")
    with pytest.raises(UserError, match="damaged"):
        build(corpus, Thumbnail(), tmp_path / "idx", quiet)


def test_twin_evidence_is_symmetric_and_signed() -> None:
    """Swapping the two sides turns the sign; an exact copy is strong and finite."""
    rng = np.random.default_rng(4)
    a, b = rng.uniform(0, 1, (2, 50))
    np.testing.assert_allclose(twin_evidence(a, b), -twin_evidence(b, a))
    assert np.isfinite(twin_evidence(np.array([1.0]), np.array([0.2]))[0])
    assert twin_evidence(np.array([0.9]), np.array([0.2]))[0] > 0
