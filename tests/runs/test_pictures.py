"""Images of finished runs: generated ones, and imported ones from their source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.datasets import pixels
from audit.errors import UserError
from audit.runs.pictures import of_run
from audit.store import RunFolder
from tests.evidence.copies import made

SOME = made.pictures(3, 8)


def test_a_runs_own_pictures(tmp_path: Path) -> None:
    """Read from its folder; a missing image is unreadable, and so is its stamp."""
    folder = RunFolder(tmp_path / "run")
    folder.write_image("a" * 20, SOME[0])
    found = of_run(folder, {"images": "", "pictures": {}})
    np.testing.assert_array_equal(found.read("a" * 20), SOME[0])
    assert found.stamp("a" * 20) == found.stamp("a" * 20)
    for ask in (found.read, found.stamp):
        with pytest.raises(pixels.Unreadable):
            ask("b" * 20)


@pytest.mark.parametrize("form", ["folder", "tar", "table", "tars", "saved"])
def test_pictures_made_elsewhere(form: str, tmp_path: Path) -> None:
    """By sample, in every form; a name outside the folder and an unknown sample are refused."""
    place, name = {
        "folder": (tmp_path / "p", "001.png"),
        "tar": (tmp_path / "x.tar", "00001.png"),
        "table": (tmp_path / "x.parquet", "1"),
        "tars": (tmp_path / "t", "x.tar/00001.png"),
        "saved": (tmp_path / "s", "data-00000-of-00001.arrow/1"),
    }[form]
    made.folder(tmp_path / "p", SOME)
    made.tar(tmp_path / "x.tar", SOME)
    made.tar(tmp_path / "t" / "x.tar", SOME)
    made.parquet_file(tmp_path / "x.parquet", SOME)
    made.saved(tmp_path / "s", SOME, 1)
    (tmp_path / "secret.png").write_bytes(pixels.png(SOME[0]))
    names = {"a": name, "b": "../secret.png", "c": str(tmp_path / "secret.png")}
    found = of_run(RunFolder(tmp_path / "run"), {"images": str(place), "pictures": names})
    np.testing.assert_array_equal(found.read("a"), SOME[1])
    assert found.stamp("a")
    for sample in ("b", "c", "d"):
        with pytest.raises(pixels.Unreadable):
            found.read(sample)
    with pytest.raises(pixels.Unreadable):
        found.stamp("d")


def test_a_place_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    """It says that the run's images moved, and how to say where they are."""
    results = {"images": "gone", "images_at": str(tmp_path / "gone"), "pictures": {"a": "000.png"}}
    with pytest.raises(UserError, match=r"were at .*gone.*--images"):
        of_run(RunFolder(tmp_path / "run"), results)
    with pytest.raises(UserError, match="There is nothing at"):
        of_run(RunFolder(tmp_path / "run"), results, tmp_path / "neither")
    found = of_run(RunFolder(tmp_path / "run"), results, made.folder(tmp_path / "new", SOME[:1]))
    np.testing.assert_array_equal(found.read("a"), SOME[0])


def test_a_place_is_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The absolute place goes before a relative one, which may lead elsewhere from here."""
    made.folder(tmp_path / "a" / "pics", SOME[:1])
    made.folder(tmp_path / "b" / "pics", SOME[1:2])
    monkeypatch.chdir(tmp_path / "b")
    results = {"images": "pics", "images_at": str(tmp_path / "a" / "pics"),
               "pictures": {"x": "000.png"}}  # fmt: skip
    found = of_run(RunFolder(tmp_path / "run"), results)
    np.testing.assert_array_equal(found.read("x"), SOME[0])
