"""Flagging of copies: the rules, and what they need from the training set's index.

With a held-out set the rule is the twin's, which is valid whatever the generator's quality. A null
needs the same set and one more assumption; a fixed line needs nothing and guarantees nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from audit.datasets import pixels
from audit.evidence.copies import near_duplicates
from audit.evidence.copies.approximate import prepared, spare
from audit.evidence.copies.chooser import choose
from audit.evidence.copies.edits import EDITS, curve
from audit.evidence.copies.facts import EditCosines, Recall
from audit.evidence.copies.index import Index
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.near_duplicates import across
from audit.evidence.copies.recall import measure
from audit.evidence.copies.rule import CopyRule
from audit.stats.error_control import Selection, conformal, fixed, twin
from audit.stats.proportions import wilson

PICTURES = 40
"""Training images on which edits are tried."""
SAME, SAME_AT_LEAST = "jpeg 50", 0.9
"""Two images are the same where they are as near as an image and its recompression are, in 19 of
20; never further than that cosine."""
COMPARED = 4e9
"""Pairs of held-out and training images up to which shared images are looked for."""
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


def without_shared_images(index: Index, same: float | None) -> tuple[Index, int | None]:
    """The index without held-out images that are in the training set too, and their number.

    A copy of such an image is as near to its twin as to its source, so it could never be
    distinguished from chance. `same` is the cosine from which two images are one. The number is
    None where that is unknown, or there are too many pairs to compare.
    """

    if same is None or len(index.train) * len(index.held) > COMPARED:
        return index, None
    shared = across(index.train, index.held, same)
    return replace(index, held=index.held.without(shared)), int(shared.sum())


def duplicate_cosine(seen: Sequence[EditCosines]) -> float | None:
    """The cosine from which two images are one, by the curve of edits; None without one."""
    row = next((r for r in seen if r.edit == SAME), None)
    return None if row is None else max(row.low, SAME_AT_LEAST)


def duplicate_clusters(index: Index, same: float | None) -> Clusters | None:
    """The training set's near-duplicates, images that are at a cosine of `same` or more.

    None where the cosine of equal images is unknown, or there are too many pairs to compare.
    """

    if same is None or len(index.train) ** 2 > 2 * COMPARED:
        return None
    return Clusters(near_duplicates.clusters(index.train, same))


def decide(
    table: pd.DataFrame, index: Any, rule: CopyRule, q: float, seed: int
) -> tuple[str, Selection]:
    """The images that a rule flags as copies, and the rule in words."""
    score = table.score.to_numpy(float)
    if rule.name == "fixed":
        words = f"a fixed cosine of {rule.line:g}: its error rate is unknown"
        return words, fixed(score, rule.line)
    if not len(index.held):
        nothing = Selection(
            np.zeros(len(table), bool), math.inf, 0, "there are no held-out images (--held-out)"
        )
        return "none: there are no held-out images", nothing
    if rule.name == "conformal":
        chance = null(index, seed)
        words = (
            f"conformal p-values against {len(chance)} held-out images and Benjamini-Hochberg at q "
            f"= {q:g}; it assumes that images that are not copies are as near as held-out images"
        )
        return words, conformal(score, chance, q)
    return by_twin(table, q)


def by_chance(table: pd.DataFrame, threshold: float) -> np.ndarray:
    """Images as much nearer to the held-out set as copies are to the training set, bool[n]."""
    return np.asarray(np.nan_to_num(_evidence(table), nan=math.inf) <= -threshold)


def _evidence(table: pd.DataFrame) -> np.ndarray:
    """The twin's W of each row of matches, float64[n]."""

    return twin_evidence(table.score.to_numpy(float), table.held_score.to_numpy(float))


def by_twin(table: pd.DataFrame, q: float) -> tuple[str, Selection]:
    """The twin's selection on a table of matches, and the rule in words."""
    w = _evidence(table)
    matched = np.where(w > 0, "train/" + table.train.astype(str), "held/" + table.held.astype(str))
    got = twin(w, matched, q)
    words = (
        f"Barber-Candes selection at q = {q:g} on W = log(d_held / d_train), one W per matched "
        f"reference image ({got.evidence} of {int(np.isfinite(w).sum())} images)"
    )
    return words, got


def edits(
    index: Index, encoder: Any, image: Callable[[str], np.ndarray], seed: int
) -> list[EditCosines]:
    """Cosines of edited copies of training images by this descriptor, edit by edit.

    A random draw of the set's own images, which `image` returns by id. Empty where they are not
    available.
    """

    rng = np.random.default_rng(seed)
    pictures: list[np.ndarray] = []
    for position in rng.permutation(len(index.train))[: 2 * PICTURES]:
        try:
            pictures.append(image(index.train.entry(int(position)).id))
        except pixels.Unreadable:
            continue
        if len(pictures) == PICTURES:
            break
    if len(pictures) < 2:
        return []
    found = curve(encoder, pictures, EDITS, rng)
    return [EditCosines(**row) for row in found.to_dict("records")]


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

    same = duplicate_cosine(edits(index, encoder, image, seed))
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
