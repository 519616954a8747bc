"""Words for the values of an attribute: in a noun phrase, in a negative prompt, and in the engine.

`options["words"]` of a mitigation replaces any of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from audit.records import MethodOptions

PHRASES = {"gender": {"woman": "female", "man": "male"}}
"""Words that state a value in a noun phrase, by attribute."""
CONCEPTS = {"gender": {"woman": "female person", "man": "male person"}}
"""Texts that represent a class in the engine (Friedrich et al. 2023), by attribute."""


def phrase(attribute: str, value: str, options: MethodOptions) -> str | None:
    """The words that state a value in a noun phrase, or None without an option or default."""
    default = PHRASES.get(attribute, {}).get(value)
    if attribute == "skin_tone":
        default = f"with {value} skin"
    return _chosen(value, default, options)


def concept(attribute: str, value: str, options: MethodOptions) -> str | None:
    """The text that represents a class in the engine, or None without an option or default."""
    default = CONCEPTS.get(attribute, {}).get(value)
    if attribute == "skin_tone":
        default = f"person with {value} skin"
    return _chosen(value, default, options)


def _chosen(value: str, default: str | None, options: MethodOptions) -> str | None:
    found = options.get("words", {}).get(value, default)
    return None if found is None else str(found)


def avoided(
    attribute: str, value: str, classes: Sequence[str], options: MethodOptions
) -> list[str] | None:
    """The negative prompt's words for every class except the drawn `value`, in the classes' order.

    `male, man` for a woman; None if one of them has no words.
    """
    said = {c: negative(attribute, c, options) for c in classes if c != value}
    return None if None in said.values() else [str(v) for v in said.values()]


def negative(attribute: str, value: str, options: MethodOptions) -> str | None:
    """The words that name a class in a negative prompt, or None without an option or default."""
    default = f"{value} skin" if attribute == "skin_tone" else None
    if attribute in PHRASES and value in PHRASES[attribute]:
        default = f"{PHRASES[attribute][value]}, {value}"
    return _chosen(value, default, options)


def phrases(attribute: str, options: MethodOptions) -> list[str]:
    """All words that may state a value of an attribute."""
    return [*PHRASES.get(attribute, {}).values(), *map(str, options.get("words", {}).values())]
