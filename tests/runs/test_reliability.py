"""Readers measured on images of known people: figures that a hand can check, and photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from audit.cli import main as cli
from audit.errors import UserError
from audit.runs import planning, reliability, tones
from audit.runs.options import Options
from tests.design.language_model.serving import Answer, serving
from tests.runs.test_judging import shown, verdict


def known(folder: Path) -> Path:
    """Twelve grey images of four people; brightness tells the judge what to say."""
    lines = ["file_name,person,gender"]
    for i in range(12):
        woman = i < 6
        said = {0: 60, 1: 120}.get(i, 200 if woman else 10)  # one wrong, one refused
        noise = np.random.default_rng(i).integers(0, 20, (16, 16, 3), np.uint8)
        Image.fromarray(noise + np.uint8(said)).save(folder / f"{i}.png")
        lines.append(f"{i}.png,p{i // 3},{'woman' if woman else 'man'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def says(body: dict[str, object]) -> Answer:
    """By the brightness of the image."""
    light = shown(body).mean()
    return verdict(None if 100 < light < 160 else "woman" if light > 160 else "man")


@pytest.mark.slow
def test_accuracy_and_abstention_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of five decided women are right, one of six has no label; all men are right."""
    monkeypatch.setattr(tones, "tone", lambda picture: ("uncertain", None))
    place = known(tmp_path)
    with serving(says) as server:
        ask = ["doctor", "--readers", str(place), "--out", str(tmp_path / "out"), "-q", "--reader",
               f"gender=vlm:m,url={server.url}"]  # fmt: skip
        page = CliRunner().invoke(cli.app, ask).stdout
        found = json.loads(CliRunner().invoke(cli.app, [*ask, "--json"]).stdout)
        assert len(server.asked) == 12
    (reader,) = found["readers"]
    woman, man = (reader["groups"][g] for g in ("woman", "man"))
    assert (woman["right"], woman["decided"], woman["images"]) == (4, 5, 6)
    assert woman["reasons"] == {"no answer": 1}
    assert (man["right"], man["decided"]) == (6, 6)
    assert "woman: 4 of 5 decided are right 0.80" in page
    assert found["tone"]["lightness"]["icc"] == [None, None, None]


@pytest.mark.parametrize(
    ("reader", "message"),
    [("age=face-age", "labels none of age"), ("gender", "labels none of gender|needs ATTRIBUTE"),
     ("gender=face-gendr", "Did you mean face-gender")],
)  # fmt: skip
def test_a_wrong_reader_is_a_sentence(reader: str, message: str, tmp_path: Path) -> None:
    """Before any image is read."""
    place = known(tmp_path)
    with pytest.raises(UserError, match=message):
        reliability.measure(place, Options(readers=("gender=vlm:x,url=http://h", reader)[1:]))


@pytest.mark.slow
def test_synthetic_people_are_read_as_they_were_asked_for(tmp_path: Path) -> None:
    """35 of 40 and more; tones have their limits; Monk classes of them are refused."""
    openpeople = pytest.importorskip("openpeople")
    people = Path(openpeople.__file__).parent / "data" / "curated"
    lines = ["file_name,person,gender"]
    for folder in sorted(people.iterdir()):
        details = json.loads((folder / "metadata.json").read_text())["character_details"]
        for shot in ("studio_portrait", "studio_posture", "amateur_selfie", "amateur_posture"):
            with Image.open(folder / "assets" / f"{shot}.jpg") as image:
                image.thumbnail((1280, 1280))
                image.convert("RGB").save(tmp_path / f"{folder.name}-{shot}.png")
            sex = details["demographics"]["sex"]
            lines.append(f"{folder.name}-{shot}.png,{folder.name},{sex}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    found = reliability.measure(tmp_path, Options(out=tmp_path / "out"))
    everybody = found["readers"][0]["all"]
    assert everybody["images"] == 40
    assert everybody["right"] >= 35
    assert everybody["decided"] - everybody["right"] <= 2
    assert (found["tone"]["people"], found["tone"]["images"]) == (10, 40)
    for name in ("lightness", "hue"):
        low, high = found["tone"][name]["icc"][1:]
        assert -0.34 < low < high < 1
    suite = tmp_path / "tone.toml"
    classes = json.dumps([f"monk {i}" for i in range(1, 11)])
    suite.write_text(
        'name = "tone"\ntitle = "t"\nquestion = "q"\n[[blocks]]\nid = "b"\n'
        'purpose = "representation"\ntemplates = ["a photo of {a_subject}"]\n'
        'subjects = ["nurse"]\nseeds = 1\nattributes = ["tone"]\n'
        f'[attributes.tone]\nclasses = {classes}\nreader = "face-monk"\n'
    )
    with pytest.raises(UserError, match="the light decides more than the skin"):
        planning.open_run(planning.asked(str(suite)), Options(images=tmp_path))
