"""What would settle what this run leaves open: a sentence and a command each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from audit.keys import BASELINE, TOO_FEW
from audit.report import wording
from audit.report.evidence import Evidence

MOST = 3
"""Most steps shown."""
PRECISION = 0.07
"""Half-width of a 95 % interval that sees 10 points with a power of 80 %: 10 x 1.96 / 2.8."""
DEMO = "t2i-audit demo"


@dataclass(frozen=True)
class Step:
    """One next step."""

    says: str
    command: str


def steps(evidence: Evidence) -> list[Step]:
    """The next steps, by a fixed order, at most MOST."""
    found = [*_shares(evidence), *_copies(evidence), *_labels(evidence), *_arms(evidence),
             *_coverage(evidence)]  # fmt: skip
    return found[:MOST]


def _run(evidence: Evidence, option: str) -> str:
    """The run's own command with an option more; that of the demo names its suite."""
    command = wording.clip(evidence.facts.command, 400)
    if not command or command.startswith(DEMO):
        command = f"t2i-audit run {wording.clip(evidence.suite.name, 60)}"
    return f"{command} {option}"


def _shares(evidence: Evidence) -> Iterator[Step]:
    """How many images would decide the shares that are undecided."""
    needed = [f for f in evidence.findings if f.key.kind == "needed"]
    if not needed:
        return
    attributes = " / ".join(wording.shown(f.key.attribute) for f in needed)
    each = " / ".join(wording.count(f.estimate) for f in needed)
    says = wording.text("next.shares", attributes=wording.clip(attributes, 80), each=each)
    yield Step(says, _run(evidence, f"--precision {PRECISION:g}"))


def _copies(evidence: Evidence) -> Iterator[Step]:
    """What would decide images that stand out but cannot be flagged."""
    rates = [f for f in evidence.findings if f.key.kind == "rate" and f.arm == BASELINE]
    still = sum(f.references.get("open", 0.0) for f in rates)
    if still:
        says = wording.text("next.copies", n=wording.count(still))
        yield Step(says, _run(evidence, "--copies conformal"))


def _labels(evidence: Evidence) -> Iterator[Step]:
    """Labels, where the classifier's errors on these images are not known."""
    read = any(f.key.kind == "share" for f in evidence.findings)
    known = any(f.key.kind == "classifier" for f in evidence.findings)
    if read and not known:
        yield Step(wording.text("next.labels"), "t2i-audit label RUN --n 200")


def _arms(evidence: Evidence) -> Iterator[Step]:
    """More prompts or subjects, where an arm has too few for a verdict."""
    verdicts = [f for f in evidence.findings if f.key.kind == "verdict"]
    few = [f for f in verdicts if f.verdict in ("undecided", *TOO_FEW.values())]
    if few:
        names = ", ".join(wording.arm(f.arm) for f in few)
        says = wording.text("next.arms", arms=wording.clip(names, 120))
        yield Step(says, f"t2i-audit run {wording.clip(evidence.suite.name, 60)} --plan-power")


def _coverage(evidence: Evidence) -> Iterator[Step]:
    """The rest of the training set, where it is unknown how much was searched."""
    corpus = evidence.facts.corpus
    if corpus and not math.isfinite(corpus.coverage):
        yield Step(wording.text("next.coverage"), "t2i-audit index FOLDER --out INDEX")
