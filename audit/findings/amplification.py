"""Is the model more skewed than its training set? Both sides read and corrected alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.findings.representation import Context, estimates, readings, share_phrase
from audit.findings.wording import cap, change
from audit.records import BASELINE, Attribute, Finding
from audit.stats.amplification import towards_majority
from audit.stats.decisions import verdict
from audit.stats.interval import Interval


def findings(
    table: pd.DataFrame, training: pd.DataFrame, context: Context, prompts: Mapping[str, int]
) -> list[Finding]:
    """Amplification per subject and kind of caption, and on average over subjects.

    `training` has subject, attribute, kind, outcome, value. Attributes of two classes only.
    """
    out: list[Finding] = []
    for attribute in context.attributes:
        if len(attribute.classes) != 2 or training.empty:
            continue
        for read in readings(table, attribute, BASELINE, prompts):
            own = training[
                (training.subject == read.subject) & (training.attribute == attribute.name)
            ]
            errors = context.confusion.get(attribute.name)
            model = estimates(read.thinned, errors, context.seed, context.level)[0]
            for kind, rows in own.groupby("kind", sort=False):
                f = _finding(attribute, str(kind), model, rows, context)
                f = replace(f, where=read.subject, n=int(read.counts.sum()))
                stem = f"representation/{BASELINE}/{read.subject}/{attribute.name}"
                f = replace(f, id=f"{stem}-amplification/{kind}")
                out.append(replace(f, sentence=_sentence(f, str(kind))))
    return _overall(out, context) + out


def _sentence(f: Finding, kind: str) -> str:
    if not math.isfinite(f.estimate):
        return f"{cap(f.where)}: whether the model amplifies is not known, n = {f.n}."
    return (
        f"{cap(f.where)}: the {f.quantity.removeprefix('change of ').split(' against')[0]} "
        f"lies {change(f.estimate, f.low, f.high)} further on the training majority's side than "
        f"in training images ({kind}), n = {f.n}."
    )


def _finding(
    attribute: Attribute, kind: str, model: Interval, rows: pd.DataFrame,
    context: Context,
) -> Finding:  # fmt: skip
    labelled = rows[rows.outcome == "label"]
    first = attribute.classes[0]
    k, n = int((labelled.value == first).sum()), len(labelled)
    errors = context.confusion.get(attribute.name)
    learned = estimates(np.array([k, n - k], float), errors, context.seed, context.level)[0]
    found = towards_majority(model, learned)
    return Finding(
        id="",
        section="representation",
        where="",
        quantity=f"change of {share_phrase(first)} against training, {kind}",
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        n=0,
        n_effective=float(n),
        missing=len(rows) - n,
        method=f"{kind}; MOVER on two corrected shares, towards the training majority",
        naive=learned.estimate,
        naive_low=learned.low,
        naive_high=learned.high,
        verdict=verdict(found, 0.0),
    )


def _overall(found: list[Finding], context: Context) -> list[Finding]:
    """Mean amplification over subjects, by attribute and kind, resampling subjects."""
    out = []
    stems = dict.fromkeys(tuple(f.id.split("/")[-2:]) for f in found)
    for name, kind in stems:
        rows = [f for f in found if f.id.endswith(f"/{name}/{kind}") and math.isfinite(f.estimate)]
        if len(rows) < 3:
            continue
        values = np.array([f.estimate for f in rows])
        rng = np.random.default_rng(context.seed)
        means = rng.choice(values, (4000, len(values))).mean(1)
        low, high = (float(v) for v in np.quantile(means, (0.025, 0.975)))
        attribute = name.removesuffix("-amplification").replace("_", " ")
        mean = float(values.mean())
        out.append(
            Finding(
                id=f"representation/{BASELINE}/all/{name}/{kind}",
                section="representation",
                where=f"all {len(rows)} subjects",
                quantity=f"change of {attribute} shares against training, {kind}",
                estimate=mean,
                low=low,
                high=high,
                n=sum(f.n for f in rows),
                n_effective=float(len(rows)),
                missing=0,
                method="mean over subjects; percentile bootstrap over subjects",
                verdict=verdict(Interval(mean, low, high), 0.0),
                sentence=(
                    f"Against training images ({kind}), {attribute} shares move "
                    f"{change(mean, low, high)} towards the training majority, on average over "
                    f"{len(rows)} subjects."
                ),
            )
        )
    return out
