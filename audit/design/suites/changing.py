"""Changes to a suite's seeds, subjects and size, and its expansion to samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from audit.design.mitigations import arms
from audit.design.mitigations.arms import Rewriter
from audit.errors import UserError, known
from audit.keys import BASELINE
from audit.records import Mitigation, Sample, Settings, Suite


def with_seeds(suite: Suite, seeds: int | Mapping[str, int]) -> Suite:
    """The suite with other numbers of images per prompt: for every block, or for those named.

    Raises UserError for an unknown block or fewer than one image.
    """
    blocks = {p.block for p in suite.prompts}
    chosen = dict.fromkeys(blocks, seeds) if isinstance(seeds, int) else dict(seeds)
    for block, n in chosen.items():
        known("block", block, blocks, "seeds")
        if n < 1:
            raise UserError(f"seeds: block {block} would get {n} images. Give 1 or more.")
    prompts = tuple(replace(p, seeds=chosen.get(p.block, p.seeds)) for p in suite.prompts)
    return replace(suite, prompts=prompts)


def shrink(suite: Suite, fraction: float) -> Suite:
    """The suite with a fraction in (0, 1] of its images per prompt, and at least one."""
    if not 0 < fraction <= 1:
        raise UserError(f"A suite cannot shrink to {fraction} of its size. Give 0 < fraction <= 1.")
    prompts = (replace(p, seeds=max(1, round(p.seeds * fraction))) for p in suite.prompts)
    return replace(suite, prompts=tuple(prompts))


def only_subjects(suite: Suite, subjects: Collection[str]) -> Suite:
    """The suite with representation prompts for these subjects only; other prompts stay.

    Raises UserError for an unknown subject, or if no prompts would be left.
    """
    there = {p.subject for p in suite.prompts if p.purpose == "representation"}
    for subject in subjects:
        known("subject", subject, there, f"suite {suite.name}")
    prompts = [p for p in suite.prompts if p.purpose == "replication" or p.subject in subjects]
    if not prompts:
        raise UserError(f"suite {suite.name}: no prompts are left. Name at least one subject.")
    return replace(suite, prompts=tuple(prompts))


def expand(suite: Suite, settings: Settings, rewriters: Mapping[str, Rewriter]) -> list[Sample]:
    """The plan: one sample per prompt, seed and arm, baseline first, in the suite's order.

    `rewriters` maps methods to functions. An arm shares its noise with the baseline, and also the
    image if it leaves the text unchanged: ids may repeat, rows do not.
    """
    everywhere = Mitigation(BASELINE, BASELINE, blocks=tuple({p.block for p in suite.prompts}))
    known_ones = {BASELINE: lambda text, *_: text, **rewriters}
    return [
        s
        for m in (everywhere, *suite.mitigations)
        for s in arms.samples(suite, m, settings, known_ones)
    ]
