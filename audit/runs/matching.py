"""The run's images against the training set: the nearest, a decision on each, and factors."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit.datasets import pixels
from audit.evidence.copies import decision, flags
from audit.evidence.copies.facts import CorpusFacts
from audit.keys import BASELINE
from audit.report.facts import Facts
from audit.runs import reading
from audit.runs.context import Run
from audit.store import RunFolder

if TYPE_CHECKING:
    from audit.evidence.copies.index import Index

LOOKED_AT, LISTED = 5000, 2_000_000
"""Maximum nearest training images whose complexity is measured, and captions that are compared."""


@dataclass(frozen=True)
class Matched:
    """The nearest training image of each of the run's images, with a decision on it."""

    table: pd.DataFrame
    """MATCH_COLUMNS; after a twin's selection also `chance` (`findings.replication`)."""
    facts: Facts
    """Those on the training set and on the decision."""
    index: Index
    clusters: decision.Clusters | None
    """Near-duplicates in the training set."""


def search(run: Run, encoder: Any, vectors: Any) -> Matched:
    """Nearest training images with a decision on each.

    `vectors(run, encoder, step)` returns the descriptors of the run's images.
    """
    from audit.evidence.copies.match import match

    corpus, options = run.plan.corpus, run.options
    with RunFolder(options.out / "indexes").lock(wait=True):
        index = corpus.index(
            encoder, options.out / "indexes", partial(run.progress, "training set")
        )
    index, how = decision.prepared_search(index, options.search, options.seed)
    run.progress("edited copies", 0, 1)
    seen = decision.edits(index, encoder, corpus.image, options.seed)
    run.progress("edited copies", 1, 1)
    same = decision.duplicate_cosine(seen)
    index, shared = decision.without_shared_images(index, same)
    clusters = decision.duplicate_clusters(index, same)
    known = vectors(run, encoder, "copy descriptors")
    table = match(run.samples, known, reading.missing_outcomes(run, known), index)
    rule, got = decision.decide(table, index, options.rule, options.q, options.seed)
    table["copy"] = flags.column(got.selected, known=table.score.notna().to_numpy())
    if options.rule.name == "twin" and math.isfinite(got.threshold):
        table["chance"] = decision.by_chance(table, got.threshold)
    flagged = table[flags.flagged(table["copy"])]
    line = float(flagged.score.min()) if len(flagged) else float("nan")
    searched = CorpusFacts(
        corpus.name, index.train.images, len(index.train), len(index.held), encoder.key,
        index.coverage, len(index.skipped), options.copies, same, shared,
        search=how.kind, search_reason=how.reason, recall=how.recall,
    )  # fmt: skip
    if clusters is not None:
        sizes = clusters.sizes
        searched = replace(
            searched, groups=len(sizes), grouped=int(sizes.sum()), largest=clusters.largest
        )
    if how.recall and 0 < line < 1:
        there = (line, *decision.recall_at(index, options.seed, line))
        searched = replace(searched, recall_line=there)
    facts = Facts(
        corpus=searched, threshold=line,
        threshold_w=got.threshold if options.rule.name == "twin" else None,
        threshold_method=rule, threshold_need=got.need,
        q=None if options.rule.name == "fixed" else options.q, edits=tuple(seen),
    )  # fmt: skip
    if got.need:
        run.notes.append(f"No image can be flagged as a copy: {got.need}.")
    if index.skipped:
        run.notes.append(f"{len(index.skipped)} images of the training set could not be read.")
    return Matched(table, facts, index, clusters)


def with_factors(
    run: Run, table: pd.DataFrame, index: Index, clusters: decision.Clusters | None
) -> pd.DataFrame:
    """The baseline's matches with factors that copying may depend on (`findings.why`).

    These are how often the training set contains the nearest image and its near-duplicates, if
    `clusters` are known; how complex the nearest training image is, if it is
    available; and how specific the prompt is: its length in words, and how many training captions
    are the same.
    """
    from audit.evidence.copies import complexity
    from audit.findings.why import specificity

    rows = table[(table.arm == BASELINE) & (table.outcome == "label")]
    pictures: dict[str, np.ndarray] = {}
    for train in sorted(set(rows.train.dropna()))[:LOOKED_AT]:
        with suppress(pixels.Unreadable):
            pictures[train] = run.plan.corpus.image(train)
    texts = {p.id: p.text for p in run.suite.prompts if p.id in set(rows.prompt)}
    captions = (e.caption for e in index.train.entries) if len(index.train) <= LISTED else ()
    known = specificity(texts, captions)
    if len(index.train) > LISTED:
        known = known.drop(columns="captions")
    looks = complexity.table(pictures).rename(columns={"image": "train"})
    rows = decision.with_duplicates(rows, index, clusters)
    return rows.merge(looks, how="left", on="train").merge(known, how="left", on="prompt")
