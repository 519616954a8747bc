"""Copies of the person and of the background apart (`--segments`).

Both parts of every image, and of every training and held-out image, are described and searched as
whole images are, each with an index of its own. Each part is decided on at half of the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from audit import registry
from audit.errors import UserError, ours, say, unknown
from audit.evidence.copies import decision, flags
from audit.evidence.copies.approximate import prepared
from audit.evidence.copies.facts import DecisionFacts
from audit.evidence.copies.index import Blank
from audit.evidence.copies.match import match, stacked
from audit.evidence.copies.segments import FOREGROUND, PARTS, Masks, Segment
from audit.evidence.copies.sides import sides
from audit.keys import SEGMENT_COLUMNS
from audit.runs import choosing, reading
from audit.runs.context import Run
from audit.runs.given import ATTENTION, AUTO
from audit.store import RunFolder

FIGURES, PHOTOGRAPHED = "figures", "people"
WORD, PART = "person", "up_blocks."
"""What the attention is asked for, and of which layers."""

MASK = (
    "Name a function of a list of uint8[h, w, 3] that returns a list of bool[h, w], True where a "
    "person is."
)
CROPS = "--segments needs a descriptor of whole images: leave out `local:`."

Vectors = Callable[[Run, Any, str], Mapping[str, np.ndarray]]


def fits(run: Run) -> None:
    """Raise UserError where `--segments` cannot be done, before anything is drawn."""
    options, corpus = run.options, run.plan.corpus
    if not options.segments:
        return
    if corpus is None or "held" not in corpus.sides or "train" not in corpus.sides:
        raise UserError(
            "--segments cuts training images and held-out ones, and they are not there. Give the "
            "images of both, with --corpus and --held-out."
        )
    if (corpus.descriptor or options.descriptor).startswith("local:"):
        raise UserError(CROPS)
    if options.rule.name == "fixed":
        raise UserError("--segments controls a rate: give --copies twin or conformal.")
    if options.segments == ATTENTION and run.plan.source is None:
        raise UserError(
            "--segments attention reads a model's internals, but there is no model. Give "
            f"--segments {PHOTOGRAPHED} for photographs."
        )
    if ":" in options.segments:
        _tried(options.segments)
    elif options.segments not in (names := (AUTO, ATTENTION, *registry.MASKS)):
        raise unknown("value of --segments", options.segments, names)


def _tried(name: str) -> None:
    """Raise UserError for an object that is not a function from images to masks: tried on one."""
    grey = np.full((64, 48, 3), 128, np.uint8)
    find = registry.load("mask", name)
    try:
        found = list(find([grey]))
    except Exception as error:  # code of the user's, which may raise anything
        raise UserError(
            f"--segments {name}: on a grey image of 64 x 48 pixels it raised "
            f"{type(error).__name__}: {error}. {MASK}"
        ) from error
    if [(getattr(m, "dtype", None), np.shape(m)) for m in found] != [(bool, grey.shape[:2])]:
        raise UserError(f"--segments {name}: it does not return masks. {MASK}")


def search(
    run: Run, encoder: Any, vectors: Vectors
) -> tuple[pd.DataFrame, Mapping[str, DecisionFacts]]:
    """SEGMENT_COLUMNS of the run's images, and how each part was decided; empty if not asked for,
    and where no training image has a part.

    `vectors(run, encoder, step)` returns the descriptors of the run's images. Raises UserError for
    a descriptor of crops.
    """
    nothing = pd.DataFrame(columns=list(SEGMENT_COLUMNS))
    if not run.options.segments:
        return nothing, {}
    if getattr(encoder, "count", 1) > 1:
        raise UserError(CROPS)
    whole = getattr(encoder, "whole", None)  # parts are cut from images that are not reduced
    masks = masks_of(run)
    found = {}
    for p in PARTS:
        try:
            found[p] = _part(run, Segment(whole() if whole else encoder, masks, p), vectors)
        except Blank:  # the rest of the report is not lost with it
            run.notes.append(say(
                "Copies of the person and of the background were not looked for: no training image "
                "shows {parts}.", parts="people" if p == FOREGROUND else "backgrounds"
            ))  # fmt: skip
            return nothing, {}
    table = pd.DataFrame([(s.id, s.prompt, s.arm, s.seed) for s in run.samples],
                         columns=list(SEGMENT_COLUMNS[:4]))  # fmt: skip
    table["seed"] = pd.array([s.seed for s in run.samples], dtype="Int64")
    table["outcome"] = _outcomes(*(found[p][0].outcome for p in PARTS))
    names = {"copy": "", "score": "_score", "held_score": "_held", "train": "_train"}
    for part in PARTS:
        table = table.assign(**{f"{part}{n}": found[part][0][c] for c, n in names.items()})
    return table[list(SEGMENT_COLUMNS)], {p: found[p][1] for p in PARTS}


def _outcomes(foreground: Sequence[str], background: Sequence[str]) -> list[str]:
    """That of an image from those of its parts."""
    return [
        a if a not in ("label", "missing") else "no person" if a == "missing"
        else "uncertain" if b == "missing" else b
        for a, b in zip(foreground, background, strict=True)
    ]  # fmt: skip


def _part(run: Run, described: Segment, vectors: Vectors) -> tuple[pd.DataFrame, DecisionFacts]:
    """MATCH_COLUMNS of every sample by one part, of which an image without it is missing."""
    options, corpus, part = run.options, run.plan.corpus, described.part
    with RunFolder(options.out / "indexes").lock(wait=True):
        index = replace(corpus, made=None, shipped=None).index(
            described, options.out / "indexes", partial(run.progress, f"{part} of training images")
        )
    index = prepared(index, options.search)
    seen = decision.edits(index, described, corpus.image, options.seed, (decision.SAME,))
    by = sides(index, decision.duplicate_cosine(seen.rows), options.seed)
    index = decision.without_shared_images(index, by)
    known = vectors(run, described, part)
    shown = {i: v for i, v in known.items() if v.any() and np.isfinite(v).all()}
    gone = dict.fromkeys(known, "missing") | reading.missing_outcomes(run, known)
    table = match(run.samples, shown, gone, index)
    stack = stacked(table, shown, index)
    rate = options.q / len(PARTS)
    asked = decision.Asked(options.rule, rate, options.seed, _groups(run))
    made = decision.decide(table, stack, index, by, asked)
    there = (table.outcome == "label").to_numpy(bool) & ~made.unsettled
    table["copy"] = flags.column(made.selection.selected, there)
    _note(run, part, made)
    words = say("{sides}; {rule}", sides=by.words, rule=made.words)
    return table, DecisionFacts(rate, made.by_match, made.doubt, words)


def _groups(run: Run) -> np.ndarray:
    """The shares that each image belongs to: ordinary prompts, captions, conversations.

    Captions of held-out images are in no share, so they are decided on apart.
    """
    of = {
        p.id: "turns" if p.turn is not None else "control" if p.repeats == 0 else p.purpose
        for p in run.suite.prompts
    }
    return np.array([of[s.prompt] for s in run.samples], object)


def _note(run: Run, part: str, made: decision.Decided) -> None:
    if made.selection.need and not made.doubt:
        need = ours(made.selection.need)
        run.notes.append(
            say("No person can be flagged as a copy by a rate: {need}.", need=need)
            if part == FOREGROUND
            else say("No background can be flagged as a copy by a rate: {need}.", need=need)
        )


def masks_of(run: Run) -> Masks:
    """What finds people in these images and training images."""
    name = run.options.segments
    if name == AUTO:
        name = FIGURES if choosing.drawn_by(run.options) else PHOTOGRAPHED
    if name == ATTENTION:
        return Masks(f"{ATTENTION} {run.settings.model} {run.settings.revision}", _attention(run))
    return Masks(name, registry.load("mask", name))


def _attention(run: Run) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """Segments of the word by the run's own model, as `segment` finds them in given images."""
    from audit.runs.segmenting import Segmenter

    segmenter = Segmenter(run.options, (WORD,), PART, (run.engine(), run.settings))
    return lambda images: [found.labels == 0 for found in segmenter.given(images)]
