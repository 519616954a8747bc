"""Stacks: several mitigations applied in order, and which of them cannot be combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from audit.design.mitigations.methods import STACK, method
from audit.errors import UserError, known
from audit.records import Mitigation


def resolved(arm: Mitigation, others: Sequence[Mitigation]) -> Mitigation:
    """A stack with its parts, named arms of `others` or its own methods; other arms unchanged.

    A part that is an arm too keeps its name, so it draws the same values. Raises UserError for an
    unknown part and for a stack inside a stack.
    """
    if arm.method != STACK:
        return arm
    by_name = {m.name: m for m in others if m.method != STACK}
    parts = []
    for part in arm.options["of"]:
        if isinstance(part, str):
            known("arm", part, by_name, f"mitigation {arm.name}, of")
            parts.append(by_name[part])
            continue
        if part["method"] == STACK:
            raise UserError(
                f"mitigation {arm.name}: a stack cannot contain a stack. List its parts."
            )
        options = part.get("options", {})
        name = "-".join(filter(None, [arm.name, part["method"], options.get("attribute")]))
        parts.append(Mitigation(name, part["method"], options))
    return stacked(arm, parts)


def stacked(arm: Mitigation, parts: Sequence[Mitigation]) -> Mitigation:
    """An arm with these parts, all of them on its blocks."""
    return replace(arm, parts=tuple(replace(p, blocks=arm.blocks) for p in parts))


def on(arm: Mitigation, blocks: Sequence[str]) -> Mitigation:
    """The arm on other blocks, with its parts."""
    return stacked(replace(arm, blocks=tuple(blocks)), arm.parts)


def check(arm: Mitigation) -> None:
    """Raise UserError for a stack with two parts that cannot be combined."""
    for a, b in combinations(arm.parts, 2):
        if why := clash(a, b):
            raise UserError(
                f"mitigation {arm.name}: {a.name} and {b.name} cannot be stacked, because {why}."
            )


def about(part: Mitigation) -> str | None:
    """The attribute whose gate a part obeys, or None."""
    named = part.options.get("attribute", method(part.method).usual_attribute)
    return None if named is None else str(named)


def clash(a: Mitigation, b: Mitigation) -> str:
    """Why `b` cannot follow `a` in a stack, or empty text."""
    first, second = method(a.method), method(b.method)
    same = about(a) == about(b)
    # A placebo's sentence is the same for every attribute, so a second one is redundant.
    if a.method == b.method and (same or first.family == "placebo"):
        return f"both are {a.method}: keep one"
    if same and about(a) is not None and first.states_attribute and second.states_attribute:
        return f"both are about {about(a)}, and the gate lets only one state it: keep one"
    if why := first.clashes.get(b.method) or second.clashes.get(a.method):
        return f"{why}: keep one"
    if first.changes == "words" and second.changes == "text" and second.states_attribute:
        return "words inserted at random can split its noun phrase: put them last"
    return ""
