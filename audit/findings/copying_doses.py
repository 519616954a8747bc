"""How much of an arm does how much copying: rates of copies at each dose, on the same noise.

Guidance is what people turn first. Somepalli et al. 2023b (Understanding and Mitigating Copying in
Diffusion Models, NeurIPS, sec. 4) change what is learned; here the model stays as it is, and each
caption is drawn from the same noise at each scale, so that a difference between two scales is that
of the scale alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from audit.findings.why import share
from audit.findings.wording import cap
from audit.findings.wording import change as words
from audit.findings.wording import estimate as worded
from audit.records import BASELINE, Finding, Mitigation, Prompt
from audit.stats.decisions import verdict
from audit.stats.paired import mcnemar, paired_bootstrap
from audit.stats.proportions import effective_n

FEWEST = 3
"""Scales, the run's own among them, that make a row of doses; two are a comparison."""


def of_guidance(own: float, arms: tuple[Mitigation, ...]) -> dict[str, float]:
    """Guidance scale by arm: the run's own, and that of every arm that sets another."""
    others = {m.name: float(m.options["scale"]) for m in arms if m.method == "guidance"}
    return {BASELINE: own, **others}


def findings(
    matches: pd.DataFrame, doses: Mapping[str, float], prompts: Mapping[str, Prompt], seed: int
) -> list[Finding]:
    """Share of captions' images that copy at each dose, by level of repetition, and its change.

    `matches` has MATCH_COLUMNS with `copy` decided; `doses` gives the guidance of each arm. Only
    captions and noises that were drawn and read at every dose count, so that all shares are of the
    same ones; nothing is said of fewer than FEWEST doses.
    """
    captions = {p for p, known in prompts.items() if known.purpose == "replication"}
    rows = matches[matches.prompt.isin(captions) & matches.arm.isin(list(doses))]
    arms = sorted(set(rows.arm), key=lambda a: (doses[a], a))
    if BASELINE not in arms or len({doses[a] for a in arms}) < FEWEST:
        return []
    known = rows[rows.outcome == "label"]
    wide = known.pivot_table(index=["prompt", "seed"], columns="arm", values="copy", aggfunc="max")
    wide = wide.reindex(columns=arms).dropna().astype(float)
    asked = len(rows[["prompt", "seed"]].drop_duplicates())
    repeats = wide.index.get_level_values("prompt").map(lambda p: prompts[p].repeats)
    out = []
    for arm in arms:
        out.append(_rate(wide[arm], arm, doses[arm], None, asked - len(wide), seed))
        for level in sorted({int(r) for r in repeats.dropna()}):
            out.append(_rate(wide[arm][repeats == level], arm, doses[arm], level, 0, seed))
    return [*out, _change(wide, doses, asked - len(wide), seed)]


def _rate(
    hits: pd.Series, arm: str, dose: float, level: int | None, missing: int, seed: int
) -> Finding:
    """One dose, of all captions or of one level of repetition."""
    values, clusters = hits.to_numpy(), pd.factorize(hits.index.get_level_values("prompt"))[0]
    ci, method = share(values, clusters, seed)
    times = "" if level is None else " held once" if level == 1 else f" held {level} times"
    where = f"captions of training images{times}, guidance {dose:g}"
    key = "all" if level is None else f"repeats={level}"
    return Finding(
        id=f"replication/doses/guidance/{arm}/{key}", section="replication", where=where,
        quantity="share of images that copy a training image", estimate=ci.estimate, low=ci.low,
        high=ci.high, n=len(values),
        n_effective=effective_n(values, clusters) if len(values) else math.nan, missing=missing,
        reasons={"not read at every guidance": missing} if missing else {},
        method=f"same captions and noise at each guidance; {method}", arm=arm,
        verdict="described" if len(values) else "undecided",
        sentence=f"{cap(where)}: {worded(ci.estimate, ci.low, ci.high)} of {len(values)} images "
        "copy a training image.",
    )  # fmt: skip


def _change(wide: pd.DataFrame, doses: Mapping[str, float], missing: int, seed: int) -> Finding:
    """From the lowest dose to the highest, pair by pair."""
    first, last = wide.columns[0], wide.columns[-1]
    before, after = wide[first].to_numpy(), wide[last].to_numpy()
    clusters = pd.factorize(wide.index.get_level_values("prompt"))[0]
    change = paired_bootstrap(after - before, clusters, np.random.default_rng(seed))
    where = f"captions of training images, guidance {doses[first]:g} to {doses[last]:g}"
    won, lost = int((after > before).sum()), int((after < before).sum())
    return Finding(
        id="replication/doses/guidance/change", section="replication", where=where,
        quantity="change in the rate of copies", estimate=change.estimate, low=change.low,
        high=change.high, n=len(wide), n_effective=float(len(set(clusters))), missing=missing,
        method="paired by noise; cluster bootstrap by prompt; exact McNemar", arm=BASELINE,
        p=mcnemar(lost, won) if len(wide) else math.nan, verdict=verdict(change, 0),
        sentence=f"{cap(where)}: the rate of copies changes by "
        f"{words(change.estimate, change.low, change.high)}, n = {len(wide)} pairs.",
    )  # fmt: skip
