"""How many images copy the training set: rates per unit, from a decision on each image.

Three units are always counted, because they differ: images, prompts and training images. What is
claimed of a single image (`copies.single`) counts whatever the rest are; images that may be copies
but cannot be flagged are in no estimate and in every upper limit. A descriptor of what images show
needs captions of held-out images before it shows copies among those of training captions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from audit.errors import figure, ours, say
from audit.evidence.copies import beside, flags
from audit.evidence.copies.facts import TRAINING, Control, DecisionFacts
from audit.findings.claim import Claim, Counts, arms, finding
from audit.findings.why import share
from audit.findings.wording import cap, p_equals, percent
from audit.findings.wording import estimate as worded
from audit.keys import BASELINE, Key
from audit.records import Finding, Prompt
from audit.stats.interval import Interval
from audit.stats.proportions import effective_n, wilson

UNKNOWN = DecisionFacts()
ALPHA = 0.05
"""Level of the sign test on whether a group contains copies at all."""


def findings(
    table: pd.DataFrame, prompts: Mapping[str, Prompt], seed: int,
    decided: DecisionFacts = UNKNOWN,
) -> list[Finding]:  # fmt: skip
    """Copy rates by level of repetition, for prompts without a known image, and the counts.

    `table` has MATCH_COLUMNS and, where known, `single`, what is claimed of an image alone, and
    after a twin's selection `chance`: images that are as much nearer to the held-out set. Captions
    of held-out images, repeated 0 times, are a control and have no rate. The rate of false flags
    holds for each rate that is printed; where arms differ, among few copies it is higher, and
    `chance` estimates how many flags are false (Barber & Candes 2015, eq. 1.8).
    """
    out = []
    purpose = table.prompt.map(lambda p: prompts[p].purpose)
    level = table.prompt.map(lambda p: prompts[p].repeats)
    for arm in arms(table.arm.unique()):
        here = table.arm == arm
        for repeats in sorted({int(r) for r in level[here].dropna() if r}):
            rows = table[here & (level == repeats)]
            times = "once" if repeats == 1 else say("{repeats} times", repeats=repeats)
            where = say("captions of images that the training set holds {times}", times=times)
            key = Key("replication", arm, "", "repeats", "rate", str(repeats))
            out.append(_rate(rows, key, where, seed, decided))
        plain = table[here & (purpose == "representation")]
        if len(plain):
            key = Key("replication", arm, "", "", "rate", "ordinary")
            out.append(_rate(plain, key, "ordinary prompts", seed, decided))
    return out + _units(table[table.arm == BASELINE])


def _rate(rows: pd.DataFrame, key: Key, where: str, seed: int, decided: DecisionFacts) -> Finding:
    known = _searched(rows)
    hits, alone, still = _copies(known), _alone(known), _open(known)
    clusters, n = pd.factorize(known.prompt)[0], len(known)
    ci, method = share(hits, clusters, seed)
    if still.any():
        most = share(hits | still, clusters, seed)[0]
        ci = Interval(ci.estimate, ci.low, max(most.high, float((hits | still).mean())))
        method += "; upper limit with images that cannot be flagged"
    control = _control(rows, decided)
    if control is not None:  # the rest of the images may be in doubt, or these
        decided = replace(decided, doubt=control.doubt)
    references = _error(known, hits & ~alone, decided)
    reasons = {str(o): int(c) for o, c in rows.outcome.value_counts().items() if o != "label"}
    if still.any():
        references["open"] = float(still.sum())
    quantity = "share of images that copy a training image"
    effective = effective_n(hits.astype(float), clusters) if n else math.nan
    made = "; ".join(x for x in (method, decided.words) if x)
    return finding(
        Claim(key, quantity, where, "share", "images", made),
        ci,
        Counts(n, effective, len(rows) - n, reasons),
        references=references,
        verdict="undecided" if not n else _found(known),
        sentence=_sentence(where, ci, known, references, decided)
        + _beside(known[hits])
        + _told(known, decided, control),
    )


def _error(known: pd.DataFrame, by_rate: np.ndarray, decided: DecisionFacts) -> dict[str, float]:
    """Counts beside a rate: flagged by it, false ones expected, and those that chance shows.

    The rate counts images, or matched training images each once where the rule does.
    """
    units = known.train[by_rate].nunique() if decided.by_match else int(by_rate.sum())
    out = {}
    if math.isfinite(decided.q) and not decided.doubt:
        out = {"flagged": float(by_rate.sum()), "expected false": decided.q * units}
    if "chance" in known and known.chance.notna().any():
        out["false"] = float(known.chance.sum())
    return out


def _sentence(
    where: str, ci: Interval, known: pd.DataFrame, errors: Mapping[str, float],
    decided: DecisionFacts,
) -> str:  # fmt: skip
    n, hits, alone, still = len(known), _copies(known), _alone(known), _open(known)
    text = say(
        "{where}: {size} of {n} images copy a training image.",
        where=cap(where),
        size=worded(ci.estimate, ci.low, ci.high),
        n=n,
    )
    if alone.any():
        text += say(
            " Of single images, {alone} are that training image, whatever the rate.",
            alone=int(alone.sum()),
        )
    by_rate = hits & ~alone
    if by_rate.any() and "expected false" in errors:
        trains = known.train[by_rate].nunique()
        unit = say("{n} images", n=int(by_rate.sum()))
        if decided.by_match:
            unit = say("{trains} matched training images, each counted once", trains=trains)
        false = figure(f"{errors['expected false']:.1f}".removesuffix(".0"))
        more = "more " if alone.any() else ""
        text += say(
            " {by_rate} {more}are flagged by the rate, which controls false flags: at most {false} "
            "of {unit} expected (q = {q}).",
            by_rate=int(by_rate.sum()),
            more=more,
            false=false,
            unit=unit,
            q=figure(f"{decided.q:g}"),
        )
    if "false" in errors and hits.any():
        text += say(
            " Images that chance puts as near to held-out ones: {errors}.",
            errors=int(errors["false"]),
        )
    if decided.doubt:
        text += say(" No rate can be decided: {doubt}.", doubt=ours(decided.doubt))
    elif still.any():
        text += say(
            " {still} more stand out but are too few to be flagged; the upper limit counts them.",
            still=int(still.sum()),
        )
    if decided.whole and n:
        text += say(" Only whole images were compared, not parts of them.")
    return text


def _beside(copies: pd.DataFrame) -> str:
    """How many of the flagged copies are copies by published thresholds, in words."""
    text = ""
    if "tiled" in copies and copies.tiled.notna().any():
        seen = copies.tiled.dropna()
        text += say(
            " Of {n} of them looked at, {near} have a tiled l2 of at most {most}",
            n=len(seen), near=int((seen <= beside.PIXELS).sum()), most=figure(str(beside.PIXELS))
        )  # fmt: skip
        second = copies.sscd.dropna()
        if len(second):
            text += say(
                " and {high} an SSCD cosine of at least {least}",
                high=int((second >= beside.SSCD).sum()), least=figure(str(beside.SSCD))
            )  # fmt: skip
        text += "."
    return text


def _control(rows: pd.DataFrame, decided: DecisionFacts) -> Control | None:
    """The control of these images where most are of training captions and need one; else None.

    A caption that images of both sides have is among those of its level, too.
    """
    captions = "caption" in rows and bool((rows.caption == TRAINING).mean() > 0.5)
    return decided.controls.get(str(rows.arm.iloc[0])) if captions else None


def _told(known: pd.DataFrame, decided: DecisionFacts, control: Control | None) -> str:
    """What a descriptor of what images show can tell here, and what the control shows."""
    if not (decided.semantic and len(known)) or (control is not None and control.doubt):
        return ""
    if control is None:
        return say(" This descriptor is of what images show: obeying a caption looks like copying.")
    text = say(
        " The control is {n} images of captions of {prompts} held-out images, of which {alike} are "
        "as near to held-out images",
        n=control.images, prompts=control.prompts, alike=percent(control.alike)
    )  # fmt: skip
    if control.p > ALPHA:
        return text + say(": no more copies are flagged than obeying a caption explains.")
    return text + say(": obeying a caption does not explain as many ({p}).", p=p_equals(control.p))


def _searched(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of images that were searched, with or without a decision."""
    return rows[(rows.outcome == "label") & rows.score.notna()]


def _alone(known: pd.DataFrame) -> np.ndarray:
    """bool[n]: images of which it is claimed alone that they are a training image."""
    if "single" not in known:
        return np.zeros(len(known), bool)
    return np.asarray(known.single.fillna("") != "", bool)


def _copies(known: pd.DataFrame) -> np.ndarray:
    """bool[n]: flagged copies, by the rate or alone."""
    return flags.flagged(known["copy"]) | _alone(known)


def _open(known: pd.DataFrame) -> np.ndarray:
    """bool[n]: images that may be copies, without a decision."""
    return ~flags.decided(known["copy"]) & ~_alone(known)


def _found(known: pd.DataFrame) -> str:
    """Whether copies are shown: more prompts with flags than expected by chance (sign test).

    One image that is a training image shows it alone; none is shown to be absent while some cannot
    be flagged.
    """
    if _alone(known).any():
        return "found"
    calls = pd.Series(_copies(known), known.index).groupby(known.prompt).sum()
    if not calls.any():
        return "undecided" if _open(known).any() else "not found"
    if "chance" not in known or known.chance.isna().all():
        return "found"  # a control, if there is one, was passed before anything was flagged
    chance = known.chance.astype("boolean").fillna(False).astype(bool)
    beyond = calls - chance.groupby(known.prompt).sum()
    more, less = int((beyond > 0).sum()), int((beyond < 0).sum())
    p = binomtest(more, more + less, alternative="greater").pvalue if more + less else 1.0
    return "found" if p <= ALPHA else "undecided"


def _units(table: pd.DataFrame) -> list[Finding]:
    """Distinct prompts and distinct training images among the copies, as plain counts."""
    known = _searched(table)
    hits, alone, still = _copies(known), _alone(known), _open(known)
    copies, more = known[hits], known[hits | still]
    missing = len(table) - len(known)
    out = []
    for key, what, k, most, n in (
        ("images", "generated images that copy", len(copies), len(more), len(known)),
        ("single", "generated images that are a training image, claimed one by one",
         int(alone.sum()), int(alone.sum()), len(known)),
        ("prompts", "prompts with at least one copy", copies.prompt.nunique(),
         more.prompt.nunique(), known.prompt.nunique()),
        ("training-images", "distinct training images copied", copies.train.nunique(),
         more.train.nunique(), len(known)),
    ):  # fmt: skip
        if key == "single" and "single" not in known:
            continue
        limits, method = (math.nan, math.nan), "count"
        if key in ("images", "prompts"):
            limits = (n * wilson(k, n).low, n * wilson(most, n).high)
            method = "count; interval by Wilson, scaled to n"
        claim = Claim(Key("replication", BASELINE, "", "", "count", key), what, "whole run",
                      "count", "images", method)  # fmt: skip
        verdict = "found" if k else ("undecided" if most or not n else "not found")
        of = "" if key == "training-images" else say(" of {n}", n=n)
        text = say("{what}: {k}{of}.", what=cap(what), k=k, of=of)
        if most > k:
            text += say(" Up to {most} with those that cannot be flagged.", most=most)
        out.append(
            finding(claim, Interval(float(k), *limits),
                    Counts(n, missing=missing),
                    verdict=verdict, sentence=text)
        )  # fmt: skip
    return out
