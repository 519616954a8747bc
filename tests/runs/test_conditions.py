"""Runs with a ControlNet: what is planned, drawn, resumed and measured; tiny random models."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.design.mitigations.specs import with_arms
from audit.errors import UserError
from audit.keys import BASELINE
from audit.records import Suite
from audit.runs import conditioned, conditions, draw, planning
from audit.runs.context import Run
from audit.runs.options import Options
from tests.engine import small
from tests.engine.test_control import net_of


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A small model and a ControlNet for it."""
    root = tmp_path_factory.mktemp("models")
    folder = small.save("sd1", root)
    return str(folder), str(net_of(folder, root / "net"))


SUITE = """
name = "pairs"
title = "Pairs"
question = "Who?"

[[blocks]]
id = "pairs"
purpose = "representation"
templates = ["{a_group}"]
subjects = ["nurse", "cook"]
seeds = 3
attributes = ["gender"]

[blocks.groups]
attribute = "gender"
neutral = "{subject}"
words = { woman = "female {subject}", man = "male {subject}" }

[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {a_value}"]
"""


def suite_file(folder: Path) -> str:
    """Two subjects, with nothing stated and with one group, on the same noise."""
    path = folder / "pairs.toml"
    path.write_text(SUITE, "utf-8")
    return str(path)


def asked(folder: Path) -> Suite:
    """Four prompts, two images each: nothing is stated, or a woman."""
    suite = planning.asked(suite_file(folder), seeds=2)
    kept = tuple(p for p in suite.prompts if p.states.get("gender") != "man")
    return replace(suite, prompts=kept)


def options(models: tuple[str, str], out: Path, **more: object) -> Options:
    """Silhouettes of the world, at few steps."""
    chosen: dict[str, object] = {
        "model": models[0], "controlnet": models[1], "control": "silhouette=made", "steps": 2,
        "device": "cpu", "dtype": "float32", "out": out, "classifier": "none",
        "readers": ("gender=face-gender",), "batch": 4,
    }  # fmt: skip
    return Options(**(chosen | more))  # type: ignore[arg-type]


def images(run: Run) -> dict[tuple[str, str, int], np.ndarray]:
    """Pictures by arm, prompt and number of the seed."""
    seeds: dict[str, list[int]] = {}
    out = {}
    for s in run.samples:
        row = seeds.setdefault(f"{s.arm}/{s.prompt}", [])
        row.append(s.noise)
        out[s.arm, s.prompt, len(row) - 1] = run.picture(s.id)
    return out


@pytest.mark.slow
def test_a_run_draws_each_prompt_again_after_the_same_pictures(
    models: tuple[str, str], tmp_path: Path
) -> None:
    """One arm more, the same noise; a second run draws nothing; another scale draws others.

    Then the tables: edges of both arms, and pairs of the swapped group.
    """
    suite = asked(tmp_path)
    run = planning.open_run(suite, options(models, tmp_path))
    arms = {s.arm for s in run.samples}
    assert arms == {BASELINE, "silhouette"}
    assert len(run.samples) == 16
    by = {(s.arm, s.prompt, s.seed): s for s in run.samples}
    names: dict[int, set[object]] = {}
    for (arm, prompt, seed), s in by.items():
        if arm == BASELINE:
            assert not s.change
            continue
        assert by[BASELINE, prompt, seed].text == s.text
        index = [x.seed for x in run.samples if (x.arm, x.prompt) == (arm, prompt)].index(seed)
        (one,) = s.change.interventions
        assert one.parameters["kind"] == "silhouette"
        assert one.parameters["revision"]
        names.setdefault(index, set()).add(one.parameters["pictures"])
    assert [len(v) for v in names.values()] == [1, 1]
    draw.generate(run)
    first = images(run)
    assert all(not np.array_equal(first[BASELINE, p, i], x)
               for (arm, p, i), x in first.items() if arm != BASELINE)  # fmt: skip
    again = planning.open_run(suite, options(models, tmp_path))
    assert {s.id for s in again.samples} <= again.folder.present()
    zero = planning.open_run(suite, options(models, tmp_path, control_scale=0.0))
    todo = {s.id for s in zero.samples} - zero.folder.present()
    assert len(todo) == 8
    draw.generate(zero)
    at_zero = images(zero)
    for (arm, p, i), x in at_zero.items():
        assert np.array_equal(x, at_zero[BASELINE, p, i]), arm
    known = {s.id: np.zeros(2) for s in run.samples}
    table = conditioned.adherence(run, known)
    assert set(table.arm) == arms
    assert set(table["of"]) == {"silhouette"}
    assert table.adherence.between(0, 1).all()
    assert conditioned.adherence(run, known).equals(table)
    assert not len(conditioned.swaps(run, known))  # only one group is stated


def pictures(folder: Path, count: int) -> Path:
    """Silhouettes as files."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        shape = np.zeros((20, 20, 3), np.uint8)
        shape[5 : 12 + i, 4:16] = 255
        Image.fromarray(shape).save(folder / f"{i}.png")
    return folder


def test_pictures_of_a_folder_are_used_in_turn(models: tuple[str, str], tmp_path: Path) -> None:
    """Image `i` gets number `i`, beginning again; a changed one changes its own images alone."""
    folder = pictures(tmp_path / "shapes", 2)
    suite = planning.asked(suite_file(tmp_path), seeds=3)
    chosen = options(models, tmp_path, control=f"outline={folder}")

    def ids() -> list[tuple[str, str]]:
        rows = planning.open_run(suite, chosen).samples
        return [(str(s.change.interventions[0].parameters["pictures"]), s.id)
                for s in rows if s.arm == "outline" and s.prompt == "pairs/nurse/0"]  # fmt: skip

    before = ids()
    assert before[0][0] == before[2][0] != before[1][0]
    Image.fromarray(np.full((20, 20, 3), 9, np.uint8)).save(folder / "1.png")
    after = ids()
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_arms_of_a_suite_are_filled_in(models: tuple[str, str], tmp_path: Path) -> None:
    """Several scales, and a stack; then no further arm is added."""
    suite = with_arms(asked(tmp_path), ["control:silhouette,scale=0.5", "control:silhouette"])
    run = planning.open_run(suite, options(models, tmp_path, control_scale=0.8))
    scales = {s.arm: s.change.interventions[0].parameters["scale"]
              for s in run.samples if s.arm != BASELINE}  # fmt: skip
    assert scales == {"control-silhouette-scale-0.5": 0.5, "control-silhouette": 0.8}
    with pytest.raises(UserError, match="draws after pictures of the kind 'silhouette'"):
        planning.open_run(suite, replace(run.options, control="", controlnet=""))
    with pytest.raises(UserError, match="draws after pictures of the kind 'silhouette'"):
        planning.open_run(suite, replace(run.options, control="scribble=made"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"control": ""}, "--control and --controlnet belong together"),
        ({"controlnet": ""}, "--control and --controlnet belong together"),
        ({"control": "silhouete=made"}, "Unknown condition 'silhouete'. Did you mean silhouette"),
        ({"control": "silhouette=nowhere"}, "There is nothing at nowhere"),
        ({"controlnet": "./nowhere"}, "there is no such folder"),
        ({"images": Path()}, "leave out --images and --labels"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(
    changed: dict[str, object], said: str, models: tuple[str, str], tmp_path: Path
) -> None:
    """What, where, and what to do."""
    with pytest.raises(UserError, match=said):
        planning.open_run(asked(tmp_path), options(models, tmp_path, **changed))


@pytest.mark.parametrize("text", ["silhouette", "=made", "Sil houette=made", "a=", "../x=made"])
def test_a_kind_is_one_word(text: str) -> None:
    """It becomes the name of an arm."""
    with pytest.raises(UserError, match="is not KIND=DIR"):
        Options(control=text)


def test_damaged_pictures_and_lost_ones_are_one_sentence(
    models: tuple[str, str], tmp_path: Path
) -> None:
    """Before anything is drawn, or where the plan wants a picture that is gone."""
    folder = pictures(tmp_path / "shapes", 2)
    chosen = options(models, tmp_path, control=f"outline={folder}")
    found = conditions.given(chosen)
    assert found is not None
    with pytest.raises(UserError, match="a picture of the plan is no longer in"):
        found.picture("0" * 16)
    (folder / "1.png").write_bytes((folder / "0.png").read_bytes()[:60])
    with pytest.raises(UserError, match=r"--control: 1\.png"):
        planning.open_run(asked(tmp_path), chosen)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match="There is nothing at"):
        planning.open_run(asked(tmp_path), chosen)


def test_swaps_are_compared_outside_of_the_shape(models: tuple[str, str], tmp_path: Path) -> None:
    """Planted images: the person differs, and the place around them by a known distance."""
    suite = planning.asked("counterfactual", seeds=3)
    suite = replace(suite, prompts=tuple(p for p in suite.prompts if p.subject == "nurse"))
    run = planning.open_run(suite, options(models, tmp_path, readers=("gender=face-gender",)))
    shades = {"": 0, "woman": 40, "man": 91}
    stated = {p.id: p.states.get("gender", "") for p in suite.prompts}
    seeds: dict[str, list[int]] = {}
    for s in run.samples:
        row = seeds.setdefault(f"{s.arm}/{s.prompt}", [])
        row.append(s.noise)
        image = np.full((16, 16, 3), 60 * (len(row) - 1) + shades[stated[s.prompt]], np.uint8)
        run.folder.write_image(s.id, image)
    known = {s.id: np.zeros(2) for s in run.samples}
    table = conditioned.swaps(run, known)
    assert set(table.arm) == {BASELINE, "silhouette"}
    assert len(table) == 2 * 2 * 3
    assert set(table.one) == {"woman"}
    assert set(table.two) == {"man"}
    assert table.apart.to_numpy(float) == pytest.approx(51 / 255)
    assert set((table.seeds * 255).round().astype(int)) == {60, 120}
