"""Worlds of one's own: files read and written, refused with a sentence, and planted as they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit.errors import UserError
from audit.world.dataset import planted, training_set, twin_set
from audit.world.export import render_set
from audit.world.planned import claim, read_world, write_world
from audit.world.truth import BY_NOUN, EMBEDDED, TONES, World, of_classes

SHARES = """subject,attribute,value,share,source
nurse,gender,woman,0.2,mine
nurse,gender,man,0.8,mine
nurse,skin_tone,dark,0.75,mine
nurse,skin_tone,light,0.25,mine
judge,gender,woman,1,mine
"""
FILE = 'images = 400\nseed = 7\nempty = 0.1\nshares = "t.csv"\n[repeats]\n8 = 3\n20 = 2\n'


def written(folder: Path, text: str = FILE, shares: str = SHARES) -> Path:
    """The two files of a world."""
    (folder / "t.csv").write_text(shares, "utf-8")
    (folder / "w.toml").write_text(text, "utf-8")
    return folder / "w.toml"


def test_a_world_is_planted_as_its_file_says(tmp_path: Path) -> None:
    """Occupations, shares, sizes, empty scenes and repeats; what is left out stays as it was."""
    world = read_world(written(tmp_path))
    items = training_set(world)
    assert sum(i.repeats for i in items) == 400
    assert Counter(i.repeats for i in planted(world)) == {8: 3, 20: 2}
    plain = [i for i in items if i.title is None]
    people = [i.scene.sprite for i in plain if i.scene.sprite]
    assert len(plain) - len(people) == round(0.1 * len(plain))
    assert {p.noun for p in people} == {"nurse", "judge"}
    nurses = [p for p in people if p.noun == "nurse"]
    assert sum(p.gender == "woman" for p in nurses) / len(nurses) == pytest.approx(0.2, abs=0.01)
    dark = sum(p.skin_tone == "dark" for p in nurses) / len(nurses)
    assert {p.skin_tone for p in nurses} == {"dark", "light"}
    assert dark == pytest.approx(0.75, abs=0.01)
    within = Counter(p.tone for p in nurses if p.skin_tone == "dark")
    assert set(within) == {"medium", "medium-dark", "dark"}
    assert max(within.values()) - min(within.values()) <= 1, "evenly, as in the embedded world"
    judges = [p for p in people if p.noun == "judge"]
    assert {p.gender for p in judges} == {"woman"}
    shares = [sum(p.tone == t for p in judges) / len(judges) for t in TONES]
    assert shares == pytest.approx(BY_NOUN["judge"].tones, abs=0.01)
    assert not {repr(i.scene) for i in items} & {repr(i.scene) for i in twin_set(world)}


def _two(rng: np.random.Generator) -> tuple[float, float]:
    """Shares of the two classes of skin tone, now and then of one alone."""
    light = (0.0, 1.0, round(float(rng.random()), 6))[int(rng.integers(3))]
    return light, round(1 - light, 6)


def test_writing_and_reading_give_the_same_world(tmp_path: Path) -> None:
    """Worlds drawn at random survive the round trip; the embedded one, too."""
    rng = np.random.default_rng(5)
    for number in range(8):
        nouns = rng.choice(list(BY_NOUN), int(rng.integers(1, 20)), replace=False)
        chosen = tuple(
            replace(o, p_woman=round(float(rng.random()), 6), source="declared",
                    tones=of_classes(_two(rng), o.tones))
            for noun, o in BY_NOUN.items() if noun in nouns
        )  # fmt: skip
        levels = sorted({int(v) for v in rng.integers(1, 20, 3)})
        repeats = tuple((v, int(rng.integers(1, 9))) for v in levels)
        world = World(chosen, int(rng.integers(600, 900)), repeats, 0.25, number)
        again = read_world(write_world(world, tmp_path / str(number)))
        assert training_set(again) == training_set(world)
        assert again.repeats == world.repeats
    again = read_world(write_world(EMBEDDED, tmp_path))
    assert planted(again) == planted()


@pytest.mark.parametrize(
    ("text", "shares", "said"),
    [
        ("images = 5", SHARES, r"images: Input should be greater than or equal to 100"),
        ("pictures = 500", SHARES, r"pictures: .*[Uu]nknown key.*"),
        ('images = 400\n[repeats]\n"often" = 3', SHARES, r"'often' is not a number of times"),
        ("images = 400\n[repeats]\n64 = 10", SHARES, r"fill 640 places of 400"),
        ("images = 9000\n[repeats]\n2 = 40\n3 = 40", SHARES, r"80 images are planted"),
        ("images = = 4", SHARES, r"is not valid TOML"),
        (FILE, SHARES.replace("nurse", "surgeon"), r"occupation.*surgeon"),
        (FILE, SHARES.replace("skin_tone", "age"), r"attribute.*age"),
        (FILE, SHARES.replace("man,0.8", "man,0.9"), r"sum to 1\.100, not 1"),
        (FILE, SHARES.replace("0.75", "7.5"), r"'7\.5' is not a share"),
        (FILE.replace("t.csv", "u.csv"), SHARES, r"There is no table"),
    ],
)
def test_mistakes_get_one_sentence(tmp_path: Path, text: str, shares: str, said: str) -> None:
    """Each names the file and what to do."""
    with pytest.raises(UserError, match=said):
        read_world(written(tmp_path, text, shares))
    with pytest.raises(UserError, match=r"There is no file"):
        read_world(tmp_path / "absent.toml")


def test_a_folder_holds_one_world(tmp_path: Path) -> None:
    """Another world's images are not mixed in; the same world goes on."""
    world = read_world(written(tmp_path))
    out = tmp_path / "out"
    claim(out, world)
    render_set("planted", out, 2, world)
    claim(out, read_world(out / "truth.toml"))
    with pytest.raises(UserError, match="another world"):
        claim(out, EMBEDDED)
