"""Parts of an index: the same bytes from one process, several processes, and parts gathered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audit.errors import Incomplete, Untrusted
from audit.evidence.copies import index as indexes
from audit.evidence.copies.index import load
from audit.runs import index_parts, indexing, shards
from audit.runs.context import silent
from audit.runs.options import Options
from tests.evidence.copies import made

PLAN = indexing.Plan(descriptor="phash")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and shards of eight images."""
    monkeypatch.setattr(indexes, "SHARD_ROWS", 8)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """40 training pictures with a damaged file among them, and 20 held-out ones."""
    made.folder(tmp_path / "train", made.pictures(40, 1))
    made.folder(tmp_path / "held", made.pictures(20, 2))
    (tmp_path / "train" / "017.png").write_bytes(b"not an image")
    return tmp_path


def plan(place: Path) -> indexing.Plan:
    """Both sides, by a perceptual hash."""
    return replace(PLAN, held_out=str(place / "held"))


def kept(folder: Path) -> dict[str, bytes]:
    """Every file of an index, apart from the records of its shards."""
    files = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    return {p.name: p.read_bytes() for p in files}


def calm(place: Path) -> dict[str, bytes]:
    """What one process makes."""
    indexing.make(str(place / "train"), place / "calm", plan(place))
    return kept(place / "calm")


def part(place: Path, which: str) -> None:
    """Do one part."""
    options = Options(shard=which)
    index_parts.part(str(place / "train"), place / "idx", plan(place), options, silent)


def gather(place: Path) -> dict[str, bytes]:
    """The index of all parts."""
    assert index_parts.is_index(place / "idx")
    index_parts.gather(place / "idx", Options(), silent)
    return kept(place / "idx")


def tear_record(folder: Path) -> None:
    """Cut a record in its last line."""
    path = next((folder / "shards").glob("*.jsonl"))
    path.write_bytes(path.read_bytes()[:-9])


def lose_vectors(folder: Path) -> None:
    """Delete the vectors of a shard."""
    next(folder.glob("train-*.npy")).unlink()


def damage_table(folder: Path) -> None:
    """Cut the table of a shard in half."""
    path = next(folder.glob("held-*.parquet"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "said"),
    [(tear_record, "no last line"), (lose_vectors, "8 of 8 pieces are gone"),
     (damage_table, r"\d of \d pieces are gone")],
)  # fmt: skip
def test_parts_are_gathered_to_the_same_index(
    spoil: Callable[[Path], None], said: str, place: Path
) -> None:
    """Three parts in any order; what is missing is listed, and made again by its part."""
    for which in ("2/3", "1/3"):
        part(place, which)
    with pytest.raises(Incomplete, match=r"2 blocks of .*idx are not finished"):
        gather(place)
    part(place, "3/3")
    spoil(place / "idx")
    with pytest.raises(Incomplete, match=f"1 block of .* is not finished: .*{said}"):
        gather(place)
    for which in ("1/3", "2/3", "3/3"):
        part(place, which)
    assert gather(place) == calm(place)
    assert load(place / "idx").train.skipped.keys() == {"017.png"}


def test_an_index_that_grows_keeps_its_shards(place: Path) -> None:
    """Pieces of a finished index are in no block; the new ones are cut apart."""
    calm(place)
    made.folder(place / "train" / "more", made.pictures(3, 5))
    found = indexing.opened(str(place / "train"), plan(place))
    begun = indexes.begin(found.sides, found.encoder, place / "calm", found.how)
    assert [[u.id for u in b.units] for b in begun.blocks] == [
        ["more/000.png", "more/001.png", "more/002.png"]
    ]


@pytest.mark.slow
def test_workers_make_the_same_index(place: Path) -> None:
    """Two processes."""
    index_parts.make(
        str(place / "train"), place / "idx", plan(place), Options(workers=2), silent
    )  # fmt: skip
    assert kept(place / "idx") == calm(place)
    assert all(shards.record(place / "idx", p.stem).end for p in (place / "idx/shards").iterdir())


def test_a_descriptor_that_is_a_file_is_named_again(place: Path) -> None:
    """The request in the folder may not decide which file is loaded."""
    (place / "idx" / "shards").mkdir(parents=True)
    request = '{"training": "x", "held_out": null, "descriptor": "sscd:evil.onnx"}'
    (place / "idx" / "shards" / "request.json").write_text(request)
    with pytest.raises(Untrusted, match="Name it yourself with --descriptor"):
        gather(place)
