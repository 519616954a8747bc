"""Dose and copying: rates of copies at each dose of an arm, on the same noise.

Guidance is the setting that users change first. Somepalli et al. 2023b (Understanding and
Mitigating Copying in Diffusion Models, NeurIPS, sec. 4) change training; here the model is
unchanged, and each caption is drawn from the same noise at each scale, so a difference between two
scales is due to the scale alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from audit.errors import figure, say
from audit.evidence.copies import flags
from audit.findings.claim import Claim, Counts, finding
from audit.findings.why import share
from audit.findings.wording import cap, p_equals, percent
from audit.findings.wording import estimate as worded
from audit.keys import BASELINE, Key
from audit.records import Finding, Mitigation, Prompt
from audit.stats.interval import Interval
from audit.stats.paired import exchanged_columns
from audit.stats.proportions import effective_n

FEWEST = 3
"""Smallest number of scales, the run's own included, for a dose series; two are a comparison."""
LEVEL = 0.05
GUIDANCE = "guidance"
"""The method whose dose is examined."""


def of_guidance(own: float, arms: tuple[Mitigation, ...]) -> dict[str, float]:
    """Guidance scale by arm: the run's own, and that of every arm that sets another."""
    others = {m.name: float(m.options["scale"]) for m in arms if m.method == GUIDANCE}
    return {BASELINE: own, **others}


def findings(
    matches: pd.DataFrame, doses: Mapping[str, float], prompts: Mapping[str, Prompt], seed: int
) -> list[Finding]:
    """Share of captions' images that copy at each dose, by level of repetition, and their spread.

    `matches` has MATCH_COLUMNS; `doses` gives the guidance of each arm. Only
    captions and noises that were drawn and read at every dose count, so all shares have the same
    base; there are no findings for fewer than FEWEST doses.
    """
    captions = {p for p, x in prompts.items() if x.purpose == "replication" and x.repeats != 0}
    rows = matches[matches.prompt.isin(captions) & matches.arm.isin(list(doses))]
    arms = sorted(set(rows.arm), key=lambda a: (doses[a], a))
    if BASELINE not in arms or len({doses[a] for a in arms}) < FEWEST:
        return []
    known = rows[(rows.outcome == "label") & flags.decided(rows["copy"])]
    known = known.assign(copy=flags.flagged(known["copy"]).astype(float))
    wide = known.pivot_table(index=["prompt", "seed"], columns="arm", values="copy", aggfunc="max")
    wide = wide.reindex(columns=arms).dropna()
    asked = len(rows[["prompt", "seed"]].drop_duplicates())
    repeats = wide.index.get_level_values("prompt").map(lambda p: prompts[p].repeats)
    out = []
    for arm in arms:
        out.append(_rate(wide[arm], arm, doses[arm], None, asked - len(wide), seed))
        out += [
            _rate(wide[arm][repeats == level], arm, doses[arm], level, 0, seed)
            for level in sorted({int(r) for r in repeats.dropna()})
        ]
    return [*out, _spread(wide, asked - len(wide), seed)]


def _rate(
    hits: pd.Series, arm: str, dose: float, level: int | None, missing: int, seed: int
) -> Finding:
    """One dose, for all captions or for one level of repetition."""
    values, clusters = hits.to_numpy(), pd.factorize(hits.index.get_level_values("prompt"))[0]
    ci, method = share(values, clusters, seed)
    often = "once" if level == 1 else say("{level} times", level=level)
    times = "" if level is None else say(" that occur {often}", often=often)
    where = say(
        "captions of training images{times}, guidance {dose}", times=times, dose=figure(f"{dose:g}")
    )
    about = ("", "all") if level is None else ("repeats", str(level))
    claim = Claim(
        Key("replication", arm, "", about[0], "doses", about[1]),
        "share of images that copy a training image", where, "share", "images",
        say("same captions and noise at each guidance; {method}", method=method),
    )  # fmt: skip
    size = Counts(
        len(values), effective_n(values, clusters) if len(values) else math.nan, missing,
        {"not read at every guidance": missing} if missing else {},
    )  # fmt: skip
    return finding(
        claim, ci, size, verdict="described" if len(values) else "undecided",
        sentence=say(
            "{where}: {size} of {n} images copy a training image.",
            where=cap(where), size=worded(ci.estimate, ci.low, ci.high), n=len(values)
        ),
    )  # fmt: skip


def _spread(wide: pd.DataFrame, missing: int, seed: int) -> Finding:
    """Whether copying depends on the dose at all, monotonically or not.

    The largest difference has no interval: its two doses were chosen after seeing the data.
    """
    rates = wide.mean()
    by_prompt = wide.groupby(level="prompt").mean().to_numpy()
    p = exchanged_columns(by_prompt, np.random.default_rng(seed))
    found = math.isfinite(p) and p <= LEVEL
    where = "captions of training images, between guidance scales"
    evidence = p_equals(p) if math.isfinite(p) else "no images"
    means = say(
        "{low} at the lowest, {high} at the highest rate",
        low=percent(rates.min()),
        high=percent(rates.max()),
    )
    says = "depends" if found else "is not shown to depend"
    claim = Claim(
        Key("replication", BASELINE, "", "", "doses", "spread"),
        "change in the rate of copies between scales, largest", where, "points", "images",
        "scales exchanged within prompts",
    )  # fmt: skip
    return finding(
        claim, Interval(float(rates.max() - rates.min()), math.nan, math.nan),
        Counts(len(wide), float(len(by_prompt)), missing), p=p,
        verdict="found" if found else "not found" if math.isfinite(p) else "undecided",
        sentence=say(
            "{where}: the rate of copies {says} on guidance ({means}, {evidence}, n = {n} images "
            "at each).",
            where=cap(where), says=says, means=means, evidence=evidence, n=len(wide)
        ),
    )  # fmt: skip
