"""How groups are shown: differences between prompts that differ only in the group that they state.

After GEP (Zhang et al. 2023, arXiv 2302.03675), which compares how often attributes of presentation
appear. Pairs share their noise, so what differs follows from the stated group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from audit.errors import figure, say
from audit.findings.claim import Claim, adjusted, controlled, finding, side_by_side
from audit.findings.pairs import clusters, counts, judged, paired_p, too_few
from audit.findings.representation import Context
from audit.findings.wording import cap, change, p_equals
from audit.keys import ALL, BASELINE, Key, both
from audit.records import Attribute, Finding, Prompt
from audit.stats.change import through_errors, youden
from audit.stats.decisions import verdict
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.noninferiority import FEWEST, mean_change, share_change
from audit.stats.paired import no_change

SHOWN, NUDITY = "what is shown of stated groups", "nudity of stated groups"
"""Families."""
SKEW = (
    "The score has a skew of its own: it holds one company's idea of nudity in 2016, bare skin and "
    "tight clothes raise it, and classifiers of its kind have a bias of gender and of style "
    "(Riccio et al. 2024). It is compared within this run, and no image is left out for it."
)


def findings(
    table: pd.DataFrame, nudity: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]
) -> list[Finding]:
    """Differences in attributes, then in the nudity score, between stated groups of the baseline.

    `table` has ATTRIBUTE_COLUMNS, `nudity` NUDITY_COLUMNS. Each kind is a family under Holm's
    control.
    """
    shares = [f for a in context.attributes for f in _shares(table, a, context, prompts)]
    scores = [f for a in context.attributes for f in _scores(nudity, a, prompts)]
    told = controlled(adjusted(scores))
    return [
        *controlled(adjusted(shares)),
        *(replace(f, sentence=say("{text} {skew}", text=f.sentence, skew=SKEW)) for f in told),
    ]


def _groups(
    table: pd.DataFrame, attribute: Attribute, prompts: Mapping[str, Prompt]
) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Each pair of groups, and its images in pairs; `prompt` is the frame that both share."""
    if not len(table):
        return
    said = {i: p.states.get(attribute.name, "") for i, p in prompts.items() if p.grouped}
    rows = table[(table.arm == BASELINE) & table.prompt.isin([i for i, g in said.items() if g])]
    frames = {i: prompts[i].frame for i in said}
    rows = rows.assign(arm=rows.prompt.map(said), prompt=rows.prompt.map(frames))
    shown = [c for c in attribute.classes if (rows.arm == c).any()]
    more = ["attribute"] if "attribute" in rows else []
    for groups in combinations(shown, 2):
        yield groups, side_by_side(rows, groups, *more)


def _key(stated: Attribute, kind: str, *detail: str) -> Key:
    return Key("representation", BASELINE, ALL, stated.name, kind, " ".join(detail))


def _shares(
    table: pd.DataFrame, stated: Attribute, context: Context, prompts: Mapping[str, Prompt]
) -> Iterator[Finding]:
    """Every class of every other attribute; of two classes, the first."""
    for groups, pairs in _groups(table, stated, prompts):
        for attribute in context.attributes:
            rows = pairs[pairs.attribute == attribute.name]
            if attribute.name == stated.name or not len(rows):
                continue
            classes = attribute.classes
            for value in classes[:1] if len(classes) == 2 else classes:
                key = _key(stated, "shown", both(both(attribute.name, value, "="),
                           both(*groups, "+"), " "))  # fmt: skip
                errors = context.confusion.get(attribute.name)
                yield _share(rows, key, (attribute.name, value), groups, errors)


def _share(
    rows: pd.DataFrame, key: Key, what: tuple[str, str], groups: tuple[str, str],
    errors: np.ndarray | None,
) -> Finding:  # fmt: skip
    """Change of the share of a class from the first group to the second, on the same noise."""
    kept = rows[(rows.outcome_base == "label") & (rows.outcome_arm == "label")]
    one, two = ((kept[f"value_{s}"] == what[1]).to_numpy(bool) for s in ("base", "arm"))
    at = clusters(kept)
    seen = share_change(one, two, at)
    if len(np.unique(at)) < FEWEST:
        seen = Interval(seen.estimate, math.nan, math.nan)
    true, how = _behind(seen, errors)
    naive = seen if how else UNKNOWN
    claim = Claim(
        key,
        say("difference in the share of {value} ({name})", value=what[1],
            name=what[0].replace("_", " ")),
        _less(groups), "points", "pairs",
        f"paired by seed; Newcombe's limits with the design effect of prompts{how}",
    )  # fmt: skip
    size = counts(kept, rows)
    p = paired_p(two.astype(float) - one, at) if len(kept) else math.nan
    made = finding(
        claim, true, size, p=p, family=SHOWN, verdict=judged(true, size, "pairs", verdict(true, 0)),
        references={g: float(x.mean()) for g, x in zip(groups, (one, two), strict=True) if len(x)},
        naive=naive.estimate, naive_low=naive.low, naive_high=naive.high,
    )  # fmt: skip
    return _said(made, change(true.estimate, true.low, true.high), "no pair has both labels")


def _less(groups: tuple[str, str]) -> str:
    return say("{two} less {one}, where the prompt says so", two=groups[1], one=groups[0])


def _behind(seen: Interval, errors: np.ndarray | None) -> tuple[Interval, str]:
    """The difference behind a reader's errors, where they are known, of two classes."""
    if errors is None or len(errors) != 2:
        return seen, ""
    (a, b), (c, d) = errors.astype(float)
    found = through_errors(seen, youden(a, a + b, d, c + d))
    return found, "; corrected for classifier error"


def _said(f: Finding, words: str, reason: str) -> Finding:
    """The finding with its sentence: both groups, the difference, how sure."""
    if not math.isfinite(f.estimate):
        said = say("not known: {reason}", reason=reason)
    else:
        tested = say(", {p}", p=p_equals(f.p)) if math.isfinite(f.p) else ""
        said = say("{size}, n = {n} pairs{too_few}{tested}", size=words, n=f.n, too_few=too_few(f),
                   tested=tested)  # fmt: skip
    text = say("{where}: {quantity} {said}.", where=cap(f.where), quantity=f.quantity, said=said)
    return replace(f, sentence=text)


def _scores(
    table: pd.DataFrame, stated: Attribute, prompts: Mapping[str, Prompt]
) -> Iterator[Finding]:
    """Mean difference of the nudity score, from the first group to the second."""
    for groups, rows in _groups(table, stated, prompts):
        gap = (rows.score_arm - rows.score_base).to_numpy(float)
        kept = rows[np.isfinite(gap)]
        gap, at = gap[np.isfinite(gap)], clusters(kept)
        found = mean_change(gap, at) if len(kept) else UNKNOWN
        size = counts(kept, rows)
        sums = np.bincount(at, weights=gap) if len(kept) else np.zeros(0)
        p = no_change(sums, np.random.default_rng(0)) if len(sums) >= FEWEST else math.nan
        claim = Claim(
            _key(stated, "nudity", both(*groups, "+")), "difference in the mean nudity score",
            _less(groups), "coefficient", "pairs",
            "paired by seed; Student's t over prompts; flips of signs of prompts",
        )  # fmt: skip
        made = finding(claim, found, size, p=p, family=NUDITY,
                       verdict=judged(found, size, "pairs", verdict(found, 0)))  # fmt: skip
        limits = f" [{found.low:+.3f}, {found.high:+.3f}]" if math.isfinite(found.low) else ""
        yield _said(made, figure(f"{found.estimate:+.3f}{limits}"), "no pair has both scores")
