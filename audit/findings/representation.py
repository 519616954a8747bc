"""Who appears when the prompt does not say: shares by subject, compared with references."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from audit.findings.claim import Claim, Counts, adjusted, arms, finding
from audit.findings.wording import cap, estimate, percent, share_phrase
from audit.keys import ALL, BASELINE, Key
from audit.records import Attribute, Finding, Reference
from audit.stats.correction import Confusion, corrected_shares, lang_reiczigel
from audit.stats.decisions import binomial_p, compared
from audit.stats.floors import gap_floor
from audit.stats.interval import Interval
from audit.stats.proportions import effective_n, intraclass, plain_shares, worst_case


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


def observed_share(share: float, others: np.ndarray, confusion: np.ndarray | None, i: int) -> float:
    """The share of class `i` that the classifier would report if the reference were true.

    `others` is the whole reference, float[K]; without it (NaN) the rest is spread evenly.
    """
    if confusion is None or not math.isfinite(share):
        return share
    shares = others.copy()
    if not np.isfinite(shares).all():
        shares = np.full(len(others), (1 - share) / (len(others) - 1))
        shares[i] = share
    rates = confusion / confusion.sum(1, keepdims=True)
    return float(np.clip(shares @ rates[:, i], 0, 1))


@dataclass(frozen=True)
class Readings:
    """Labels of one attribute in one subject's images of one arm."""

    attribute: Attribute
    subject: str
    arm: str
    rows: pd.DataFrame
    correlation: Mapping[str, float]
    """Correlation of two images of the same prompt, by class; NaN where unknown."""

    @cached_property
    def labelled(self) -> pd.DataFrame:
        """The rows that have a label."""
        return self.rows[self.rows.outcome == "label"]

    @cached_property
    def counts(self) -> np.ndarray:
        """Labels by class, int[K], in the order of the fixed class list."""
        found = self.labelled.value.value_counts()
        return np.asarray(found.reindex(list(self.attribute.classes), fill_value=0).to_numpy())

    @cached_property
    def effective(self) -> np.ndarray:
        """Effective sample size by class, float[K]; NaN where unknown."""
        clusters = pd.factorize(self.labelled.prompt)[0]
        values = self.labelled.value.to_numpy(object)
        hits = {c: (values == c).astype(float) for c in self.attribute.classes}
        return np.array([effective_n(hits[c], clusters, self.correlation[c]) for c in hits])

    @property
    def thinned(self) -> np.ndarray:
        """Counts scaled to the effective sample size, float[K]: images of a prompt are a cluster.

        The smallest of the classes' sizes is used; where all are unknown, the number of images.
        """
        known = self.effective[np.isfinite(self.effective)]
        n = self.counts.sum()
        return self.counts * (known.min() / n if len(known) else 1.0)

    @property
    def reasons(self) -> dict[str, int]:
        """Images without a label by reason."""
        found = self.rows.outcome.value_counts().items()
        return {str(k): int(v) for k, v in found if k != "label"}


def readings(
    table: pd.DataFrame, attribute: Attribute, arm: str, subjects: Iterable[str]
) -> list[Readings]:
    """The readings of each subject that has any, with the correlation within prompts.

    The correlation is pooled over subjects: a few prompts of one subject say too little.
    """
    part = table[(table.arm == arm) & (table.attribute == attribute.name)]
    labelled = part[part.outcome == "label"]
    clusters, strata = (pd.factorize(labelled[c])[0] for c in ("prompt", "subject"))
    values = labelled.value.to_numpy(object)
    correlation = {
        c: intraclass((values == c).astype(float), clusters, strata) for c in attribute.classes
    }
    rows = {str(s): r for s, r in part.groupby("subject", sort=False)}
    return [Readings(attribute, s, arm, rows[s], correlation) for s in subjects if s in rows]


def subject_findings(read: Readings, context: Context) -> list[Finding]:
    """One finding per class of an attribute for one subject and arm.

    For two classes only the first is reported: the second is its complement.
    """
    classes = read.attribute.classes
    confusion = context.confusion.get(read.attribute.name)
    wide, narrow = (
        estimates(read.thinned, confusion, context.seed, level)
        for level in (context.level, context.level - EQUIVALENCE_LEVEL)
    )
    naive = plain_shares(read.counts)
    reported = classes[:1] if len(classes) == 2 else classes
    return [
        _class_finding(read, context, i, (wide[i], narrow[i], naive[i]))
        for i in range(len(reported))
    ]


def _class_finding(
    read: Readings, context: Context, i: int, found: tuple[Interval, Interval, Interval]
) -> Finding:
    wide, narrow, naive = found
    name, value = read.attribute.name, read.attribute.classes[i]
    n, missing = int(read.counts.sum()), len(read.rows) - len(read.labelled)
    worst = worst_case(int(read.counts[i]), n, missing)
    stated = [(r, r.share(read.subject, name, value)) for r in context.references]
    references = {r.name: share for r, share in stated if math.isfinite(share)}
    primary = next((r for r, share in stated if math.isfinite(share)), None)
    target = math.nan if primary is None else references[primary.name]
    confusion = context.confusion.get(name)
    method = "Wilson" if confusion is None else "corrected for classifier error"
    if len(read.counts) > 2:
        method = f"{'Goodman' if confusion is None else method}; limits of all classes at once"
    claim = Claim(
        Key("representation", read.arm, read.subject, name, "share", value), share_phrase(value),
        read.subject, "share", "images", method,
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
    if primary is None or n == 0:
        return made
    whole = np.array([primary.share(read.subject, name, c) for c in read.attribute.classes])
    expected = observed_share(target, whole, confusion, i)
    thin = read.thinned
    return replace(
        made,
        p=binomial_p(round(thin[i]), round(thin.sum()), expected),
        family=f"{name} against {primary.name}, {read.arm}",
        floor=gap_floor(n, target),
    )


def with_q(findings: list[Finding]) -> list[Finding]:
    """Benjamini-Hochberg inside each declared family, and the sentence that states the claim."""
    return [replace(f, sentence=_sentence(f)) for f in adjusted(findings)]


def _sentence(f: Finding) -> str:
    text = f"{cap(f.where)}: {f.quantity} {estimate(f.estimate, f.low, f.high)}, n = {f.n}"
    if f.references:
        name, target = next(iter(f.references.items()))
        text += f", against {percent(target)} ({name})"
    return text + "."


def findings(table: pd.DataFrame, context: Context, prompts: Mapping[str, int]) -> list[Finding]:
    """All representation findings of a table of attributes, arm by arm.

    `prompts` maps subject to its number of prompts; subjects are reported in that order.
    """
    out: list[Finding] = []
    for arm in arms(table.arm.unique()):
        for attribute in context.attributes:
            for read in readings(table, attribute, arm, prompts):
                out += subject_findings(read, context)
    out = with_q(out)
    return _overall(out, context) + out


def observed(shares: np.ndarray, confusion: np.ndarray | None) -> np.ndarray:
    """Shares float[K] as the classifier reads them: through its errors, where they are known."""
    if confusion is None:
        return shares
    return np.asarray(shares @ (confusion / confusion.sum(1, keepdims=True)))


def _overall(findings: list[Finding], context: Context) -> list[Finding]:
    """Per attribute: mean distance from the primary reference, with its fair floor."""
    out = []
    for attribute in context.attributes:
        rows = [
            f
            for f in findings
            if f.arm == BASELINE and f.references and f.key.attribute == attribute.name and f.n
        ]
        if len(rows) < 2:
            continue
        gaps = np.array([abs(f.estimate - next(iter(f.references.values()))) for f in rows])
        rng = np.random.default_rng(context.seed)
        draws = rng.choice(gaps, (4000, len(gaps))).mean(1)
        low, high = (float(v) for v in np.quantile(draws, (0.025, 0.975)))
        name = next(iter(rows[0].references))
        differ = sum(f.q < 0.05 for f in rows)
        floor = float(np.mean([f.floor for f in rows]))
        subjects = len({f.key.subject for f in rows})
        claim = Claim(
            Key("representation", BASELINE, ALL, attribute.name, "gap"),
            f"mean distance of {attribute.name.replace('_', ' ')} shares from {name}",
            f"all {subjects} subjects", "distance", "subjects",
            "mean absolute gap; percentile bootstrap over subjects",
        )  # fmt: skip
        n = sum(f.n for f in rows) // max(1, len(rows) // subjects)
        out.append(
            finding(
                claim,
                Interval(float(gaps.mean()), low, high),
                Counts(n, float(subjects), sum(f.missing for f in rows)),
                floor=floor,
                verdict="above" if low > floor else "compatible",
                sentence=(
                    f"{cap(attribute.name.replace('_', ' '))} shares differ on average "
                    f"by {100 * gaps.mean():.0f} points [{100 * low:.0f}, {100 * high:.0f}] from "
                    f"the {name} shares (a perfectly faithful model would score "
                    f"{100 * floor:.0f} at this n); {differ} of {len(rows)} comparisons differ "
                    "after Benjamini-Hochberg at 5 %."
                ),
            )
        )
    return out
