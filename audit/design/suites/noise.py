"""Blocks whose prompts are drawn on the noise of other prompts: counterfactual pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from audit.design.suites.schema import RawBlock
from audit.errors import UserError, known
from audit.records import Prompt


def shared(prompts: Sequence[Prompt], blocks: Sequence[RawBlock]) -> tuple[Prompt, ...]:
    """The prompts, each with the text whose noise it shares, if its block says so.

    Raises UserError for an unknown block, one that shares noise itself, and one whose prompts have
    other subjects or another order.
    """
    by_block = {b.id: [p for p in prompts if p.block == b.id] for b in blocks}
    sharing = {b.id: b.same_noise_as for b in blocks if b.same_noise_as is not None}
    texts: dict[str, str] = {}
    for block, other in sharing.items():
        where = f"block {block}, same_noise_as"
        known("block", other, by_block, where)
        if other in sharing:
            raise UserError(f"{where}: {other} shares its noise itself. Name {sharing[other]}.")
        own, theirs = by_block[block], by_block[other]
        if [p.subject for p in own] != [p.subject for p in theirs]:
            raise UserError(
                f"{where}: the prompts of {other} have other subjects, or another number of "
                "templates. Give both blocks the same subjects in the same order."
            )
        texts |= {p.id: q.text for p, q in zip(own, theirs, strict=True)}
    return tuple(replace(p, noise=texts[p.id]) if p.id in texts else p for p in prompts)


def counterfactual(prompts: Iterable[Prompt]) -> Iterator[tuple[Prompt, Prompt, str]]:
    """Prompts on the same noise that state two classes of one attribute, and that attribute."""
    groups: dict[str, list[Prompt]] = {}
    for p in prompts:
        groups.setdefault(p.noise or p.text, []).append(p)
    for group in groups.values():
        for one, two in combinations([p for p in group if p.states], 2):
            changed = [a for a, c in one.states.items() if two.states.get(a) != c]
            if one.states.keys() == two.states.keys() and len(changed) == 1:
                yield one, two, changed[0]
