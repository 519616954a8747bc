"""Enough images and no more: generate in rounds, look, and stop each subject when it is narrow.

Every look is recorded with an interval that is valid at all looks together, so looking early
misleads no one; the interval at the stop is that of a fixed-width design.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from audit.design import suites
from audit.errors import UserError, figure, say
from audit.findings.readings import Readings, readings
from audit.findings.representation import estimates
from audit.records import Prompt
from audit.report.facts import LookFacts, Looks
from audit.runs.context import Run
from audit.runs.planning import rewriters
from audit.stats.betting import Betting
from audit.stats.betting import begin as begin_sequence
from audit.stats.fixed_width import FixedWidth, fixed_width
from audit.stats.interval import Interval
from audit.stats.proportions import wilson

NONE: Mapping[str, np.ndarray] = MappingProxyType({})
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
    """Representation prompts by subject, apart from those that state a group."""
    found: dict[str, list[Prompt]] = {}
    for p in run.suite.prompts:
        if p.purpose == "representation" and not p.grouped:
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
    samples = suites.expand(suite, run.settings, arms)
    return replace(run, plan=replace(run.plan, suite=suite, samples=samples, looks=looks))


Tables = Mapping[str, np.ndarray]
"""The classifier's errors by attribute, as far as they are known."""
ENDLESS = 1e8
"""Images after which only the classifier's errors are uncertain."""


def best(run: Run, table: np.ndarray) -> np.ndarray:
    """Half-widths float[K] that corrected shares keep however many images are made, at their best.

    The least of those where one class alone is drawn, where errors matter least, and where all are
    drawn alike; NaN where the classifier tells nothing.
    """
    rates, k = table / table.sum(1, keepdims=True), len(table)
    shares = [*np.eye(k), np.full(k, 1 / k)]
    return np.min([_halves(run, s @ rates * ENDLESS, table) for s in shares], axis=0)


def say_limits(run: Run, errors: Tables) -> None:
    """Before anything is drawn: say which shares can never be known to the asked half-width."""
    asked_for = run.options.precision
    for attribute in run.suite.attributes:
        if attribute.name in errors and attribute.name != run.suite.subject_attribute:
            table = errors[attribute.name]
            halves, name = best(run, table), attribute.name.replace("_", " ")
            if (halves <= asked_for).all():
                continue
            points = say("{size} points", size=figure(f"{100 * halves.min():.1f}"))
            least = points if np.isfinite(halves).all() else "unknown"
            run.notes.append(say(
                "The classifier's errors on {name} are known from {n} images, too few for the "
                "half-width of {half} points that --precision asks for: however many images are "
                "made, the best is {least}.", name=name, n=round(table.sum()),
                half=figure(f"{100 * asked_for:g}"), least=least,
            ))  # fmt: skip
            run.progress(f"half-width of {name}: {least} at best", 1, 1)


def _halves(run: Run, counts: np.ndarray, table: np.ndarray | None) -> np.ndarray:
    """Half-widths float[K] of the intervals that the report prints for these counts."""
    found = estimates(counts, table, run.options.seed, level(run))
    return np.array([(i.high - i.low) / 2 for i in found])


def go_on(run: Run, table: pd.DataFrame, errors: Tables = NONE) -> tuple[Run, bool]:
    """The run after a look at what was read, and whether another round is planned.

    Subjects whose shares, corrected for the classifier's errors, are not narrow yet get more
    images, up to the limit.
    """
    subjects = asked(run)
    seeds = {s: p[0].seeds for s, p in subjects.items()}
    number = 1 + max((look.number for look in run.plan.looks), default=0)
    looks = list(_looks(run, table, number, errors))
    _say_unread(run, looks)
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


def _looks(run: Run, table: pd.DataFrame, number: int, errors: Tables) -> Iterator[Look]:
    subjects = len(asked(run))
    reached = {name: best(run, known) <= run.options.precision for name, known in errors.items()}
    for read in _readings(run, table):
        design = rule(run, read.rows.prompt.nunique())
        name, thin, classes = read.attribute.name, read.thinned, read.attribute.classes
        halves = _halves(run, thin, errors.get(name))
        for i, value in enumerate(classes[:1] if len(classes) == 2 else classes):
            anytime = _anytime(run, read, value)
            narrow = bool(halves[i] <= run.options.precision)
            never = not read.counts.sum() or (name in reached and not reached[name][i])
            yield Look(
                number, read.arm, read.subject, name, value, int(read.counts[i]),
                int(read.counts.sum()), anytime.low, anytime.high, narrow,
                not narrow and (never or (number >= EARLY and _needed(
                    run, read, i, (subjects, errors.get(name))) > LIMIT * design.most)),
            )  # fmt: skip


def _say_unread(run: Run, looks: Iterable[Look]) -> None:
    """Note the subjects of whose images none can be read: more of these do not help."""
    names = dict.fromkeys(x.subject for x in looks if not x.n)
    known = dict.fromkeys(x.subject for x in run.plan.looks if not x.n)
    if new := [n for n in names if n not in known]:
        some = ", ".join(new[:5]) + (", ..." if len(new) > 5 else "")
        run.notes.append(
            say("--precision gave up {n} subjects ({some}): after a round, none of their images "
                "could be read.", n=len(new), some=some)
        )  # fmt: skip
        run.progress(f"given up, nothing can be read: {some}", len(new), len(new))


def _at_least(correlation: float, size: float, free: int) -> float:
    """Two standard errors below an intraclass correlation, at least 0 (Donner & Koval 1980).

    Of `size` images a prompt and `free` prompts that may differ: a first estimate of how similar
    a prompt's images are is often wrong, and must not end a subject.
    """
    if size <= 1 or free < 1:
        return 0.0
    spread = (1 - correlation) * (1 + (size - 1) * correlation)
    return max(0.0, correlation - 2 * spread * math.sqrt(2 / (size * (size - 1) * free)))


def _needed(run: Run, read: Readings, i: int, known: tuple[int, np.ndarray | None]) -> float:
    """Images of the same prompts after which a share would be narrow; infinite if never.

    `known` are the number of subjects and the classifier's errors. With m prompts whose images have
    the correlation r, n images are worth n / (1 + (n / m - 1) r) (Kish 1965, sec. 5.4), never more
    than m / r. r is the smallest credible value, pooled over subjects. Images without a label count
    too.
    """
    n, (subjects, table) = int(read.counts.sum()), known
    if not n:
        return math.inf
    worth = _worth(run, read, i, table)
    prompts = read.labelled.prompt.nunique()
    similar = [r for r in read.correlation.values() if math.isfinite(r)]
    alike = _at_least(max(similar, default=0.0), n / prompts, (prompts - 1) * subjects)
    if worth * alike >= prompts:
        return math.inf
    labelled = worth * (1 - alike) / (1 - worth * alike / prompts)
    return float(labelled * len(read.rows) / n)


def _worth(run: Run, read: Readings, i: int, table: np.ndarray | None) -> float:
    """Independent images after which a share with these counts would be narrow; infinite if never.

    The squared half-width is taken as a part that the errors leave and one that falls as 1 / n.
    """
    thin, half = read.thinned, run.options.precision
    now, left = (_halves(run, c, table)[i] for c in (thin, thin / thin.sum() * ENDLESS))
    if not now > half:
        return float(thin.sum())
    if not left < half:
        return math.inf
    return float(thin.sum() * (now**2 - left**2) / (half**2 - left**2))


def _anytime(run: Run, read: Readings, value: str) -> Interval:
    """The interval valid at this and all other looks: images in the order of their rounds."""
    plan = Betting(precision=run.options.precision)
    rows = read.labelled.sort_values(["seed", "prompt", "sample"])
    return begin_sequence(plan).update((rows.value == value).to_numpy(float)).interval


def _readings(run: Run, table: pd.DataFrame) -> Iterator[Readings]:
    subjects = list(asked(run))
    table = table[table.prompt.isin([p.id for some in asked(run).values() for p in some])]
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
