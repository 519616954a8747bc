"""Counterfactual pairs: prompts on the same noise that state different groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from audit.records import Prompt


def counterfactual(prompts: Iterable[Prompt]) -> Iterator[tuple[Prompt, Prompt, str]]:
    """Prompts on the same noise that state two classes of one attribute, and that attribute."""
    groups: dict[str, list[Prompt]] = {}
    for p in prompts:
        groups.setdefault(p.frame or p.text, []).append(p)
    for group in groups.values():
        for one, two in combinations([p for p in group if p.states], 2):
            changed = [a for a, c in one.states.items() if two.states.get(a) != c]
            if one.states.keys() == two.states.keys() and len(changed) == 1:
                yield one, two, changed[0]
