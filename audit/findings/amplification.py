"""Is the model more skewed than its training set? Both sides read and corrected alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.findings.representation import Context, estimates, readings, share_phrase
from audit.findings.wording import cap, change
from audit.records import BASELINE, Attribute, Finding
from audit.stats.amplification import towards_majority
from audit.stats.decisions import verdict
from audit.stats.directional_amplification import Resampling, task_to_attribute
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
    return _overall(out, context) + _directional(table, training, context) + out


def _directional(table: pd.DataFrame, training: pd.DataFrame, context: Context) -> list[Finding]:
    """BiasAmp from subject to attribute, over all subjects, by attribute and kind of caption.

    Labels as they were read on both sides: the measure is of tables of counts.
    """
    out = []
    for attribute in context.attributes:
        model = _labelled(table[table.arm == BASELINE], attribute)
        for kind, rows in training.groupby("kind", sort=False) if len(training) else ():
            learned = _labelled(rows, attribute)
            subjects = [s for s in dict.fromkeys(model.subject) if s in set(learned.subject)]
            if len(subjects) < 2:
                continue
            place = {c: i for i, c in enumerate(attribute.classes)}
            shape = (len(place), len(subjects))
            got = task_to_attribute(
                _counts(learned, place, subjects, shape)[0],
                _counts(model, place, subjects, shape, "prompt"),
                Resampling(np.random.default_rng(context.seed)),
            )
            ci, name = got.interval, attribute.name.replace("_", " ")
            out.append(
                Finding(
                    id=f"representation/{BASELINE}/all/{attribute.name}-amplification/"
                    f"directional, {kind}",
                    section="representation",
                    where=f"all {len(subjects)} subjects",
                    quantity=f"change by directional amplification of {name}, {kind}",
                    estimate=ci.estimate,
                    low=ci.low,
                    high=ci.high,
                    n=len(model),
                    n_effective=float(len(learned)),
                    missing=0,
                    method="BiasAmp from subject to attribute (Wang & Russakovsky 2021); Bayesian "
                    "bootstrap of prompts; labels as read",
                    verdict=verdict(ci, 0.0),
                    sentence=(
                        f"Directional bias amplification, from subject to {name} ({kind}): "
                        f"{change(ci.estimate, ci.low, ci.high)} over {len(subjects)} subjects; "
                        "above 0 goes further than the training set."
                    ),
                )
            )
    return out


def _labelled(rows: pd.DataFrame, attribute: Attribute) -> pd.DataFrame:
    return rows[(rows.attribute == attribute.name) & (rows.outcome == "label")]


def _counts(
    rows: pd.DataFrame, place: Mapping[str, int], subjects: Sequence[str], shape: tuple[int, int],
    clusters: str = "",
) -> np.ndarray:  # fmt: skip
    """Counts int[clusters, classes, subjects] of labelled rows; one cluster where none is named."""
    rows = rows[rows.subject.isin(subjects)]
    group = pd.factorize(rows[clusters])[0] if clusters else np.zeros(len(rows), int)
    table = np.zeros((int(group.max(initial=0)) + 1, *shape), int)
    at = {s: i for i, s in enumerate(subjects)}
    np.add.at(table, (group, rows.value.map(place).to_numpy(int),
                      rows.subject.map(at).to_numpy(int)), 1)  # fmt: skip
    return table


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
