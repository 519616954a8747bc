"""Whether people who labelled the same images agree: how often, and beyond chance.

Images that a person left open count neither for nor against: labels that were given are compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit.errors import figure, ours, say
from audit.findings.claim import Claim, Counts, finding
from audit.findings.wording import estimate
from audit.keys import BASELINE, Key, Unit
from audit.records import Finding
from audit.stats.agreement import (
    Agreement,
    Resampling,
    cohen_kappa,
    krippendorff_alpha,
    percent_agreement,
)
from audit.stats.interval import Interval

SCALE = "(1 is always, 0 is chance)"


@dataclass(frozen=True)
class _Raters:
    """The labels of one attribute: class indices int[images, raters], -1 where there is none."""

    attribute: str
    ratings: np.ndarray

    @property
    def name(self) -> str:
        return self.attribute.replace("_", " ")

    @property
    def count(self) -> int:
        return self.ratings.shape[1]

    def claim(self, kind: str, unit: Unit, quantity: str, method: str) -> Claim:
        """A claim about these raters."""
        key = Key("quality", BASELINE, "", self.attribute, kind)
        where = say("{name}: {count} raters", name=self.name, count=self.count)
        return Claim(key, quantity, where, unit, "images", method)


def findings(
    judged: pd.DataFrame, classes: Mapping[str, Sequence[str]], seed: int
) -> list[Finding]:
    """Agreement on each attribute that several people labelled, for its `classes` by name.

    `judged` has sample, attribute, rater and value, one row per judgement; a missing value means no
    label. Krippendorff's alpha and the share of equal labels for any number of raters, Cohen's
    kappa for two.
    """
    out = []
    for attribute, known in classes.items():
        rows = judged[judged.attribute == attribute] if len(judged) else judged
        if not len(rows) or rows.rater.nunique() < 2:
            continue
        codes = rows.assign(code=rows.value.map({c: i for i, c in enumerate(known)}))
        table = codes.pivot_table("code", "sample", "rater", dropna=False)
        raters = _Raters(attribute, table.fillna(-1).to_numpy(int))
        out += [_alpha(raters, seed), _share(raters, seed)]
        out += [_kappa(raters, seed)] if raters.count == 2 else []
    return out


def _alpha(raters: _Raters, seed: int) -> Finding:
    found = krippendorff_alpha(raters.ratings, Resampling(np.random.default_rng(seed)))
    claim = raters.claim(
        "agreement", "coefficient", "coefficient of agreement beyond chance, Krippendorff's alpha",
        "Krippendorff's alpha, nominal; percentile bootstrap over images",
    )  # fmt: skip
    return _finding(
        claim, found,
        say(
            "{count} raters of {name} {agree}, with alpha = {number} on {units} images {scale}.",
            count=raters.count, name=raters.name, agree=_agree(found.interval),
            number=_number(found.interval), units=found.units, scale=SCALE
        ),
    )  # fmt: skip


def _share(raters: _Raters, seed: int) -> Finding:
    found = percent_agreement(raters.ratings, Resampling(np.random.default_rng(seed)))
    ci = found.interval
    claim = raters.claim(
        "equal-labels", "share", "share of pairs of labels that are equal",
        "mean over images; percentile bootstrap over images, Wilson where all are equal",
    )  # fmt: skip
    return _finding(
        claim, found,
        say(
            "Raters of {name} give the same label in {share} of {units} images that at least two "
            "of them labelled.",
            name=raters.name, share=estimate(ci.estimate, ci.low, ci.high), units=found.units
        ),
    )  # fmt: skip


def _kappa(raters: _Raters, seed: int) -> Finding:
    found = cohen_kappa(raters.ratings, Resampling(np.random.default_rng(seed)))
    claim = raters.claim(
        "kappa", "coefficient", "coefficient of agreement beyond chance, Cohen's kappa",
        "Cohen's kappa, unweighted; percentile bootstrap over images",
    )  # fmt: skip
    return _finding(
        claim, found,
        say(
            "The two raters of {name} {agree}, with kappa = {number} on {units} images that both "
            "labelled {scale}.",
            name=raters.name, agree=_agree(found.interval), number=_number(found.interval),
            units=found.units, scale=SCALE
        ),
    )  # fmt: skip


def _agree(ci: Interval) -> str:
    """What a coefficient says in words: 0 is what chance would give."""
    low, high = (x if math.isfinite(x) else ci.estimate for x in (ci.low, ci.high))
    if low > 0:
        return ours("agree beyond chance")
    if high < 0:
        return ours("agree less often than by chance")
    return ours("may agree by chance alone")


def _number(ci: Interval) -> str:
    """A coefficient with its limits, if they are known."""
    limits = (
        say(" [{low}, {high}]", low=figure(f"{ci.low:.2f}"), high=figure(f"{ci.high:.2f}"))
        if math.isfinite(ci.low + ci.high)
        else ""
    )
    return figure(f"{ci.estimate:.2f}") + limits


def _finding(claim: Claim, found: Agreement, sentence: str) -> Finding:
    known = math.isfinite(found.interval.estimate)
    gone = {"fewer than two labels": found.left_out} if found.left_out else {}
    name = claim.key.attribute.replace("_", " ")
    return finding(
        claim,
        found.interval,
        Counts(found.units, float(found.units), found.left_out, gone),
        verdict="described" if known else "undecided",
        sentence=sentence
        if known
        else say(
            "Agreement on {name} is not known: {reason}.", name=name, reason=ours(found.reason)
        ),
    )
