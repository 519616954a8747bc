"""A million samples as lines of JSON: those that differ only in id and seed are converted once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

ALIKE = 100_000
"""Different samples, apart from ids and seeds, that are remembered."""


_T = TypeVar("_T")  # of `records.Sample`


def read(lines: Iterable[str], parse: Callable[[str], _T]) -> list[_T]:
    """What `parse` makes of each line that is not empty.

    A line that is the same as an earlier one except for id and seed is not parsed: it shares the
    rest of that sample. What `parse` raises is passed on.
    """
    known: dict[tuple[str, str, str], _T | None] = {}
    found: list[_T] = []
    last: tuple[str, str, str, int, _T] | None = None
    for line in filter(None, lines):
        if last is not None:  # most lines are like the one before, which takes no search
            start, middle, end, size, like = last
            id = line[len(start) : len(start) + size]
            seed = line[len(start) + size + len(middle) : -len(end)]
            if _plain(id, seed) and line == f"{start}{id}{middle}{seed}{end}":
                found.append(_with(like, id, int(seed)))
                continue
        start, mark, rest = line.partition('"id": "')
        id, _, rest = rest.partition('"')
        between, _, rest = rest.partition('"seed": ')
        seed, _, rest = rest.partition(",")
        if not _plain(id, seed):
            found.append(parse(line))
            continue
        key = (f"{start}{mark}", f'"{between}"seed": ', f",{rest}")
        if key not in known:
            if len(known) >= ALIKE:
                known.clear()
            known[key] = _template(parse, line, key, id, seed)
        template = known[key]
        if template is None:
            found.append(parse(line))
            continue
        found.append(_with(template, id, int(seed)))
        last = (*key, len(id), template)
    return found


def _plain(id: str, seed: str) -> bool:
    """Whether JSON reads these as they are: no escapes, no other numbers."""
    digits = seed.isascii() and seed.isdigit() and len(seed) < 20
    return digits and (seed[0] != "0" or seed == "0") and id.isalnum()


def _template(
    parse: Callable[[str], _T], line: str, key: tuple[str, str, str], id: str, seed: str
) -> _T | None:
    """The sample of a line, if another id and seed at the same places are all that they change."""
    one, (start, middle, end) = parse(line), key
    other = parse(f"{start}{id}0{middle}1{seed}{end}")
    return one if other == _with(one, f"{id}0", int(f"1{seed}")) else None


def _with(s: Any, id: str, seed: int | None) -> Any:
    return type(s)(id, s.prompt, s.arm, seed, s.text, s.drawn, s.change, s.reason, s.last)


def written(samples: Iterable[Any], encode: Callable[[Any], str]) -> str:
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
