"""A million samples as columns, and as lines of JSON.

Samples that differ only in id and seed are of one kind, which is converted once. Everything else is
done for all of them at once, in arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

CHUNK, BYTES = 16_384, 1 << 20
"""Lines that are written, and bytes that are read, at a time."""
ID, SEED, NEXT = b'"id": "', b'"seed": ', b", "
"""What an id and a seed follow in a line, and what follows a seed."""

_T = TypeVar("_T")  # of `records.Sample`


@dataclass(frozen=True, eq=False)
class Planned(Sequence[_T]):
    """Samples as columns, in order: each is like one of `kinds`, with its own id and seed."""

    kinds: Sequence[_T]
    """One sample of each kind, in the order in which they first appear."""
    kind: np.ndarray
    """int64[n]: each sample's kind."""
    ids: pa.LargeStringArray
    seeds: np.ndarray
    """int64[n]; not used for a kind whose own seed is unknown, or too large for this column."""

    @classmethod
    def of(cls, samples: Iterable[_T]) -> Planned[_T]:
        """The columns of these samples."""
        if isinstance(samples, Planned):
            return samples
        made = Builder[_T]()
        for s in samples:
            made.add(made.kind(s), s.id, s.seed)  # type: ignore[attr-defined]
        return made.done()

    @classmethod
    def joined(cls, parts: Sequence[Planned[_T]]) -> Planned[_T]:
        """One after the other."""
        import numpy as np
        import pyarrow as pa

        firsts = np.cumsum([0, *(len(p.kinds) for p in parts)])
        return cls(
            [k for p in parts for k in p.kinds],
            np.concatenate([np.zeros(0, np.int64),
                            *(p.kind + n for p, n in zip(parts, firsts, strict=False))]),
            pa.concat_arrays([pa.array([], pa.large_string()), *(p.ids for p in parts)]),
            np.concatenate([np.zeros(0, np.int64), *(p.seeds for p in parts)]),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.kind)

    @overload
    def __getitem__(self, at: int) -> _T: ...
    @overload
    def __getitem__(self, at: slice) -> list[_T]: ...
    def __getitem__(self, at: int | slice) -> _T | list[_T]:
        if isinstance(at, slice):
            return list(self.take(range(*at.indices(len(self)))))
        return _seeded(self.kinds[self.kind[at]], self.ids[int(at)].as_py(), int(self.seeds[at]))

    def __iter__(self) -> Iterator[_T]:
        columns = self.kind.tolist(), self.ids.to_pylist(), self.seeds.tolist()
        for kind, id, seed in zip(*columns, strict=True):
            yield _seeded(self.kinds[kind], id, seed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    def take(self, at: Sequence[int] | np.ndarray) -> Planned[_T]:
        """The samples at these places."""
        import numpy as np

        rows = np.asarray(at, np.int64)
        return _used(self.kinds, self.kind[rows], self.ids.take(rows), self.seeds[rows])

    def distinct(self) -> Planned[_T]:
        """Each id once, where it is first: the last sample that has it."""
        import numpy as np

        code = np.asarray(self.ids.dictionary_encode().indices)
        return self.take(len(self) - 1 - np.unique(code[::-1], return_index=True)[1])

    @property
    def seeded(self) -> np.ndarray:
        """bool[n]: samples whose seed is the one in the column."""
        return self.spread([_fits(k.seed) for k in self.kinds], bool)  # type: ignore[attr-defined]

    def spread(self, values: Sequence[Any], dtype: type) -> np.ndarray:
        """One value for each kind to one for each sample."""
        import numpy as np

        return np.asarray(values, dtype)[self.kind]


def _used(
    kinds: Sequence[_T], kind: np.ndarray, ids: pa.LargeStringArray, seeds: np.ndarray
) -> Planned[_T]:
    """These columns with the kinds that are in them alone, in the order in which they appear."""
    import numpy as np

    used, first, place = np.unique(kind, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(used), np.int64)
    rank[order] = np.arange(len(used))
    return Planned([kinds[k] for k in used[order]], rank[place], ids, seeds)


def _seeded(like: Any, id: str, seed: int) -> Any:
    return _with(like, id, seed if _fits(like.seed) else like.seed)


def _with(s: Any, id: str, seed: int | None) -> Any:
    return type(s)(id, s.prompt, s.arm, seed, s.text, s.drawn, s.change, s.reason, s.last)


def _fits(seed: int | None) -> bool:
    return seed is not None and -(2**63) <= seed < 2**63


@dataclass
class Builder(Generic[_T]):
    """Columns under way: first the kind of a sample, then its id and seed."""

    _kinds: list[_T] = field(default_factory=list)
    _known: dict[object, int] = field(default_factory=dict)
    _kind: list[int] = field(default_factory=list)
    _ids: list[str] = field(default_factory=list)
    _seeds: list[int] = field(default_factory=list)

    def kind(self, s: Any) -> int:
        """The number of a sample's kind."""
        own = None if _fits(s.seed) else (s.seed,)
        like = (s.prompt, s.arm, s.text, s.reason, s.last, own, id(s.change), *s.drawn.items())
        if like not in self._known:
            self._known[like] = len(self._kinds)
            self._kinds.append(s)  # it keeps the change, whose address is in the key
        return self._known[like]

    def add(self, kind: int, id: str, seed: int | None) -> None:
        """A sample of a kind."""
        self.extend(kind, [id], [seed if seed is not None and _fits(seed) else 0])

    def extend(self, kind: int, ids: Sequence[str], seeds: Sequence[int]) -> None:
        """Samples of a kind, whose seeds fit into the column."""
        self._kind += [kind] * len(ids)
        self._ids += ids
        self._seeds += seeds

    def done(self) -> Planned[_T]:
        """The columns."""
        import numpy as np
        import pyarrow as pa

        return Planned(self._kinds, np.array(self._kind, np.int64),
                       pa.array(self._ids, pa.large_string()),
                       np.array(self._seeds, np.int64))  # fmt: skip


def written(samples: Iterable[_T], encode: Callable[[_T], str]) -> Iterator[bytes]:
    """The lines that `encode` makes of samples, in pieces; it is asked twice for each kind.

    It is asked for each sample of a kind that has only one, or whose lines differ in more than id
    and seed, and for ids that are not letters and digits in ASCII.
    """
    import numpy as np

    planned = Planned.of(samples)
    many = np.bincount(planned.kind, minlength=len(planned.kinds)) > 1
    forms = [_form(k, encode) if m else None
             for k, m in zip(planned.kinds, many, strict=True)]  # fmt: skip
    for start in range(0, len(planned), CHUNK):
        part = slice(start, start + CHUNK)
        columns = planned.kind[part], planned.ids[part], planned.seeds[part]
        yield _lines(Planned(planned.kinds, *columns), forms, encode)


_Form = tuple[str, str, str]
"""What is before, between and after id and seed in the lines of a kind."""


def _form(like: _T, encode: Callable[[_T], str]) -> _Form | None:
    """The form of a kind's lines; None where id and seed are not all in which they differ."""
    if not _fits(like.seed):  # type: ignore[attr-defined]
        return None
    first, second = (encode(_with(like, f"idOfThis{n}", n)) for n in (10, 23))
    start, _, rest = first.partition('"id": "idOfThis10"')
    middle, _, end = rest.partition('"seed": 10')
    form = f'{start}"id": "', f'"{middle}"seed": ', f"{end}\n"
    return form if _join(form, "idOfThis23", 23) == f"{second}\n" else None


def _join(form: _Form, id: str, seed: int) -> str:
    return f"{form[0]}{id}{form[1]}{seed}{form[2]}"


def _lines(
    some: Planned[_T], forms: Sequence[_Form | None], encode: Callable[[_T], str]
) -> bytes:  # fmt: skip
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    shared = some.spread([f is not None for f in forms], bool)
    shared &= np.asarray(pc.ascii_is_alnum(some.ids))
    alone = np.flatnonzero(~shared)
    texts = [f or ("", "", "") for f in forms] + [
        (encode(s) + "\n", "", "") for s in (some[int(i)] for i in alone)
    ]
    which = some.kind.copy()
    which[alone] = len(forms) + np.arange(len(alone))
    start, middle, end = (pa.array(part, pa.large_string()).take(which)
                          for part in zip(*texts, strict=True))  # fmt: skip
    nothing = pa.scalar("", pa.large_string())
    seeds = pa.array(some.seeds).cast(pa.large_string())
    ids, seeds = (pc.if_else(shared, part, nothing) for part in (some.ids, seeds))
    return _bytes(pc.binary_join_element_wise(start, ids, middle, seeds, end, nothing))


def _bytes(texts: pa.LargeStringArray) -> bytes:
    """All texts of an array, one after the other."""
    import numpy as np

    _, offsets, data = texts.buffers()
    places = np.frombuffer(offsets, np.int64)[texts.offset :]
    return bytes(memoryview(data)[places[0] : places[len(texts)]])


def read(data: bytes, parse: Callable[[str], _T]) -> Planned[_T]:
    """What `parse` makes of each line that is not empty.

    A line that is the same as others except for id and seed is not parsed: it shares the rest of
    that sample. What `parse` raises is passed on, and ValueError for what is not UTF-8.
    """
    reader = _Reader(parse)
    parts = [reader.columns(chunk) for chunk in _chunks(data)]
    whole: Planned[_T] = Planned.joined(
        [Planned([], kind, ids, seeds) for kind, ids, seeds in parts]
    )
    return _used(reader.kinds, whole.kind, whole.ids, whole.seeds)


def _chunks(data: bytes) -> Iterator[np.ndarray]:
    """Whole lines, uint8[m], each with a newline."""
    import numpy as np

    data, start = data if data.endswith(b"\n") else data + b"\n", 0
    while start < len(data):
        last = data.rfind(b"\n", start, start + BYTES)
        end = (last if last >= 0 else data.index(b"\n", start)) + 1
        yield np.frombuffer(data, np.uint8, end - start, start)
        start = end


NEWLINE, QUOTE = b'\n"'


@dataclass
class _Reader(Generic[_T]):
    """Lines by kind, with what was found in earlier chunks."""

    parse: Callable[[str], _T]
    kinds: list[_T] = field(default_factory=list)
    _known: dict[_Form, int] = field(default_factory=dict)
    """Form to kind; -1 for lines that are parsed one by one."""

    def columns(self, chunk: np.ndarray) -> tuple[np.ndarray, pa.LargeStringArray, np.ndarray]:
        """Kinds, ids and seeds of the lines of a chunk that are not empty."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        bounds = _bounds(chunk)
        pieces = _pieces(chunk, bounds)
        ids, digits = pieces[1], pieces[3]
        shared = np.asarray(_plain(ids, digits))
        seeds = np.asarray(pc.if_else(shared, digits, "0").cast(pa.uint64()))
        shared &= seeds < 2**63
        kind = np.full(len(bounds), -1, np.int64)
        rows = np.flatnonzero(shared)
        kind[rows] = self._kinds_of(pieces if shared.all() else [p.take(rows) for p in pieces])
        alone = np.flatnonzero(kind < 0)
        parsed = [self.parse(_text(chunk, bounds[i, 0], bounds[i, 5])) for i in alone]
        kind[alone] = len(self.kinds) + np.arange(len(alone))
        self.kinds += parsed
        own: list[Any] = parsed
        ids = pc.replace_with_mask(ids, kind >= len(self.kinds) - len(alone),
                                   pa.array([s.id for s in own], pa.large_string()))  # fmt: skip
        seeds = seeds.astype(np.int64)
        seeds[alone] = [s.seed if _fits(s.seed) else 0 for s in own]
        return kind, ids, seeds

    def _kinds_of(self, pieces: Sequence[pa.LargeStringArray]) -> np.ndarray:
        """int64[n]: the kind of each line, or -1, by its pieces."""
        import numpy as np

        code: np.ndarray = np.zeros(len(pieces[0]), np.int64)
        for part in (pieces[0], pieces[2], pieces[4]):
            one = part.dictionary_encode()
            code = np.unique(code * len(one.dictionary) + np.asarray(one.indices),
                             return_inverse=True)[1]  # fmt: skip
        _, first, counts = np.unique(code, return_index=True, return_counts=True)
        known = [self._kind(tuple(p[int(i)].as_py() for p in pieces), int(n))
                 for i, n in zip(first, counts, strict=True)]  # fmt: skip
        return np.array(known, np.int64)[code]

    def _kind(self, line: tuple[str, ...], count: int) -> int:
        """The kind of the lines of which this is one."""
        start, id, middle, seed, end = line
        form = start, middle, end
        if form not in self._known and count > 1:
            one = self.parse(_join(form, id, int(seed)))
            other = self.parse(_join(form, f"{id}0", int(f"1{seed}")))
            same = other == _with(one, f"{id}0", int(f"1{seed}"))
            self._known[form] = len(self.kinds) if same else -1
            self.kinds += [one] * same
        return self._known.get(form, -1)


def _text(chunk: np.ndarray, start: int, end: int) -> str:
    return chunk[start:end].tobytes().decode()


def _bounds(chunk: np.ndarray) -> np.ndarray:
    """int64[n, 6]: where each line begins, its id, what follows, its seed, the rest, and its end.

    Of a line in which they are not found, id and seed begin and end at its end.
    """
    import numpy as np

    ends = np.flatnonzero(chunk == NEWLINE)
    starts = np.append(0, ends[:-1] + 1)
    starts, ends = starts[starts < ends], ends[starts < ends]
    quotes = np.flatnonzero(chunk == QUOTE)

    def after(places: np.ndarray, at: np.ndarray) -> np.ndarray:
        """The first of some places that is not before each position; the chunk's end if none is."""
        return np.append(places, len(chunk))[np.searchsorted(places, at)]

    id = after(_found(chunk, ID), starts) + len(ID)
    between = after(quotes, id)
    seed = after(_found(chunk, SEED), between + 1) + len(SEED)
    rest = after(quotes, seed) - len(NEXT)  # of the next key
    lost = (rest >= ends) | (rest <= seed)
    for i, byte in enumerate(NEXT):
        lost |= chunk.take(rest + i, mode="clip") != byte
    inner = np.stack([id, between, seed, rest], axis=1)
    inner[lost] = ends[lost][:, None]
    return np.column_stack([starts, inner, ends])


def _found(chunk: np.ndarray, mark: bytes) -> np.ndarray:
    """Where a mark begins, sorted."""
    import numpy as np

    first = (chunk[:-1] == mark[0]) & (chunk[1:] == mark[1])
    places = np.flatnonzero(first)
    for i, byte in enumerate(mark[2:], 2):
        places = places[chunk.take(places + i, mode="clip") == byte]
    return places


def _pieces(chunk: np.ndarray, bounds: np.ndarray) -> list[pa.LargeStringArray]:
    """What is between the bounds of each line."""
    import numpy as np
    import pyarrow as pa

    places = np.append(bounds.ravel(), len(chunk))
    pieces = pa.LargeStringArray.from_buffers(
        bounds.size, pa.py_buffer(places), pa.py_buffer(chunk)
    )
    return [pieces.take(np.arange(i, bounds.size, 6)) for i in range(5)]


def _plain(ids: pa.LargeStringArray, seeds: pa.LargeStringArray) -> pa.BooleanArray:
    """Whether JSON reads these as they are: no escapes, no other numbers."""
    import pyarrow.compute as pc

    number = pc.and_(pc.ascii_is_decimal(seeds), pc.less(pc.binary_length(seeds), 20))
    zeros = pc.and_(pc.starts_with(seeds, "0"), pc.greater(pc.binary_length(seeds), 1))
    return pc.and_(pc.ascii_is_alnum(ids), pc.and_not(number, zeros))
