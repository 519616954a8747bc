"""Why a model copied: known factors of images, captions and prompts associated with copying.

The table is the matches (MATCH_COLUMNS) with one more numeric column for each factor known to the
caller, joined by `train` (the nearest training image) or by `prompt`; NaN where unknown:

- `repeats` (always there) and `duplicates`: how often the training set contains the nearest image,
  alone and with its near-duplicates (Carlini et al. 2023, sec. 4.4; Somepalli et al. 2023b);
- `tokens` and `captions`: how long the prompt is, and how many training captions it matches: the
  more specific a caption, the more it is a key to one image (Somepalli et al. 2023b, sec. 5);
- `entropy`, `jpeg`, `variation`, `mixed`: how complex the nearest training image is (Somepalli et
  al. 2023a, sec. 7).

These are associations, one factor at a time. Plain images are nearer to any image, copied or not:
where there is a held-out twin, `measure="excess"` removes this effect.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.errors import figure, ours, say, unknown
from audit.evidence.copies import flags
from audit.evidence.copies.obedience import spelled
from audit.findings.claim import Claim, Counts, adjusted, arms, finding
from audit.findings.wording import NOT_KNOWN, cap, cosine_change, p_equals, p_value
from audit.findings.wording import estimate as worded
from audit.keys import Key
from audit.records import Finding
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import cluster_bootstrap, effective_n, wilson
from audit.stats.rank_correlation import Draws, clustered_spearman

LEVELS = 4
"""Up to this many distinct values are separate levels; more are cut into thirds."""
THIRDS = ("low", "middle", "high")
MEASURES = {
    "score": "similarity to the training set",
    "excess": "similarity to the training set beyond that to the held-out set",
}


@dataclass(frozen=True)
class Factor:
    """A numeric column of the table, and its name in a sentence."""

    column: str
    title: str


FACTORS = (
    Factor("repeats", "the count of the nearest image in the training set"),
    Factor("duplicates", "the count of the nearest image and its near-duplicates"),
    Factor("tokens", "the length of the prompt in tokens"),
    Factor("captions", "the number of training captions that match the prompt"),
    Factor("entropy", "the entropy of the nearest training image"),
    Factor("jpeg", "the size of the nearest training image as a JPEG"),
    Factor("variation", "the total variation of the nearest training image"),
    Factor("mixed", "the entropy times root size of the nearest training image"),
)


def findings(
    table: pd.DataFrame, seed: int, measure: str = "score", factors: Sequence[Factor] = FACTORS
) -> list[Finding]:
    """For each arm and factor with a column: rank correlation, then copies by level.

    Spearman's rho of the factor with the measure over images, limits and p by whole prompts, p
    adjusted over the arm's factors (Benjamini & Hochberg 1995); then the share of copies at each
    level of the factor, or the mean measure where copies have not been decided. Raises UserError
    for an unknown measure.
    """
    if measure not in MEASURES:
        raise unknown("measure", measure, MEASURES)
    values = table.score - table.held_score if measure == "excess" else table.score
    table = table.assign(measure=values.astype(float))
    out: list[Finding] = []
    for arm in arms(table.arm.unique()):
        rows = table[table.arm == arm]
        here = [f for f in factors if f.column in rows]
        found = [_correlation(rows, f, measure, arm, seed) for f in here]
        rhos = adjusted([f for f, _ in found])
        for factor, rho, (_, reason) in zip(here, rhos, found, strict=True):
            out.append(_judged(rho, factor, measure, reason))
            out += _levels(rows, factor, measure, arm, seed)
    return out


def specificity(
    texts: Mapping[str, str],
    captions: Iterable[str],
    tokens: Callable[[str], int] = lambda text: len(text.split()),
) -> pd.DataFrame:
    """Columns `prompt`, `tokens` and `captions` for prompts, given as texts by id.

    `tokens` counts as the model's tokenizer does; without one, words. A training caption matches if
    it has the same words in the same order, ignoring case, punctuation and spaces.
    """
    known = Counter(map(spelled, captions))
    rows = [(name, tokens(text), known[spelled(text)]) for name, text in texts.items()]
    return pd.DataFrame(rows, columns=["prompt", "tokens", "captions"])


def _reasons(rows: pd.DataFrame, factor: Factor, measure: str) -> dict[str, int]:
    """Why images are not among those whose factor and measure are known."""
    lost = {str(o): int(c) for o, c in rows.outcome.value_counts().items() if o != "label"}
    known = rows[rows.outcome == "label"]
    without = int(known[factor.column].isna().sum())
    bare = int((known[factor.column].notna() & known.measure.isna()).sum())
    more = {f"{factor.column} not known": without, f"{measure} not known": bare}
    return lost | {k: v for k, v in more.items() if v}


def _correlation(
    rows: pd.DataFrame, factor: Factor, measure: str, arm: str, seed: int
) -> tuple[Finding, str]:
    """The rank correlation, and why it is unknown."""
    x, y = rows[factor.column].to_numpy(float).copy(), rows.measure.to_numpy(float)
    x[(rows.outcome != "label").to_numpy()] = math.nan
    prompts = rows.prompt.to_numpy(str)
    found = clustered_spearman(x, y, prompts, Draws(np.random.default_rng(seed)))
    method = "rank correlation; cluster bootstrap by prompt; p by exchanging whole prompts"
    claim = Claim(
        Key("replication", arm, "", factor.column, "why", measure),
        say(
            "Spearman's rho of {title} with {measure}",
            title=factor.title, measure=MEASURES[measure]
        ), factor.title, "coefficient",
        "images",
        say("{method}; {why}", method=method, why=ours(found.reason)) if found.reason else method,
    )  # fmt: skip
    effective = float(found.clusters) if found.n else math.nan
    size = Counts(found.n, effective, found.missing, _reasons(rows, factor, measure))
    family = f"why copies, {measure}, arm {arm}" if math.isfinite(found.p) else ""
    return finding(claim, found.rho, size, p=found.p, family=family), found.reason or method


def _judged(f: Finding, factor: Factor, measure: str, reason: str) -> Finding:
    """The finding with a verdict and a sentence; `reason` says why it is unknown."""
    size = say("rho = {size}", size=cosine_change(f.estimate, f.low, f.high))
    count = (
        say(
            "n = {n} images of {n_effective} prompts",
            n=f.n,
            n_effective=round(f.n_effective),
        )
        if f.n
        else "no images"
    )
    title, what = factor.title, MEASURES[measure]
    if math.isnan(f.q):
        sentence = say(
            "Whether {title} goes with the {what} is not known: {reason}.",
            title=title,
            what=what,
            reason=ours(reason),
        )
        return replace(f, verdict="undecided", sentence=sentence)
    p = p_equals(f.p)
    evidence = say(
        "{size}, {p}, adjusted {q}, {count}", size=size, p=p, q=p_value(f.q), count=count
    )
    if f.q > 0.05:
        sentence = say(
            "No connection of {title} with the {what} was found ({evidence}).",
            title=title,
            what=what,
            evidence=evidence,
        )
        return replace(f, verdict="not found", sentence=sentence)
    way = "larger" if f.estimate > 0 else "smaller"
    sentence = say(
        "The larger {title}, the {way} the {what} ({evidence}).",
        title=title,
        way=way,
        what=what,
        evidence=evidence,
    )
    return replace(f, verdict="found", sentence=sentence)


def levels(values: np.ndarray) -> list[tuple[str, str, np.ndarray]]:
    """Levels of a factor float[n]: name, range in words, and bool[n]; NaN is in no level.

    Each of up to four distinct values is a level; more are cut at the thirds of the known ones,
    with equal values kept together.
    """
    known = np.unique(values[np.isfinite(values)])
    if len(known) <= LEVELS:
        return [(f"{v:g}", figure(f"{v:g}"), values == v) for v in known]
    cuts = np.quantile(values[np.isfinite(values)], (1 / 3, 2 / 3))
    place = np.where(np.isfinite(values), np.searchsorted(cuts, values, side="left"), -1)
    out: list[tuple[str, str, np.ndarray]] = []
    for i, name in enumerate(THIRDS):
        at = place == i
        if at.any():
            low, high = values[at].min(), values[at].max()
            out.append(
                (
                    name,
                    say("{low} to {high}", low=figure(f"{low:.4g}"), high=figure(f"{high:.4g}"))
                    if high > low
                    else figure(f"{low:.4g}"),
                    at,
                )
            )
    return out


def _levels(
    rows: pd.DataFrame, factor: Factor, measure: str, arm: str, seed: int
) -> Iterator[Finding]:
    """Copies at each level, or the mean measure where nothing is decided."""
    decided = flags.decided(rows["copy"]).any()
    x = rows[factor.column].to_numpy(float).copy()
    x[(rows.outcome != "label").to_numpy()] = math.nan  # not used for the thirds
    for name, words, at in levels(x):
        where = say("images where {title} is {words}", title=factor.title, words=words)
        detail = f"{'copies' if decided else measure}={name}"
        key = Key("replication", arm, "", factor.column, "why", detail)
        yield (
            _copies(rows[at], key, where, seed)
            if decided
            else _mean(rows[at], key, where, measure, seed)
        )


def _copies(part: pd.DataFrame, key: Key, where: str, seed: int) -> Finding:
    known = part[flags.decided(part["copy"])]
    hits = flags.flagged(known["copy"]).astype(float)
    clusters = pd.factorize(known.prompt)[0]
    ci, method = share(hits, clusters, seed)
    n = len(known)
    quantity = "share of images that copy a training image"
    return finding(
        Claim(key, quantity, where, "share", "images", method),
        ci,
        _size(part, n, effective_n(hits, clusters) if n else math.nan, flags.UNDECIDED),
        verdict="described",
        sentence=say(
            "{where}: {size} of {n} copy a training image.",
            where=cap(where),
            size=worded(ci.estimate, ci.low, ci.high),
            n=n,
        ),
    )


def _size(part: pd.DataFrame, n: int, effective: float, reason: str) -> Counts:
    gone = len(part) - n
    return Counts(n, effective, gone, {reason: gone} if gone else {})


def share(hits: np.ndarray, clusters: np.ndarray, seed: int) -> tuple[Interval, str]:
    """A share with its interval over prompts, as for rates of copies."""
    n, groups = len(hits), len(set(clusters.tolist()))
    if 0 < hits.sum() < n and groups > 1:
        found = cluster_bootstrap(hits, clusters, np.random.default_rng(seed))
        if found.low < found.high:
            return found, "cluster bootstrap by prompt"
    # A bootstrap of equal values has no width: fall back on prompts as the sample size.
    few = wilson(round(hits.mean() * groups) if n else 0, groups)
    share = Interval(float(hits.mean()) if n else math.nan, few.low, few.high)
    return share, "Wilson with prompts as sample size"


def _mean(part: pd.DataFrame, key: Key, where: str, measure: str, seed: int) -> Finding:
    known = part[part.measure.notna()]
    values, clusters = known.measure.to_numpy(float), pd.factorize(known.prompt)[0]
    n = len(known)
    ci = cluster_bootstrap(values, clusters, np.random.default_rng(seed)) if n else UNKNOWN
    if ci.low == ci.high:  # all prompts agree: no width does not mean certainty
        ci = Interval(ci.estimate, math.nan, math.nan)
    limits = (
        say(" [{low}, {high}]", low=figure(f"{ci.low:.3f}"), high=figure(f"{ci.high:.3f}"))
        if math.isfinite(ci.low)
        else ""
    )
    mean = figure(f"{ci.estimate:.3f}") if n else NOT_KNOWN
    quantity = say("mean {measure}", measure=MEASURES[measure])
    return finding(
        Claim(key, quantity, where, "cosine", "images", "cluster bootstrap by prompt"),
        ci,
        _size(
            part,
            n,
            effective_n(values, clusters) if n else math.nan,
            f"{measure} not known",
        ),
        verdict="described",
        sentence=say(
            "{where}: {quantity} {mean}{limits}, n = {n}.",
            where=cap(where),
            quantity=quantity,
            mean=mean,
            limits=limits,
            n=n,
        ),
    )
