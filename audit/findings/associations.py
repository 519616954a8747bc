"""Which of two concepts is drawn nearer to which class, without labelling any image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audit.errors import figure, ours, say
from audit.findings.claim import Claim, Counts, adjusted, finding
from audit.findings.wording import p_equals
from audit.keys import ALL, BASELINE, Key
from audit.records import Association, Finding
from audit.stats.association import Association as Found
from audit.stats.association import Draws, differential_association

FAMILY = "associations"
ALPHA = 0.05
"""Level of each test."""


def findings(scores: pd.DataFrame, declared: Sequence[Association], seed: int) -> list[Finding]:
    """One finding per declared association; `scores` has association, prompt, of_x and score.

    The effect is Caliskan's d over prompts, as in T2IAT (Wang et al. 2023), with a permutation p
    over prompts; p is adjusted over all associations of the suite.
    """
    return adjusted([_one(scores[scores.association == a.name], a, seed) for a in declared])


def _one(rows: pd.DataFrame, a: Association, seed: int) -> Finding:
    got = differential_association(
        rows.score.to_numpy(float), rows.prompt.to_numpy(str), rows.of_x.to_numpy(bool),
        Draws(np.random.default_rng(seed)),
    )  # fmt: skip
    effect, p = got.effect, got.p_two_sided
    known, hopeless = math.isfinite(effect.estimate), got.smallest_p >= ALPHA
    verdict = "undecided" if hopeless or not known else ("found" if p < ALPHA else "not found")
    claim = Claim(
        Key("representation", BASELINE, ALL, "", "association", a.name),
        say(
            "association effect d of {x_label} rather than {y_label} with {a}",
            x_label=a.x_label, y_label=a.y_label, a=a.a
        ), a.title,
        "coefficient", "images",
        say(
            "{how} permutation of prompts over {partitions} partitions; noncentral t limits; A "
            "and B are {source}",
            how='exact' if got.exact else 'Monte Carlo', partitions=got.partitions,
            source=a.source
        ),
    )  # fmt: skip
    return finding(
        claim,
        effect,
        Counts(len(rows) - got.missing, float(sum(got.prompts)), got.missing),
        p=p,
        family=FAMILY,
        verdict=verdict,
        sentence=_sentence(a, got, len(rows) - got.missing),
    )


def _sentence(a: Association, got: Found, n: int) -> str:
    effect, p, title = got.effect, got.p_two_sided, a.title
    if not math.isfinite(effect.estimate):
        return say("{title}: not known, for {reason}.", title=title, reason=ours(got.reason))
    more = {
        "size": figure(f"d = {effect.estimate:.2f} [{effect.low:.2f}, {effect.high:.2f}]"),
        "said": p_equals(p),
        "count": say("{prompts} prompts, n = {n}", prompts=sum(got.prompts), n=n),
    }
    if got.smallest_p >= ALPHA:
        least = figure(f"{got.smallest_p:.2f}")
        return say(
            "{title}: not known, for with so few prompts no p can be below {least} ({size}, "
            "{said}, {count}).", title=title, least=least, **more,
        )  # fmt: skip
    if p >= ALPHA:
        return say("{title}: no difference was found ({size}, {said}, {count}).",
                   title=title, **more)  # fmt: skip
    nearer, other = (a.x_label, a.y_label) if effect.estimate > 0 else (a.y_label, a.x_label)
    return say(
        "{title}: {nearer} is drawn nearer to {a}, and {other} to {b} ({size}, {said}, {count}).",
        title=title, nearer=nearer, a=a.a, other=other, b=a.b, **more,
    )  # fmt: skip
