"""Stacks: several mitigations at once, in order, and which of them cannot go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from audit.design.mitigations.methods import SPEAKING
from audit.errors import UserError, known
from audit.records import Mitigation

STACK = "stack"
WORDS = frozenset({"repeat-words", "add-words", "add-numbers"})
"""Rewriters that put words anywhere, so that a noun phrase after them need not be one any more."""
STATING = SPEAKING | {"placebo", "negative", "fair-guidance"}
"""Mitigations of which an attribute can have one: the gate of a second would stop at the first."""
NOISE = {"noise", "token-noise"}


def resolved(arm: Mitigation, others: Sequence[Mitigation]) -> Mitigation:
    """A stack with its parts, named arms of `others` or methods of its own; others as they are.

    A part that is an arm too keeps its name, so that it draws what that arm draws. Raises UserError
    for a part that is not there or is a stack.
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
            raise UserError(f"mitigation {arm.name}: a stack cannot hold a stack. List its parts.")
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
    """Raise UserError for a stack two of whose parts cannot go together."""
    for a, b in combinations(arm.parts, 2):
        if why := clash(a, b):
            raise UserError(
                f"mitigation {arm.name}: {a.name} and {b.name} cannot be stacked, because {why}."
            )


def about(part: Mitigation) -> str | None:
    """The attribute whose gate a part obeys, or None."""
    usual = "gender" if part.method in ("neutral", "indirect") else None
    found = part.options.get("attribute", usual)
    return None if found is None else str(found)


def clash(a: Mitigation, b: Mitigation) -> str:
    """Why `b` cannot follow `a` in a stack, or nothing."""
    same = about(a) == about(b)
    if a.method == b.method and (same or a.method == "placebo"):  # one sentence, whoever gates it
        return f"both are {a.method}: keep one"
    if same and about(a) is not None and {a.method, b.method} <= STATING:
        return f"both are about {about(a)}, and the gate lets only one state it: keep one"
    if {a.method, b.method} == NOISE:
        return "both draw the noise of the same seed: keep one"
    if {a.method, b.method} == {"fair-guidance", "rescale-attention"}:
        return "what the attention does to the text, it would do to the concepts: keep one"
    if a.method in WORDS and b.method in STATING - {"negative", "fair-guidance"}:
        return "words put in at random can break its noun phrase: put them last"
    return ""
