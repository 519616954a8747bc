"""Rounds: precise subjects get no more images, looks are kept, repeats give the same result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.design import suites
from audit.errors import UserError
from audit.findings.readings import readings
from audit.findings.representation import estimates
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Settings
from audit.runs import rounds
from audit.runs.context import Run
from audit.runs.options import Options
from tests.builders import running
from tests.sizes import at_least, draws, leading

SHARES = {"technologist": 0.02, "nurse": 0.98, "judge": 0.5}
SETTINGS = Settings("m", "r", 20, 3.0, 16)


def run(precision: float, path: Path) -> Run:
    """A run of three subjects in three templates, planned and not drawn."""
    suite = suites.read_suite("world")
    prompts = tuple(p for p in suite.prompts if p.subject in SHARES)
    suite = replace(
        suite, prompts=prompts, mitigations=(), attributes=suite.attributes[:1],
        subject_attribute=None,
    )  # fmt: skip
    return running.run(path, suite, options=Options(precision=precision))


def table(run: Run, seed: int = 0, missing: float = 0.0) -> pd.DataFrame:
    """Readings of all samples: the same for a sample each time."""
    prompts = {p.id: p for p in run.suite.prompts}
    rows = []
    for s in run.samples:
        p = prompts[s.prompt]
        if p.purpose != "representation":
            continue
        chance = np.random.default_rng([seed, int(s.id, 16)]).random(2)
        value = "woman" if chance[0] < SHARES[p.subject] else "man"
        gone = chance[1] < missing
        rows.append((s.id, p.id, p.subject, s.arm, s.seed, "gender",
                     "uncertain" if gone else "label", None if gone else value, 0.9))  # fmt: skip
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def finished(precision: float, path: Path, seed: int = 0, missing: float = 0.0) -> Run:
    """Continue until it stops."""
    made = run(precision, path)
    made, more = rounds.begin(made), True
    while more:
        made, more = rounds.go_on(made, table(made, seed, missing))
    return made


def sizes(made: Run) -> dict[str, int]:
    """Images planned for each subject."""
    return {s: p[0].seeds * len(p) for s, p in rounds.asked(made).items()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", leading(1, [0, 1, 2]))
def test_skewed_subjects_stop_early_and_all_are_narrow(tmp_path: Path, seed: int) -> None:
    """Nearly uniform subjects take far fewer images than a fixed plan; all meet the width."""
    made = finished(0.05, tmp_path, seed)
    n = sizes(made)
    assert n["technologist"] + n["nurse"] < 1.4 * rounds.plan_size(0.05)
    assert n["judge"] <= rounds.LIMIT * 1.2 * rounds.plan_size(0.05)
    said = rounds.summary(made)
    assert said.unmet == ()
    assert said.images == sum(n.values())
    missed = {x.subject for x in made.plan.looks if not x.low <= SHARES[x.subject] <= x.high}
    assert len(missed) <= 1  # each sequence misses in at most one run of twenty


def test_samples_of_earlier_rounds_stay(tmp_path: Path) -> None:
    """Growing adds images and removes none, so nothing is made twice."""
    made = run(0.1, tmp_path)
    made, more = rounds.begin(made), True
    before = {s.id for s in made.samples}
    while more:
        made, more = rounds.go_on(made, table(made))
        now = {s.id for s in made.samples}
        assert before < now if more else before == now
        before = now


def test_turns_of_a_conversation_are_in_no_look(tmp_path: Path) -> None:
    """Readings of a conversation with the same subject are not those of the subject's prompts."""
    made = rounds.begin(run(0.1, tmp_path))
    rows = table(made)
    talk = rows.assign(prompt="talk/nurse/1", value="man")
    alone, _ = rounds.go_on(made, rows)
    both, _ = rounds.go_on(made, pd.concat([rows, talk], ignore_index=True))
    assert alone.plan.looks == both.plan.looks


def test_the_same_run_again_takes_the_same_looks(tmp_path: Path) -> None:
    """Decisions follow from the readings alone."""
    assert finished(0.1, tmp_path).plan.looks == finished(0.1, tmp_path).plan.looks


def test_images_without_labels_do_not_go_on_for_ever(tmp_path: Path) -> None:
    """Where nothing can be read the limit ends it, and the subject is reported as not precise."""
    made = finished(0.1, tmp_path, missing=1.0)
    worst = rounds.rule(made, 3).most
    assert max(sizes(made).values()) <= rounds.LIMIT * worst + 15
    assert list(rounds.summary(made).unmet) == sorted(SHARES)


def test_prompts_that_decide_the_answer_are_found_out_early(tmp_path: Path) -> None:
    """Where one of three templates shows women alone, more images of the same three do not help."""
    made, more = rounds.begin(run(0.05, tmp_path)), True

    def by_template(run: Run) -> pd.DataFrame:
        found = table(run)
        odd = found.prompt.str.endswith("/1")
        return found.assign(value=found.value.where(~odd, "woman"))

    while more:
        made, more = rounds.go_on(made, by_template(made))
    assert max(sizes(made).values()) <= 6 * 15
    assert list(rounds.summary(made).unmet) == sorted(SHARES)
    assert all(x.hopeless != x.narrow for x in made.plan.looks if x.number == rounds.EARLY)


@pytest.mark.slow
@draws(10, 40)
def test_intervals_at_the_stop_cover(runs: int, tmp_path: Path) -> None:
    """Over many runs the printed interval covers the share in 95 %."""
    from audit.stats.proportions import wilson

    held = []
    for seed in range(runs):
        made = finished(0.1, tmp_path, seed)
        for look in (
            x for x in made.plan.looks if x.number == max(y.number for y in made.plan.looks)
        ):
            ci = wilson(look.k, look.n, rounds.level(made))
            held.append(ci.low <= SHARES[look.subject] <= ci.high)
    assert at_least(sum(held), len(held), 0.95)


def misread(made: Run, seed: int = 0) -> pd.DataFrame:
    """The table as a classifier reads it that is right in 95 % of each class."""
    found = table(made, seed)
    wrong = np.array([np.random.default_rng([seed + 1, int(s, 16)]).random() < 0.05
                      for s in found["sample"]])  # fmt: skip
    other = found.value.map({"woman": "man", "man": "woman"})
    return found.assign(value=found.value.where(~wrong, other))


@pytest.mark.slow
def test_the_width_that_is_promised_is_that_of_the_corrected_share(tmp_path: Path) -> None:
    """Errors known from 100 images a class: every printed interval is narrow enough at the stop."""
    errors = {"gender": np.array([[95, 5], [5, 95]])}
    made, more = rounds.begin(run(0.1, tmp_path)), True
    rounds.say_limits(made, errors)
    assert not made.notes
    while more:
        made, more = rounds.go_on(made, misread(made), errors)
    assert rounds.summary(made).unmet == ()
    for read in readings(misread(made), made.suite.attributes[0], "none", SHARES):
        printed = estimates(read.thinned, errors["gender"], 0, rounds.level(made))[0]
        assert printed.high - printed.low <= 2 * 0.1
        assert printed.low <= SHARES[read.subject] <= printed.high


def test_a_width_that_errors_do_not_allow_is_said_and_not_drawn_for(tmp_path: Path) -> None:
    """Ten labels a class: no number of images gives half-widths of 5 points; one round is all."""
    errors = {"gender": np.array([[9, 1], [1, 9]])}
    made = rounds.begin(run(0.05, tmp_path))
    rounds.say_limits(made, errors)
    assert "from 20 images, too few for the half-width of 5 points" in made.notes[0]
    first = sizes(made)
    made, more = rounds.go_on(made, misread(made), errors)
    assert not more
    assert sizes(made) == first
    assert list(rounds.summary(made).unmet) == sorted(SHARES)


def test_rounds_need_a_model(tmp_path: Path) -> None:
    """Existing images cannot be drawn again."""
    made = run(0.1, tmp_path)
    images = replace(made.plan, pictures=lambda _: np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(UserError, match="Omit it"):
        rounds.begin(replace(made, plan=images))
    assert rounds.level(running.run(tmp_path, made.suite)) == 0.95


def test_a_subject_that_nothing_can_be_read_of_is_given_up(tmp_path: Path) -> None:
    """After one round, with a note; the others go on."""
    made, more = rounds.begin(run(0.1, tmp_path)), True
    first = sizes(made)
    while more:
        read = table(made)
        shut = (read.subject == "judge").to_numpy()
        read.loc[shut, ["outcome", "value"]] = ["no person", None]
        made, more = rounds.go_on(made, read)
    after = sizes(made)
    assert after["judge"] == first["judge"]
    assert after["nurse"] > first["nurse"]
    assert rounds.summary(made).unmet == ("judge",)
    assert [n for n in made.notes if "gave up 1 subjects (judge)" in n] == made.notes


def test_a_run_of_which_nothing_can_be_read_stops_after_a_round(tmp_path: Path) -> None:
    """Every image costs time, and noise is never read."""
    made = rounds.begin(run(0.2, tmp_path))
    read = table(made).assign(outcome="no person", value=None)
    done, more = rounds.go_on(made, read)
    assert not more
    assert sizes(done) == sizes(made)
    assert len(done.notes) == 1
