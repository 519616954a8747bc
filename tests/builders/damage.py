"""Damage to files, drawn from a seed: bytes as a failing disk leaves them, JSON of another form."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": lambda data, chance: data[: chance.randrange(len(data))],
    "flipped": lambda data, chance: _flipped(data, chance),
    "zeroed": lambda data, chance: _zeroed(data, chance.randrange(len(data))),
    "doubled": lambda data, chance: data + data[: 1 + chance.randrange(64)],
    "random": lambda data, chance: chance.randbytes(len(data)),
}
"""Kinds of damage to bytes."""
DEEP = "[" * 100_000 + "]" * 100_000
VALUES = ("null", "true", "-1", "7", "1e999", "NaN", "9" * 5000, "0.5", '""', '"x"', '"\\ud800"',
          "[]", "{}", "[[]]", "[1]", '{"x": 1}', '[{"x": null}]', '{"x": ["y"]}', DEEP)  # fmt: skip
"""JSON texts that may be anywhere in place of what was written."""


def _flipped(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def _zeroed(data: bytes, start: int) -> bytes:
    return data[:start] + bytes(len(data) - start)


def another_form(text: str, chance: random.Random) -> str:
    """Valid JSON, or nearly, in which one place has another value, is gone, or is new."""
    whole = json.loads(text)
    places = list(_places(whole))
    mark = "\u2022"
    if chance.random() < 0.05 or not places:
        return chance.choice(VALUES)
    inside, key = chance.choice(places)
    how = chance.randrange(4)
    if how == 0 and isinstance(inside, dict):
        del inside[key]
    elif how == 1 and isinstance(inside, dict):
        inside["new"] = 1
    else:
        inside[key] = mark
    return json.dumps(whole).replace(json.dumps(mark), chance.choice(VALUES))


def _places(value: Any) -> Any:
    """Every container with each of its keys, at any depth; long lists by their first items."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _places(inner)
    elif isinstance(value, list):
        for i, inner in enumerate(value[:3]):
            yield value, i
            yield from _places(inner)
