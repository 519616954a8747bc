"""Who appears when the prompt does not say: shares by subject, against declared references."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.findings.wording import estimate, percent, plural
from audit.records import BASELINE, Attribute, Finding, Reference
from audit.stats.correction import Confusion, corrected_shares, lang_reiczigel
from audit.stats.decisions import binomial_p, verdict
from audit.stats.floors import gap_floor
from audit.stats.interval import Interval
from audit.stats.multiplicity import benjamini_hochberg
from audit.stats.proportions import effective_n, goodman, wilson


@dataclass(frozen=True)
class Context:
    """What the estimates need beside the table of attributes."""

    attributes: Sequence[Attribute]
    references: Sequence[Reference]
    """The first one that speaks of a quantity is what its verdict is about."""
    confusion: Mapping[str, np.ndarray]
    """Classifier errors: attribute to int[K, K], rows true, columns predicted."""
    truth: Reference | None
    seed: int


def share_phrase(value: str) -> str:
    """`share of women`, `share of dark`."""
    return f"share of {plural(value) if value in ('woman', 'man') else value}"


def _two_class(k: int, n: int, confusion: np.ndarray) -> Interval:
    """First of two classes, corrected for the classifier's errors (Lang & Reiczigel 2014)."""
    right, total = np.diag(confusion), confusion.sum(1)
    return lang_reiczigel(k, n, int(right[0]), int(total[0]), int(right[1]), int(total[1]))


def _corrected(counts: np.ndarray, confusion: np.ndarray | None, seed: int) -> list[Interval]:
    n = int(counts.sum())
    if confusion is None or n == 0:
        return [wilson(int(k), n) for k in counts] if len(counts) == 2 else goodman(counts)
    if len(counts) == 2:
        first = _two_class(int(counts[0]), n, confusion)
        other = Interval(1 - first.estimate, 1 - first.high, 1 - first.low)
        return [first, other]
    return corrected_shares(counts, Confusion(confusion), np.random.default_rng(seed))


def observed_share(share: float, others: np.ndarray, confusion: np.ndarray | None, i: int) -> float:
    """The share that the classifier would report of class `i` if the reference held.

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


def subject_findings(
    table: pd.DataFrame, attribute: Attribute, subject: str, arm: str, context: Context
) -> list[Finding]:
    """One finding per class of an attribute for one subject and arm.

    `table` holds the rows of that subject, arm and attribute. For two classes only the first is
    reported: the second is its complement.
    """
    labelled = table[table.outcome == "label"]
    counts = labelled.value.value_counts().reindex(list(attribute.classes), fill_value=0).to_numpy()
    n, missing = int(counts.sum()), len(table) - len(labelled)
    reasons = {str(k): int(v) for k, v in table.outcome.value_counts().items() if k != "label"}
    confusion = context.confusion.get(attribute.name)
    corrected = _corrected(counts, confusion, context.seed)
    naive = [wilson(int(k), n) for k in counts] if len(counts) == 2 else goodman(counts)
    reported = attribute.classes[:1] if len(attribute.classes) == 2 else attribute.classes
    found = []
    for i, value in enumerate(reported):
        references = {
            r.name: r.share(subject, attribute.name, value)
            for r in context.references
            if math.isfinite(r.share(subject, attribute.name, value))
        }
        primary = next(iter(references), None)
        target = references[primary] if primary else math.nan
        whole = np.full(len(counts), math.nan)
        if primary:
            source = next(r for r in context.references if r.name == primary)
            whole = np.array([source.share(subject, attribute.name, c) for c in attribute.classes])
        expected = observed_share(target, whole, confusion, i)
        hits = (labelled.value == value).to_numpy(float)
        clusters = pd.factorize(labelled.prompt)[0]
        found.append(
            Finding(
                id=f"representation/{arm}/{subject}/{attribute.name}={value}",
                section="representation",
                where=subject,
                quantity=share_phrase(value),
                estimate=corrected[i].estimate,
                low=corrected[i].low,
                high=corrected[i].high,
                n=n,
                n_effective=effective_n(hits, clusters) if n else math.nan,
                missing=missing,
                reasons=reasons,
                method="Wilson" if confusion is None else "corrected for classifier error",
                arm=arm,
                naive=naive[i].estimate,
                naive_low=naive[i].low,
                naive_high=naive[i].high,
                references=references,
                truth=context.truth.share(subject, attribute.name, value)
                if context.truth
                else math.nan,
                p=binomial_p(int(counts[i]), n, expected) if n and primary else math.nan,
                family=f"{attribute.name} against {primary}, {arm}" if primary else "",
                floor=gap_floor(n, target) if n and primary else math.nan,
                verdict=verdict(corrected[i], target),
            )
        )
    return found


def with_q(findings: list[Finding]) -> list[Finding]:
    """Benjamini-Hochberg inside each declared family, and the sentence that states the claim."""
    out = list(findings)
    for family in sorted({f.family for f in findings if f.family}):
        at = [i for i, f in enumerate(findings) if f.family == family]
        for i, q in zip(at, benjamini_hochberg(np.array([findings[i].p for i in at])), strict=True):
            out[i] = replace(out[i], q=float(q))
    return [replace(f, sentence=_sentence(f)) for f in out]


def _sentence(f: Finding) -> str:
    text = f"{f.where.capitalize()}: {f.quantity} {estimate(f.estimate, f.low, f.high)}, n = {f.n}"
    if f.references:
        name, target = next(iter(f.references.items()))
        text += f", against {percent(target)} ({name})"
    return text + "."


def findings(table: pd.DataFrame, context: Context, prompts: Mapping[str, int]) -> list[Finding]:
    """All representation findings of a table of attributes, arm by arm.

    `prompts` maps subject to its number of prompts; subjects are reported in that order.
    """
    out: list[Finding] = []
    for arm in _arms(table):
        for attribute in context.attributes:
            part = table[(table.arm == arm) & (table.attribute == attribute.name)]
            for subject in prompts:
                rows = part[part.subject == subject]
                if len(rows):
                    out += subject_findings(rows, attribute, subject, arm, context)
    out = with_q(out)
    return _overall(out, context) + out


def _arms(table: pd.DataFrame) -> list[str]:
    names = [str(a) for a in table.arm.unique()]
    return sorted(names, key=lambda a: (a != BASELINE, a))


def _overall(findings: list[Finding], context: Context) -> list[Finding]:
    """Per attribute: mean distance from the primary reference, beside its fair floor."""
    out = []
    for attribute in context.attributes:
        rows = [
            f
            for f in findings
            if f.arm == BASELINE and f.references and f"/{attribute.name}=" in f.id and f.n
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
        out.append(
            Finding(
                id=f"representation/{BASELINE}/all/{attribute.name}-gap",
                section="representation",
                where=f"all {len({f.where for f in rows})} subjects",
                quantity=f"mean distance of {attribute.name.replace('_', ' ')} shares from {name}",
                estimate=float(gaps.mean()),
                low=low,
                high=high,
                n=sum(f.n for f in rows) // max(1, len(rows) // len({f.where for f in rows})),
                n_effective=float(len({f.where for f in rows})),
                missing=sum(f.missing for f in rows),
                method="mean absolute gap; percentile bootstrap over subjects",
                floor=floor,
                verdict="above" if low > floor else "compatible",
                sentence=(
                    f"{attribute.name.replace('_', ' ').capitalize()} shares lie on average "
                    f"{100 * gaps.mean():.0f} points [{100 * low:.0f}, {100 * high:.0f}] from the "
                    f"{name} shares (a perfectly faithful model would score {100 * floor:.0f} at "
                    f"this n); {differ} of {len(rows)} comparisons differ after "
                    "Benjamini-Hochberg at 5 %."
                ),
            )
        )
    return out
