"""Changes to a suite's seeds, and its expansion to samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from audit.datasets.alike import Planned
from audit.design.mitigations import arms
from audit.design.mitigations.arms import Rewriter
from audit.design.suites import turns
from audit.errors import UserError, known
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


def with_keys(suite: Suite, hosts: Collection[str], others: Collection[str] = ()) -> Suite:
    """The suite with the user's agreement to send the environment's key to these hosts.

    `others` are hosts that something else asks, such as a reader. Raises UserError for a host that
    neither they nor a mitigation of the suite names.
    """
    wanted = {h.lower() for h in hosts}
    met: set[str] = set()

    def agreed(m: Mitigation) -> Mitigation:
        host = urlsplit(str(m.options.get("url", ""))).hostname or ""
        more = {"send_key": True} if host in wanted else {}
        met.update({host} & wanted)
        return replace(m, options={**m.options, **more}, parts=tuple(map(agreed, m.parts)))

    arms_ = tuple(map(agreed, suite.mitigations))
    for host in sorted(wanted - met - set(others)):
        raise UserError(f"--send-key {host}: no mitigation and no reader has a `url` of this host.")
    return replace(suite, mitigations=arms_)


MOST_IMAGES = 1_000_000
"""Images of a plan, over all arms."""


def planned_images(suite: Suite) -> int:
    """Images of a suite over all arms, counting those that arms may share more than once."""
    arms_of = {b: 1 + sum(b in m.blocks for m in suite.mitigations)
               for b in {p.block for p in suite.prompts}}  # fmt: skip
    return sum(p.seeds * arms_of[p.block] for p in suite.prompts)


def expand(suite: Suite, settings: Settings, rewriters: Mapping[str, Rewriter]) -> Planned[Sample]:
    """The plan: one sample per prompt, seed and arm, baseline first, in the suite's order.

    Conversations come last; no arm changes them.

    `rewriters` maps methods to functions. An arm shares its noise with the baseline, and also the
    image if it leaves the text unchanged: ids may repeat, rows do not. Raises UserError for a plan
    of more than MOST_IMAGES.
    """
    images = planned_images(suite)
    if images > MOST_IMAGES:
        raise UserError(
            f"The plan has {images:,} images, and {MOST_IMAGES:,} is the most. Plan fewer seeds, "
            "prompts or mitigations."
        )
    changed = (arms.samples(suite, m, settings, rewriters) for m in suite.mitigations)
    parts = [*changed, turns.samples(suite, settings)]
    return Planned.joined([arms.baseline(suite, settings), *map(Planned.of, parts)])
