"""Inputs of other people that once failed, one by one: what is right for each, in both ways.

The others have tests next to their readers, and copies in `tests/cases/`: label tables
(design/imported), references (test_suites), depths, orientation and foreign formats
(datasets/test_depth), prompts and graphs (datasets/test_written_prompts), models and LoRAs
(engine), suites (test_strangers) and the zeroed index (evidence/copies/test_damage).
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from audit.datasets import pixels
from audit.datasets.find import find
from audit.design.imported import pictures as imported
from audit.errors import UserError

CASES = Path(__file__).parent / "cases"
NURSE = "a photo of a nurse"


@dataclass(frozen=True)
class Right:
    """What is right for a case."""

    texts: tuple[str, ...] = (NURSE,)
    """Prompts of the images, in their order; empty for an image without one."""
    says: str = ""
    """Pattern of the notes."""
    left_out: int = 0
    refused: str = ""
    """Pattern of the sentence with which the case is refused."""
    set_refused: bool | None = None
    """Whether it is refused as a training set, too; by default as `refused` says."""


CASES_OF_COLLECTIONS = {
    "black": Right(),
    "checkpoints": Right(left_out=1),
    "endings": Right((NURSE,) * 3),
    "endings_more": Right((NURSE, NURSE, "", "")),
    "formula": Right(('=HYPERLINK("http://example.org")', "c")),
    "grid": Right((NURSE,) * 2, left_out=1),
    "i2d": Right(left_out=1),
    "meta_absent": Right(says=r"2 of 3 rows of metadata\.csv name images that are not here"),
    "meta_backslash": Right(),
    "meta_comma": Right(refused=r"metadata\.csv, line 2: wrong number of cells: 3 cells"),
    "meta_no_ending": Right(),
    "meta_prompt_column": Right(),
    "meta_text_upper": Right(),
    "meta_twice": Right(refused=r"line 2 and line 3: two rows for the file 0\.png"),
    "sidecar_bom": Right(),
    "sidecar_upper": Right(),
    "sidecar_utf16": Right(),
    "stray_table": Right(("", ""), left_out=1),
    "stray_tar": Right(("", ""), left_out=1),
    "parquet/caption_bytes.parquet": Right(),
    "parquet/caption_list.parquet": Right(says="Of several captions of an image, the first"),
    "parquet/dictionary_binary.parquet": Right(),
    "parquet/hash_first.parquet": Right(),
    "parquet/path_large_string.parquet": Right(),
    "parquet/seed_fraction.parquet": Right(refused=r"seed '1\.5' is not", set_refused=False),
    "parquet/seed_nan.parquet": Right((NURSE,) * 2),
    "parquet/two_images.parquet": Right(says="'control_image', 'image'.*'image' was read"),
    "tars/cut.tar": Right(refused="was cut short"),
    "tars/hard_link.tar": Right((NURSE,) * 2),
    "tars/not_adjacent.tar": Right((NURSE,) * 2),
    "tars/sym_link.tar": Right((NURSE,) * 2),
    "tars/twice.tar": Right(refused=r"contains 0\.png twice"),
    "tars/two_images.tar": Right((NURSE,) * 2),
    "tar/190ce811.tar": Right(refused="cannot be read as a tar"),
    "tar/316aa913.tar": Right(refused="cannot be read as a tar"),
    "tar/images_40efad89.tar": Right(refused="cannot be read as a tar"),
    "fuzz/parquet/df934dd7.parquet": Right(refused="cannot be read as Parquet"),
    "fuzz/parquet/f6f1aad0.parquet": Right(refused="cannot be read as Parquet"),
    "fuzz/npy/46dfa4be": Right(refused="embeddings|cannot be read as Parquet"),
    "fuzz/npy/ad1e18d2": Right(refused="embeddings|cannot be read as a NumPy array"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES_OF_COLLECTIONS)
def test_a_collection_is_read_or_refused(case: str) -> None:
    """As `--images` and as a training set: prompts, what is said, what is left out."""
    right, path = CASES_OF_COLLECTIONS[case], CASES / case
    whole = right.refused if right.set_refused is not False else ""
    if right.refused:
        with pytest.raises(UserError, match=right.refused):
            imported.read(path).items()
    else:
        made = imported.read(path)
        assert tuple(p.text or "" for p in made.items()) == right.texts
        assert re.search(right.says, " ".join(made.notes()))
        assert bool(made.notes()) == bool(right.says)
        assert len(made.left_out()) == right.left_out
        assert all(made.image(p.name).size for p in made.items())
    if whole:
        with pytest.raises(UserError, match=whole):
            _training(path)
    else:
        assert not [r for r in _training(path) if r]


def _training(path: Path) -> list[str]:
    """Reasons of the images of a training set that cannot be read; empty texts for the others."""
    source = find(path)
    return [item.reason for unit in source.units() for item in source.read(unit)]


@pytest.mark.parametrize(
    ("case", "said"),
    [("seed_float.jsonl", r"line 1: seed '1\.7' is not a whole"),
     ("seed_inf.jsonl", "line 1: seed 'inf' is not a whole")],
)  # fmt: skip
def test_a_seed_that_is_not_whole_is_refused(case: str, said: str, tmp_path: Path) -> None:
    """JSON has fractions and numbers without end."""
    _image(tmp_path / "b.png")
    shutil.copy(CASES / "fuzz" / "sidecars" / case, tmp_path / "metadata.jsonl")
    with pytest.raises(UserError, match=said):
        imported.read(tmp_path).items()


@pytest.mark.parametrize("deep", ["[" * 100_000, "[" * 50_000 + "]" * 50_000, '{"a":' * 20_000])
def test_a_deep_sidecar_is_said(deep: str, tmp_path: Path) -> None:
    """The image is read without it."""
    _image(tmp_path / "0.png")
    (tmp_path / "0.json").write_text(deep)
    made = imported.read(tmp_path)
    assert [p.text for p in made.items()] == [None]
    assert "not JSON were not read: 1 (0.png)" in " ".join(made.notes())


@pytest.mark.slow
@pytest.mark.parametrize("case", ["8660c49c", "bomb_30x60MB"])
def test_a_table_with_a_damaged_column_or_a_bomb(case: str) -> None:
    """Its prompts are there, and its images cannot be read, for a reason."""
    made = imported.read(CASES / "fuzz" / "parquet" / f"{case}.parquet")
    assert {p.text for p in made.items()} == {"a nurse"}
    with pytest.raises((pixels.Unreadable, UserError), match=r"cannot be read|not an image"):
        made.image(made.items()[0].name)


@pytest.mark.slow
def test_a_model_whose_configuration_has_a_wrong_type_is_refused(tmp_path: Path) -> None:
    """`vocab_size` is a path; one sentence names the folder."""
    from audit.engine import model, source
    from tests.engine import small

    folder = small.save("sd1", tmp_path)
    damaged = CASES / "fuzz" / "model" / "1bde52b5" / "text_encoder" / "config.json"
    shutil.copy(damaged, folder / "text_encoder" / "config.json")
    with pytest.raises(UserError, match="vocab_size"):
        model.load(source.find(str(folder)), model.Loading(device="cpu"))


def _image(path: Path) -> None:
    path.write_bytes(pixels.png(np.zeros((4, 4, 3), np.uint8) + 9))
