"""Pictures of tables by row: groups are read once, damage stays where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from audit.datasets import parquet as tables
from audit.datasets import pixels
from audit.datasets.find import find
from audit.errors import UserError
from tests.evidence.copies import made

SOME = made.pictures(30, 4)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The row groups whose pictures were read, in order."""
    seen: list[int] = []
    real = tables.Parquet._images

    def images(path: Path, image: str, about: Any, group: int, size: int) -> object:
        seen.append(group)
        return real(path, image, about, group, size)

    monkeypatch.setattr(tables.Parquet, "_images", staticmethod(images))
    return seen


@pytest.mark.parametrize("held", [0, tables.HELD_BYTES])
def test_a_table_is_read_group_by_group(
    held: int, tmp_path: Path, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, each group is read once, whether it is kept whole or taken in pieces."""
    monkeypatch.setattr(tables, "HELD_BYTES", held)
    source = find(made.parquet_file(tmp_path / "x.parquet", SOME))
    items = [i for u in source.units() for i in source.read(u)]
    assert groups == [0, 1, 2, 3, 4]
    for i in np.random.default_rng(1).permutation(30):
        np.testing.assert_array_equal(source.image(items[i].entry.id), SOME[i])
    assert sorted(set(groups)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_rows_that_are_not_there_are_unreadable(form: str, tmp_path: Path) -> None:
    """Beyond the end, before the beginning, and none at all; the others are read after that."""
    if form == "parquet":
        path, file = made.parquet_file(tmp_path / "x.parquet", SOME), "x.parquet"
    else:
        path, file = made.saved(tmp_path / "x", SOME, 1), "data-00000-of-00001.arrow"
    source = find(path)
    for row in ("30", "1000000", "x", ""):
        with pytest.raises(pixels.Unreadable):
            source.image(f"{file}/{row}")
        np.testing.assert_array_equal(source.image(f"{file}/29"), SOME[29])


def test_a_table_that_changed_is_read_again(tmp_path: Path) -> None:
    """What is kept in memory belongs to a file as it was."""
    path = made.parquet_file(tmp_path / "x.parquet", SOME[:3])
    source = find(path)
    np.testing.assert_array_equal(source.image("x.parquet/0"), SOME[0])
    made.parquet_file(path, SOME[5:20])
    np.testing.assert_array_equal(source.image("x.parquet/14"), SOME[19])


def test_a_damaged_group_is_the_tables_damage(tmp_path: Path) -> None:
    """Streaming stops with the table's name; by row, only the group's pictures are unreadable."""
    path = tmp_path / "x.parquet"
    cells = pa.table({"image": [pixels.png(p) for p in SOME]})
    parquet.write_table(cells, path, row_group_size=10, compression="gzip", use_dictionary=False)
    about = parquet.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    start = about.data_page_offset
    data[start : start + about.total_compressed_size] = bytes(about.total_compressed_size)
    path.write_bytes(data)
    source = find(path)
    with pytest.raises(UserError, match=r"x\.parquet cannot be read as Parquet"):
        [i for u in source.units() for i in source.read(u)]
    for row in (12, 13):
        with pytest.raises(pixels.Unreadable, match="cannot be read from the table"):
            source.image(f"x.parquet/{row}")
    np.testing.assert_array_equal(source.image("x.parquet/25"), SOME[25])


def test_a_changed_picture_of_a_table_of_paths_is_another_record(tmp_path: Path) -> None:
    """The table is the same, its picture is not."""
    from audit.datasets.find import pictures

    made.folder(tmp_path / "p", SOME[:1])
    table = pa.table({"file_name": ["p/000.png", "../x.png"]})
    parquet.write_table(table, tmp_path / "x.parquet")

    def stamps() -> list[str]:
        found = pictures(tmp_path / "x.parquet")
        return [r.stamp for u in found.units() for r in found.records(u)]

    before = stamps()
    (tmp_path / "p" / "000.png").write_bytes(pixels.png(SOME[2][:4]))
    assert [a == b for a, b in zip(before, stamps(), strict=True)] == [False, True]
