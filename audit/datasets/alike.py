"""A million samples as lines of JSON: those that differ only in id and seed are converted once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

ALIKE = 100_000
"""Different samples, apart from ids and seeds, that are remembered."""
SEED = re.compile(r"0|[1-9][0-9]{0,18}|null")


class Sample(Protocol):
    """The part of a sample that is used here."""

    id: Any
    prompt: Any
    arm: Any
    seed: Any
    text: Any
    drawn: Mapping[str, str]
    change: Any
    reason: Any


_T = TypeVar("_T", bound=Sample)


def read(lines: Iterable[str], parse: Callable[[str], _T]) -> list[_T]:
    """What `parse` makes of each line that is not empty.

    A line that is the same as an earlier one except for id and seed is not parsed: it shares the
    rest of that sample. What `parse` raises is passed on.
    """
    known: dict[tuple[str, str, str], _T | None] = {}
    found = []
    for line in filter(None, lines):
        start, _, rest = line.partition('"id": "')
        id, _, rest = rest.partition('"')
        middle, _, rest = rest.partition('"seed": ')
        seed, _, end = rest.partition(",")
        if not id.isalnum() or not SEED.fullmatch(seed):
            found.append(parse(line))
            continue
        key = (start, middle, end)
        if key not in known:
            if len(known) >= ALIKE:
                known.clear()
            one = parse(line)
            more = "1" if seed == "null" else f"1{seed}"  # others, at the same places
            other = parse(f'{start}"id": "{id}0"{middle}"seed": {more},{end}')
            known[key] = one if other == _with(one, f"{id}0", int(more)) else None
        like = known[key]
        number = None if seed == "null" else int(seed)
        found.append(parse(line) if like is None else _with(like, id, number))
    return found


def _with(s: _T, id: str, seed: int | None) -> _T:
    return type(s)(id, s.prompt, s.arm, seed, s.text, s.drawn, s.change, s.reason)  # type: ignore[call-arg]


def written(samples: Iterable[_T], encode: Callable[[_T], str]) -> str:
    """The lines that `encode` makes of samples; it is asked once for those that are alike.

    A sample with a change is always asked for. Ids are letters and digits in ASCII, or asked for.
    """
    known: dict[object, Sequence[str]] = {}
    lines = []
    for s in samples:
        if s.change or s.seed is None or not (s.id.isascii() and s.id.isalnum()):
            lines.append(encode(s))
            continue
        like = (s.prompt, s.arm, s.text, s.reason, *s.drawn.items())
        if like not in known:
            line = encode(s)
            start, _, rest = line.partition(f'"id": "{s.id}"')
            known[like] = (start, *rest.partition(f'"seed": {s.seed}')[::2])
        start, middle, end = known[like]
        lines.append(f'{start}"id": "{s.id}"{middle}"seed": {s.seed}{end}')
    return "".join(f"{line}\n" for line in lines)
