"""Runs over images of a named column and split, and what reads them later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import audit
from audit.datasets import pixels
from audit.errors import UserError
from audit.runs import index_parts, indexing, planning
from audit.runs.context import silent
from audit.runs.distributing import Drawing, Worker
from audit.runs.options import Options
from audit.runs.pictures import of_run
from audit.store import RunFolder
from tests.builders.suites import small
from tests.evidence.copies import made

SOME = made.pictures(8, 3)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two splits with two columns of images, and a suite that asks for their prompt."""
    files = [pixels.png(p) for p in SOME]
    for split, at in (("train", 0), ("test", 4)):
        table = pa.table({"a": files[at : at + 2], "b": files[at + 2 : at + 4],
                          "words": ["a photo of a nurse"] * 2})  # fmt: skip
        path = tmp_path / "set" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        parquet.write_table(table, path)
    small(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_run_and_what_reads_it_later_see_the_same_images(place: Path) -> None:
    """Of the named column and split; another column is another run."""
    seen = {}
    for column, at in (("a", 4), ("b", 6)):
        found = audit.run(
            str(place / "small.toml"), images=place / "set", out=place / "out", split="test",
            columns=f"image={column},caption=words", classifier="embedded-classifier",
        )  # fmt: skip
        folder = RunFolder(found.folder)
        later = of_run(folder, folder.results())
        by_file = {n: id for id, n in folder.files().items()}
        for i in range(2):
            id = by_file[f"test-00000-of-00001.parquet/{i}"]
            np.testing.assert_array_equal(later.read(id), SOME[at + i])
        assert len(by_file) == 2
        seen[column] = found.folder
    assert seen["a"] != seen["b"]


def test_they_are_about_images(place: Path) -> None:
    """A model has no columns."""
    for more in ({"columns": "image=a"}, {"split": "test"}):
        with pytest.raises(UserError, match="give these with --images"):
            audit.run(str(place / "small.toml"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("column", "at"), [("a", 4), ("b", 6)])
def test_a_worker_reads_the_column_and_the_split_of_its_command(
    column: str, at: int, place: Path
) -> None:
    """A process that reads a part of a run opens the same images as the one that planned it."""
    options = Options(images=place / "set", out=place / "out", split="test",
                      columns=(f"image={column},caption=words",))  # fmt: skip
    run = planning.open_run(planning.asked(str(place / "small.toml")), options)
    job = Drawing(run.folder.path, run.suite, options, run.settings, run.plan.source, None)
    theirs = Worker(job)._elsewhere
    assert len(run.plan.names) == 2
    assert run.plan.pictures is not None
    for id, name in run.plan.names.items():
        wanted = SOME[at + int(name.rpartition("/")[2])]
        np.testing.assert_array_equal(theirs.image(name), wanted)
        np.testing.assert_array_equal(run.plan.pictures(id), wanted)


def test_parts_of_an_index_keep_the_columns_that_were_named(place: Path) -> None:
    """The command that gathers them reads which from the folder; the bytes are those of one."""
    plan = indexing.Plan(descriptor="phash", columns=("image=b,caption=words",), split="test")
    indexing.make(str(place / "set"), place / "calm", plan)
    for which in ("1/2", "2/2"):
        index_parts.part(str(place / "set"), place / "idx", plan, Options(shard=which), silent)
    index_parts.gather(place / "idx", Options(), silent)
    for path in (p for p in (place / "calm").iterdir() if p.is_file() and p.suffix != ".lock"):
        assert (place / "idx" / path.name).read_bytes() == path.read_bytes(), path.name
