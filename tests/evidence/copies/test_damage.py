"""Damage to an index is a sentence, never another answer; readers and other sources are safe."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from audit.datasets.find import find
from audit.errors import UserError
from audit.evidence.copies import manifest, shards
from audit.evidence.copies.index import Index, build, load
from tests.builders.damage import BYTES
from tests.evidence.copies import made
from tests.evidence.copies.made import Thumbnail

TRAIN, HELD = made.pictures(20, 1), made.pictures(20, 2)
CASE = Path(__file__).parents[2] / "cases" / "fuzz" / "index_zeroed"
pytestmark = pytest.mark.usefixtures("small_shards")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """20 training and 20 held-out pictures, and their index."""
    made.folder(tmp_path / "train", TRAIN)
    made.folder(tmp_path / "held", HELD)
    make(tmp_path)
    return tmp_path


def make(place: Path) -> Index:
    """The index of the two folders."""
    sides = {"train": find(place / "train"), "held": find(place / "held")}
    return build(sides, Thumbnail(), place / "idx", how={"coverage": 0.25})


def asked(index: Index) -> tuple[object, ...]:
    """All that a reader takes from an index."""
    found = [
        (np.concatenate(list(s.blocks())).tobytes(), s.entries, s.skipped, s.images, s.crops,
         [s.times(i) for i in range(len(s))])
        for s in (index.train, index.held)
    ]  # fmt: skip
    near = [a.tobytes() for h in (False, True) for a in index.nearest(QUERIES, h)]
    return (index.key, index.name, index.descriptor, index.dimensions, index.coverage,
            dict(index.places), dict(index.damaged), found, near)  # fmt: skip


QUERIES = Thumbnail().images(made.pictures(5, 9))


@pytest.mark.parametrize("kind", BYTES)
@pytest.mark.parametrize("pattern", ["train-*.npy", "held-*.parquet", "index.json"])
def test_damage_is_a_sentence_or_makes_no_difference(
    kind: str, pattern: str, place: Path, tmp_path: Path
) -> None:
    """Whatever is damaged and however: the same answers, or the file and what to do; then mended.

    Another draw for each kind of damage and of file; bytes that no reader uses may change.
    """
    whole, chance = asked(load(place / "idx")), random.Random(f"{kind} {pattern}")
    for path in sorted((place / "idx").glob(pattern))[:1]:
        data, refused = path.read_bytes(), 0
        for _ in range(25):
            path.write_bytes(BYTES[kind](data, chance))
            if path.read_bytes() == data:
                continue
            try:
                assert asked(load(place / "idx")) == whole
            except UserError as error:
                refused += 1
                said = str(error)
            else:
                continue
            assert path.stem in said
            assert "Run the same" in said or "Update t2i-audit" in said
        assert refused >= {"doubled": 0, "flipped": 5}.get(kind, 15)
        if kind != "doubled":
            path.write_bytes(BYTES["zeroed"](data, random.Random(kind)))
            assert asked(make(place)) == whole


def test_every_bit_of_a_head_and_every_byte_of_vectors_counts(place: Path) -> None:
    """Bits of the vectors' head, such as their byte order, and of the stored numbers."""
    path = next((place / "idx").glob("train-*.npy"))
    data, chance = path.read_bytes(), random.Random(3)
    whole = shards.read(path)
    assert whole is not None
    head = data.index(b"}") * 8
    for at in [*chance.sample(range(head), 300), *chance.sample(range(1024, len(data) * 8), 200)]:
        out = bytearray(data)
        out[at // 8] ^= 1 << at % 8
        path.write_bytes(out)
        found = shards.read(path)
        if found is None or not found.whole():
            continue
        assert at < 1024  # in the names or spaces of the head
        np.testing.assert_array_equal(found.vectors(), whole.vectors())


def test_the_zeroed_index_of_a_report_is_refused() -> None:
    """Made by format 1, its vectors zeroed behind the head: a sentence, not `no copy found`."""
    index = load(CASE)
    with pytest.raises(UserError, match=r"train-.*\.npy is damaged"):
        index.nearest(np.ones((1, index.dimensions), np.float32))


def test_an_index_of_format_1_is_read_and_goes_on(place: Path) -> None:
    """Without checksums of tables and list: the same answers; a build writes format 2."""
    whole = asked(make(place))
    _as_format_1(place / "idx")
    assert load(place / "idx").train.entries == make(place).train.entries
    assert json.loads((place / "idx" / "index.json").read_text())["version"] == 2
    for path in (place / "idx").glob("*.npy"):
        path.unlink()
    assert asked(make(place)) == whole


def _as_format_1(folder: Path) -> None:
    """Rewrite an index as format 1 had it."""
    from pyarrow import parquet

    path = folder / "index.json"
    body = json.loads(path.read_text())
    for name in ("checksum", "tables", "damaged"):
        del body[name]
    path.write_text(json.dumps(body | {"version": 1}))
    (folder / "source.json").unlink()
    for file in folder.glob("*.parquet"):
        table = parquet.read_table(file)
        facts = json.loads(table.schema.metadata[b"shard"])
        del facts["content"]
        table = table.drop_columns(["content"]).replace_schema_metadata(
            {"shard": json.dumps(facts)}
        )
        parquet.write_table(table, file)


def test_an_index_of_a_later_format_is_neither_read_nor_replaced(place: Path) -> None:
    """The sentence says that a newer version made it; every file stays as it was."""
    path = place / "idx" / "index.json"
    body = json.loads(path.read_text()) | {"version": manifest.VERSION + 1, "more": {}}
    path.write_text(json.dumps(body))
    before = {p: p.read_bytes() for p in (place / "idx").iterdir()}
    for use in (lambda: load(place / "idx"), lambda: make(place)):
        with pytest.raises(UserError, match=r"newer version of t2i-audit.*Update"):
            use()
    assert {p: p.read_bytes() for p in (place / "idx").iterdir()} == before


def test_a_reader_keeps_its_index_while_it_grows(place: Path) -> None:
    """Every shard is replaced under an open index: it answers as before, from what it opened."""
    index, calm = load(place / "idx"), asked(load(place / "idx"))
    for path in (place / "train").glob("*.png"):
        path.write_bytes(path.read_bytes() + b"x")
    make(place)
    assert not index.train.parts[0].path.exists()
    assert asked(index) == calm


def test_a_reader_without_room_for_open_files_says_what_happened(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where shards are opened as they are needed, one that is gone is a sentence."""
    monkeypatch.setattr(shards, "open_files", lambda: False)
    index = load(place / "idx")
    shutil.rmtree(place / "idx")
    with pytest.raises(UserError, match=r"changed since it was opened\. Run the same"):
        index.nearest(QUERIES)


@pytest.mark.parametrize("state", ["finished", "unfinished", "list damaged"])
@pytest.mark.parametrize("side", ["train", "held"])
def test_another_source_never_replaces_the_first(side: str, state: str, place: Path) -> None:
    """It is refused with what to do, also before the index is finished, and nothing changes."""
    if state == "unfinished":
        (place / "idx" / "index.json").unlink()
    elif state == "list damaged":
        (place / "idx" / "index.json").write_text("{")
    before = {p: p.read_bytes() for p in (place / "idx").iterdir()}
    made.tar(place / "other" / "0.tar", made.pictures(9, 5))
    sides = {"train": find(place / "train"), "held": find(place / "held")}
    with pytest.raises(UserError, match=r"is an index of the .*would replace.*--out"):
        build({**sides, side: find(place / "other")}, Thumbnail(), place / "idx")
    with pytest.raises(UserError, match=r"would lose.*--held-out"):
        build({"train": sides["train"]}, Thumbnail(), place / "idx")
    assert {p: p.read_bytes() for p in (place / "idx").iterdir()} == before


def test_a_moved_source_goes_on(place: Path) -> None:
    """The same files at another place are the same set; what is gone from it is named."""
    whole = asked(load(place / "idx"))
    (place / "train").rename(place / "moved")
    encoder = Thumbnail()
    sides = {"train": find(place / "moved"), "held": find(place / "held")}
    index = build(sides, encoder, place / "idx", how={"coverage": 0.25})
    assert (encoder.seen, asked(index)[0]) == (0, whole[0])
    (place / "moved" / "003.png").unlink()
    (place / "moved" / "005.png").unlink()
    index = build({**sides, "train": find(place / "moved")}, Thumbnail(), place / "idx")
    assert index.notes == (
        "2 indexed files are no longer in the source and left out: 003.png, 005.png.",
    )


def test_the_same_pixels_are_counted_over_files_and_sides(tmp_path: Path) -> None:
    """Copies under other names, in other files and in the held-out set count as one image."""
    made.tar(tmp_path / "train" / "0.tar", [*TRAIN[:6], TRAIN[0]])
    made.tar(tmp_path / "train" / "1.tar", [TRAIN[0], TRAIN[3], TRAIN[7]], 50)
    made.folder(tmp_path / "held", [*HELD[:5], TRAIN[3], TRAIN[3]])
    sides = {"train": find(tmp_path / "train"), "held": find(tmp_path / "held")}
    index = build(sides, Thumbnail(), tmp_path / "idx")
    times = {e.id: index.train.times(i) for i, e in enumerate(index.train.entries)}
    assert sorted(times.values()) == [1] * 5 + [2] * 2 + [3] * 3
    assert times["1.tar/00050.png"] == 3
    assert index.repeated == (3, 2)
    assert sum(e.repeats for e in index.train.entries) == len(index.train) == 10
