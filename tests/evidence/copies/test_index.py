"""The index: exact, resumable, incremental, and never read half-made; matching and its evidence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from sklearn.neighbors import NearestNeighbors

from audit.datasets import pixels
from audit.datasets.find import find
from audit.datasets.listed import Listed
from audit.datasets.source import Entry, Source
from audit.errors import UserError
from audit.evidence.copies import side
from audit.evidence.copies.index import Index, build, load
from audit.evidence.copies.match import match, twin_evidence
from audit.records import Sample
from tests.evidence.copies import made
from tests.evidence.copies.made import Thumbnail

TRAIN, HELD = made.pictures(40, 1), made.pictures(40, 2)
QUERIES = Thumbnail().images(made.pictures(30, 9))
pytestmark = pytest.mark.usefixtures("small_shards")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """40 training and 40 held-out pictures."""
    made.folder(tmp_path / "train", TRAIN)
    made.folder(tmp_path / "held", HELD)
    return tmp_path


def make(place: Path, encoder: Thumbnail | None = None, **how: object) -> Index:
    """The index of the two folders."""
    sides = {"train": find(place / "train"), "held": find(place / "held")}
    return build(sides, encoder or Thumbnail(), place / "idx", how=how)


def names(folder: Path) -> set[str]:
    """Files of an index."""
    return {p.name for p in folder.iterdir() if not p.name.startswith(".")}


def test_search_equals_scikit_learns_exact_search(place: Path) -> None:
    """Neighbours and cosines are those of a brute-force search, over several shards."""
    index = make(place)
    assert len(index.train.parts) >= 4
    base = Thumbnail().images(TRAIN)
    distance, where = NearestNeighbors(n_neighbors=3, metric="cosine").fit(base).kneighbors(QUERIES)
    scores, found = index.train.nearest(QUERIES, 3)
    assert np.array_equal(found, where)
    np.testing.assert_allclose(scores, 1 - distance, atol=1e-5)
    assert index.train.entry(7).id == index.train.entries[7].id == "007.png"


def test_search_beyond_memory_is_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks streamed from disk give what one index in memory gives; k may exceed what is there."""
    index = make(place)
    in_memory = index.train.nearest(QUERIES, 5)
    monkeypatch.setattr(side, "IN_MEMORY", 0)
    for rows in (1, 3, 7, 1000):
        monkeypatch.setattr(index.train, "blocks", lambda rows=rows: type(index.train).blocks(
            index.train, rows * 4 * index.dimensions))  # fmt: skip
        scores, where = index.train.nearest(QUERIES, 5)
        assert np.array_equal(where, in_memory[1])
        np.testing.assert_allclose(scores, in_memory[0], atol=1e-6)
    scores, where = index.train.nearest(QUERIES[:2], 50)
    assert (where[:, 40:] == -1).all()
    assert np.isnan(scores[:, 40:]).all()


def test_half_precision_moves_a_cosine_little(place: Path) -> None:
    """float16 storage is half the size and moves no cosine by 0.001."""
    exact = make(place).nearest(QUERIES)
    sides = {"train": find(place / "train")}
    half = build(sides, Thumbnail(), place / "half", how={"dtype": "float16"})
    np.testing.assert_allclose(half.nearest(QUERIES)[0], exact[0], atol=1e-3)
    assert half.train.parts[0].vectors().dtype == np.float16
    assert np.isnan(half.nearest(QUERIES, held_out=True)[0]).all()  # there is no twin


def test_planted_copies_are_found_with_their_source(place: Path) -> None:
    """A training picture handed back scores 1 and names its caption; a blocked one has NaN."""
    index = make(place)
    vectors = {"a": Thumbnail().images([TRAIN[7]])[0]}
    samples = [Sample("a", "p", "none", 1, "t"), Sample("b", "p", "none", 2, "t")]
    table = match(samples, vectors, {"b": "blocked"}, index)
    assert table.train[0] == "007.png"
    assert pd.isna(table.train[1])
    assert table.train_caption[0] == "caption 7"
    assert table.score[0] == pytest.approx(1, abs=1e-5)
    assert np.isnan(table.score[1])
    assert table.outcome.tolist() == ["label", "blocked"]
    assert table["copy"].dtype == "boolean"
    assert table["copy"].isna().all()  # until a rule decides


def test_an_index_is_built_once(place: Path) -> None:
    """A second build encodes nothing and gives the same index."""
    first, encoder = make(place), Thumbnail()
    again = make(place, encoder)
    assert encoder.seen == 0
    assert again.key == first.key


class Failing(Thumbnail):
    """Stops after so many pictures, as a machine may."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Vectors, until it fails."""
        if self.seen + len(pictures) > self.after:
            raise KeyboardInterrupt
        return super().images(pictures)


@pytest.mark.parametrize("after", [0, 5, 17, 33, 52, 79])
def test_building_goes_on_where_it_stopped(after: int, place: Path) -> None:
    """What was written is kept, an unfinished index is not read, and the end is the same."""
    with pytest.raises(KeyboardInterrupt):
        make(place, Failing(after))
    with pytest.raises(UserError, match="not finished" if after > 16 else "no index|not finished"):
        load(place / "idx")
    encoder = Thumbnail()
    index = make(place, encoder)
    assert encoder.seen <= 80 - max(0, after - 17)  # all but the shard that was in hand
    whole = build({"train": find(place / "train"), "held": find(place / "held")}, Thumbnail(),
                  place / "whole")  # fmt: skip
    assert index.train.entries == whole.train.entries
    np.testing.assert_array_equal(
        np.concatenate(list(index.train.blocks())), np.concatenate(list(whole.train.blocks()))
    )


def test_new_pictures_are_added_and_gone_ones_left_out(place: Path) -> None:
    """Only new, changed and orphaned pieces are encoded; the result is that of a fresh build."""
    make(place)
    (place / "train" / "new.png").write_bytes(pixels.png(HELD[0]))
    (place / "train" / "003.png").unlink()
    (place / "train" / "020.txt").write_text("another caption")
    encoder = Thumbnail()
    index = make(place, encoder)
    assert encoder.seen < 30
    fresh = build({"train": find(place / "train"), "held": find(place / "held")}, Thumbnail(),
                  place / "fresh")  # fmt: skip
    assert sorted(e.id for e in index.train.entries) == sorted(e.id for e in fresh.train.entries)
    assert {e.id: e.caption for e in index.train.entries}["020.png"] == "another caption"
    np.testing.assert_allclose(index.nearest(QUERIES)[0], fresh.nearest(QUERIES)[0], atol=1e-6)
    listed = {f"{p.name}.npy" for s in (index.train, index.held) for p in s.parts}
    assert {n for n in names(place / "idx") if n.endswith(".npy")} == listed  # nothing stale


def test_the_old_index_can_be_read_while_it_grows(place: Path) -> None:
    """Until the new list is written, readers see the old index whole."""
    before = make(place)
    made.folder(place / "train", made.pictures(60, 5))
    with pytest.raises(KeyboardInterrupt):
        make(place, Failing(12))
    assert load(place / "idx").key == before.key
    assert len(load(place / "idx").train) == 40


def test_truncated_pictures_are_skipped_and_counted(place: Path) -> None:
    """A cut-off PNG and a text file named .png cost two entries, not the index."""
    whole = (place / "train" / "003.png").read_bytes()
    (place / "train" / "003.png").write_bytes(whole[: len(whole) // 2])
    (place / "train" / "004.png").write_text("no picture")
    index = make(place)
    assert len(index.train) == 38
    assert set(index.skipped) == {"003.png", "004.png"}
    scores, where = index.nearest(Thumbnail().images([TRAIN[5]]))
    assert index.train.entry(int(where[0])).id == "005.png"
    assert scores[0] == pytest.approx(1, abs=1e-5)


def test_vectors_of_others_are_scaled_and_checked(tmp_path: Path) -> None:
    """Precomputed vectors become unit length; zero and infinite ones are skipped, with reasons."""
    vectors = np.random.default_rng(2).normal(size=(20, 192)).astype(np.float32) * 7
    vectors[3], vectors[4, 0] = 0, np.inf
    source = find(made.embeddings(tmp_path / "e", vectors))
    index = build({"train": source}, Thumbnail(), tmp_path / "idx", how={"descriptor": "theirs"})
    assert set(index.skipped) == {"00003", "00004"}
    assert index.descriptor.name == "theirs"
    rows = np.concatenate(list(index.train.blocks()))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert index.nearest(rows[5:6])[0][0] == pytest.approx(1, abs=1e-5)


def test_a_corpus_of_damaged_pictures_is_refused(tmp_path: Path) -> None:
    """When nothing can be read, the message says so and why."""
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(UserError, match="None of the 1 images"):
        build({"train": find(tmp_path / "bad")}, Thumbnail(), tmp_path / "idx")
    with pytest.raises(UserError, match="not finished"):
        load(tmp_path / "idx")


def test_another_descriptor_is_refused(place: Path) -> None:
    """An index is neither built on nor asked by vectors of another kind."""
    index = make(place)
    other = Thumbnail()
    other.key = "other"
    with pytest.raises(UserError, match=r"is an index of thumbnail.*--out"):
        make(place, other)
    with pytest.raises(UserError, match="cannot be compared"):
        index.check(other)
    with pytest.raises(ValueError, match="in the index"):
        index.nearest(np.ones((1, 5), np.float32))


@pytest.mark.parametrize("how", ["cut", "gone", "flipped", "table"])
def test_a_damaged_shard_is_named_and_made_again(how: str, place: Path) -> None:
    """A shard that is not what was written is never searched; building again mends it alone."""
    index = make(place)
    path = index.train.parts[1].path
    data = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(data[:-20])
    elif how == "gone":
        path.unlink()
    elif how == "table":
        path.with_suffix(".parquet").write_bytes(b"no")
    else:
        data[-3] ^= 0xFF
        path.write_bytes(data)
    if how == "flipped":
        with pytest.raises(UserError, match="damaged"):
            load(place / "idx").nearest(QUERIES)
    else:
        with pytest.raises(UserError, match=rf"{path.stem}.*damaged.*Run the same"):
            load(place / "idx")
    encoder = Thumbnail()
    mended = make(place, encoder)
    assert 0 < encoder.seen <= 16
    assert mended.key == index.key


def test_a_torn_manifest_and_a_later_format_are_one_sentence(place: Path) -> None:
    """Invalid JSON, and a version that this program does not know."""
    make(place)
    path = place / "idx" / "index.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole | {"version": 99}))
    with pytest.raises(UserError, match="format 99"):
        load(place / "idx")
    path.write_text("{")
    with pytest.raises(UserError, match=r"index\.json is damaged"):
        load(place / "idx")


def test_a_full_disk_loses_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was finished stays; the sentence says so; the next build goes on."""
    real, calls = os.replace, []

    def full(a: str, b: str) -> None:
        calls.append(b)
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        real(a, b)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(UserError, match="everything finished so far is kept"):
            make(place)
    encoder = Thumbnail()
    make(place, encoder)
    assert encoder.seen < 80


def test_twin_evidence_is_symmetric_and_signed() -> None:
    """Swapping the two sides turns the sign; an exact copy is strong and finite."""
    rng = np.random.default_rng(4)
    a, b = rng.uniform(0, 1, (2, 50))
    np.testing.assert_allclose(twin_evidence(a, b), -twin_evidence(b, a))
    assert np.isfinite(twin_evidence(np.array([1.0]), np.array([0.2]))[0])
    assert twin_evidence(np.array([0.9]), np.array([0.2]))[0] > 0


class Pictures:
    """A corpus that lists itself, as the calibration world does."""

    name, key, coverage = "listed", "listed", 1.0

    def entries(self, held_out: bool = False) -> list[Entry]:
        """The training pictures; there is no twin."""
        return [] if held_out else [Entry(f"{i}", f"caption {i}") for i in range(len(TRAIN))]

    def image(self, id: str) -> np.ndarray:
        """One of them."""
        return TRAIN[int(id)]


def source(form: str, root: Path) -> Source:
    """The training images in one of the supported formats."""
    if form == "listed":
        return Listed(Pictures())
    if form == "embeddings":
        return find(made.embeddings(root / "e", Thumbnail().images(TRAIN)))
    if form == "paths":
        made.folder(root / "t" / "p", TRAIN)
        names = [f"p/{i:03d}.png" for i in range(len(TRAIN))]
        texts = [f"caption {i}" for i in range(len(TRAIN))]
        table = pa.table({"file_name": names, "text": texts})
        parquet.write_table(table, root / "t" / "x.parquet")
        return find(root / "t" / "x.parquet")
    make = {"folder": made.folder, "tar": made.tar, "bytes": made.parquet_file, "saved": made.saved}
    name = {"tar": "x.tar", "bytes": "x.parquet"}.get(form, form)
    return find(make[form](root / name, TRAIN))


@pytest.mark.parametrize(
    "form", ["folder", "tar", "bytes", "paths", "saved", "embeddings", "listed"]
)
def test_every_form_makes_the_same_index(form: str, tmp_path: Path) -> None:
    """Vectors, captions, order and what a search finds do not depend on where images are."""
    train = source(form, tmp_path)
    index = build({"train": train}, Thumbnail(), tmp_path / "idx")
    np.testing.assert_allclose(
        np.concatenate(list(index.train.blocks())), Thumbnail().images(TRAIN), atol=1e-6
    )
    assert [e.caption for e in index.train.entries] == [f"caption {i}" for i in range(len(TRAIN))]
    scores, where = index.nearest(Thumbnail().images(TRAIN[3:6]))
    assert where.tolist() == [3, 4, 5]
    np.testing.assert_allclose(scores, 1, atol=1e-5)
    again = Thumbnail()
    assert build({"train": train}, again, tmp_path / "idx").key == index.key
    assert again.seen == 0


@pytest.mark.parametrize("size", [3, 10, 13])
@pytest.mark.parametrize("form", ["tar", "parquet_file"])
def test_a_damaged_file_of_a_set_is_left_out_and_listed(
    form: str, size: int, tmp_path: Path
) -> None:
    """The rest is indexed, the file is named with its reason, and mended it is added."""
    suffix = {"tar": "tar", "parquet_file": "parquet"}[form]
    paths = [tmp_path / "set" / f"{k}.{suffix}" for k in range(3)]
    for k, path in enumerate(paths):
        getattr(made, form)(path, TRAIN[size * k : size * (k + 1)], size * k)
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 2])
    index = build({"train": find(tmp_path / "set")}, Thumbnail(), tmp_path / "idx")
    assert list(index.damaged) == [f"1.{suffix}"]
    assert "cannot be read" in load(tmp_path / "idx").damaged[f"1.{suffix}"]
    wanted = Thumbnail().images([*TRAIN[:size], *TRAIN[2 * size : 3 * size]])
    np.testing.assert_allclose(np.concatenate(list(index.train.blocks())), wanted, atol=1e-6)
    paths[1].write_bytes(whole)
    encoder = Thumbnail()
    index = build({"train": find(tmp_path / "set")}, encoder, tmp_path / "idx")
    assert (len(index.train), encoder.seen, dict(index.damaged)) == (3 * size, size, {})
    scores, where = index.nearest(Thumbnail().images(TRAIN[: 3 * size]))
    np.testing.assert_allclose(scores, 1, atol=1e-5)
    assert sorted(where.tolist()) == list(range(3 * size))
    for path in paths:
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"None of the 3 files of set can be read: .*0\."):
        build({"train": find(tmp_path / "set")}, Thumbnail(), tmp_path / "idx")


@pytest.mark.nightly
def test_photographs_are_held_a_few_at_a_time(tmp_path: Path) -> None:
    """Twenty of 12 megapixels were in memory together; a hundred are no more than a few."""
    code = (
        "import resource, sys, numpy as np, audit\n"
        "from pathlib import Path\n"
        "from PIL import Image\n"
        "def made(folder, size):\n"
        "    Path(folder).mkdir()\n"
        "    for i in range(20):\n"
        "        grain = np.random.default_rng(i).integers(0, 256, (30, 40, 3), np.uint8)\n"
        "        Image.fromarray(grain).resize(size).save(f'{folder}/{i}.jpg', quality=80)\n"
        "    audit.index(folder, f'{folder}-index', descriptor='phash')\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10\n"
        "small = made('small', (40, 30)); print(made('large', (4000, 3000)) - small)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert int(ran.stdout) < 400
