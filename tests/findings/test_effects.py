"""Gains and costs of a mitigation: tables with planted effects, and a placebo without any."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from audit.findings import effects
from audit.findings.pairs import Question, Tables
from audit.findings.representation import Context
from audit.keys import ALIGNMENT_COLUMNS, ATTRIBUTE_COLUMNS, Margins
from audit.records import Attribute, Finding, Prompt, Reference, to_json
from tests.sizes import at_most, draws, leading

GENDER = Attribute("gender", ("woman", "man"), {})
TONE = Attribute("tone", ("light", "middle", "dark"), {})
SUBJECTS = tuple(f"job{i}" for i in range(12))
SEEDS, TEMPLATES = 8, 3


@dataclass(frozen=True)
class Arm:
    """Planted effects of an arm on images."""

    women: float | None = None
    """Share of women for all subjects; None keeps each subject's own."""
    alignment: float = 0.0
    read: float = 0.95
    nobody: float = 0.03
    dark: float = 0.0
    """Share of images whose tone is made dark, an attribute that the arm should leave alone."""
    obeys: float = 0.97
    leak: float = 0.03
    copies: float = 0.8
    spread: float = 1.0
    """Scale of the noise in vectors: below 1 the images look alike."""
    shift: float = 0.0
    """Shift away from the baseline's images."""


BASE = Arm()
GOOD = Arm(women=0.5)
BAD = Arm(women=0.5, alignment=-0.03, read=0.7, nobody=0.2, dark=0.3, obeys=0.6, leak=0.4,
          copies=0.3, spread=0.5, shift=0.5)  # fmt: skip
OVER = Arm(women=0.97)
OWN = dict(zip(SUBJECTS, np.linspace(0.05, 0.3, 12), strict=True))


@dataclass
class World:
    """Prompts and the rows of all arms, drawn from a seed."""

    seed: int
    arms: dict[str, Arm]
    subjects: tuple[str, ...] = SUBJECTS
    prompts: dict[str, Prompt] = field(default_factory=dict)
    rows: list[tuple[object, ...]] = field(default_factory=list)
    aligned: list[tuple[object, ...]] = field(default_factory=list)
    matches: list[dict[str, object]] = field(default_factory=list)
    vectors: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        for s in self.subjects:
            for t in range(TEMPLATES):
                self.ask(Prompt(f"{s}/{t}", s, s, "b", "representation", SEEDS))
            self.ask(Prompt(f"{s}/said", s, s, "c", "representation", SEEDS,
                            states={"gender": "woman"}))  # fmt: skip
        for i in range(12):
            self.ask(Prompt(f"tree{i}", "a tree", "tree", "d", "representation", 4,
                            expects="nobody"))  # fmt: skip
            self.ask(Prompt(f"caption{i}", "a caption", "", "e", "replication", 4, repeats=64))

    def ask(self, prompt: Prompt) -> None:
        """Images of one prompt in every arm; likeness, scene and noise are shared by seed."""
        self.prompts[prompt.id] = prompt
        centre = self.rng.normal(size=16)
        for seed in range(prompt.seeds):
            noise, likeness = self.rng.normal(size=16), self.rng.normal(0.3, 0.02)
            for name, arm in self.arms.items():
                id = f"{name}/{prompt.id}/{seed}"
                if prompt.purpose == "replication":
                    self.copy(arm, name, id, prompt, seed)
                    continue
                drawn = self.rng.normal(size=16)
                v = centre + arm.spread * (noise + 0.5 * drawn) + arm.shift * 3 * np.eye(16)[0]
                self.vectors[id] = v / np.linalg.norm(v)
                self.picture(arm, name, id, prompt, seed)
                score = likeness + arm.alignment + self.rng.normal(0, 0.005)
                read = None if prompt.expects else bool(self.rng.random() < arm.read)
                self.aligned.append(
                    (prompt.id, prompt.subject, name, seed, score, score - 0.1, read)
                )

    def copy(self, arm: Arm, name: str, id: str, prompt: Prompt, seed: int) -> None:
        """A caption of a training image: reproduced or not."""
        hit = bool(self.rng.random() < arm.copies)
        self.matches.append({
            "sample": id, "prompt": prompt.id, "arm": name, "seed": seed, "copy": hit,
            "score": 0.6 + 0.35 * hit + self.rng.normal(0, 0.01), "outcome": "label",
        })  # fmt: skip

    def picture(self, arm: Arm, name: str, id: str, prompt: Prompt, seed: int) -> None:
        """Readings of one image, one row per attribute."""
        rng = self.rng
        if prompt.expects:
            outcome = "label" if rng.random() < arm.leak else "no person"
            share = 0.5
        else:
            outcome = "no person" if rng.random() < arm.nobody else "label"
            share = OWN[prompt.subject] if arm.women is None else arm.women
            share = arm.obeys if prompt.states else share
        gender = "woman" if rng.random() < share else "man"
        tone = (
            "dark" if rng.random() < arm.dark else str(rng.choice(TONE.classes, p=[0.6, 0.3, 0.1]))
        )
        for attribute, value in (("gender", gender), ("tone", tone)):
            self.rows.append((id, prompt.id, prompt.subject, name, seed, attribute, outcome,
                              value if outcome == "label" else None, 0.9))  # fmt: skip

    def tables(self) -> Tables:
        """Everything as passed on by the pipeline."""
        return Tables(
            pd.DataFrame(self.rows, columns=list(ATTRIBUTE_COLUMNS)),
            pd.DataFrame(self.aligned, columns=list(ALIGNMENT_COLUMNS)),
            pd.DataFrame(self.matches),
            self.vectors,
        )


def references(subjects: tuple[str, ...] = SUBJECTS) -> tuple[Reference, ...]:
    """Half and half, and each subject's share before."""
    half = {(s, "gender", g): 0.5 for s in subjects for g in GENDER.classes}
    own = {(s, "gender", "woman"): OWN[s] for s in subjects}
    own |= {(s, "gender", "man"): 1 - OWN[s] for s in subjects}
    return Reference("uniform", "", half, ""), Reference("planted", "", own, "")


def question(world: World, arm: str) -> Question:
    """The arm aims at gender."""
    context = Context((GENDER, TONE), references(), {}, None, 0)
    aims = {"gender": dict.fromkeys(SUBJECTS, 0.5)}
    return Question(arm, aims, context, world.prompts)


@cache
def found(arm: Arm, seed: int) -> dict[str, Finding]:
    """Findings of one arm against the baseline by the part of their id after the arm."""
    world = World(seed, {"none": BASE, "arm": arm})
    out = effects.findings(world.tables(), question(world, "arm"))
    assert len({f.id for f in out}) == len(out)
    assert all(f.id.startswith("mitigation/arm/") for f in out)
    assert to_json(out)
    return {f.id.removeprefix("mitigation/arm/"): f for f in out}


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_a_good_arm_serves_its_target_and_leaves_what_was_declared_otherwise(seed: int) -> None:
    """Half women everywhere: nearer to half and half, farther from each subject's own share."""
    got = found(GOOD, seed)
    near, far = got["distance/gender/uniform"], got["distance/gender/planted"]
    truth = -np.mean([abs(p - 0.5) for p in OWN.values()])
    assert near.high < 0 < far.low
    # Noise alone keeps a share off its target: the floor is the remaining distance.
    assert near.low <= truth + near.floor <= near.high
    assert near.references["after"] == pytest.approx(near.floor, abs=0.05)
    assert got["parity/gender/uniform"].low > 0
    assert got["overshoot/gender/uniform"].estimate <= 0.2
    assert got["cost-alignment"].verdict == "kept"
    assert "distance/tone/uniform" not in got


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_overshoot_is_seen(seed: int) -> None:
    """Nearly all women where few were: every subject overshot half and half."""
    got = found(OVER, seed)["overshoot/gender/uniform"]
    assert got.estimate == 1
    assert got.low > 0.7


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_every_planted_cost_is_found_with_its_size_inside_the_limits(seed: int) -> None:
    """Alignment, subjects, people, obedience, leaks, copies, tone: sign and size."""
    got = found(BAD, seed)
    planted = {
        "cost-alignment": -0.03, "cost-subject": -0.25, "outcome/no-person": 0.17,
        "stated/gender": -0.37, "leak/person": 0.37, "copies-captions": -0.5,
        "nearness-captions": -0.175, "entangled/tone=dark": 0.27,
    }  # fmt: skip
    held = {k: got[k].low <= v <= got[k].high for k, v in planted.items()}
    assert sum(held.values()) >= len(held) - 1, held
    for key, size in planted.items():
        assert got[key].low * np.sign(size) > 0 or got[key].high * np.sign(size) > 0
        assert np.sign(got[key].estimate) == np.sign(size)
        if math.isfinite(got[key].p):
            assert got[key].q < 0.05
    assert got["stated/gender"].verdict == "worse"
    for key in ("cost-alignment", "cost-subject"):
        assert got[key].verdict == "lost"
    assert got["entangled/tone-distance"].verdict == "above"
    assert got["entangled/tone-distance"].low <= 0.27 <= got["entangled/tone-distance"].high
    for key in ("diversity/prompt", "diversity/gender=woman"):
        assert got[key].high < 0
    assert got["drift/stated"].low > found(GOOD, seed)["drift/stated"].high


@draws(few=2, many=8)
def test_a_placebo_shows_nothing_beyond_its_errors(runs: int) -> None:
    """New placebos: few intervals miss 0, q-values find nothing, nothing is worse."""
    missed, total, alarms = 0, 0, 0
    for seed in range(runs):
        for key, f in found(BASE, seed + 50).items():
            if math.isfinite(f.low) and not key.startswith(("drift", "overshoot")):
                total += 1
                missed += not f.low <= 0 <= f.high
            alarms += bool(math.isfinite(f.q) and f.q < 0.05)
            assert f.verdict not in ("worse", "lost")
    assert total > 150 / 8 * runs
    assert at_most(missed, total, 0.05)
    assert at_most(alarms, runs, 0.05)


def test_single_pairs_have_mcnemars_p() -> None:
    """One image per prompt: the exact test of the discordant pairs."""
    world = World(3, {"none": BASE, "arm": BAD})
    tables = world.tables()
    once = tables.matches[tables.matches.seed == 0]
    got = effects.findings(replace(tables, matches=once), question(world, "arm"))
    f = next(f for f in got if f.id.endswith("copies-captions"))
    side = once.pivot(index="prompt", columns="arm", values="copy").astype(bool)
    lost, won = int((side["none"] & ~side.arm).sum()), int((~side["none"] & side.arm).sum())
    assert f.p == pytest.approx(binomtest(lost, lost + won).pvalue)
    assert f.n == 12


def test_what_was_not_measured_is_unknown_with_its_reason() -> None:
    """Only labels: no zeros and no missing claims; each one says why."""
    world = World(4, {"none": BASE, "arm": GOOD})
    bare = Tables(world.tables().attributes)
    got = {f.id.removeprefix("mitigation/arm/"): f
           for f in effects.findings(bare, question(world, "arm"))}  # fmt: skip
    for key, reason in (
        ("cost-alignment", "compared with its prompt"), ("cost-subject", "no subject was read"),
        ("diversity/prompt", "no vectors"), ("drift/nobody", "no vectors"),
    ):  # fmt: skip
        f = got[key]
        assert math.isnan(f.estimate)
        assert f.n == 0
        assert f.verdict == "undecided"
        assert reason in f.sentence
    assert not any(key.startswith(("copies", "nearness", "removed")) for key in got)
    assert math.isfinite(got["distance/gender/uniform"].estimate)


def test_missing_labels_are_counted_with_their_reasons() -> None:
    """Pairs that lack a label on either side are missing from the claim, by outcome."""
    got = found(BAD, 0)["distance/gender/uniform"]
    assert got.n + got.missing == len(SUBJECTS) * TEMPLATES * SEEDS
    assert got.reasons == {"no person": got.missing}
    assert got.missing > 20


def test_an_arm_that_was_never_drawn_claims_nothing() -> None:
    """No row of the arm: everything is unknown, nothing breaks."""
    world = World(5, {"none": BASE, "arm": GOOD})
    got = effects.findings(world.tables(), question(world, "other"))
    assert got
    assert all(math.isnan(f.estimate) and f.verdict == "undecided" for f in got)


def test_results_do_not_hang_on_the_order_of_rows() -> None:
    """Shuffled tables give the same estimates; the same tables the same findings."""
    world = World(6, {"none": BASE, "arm": BAD})
    tables = world.tables()
    mixed = replace(tables, attributes=tables.attributes.sample(frac=1, random_state=0))
    one, again, other = (
        {f.id: f.estimate for f in effects.findings(t, question(world, "arm"))}
        for t in (tables, tables, mixed)
    )
    assert one == pytest.approx(again, nan_ok=True)
    labels = [k for k in one if "diversity" not in k]
    assert {k: one[k] for k in labels} == pytest.approx({k: other[k] for k in labels}, abs=0.02,
                                                        nan_ok=True)  # fmt: skip


def test_margins_decide() -> None:
    """A loss of .03 is too much where .01 matters, and not where .05 does."""
    world = World(7, {"none": BASE, "arm": BAD})
    wide = replace(question(world, "arm"), margins=Margins(alignment=0.5, subject=0.9))
    got = {f.id: f for f in effects.findings(world.tables(), wide)}
    assert got["mitigation/arm/cost-alignment"].verdict == "kept"
    assert got["mitigation/arm/cost-subject"].verdict == "kept"
