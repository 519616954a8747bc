"""Who appears when the prompt does not say: shares by subject, compared with references."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from audit.errors import ours, say
from audit.findings import overall
from audit.findings.claim import Claim, Counts, adjusted, arms, finding
from audit.findings.readings import Readings, readings
from audit.findings.wording import cap, estimate, percent, share_phrase, unseen
from audit.keys import BASELINE, Key, digest
from audit.records import Attribute, Finding, Reference
from audit.stats.correction import Confusion, corrected_shares, lang_reiczigel
from audit.stats.decisions import binomial_p, compared, least_seen
from audit.stats.faithful import (
    Sight,
    draws_for,
    faithful_around,
    faithful_estimates,
    inverted_p,
    mixed_binomial_p,
    read_share,
)
from audit.stats.floors import gap_floor
from audit.stats.interval import Interval
from audit.stats.labels import stratified_share
from audit.stats.noninferiority import FEWEST
from audit.stats.proportions import plain_shares, worst_case


@dataclass(frozen=True)
class Context:
    """Context of the estimates, other than the table of attributes."""

    attributes: Sequence[Attribute]
    references: Sequence[Reference]
    """A verdict refers to the first reference that covers the quantity."""
    confusion: Mapping[str, np.ndarray]
    """Classifier errors: attribute to int[K, K], rows true, columns predicted."""
    truth: Reference | None
    seed: int
    level: float = 0.95
    """Of the printed intervals: above 0.95 where images were generated until they were narrow."""
    margin: float = 0.1
    """Margin within which shares are called equal to a reference, where this can be shown."""
    labelled: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Images that people labelled: attribute, subject, arm, value and read."""
    uneven: frozenset[str] = frozenset()
    """Attributes whose reading errors are shown to differ between subjects, by these labels."""
    doubt: str = ""  # why no reading is evidence about these images; empty where all are


EQUIVALENCE_LEVEL = 0.05
"""Size of each of the two one-sided tests of equivalence (Schuirmann 1987)."""


def _two_class(k: float, n: float, confusion: np.ndarray, level: float) -> Interval:
    """First of two classes, corrected for the classifier's errors (Lang & Reiczigel 2014)."""
    (a, b), (c, d) = confusion.astype(float)
    return lang_reiczigel(k, n, a, a + b, d, c + d, level)


def estimates(
    counts: np.ndarray, confusion: np.ndarray | None, seed: int, level: float = 0.95
) -> list[Interval]:
    """Shares of the classes with their intervals, from float[K] counts of labels.

    Corrected where the classifier's errors are known; else as they were read. Limits of three or
    more classes hold for all of them at once, corrected or not.
    """
    n = counts.sum()
    if confusion is None or n == 0:
        return plain_shares(counts, level)
    if len(counts) == 2:
        first = _two_class(counts[0], n, confusion, level)
        return [first, Interval(1 - first.estimate, 1 - first.high, 1 - first.low)]
    rng = np.random.default_rng(seed)
    return corrected_shares(counts, Confusion(confusion), rng, level=level)


def whole(reference: Reference, subject: str, attribute: Attribute) -> np.ndarray:
    """The reference's shares of all classes, float[K]; NaN where it says nothing of the subject.

    What it leaves open is spread evenly over the classes that it does not name.
    """
    shares = np.array([reference.share(subject, attribute.name, c) for c in attribute.classes])
    silent = np.isnan(shares)
    if silent.all():
        return shares
    shares[silent] = max(1 - np.nansum(shares), 0) / max(silent.sum(), 1)
    return np.asarray(shares / shares.sum())


def sight(reads: Sequence[Readings], confusion: np.ndarray | None) -> Sight:
    """How these subjects were seen: images, their similarity within prompts, and errors.

    The similarity is uncertain only for several subjects, whose claims are about other prompts too.
    """
    n = np.array([float(r.counts.sum()) for r in reads])
    effective = np.array([float(r.thinned.sum()) for r in reads])
    return Sight(n, effective, reads[0].free if len(reads) > 1 else 0, confusion)


def _own_labels(read: Readings, context: Context) -> tuple[np.ndarray, np.ndarray] | None:
    """Labels and readings int[n] of this subject alone, where a common correction would be wrong.

    None where errors are not shown to differ, or a class that was read has no label of it.
    """
    if read.attribute.name not in context.uneven:
        return None
    rows = context.labelled
    rows = rows[(rows.attribute == read.attribute.name) & (rows.subject == read.subject)]
    rows = rows[rows.arm == read.arm]
    place = {c: i for i, c in enumerate(read.attribute.classes)}
    true, seen = (rows[c].map(place).to_numpy(int) for c in ("value", "read"))
    labelled = np.bincount(seen, minlength=len(place))
    allowed = ((labelled > 0) | (read.counts == 0)) & (labelled <= read.counts)
    return (true, seen) if allowed.all() and len(rows) else None


def _estimator(read: Readings, context: Context) -> Callable[[float], list[Interval]]:
    """Shares of the classes at a level: by own labels where these are needed, else corrected."""
    own, thin, k = _own_labels(read, context), read.thinned, len(read.counts)
    if own is None:
        confusion = context.confusion.get(read.attribute.name)
        return lambda level: estimates(thin, confusion, context.seed, level)

    def by_people(level: float) -> list[Interval]:
        each, size = 1 - (1 - level) / (k if k > 2 else 1), float(thin.sum())
        return [stratified_share(*own, read.counts, i, each, size).interval for i in range(k)]

    return by_people


def subject_findings(read: Readings, context: Context) -> list[Finding]:
    """One finding per class of an attribute for one subject and arm.

    For two classes only the first is reported: the second is its complement.
    """
    classes = read.attribute.classes
    wide, narrow = map(
        _estimator(read, context), (context.level, context.level - EQUIVALENCE_LEVEL)
    )
    naive = plain_shares(read.counts)
    reported = classes[:1] if len(classes) == 2 else classes
    return [
        _class_finding(read, context, i, (wide[i], narrow[i], naive[i]))
        for i in range(len(reported))
    ]


def _method(read: Readings, context: Context) -> str:
    """How estimate and limits were computed."""
    several, known = len(read.counts) > 2, read.attribute.name in context.confusion
    if _own_labels(read, context) is not None:
        how = "people's labels of this subject, stratified by what was read"
    else:
        plain = "Goodman" if several else "Wilson"
        how = "corrected for classifier error" if known else plain
    how = say("{how}; limits of all classes at once", how=how) if several else how
    return (
        say("{how}; every person counts, images and prompts are clusters", how=how)
        if read.several
        else how
    )


def _class_finding(
    read: Readings, context: Context, i: int, found: tuple[Interval, Interval, Interval]
) -> Finding:
    wide, narrow, naive = found
    name, value = read.attribute.name, read.attribute.classes[i]
    n, missing = int(read.counts.sum()), len(read.rows) - len(read.labelled)
    worst = worst_case(int(read.counts[i]), n, missing)
    said = [(r, r.share(read.subject, name, value)) for r in context.references]
    references = {r.name: share for r, share in said if math.isfinite(share)}
    primary = next((r for r, share in said if math.isfinite(share)), None)
    target = math.nan if primary is None else references[primary.name]
    claim = Claim(
        Key("representation", read.arm, read.subject, name, "share", value), share_phrase(value),
        read.subject, "share", "people" if read.several else "images", _method(read, context),
    )  # fmt: skip
    effective = float(read.effective[i]) if n else math.nan
    made = finding(
        claim,
        wide,
        Counts(n, effective, missing, read.reasons),
        naive=naive.estimate,
        naive_low=naive.low,
        naive_high=naive.high,
        worst_low=worst[0],
        worst_high=worst[1],
        references=references,
        against=primary.name if primary else "",
        truth=context.truth.share(read.subject, name, value) if context.truth else math.nan,
        verdict=compared(wide, narrow, target, context.margin),
    )
    made = replace(made, sentence=_sentence(made, read, context))
    if primary is None or n == 0:
        return made
    shares = whole(primary, read.subject, read.attribute)
    return replace(
        made,
        p=_p(read, shares, i, context),
        family=f"{name} against {primary.name}, {read.arm}",
        floor=_floor(read, shares, i, context),
    )


def _p(read: Readings, shares: np.ndarray, i: int, context: Context) -> float:
    """p of the reference's share of class `i`, given its shares float[K].

    Exact binomial for labels that are taken as right; else with the uncertainty of the errors: that
    of the interval for two classes and for people's labels, integrated over the errors' posterior
    for more.
    """
    confusion, thin = context.confusion.get(read.attribute.name), read.thinned
    if (len(shares) == 2 and confusion is not None) or _own_labels(read, context) is not None:
        at = _estimator(read, context)
        return inverted_p(lambda level: at(level)[i], float(shares[i]))
    k, n = round(thin[i]), round(thin.sum())
    if confusion is None:
        return binomial_p(k, n, float(shares[i]))
    return mixed_binomial_p(k, n, *read_share(shares, confusion, i))


def _floor(read: Readings, shares: np.ndarray, i: int, context: Context) -> float:
    """Mean distance of class `i` from the reference in a faithful model, seen as this subject."""
    confusion = context.confusion.get(read.attribute.name)
    if confusion is None:
        return gap_floor(max(round(read.thinned.sum()), 1), float(shares[i]))
    made = faithful_estimates(
        shares[None], sight([read], confusion), _rng(context, read), draws_for(1, confusion)
    )
    return float(np.abs(made[:, 0, i] - shares[i]).mean())


def _rng(context: Context, read: Readings) -> np.random.Generator:
    seed = int(digest([read.subject, read.attribute.name, read.arm], 8), 16)
    return np.random.default_rng([context.seed, seed])


def _sentence(f: Finding, read: Readings, context: Context) -> str:
    """The claim in words, with what it is about and rests on where that is not the usual."""
    prompts = read.labelled.prompt.nunique()
    text = say(
        "{where}: {quantity} {share}, n = {n}",
        where=cap(f.where),
        quantity=f.quantity,
        share=estimate(f.estimate, f.low, f.high),
        n=f.n,
    )
    if read.several:
        text += say(" people in {images} images", images=read.images)
    if 0 < prompts < FEWEST:
        text += say(
            ", about {how} only",
            how="this prompt" if prompts == 1 else say("these {prompts} prompts", prompts=prompts),
        )
    if f.references:
        name, target = next(iter(f.references.items()))
        labels = {r.name: r.label for r in context.references}
        missed = unseen(f.verdict, least_seen(Interval(f.estimate, f.low, f.high)))
        text += say(
            ", against {target} ({labels}){missed}",
            target=percent(target),
            labels=labels[name],
            missed=missed,
        )
    if read.attribute.name in context.uneven and f.n:
        own = _own_labels(read, context) is not None
        used = "people's labels of this one are used" if own else "those of all are assumed here"
        text += say("; errors of reading differ between subjects, and {used}", used=used)
    return (
        say("{text}; {doubt}.", text=text, doubt=ours(context.doubt))
        if context.doubt
        else text + "."
    )


def findings(table: pd.DataFrame, context: Context, prompts: Mapping[str, int]) -> list[Finding]:
    """All representation findings of a table of attributes, arm by arm.

    `prompts` maps subject to its number of prompts; subjects are reported in that order. Findings
    on all subjects together come first, for each attribute and reference of the baseline.
    """
    out, together = list[Finding](), list[Finding]()
    for arm in arms(table.arm.unique()):
        for attribute in context.attributes:
            reads = readings(table, attribute, arm, prompts)
            found = [f for read in reads for f in subject_findings(read, context)]
            out += found
            if arm == BASELINE:
                together += _overall([r for r in reads if r.counts.sum()], found, context)
    return together + adjusted(out)


def observed(shares: np.ndarray, confusion: np.ndarray | None) -> np.ndarray:
    """Shares float[K] as the classifier reads them: through its errors, where they are known."""
    if confusion is None:
        return shares
    return np.asarray(shares @ (confusion / confusion.sum(1, keepdims=True)))


def _overall(
    reads: Sequence[Readings], found: Sequence[Finding], context: Context
) -> list[Finding]:
    """One attribute's subjects together, against each reference that any of them has."""
    by = {(f.key.subject, f.key.detail): f for f in found if math.isfinite(f.estimate)}
    known = [r for r in reads if (r.subject, r.attribute.classes[0]) in by]
    out: list[Finding] = []
    for reference in context.references:
        shares = [whole(reference, r.subject, r.attribute) for r in known]
        has = [i for i, s in enumerate(shares) if np.isfinite(s).all()]
        if has:
            picked = [known[i] for i in has]
            against = _against(picked, np.array([shares[i] for i in has]), by, reference, context)
            out += overall.findings(replace(against, first=not out, without=len(known) - len(has)))
    return out


def _against(
    reads: Sequence[Readings], shares: np.ndarray, by: Mapping[tuple[str, str], Finding],
    reference: Reference, context: Context,
) -> overall.Against:  # fmt: skip
    """Subjects and a reference's shares float[S, K] of them, compared class by class."""
    attribute = reads[0].attribute
    confusion = context.confusion.get(attribute.name)
    asked = [(i, c) for i, c in enumerate(attribute.classes) if (reads[0].subject, c) in by]
    rows = [
        overall.Row(
            read.subject, c, by[read.subject, c].estimate, float(target[i]),
            _p(read, target, i, context), by[read.subject, c].n, by[read.subject, c].missing,
        )
        for read, target in zip(reads, shares, strict=True) for i, c in asked
    ]  # fmt: skip
    seed = int(digest([attribute.name, reference.name], 8), 16)
    rng = np.random.default_rng([context.seed, seed])
    draws = draws_for(len(reads), confusion)
    made = faithful_estimates(shares, sight(reads, confusion), rng, draws)
    own = [s for s, read in enumerate(reads) if _own_labels(read, context) is not None]
    for s in own:  # estimated from labels: errors of their own, not the common ones
        made[:, s] = faithful_around(shares[s], _estimator(reads[s], context)(0.95), rng, len(made))
    at = [i for i, _ in asked]
    gaps = np.abs(made[..., at] - shares[:, at]).mean((1, 2))
    assumed = attribute.name in context.uneven and len(own) < len(reads)
    names = attribute.name, reference.name, reference.label
    return overall.Against(*names, True, rows, gaps, 0, assumed)
