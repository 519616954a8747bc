"""Copies beyond obedience: captions of held-out images are the control of training captions.

A descriptor of what images show (CLIP, DINO) finds an image that obeys a training caption nearer to
the training set, copied or not. With the roles of the sides exchanged, the same must hold for
captions of held-out images, which no model can copy. What these images reach on the held-out side
is therefore what obedience explains on the training side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from audit.errors import ours, say
from audit.evidence.copies import decision
from audit.evidence.copies.decision import Asked, Decided
from audit.evidence.copies.facts import HELD, TRAINING, Control
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.sides import LEAST, Sides
from audit.records import Prompt
from audit.stats.error_control import Selection, conformal, independent
from audit.stats.exchange import beyond, exchanged

FEWEST = 5
"""Captions of held-out images below which they say too little."""
LEVEL = 0.05
"""p above which nothing is flagged: the rate of false flags in a whole arm."""
LISTED = 2_000_000
"""Most images of a side whose captions are compared with the prompts."""
NO_CONTROL = (
    "this descriptor is of what images show and cannot tell a copy from an image that obeys the "
    "caption; `t2i-audit captions INDEX --out FOLDER` makes a suite with captions of held-out "
    "images, which can"
)

BEYOND = (
    "images of training captions only beyond those of captions of held-out images, with the roles "
    "of the sides exchanged"
)


def spelled(text: str) -> str:
    """A caption's words in their order, ignoring case, punctuation and spaces."""
    return " ".join(re.findall(r"\w+", text.casefold()))


@dataclass(frozen=True)
class Captions:
    """Prompts that are captions of images of one side alone."""

    of: Mapping[str, str]
    """Prompt to TRAINING or HELD; other prompts are not in it."""
    own: tuple[np.ndarray, np.ndarray]
    """bool[n] and bool[m]: images of both sides that have these captions."""

    def rows(self, prompts: pd.Series) -> np.ndarray:
        """object[k]: TRAINING, HELD or "" for the prompt of each image."""
        return prompts.map(self.of).fillna("").to_numpy(object)


def captions(prompts: Sequence[Prompt], index: Any, by: Sides) -> Captions:
    """Which prompts are captions of training images, or of held-out ones, by their words.

    A prompt that is declared to be a training caption counts as one whatever the index says. A
    caption of both sides is obeyed towards both, so it is neither.
    """
    asked: dict[str, list[Prompt]] = {}
    for p in prompts:
        asked.setdefault(spelled(p.text), []).append(p)
    asked.pop("", None)
    train, held = (_with(side, asked) for side in (index.train, index.held))
    held = {w: kept for w, at in held.items() if len(kept := at[~by.shared[at]])}
    of = {p.id: side for w, some in asked.items() for p in some
          if (side := _side(p, w in train, w in held))}  # fmt: skip
    mine = {w for w, some in asked.items() if any(p.id in of for p in some)}
    own = np.zeros(len(index.train), bool), np.zeros(len(index.held), bool)
    for there, found, first in zip(own, (train, held), (by.label, None), strict=True):
        for w in mine & set(found):
            there[found[w] if first is None else first[found[w]]] = True
    return Captions(of, (own[0] & by.train, own[1] & by.held))


def _side(prompt: Prompt, train: bool, held: bool) -> str:
    """Whose caption a prompt is, from the sides that have its words and from what it declares."""
    declared = prompt.purpose == "replication"
    if held:
        return "" if train or (declared and prompt.repeats) else HELD
    return TRAINING if train or (declared and prompt.repeats != 0) else ""


def _with(side: Any, asked: Mapping[str, object]) -> dict[str, np.ndarray]:
    """Positions, int64[k], of a side's images by caption."""
    found: dict[str, list[int]] = {}
    for i, entry in enumerate(side.entries if len(side) <= LISTED else ()):
        if (w := spelled(entry.caption)) in asked:
            found.setdefault(w, []).append(i)
    return {w: np.array(at) for w, at in found.items()}


@dataclass(frozen=True)
class Nearness:
    """How near each of n images is to both sides, of which as many images are compared."""

    of: np.ndarray
    """object[n]: whose caption it was drawn for (`Captions.rows`)."""
    w: np.ndarray
    """float64[n]: log(d_held / d_train), NaN where unknown or not asked for."""
    matched: np.ndarray
    """object[n]: the nearest image of the nearer side."""
    own: np.ndarray
    """float64[n]: cosine to the nearest image of the side whose caption it is."""
    doubt: str = ""
    """Why the two sides cannot be exchanged; empty where they can."""

    @property
    def toward(self) -> np.ndarray:
        """float64[n]: how much nearer it is to the side whose caption it is: W, or -W."""
        return np.where(self.of == HELD, -self.w, self.w)


def nearness(
    found: Captions, prompts: pd.Series, vectors: np.ndarray, index: Any, by: Sides, seed: int
) -> Nearness:
    """Nearness of images of captions to equal numbers of both sides' images.

    `vectors` float32[n, d] in the order of `prompts`, the prompt of each. Images that have one of
    the captions stay on their side, others are drawn by `seed`: every caption finds its own image.
    """
    of = found.rows(prompts)
    w, own = np.full((2, len(of)), np.nan)
    matched = np.full(len(of), "", object)
    size = min(by.sizes)
    doubt = by.doubt
    if not doubt and max(int(side.sum()) for side in found.own) > size:
        doubt = say("the prompts are captions of more images than the {n} of the smaller side",
                    n=size)  # fmt: skip
    there = np.flatnonzero((of != "") & np.isfinite(vectors).all(1))
    if doubt or size < LEAST or not len(there):
        return Nearness(of, w, matched, own, doubt)
    rng = np.random.default_rng(seed)
    scores, ids = [], []
    for name, side, mine, all_ in zip(("train", "held"), (index.train, index.held), found.own,
                                      (by.train, by.held), strict=True):  # fmt: skip
        kept = mine.copy()
        kept[rng.permutation(np.flatnonzero(all_ & ~mine))[: size - int(mine.sum())]] = True
        got, where = side.without(~kept).nearest(vectors[there])
        scores.append(got[:, 0].astype(float))
        ids.append(np.array([f"{name}/{p}" for p in where[:, 0]], object))
    w[there] = twin_evidence(scores[0], scores[1])
    matched[there] = np.where(w[there] > 0, ids[0], ids[1])
    own[there] = np.where(of[there] == HELD, scores[1], scores[0])
    return Nearness(of, w, matched, own, doubt)


@dataclass(frozen=True)
class Beyond:
    """Decisions on the images of training captions, against the control of each arm."""

    selected: np.ndarray
    """bool[n] of all images."""
    unsettled: np.ndarray
    """bool[n]: images of training captions that may be copies and cannot be flagged."""
    controls: Mapping[str, Control]


def _decide(near: Nearness, table: pd.DataFrame, asked: Asked) -> Beyond:
    """Flag images of training captions that come nearer than obedience explains.

    `table` has the columns prompt, arm and score of n images. By a twin or a null, those pass
    Benjamini-Hochberg at q against the control, each group of `asked` apart, one piece of evidence
    for a match; under a fixed line those at its cosine. Both only where so many in an arm are not
    explained by exchanging captions of training and of held-out images, in 95 % of arms.
    """
    selected, unsettled = np.zeros((2, len(table)), bool)
    controls: dict[str, Control] = {}
    asks = (near.of == TRAINING) & table.score.notna().to_numpy()
    for arm in dict.fromkeys(table.arm[asks]):
        here = (table.arm == arm).to_numpy()
        mine, other = here & asks, here & (near.of == HELD) & np.isfinite(near.w)
        some = Control(table.prompt[other].nunique(), int(other.sum()))
        doubt = near.doubt or (ours(NO_CONTROL) if some.prompts < FEWEST else "")
        if doubt:
            unsettled[mine] = True
            controls[arm] = replace(some, doubt=doubt)
            continue
        known = mine & np.isfinite(near.w)
        beside, alike, p = _lines(near, table, asked, known, other)
        if p <= LEVEL:
            selected[known & beside] = True
        else:
            unsettled[known & (beside | _open(near, known, other, asked))] = True
        controls[arm] = replace(some, alike=alike, p=p)
    return Beyond(selected, unsettled, controls)


def _open(near: Nearness, mine: np.ndarray, other: np.ndarray, asked: Asked) -> np.ndarray:
    """bool[n]: images that stand out from the control, though too few to be flagged."""
    out = np.zeros(len(mine), bool)
    if asked.rule.name != "fixed":
        got = conformal(near.toward[mine], near.toward[other], asked.q)
        out[mine] = got.selected | got.unsettled
    return out


def _lines(
    near: Nearness, table: pd.DataFrame, asked: Asked, mine: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """bool[n]: images beyond the line of their group; share of the control beyond the lowest line,
    and p of as many by obedience alone."""
    fixed, n = asked.rule.name == "fixed", len(table)
    level = asked.groups if asked.groups is not None else np.full(n, "", object)
    names = list(dict.fromkeys(level[mine]))
    place, prompts = pd.factorize(table.prompt.where(mine | other))
    groups = np.zeros(len(prompts), int)
    for g, name in enumerate(names, 1):
        groups[place[mine & (level == name)]] = g
    used = _pieces(near, place, mine, other, asked.seed)
    value = near.own if fixed else near.toward
    passing = (lambda mine, control: asked.rule.line) if fixed else beyond(asked.q)
    rng = np.random.default_rng(asked.seed)
    lines, p = exchanged(value[used], place[used], groups, passing, rng)
    line = np.full(n, np.inf)
    for g, name in enumerate(names):
        line[mine & (level == name)] = lines[g]
    seen = table.score.to_numpy(float) if fixed else value
    alike = float((value[other] >= line[mine].min()).mean())
    return np.nan_to_num(seen, nan=-np.inf) >= line, alike, p


def _pieces(
    near: Nearness, place: np.ndarray, mine: np.ndarray, other: np.ndarray, seed: int
) -> np.ndarray:
    """bool[n]: of the images of a match the most telling one, of as many of each prompt.

    The largest of four is larger than that of two, so prompts of both kinds give equally many.
    """
    counts = [np.median(np.unique(place[side], return_counts=True)[1]) for side in (mine, other)]
    order = np.random.default_rng(seed).permutation(np.flatnonzero(mine | other))
    rank = pd.Series(place[order]).groupby(place[order]).cumcount().to_numpy()
    chosen = order[rank < min(counts)]
    out = np.zeros(len(place), bool)
    out[chosen] = independent(near.w[chosen], near.matched[chosen])
    return out


def _joined(made: Decided, rest: np.ndarray, own: Beyond) -> Decided:
    """The decision on the images `rest`, bool[n], as one on all of them, with that on the others.

    W stays unknown for the others: the twin does not judge them.
    """

    def whole(part: np.ndarray, rows: np.ndarray) -> np.ndarray:
        out = rows.copy()
        if len(part):
            out[rest] = part
        return out

    nothing, s = np.zeros(len(rest), bool), made.selection
    unsettled = whole(made.unsettled, own.unsettled)
    picked = Selection(
        whole(s.selected, own.selected), s.threshold, s.evidence, s.need if rest.any() else "",
        None, unsettled, whole(s.mirrored, nothing) if len(s.mirrored) else s.mirrored,
    )  # fmt: skip
    seen = made.evidence and replace(
        made.evidence,
        w=tuple(whole(w, np.full(len(rest), np.nan)) for w in made.evidence.w),
        matched=tuple(whole(m, np.full(len(rest), None, object)) for m in made.evidence.matched),
    )
    text = ours(BEYOND)
    text = say("{words}; {more}", words=made.words, more=text) if rest.any() else text
    doubt = made.doubt if rest.any() else ""
    return replace(made, words=text, selection=picked, doubt=doubt, evidence=seen,
                   unsettled=unsettled)  # fmt: skip


def beyond_obedience(
    table: pd.DataFrame, vectors: np.ndarray, searched: tuple[Any, Sides], asked: Asked,
    near: Nearness,
) -> tuple[Decided, Mapping[str, Control]]:  # fmt: skip
    """`decision.decide`, with images of training captions judged by the control of their arm."""
    rest = near.of != TRAINING
    groups = None if asked.groups is None else asked.groups[rest]
    made = decision.decide(table[rest], vectors[rest], *searched, replace(asked, groups=groups))
    own = _decide(near, table, asked)
    return _joined(made, rest, own), own.controls
