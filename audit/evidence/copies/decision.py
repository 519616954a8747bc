"""Flagging of copies: the rules, and what they need from the training set's index.

With a held-out set that is alike and as large, or nearly, the rule is the twin's, which is valid
whatever the generator's quality. A null needs fewer held-out images and one more assumption, which
is tested; a fixed line needs nothing and guarantees nothing. Where neither holds, nothing is
decided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from audit.datasets import pixels
from audit.errors import figure, say
from audit.evidence.copies import apart, near_duplicates
from audit.evidence.copies.approximate import prepared, spare
from audit.evidence.copies.chooser import choose
from audit.evidence.copies.edits import EDITS, curve, encoded
from audit.evidence.copies.facts import EditCosines, Recall
from audit.evidence.copies.index import Index
from audit.evidence.copies.local import similarities
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.recall import measure
from audit.evidence.copies.rule import CopyRule
from audit.evidence.copies.sides import Evidence, Sides, evidence
from audit.stats.error_control import Selection, conformal, fixed, independent, subsets, twin
from audit.stats.likeness import Lean, lean
from audit.stats.proportions import wilson

PICTURES = 40
"""Training images on which edits are tried."""
SAME, SAME_AT_LEAST = "jpeg 50", 0.9
"""Two images are the same where they are as near as an image and its recompression are, in 19 of
20; never further than that cosine."""
NULL = 5000
"""Held-out images, drawn by seed, whose nearest scores are the null distribution."""
NULL_LOCAL = 1000
"""The same where all pairs of crops are compared, which is two hundred times the work."""


@dataclass(frozen=True)
class Search:
    """How the training set is searched: the method, why, and what it finds of planted copies."""

    kind: str
    reason: str
    recall: Recall | None
    """At a cosine of 0.9; None where all images are compared."""


@dataclass(frozen=True)
class Clusters:
    """Near-duplicates in a training set."""

    label: np.ndarray
    """Cluster of each training image, int64[n]."""

    @property
    def sizes(self) -> np.ndarray:
        """Images in each cluster of several, int64[clusters]."""
        sizes = np.bincount(self.label)
        return np.asarray(sizes[sizes > 1])

    @property
    def largest(self) -> int:
        """Images in the largest cluster; 1 where no two images are alike."""
        return int(self.sizes.max(initial=1))


def prepared_search(index: Index, asked: str, seed: int) -> tuple[Index, Search]:
    """The index with its search method, and that method.

    Where candidates come from lists, planted copies measure how many true ones they contain: the
    rates are lower bounds by that factor.
    """

    choice = choose(len(index.train), index.dimensions, spare(), asked)
    index = prepared(index, asked)
    recall = None if index.train.finder is None else recall_at(index, seed, 0.9)
    return index, Search(choice.kind, choice.reason, recall)


def recall_at(index: Index, seed: int, cosine: float) -> Recall:
    """Share of copies planted at a cosine that the search finds, with its interval."""

    found = measure(index.train, np.random.default_rng(seed), cosine=cosine).values()
    share = wilson(sum(r.found for r in found), sum(r.n for r in found))
    return share.estimate, share.low, share.high


def without_shared_images(index: Index, by: Sides) -> Index:
    """The index without held-out images that are in the training set too.

    A copy of such an image is as near to its twin as to its source, so it could never be
    distinguished from chance.
    """
    return replace(index, held=index.held.without(by.shared))


def duplicate_cosine(seen: Sequence[EditCosines]) -> float | None:
    """The cosine from which two images are one, by the curve of edits; None without one."""
    row = next((r for r in seen if r.edit == SAME), None)
    return None if row is None else max(row.low, SAME_AT_LEAST)


def duplicate_clusters(by: Sides, same: float | None) -> Clusters | None:
    """The training set's near-duplicates, images that are at a cosine of `same` or more.

    None where the cosine of equal images is unknown, or there are too many pairs to compare.
    """
    return Clusters(by.label) if by.apart and same is not None else None


@dataclass(frozen=True)
class Decided:
    """A decision on each of n images, or the reason why there is none."""

    words: str
    """The rule."""
    selection: Selection
    doubt: str = ""
    """Why no rate can be decided; empty where one is."""
    lean: Lean | None = None
    """How often images that were not flagged are nearer to the training set than to held-out ones,
    or nearer than the middle held-out image; None under a fixed line."""
    evidence: Evidence | None = None
    """The twin's, where that is the rule."""
    by_match: bool = False
    """Whether the rate of false flags counts a matched training image once."""
    unsettled: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    """bool[n]: images that may be copies and cannot be flagged; all where there is a doubt."""


@dataclass(frozen=True)
class Asked:
    """The decision that is asked for."""

    rule: CopyRule
    q: float
    """Rate of false flags, 0..1."""
    seed: int
    groups: np.ndarray | None = None
    """object[n]: images whose rate is printed together, decided apart from others; None: all."""


def decide(
    table: pd.DataFrame, vectors: np.ndarray, index: Any, by: Sides, asked: Asked
) -> Decided:
    """The images that a rule flags as copies, with the rule in words.

    `vectors` float32[n, d] in the order of the table, NaN for missing images. A twin that is asked
    for becomes the choice of `by`. Where the sides are not alike, or images that are not flagged
    lean to the training set, nothing is flagged and all images are open.
    """
    score = table.score.to_numpy(float)
    rule, q, seed = asked.rule, asked.q, asked.seed
    if rule.name == "fixed":
        words = say(
            "a fixed cosine of {line}: its error rate is unknown", line=figure(f"{rule.line:g}")
        )
        got = fixed(score, rule.line)
        return Decided(words, got, unsettled=got.unsettled)
    if by.doubt:
        return _undecided(say("none: {doubt}", doubt=by.doubt), by.doubt, score)
    if rule.name == "conformal" or by.choice == "conformal":
        chance = null(replace(index, held=index.held.without(~by.held)), seed)
        made = _by_null(score, chance, asked)
    else:
        made = by_twin(evidence(vectors, index, by, seed), q, asked.groups)
    if made.lean is None or made.lean.fair:
        return made
    doubt = say(
        "{toward} of {n} images that would not be flagged ({share}) are nearer to the "
        "training set than expected of half of them",
        toward=made.lean.toward,
        n=made.lean.n,
        share=figure(f"{made.lean.share:.0%}"),
    )
    return replace(_undecided(made.words, doubt, score), lean=made.lean)


def _undecided(words: str, doubt: str, score: np.ndarray) -> Decided:
    none = np.zeros(len(score), bool)
    known = np.isfinite(score)
    return Decided(
        words, Selection(none, math.inf, 0, doubt, unsettled=known), doubt, unsettled=known
    )


APART = ", images of each rate apart"


def _by_null(score: np.ndarray, chance: np.ndarray, asked: Asked) -> Decided:
    where = apart.rows(asked.groups, len(score))
    each = APART if len(where) > 1 else ""
    words = say(
        "conformal p-values against {n} held-out images and Benjamini-Hochberg at q = "
        "{q}{each}; it assumes that images that are not copies are as near as held-out images",
        n=len(chance),
        q=figure(f"{asked.q:g}"),
        each=each,
    )
    got = apart.selection([conformal(score[r], chance, asked.q) for r in where], where)
    rest = np.isfinite(score) & ~got.selected
    return Decided(words, got, lean=lean(score[rest] > np.median(chance)), unsettled=got.unsettled)


def by_twin(seen: Evidence, q: float, groups: np.ndarray | None = None) -> Decided:
    """The twin's selection on one pair of equal sides, or on several, and the rule in words.

    `groups` object[n] are decided apart, where they are given.
    """
    several = len(seen.w) > 1
    where = apart.rows(groups, len(seen.w[0]))
    parts = [_selected(seen.of(r), q) for r in where]
    got = apart.selection([p for p, _ in parts], where)
    words = say(
        "Barber-Candes selection at q = {q} on W = log(d_held / d_train), one W per matched "
        "reference image ({evidence} of {n} images)",
        q=figure(f"{q:g}"),
        evidence=got.evidence,
        n=int(np.isfinite(seen.w[0]).sum()),
    )
    if several:
        words += say(
            ", over {n} subsets of equal size by e-values (Ren & Barber 2024)", n=len(seen.w)
        )
    words += APART if len(where) > 1 else ""
    left = np.concatenate([toward for _, toward in parts])
    return Decided(words, got, "", lean(left), seen, True, got.unsettled)


def _selected(seen: Evidence, q: float) -> tuple[Selection, np.ndarray]:
    """The selection, and whether each independent image that it leaves is nearer to training."""
    several, w = len(seen.w) > 1, seen.w[0]
    got = subsets(seen.w, seen.matched, q) if several else twin(w, seen.matched[0], q)
    rest = independent(w, seen.matched[0]) & ~got.selected & (w != 0)
    rest &= ~got.mirrored if len(got.mirrored) else True  # the window is symmetric about 0
    return got, w[rest] > 0


Vectors = Mapping[str, np.ndarray]
Remember = Callable[[object, Callable[[], dict[str, np.ndarray]]], Vectors]
"""Returns the arrays that a key stands for, or makes them."""


@dataclass(frozen=True)
class Edited:
    """Edited copies of training images: their cosines, edit by edit, and their vectors."""

    rows: list[EditCosines] = field(default_factory=list)
    vectors: Vectors = field(default_factory=dict)
    """float32[n, d] by edit; "none" are the sources themselves."""


def edits(
    index: Index, encoder: Any, image: Callable[[str], np.ndarray], seed: int,
    names: Sequence[str] = tuple(EDITS), remember: Remember = lambda key, make: make(),
) -> Edited:  # fmt: skip
    """Cosines of edited copies of training images by this descriptor, edit by edit.

    A random draw of the set's own images, which `image` returns by id. Empty where they are not
    available. `remember` returns the vectors by what they depend on, or makes them.
    """

    def made() -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(index.train))[: 2 * PICTURES]
        pictures = islice(_readable(index, image, order), PICTURES)
        found = encoded(encoder, pictures, {n: EDITS[n] for n in names}, rng)
        return found if len(found.get("none", ())) > 1 else {}

    vectors = remember([index.key, encoder.key, seed, *names, PICTURES], made)
    if not vectors:
        return Edited()
    found = curve(vectors, getattr(encoder, "count", 1))
    return Edited([EditCosines(**row) for row in found.to_dict("records")], vectors)


def _readable(
    index: Index, image: Callable[[str], np.ndarray], order: np.ndarray
) -> Iterator[np.ndarray]:
    """Training images at these positions, one at a time, without those that cannot be read."""
    for position in order:
        with suppress(pixels.Unreadable):
            yield image(index.train.entry(int(position)).id)


def with_power(
    seen: Edited, index: Index, by: Sides, made: Decided, seed: int
) -> tuple[EditCosines, ...]:
    """The rows with the share of each edit's copies that this run's lowest line would flag.

    NaN where the run has no line, because nothing was flagged.
    """
    line, held = made.selection.threshold, index.held
    if made.doubt or not math.isfinite(line):
        return tuple(seen.rows)
    if made.by_match:
        held = held.without(~next(iter(by.subsets(seed)))[1])
    out = []
    for row in seen.rows:
        vectors, sources = seen.vectors[row.edit], seen.vectors["none"]
        own = np.diagonal(similarities(vectors, sources, index.crops)).astype(float)
        reached = own >= line
        if made.by_match:
            reached = twin_evidence(own, held.nearest(vectors)[0][:, 0].astype(float)) >= line
        out.append(replace(row, power=float(reached.mean())))
    return tuple(out)


def with_duplicates(rows: pd.DataFrame, index: Index, found: Clusters | None) -> pd.DataFrame:
    """The column `duplicates`, where the training set has near-duplicates under other names."""

    if found is None or not len(found.sizes):
        return rows
    entries = index.train.entries
    count = near_duplicates.copies(found.label, [e.repeats for e in entries])
    known = pd.DataFrame({"train": [e.id for e in entries], "duplicates": count})
    return rows.merge(known.drop_duplicates("train"), how="left", on="train")


def duplicates(
    index: Index, encoder: Any, image: Callable[[str], np.ndarray], seed: int = 0
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Images that the training set contains more than once, by cluster, and facts on them.

    Columns cluster (position of its first image), images, held (with repeats), image, repeats and
    caption; largest cluster first. Facts: `cosine` from which two are one, measured on edits of the
    set's own images (SAME_AT_LEAST where they are not available), `clusters` and `images`.
    """

    same = duplicate_cosine(edits(index, encoder, image, seed, (SAME,)).rows)
    same = SAME_AT_LEAST if same is None else same
    label = near_duplicates.clusters(index.train, same)
    entries = index.train.entries
    table = pd.DataFrame(
        {
            "cluster": label,
            "images": np.bincount(label, minlength=len(label))[label],
            "held": near_duplicates.copies(label, [e.repeats for e in entries]),
            "image": [e.id for e in entries],
            "repeats": [e.repeats for e in entries],
            "caption": [e.caption for e in entries],
        }
    )
    table = table[table.images > 1]
    table = table.sort_values(["images", "cluster"], ascending=[False, True], kind="stable")
    facts = {"cosine": same, "clusters": int(table.cluster.nunique()), "images": len(table)}
    return table.reset_index(drop=True), facts


def null(index: Index, seed: int, most: int | None = None) -> np.ndarray:
    """Nearest scores, float32[m], of held-out images: the null distribution.

    `most` are drawn where there are more: NULL, or NULL_LOCAL of a local index.
    """
    most = (NULL_LOCAL if index.crops > 1 else NULL) if most is None else most
    held = np.flatnonzero(~index.held.left_out)
    if not len(held):
        return np.empty(0, np.float32)
    chosen = np.sort(np.random.default_rng(seed).permutation(held)[:most])
    rows, start = [], 0
    for block in index.held.blocks():
        here = chosen[(chosen >= start) & (chosen < start + len(block))] - start
        rows.append(block[here])
        start += len(block)
    return index.nearest(np.concatenate(rows))[0]
