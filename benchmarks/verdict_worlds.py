"""Simulated audits whose truth is known, and the verdicts that the package gives on them.

Each function of WORLDS draws the tidy tables of one audit and returns what was said of it: pairs
of a claim's label and its verdict. Labels of images are beta-binomial: a prompt's share has the
mean of its subject and the stated intraclass correlation. Two arms, or two runs, share half of the
variance of prompts and half of that of images within prompts (a Gaussian copula), so marginal
shares, correlation within prompts and likeness of pairs are all as stated.

What depends on the package's signatures is in the section "What the package says".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv, ndtr

from audit.design.suites import conditions
from audit.evidence.copies import cliques, decision, flags
from audit.evidence.copies.edges import EDGE_COLUMNS
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.sides import Evidence
from audit.evidence.measured import Errors, Found, Measured
from audit.findings import all as every
from audit.findings import arms as verdicts
from audit.findings import doses, effects, gates, quality, whole_set
from audit.findings.pairs import Question, Tables
from audit.findings.representation import Context
from audit.keys import ALIGNMENT_COLUMNS, ATTRIBUTE_COLUMNS, BASELINE, MATCH_COLUMNS, Key
from audit.records import Association, Attribute, Finding, Mitigation, Prompt, Reference, Suite
from audit.runs import comparing

Said = list[tuple[str, str]]
"""Label of a claim and its verdict, in the order of the findings."""
CONFIRMED = "confirmed "
"""Before a word: the verdict has a q below LEVEL, so the report does not mark it as doubtful."""
LEVEL = 0.05
READERS: Mapping[str, tuple[float, float, int] | None] = {
    "no errors": None,
    ".95/.95, 150 + 150": (0.95, 0.95, 150),
    ".9/.85, 30 + 30": (0.9, 0.85, 30),
}
"""Sensitivity, specificity, and validation images of each class."""
GENDER, HAIR = (Attribute(n, c, {}) for n, c in (("gender", ("woman", "man")),
                                                ("hair", ("short", "long"))))  # fmt: skip
TONE = Attribute("tone", ("light", "medium", "dark"), {})
COPY, FAR = 0.95, 0.6
"""Cosines of a copy and of any other image to the nearest training image."""
MARGIN = 0.02
"""The loss of alignment that matters here: a tenth of what sets a prompt's images apart."""
GUIDANCE = 3.0
"""Scale of the baseline."""
COSINE, CHANCE = 0.3, 0.1
"""Mean cosine of an image to its own prompt and to all prompts."""


@dataclass(frozen=True)
class Setting:
    """Size of an audit, likeness of a prompt's images, and the reader's errors."""

    subjects: int = 20
    prompts: int = 5
    """Of each subject."""
    images: int = 6
    """Of each prompt."""
    icc: float = 0.1
    """Intraclass correlation of the labels of two images of a prompt, 0..1."""
    reader: str = "no errors"
    """One of READERS."""


@dataclass(frozen=True)
class Draws:
    """Everything random about one simulated audit."""

    at: Setting
    rng: np.random.Generator

    @property
    def cells(self) -> int:
        """Number of prompts of all subjects."""
        return self.at.subjects * self.at.prompts

    @cached_property
    def subject(self) -> np.ndarray:
        """Subject of each image, int[n]."""
        return np.repeat(np.arange(self.at.subjects), self.at.prompts * self.at.images)

    @cached_property
    def prompt(self) -> np.ndarray:
        """Prompt of each image, int[n], counted over all subjects."""
        return np.repeat(np.arange(self.cells), self.at.images)

    @cached_property
    def seed(self) -> np.ndarray:
        """Number of each image within its prompt, int[n]."""
        return np.tile(np.arange(self.at.images), self.cells)

    def normal(self, arms: int = 1, alike: float = 0.5) -> np.ndarray:
        """Standard normal float[arms, n] with the ICC within prompts, `alike` across arms."""
        prompts, images = self._parts(arms, alike)
        icc = self.at.icc
        spread = math.sqrt(icc) * prompts[:, :, None] + math.sqrt(1 - icc) * images
        return np.asarray(spread.reshape(arms, -1))

    def _parts(self, arms: int, alike: float) -> tuple[np.ndarray, np.ndarray]:
        """Normal values of prompts float[arms, cells] and of images float[arms, cells, images]."""
        out = []
        for shape in ((self.cells,), (self.cells, self.at.images)):
            own = self.rng.standard_normal((arms, *shape))
            shared = self.rng.standard_normal(shape)
            out.append(math.sqrt(alike) * shared + math.sqrt(1 - alike) * own)
        return out[0], out[1]

    def hits(self, *shares: np.ndarray | float, alike: float = 0.5) -> np.ndarray:
        """Labels bool[arms, n] with these shares by subject, float[subjects] or one for all."""
        prompts, images = self._parts(len(shares), alike)
        out = []
        for share, p, i in zip(shares, ndtr(prompts), ndtr(images), strict=True):
            mean = np.clip(np.broadcast_to(share, self.at.subjects), 1e-6, 1 - 1e-6)
            own = np.repeat(mean, self.at.prompts)
            if self.at.icc:
                k = (1 - self.at.icc) / self.at.icc
                own = betaincinv(own * k, (1 - own) * k, p)
            out.append((i < own[:, None]).ravel())
        return np.array(out)

    def confusion(self, classes: int = 2) -> np.ndarray | None:
        """Readings int[K, K] of validation images, rows true; None for a reader without errors."""
        rates = self._rates(classes)
        if rates is None:
            return None
        size = (READERS[self.at.reader] or (1, 1, 0))[2]
        return np.array([self.rng.multinomial(size, r) for r in rates])

    def _rates(self, classes: int) -> np.ndarray | None:
        reader = READERS[self.at.reader]
        if reader is None:
            return None
        right = np.array([*reader[:2], *[reader[1]] * (classes - 2)])
        rates = np.repeat(((1 - right) / (classes - 1))[:, None], classes, axis=1)
        np.fill_diagonal(rates, right)
        return rates

    def read(self, labels: np.ndarray, attribute: Attribute) -> np.ndarray:
        """Class names object[n] as the reader sees class indices int[n]."""
        rates = self._rates(len(attribute.classes))
        if rates is not None:
            below = self.rng.random(len(labels))[:, None] > rates[labels].cumsum(1)
            labels = below.sum(1).clip(0, len(attribute.classes) - 1)
        return np.array(attribute.classes, object)[labels]


@dataclass(frozen=True)
class Images:
    """Some prompts' images in one arm: names, subjects and seeds."""

    draws: Draws
    arm: str = BASELINE
    block: str = "jobs"

    @property
    def prompts(self) -> np.ndarray:
        """Prompt ids object[n]."""
        return np.array([f"{self.block}/{p}" for p in range(self.draws.cells)],
                        object)[self.draws.prompt]  # fmt: skip

    @property
    def samples(self) -> list[str]:
        """Sample ids."""
        pairs = zip(self.prompts, self.draws.seed, strict=True)
        return [f"{self.arm}/{p}/{s}" for p, s in pairs]

    def _frame(self, **columns: object) -> pd.DataFrame:
        d = self.draws
        subject = np.array([f"s{s}" for s in range(d.at.subjects)], object)[d.subject]
        return pd.DataFrame({"sample": self.samples, "prompt": self.prompts, "subject": subject,
                             "arm": self.arm, "seed": d.seed, **columns})  # fmt: skip

    def attributes(
        self, attribute: Attribute, labels: np.ndarray, gone: np.ndarray | None = None,
        outcome: str = "no person",
    ) -> pd.DataFrame:  # fmt: skip
        """Rows of ATTRIBUTE_COLUMNS for class indices int[n]; `gone` bool[n] have an outcome."""
        value = self.draws.read(labels, attribute).astype(object)
        lost = np.zeros(len(value), bool) if gone is None else gone
        value[lost] = None
        outcomes = np.where(lost, outcome, "label")
        rows = self._frame(attribute=attribute.name, outcome=outcomes, value=value, score=0.9)
        return rows[list(ATTRIBUTE_COLUMNS)]

    def alignment(self, score: np.ndarray, read: np.ndarray) -> pd.DataFrame:
        """Rows of ALIGNMENT_COLUMNS."""
        rows = self._frame(score=score, chance=CHANCE, subject_read=read.astype(object))
        return rows[list(ALIGNMENT_COLUMNS)]

    def matches(self, copy: np.ndarray, repeats: int) -> pd.DataFrame:
        """Rows of MATCH_COLUMNS whose copies have been decided."""
        score = np.where(copy, COPY, FAR) + 0.01 * self.draws.normal()[0]
        rows = self._frame(
            score=score, held_score=math.nan, held=None, train="t", train_caption="a caption",
            repeats=repeats, copy=flags.column(copy, known=np.ones(len(copy), bool)),
            outcome="label",
        )  # fmt: skip
        return rows[list(MATCH_COLUMNS)]


def _prompts(
    draws: Draws, block: str = "jobs", purpose: str = "representation", **more: object
) -> list[Prompt]:
    """The prompts of a block, in the order of `Draws.prompt`."""
    at = draws.at
    return [
        Prompt(f"{block}/{p}", f"{block} {p}", f"s{p // at.prompts}", block, purpose, at.images,
               ("gender", "hair", "tone"), **more)  # type: ignore[arg-type]
        for p in range(draws.cells)
    ]  # fmt: skip


def _reference(name: str, attribute: Attribute, shares: np.ndarray) -> Reference:
    """A declared target from shares float[subjects, K], or of the first class of two."""
    table = np.stack([shares, 1 - shares], axis=1) if shares.ndim == 1 else shares
    rows = {(f"s{s}", attribute.name, c): float(table[s, i])
            for s in range(len(table)) for i, c in enumerate(attribute.classes)}  # fmt: skip
    return Reference(name, name, rows, "simulated")


def _suite(prompts: Sequence[Prompt], attributes: Sequence[Attribute], **more: object) -> Suite:
    parts = {"references": (), "mitigations": (), **more}
    return Suite("simulated", "Simulated", "Who?", tuple(prompts), tuple(attributes),
                 **parts)  # type: ignore[arg-type]  # fmt: skip


# What the package says.


def _audit(suite: Suite, confusion: Mapping[str, np.ndarray | None], **tables: object) -> Said:
    """What is said of a run with these tables; the others were not made."""
    return said(every.findings(_measured(suite, confusion, **tables)))


def _measured(
    suite: Suite, confusion: Mapping[str, np.ndarray | None], **tables: object
) -> Measured:
    known = {k: v for k, v in confusion.items() if v is not None}
    empty = pd.DataFrame()
    parts: dict[str, object] = {
        "table": pd.DataFrame(columns=list(ATTRIBUTE_COLUMNS)), "alignment": empty,
        "matches": empty, "training": empty, "nearness": empty, "vectors": {},
        "extracted": Found(), "detectors": empty, "whole": (), "factors": empty, **tables,
    }  # fmt: skip
    errors = Errors(known, dict.fromkeys(known, "validation images"))
    return Measured(suite=suite, guidance=GUIDANCE, seed=0, level=0.95, errors=errors, raters=None,
                    truth=None, **parts)  # type: ignore[arg-type]  # fmt: skip


def said(findings: Sequence[Finding]) -> Said:
    """Labels and verdicts; a verdict whose q is below LEVEL is there once more, as confirmed.

    Findings on nothing at all, such as a stated attribute that no prompt states, say nothing.
    """
    out = []
    for f in (f for f in findings if f.n):
        name = label(f.key)
        out.append((name, f.verdict))
        if math.isfinite(f.q):
            out.append((name, f"{CONFIRMED}{f.verdict}" if f.q < LEVEL else CONFIRMED))
    return out


def _arm(
    suite: Suite, confusion: Mapping[str, np.ndarray | None], tables: Mapping[str, Any]
) -> Said:
    """What is said of the first arm of a suite; the second is its placebo.

    Only sections on mitigations: all of them would take three times as long. Of the placebo, only
    what a verdict compares with is measured.
    """
    context = _context(suite, confusion)
    prompts = {p.id: p for p in suite.prompts}
    aims = {"gender": {p.subject: 0.5 for p in suite.prompts if p.block == "jobs"}}
    t = tables["table"]
    some = Tables(t[(t.attribute == "gender") & t.prompt.str.startswith("jobs")],
                  matches=tables["matches"])  # fmt: skip
    whole = Tables(t, tables["alignment"], tables["matches"], tables["vectors"])
    found: list[Finding] = []
    for arm, measured in zip(suite.mitigations, (whole, some), strict=True):
        found += effects.findings(measured, Question(arm.name, aims, context, prompts))
    found += verdicts.findings(found, suite.mitigations)
    return said([f for f in found if f.arm == suite.mitigations[0].name])


def _doses(suite: Suite, table: pd.DataFrame) -> Said:
    """What is said of the dose of guidance."""
    own = {"guidance": GUIDANCE}
    return said(doses.findings(table, suite.mitigations, _context(suite, {}), own))


def _context(suite: Suite, confusion: Mapping[str, np.ndarray | None]) -> Context:
    known = {k: v for k, v in confusion.items() if v is not None}
    return Context(suite.attributes, suite.references, known, None, 0)


def _gate(text: str, measured: Measured) -> Said:
    """The verdicts of `check` on one gate."""
    checks = gates.check([conditions.parse(text)], every.findings(measured))
    return [("gate", c.verdict) for c in checks]


def _flagged(rows: pd.DataFrame) -> pd.DataFrame:
    """The decision of a run at a false discovery rate of 10 %."""
    score, held = (rows[c].to_numpy(float) for c in ("score", "held_score"))
    w = twin_evidence(score, held)
    matched = np.where(w > 0, rows.train, rows.held)
    made = decision.by_twin(Evidence((w,), (matched,)), 0.1)
    known = np.zeros(len(rows), bool) if made.doubt else ~made.unsettled
    mirrored = made.selection.mirrored  # empty where nothing can be flagged
    chance = mirrored if len(mirrored) else np.zeros(len(rows), bool)
    return rows.assign(copy=flags.column(made.selection.selected, known=known), w=w,
                       w_match=matched, chance=chance)  # fmt: skip


def _whole(train: np.ndarray, held: np.ndarray, made: np.ndarray, prompts: np.ndarray) -> Said:
    """What is said of a whole set of features."""
    return said(whole_set.findings(train, held, made, 0, prompts))


def _compare(a: comparing.Side, b: comparing.Side) -> Said:
    """What `compare` says of two runs."""
    return said(comparing.compare(a, b).findings)


def _side(
    name: str, tables: Mapping[str, pd.DataFrame], confusion: np.ndarray | None
) -> comparing.Side:
    """One run as it is read from its folder."""
    found = [] if confusion is None else quality.classifier(
        {"gender": confusion}, [GENDER], {"gender": "validation images"}
    )  # fmt: skip
    read_by = dict.fromkeys(("alignment", "gender", "copies"), "one reader")
    return comparing.Side(name, Path(name), {}, "simulated", {"gender": GENDER.classes}, read_by,
                          {f.key: f for f in found}, tables)  # fmt: skip


DETAILED = ("copies", "cost", "count", "detectors", "diversity", "drift", "extraction-score",
            "nearness", "outcome", "removed", "whole_set")  # fmt: skip
"""Kinds whose details are different claims."""
BOTH = ("amplification", "share", "dose")
"""Kinds about one subject or about all of them."""


def label(key: Key) -> str:
    """Claims that are made alike have one label: section, kind, and what else sets them apart."""
    parts = [key.section, key.kind]
    if key.kind in DETAILED and key.section in ("replication", "mitigation", "comparison"):
        parts.append(key.detail.split(" ")[0])
    if key.kind == "amplification" and key.detail.startswith("directional"):
        parts.append("directional")
    elif key.kind in BOTH and key.everyone:
        parts.append("all")
    if key.kind == "doses":
        parts.append("spread" if key.detail == "spread" else "rate")
    if key.kind == "why":
        parts.append("level" if "=" in key.detail else "rho")
    if key.kind == "dose":
        parts.append("majority" if key.subject.startswith("majority") else "share")
    if key.kind == "rate":
        parts.append("ordinary" if key.detail == "ordinary" else "captions")
    if key.kind == "extraction":
        parts.append(key.attribute)
    if key.attribute == TONE.name:
        parts.append("three")
    return " ".join(parts)


# Who appears.


def _bases(d: Draws, high: float = 0.8) -> np.ndarray:
    """A share for each subject, spread evenly over .2 to `high`."""
    return np.linspace(0.2, high, d.at.subjects)


def shares(d: Draws, shift: float = 0.0, high: float = 0.8) -> Said:
    """Shares of a class of two that differ from the reference by `shift`."""
    target = _bases(d, high)
    hits = d.hits(np.clip(target + shift, 0, 1))[0]
    table = Images(d).attributes(GENDER, (~hits).astype(int))
    suite = _suite(_prompts(d), [GENDER], references=(_reference("declared", GENDER, target),))
    return _audit(suite, {"gender": d.confusion()}, table=table)


def three(d: Draws, shift: float = 0.0) -> Said:
    """Shares of three classes; the first class has `shift` more than the reference, at a third's
    cost."""
    at, first = d.at, _bases(d, 0.5)
    target = np.stack([first, np.full(at.subjects, 0.3), 0.7 - first], axis=1)
    truth = np.clip(target + shift * np.array([1, 0, -1]), 0, 1)
    own = np.repeat(truth, at.prompts, axis=0)
    if at.icc:
        drawn = d.rng.gamma(np.maximum(own * (1 - at.icc) / at.icc, 1e-9)) + 1e-300
        own = drawn / drawn.sum(1, keepdims=True)
    labels = (d.rng.random((d.cells, at.images, 1)) > own.cumsum(1)[:, None]).sum(2)
    table = Images(d).attributes(TONE, labels.clip(0, 2).ravel())
    suite = _suite(_prompts(d), [TONE], references=(_reference("declared", TONE, target),))
    return _audit(suite, {"tone": d.confusion(3)}, table=table)


def amplified(d: Draws, shift: float = 0.0, training: int = 100) -> Said:
    """The model goes `shift` further towards the majority than `training` images per subject."""
    learned = np.where(np.arange(d.at.subjects) % 2, 0.7, 0.3)
    hits = d.hits(learned + shift * np.sign(learned - 0.5))[0]
    table = Images(d).attributes(GENDER, (~hits).astype(int))
    at = np.repeat(np.arange(d.at.subjects), training)
    shown = d.rng.random(len(at)) < learned[at]
    rows = pd.DataFrame({
        "subject": [f"s{s}" for s in at], "attribute": "gender", "kind": "captions",
        "outcome": "label", "value": d.read((~shown).astype(int), GENDER),
    })  # fmt: skip
    suite = _suite(_prompts(d), [GENDER])
    return _audit(suite, {"gender": d.confusion()}, table=table, training=rows)


def together(d: Draws, link: float = 0.0) -> Said:
    """Two attributes; in a share `link` of images the second is what the first is."""
    one, two = d.hits(_bases(d), _bases(d)[::-1], alike=0.0)
    two = np.where(d.rng.random(len(one)) < link, one, two)
    images = Images(d)
    table = pd.concat([images.attributes(a, (~h).astype(int))
                       for a, h in ((GENDER, one), (HAIR, two))], ignore_index=True)  # fmt: skip
    return _audit(_suite(_prompts(d), [GENDER, HAIR]), {}, table=table)


def associated(d: Draws, effect: float = 0.0) -> Said:
    """Nearness of images of two concepts to one class, `effect` standard deviations apart."""
    of_x = d.subject < d.at.subjects / 2
    score = d.normal()[0] + effect * of_x
    rows = pd.DataFrame({"association": "a", "prompt": Images(d).prompts, "of_x": of_x,
                         "score": score})  # fmt: skip
    asked = Association("a", "A", ("x",), ("y",), "X", "Y", "gender", "woman", "man")
    return _audit(_suite(_prompts(d), [GENDER], associations=(asked,)), {}, nearness=rows)


def missing(d: Draws, gap: float = 0.0) -> Said:
    """A tenth of the images have no label; of one subject in four, `gap` more."""
    share = np.where(np.arange(d.at.subjects) % 4 == 0, 0.1 + gap, 0.1)
    labels, gone = d.hits(_bases(d), share)
    table = Images(d).attributes(GENDER, (~labels).astype(int), gone, "uncertain")
    return _audit(_suite(_prompts(d), [GENDER]), {}, table=table)


def gated(d: Draws, above: float = 0.0) -> Said:
    """The gate `<= 30 %` on a share of 30 % and `above`: `pass`, `fail` or `undecided`."""
    hits = d.hits(0.3 + above)[0]
    table = Images(d).attributes(GENDER, (~hits).astype(int))
    measured = _measured(_suite(_prompts(d), [GENDER]), {"gender": d.confusion()}, table=table)
    return _gate("representation.*.gender.share.woman <= 30 %", measured)


# What is copied.


def _searched(d: Draws, copies: float, block: str, near: float = 0.5) -> pd.DataFrame:
    """Nearest training and held-out images, by which nothing is decided yet.

    Without copying both distances have one distribution, and images of a prompt are near to the
    same reference images in a share `near` of cases.
    """
    images = Images(d, block=block)
    copied = d.hits(copies)[0] if copies else np.zeros(len(d.prompt), bool)
    w = 0.1 * d.normal()[0]
    apart = 0.8 * np.exp(np.stack([-w, w]) / 2)
    apart[0] = np.where(copied, 0.1 * np.exp(0.3 * d.normal()[0]), apart[0])
    own = np.where(d.rng.random(len(w)) < near, -1, d.seed)
    ids = np.array([f"{block}-{p}-{o}" for p, o in zip(d.prompt, own, strict=True)], object)
    score, held = 1 - apart**2 / 2
    rows = images.matches(np.zeros(len(w), bool), 16)
    return rows.assign(score=score, held_score=held, train=ids, held=ids)


def copied(d: Draws, captions: float = 0.0, ordinary: float = 0.0) -> Said:
    """A share of the images of captions, and of ordinary prompts, are copies; a twin decides."""
    parts = [_searched(d, captions, "captions"), _searched(d, ordinary, "jobs")]
    rows = pd.concat([_flagged(part) for part in parts], ignore_index=True)
    prompts = [*_prompts(d), *_prompts(d, "captions", "replication", repeats=16)]
    return _audit(_suite(prompts, [GENDER]), {}, matches=rows)


def guided(d: Draws, change: float = 0.0) -> Said:
    """Captions at three guidance scales; the highest has `change` more copies than the others."""
    arms = {"low": 1.0, BASELINE: GUIDANCE, "high": 9.0}
    hits = d.hits(0.2, 0.2, 0.2 + change)
    rows = pd.concat([Images(d, a, "captions").matches(h, 16)
                      for a, h in zip(arms, hits, strict=True)], ignore_index=True)  # fmt: skip
    declared = tuple(Mitigation(a, "guidance", {"scale": s}) for a, s in arms.items()
                     if a != BASELINE)  # fmt: skip
    prompts = _prompts(d, "captions", "replication", repeats=16)
    return _audit(_suite(prompts, [GENDER], mitigations=declared), {}, matches=rows)


def explained(d: Draws, rho: float = 0.0) -> Said:
    """Three factors of which the first is correlated by `rho` with the excess similarity."""
    rows = _searched(d, 0.0, "captions")
    mean = d.rng.standard_normal((3, d.cells))[:, d.prompt]
    w = rho * mean[0] + math.sqrt(1 - rho**2) * d.normal()[0]
    rows = rows.assign(score=0.6 + 0.02 * w, held_score=0.6, repeats=mean[0], tokens=mean[1],
                       entropy=mean[2] + d.rng.standard_normal(len(w)))  # fmt: skip
    return _audit(_suite(_prompts(d, "captions", "replication", repeats=16), [GENDER]), {},
                  factors=rows)  # fmt: skip


def detected(d: Draws, shift: float = 0.0) -> Said:
    """Scores of a detector inside the model; captions score `shift` deviations more."""
    prompts = [*_prompts(d, "captions", "replication", repeats=16), *_prompts(d)]
    score = d.rng.standard_normal(2 * d.cells)
    score[: d.cells] += shift
    rows = pd.DataFrame({
        "prompt": [p.id for p in prompts], "detector": "magnitude", "score": score, "reason": "",
        "side": ["caption" if p.purpose == "replication" else "ordinary" for p in prompts],
    })  # fmt: skip
    return _audit(_suite(prompts, [GENDER]), {}, detectors=rows)


def extracted(d: Draws, share: float = 0.0) -> Said:
    """Captions of which a `share` gives one image back; thresholds are from ordinary prompts."""
    prompts = _prompts(d, "captions", "replication", repeats=16)
    back = d.rng.random(d.cells) < share
    rule = cliques.calibrate(list(d.rng.random(80)))
    radius = np.where(back, 1e-3, d.rng.random(d.cells))
    needed = cliques.needed(d.at.images)
    found = pd.DataFrame([
        {"prompt": p.id, "arm": BASELINE, "n": d.at.images, "missing": 0, "reasons": {},
         "needed": needed, "clique": needed if r < rule.threshold else 1, "members": [],
         "radius": r, "threshold": rule.threshold, "p": cliques.p_value(r, rule.benign),
         "extracted": bool(r < rule.threshold), "outcome": "label"}
        for p, r in zip(prompts, radius, strict=True)
    ], columns=list(cliques.CLIQUE_COLUMNS))  # fmt: skip
    edges = pd.DataFrame([
        {"prompt": p.id, "arm": BASELINE, "n": d.at.images, "missing": 0, "reasons": {},
         "density": 0.1, "persistence": 0.05, "chance": 0.01, "excess": 0.04, "p": v,
         "null": "subject", "outcome": "label"}
        for p, v in zip(prompts, np.where(back, 1e-4, d.rng.random(d.cells)), strict=True)
    ], columns=list(EDGE_COLUMNS))  # fmt: skip
    scores = _scores(d, radius)
    found_all = Found(found, edges, "simulated calibration", scores)
    return _audit(_suite([*prompts, *_prompts(d)], [GENDER]), {}, extracted=found_all)


def _scores(d: Draws, radius: np.ndarray) -> pd.DataFrame:
    """The same radii as scores of captions, against those of ordinary prompts."""
    score = -np.concatenate([radius, d.rng.random(d.cells)])
    names = [f"{b}/{p}" for b in ("captions", "jobs") for p in range(d.cells)]
    side = np.repeat(["caption", "ordinary"], d.cells)
    return pd.DataFrame({"prompt": names, "detector": "cliques", "side": side, "score": score,
                         "reason": ""})  # fmt: skip


def whole(d: Draws, share: float = 0.0, scale: float = 0.9, size: int = 200) -> Said:
    """Features of three sets; generated ones are narrower by `scale`, and a `share` are copies."""
    train, held = d.rng.standard_normal((2, size, 10))
    n, icc = len(d.prompt), d.at.icc
    centre = d.rng.standard_normal((d.cells, 10))[d.prompt]
    made = scale * (math.sqrt(icc) * centre + math.sqrt(1 - icc) * d.rng.standard_normal((n, 10)))
    source = train[d.rng.integers(size, size=n)] + 0.05 * d.rng.standard_normal((n, 10))
    made = np.where((d.rng.random(n) < share)[:, None], source, made)
    return _whole(train, held, made, d.prompt)


# What a mitigation does.


@dataclass(frozen=True)
class Effect:
    """What an arm changes; all 0 for an arm that does nothing."""

    gain: float = 0.0
    """How much nearer to half every subject's share is."""
    alignment: float = 0.0
    """Change of the mean cosine to the original prompt."""
    read: float = 0.0
    """Changes of shares of images: subject recognised, stated attribute shown, ..."""
    obeys: float = 0.0
    copies: float = 0.0
    other: float = 0.0
    leak: float = 0.0
    people: float = 0.0
    narrow: float = 0.0
    """How much less images of a prompt differ."""


NOTHING = Effect()
OWN, NOBODY = 0.9, 0.05
"""Share of images that obey, and that show nobody where a person is asked for."""


def mitigated(
    d: Draws, placebo: float = 0.0, reached: float | None = None, **effect: float
) -> Said:
    """An arm that states a gender, and its placebo, which gains `placebo` and changes nothing else.

    With `reached`, that is every subject's share under the arm; the target is one half.
    """
    arms = {BASELINE: NOTHING, "arm": Effect(**effect), "placebo": Effect(gain=placebo)}
    tables = _arms(d, arms, reached)
    prompts = [*_prompts(d), *_prompts(d, "stated", states={"gender": "woman"}),
               *_prompts(d, "nobody", expects="nobody"),
               *_prompts(d, "captions", "replication", repeats=16)]  # fmt: skip
    half = np.full(d.at.subjects, 0.5)
    declared = (
        Mitigation("arm", "inject", {"attribute": "gender", "target": "uniform"}, ("jobs",)),
        Mitigation("placebo", "placebo", {"like": "arm"}, ("jobs",)),
    )
    suite = _suite(prompts, [GENDER, HAIR], mitigations=declared,
                   references=(_reference("uniform", GENDER, half),))  # fmt: skip
    return _arm(suite, {"gender": d.confusion()}, tables)


def _arms(d: Draws, arms: Mapping[str, Effect], reached: float | None) -> dict[str, Any]:
    """All tables of these arms."""
    each = list(arms.values())
    own = np.linspace(0.75, 0.9, d.at.subjects)

    def drawn(base: float, part: str) -> np.ndarray:
        return d.hits(*(base + getattr(e, part) for e in each))

    women = d.hits(*(own - e.gain if reached is None or e is not each[1] else
                     np.full_like(own, reached) for e in each))  # fmt: skip
    hair, gone = drawn(0.5, "other"), drawn(NOBODY, "people")
    stated, leaks = drawn(OWN, "obeys"), drawn(0.1, "leak")
    read, copy = drawn(OWN, "read"), drawn(0.3, "copies")
    score = COSINE + 0.02 * d.normal(len(each))
    rows, aligned, matched = [], [], []
    for i, (arm, e) in enumerate(arms.items()):
        jobs, said_, nobody = (Images(d, arm, b) for b in ("jobs", "stated", "nobody"))
        rows += [jobs.attributes(GENDER, (~women[i]).astype(int), gone[i]),
                 jobs.attributes(HAIR, (~hair[i]).astype(int), gone[i]),
                 said_.attributes(GENDER, (~stated[i]).astype(int)),
                 nobody.attributes(GENDER, (~women[i]).astype(int), ~leaks[i])]  # fmt: skip
        aligned.append(jobs.alignment(score[i] + e.alignment, read[i]))
        matched.append(Images(d, arm, "captions").matches(copy[i], 16))
    tables = (pd.concat(t, ignore_index=True) for t in (rows, aligned, matched))
    return {**dict(zip(("table", "alignment", "matches"), tables, strict=True)),
            "vectors": _vectors(d, arms)}  # fmt: skip


def _vectors(d: Draws, arms: Mapping[str, Effect], width: int = 8) -> dict[str, np.ndarray]:
    """A unit vector for every image of ordinary prompts; half of the noise is shared by arms."""
    centre = d.rng.standard_normal((d.cells, width))[d.prompt]
    shared = d.rng.standard_normal((len(d.prompt), width))
    out: dict[str, np.ndarray] = {}
    for arm, e in arms.items():
        noise = math.sqrt(0.5) * (shared + d.rng.standard_normal(shared.shape))
        v = centre + (1 - e.narrow) * noise
        out |= zip(Images(d, arm).samples, v / np.linalg.norm(v, axis=1, keepdims=True),
                   strict=True)  # fmt: skip
    return out


def dosed(d: Draws, change: float = 0.0) -> Said:
    """Three guidance scales; the highest draws `change` more of each subject's majority."""
    arms = {"low": 1.0, BASELINE: GUIDANCE, "high": 9.0}
    target = np.where(np.arange(d.at.subjects) % 2, 0.7, 0.3)
    hits = d.hits(target, target, target + change * np.sign(target - 0.5))
    table = pd.concat([Images(d, a).attributes(GENDER, (~h).astype(int))
                       for a, h in zip(arms, hits, strict=True)], ignore_index=True)  # fmt: skip
    declared = tuple(Mitigation(a, "guidance", {"scale": s}, ("jobs",)) for a, s in arms.items()
                     if a != BASELINE)  # fmt: skip
    suite = _suite(_prompts(d), [GENDER], mitigations=declared,
                   references=(_reference("labour", GENDER, target),))  # fmt: skip
    return _doses(suite, table)


# Two runs.


def compared(
    d: Draws, shift: float = 0.0, alignment: float = 0.0, read: float = 0.0, copies: float = 0.0,
    paired: bool = True,
) -> Said:  # fmt: skip
    """Two runs, of which the second differs by these amounts; `paired` runs share their seeds."""
    target, alike = np.linspace(0.3, 0.6, d.at.subjects), 0.5 if paired else 0.0
    women = d.hits(target, target + shift, alike=alike)
    seen = d.hits(0.7, 0.7 + read, alike=alike)
    copy = d.hits(0.2, 0.2 + copies, alike=alike)
    score = COSINE + 0.02 * d.normal(2, alike) + alignment * np.array([[0], [1]])
    confusion = d.confusion()
    sides = []
    for i in range(2):
        images, captions = Images(d), Images(d, block="captions")
        tables = {
            "attributes": images.attributes(GENDER, (~women[i]).astype(int)),
            "alignment": images.alignment(score[i], seen[i]),
            "matches": captions.matches(copy[i], 16),
        }
        if not paired:
            tables = {k: t.assign(seed=t.seed + 1000 * i) for k, t in tables.items()}
        sides.append(_side("AB"[i], tables, confusion))
    return _compare(sides[0], sides[1])


World = Callable[..., Said]
WORLDS: Mapping[str, World] = {w.__name__: w for w in (
    shares, three, amplified, together, associated, missing, gated, copied, guided, explained,
    detected, extracted, whole, mitigated, dosed, compared,
)}  # fmt: skip
READ = {"shares", "three", "amplified", "gated", "mitigated", "compared"}
"""Worlds in which the reader's errors matter."""
UNLIKE = {"detected", "extracted"}
"""Worlds with one number per prompt, where images and their likeness do not matter."""


def relevant(world: str, at: Setting) -> Setting:
    """The setting with what does not matter in a world at its default."""
    usual = Setting()
    at = at if world in READ else replace(at, reader=usual.reader)
    return replace(at, images=usual.images, icc=usual.icc) if world in UNLIKE else at
