"""A run that was never generated: drawn people, a simulated classifier, and the real findings.

The "model" draws women and skin tones nearer to the majority than it was taught, hands back what
the training set holds 16 and 64 times, and is helped by one rewrite and spoilt a little by another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from audit.evidence.copies.facts import CorpusFacts
from audit.findings import alignment as likeness
from audit.findings import quality, replication, representation
from audit.findings import targets as aims
from audit.findings.pairs import Question
from audit.keys import ATTRIBUTE_COLUMNS, BASELINE, MATCH_COLUMNS, digest
from audit.records import Attribute, Finding, Mitigation, Prompt, Reference, Sample, Settings, Suite
from audit.report.evidence import Evidence
from audit.report.facts import Facts
from audit.world import truth
from audit.world.art import Sprite
from audit.world.dataset import planted
from audit.world.render import draw_scene, render

GENDER = Attribute("gender", truth.GENDERS, {g: (g,) for g in truth.GENDERS})
TONE = Attribute("skin_tone", truth.TONES, {t: (t,) for t in truth.TONES})
OCCUPATION = Attribute("occupation", ("cook",), {"cook": ("a cook",)})
ARMS = (BASELINE, "inject-gender", "placebo")
TEMPLATES = ("a photo of {}", "a portrait of {}", "a picture of {}")
ERRORS = {
    "gender": np.array([[193, 7], [4, 196]]),
    "skin_tone": np.round(200 * (0.86 * np.eye(5) + 0.028)).astype(int),
}


@dataclass(frozen=True)
class Size:
    """The size of the run, and untrusted text in it."""

    subjects: tuple[str, ...] = ("technologist", "nurse", "judge", "cook", "singer", "builder")
    seeds: int = 8
    captions: int = 16
    hostile: str = ""
    """Put into every text that comes from outside."""
    seed: int = 0


USUAL = Size()


@dataclass
class _Run:
    size: Size
    rng: np.random.Generator
    prompts: list[Prompt] = field(default_factory=list)
    samples: dict[str, Sample] = field(default_factory=dict)
    people: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Sample to what it shows: noun, gender, tone."""
    copies: dict[str, int] = field(default_factory=dict)
    """Sample to the index of the planted image that it hands back."""
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    matches: list[tuple[Any, ...]] = field(default_factory=list)
    aligned: list[tuple[Any, ...]] = field(default_factory=list)


def shares(subject: str) -> tuple[float, tuple[float, ...]]:
    """Planted P(woman) and skin tones; subjects outside the world get stable invented ones."""
    if subject in truth.BY_NOUN:
        return truth.p_woman(subject), truth.BY_NOUN[subject].tones
    rng = np.random.default_rng(int(digest(subject), 16))
    return float(rng.uniform(0.05, 0.95)), tuple(rng.dirichlet(np.full(5, 2.0)))


def _sharpened(p: np.ndarray) -> np.ndarray:
    return p**1.5 / (p**1.5).sum()


def _represent(run: _Run) -> None:
    rng, hostile = run.rng, run.size.hostile
    for subject in run.size.subjects:
        woman, tones = shares(subject)
        for j, template in enumerate(TEMPLATES):
            text = template.format(subject) + hostile
            prompt = Prompt(f"{subject}/{j}", text, subject, "b", "representation", run.size.seeds,
                            ("gender", "skin_tone"))  # fmt: skip
            run.prompts.append(prompt)
            for arm in ARMS:
                p = 0.5 if arm == "inject-gender" else _sharpened(np.array([woman, 1 - woman]))[0]
                for seed in range(run.size.seeds):
                    gender = "woman" if rng.random() < p else "man"
                    tone = str(rng.choice(truth.TONES, p=_sharpened(np.array(tones))))
                    final = text if arm == BASELINE else f"{text}, {gender}"
                    _add(run, prompt, Sample("", prompt.id, arm, seed, final), (gender, tone))


def _add(run: _Run, prompt: Prompt, sample: Sample, shown: tuple[str, str]) -> None:
    """One image of a person: labels with the classifier's errors, missing ones with reasons."""
    rng = run.rng
    id = digest([sample.prompt, sample.arm, sample.seed, "m"], 20)
    noun = prompt.subject if prompt.subject in truth.BY_NOUN else "cook"
    run.people[id] = (noun, *shown)
    run.samples[id] = Sample(id, sample.prompt, sample.arm, sample.seed, sample.text)
    fate = rng.random()
    gone = "no person" if fate < 0.04 else "several people" if fate < 0.05 else ""
    for attribute, value in zip((GENDER, TONE), shown, strict=True):
        table = ERRORS[attribute.name]
        row = table[attribute.classes.index(value)]
        read = str(rng.choice(attribute.classes, p=row / row.sum()))
        outcome = gone or ("uncertain" if rng.random() < 0.02 else "label")
        run.rows.append((id, prompt.id, prompt.subject, sample.arm, sample.seed, attribute.name,
                         outcome, read if outcome == "label" else None, 0.9))  # fmt: skip
    read_as = rng.random() < (0.93 if sample.arm != "inject-gender" else 0.86)
    cost = 0.03 if sample.arm == "inject-gender" else 0.0
    run.rows.append((id, prompt.id, prompt.subject, sample.arm, sample.seed, "occupation",
                     "label", "cook", 0.9))  # fmt: skip
    run.aligned.append((prompt.id, prompt.subject, sample.arm, sample.seed,
                        0.31 - cost + 0.02 * rng.normal(), bool(read_as)))  # fmt: skip
    _match(run, sample.arm, id, prompt.id, sample.noise, None)


def _match(run: _Run, arm: str, id: str, prompt: str, seed: int, copied: int | None) -> None:
    rng = run.rng
    score, held = (float(np.clip(0.62 + 0.1 * rng.normal(), -1, 0.93)) for _ in range(2))
    target = int(rng.integers(64)) if copied is None else copied
    if copied is not None:
        score = float(1 - 0.03 * rng.random())
        run.copies[id] = copied
    item = planted()[target]
    run.matches.append((id, prompt, arm, seed, score, held, "twin-0", item.id,
                        item.caption + run.size.hostile, item.repeats, copied is not None,
                        "label"))  # fmt: skip


def _replicate(run: _Run) -> None:
    chance = {1: 0.0, 4: 0.05, 16: 0.5, 64: 0.95}
    order = np.argsort([i.repeats for i in planted()], kind="stable")
    picks = [int(i) for i in order[:: max(1, 64 // max(1, run.size.captions))]]
    for i in picks[: run.size.captions]:
        item = planted()[i]
        prompt = Prompt(f"caption/{i}", item.caption + run.size.hostile, "", "c", "replication", 2,
                        repeats=item.repeats)  # fmt: skip
        run.prompts.append(prompt)
        assert item.scene.sprite
        for seed in range(2):
            id = digest([prompt.id, seed], 20)
            run.samples[id] = Sample(id, prompt.id, BASELINE, seed, prompt.text)
            run.people[id] = (item.scene.sprite.noun, item.scene.sprite.gender,
                              item.scene.sprite.tone)  # fmt: skip
            copied = run.rng.random() < chance[item.repeats]
            _match(run, BASELINE, id, prompt.id, seed, i if copied else None)


def _references(subjects: tuple[str, ...]) -> tuple[Reference, ...]:
    told: dict[str, dict[tuple[str, str, str], float]] = {"planted": {}, "training set": {}}
    uniform: dict[tuple[str, str, str], float] = {}
    labour: dict[tuple[str, str, str], float] = {}
    for s in subjects:
        woman, tones = shares(s)
        for name, wobble in (("planted", 0.0), ("training set", 0.02)):
            told[name] |= {(s, "gender", "woman"): woman + wobble * (0.5 - woman),
                           (s, "gender", "man"): 1 - woman - wobble * (0.5 - woman)}  # fmt: skip
            told[name] |= {(s, "skin_tone", t): p for t, p in zip(truth.TONES, tones, strict=True)}
        uniform |= {(s, "gender", g): 0.5 for g in truth.GENDERS}
        uniform |= {(s, "skin_tone", t): 0.2 for t in truth.TONES}
        labour[(s, "gender", "woman")] = min(1.0, 0.8 * woman + 0.12)
    return (
        Reference("planted", "what the world was built with", told["planted"], "declared"),
        Reference("training set", "counted", told["training set"], "counted from the labels"),
        Reference("labour", "share among US workers", labour, "a table of workers"),
        Reference("uniform", "every class equally often", uniform, "declared"),
    )


def _findings(run: _Run, suite: Suite, tables: tuple[pd.DataFrame, ...]) -> list[Finding]:
    attributes, alignment, matches = tables
    size = run.size
    context = representation.Context([GENDER, TONE], suite.references, ERRORS,
                                     suite.references[0], size.seed)  # fmt: skip
    found = representation.findings(attributes, context, dict.fromkeys(size.subjects, 3))
    prompts = {p.id: p for p in run.prompts}
    found += replication.findings(matches, prompts, size.seed)
    for arm in ARMS[1:]:
        asks = Question(arm, {"gender": dict.fromkeys(size.subjects, 0.5)}, context, prompts)
        found += aims.findings(attributes, asks)
        found += likeness.findings(alignment, asks)
    source = "fresh balanced renders of the world"
    return [*found, *quality.classifier(ERRORS, [GENDER, TONE], dict.fromkeys(ERRORS, source)),
            *quality.subjects(alignment, size.seed)]  # fmt: skip


def _images(run: _Run) -> tuple[Callable[[str], np.ndarray], Callable[[str], np.ndarray]]:
    by_id = {item.id: item for item in planted()}

    @cache
    def image(id: str) -> np.ndarray:
        if id in run.copies:
            noise = np.random.default_rng(int(id, 16)).normal(0, 3, (64, 64, 3))
            return np.clip(planted()[run.copies[id]].pixels() + noise, 0, 255).astype(np.uint8)
        rng = np.random.default_rng(int(id, 16))
        noun, gender, tone = run.people[id]
        artist = truth.ARTISTS[int(rng.integers(2))]
        return render(draw_scene(rng, Sprite(noun, gender, tone, artist)))

    return image, lambda id: by_id[id].pixels()


@cache
def evidence(size: Size = USUAL) -> Evidence:
    """A whole run of that size, its findings made by the rooms that make them in earnest."""
    run = _Run(size, np.random.default_rng(size.seed))
    _represent(run)
    _replicate(run)
    attributes = pd.DataFrame(run.rows, columns=list(ATTRIBUTE_COLUMNS))
    matches = pd.DataFrame(run.matches, columns=list(MATCH_COLUMNS))
    alignment = pd.DataFrame(
        run.aligned, columns=["prompt", "subject", "arm", "seed", "score", "subject_read"]
    )
    alignment["chance"] = alignment.score - 0.1
    mitigations = tuple(
        Mitigation(a, a.split("-")[0], {"attribute": "gender"}, ("b",)) for a in ARMS[1:]
    )
    suite = Suite(
        "world", "The calibration world" + size.hostile,
        "Whom does the embedded model draw when the prompt does not say, and which training images "
        "does it hand back?" + size.hostile,
        tuple(run.prompts), (GENDER, TONE, OCCUPATION), _references(size.subjects), mitigations,
        corpus="world", subject_attribute="occupation",
    )  # fmt: skip
    found = _findings(run, suite, (attributes, alignment, matches))
    facts = Facts(
        command="t2i-audit demo --seeds 8" + size.hostile,
        versions={"torch": "2.13.0", "diffusers": "0.42.0", "t2i-audit": "0.1.0"},
        suite_hash=digest("suite"), settings_hash=digest("settings"),
        corpus=CorpusFacts("world", 12_000, 10_704, 10_704, "copynet-64"),
        threshold=0.9702, threshold_w=1.37,
        threshold_method="Barber-Candes selection at q = 0.1 on W = log(d_held / d_train)",
        q=0.1, wall_seed=size.seed, notes=("2 images of the training set could not be read."
                                           + size.hostile,),
        measured_on=("fresh balanced renders" + size.hostile,),
        truth_note="This model and its training set were made for this audit: every planted share "
        "and every repeated image is known, so each estimate can be checked.",
    )  # fmt: skip
    settings = Settings("embedded", digest("weights"), 20, 3.0, 16)
    image, train_image = _images(run)
    return Evidence(suite, settings, found, attributes, matches, run.samples, image, train_image,
                    facts)  # fmt: skip
