"""How often images are nearer to the side whose caption they obey: training against held-out.

A model that copies nothing and obeys its prompts draws images of training captions nearer to
training images as often as images of held-out captions nearer to held-out images. What is beyond
this may be copying.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.errors import say
from audit.evidence.copies.facts import HELD, TRAINING
from audit.findings.claim import Claim, Counts, arms, finding
from audit.findings.common import Common
from audit.findings.groups import ENDS, changed
from audit.findings.wording import change as worded
from audit.findings.wording import p_equals, percent
from audit.keys import Key
from audit.records import Finding
from audit.stats.decisions import verdict
from audit.stats.interval import Interval
from audit.stats.noninferiority import FEWEST

NEARER = "nearer"


def findings(matches: pd.DataFrame) -> list[Finding]:
    """For each arm with captions of both sides, the difference of the two rates.

    `matches` has MATCH_COLUMNS and, where captions were compared, `caption`, TRAINING, HELD or "",
    and `toward`, above 0 where an image is nearer to the side whose caption it is.
    """
    if "caption" not in matches:
        return []
    rows = matches.assign(subject="", value=np.where(matches.toward > 0, NEARER, "further"))
    rows.loc[rows.toward.isna() & (rows.outcome == "label"), "outcome"] = "not compared"
    return [f for arm in arms(rows.arm.unique()) if (f := _of_arm(rows[rows.arm == arm], arm))]


def _of_arm(rows: pd.DataFrame, arm: str) -> Finding | None:
    held, train = (rows[rows.caption == side] for side in (HELD, TRAINING))
    known = [side[side.outcome == "label"].prompt.nunique() for side in (held, train)]
    if not all(known):
        return None
    sides = Common(held, train, rows.iloc[:0])
    c = changed(sides, sides, NEARER, ENDS)
    ci, (other, own) = c.change(0.95), c.shares
    if min(known) < FEWEST:
        ci = Interval(ci.estimate, math.nan, math.nan)
    claim = Claim(
        Key("replication", arm, "", "", "obedience"),
        "difference of how often images are nearer to the side whose caption they obey",
        "captions of training images against captions of held-out images", "points", "images",
        say("equal numbers of images of both sides; {method}", method=c.method),
    )  # fmt: skip
    size = Counts(c.n, c.n_effective, c.missing, c.reasons)
    f = finding(claim, ci, size, references={"training": own, "held-out": other}, p=c.p,
                verdict=verdict(ci, 0))  # fmt: skip
    return replace(f, sentence=say(
        "For captions of training images {own} of images are nearer to training images, for "
        "captions of held-out images {other} to held-out images ({size}, {p}); obedience alone "
        "makes both alike.",
        own=percent(own), other=percent(other), size=worded(ci.estimate, ci.low, ci.high),
        p=p_equals(c.p)
    ))  # fmt: skip
