"""The search method for a training set by its size: all of it, or lists of compressed vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass

from audit.errors import UserError, figure, say, unknown

FLAT = "flat"
SQ8 = "ivf-sq8"
RABITQ = "ivf-rabitq"
KINDS = ("auto", FLAT, SQ8, RABITQ)

FLAT_UNASKED = 1_000_000
"""Images up to which all are compared by default: seconds for a thousand queries."""
FLAT_ASKED = 10_000_000
"""Images up to which all are compared on demand: minutes for ten thousand queries."""
POINTS = 40
"""Training vectors per list; k-means wants 39."""
MOST_LISTS = 16_384
"""Maximum number of lists: their training takes less than an hour on a small machine."""
LEAST_PROBES = 64
SHARE_PROBED = 1 / 16
"""Share of the lists that are searched: copies of cosine 0.9 are found even among vectors that
form no clusters, and a search is still mostly the comparison of its candidates."""


@dataclass(frozen=True)
class Choice:
    """A search method. `factory`, `nlist` and `nprobe` are empty and 0 where all are compared."""

    kind: str
    """`flat`, `ivf-sq8` or `ivf-rabitq`."""
    factory: str
    """The index's description for `faiss.index_factory`."""
    nlist: int
    nprobe: int
    bytes_estimate: int
    """Bytes that a search reads: vectors as float32, or codes, ids and centroids."""
    reason: str
    """The reason for the choice, in one sentence."""


def choose(images: int, dimensions: int, memory_bytes: int, asked: str = "auto") -> Choice:
    """The method to search `images` vectors of `dimensions` numbers with `memory_bytes` to spare.

    All are compared up to FLAT_UNASKED images, and up to FLAT_ASKED where that is `asked` for.
    Beyond, one byte a number (SQ8) as long as that fits into memory, else one bit (RaBitQ, Gao &
    Long 2024, SIGMOD 2(3):167). Lists are about four times the square root of the images (faiss,
    "Guidelines to choose an index"). Learned rotations (OPQ) are never chosen: at 512 numbers
    they take longer to train than the search saves. Raises UserError for an unknown method or for
    more images than can be compared one by one.
    """
    if images < 0 or dimensions < 1:
        raise ValueError(f"There are no {images} vectors of {dimensions} numbers.")
    if asked not in KINDS:
        raise unknown("way to search", asked, KINDS)
    if asked == FLAT or (asked == "auto" and images <= FLAT_UNASKED):
        return _flat(images, dimensions, asked)
    return _lists(images, dimensions, memory_bytes, asked)


def _flat(images: int, dimensions: int, asked: str) -> Choice:
    if images > FLAT_ASKED:
        raise UserError(
            f"All of {images:,} images are too many to be compared one by one, which is done up to "
            f"{FLAT_ASKED:,}. Ask for auto, {SQ8} or {RABITQ}."
        )
    why = (
        "this was asked for"
        if asked == FLAT
        else say("up to {n} that takes seconds", n=figure(f"{FLAT_UNASKED:,}"))
    )
    reason = say(
        "All {images} images are compared, because {why}.", images=figure(f"{images:,}"), why=why
    )
    return Choice(FLAT, "", 0, 0, 4 * images * dimensions, reason)


def _lists(images: int, dimensions: int, memory: int, asked: str) -> Choice:
    nlist = lists(images)
    nprobe = min(nlist, max(LEAST_PROBES, math.ceil(nlist * SHARE_PROBED)))
    codes = {SQ8: dimensions, RABITQ: math.ceil(dimensions / 8) + 8}
    sizes = {k: images * (code + 8) + 4 * nlist * dimensions for k, code in codes.items()}
    kind = asked if asked in sizes else SQ8 if sizes[SQ8] <= memory else RABITQ
    fits = sizes[kind] <= memory
    room = say(
        "{size} of them {how} into memory",
        size=_size(sizes[kind]),
        how="fit" if fits else "do not fit",
    )
    if asked == "auto" and kind == RABITQ:
        room += say(", where one byte a number would take {size}", size=_size(sizes[SQ8]))
    if not fits:
        room += ", so each search reads from disk"
    width = "one byte" if kind == SQ8 else "one bit"
    reason = say(
        "Candidates among {images} images come from lists of codes of {width} a number, "
        "because {how}; {room}.",
        images=figure(f"{images:,}"),
        width=width,
        how="this was asked for" if asked == kind else "all are too many to compare",
        room=room,
    )
    factory = f"IVF{nlist},{'SQ8' if kind == SQ8 else 'RaBitQ'}"
    return Choice(kind, factory, nlist, nprobe, sizes[kind], reason)


def lists(images: int) -> int:
    """Number of lists: the power of two nearest to 4 sqrt(n) that POINTS vectors each can train."""
    wanted = 2 ** round(math.log2(4 * math.sqrt(max(images, 1))))
    trainable = 2 ** int(math.log2(max(images // POINTS, 1)))
    return min(wanted, trainable, MOST_LISTS)


def _size(count: int) -> str:
    """Bytes in GB or MB."""
    return figure(f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB")
