"""Pictures made elsewhere meet the suite that asks about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.datasets import pixels
from audit.design import suites
from audit.design.imported import pictures as imported
from audit.design.imported import plan
from audit.errors import UserError
from tests.builders.suites import small


def pictures(folder: Path, texts: list[str], extra: str = "") -> imported.Pictures:
    """A folder with one picture per text, named in a table."""
    folder.mkdir()
    lines = ["file_name,text,seed,arm"] if extra else ["file_name,text"]
    for i, text in enumerate(texts):
        pixel = np.full((8, 8, 3), i, np.uint8)
        (folder / f"{i}.png").write_bytes(pixels.png(pixel))
        lines.append(f"{i}.png,{text}{extra and ',' + extra}")
    (folder / "metadata.csv").write_text("\n".join(lines))
    return imported.read(folder)


def test_pictures_go_to_their_prompts(tmp_path: Path) -> None:
    """Spaces and capitals do not matter; counts are what is there; the rest is counted in words."""
    suite = suites.read_suite(str(small(tmp_path / "s")))
    texts = ["A photo of a  nurse", "a photo of a nurse", "a photo of a technologist", "a dragon"]
    found = plan.join(suite, pictures(tmp_path / "p", texts))
    assert [(s.prompt, s.seed) for s in found.samples] == [
        ("jobs/nurse/0", None), ("jobs/nurse/0", None), ("jobs/technologist/0", None),
    ]  # fmt: skip
    assert {p.id: p.seeds for p in found.suite.prompts} == {
        "jobs/nurse/0": 2, "jobs/technologist/0": 1,
    }  # fmt: skip
    assert not found.suite.mitigations
    assert any("1 images of 1 other prompts" in n for n in found.notes)
    assert len(set(found.names)) == 3


def test_weights_tags_and_invisible_characters_do_not_hide_a_prompt(tmp_path: Path) -> None:
    """As in the metadata of AUTOMATIC1111; the raw text is kept, and what was done is said."""
    suite = suites.read_suite(str(small(tmp_path / "s")))
    texts = ["(a photo of a nurse:1.2) <lora:x:0.8>", "a photo of a\u200b nurse", "(a dragon:1.2)"]
    found = plan.join(suite, pictures(tmp_path / "p", texts))
    assert [(s.prompt, s.text) for s in found.samples] == [
        ("jobs/nurse/0", texts[0]), ("jobs/nurse/0", texts[1]),
    ]  # fmt: skip
    assert any(n.startswith("1 images have a prompt with weights") for n in found.notes)
    assert [(x.file, x.prompt) for x in found.left_out] == [("2.png", texts[2])]


def test_arms_that_a_table_names_are_kept(tmp_path: Path) -> None:
    """A picture may belong to a mitigation of the suite; an unknown arm is a sentence."""
    suite = suites.read_suite(str(small(tmp_path / "s")))
    found = plan.join(
        suite, pictures(tmp_path / "p", ["a photo of a nurse"], extra="4,inject-gender")
    )
    assert [(s.arm, s.seed) for s in found.samples] == [("inject-gender", 4)]
    assert [m.name for m in found.suite.mitigations] == ["inject-gender"]
    with pytest.raises(UserError, match="Did you mean inject-gender"):
        plan.join(suite, pictures(tmp_path / "q", ["a photo of a nurse"], extra="4,inject-gendr"))


@pytest.mark.parametrize(
    ("texts", "said"),
    [(["a dragon"], "belongs to a prompt of the suite small"), ([""], "says its prompt")],
)
def test_pictures_of_other_questions_are_a_sentence(
    tmp_path: Path, texts: list[str], said: str
) -> None:
    """The sentence has both what they say and what the suite asks."""
    suite = suites.read_suite(str(small(tmp_path / "s")))
    with pytest.raises(UserError, match=said):
        plan.join(suite, pictures(tmp_path / "p", texts))


def test_a_seed_of_several_images_pairs_none_of_them(tmp_path: Path) -> None:
    """A batch from one seed: nothing says which image belongs to which, and a note says so."""
    suite = suites.read_suite(str(small(tmp_path / "s")))
    texts = ["a photo of a nurse"] * 3 + ["a photo of a technologist"]
    found = plan.join(suite, pictures(tmp_path / "p", texts, extra="7,none"))
    assert [s.seed for s in found.samples] == [None, None, None, 7]
    assert any("3 images share prompt, arm and seed" in n for n in found.notes)


@pytest.mark.parametrize(
    ("seeds", "kept", "said"),
    [
        ([-1, -1, -1], [None, None, None], "3 images have a negative seed"),
        ([-1, 4, 5], [None, 4, 5], "1 images have a negative seed"),
        ([7, 7, 7], [None, None, None], "3 images share prompt, arm and seed"),
        ([7, 7, 8], [None, None, 8], "2 images share prompt, arm and seed"),
        ([0, 1, 2], [0, 1, 2], ""),
    ],
)
def test_a_seed_pairs_one_image_or_none(
    seeds: list[int], kept: list[int | None], said: str, tmp_path: Path
) -> None:
    """A negative one is a random one; one of a whole batch belongs to none of it."""
    suite = suites.read_suite(str(small(tmp_path / "s")))
    rows = ["file_name,text,seed"]
    (tmp_path / "p").mkdir()
    for i, seed in enumerate(seeds):
        pixel = np.full((8, 8, 3), i, np.uint8)
        (tmp_path / "p" / f"{i}.png").write_bytes(pixels.png(pixel))
        rows.append(f"{i}.png,a photo of a nurse,{seed}")
    (tmp_path / "p" / "metadata.csv").write_text("\n".join(rows))
    found = plan.join(suite, imported.read(tmp_path / "p"))
    assert [s.seed for s in found.samples] == kept
    assert any(said in n for n in found.notes)


def test_what_a_table_left_open_is_in_the_notes_and_in_the_refusal(tmp_path: Path) -> None:
    """A column of captions with another name is the likeliest reason for no prompt."""
    suite = suites.read_suite(str(small(tmp_path / "s")))
    pictures(tmp_path / "p", ["a photo of a nurse"])
    table = tmp_path / "p" / "metadata.csv"
    table.write_text("file_name,text\n0.png,a photo of a nurse\n1.png,x\n")
    notes = plan.join(suite, imported.read(tmp_path / "p")).notes
    assert "1 of 2 rows of metadata.csv name images that are not here (1.png)." in notes
    table.write_text("file_name,Titel\n0.png,a photo of a nurse\n")
    with pytest.raises(UserError, match=r"says its prompt.*columns are 'file_name', 'Titel'"):
        plan.join(suite, imported.read(tmp_path / "p"))
