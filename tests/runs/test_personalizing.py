"""`personalize`: a run whose arms are trained models, from the command line and on the world."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from audit.cli import main as cli
from audit.errors import UserError
from audit.runs import personalizing, planning
from audit.runs.context import Run
from audit.runs.options import Options
from audit.runs.personalizing import Job, Recipe
from audit.store import RunFolder
from audit.world.subjects import persons, write_subjects
from tests.builders import suites
from tests.engine import small

TINY = replace(
    personalizing.EMBEDDED, kinds=("dreambooth", "dreambooth-prior"), doses=(1, 2), trainings=1,
    class_images=2, own_seeds=2, train_batch=1, rate=1e-3,
)  # fmt: skip


def test_subjects_of_the_world_differ_in_scenes_alone(tmp_path: Path) -> None:
    """So many of each side, all different, and other people for other numbers."""
    folder = write_subjects(tmp_path, 2, 3)
    files = sorted(tmp_path.rglob("*.png"))
    assert folder == tmp_path / "subjects"
    assert len(files) == 2 * 2 * 3 == len({f.read_bytes() for f in files})
    assert len({(p.noun, p.gender, p.tone) for p in persons(20)}) == 20
    names = [{p.name for p in (tmp_path / side).iterdir()} for side in ("subjects", "unseen")]
    assert names[0] == names[1]


def test_subjects_are_folders_or_one_folder(tmp_path: Path) -> None:
    """Images beside folders, damaged ones and nothing are refused in a sentence."""
    folder = write_subjects(tmp_path / "w", 2, 2)
    assert [len(s.images.names) for s in personalizing.subjects(folder)] == [2, 2]
    (one,) = personalizing.subjects(next(iter(folder.iterdir())))
    assert len(one.images.names) == 2
    (folder / "loose.png").write_bytes(next(folder.rglob("*.png")).read_bytes())
    with pytest.raises(UserError, match="beside folders"):
        personalizing.subjects(folder)
    (folder / "loose.png").unlink()
    with pytest.raises(UserError, match="There is no folder"):
        personalizing.subjects(tmp_path / "gone")
    with pytest.raises(UserError, match="dreambooth"):
        Recipe(kinds=("dreamboot",))
    with pytest.raises(UserError, match="--doses"):
        Recipe(doses=())


def plan(tmp_path: Path, recipe: Recipe, subjects: int = 2) -> tuple[Run, list[Job]]:
    """A planned run on the embedded model; nothing is loaded."""
    folder = write_subjects(tmp_path / "w", subjects, 2)
    chosen = planning.asked(str(suites.small(tmp_path)))
    options = Options(out=tmp_path / "runs", held_out=tmp_path / "w" / "unseen")
    return personalizing.open_run(chosen, folder, recipe, options)


def test_models_take_turns_over_images_and_share_the_noise(tmp_path: Path) -> None:
    """Every model draws as many images of a prompt, from the baseline's noise, in every arm."""
    run, made = plan(tmp_path, replace(TINY, trainings=3, doses=(2, 1)))
    assert len(made) == 2 * 2 * 3
    by_arm: dict[str, dict[tuple[str, int], str]] = {}
    for s in run.samples:
        (one,) = s.change.interventions or (None,)
        by_arm.setdefault(s.arm, {})[s.prompt, s.noise] = (
            str(one.parameters["weights"]) if one else ""
        )
    plain = [a for a in by_arm if not a.endswith("extrapolated")]
    assert len(plain) == 1 + 2 * 2
    assert len({frozenset(by_arm[a]) for a in plain}) == 1
    for name in plain[1:]:
        for prompt in {p for p, _ in by_arm[name]}:
            drawn = [w for (p, _), w in by_arm[name].items() if p == prompt]
            assert len(set(drawn)) == 6
            assert len({drawn.count(w) for w in drawn}) == 1
    beyond = by_arm["dreambooth-2-extrapolated"]
    assert {p for p, _ in beyond} == {"personalised/0"}
    assert all(by_arm["dreambooth-2"][k] == w for k, w in beyond.items())
    assert len({s.id for s in run.samples}) == len(run.samples)


def test_weights_are_named_by_all_that_decides_them(tmp_path: Path) -> None:
    """Another rate, subject, seed, kind or dose; and the class images, where there is a prior."""
    _, made = plan(tmp_path, TINY)
    names = {w for j in made for w in j.weights.values()}
    assert len(names) == 2 * 2 * 2
    settings = plan(tmp_path, TINY)[0].settings
    of = [made[0].subject, made[1].subject]

    def kept(recipe: Recipe) -> int:
        again = personalizing.jobs(settings, of, recipe)
        return len(names & {w for j in again for w in j.weights.values()})

    assert kept(TINY) == len(names)
    assert kept(replace(TINY, rate=2e-3)) == 0
    assert kept(replace(TINY, class_images=3)) == len(names) // 2
    assert kept(replace(TINY, extrapolate=0, own_seeds=9)) == len(names)


def test_other_subjects_get_a_run_of_their_own(tmp_path: Path) -> None:
    """Into one --out: the same subjects find their run again, others do not write into it."""
    names = [plan(tmp_path, TINY, n)[0].folder.path.name for n in (2, 3, 2)]
    assert names[0] != names[1]
    again = plan(tmp_path, replace(TINY, doses=(1, 2, 3)), 3)[0]  # adds to the folder's two persons
    assert again.folder.path.name == names[1]


@pytest.mark.slow
def test_a_run_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A small model: trained, drawn, judged and reported; again it trains and draws nothing."""
    pytest.importorskip("peft")
    model = small.save("sd1", tmp_path)
    folder = write_subjects(tmp_path / "w", 1, 2)
    words = [
        "personalize", str(folder), "--held-out", str(tmp_path / "w" / "unseen"), "--model",
        str(model), "--suite", str(suites.small(tmp_path)), "--arms", "dreambooth,lora-prior",
        "--doses", "1,2", "--trainings", "1", "--class-images", "2", "--own-seeds", "2",
        "--seeds", "2", "--validation", "0", "--steps", "2", "--batch", "2", "--drawn",
        "--classifier", "embedded-classifier",
        "--out", str(tmp_path / "runs"), "--json", "--quiet",
    ]  # fmt: skip
    made = CliRunner().invoke(cli.app, words, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    said = json.loads(made.stdout)
    found = {f.name: f for f in RunFolder(Path(said["report"]).parent).findings()}
    assert found["mitigation.lora-prior-2.personal.drift-others"].n == 1
    assert found["mitigation.dreambooth-2-extrapolated.extrapolation.lead"].n == 1
    page = Path(said["report"]).read_text("utf-8")
    assert "Personalised models" in page
    assert not list((tmp_path / "runs" / "personalised").iterdir())
    before = Path(said["findings"]).read_bytes()
    monkeypatch.setattr(personalizing, "_model", refuse)
    assert CliRunner().invoke(cli.app, words, catch_exceptions=False).exit_code == 0
    assert Path(said["findings"]).read_bytes() == before


def refuse(*_: object) -> None:
    """What must not be called."""
    raise AssertionError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--doses", "ten"], "--doses ten"),
        (["--arms", "dreamboth"], "dreambooth"),
        (["--doses", "0"], "--doses"),
    ],
)
def test_bad_input_gets_a_sentence(tmp_path: Path, words: list[str], said: str) -> None:
    """What, where, and what to do."""
    folder = tmp_path / "one"
    folder.mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "a.png")
    with pytest.raises(UserError, match=said):
        CliRunner().invoke(
            cli.app, ["personalize", str(folder), *words], catch_exceptions=False
        )  # fmt: skip


@pytest.mark.nightly
def test_on_the_world_doses_raise_drift_and_a_prior_lowers_it(tmp_path: Path) -> None:
    """The reduced laboratory: one subject, five seeds of training, two doses.

    So few images show directions; docs/personalised.md has intervals of a larger one.
    """
    recipe = replace(
        personalizing.EMBEDDED, kinds=("dreambooth", "dreambooth-prior"), doses=(10, 40),
        trainings=5, extrapolate=0.0, class_images=16, most_prompts=4, own_seeds=2, train_batch=2,
    )  # fmt: skip
    folder = write_subjects(tmp_path / "w", 1, 5)
    options = Options(
        out=tmp_path / "runs", held_out=tmp_path / "w" / "unseen", steps=8, validation=100
    )
    run, made = personalizing.open_run(planning.asked("world_full"), folder, recipe, options)
    report = personalizing.execute(run, made, recipe)
    found = {f.name: f for f in RunFolder(report.parent).findings()}
    assert found["mitigation.dreambooth-40.rise.drift"].estimate > 0
    assert found["mitigation.dreambooth-prior-40.prior.drift"].estimate < 0
