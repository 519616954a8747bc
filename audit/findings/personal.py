"""Personalised models: what training on one subject gave back, and what it did to everybody else.

Every model was trained on one subject from one seed, and draws its own share of the images: image i
of each prompt is drawn by model i modulo their number, from the noise that the base model had.
A model's images give one value of each measure, so intervals are over trainings, not over images.
Ruiz et al. (2023, arXiv 2208.12242, sec. 4) ask for fidelity to the subject, diversity, and the
prior's preservation; here these are measured on the same noise, with the run's own descriptors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.design import suites
from audit.errors import figure, say
from audit.evidence.copies import flags
from audit.findings.claim import Claim, Counts, finding, joined
from audit.findings.pairs import Tables
from audit.findings.wording import cap, cosine_change
from audit.findings.wording import change as in_points
from audit.findings.wording import estimate as share
from audit.keys import Key, Unit
from audit.records import Attribute, Finding, Mitigation, Suite
from audit.stats.decisions import verdict
from audit.stats.diversity import unit
from audit.stats.interval import Interval
from audit.stats.nested import nested_mean

METHOD, SUBJECT, CLASS = "personalised", "personalised", "class"
"""The method of the arms; the blocks of the subject's own prompt and of its class."""
PRIOR = "-prior"
"""What the name of a kind of training with prior preservation ends in."""


@dataclass(frozen=True)
class Arm:
    """One arm: a kind of training at a dose, and the subject of each of its models."""

    name: str
    training: str
    dose: int
    subjects: tuple[str, ...]
    extrapolated: bool


@dataclass(frozen=True)
class Measure:
    """A quantity with one value for each model of an arm."""

    name: str
    words: str
    unit: Unit
    attribute: str = ""
    """The attribute that it is about, if any."""

    @property
    def shares(self) -> bool:
        """Whether its values are shares or differences of them."""
        return self.unit in ("share", "points")


DRIFT = Measure("drift", "drift of the class on the same noise, 1 is as far as another seed",
                "coefficient")  # fmt: skip
OTHERS = Measure("drift-others", "drift of all other prompts on the same noise", "coefficient")
COPIES = Measure("copies", "copies among images of the subject", "share")
LEAD = Measure("lead", "nearness to training images beyond that to unseen ones", "cosine")
FIDELITY = Measure("fidelity", "nearness of the subject's images to unseen ones of it", "cosine")
DIVERSITY = Measure("diversity", "differences among images of the class, 1 is as before",
                    "coefficient")  # fmt: skip


def arms_of(declared: Sequence[Mitigation]) -> list[Arm]:
    """The arms that are personalised models, in their order; those that say of what alone."""
    out = []
    for m in declared:
        about = m.options.get("about") if m.method == METHOD else None
        if isinstance(about, Mapping) and _complete(about):
            subjects = tuple(map(str, about["subjects"]))
            beyond = float(m.options.get("extrapolate", 0)) > 0
            out.append(Arm(m.name, str(about["training"]), int(about["dose"]), subjects, beyond))
    return out


def _complete(about: Mapping[str, object]) -> bool:
    """Whether an arm says what was trained; one that a person wrote into a suite may not."""
    return (
        {"training", "dose", "subjects"} <= about.keys()
        and str(about["dose"]).isdecimal()
        and isinstance(about["subjects"], list | tuple)
    )


def findings(tables: Tables, suite: Suite, asked: Sequence[Attribute]) -> list[Finding]:
    """Every measure of every arm, what more steps add, what a prior buys, what extrapolation adds.

    Nothing where no arm is a personalised model.
    """
    arms = arms_of(suite.mitigations)
    values = {a: _values(tables, suite, a, asked) for a in arms}
    out = [_level(a, m, v) for a in arms for m, v in values[a].items()]
    for a in arms:
        for kind, other, words in _beside(a, arms):
            out += [
                _against(kind, a, m, (values[a][m], values[other][m]), words)
                for m in values[a]
                if m in values[other]
            ]
    order = list(dict.fromkeys((m.name, m.attribute) for v in values.values() for m in v))
    return sorted(out, key=lambda f: order.index((f.key.detail, f.key.attribute)))


def _beside(arm: Arm, arms: Sequence[Arm]) -> Iterator[tuple[str, Arm, str]]:
    """The arms that an arm is compared with: kind of claim, the other arm, and in words."""
    plain = [a for a in arms if not a.extrapolated]
    if arm.extrapolated:
        same = (a for a in plain if (a.training, a.dose) == (arm.training, arm.dose))
        yield from (("extrapolation", a, say("beyond {arm}", arm=a.name)) for a in same)
        return
    mine = [a for a in plain if a.training == arm.training]
    first = min(mine, key=lambda a: a.dose)
    if arm.dose == max(a.dose for a in mine) > first.dose:
        steps = say("from {low} to {high} steps", low=first.dose, high=arm.dose)
        yield "rise", first, steps
    for a in plain:
        if a.training + PRIOR == arm.training and a.dose == arm.dose:
            yield "prior", a, say("with prior preservation, against {arm}", arm=a.name)


def model_of(suite: Suite, models: int) -> Callable[[str, int], int]:
    """Prompt and seed of an image to the number of its model among the arm's."""
    places = {
        (p.id, suites.noise_seed(p.text, i)): i % models
        for p in suite.prompts
        for i in range(p.seeds)
    }
    return lambda prompt, seed: places[prompt, int(seed)]


def _values(
    tables: Tables, suite: Suite, arm: Arm, asked: Sequence[Attribute]
) -> dict[Measure, np.ndarray]:
    """Every measure that the arm's images give: float[models], NaN for a model without images."""
    n = len(arm.subjects)
    place = model_of(suite, n)
    blocks = {p.id: p.block for p in suite.prompts}

    def placed(rows: pd.DataFrame) -> pd.DataFrame:
        if not len(rows):
            return rows.assign(model=[], block=[])
        model = [place(p, s) for p, s in zip(rows.prompt, rows.seed, strict=True)]
        return rows.assign(model=model, block=rows.prompt.map(blocks))

    out: dict[Measure, np.ndarray] = {}
    pairs = placed(_pairs(tables, arm.name))
    if len(pairs):
        of_class, others = (pairs.block == CLASS, ~pairs.block.isin((CLASS, SUBJECT)))
        out[DRIFT] = _drift(pairs[of_class], tables, n)
        out[OTHERS] = _drift(pairs[others], tables, n)
        out[DIVERSITY] = _spread(pairs[of_class], tables, n)
    if len(tables.matches):
        found = tables.matches
        rows = placed(found[found.arm == arm.name])
        out |= _copying(rows[rows.block == SUBJECT], n)
    for attribute in asked if not arm.extrapolated else ():
        out |= _moved(placed(joined(tables.attributes, arm.name, "attribute")), attribute, n)
    return {m: v for m, v in out.items() if np.isfinite(v).any()}


def _pairs(tables: Tables, arm: str) -> pd.DataFrame:
    """One row per image of an arm and of the baseline that both have a vector."""
    table = tables.attributes.drop_duplicates(["prompt", "arm", "seed"])
    return joined(table[table["sample"].isin(tables.vectors.keys())], arm).reset_index(drop=True)


def _vectors(rows: pd.Series, tables: Tables) -> np.ndarray:
    return unit(np.stack([tables.vectors[s] for s in rows]))


def _apart(vectors: np.ndarray) -> float:
    """Mean 1 - cosine between different rows; NaN for fewer than two."""
    n = len(vectors)
    if n < 2:
        return math.nan
    return float(1 - ((vectors @ vectors.T).sum() - n) / (n * (n - 1)))


def _drift(pairs: pd.DataFrame, tables: Tables, models: int) -> np.ndarray:
    """Distance to the baseline's image over that between the baseline's seeds, by model."""
    if not len(pairs):
        return np.full(models, math.nan)
    before, after = (_vectors(pairs[f"sample_{s}"], tables) for s in ("base", "arm"))
    places = list(pairs.groupby("prompt").indices.values())
    seeds = _mean(_apart(before[i]) for i in places)
    far = pd.Series(1 - (before * after).sum(1)).groupby(pairs.model.to_numpy()).mean()
    return far.reindex(range(models)).to_numpy(float) / seeds


def _spread(pairs: pd.DataFrame, tables: Tables, models: int) -> np.ndarray:
    """Distances among a model's images of one prompt over those among the same baseline's."""
    out = np.full(models, math.nan)
    for model, rows in pairs.groupby("model"):
        after, before = (
            _mean(_apart(_vectors(g[f"sample_{s}"], tables)) for _, g in rows.groupby("prompt"))
            for s in ("arm", "base")
        )
        if before > 1e-9:
            out[int(model)] = after / before
    return out


def _mean(values: Iterable[float]) -> float:
    """Mean of those that are known; NaN for none."""
    known = [v for v in values if math.isfinite(v)]
    return sum(known) / len(known) if known else math.nan


def _copying(rows: pd.DataFrame, models: int) -> dict[Measure, np.ndarray]:
    """Copies among the subject's images, and how near they are to training and unseen images."""

    def by_model(values: np.ndarray, known: np.ndarray) -> np.ndarray:
        means = pd.Series(values[known]).groupby(rows.model.to_numpy()[known]).mean()
        return means.reindex(range(models)).to_numpy(float)

    score, held = (rows[c].to_numpy(float) for c in ("score", "held_score"))
    read = (rows.outcome == "label").to_numpy(bool)
    twin = read & np.isfinite(held)
    hits = flags.flagged(rows["copy"]).astype(float)
    return {
        COPIES: by_model(hits, read & flags.decided(rows["copy"])),
        LEAD: by_model(score - held, twin),
        FIDELITY: by_model(held, twin),
    }


def _moved(pairs: pd.DataFrame, attribute: Attribute, models: int) -> dict[Measure, np.ndarray]:
    """Other people's perceived group: how often another one on the same noise, and which way."""
    name = attribute.name.replace("_", " ")
    another = say("images of others whose {name} is another", name=name)
    flips = Measure("moved", another, "share", attribute.name)
    known = pairs.iloc[:0]
    if len(pairs):
        both = (pairs.outcome_base == "label") & (pairs.outcome_arm == "label")
        others = ~pairs.block.isin((CLASS, SUBJECT))
        known = pairs[both & others & (pairs.attribute == attribute.name)]

    def by_model(values: pd.Series) -> np.ndarray:
        return values.groupby(known.model).mean().reindex(range(models)).to_numpy(float)

    if not len(known):
        return {}
    out = {flips: by_model((known.value_base != known.value_arm).astype(float))}
    if len(attribute.classes) == 2:
        first = attribute.classes[0]
        among = say("change of the share of {value} among others", value=first)
        change = Measure(first, among, "points", attribute.name)
        ends = [(known[f"value_{s}"] == first).astype(float) for s in ("arm", "base")]
        out[change] = by_model(ends[0] - ends[1])
    return out


def _groups(arm: Arm) -> np.ndarray:
    return np.asarray(pd.factorize(np.array(arm.subjects, object))[0])


def _over(arm: Arm) -> str:
    """What an interval is over."""
    subjects = len(set(arm.subjects))
    return say(
        "{n} trainings on {subjects} subjects"
        if subjects != 1
        else "{n} trainings on {subjects} subject",
        n=len(arm.subjects), subjects=subjects,
    )  # fmt: skip


METHODS = "Student's t over trainings, wider as those of a subject are alike"


def _counts(known: np.ndarray) -> Counts:
    return Counts(int(known.sum()), float(known.sum()), int((~known).sum()))


def _level(arm: Arm, measure: Measure, values: np.ndarray) -> Finding:
    """One measure of one arm."""
    known = np.isfinite(values)
    found = nested_mean(values[known], _groups(arm)[known], shares=measure.shares)
    if measure.unit == "share":
        found = replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))
    claim = Claim(
        Key("mitigation", arm.name, "", measure.attribute, "personal", measure.name),
        measure.words, say("{training}, {dose} steps", training=arm.training, dose=arm.dose),
        measure.unit, "trainings", METHODS,
    )  # fmt: skip
    return finding(
        claim, found, _counts(known), verdict="described", references={"dose": float(arm.dose)},
        sentence=say("{arm}: {measure} {size}, {over}.", arm=arm.name, measure=measure.words,
                     size=_said(measure, found, False), over=_over(arm)),
    )  # fmt: skip


def _against(
    kind: str, arm: Arm, measure: Measure, values: tuple[np.ndarray, np.ndarray], words: str
) -> Finding:
    """The change of a measure from another arm to this one, model by model.

    The models of a pair have the same subject and seed of training, and draw from the same noise.
    """
    unit_: Unit = "points" if measure.unit == "share" else measure.unit
    known = np.isfinite(values[0]) & np.isfinite(values[1])
    change = (values[0] - values[1])[known]
    found = nested_mean(change, _groups(arm)[known], shares=measure.shares)
    claim = Claim(
        Key("mitigation", arm.name, "", measure.attribute, kind, measure.name),
        say("change of: {measure}", measure=measure.words), words, unit_, "trainings",
        f"paired by subject, seed of training and noise; {METHODS}",
    )  # fmt: skip
    ends = [float(v[known].mean()) if known.any() else math.nan for v in values]
    return finding(
        claim, found, _counts(known), verdict=verdict(found, 0),
        references={"before": ends[1], "after": ends[0]},
        sentence=say("{where}: {measure} changes by {size}, {over}.", where=cap(words),
                     measure=measure.words, over=_over(arm),
                     size=_said(replace(measure, unit=unit_), found, True)),
    )  # fmt: skip


def _said(measure: Measure, x: Interval, change: bool) -> str:
    """An estimate with its interval in the measure's unit."""
    numbers = x.estimate, x.low, x.high
    if measure.unit == "points":
        return in_points(*numbers)
    if measure.unit == "share":
        return share(*numbers)
    if measure.unit == "cosine" and change:
        return cosine_change(*numbers)
    digits = 3 if measure.unit == "cosine" else 2
    sign = "+" if change else ""
    span = f" [{x.low:{sign}.{digits}f}, {x.high:{sign}.{digits}f}]" if math.isfinite(x.low) else ""
    return figure(f"{x.estimate:{sign}.{digits}f}{span}")
