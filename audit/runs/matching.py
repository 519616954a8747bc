"""The run's images against the training set: the nearest, a decision on each, and factors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit.datasets import pixels
from audit.errors import UserError, ours, say
from audit.evidence.copies import beside, decision, flags, obedience, single
from audit.evidence.copies.facts import HELD, TRAINING, Control, CorpusFacts, DecisionFacts
from audit.evidence.copies.sides import sides
from audit.evidence.encoders import named
from audit.keys import BASELINE
from audit.report.facts import Facts
from audit.runs import reading
from audit.runs.context import Run
from audit.runs.indexing import damaged_files
from audit.runs.work import remembered
from audit.store import RunFolder

if TYPE_CHECKING:
    from audit.evidence.copies.index import Index
    from audit.evidence.copies.sides import Sides

LOOKED_AT, LISTED = 5000, 2_000_000
"""Maximum nearest training images whose complexity is measured, and captions that are compared."""


@dataclass(frozen=True)
class Matched:
    """The nearest training image of each of the run's images, with a decision on it."""

    table: pd.DataFrame
    """MATCH_COLUMNS and `single` (`copies.single`); after a twin's selection also `chance`
    (`findings.replication`), and its evidence `w` and `w_match`; where prompts are captions of
    images of both sides `caption`, whose they are, and `toward`, how much nearer the image is to
    that side (`copies.obedience`)."""
    facts: Facts
    """Those on the training set and on the decision."""
    index: Index
    clusters: decision.Clusters | None
    """Near-duplicates in the training set."""
    decided: DecisionFacts
    """How images were flagged, for the rates."""

    @property
    def obeying(self) -> set[str]:
        """Prompts whose images a semantic descriptor finds near because they obey a caption."""
        if not self.decided.semantic:
            return set()
        return set(self.table.prompt[self.table.caption != ""])


def search(run: Run, encoder: Any, vectors: Any) -> Matched:
    """Nearest training images with a decision on each.

    `vectors(run, encoder, step)` returns the descriptors of the run's images.
    """
    from audit.evidence.copies.match import match, stacked

    corpus, options = run.plan.corpus, run.options
    with RunFolder(options.out / "indexes").lock(wait=True):
        index = corpus.index(
            encoder, options.out / "indexes", partial(run.progress, "training set")
        )
    index, how = decision.prepared_search(index, options.search, options.seed)
    run.progress("edited copies", 0, 1)
    seen = decision.edits(
        index, encoder, corpus.image, options.seed,
        remember=partial(remembered, run.folder, "edits"),
    )  # fmt: skip
    run.progress("edited copies", 1, 1)
    same = decision.duplicate_cosine(seen.rows)
    by = sides(index, same, options.seed)
    index = decision.without_shared_images(index, by)
    known = vectors(run, encoder, "copy descriptors")
    table = match(run.samples, known, reading.missing_outcomes(run, known), index)
    found = table, stacked(table, known, index)
    table, made, controls = _judged(run, encoder, found, index, by)
    table = _looked_at(run, encoder, table)
    facts = Facts(
        corpus=_searched(run, encoder, index, (by, how, same), table),
        threshold=_lowest(table),
        threshold_w=made.selection.threshold if made.by_match else None,
        threshold_method=made.words, threshold_need=ours(made.selection.need),
        q=None if options.rule.name == "fixed" else options.q,
        edits=decision.with_power(seen, index, by, made, options.seed),
    )  # fmt: skip
    _note(run, made, index)
    decided = DecisionFacts(
        math.nan if facts.q is None else facts.q, made.by_match, made.doubt,
        "" if facts.q is None else by.words, getattr(encoder, "semantic", False),
        controls, index.crops == 1,
    )  # fmt: skip
    return Matched(table, facts, index, decision.duplicate_clusters(by, same), decided)


def _judged(
    run: Run, encoder: Any, found: tuple[pd.DataFrame, np.ndarray], index: Index, by: Sides
) -> tuple[pd.DataFrame, decision.Decided, Mapping[str, Control]]:
    """The table of matches with the decision on each image, and the control of each arm."""
    table, stack = found
    seed = run.options.seed
    asked = decision.Asked(run.options.rule, run.options.q, seed, _groups(run, table))
    semantic = getattr(encoder, "semantic", False)
    known = obedience.captions(run.suite.prompts, index, by)
    told = semantic or {TRAINING, HELD} <= set(known.of.values())
    near = obedience.nearness(known, table.prompt, stack, index, by, seed) if told else None
    if near is None or not semantic or not (near.of == TRAINING).any():
        made = decision.decide(table, stack, index, by, asked)
        controls: Mapping[str, Control] = {}
    else:
        made, controls = obedience.beyond_obedience(table, stack, (index, by), asked, near)
    table = _columns(table, made, _singles(run, table, index, by.train))
    if near is not None:
        table = table.assign(caption=near.of, toward=near.toward)
    if controls and "chance" in table:
        table["chance"] = table.chance.astype("boolean").mask(table.caption == TRAINING)
    return table, made, controls


def _groups(run: Run, table: pd.DataFrame) -> np.ndarray:
    """The rate that each image belongs to: ordinary prompts, captions by level, conversations."""
    of = {
        p.id: p.purpose if p.turn is not None
        else "ordinary" if p.purpose == "representation" else f"captions, {p.repeats}"
        for p in run.plan.suite.prompts
    }  # fmt: skip
    return table.prompt.map(of).to_numpy(object)


def _note(run: Run, made: decision.Decided, index: Index) -> None:
    if made.doubt:
        run.notes.append(say("No rate of copies can be decided: {doubt}.", doubt=ours(made.doubt)))
    elif made.selection.need:
        run.notes.append(
            say(
                "No image can be flagged as a copy by a rate: {need}.",
                need=ours(made.selection.need),
            )
        )
    if index.skipped:
        n = len(index.skipped)
        run.notes.append(
            say("One image of the training set could not be read.")
            if n == 1
            else say("{n} images of the training set could not be read.", n=n)
        )
    if index.damaged:
        run.notes.append(damaged_files(index.damaged))
    run.notes.extend(index.notes)


def _singles(run: Run, table: pd.DataFrame, index: Index, distinct: np.ndarray) -> pd.Series:
    """What is claimed of each image alone, whatever the rate."""
    from audit.evidence.copies.match import twin_evidence

    image = run.plan.corpus.image
    w = twin_evidence(table.score.to_numpy(float), table.held_score.to_numpy(float))
    near = zip(table["sample"], table.train, table.score, w, strict=True)
    return single.claims(
        list(near), (run.picture, image), single.line(index, distinct, image, run.options.seed)
    )


def _looked_at(run: Run, encoder: Any, table: pd.DataFrame) -> pd.DataFrame:
    """The table with `tiled` and `sscd` of flagged copies (`copies.beside`); NaN for others."""
    rows = table[flags.flagged(table["copy"])].nlargest(beside.MOST, "score")
    if not len(rows):
        return table
    pairs = list(zip(rows["sample"], rows.train, strict=True))
    second = _second(encoder)
    key = [pairs, encoder.key, getattr(second, "key", "")]
    seen = remembered(
        run.folder, "beside", key,
        lambda: beside.looks(pairs, (run.picture, run.plan.corpus.image), second),
    )  # fmt: skip
    return table.join(pd.DataFrame({n: seen[n] for n in ("tiled", "sscd")}, index=rows.index))


def _second(encoder: Any) -> Any:
    """SSCD where it is installed and is not the descriptor itself, else None."""
    if str(encoder.key).startswith("sscd-"):
        return None
    with suppress(UserError):
        return named.named("sscd")
    return None


def _columns(table: pd.DataFrame, made: decision.Decided, singles: pd.Series) -> pd.DataFrame:
    """The table with the decision on each image: one that is open has none."""
    alone = (singles != "").to_numpy()
    known = table.score.notna().to_numpy() & ~made.unsettled
    if not made.doubt:
        known |= alone
    out = table.assign(
        copy=flags.column(made.selection.selected | alone, known=known), single=singles
    )
    if not made.doubt and len(made.selection.mirrored) and math.isfinite(made.selection.threshold):
        out["chance"] = made.selection.mirrored
    if made.evidence is not None:
        out["w"], out["w_match"] = made.evidence.w[0], made.evidence.matched[0]
    return out


def _lowest(table: pd.DataFrame) -> float:
    """The lowest cosine of a flagged copy; NaN if there is none."""
    flagged = table[flags.flagged(table["copy"])]
    return float(flagged.score.min()) if len(flagged) else math.nan


def _searched(
    run: Run, encoder: Any, index: Index, found: tuple[Sides, decision.Search, float | None],
    table: pd.DataFrame,
) -> CorpusFacts:  # fmt: skip
    """Facts on the training set and on its search."""
    by, how, same = found
    searched = CorpusFacts(
        run.plan.corpus.name, index.train.images, len(index.train), len(index.held), encoder.key,
        index.coverage, len(index.skipped), run.options.copies, same,
        by.words, getattr(encoder, "semantic", False), index.crops,
        int(by.shared.sum()) if by.apart and same is not None else None,
        search=how.kind, search_reason=how.reason, recall=how.recall,
    )  # fmt: skip
    clusters = decision.duplicate_clusters(by, same)
    if clusters is not None:
        sizes = clusters.sizes
        searched = replace(
            searched, groups=len(sizes), grouped=int(sizes.sum()), largest=clusters.largest
        )
    line = _lowest(table)
    if how.recall and 0 < line < 1:
        there = (line, *decision.recall_at(index, run.options.seed, line))
        searched = replace(searched, recall_line=there)
    return searched


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
            pictures[train] = complexity.sized(run.plan.corpus.image(train))
    texts = {p.id: p.text for p in run.suite.prompts if p.id in set(rows.prompt)}
    captions = (e.caption for e in index.train.entries) if len(index.train) <= LISTED else ()
    known = specificity(texts, captions)
    if len(index.train) > LISTED:
        known = known.drop(columns="captions")
    looks = complexity.table(pictures).rename(columns={"image": "train"})
    rows = decision.with_duplicates(rows, index, clusters)
    return rows.merge(looks, how="left", on="train").merge(known, how="left", on="prompt")
