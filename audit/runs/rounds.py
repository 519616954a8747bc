"""Enough images and no more: generate in rounds, look, and stop each subject when it is narrow.

Every look is recorded with an interval that is valid at all looks together, so looking early
misleads no one; the interval at the stop is that of a fixed-width design.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from audit.design import suites
from audit.errors import UserError
from audit.findings.representation import Readings, readings
from audit.records import Prompt
from audit.report.facts import LookFacts, Looks
from audit.runs.context import Run
from audit.runs.planning import rewriters
from audit.stats.betting import Betting
from audit.stats.betting import begin as begin_sequence
from audit.stats.fixed_width import FixedWidth, fixed_width
from audit.stats.interval import Interval
from audit.stats.proportions import wilson

IMAGES_A_ROUND = 15
"""Approximate number of images of a subject between two looks."""
EARLY = 5
"""Rounds before which no share is given up: how similar a prompt's images are is still unknown."""
LIMIT = 2.0
"""A subject gets at most this many times the images that a rule needs in its worst case: where most
images have no label, more of them do not help."""


@dataclass(frozen=True)
class Look:
    """One look at one share: the counts, and the intervals at that moment."""

    number: int
    arm: str
    subject: str
    attribute: str
    value: str
    k: int
    n: int
    low: float
    """Of the confidence sequence: valid at this and all other looks together."""
    high: float
    narrow: bool
    """Whether the rule stops here."""
    hopeless: bool = False
    """Whether images of these prompts will not suffice within the limit: prompts are clusters."""


def asked(run: Run) -> dict[str, list[Prompt]]:
    """Representation prompts by subject."""
    found: dict[str, list[Prompt]] = {}
    for p in run.suite.prompts:
        if p.purpose == "representation":
            found.setdefault(p.subject, []).append(p)
    return found


def per_prompt(prompts: int) -> int:
    """Images of each of a subject's prompts in one round."""
    return max(1, round(IMAGES_A_ROUND / prompts))


def rule(run: Run, prompts: int) -> FixedWidth:
    """The design for a subject with this many prompts."""
    return fixed_width(run.options.precision, prompts * per_prompt(prompts))


def begin(run: Run) -> Run:
    """The run with its first round planned: every subject's prompts a few times."""
    if run.plan.pictures is not None:
        raise UserError(
            "--precision decides how many images are made, but existing images cannot be made "
            "again. Omit it."
        )
    return _planned(run, {s: per_prompt(len(p)) for s, p in asked(run).items()})


def _planned(run: Run, seeds: dict[str, int], looks: tuple[Look, ...] = ()) -> Run:
    """The run with these images per prompt, by subject, and these looks behind it."""
    prompts = tuple(
        replace(p, seeds=seeds[p.subject]) if p.purpose == "representation" else p
        for p in run.suite.prompts
    )
    suite = replace(run.suite, prompts=prompts)
    arms = rewriters(suite, run.options.out, run.progress)
    samples = tuple(suites.expand(suite, run.settings, arms))
    return replace(run, plan=replace(run.plan, suite=suite, samples=samples, looks=looks))


def go_on(run: Run, table: pd.DataFrame) -> tuple[Run, bool]:
    """The run after a look at what was read, and whether another round is planned.

    Subjects whose shares are not narrow yet get more images, up to the limit.
    """
    subjects = asked(run)
    seeds = {s: p[0].seeds for s, p in subjects.items()}
    number = 1 + max((look.number for look in run.plan.looks), default=0)
    looks = list(_looks(run, table, number))
    behind = (*run.plan.looks, *looks)
    open_ = {look.subject for look in looks if not look.narrow and not look.hopeless}
    grown = False
    for subject in open_:
        prompts = len(subjects[subject])
        design = rule(run, prompts)
        if seeds[subject] * prompts < LIMIT * design.most:
            seeds[subject] += per_prompt(prompts)
            grown = True
    if grown:
        return _planned(run, seeds, behind), True
    return replace(run, plan=replace(run.plan, looks=behind)), False


def _looks(run: Run, table: pd.DataFrame, number: int) -> Iterator[Look]:
    subjects = len(asked(run))
    for read in _readings(run, table):
        design = rule(run, read.rows.prompt.nunique())
        thin, classes = read.thinned, read.attribute.classes
        for i, value in enumerate(classes[:1] if len(classes) == 2 else classes):
            anytime = _anytime(run, read, value)
            narrow = bool(design.narrow(thin[i], thin.sum()))
            yield Look(
                number, read.arm, read.subject, read.attribute.name, value, int(read.counts[i]),
                int(read.counts.sum()), anytime.low, anytime.high, narrow,
                not narrow and number >= EARLY
                and _needed(read, i, design, subjects) > LIMIT * design.most,
            )  # fmt: skip


def _at_least(correlation: float, size: float, free: int) -> float:
    """Two standard errors below an intraclass correlation, at least 0 (Donner & Koval 1980).

    Of `size` images a prompt and `free` prompts that may differ: a first estimate of how similar
    a prompt's images are is often wrong, and must not end a subject.
    """
    if size <= 1 or free < 1:
        return 0.0
    spread = (1 - correlation) * (1 + (size - 1) * correlation)
    return max(0.0, correlation - 2 * spread * math.sqrt(2 / (size * (size - 1) * free)))


def _needed(read: Readings, i: int, design: FixedWidth, subjects: int) -> float:
    """Images of the same prompts after which a share would be narrow; infinite if never.

    With m prompts whose images have the correlation r, n images are worth n / (1 + (n / m - 1) r)
    (Kish 1965, sec. 5.4), never more than m / r. r is the smallest credible value, pooled over
    `subjects`. Images without a label count too.
    """
    n = int(read.counts.sum())
    if not n:
        return math.inf
    share, known = read.counts[i] / n, [r for r in read.correlation.values() if math.isfinite(r)]
    worth = next(w for w in range(1, design.most + 1) if design.narrow(share * w, w))
    prompts = read.labelled.prompt.nunique()
    alike = _at_least(max(known, default=0.0), n / prompts, (prompts - 1) * subjects)
    if worth * alike >= prompts:
        return math.inf
    labelled = worth * (1 - alike) / (1 - worth * alike / prompts)
    return float(labelled * len(read.rows) / n)


def _anytime(run: Run, read: Readings, value: str) -> Interval:
    """The interval valid at this and all other looks: images in the order of their rounds."""
    plan = Betting(precision=run.options.precision)
    rows = read.labelled.sort_values(["seed", "prompt", "sample"])
    return begin_sequence(plan).update((rows.value == value).to_numpy(float)).interval


def _readings(run: Run, table: pd.DataFrame) -> Iterator[Readings]:
    subjects = list(asked(run))
    for attribute in run.suite.attributes:
        if attribute.name != run.suite.subject_attribute:
            for arm in sorted(map(str, table.arm.unique())):
                yield from readings(table, attribute, arm, subjects)


def level(run: Run) -> float:
    """Level of the printed intervals: that of the designs, which repeated looks raise.

    0.95 for a run with a fixed plan.
    """
    if not run.options.precision:
        return 0.95
    return max((rule(run, len(p)).level for p in asked(run).values()), default=0.95)


def summary(run: Run) -> Looks:
    """Facts on the looks for the report: their number, the last interval's level, images saved."""
    subjects = asked(run)
    last = max((x.number for x in run.plan.looks), default=0)
    final = [x for x in run.plan.looks if x.number == last]
    return Looks(
        precision=run.options.precision,
        looks=last,
        level=level(run),
        images=sum(p[0].seeds * len(p) for p in subjects.values()),
        planned=plan_size(run.options.precision) * len(subjects),
        unmet=tuple(sorted({x.subject for x in final if not x.narrow})),
        rows=tuple(
            LookFacts(x.arm, x.subject, x.attribute, x.value, x.n, x.low, x.high) for x in final
        ),
    )


def plan_size(half: float) -> int:
    """Images that a fixed plan needs for that half-width, whatever the share.

    Wilson's interval at 95 % is widest at one half, n = z^2 (1 / (4 h^2) - 1) there.
    """
    n = 1
    while (ci := wilson(n / 2, n)).high - ci.low > 2 * half:
        n += 1
    return n
