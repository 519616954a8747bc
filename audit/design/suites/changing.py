"""Changes to a suite's seeds, and its expansion to samples."""

from __future__ import annotations

from collections.abc import Mapping
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
