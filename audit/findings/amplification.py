"""Is the model more skewed than its training set? Both are read and corrected the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.errors import say
from audit.findings.claim import Claim, Counts, finding
from audit.findings.pairs import judged, too_few
from audit.findings.readings import Readings, readings
from audit.findings.representation import Context, estimates
from audit.findings.wording import cap, change, share_phrase
from audit.keys import ALL, BASELINE, Key
from audit.records import Attribute, Finding
from audit.stats.amplification import towards_majority
from audit.stats.decisions import verdict
from audit.stats.directional_amplification import Resampling, task_to_attribute
from audit.stats.interval import Interval
from audit.stats.noninferiority import mean_change


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
                out.append(_finding(read, str(kind), model, rows, context))
    return _overall(out, context) + _directional(table, training, context) + out


def _directional(table: pd.DataFrame, training: pd.DataFrame, context: Context) -> list[Finding]:
    """BiasAmp from subject to attribute, over all subjects, by attribute and kind of caption.

    Uncorrected labels on both sides: the measure is defined for tables of counts.
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
            prompts = float(model[model.subject.isin(subjects)].prompt.nunique())
            claim = Claim(
                _key(ALL, attribute, f"directional, {kind}"),
                say(
                    "change by directional amplification of {name}, {kind}",
                    name=name, kind=kind
                ),
                say("all {n} subjects", n=len(subjects)), "points", "images",
                "BiasAmp from subject to attribute (Wang & Russakovsky 2021); Bayesian bootstrap "
                "of prompts; labels as read",
            )  # fmt: skip
            out.append(
                finding(
                    claim,
                    ci,
                    Counts(len(model), float(len(learned))),
                    verdict=judged(ci, Counts(effective=prompts), "images", verdict(ci, 0.0)),
                    sentence=(
                        say(
                            "Directional bias amplification, from subject to {name} ({kind}): "
                            "{size} over {n} subjects; above 0 goes further than the training "
                            "set.",
                            name=name,
                            kind=kind,
                            size=change(ci.estimate, ci.low, ci.high),
                            n=len(subjects),
                        )
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
    """Counts int[clusters, classes, subjects] of labelled rows; one cluster without `clusters`."""
    rows = rows[rows.subject.isin(subjects)]
    group = pd.factorize(rows[clusters])[0] if clusters else np.zeros(len(rows), int)
    table = np.zeros((int(group.max(initial=0)) + 1, *shape), int)
    at = {s: i for i, s in enumerate(subjects)}
    np.add.at(table, (group, rows.value.map(place).to_numpy(int),
                      rows.subject.map(at).to_numpy(int)), 1)  # fmt: skip
    return table


def _key(subject: str, attribute: Attribute, kind: str) -> Key:
    return Key("representation", BASELINE, subject, attribute.name, "amplification", kind)


def _finding(
    read: Readings, kind: str, model: Interval, rows: pd.DataFrame, context: Context
) -> Finding:
    """Amplification of one subject against its captions of one kind."""
    labelled, attribute = rows[rows.outcome == "label"], read.attribute
    k, n = int((labelled.value == attribute.classes[0]).sum()), len(labelled)
    errors = context.confusion.get(attribute.name)
    learned = estimates(np.array([k, n - k], float), errors, context.seed, context.level)[0]
    found = towards_majority(model, learned)
    share, images = share_phrase(attribute.classes[0]), int(read.counts.sum())
    claim = Claim(
        _key(read.subject, attribute, kind), say(
            "change of {share} against training, {kind}",
            share=share, kind=kind
        ),
        read.subject, "points", "images",
        say("{kind}; MOVER on two corrected shares, towards the training majority", kind=kind),
    )  # fmt: skip
    says = "whether the model amplifies is not known"
    if math.isfinite(found.estimate):
        says = say(
            "the {share} is {size} further towards the training majority than in training "
            "images ({kind})",
            share=share,
            size=change(found.estimate, found.low, found.high),
            kind=kind,
        )
    return finding(
        claim,
        found,
        Counts(images, float(n), len(rows) - n),
        naive=learned.estimate,
        naive_low=learned.low,
        naive_high=learned.high,
        verdict=verdict(found, 0.0),
        sentence=say(
            "{subject}: {says}, n = {images}.", subject=cap(read.subject), says=says, images=images
        ),
    )


def _overall(found: list[Finding], context: Context) -> list[Finding]:
    """Mean amplification over subjects, by attribute and kind."""
    out = []
    for attribute in context.attributes:
        mine = [f for f in found if f.key.attribute == attribute.name]
        for kind in dict.fromkeys(f.key.detail for f in mine):
            rows = [f for f in mine if f.key.detail == kind and math.isfinite(f.estimate)]
            if len(rows) >= 3:
                out.append(_mean(rows, attribute, kind))
    return out


def _mean(rows: list[Finding], attribute: Attribute, kind: str) -> Finding:
    """The mean over subjects with Student's t limits, for at least five of them."""
    values, name = np.array([f.estimate for f in rows]), attribute.name.replace("_", " ")
    mean = mean_change(values, np.arange(len(rows)), shares=True)
    claim = Claim(
        _key(ALL, attribute, kind), say(
            "change of {name} shares against training, {kind}",
            name=name, kind=kind
        ),
        say("all {n} subjects", n=len(rows)), "points", "subjects",
        "mean over subjects; Student's t over subjects",
    )  # fmt: skip
    size = Counts(sum(f.n for f in rows), float(len(rows)))
    made = finding(claim, mean, size, verdict=judged(mean, size, "subjects", verdict(mean, 0.0)))
    return replace(
        made,
        sentence=(
            say(
                "Against training images ({kind}), {name} shares move {size} towards the "
                "training majority, on average over {n} subjects{too_few}.",
                kind=kind,
                name=name,
                size=change(mean.estimate, mean.low, mean.high),
                n=len(rows),
                too_few=too_few(made),
            )
        ),
    )
