"""The exam for auditors: answers are known, marks are right, and ours passes it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from audit.cli.main import app
from audit.errors import UserError
from audit.world.dataset import training_set
from audit.world.exam import questions, write_exam
from audit.world.marks import ALPHA, KEY, marks
from audit.world.planned import read_world

WORLD = """images = 300
seed = 3
shares = "t.csv"
[repeats]
10 = 2
"""
SHARES = "subject,attribute,value,share,source\n" + "".join(
    f"{noun},gender,{g},{p},mine\n"
    for noun, woman in (("nurse", 0.9), ("pilot", 0.25))
    for g, p in (("woman", woman), ("man", 1 - woman))
)


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exam, 40 images of two occupations each."""
    folder = tmp_path_factory.mktemp("exam")
    (folder / "t.csv").write_text(SHARES, "utf-8")
    (folder / "w.toml").write_text(WORLD, "utf-8")
    return write_exam(read_world(folder / "w.toml"), folder / "exam", each=40, copies=0.2)


def truth(exam: Path) -> pd.DataFrame:
    """The answers to the shares, as an auditor would give them if it knew them."""
    known = pd.read_csv(exam / "answers" / "shares.csv")
    return known.assign(low=known.share, high=known.share)


def copies(exam: Path) -> pd.DataFrame:
    """The answers to the copies."""
    return pd.read_csv(exam / "answers" / "copies.csv")


def test_the_exam_is_what_its_answers_say(exam: Path) -> None:
    """Every image is there with its prompt; copies are near their originals, others are new."""
    asked = pd.read_csv(exam / "images" / "metadata.csv")
    assert len(asked) == 80
    assert {p.name for p in (exam / "images").glob("*.png")} == set(asked.file_name)
    world = read_world(exam / "answers" / "truth.toml")
    originals = {i.id: i.pixels() for i in training_set(world)}
    drawn = list(questions(world, 40, 0.2))
    assert 5 <= sum(q.copy_of is not None for q in drawn) <= 30
    for q in drawn:
        far = {k: float(np.abs(q.pixels.astype(int) - v).mean()) for k, v in originals.items()
               if v.shape == q.pixels.shape}  # fmt: skip
        if q.copy_of in far:
            assert far[q.copy_of] == min(far.values())
        elif q.copy_of is None:
            assert min(far.values()) > 3


def test_knowing_everything_scores_100_and_nothing_0(exam: Path) -> None:
    """Perfect answers, none at all, and the interval from 0 to 1."""
    best = marks(exam, truth(exam), copies(exam))
    assert (best.score, best.skill, best.f1, best.held) == pytest.approx((100, 1, 1, 1))
    none = marks(exam, truth(exam)[:0], None)
    assert (none.score, none.answered) == (0, 0)
    assert math.isnan(none.error)
    wide = marks(exam, truth(exam).assign(low=0, high=1), None)
    assert wide.skill == pytest.approx(0)
    assert wide.held == 1


def test_marks_follow_the_interval_score(exam: Path) -> None:
    """Against the formula of Gneiting and Raftery, written out row by row, on random answers."""
    rng = np.random.default_rng(8)
    known = truth(exam)
    for _ in range(20):
        low, high = np.sort(rng.random((2, len(known))), axis=0)
        given = known.assign(share=rng.random(len(known)), low=low, high=high)
        pairs = known.groupby(["subject", "attribute"]).ngroup()  # of two classes one is enough
        keep = (rng.random(pairs.nunique()) < 0.7)[pairs] | (pairs == 0).to_numpy()
        total = 0.0
        for t, a, b, there in zip(known.share, low, high, keep, strict=True):
            a, b = (a, b) if there else (0, 1)
            total += (b - a) + 2 / ALPHA * ((a - t) * (t < a) + (t - b) * (t > b))
        found = marks(exam, given[keep], None)
        assert found.skill == pytest.approx(1 - total / len(known))
        assert found.answered == keep.sum()
        off = np.abs(given.share - known.share)[keep]
        assert found.error == pytest.approx(100 * off.mean())


def test_of_two_classes_one_answer_suffices(exam: Path) -> None:
    """The other is what is left of 1, interval turned round."""
    known = truth(exam)
    rng = np.random.default_rng(3)
    low, high = np.sort(rng.random((2, len(known))), axis=0)
    given = known.assign(share=(low + high) / 2, low=low, high=high)
    women = given[(given.attribute != "gender") | (given.value == "woman")]
    one = given.attribute == "gender"
    both = given.copy()
    for i in given.index[one & (given.value == "man")]:
        w = women[(women.subject == given.subject[i]) & (women.attribute == "gender")].iloc[0]
        both.loc[i, ["share", "low", "high"]] = 1 - w.share, 1 - w.high, 1 - w.low
    found, wanted = marks(exam, women, None), marks(exam, both, None)
    assert found.answered == wanted.answered == len(known)
    assert found.skill == pytest.approx(wanted.skill)


def test_copies_are_marked_by_f1(exam: Path) -> None:
    """Against scikit-learn on random flags; images without a row count as no copy."""
    from sklearn.metrics import f1_score, precision_score, recall_score

    rng = np.random.default_rng(9)
    known = copies(exam)
    for _ in range(20):
        flags = rng.random(len(known)) < rng.random()
        given = pd.DataFrame({"image": known.image, "copy": flags.astype(int)})
        found = marks(exam, truth(exam), given[flags])
        y = known["copy"]
        assert found.f1 == pytest.approx(f1_score(y, flags, zero_division=0))
        assert found.found == pytest.approx(recall_score(y, flags))
        if flags.any():
            assert found.right == pytest.approx(precision_score(y, flags))


def test_answers_that_cannot_be_are_refused(exam: Path, tmp_path: Path) -> None:
    """One sentence each: a strange name, an interval turned round, an answer given twice."""
    known = truth(exam)
    for wrong, said in (
        (known[:1].assign(subject="surgeon"), "does not ask for surgeon"),
        (known.assign(low=0.9, high=0.1), "is not a share with an interval"),
        (known.assign(high=1.5), "is not a share with an interval"),
        (pd.concat([known, known[:1]]), "answered twice"),
    ):
        with pytest.raises(UserError, match=said):
            marks(exam, wrong, None)
    with pytest.raises(UserError, match="has no image"):
        marks(exam, known, pd.DataFrame({"image": ["none.png"], "copy": [1]}))
    with pytest.raises(UserError, match="cannot be read"):
        marks(tmp_path, known, None)
    with pytest.raises(UserError, match="not empty"):
        write_exam(read_world(exam / "answers" / "truth.toml"), exam)


def test_nothing_to_copy_is_a_sentence(tmp_path: Path) -> None:
    """A training set that one image fills has no image of most occupations."""
    (tmp_path / "w.toml").write_text("images = 100\n[repeats]\n99 = 1\n", "utf-8")
    world = read_world(tmp_path / "w.toml")
    with pytest.raises(UserError, match="has no image of"):
        list(questions(world, 3, 1.0))
    assert len(list(questions(world, 3, 0.0))) == 60


def test_the_command_scores_files(exam: Path, tmp_path: Path) -> None:
    """From the command line, in words and as JSON; both or neither kind of answers is an error."""
    truth(exam)[[*KEY, "share", "low", "high"]].to_csv(tmp_path / "s.csv", index=False)
    copies(exam).to_csv(tmp_path / "c.csv", index=False)
    words = ["world", "score", str(exam), "--shares", str(tmp_path / "s.csv")]
    told = CliRunner().invoke(app, [*words, "--copies", str(tmp_path / "c.csv")])
    assert told.exit_code == 0, told.output
    assert told.output.startswith("score 100 of 100")
    as_json = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert as_json["f1"] == 0
    assert as_json["score"] == 50
    assert CliRunner().invoke(app, ["world", "score", str(exam)]).exit_code != 0
