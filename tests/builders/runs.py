"""Run folders made without a model: planted shares and reader errors, written by the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from audit.design.mitigations.arms import noise_seed
from audit.evidence.copies.facts import CorpusFacts
from audit.evidence.copies.match import twin_evidence
from audit.findings import quality, replication, representation
from audit.keys import ATTRIBUTE_COLUMNS, BASELINE, MATCH_COLUMNS, digest
from audit.records import Attribute, Prompt, Reference, Sample, Settings, Suite, to_json
from audit.runs.comparing import instruments
from audit.store import RunFolder

GENDER = Attribute("gender", ("woman", "man"), {g: (f"a {g}",) for g in ("woman", "man")})
TONE = Attribute(
    "tone", ("light", "medium", "dark"), {t: (t,) for t in ("light", "medium", "dark")}
)
ERRORS = {"gender": np.array([[180, 20], [30, 170]])}


@dataclass(frozen=True)
class Plan:
    """Contents of a run to build."""

    model: str = "one"
    shares: dict[str, float] = field(default_factory=lambda: {"nurse": 0.8, "cook": 0.4})
    """Planted P(woman) by subject."""
    templates: tuple[str, ...] = ("a photo of a {}", "a {} at work", "a portrait of a {}")
    seeds: int = 20
    first: int = 0
    """Number of the first seed."""
    copies: float = 0.2
    """Planted rate of copies among the captions."""
    seed: int = 0
    """Of the part that pairs do not share: the reader's errors, and half of the drawing."""
    classifier: str = "reader-1"
    descriptor: str = "copynet"
    record: bool = True
    """Whether the run records its classifier."""
    gender: Attribute = GENDER


@dataclass
class _Rows:
    samples: list[Sample] = field(default_factory=list)
    attributes: list[tuple[object, ...]] = field(default_factory=list)
    alignment: list[tuple[object, ...]] = field(default_factory=list)
    matches: list[tuple[object, ...]] = field(default_factory=list)


def suite(plan: Plan) -> Suite:
    """The suite of the run: jobs, and forty captions of training images."""
    jobs = [
        Prompt(f"jobs/{s}/{i}", t.format(s), s, "jobs", "representation", plan.seeds,
               ("gender", "tone"))
        for s in plan.shares
        for i, t in enumerate(plan.templates)
    ]  # fmt: skip
    captions = [Prompt(f"caption/{i}", f"caption {i}", "", "c", "replication", 2, repeats=16)
                for i in range(40)]  # fmt: skip
    even = {(s, "gender", g): 0.5 for s in plan.shares for g in ("woman", "man")}
    return Suite("small", "Small", "Who?", (*jobs, *captions), (plan.gender, TONE),
                 (Reference("uniform", "even", even, "declared"),), ())  # fmt: skip


def write(path: Path, plan: Plan) -> Path:
    """A finished run of that plan at `path`: tables, plan, manifest, findings and results."""
    asked, rows = suite(plan), _Rows()
    settings = Settings(plan.model, digest(plan.model), 20, 3.0, 16)
    rng = np.random.default_rng([plan.seed, 1])
    for p in asked.prompts:
        for i in range(plan.first, plan.first + p.seeds):
            seed = noise_seed(p.text, i)
            sample = Sample(digest([plan.model, p.id, i]), p.id, BASELINE, seed, p.text)
            rows.samples.append(sample)
            _draw(rows, plan, p, sample, rng)
    attributes = pd.DataFrame(rows.attributes, columns=list(ATTRIBUTE_COLUMNS))
    alignment = pd.DataFrame(
        rows.alignment, columns=["prompt", "subject", "arm", "seed", "score", "subject_read"]
    )
    alignment["chance"] = alignment.score - 0.1
    matches = pd.DataFrame(rows.matches, columns=list(MATCH_COLUMNS))
    if len(matches):
        w = twin_evidence(*(matches[c].to_numpy(float) for c in ("score", "held_score")))
        match = np.where(w > 0, "train/" + matches.train.astype(str),
                         "held/" + matches.held.astype(str))  # fmt: skip
        matches = matches.assign(w=w, w_match=match, single="")
    context = representation.Context([plan.gender, TONE], asked.references, ERRORS, None, 0)
    found = representation.findings(attributes, context, dict.fromkeys(plan.shares, 3))
    found += replication.findings(matches, {p.id: p for p in asked.prompts}, 0)
    found += quality.classifier(ERRORS, [plan.gender], {"gender": "labelled images"})
    folder = RunFolder(path)
    folder.write_manifest(asked, settings, {})
    folder.write_plan(rows.samples)
    tables = {"attributes": attributes, "alignment": alignment, "matches": matches}
    names = {n: folder.write_table(n, n, t).name for n, t in tables.items()}
    corpus = CorpusFacts("world", descriptor=plan.descriptor)
    read_by = {"instruments": instruments(asked, plan.classifier, corpus)} if plan.record else {}
    folder.write_results(
        {"tables": names, "classes": {a.name: list(a.classes) for a in asked.attributes}, **read_by}
    )
    folder.write_findings(to_json(found))
    return path


def _draw(
    rows: _Rows, plan: Plan, prompt: Prompt, sample: Sample, rng: np.random.Generator
) -> None:
    """One image: half of the randomness is from the seed, shared by two runs, half from the run."""
    shared = np.random.default_rng([sample.noise, 7])
    noise = shared.random() if shared.random() < 0.5 else rng.random()
    key = (sample.id, prompt.id)
    near, far = 0.6 + 0.05 * rng.standard_normal(2)
    if prompt.purpose == "replication":
        copied = noise < plan.copies
        near = 1 - 0.01 * rng.random() if copied else near
    else:
        woman = noise < plan.shares[prompt.subject]
        right = rng.random() < (0.9 if woman else 0.85)
        read = "woman" if woman == right else "man"
        tone = str(rng.choice(TONE.classes, p=(0.5, 0.3, 0.2)))
        gone = rng.random() < 0.05
        for a, value in (("gender", read), ("tone", tone)):
            rows.attributes.append((*key, prompt.subject, BASELINE, sample.seed, a,
                                    "uncertain" if gone else "label", None if gone else value,
                                    0.9))  # fmt: skip
        rows.alignment.append(
            (
                prompt.id,
                prompt.subject,
                BASELINE,
                sample.seed,
                0.3 + 0.02 * noise + 0.005 * rng.normal(),
                bool(noise < 0.9),
            )
        )
    rows.matches.append(
        (
            *key,
            BASELINE,
            sample.seed,
            near,
            far,
            f"twin-{rng.integers(99)}",
            f"train-{rng.integers(99)}",
            "a caption",
            16,
            near > 0.9,
            "label",
        )
    )
