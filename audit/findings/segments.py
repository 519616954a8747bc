"""Which part of an image copies a training image: the person, the background, both or neither.

Both parts of every image are decided on, by the twin rule at half the rate each: false flags are
expected to be at most a rate q of all flagged parts, however the two depend on each other
(Bonferroni over parts), and at most q / 2 of those of either part. The four classes are those of
FB-Mem (arXiv 2508.12148).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from audit.errors import figure, ours, say
from audit.evidence.copies import flags
from audit.evidence.copies.facts import DecisionFacts
from audit.evidence.copies.segments import BACKGROUND, FOREGROUND, PARTS
from audit.findings.claim import Claim, Counts, arms, finding
from audit.findings.copied import GROUPS
from audit.findings.why import share
from audit.findings.wording import cap
from audit.findings.wording import estimate as worded
from audit.keys import Key
from audit.records import Finding, Prompt
from audit.stats.interval import Interval
from audit.stats.proportions import effective_n

CLASSES: Mapping[str, tuple[bool, bool]] = {
    "both": (True, True), "foreground": (True, False), "background": (False, True),
    "neither": (False, False),
}  # fmt: skip
"""Whether the foreground and the background are flagged, by class."""
QUANTITIES = {
    "both": "share of images whose person and background copy training images",
    "foreground": "share of images whose person alone copies a training image",
    "background": "share of images whose background alone copies a training image",
    "neither": "share of images of which no part is flagged or open",
}


def findings(
    table: pd.DataFrame, prompts: Mapping[str, Prompt], seed: int,
    decided: Mapping[str, DecisionFacts],
) -> list[Finding]:  # fmt: skip
    """The shares of the four classes, for captions and for ordinary prompts of every arm.

    `table` has SEGMENT_COLUMNS, `decided` how each part was decided. An image of which a part is
    missing is missing. One of which a part may be a copy and cannot be flagged is in no estimate,
    and in the upper limit of every class that it may belong to. Captions of held-out images are a
    control and in no share.
    """
    purpose = table.prompt.map(lambda p: prompts[p].purpose)
    control = table.prompt.map(lambda p: prompts[p].repeats == 0)
    spoken = table.prompt.map(lambda p: prompts[p].turn is not None)
    out: list[Finding] = []
    for arm in arms(table.arm.unique()):
        for name, group in GROUPS.items():
            rows = table[(table.arm == arm) & (purpose == name) & ~spoken & ~control]
            if len(rows):
                out += _classes(rows, arm, group, seed, decided)
    return out


def _classes(
    rows: pd.DataFrame, arm: str, group: tuple[str, str], seed: int,
    decided: Mapping[str, DecisionFacts],
) -> Iterator[Finding]:  # fmt: skip
    known = rows[rows.outcome == "label"]
    reasons = {str(o): int(c) for o, c in rows.outcome.value_counts().items() if o != "label"}
    clusters = pd.factorize(known.prompt)[0]
    surely = {p: flags.flagged(known[p]) for p in PARTS}
    maybe = {p: surely[p] | ~flags.decided(known[p]) for p in PARTS}
    still = np.any([maybe[p] & ~surely[p] for p in PARTS], axis=0)
    for name, wanted in CLASSES.items():
        sides = tuple(zip(PARTS, wanted, strict=True))
        could = np.all([maybe[p] if yes else ~surely[p] for p, yes in sides], axis=0)
        hits = could & ~still
        ci, method = share(hits, clusters, seed)
        if still.any():
            most = share(could, clusters, seed)[0]
            ci = Interval(ci.estimate, ci.low, max(most.high, float(could.mean())))
            method += "; upper limit with images that cannot be flagged"
        rules = (say("person: {rule}", rule=ours(decided[FOREGROUND].words)),
                 say("background: {rule}", rule=ours(decided[BACKGROUND].words)))  # fmt: skip
        references = {"flagged": float(hits.sum())}
        if still.any():
            references["open"] = float(still.sum())
        if name == "both":
            same = known[f"{FOREGROUND}_train"] == known[f"{BACKGROUND}_train"]
            references["same"] = float((same.to_numpy() & hits).sum())
        effective = effective_n(hits.astype(float), clusters) if len(known) else math.nan
        yield finding(
            Claim(Key("replication", arm, "", group[0], "segments", name), QUANTITIES[name],
                  group[1], "share", "images", "; ".join([method, *rules])),
            ci, Counts(len(known), effective, len(rows) - len(known), reasons),
            references=references,
            verdict=_verdict(name, hits, could),
            sentence=_sentence(name, group[1], ci, len(known), references, decided),
        )  # fmt: skip


def _verdict(name: str, hits: np.ndarray, could: np.ndarray) -> str:
    if name == "neither":
        return ""
    if hits.any():
        return "found"
    return "undecided" if could.any() or not len(hits) else "not found"


def _sentence(
    name: str, where: str, ci: Interval, n: int, references: Mapping[str, float],
    decided: Mapping[str, DecisionFacts],
) -> str:  # fmt: skip
    about = dict(where=cap(where), size=worded(ci.estimate, ci.low, ci.high), n=n)
    if name == "both":
        text = say(
            "{where}: in {size} of {n} images person and background both copy a training image; "
            "in {same} of them it is the same one.",
            same=int(references["same"]), **about,
        )  # fmt: skip
    elif name == "foreground":
        text = say(
            "{where}: in {size} of {n} images the person copies a training image and the "
            "background does not.", **about,
        )  # fmt: skip
    elif name == "background":
        text = say(
            "{where}: in {size} of {n} images the background copies a training image and the "
            "person does not.", **about,
        )  # fmt: skip
    else:
        text = say("{where}: for {size} of {n} images no part is flagged or open.", **about)
    q = decided[FOREGROUND].q + decided[BACKGROUND].q
    if name != "neither" and references["flagged"]:
        text += say(
            " At most a share of {q} of all flagged parts is expected to be false, and half of "
            "that in either part.", q=figure(f"{q:g}"),
        )  # fmt: skip
    for part, words in ((FOREGROUND, "people"), (BACKGROUND, "backgrounds")):
        if decided[part].doubt:
            text += say(
                " Nothing can be decided about {parts}: {doubt}.",
                parts=words, doubt=ours(decided[part].doubt),
            )  # fmt: skip
    if "open" in references and not any(decided[p].doubt for p in PARTS):
        text += say(
            " {still} more stand out but are too few to be flagged; the upper limit counts them.",
            still=int(references["open"]),
        )
    return text
