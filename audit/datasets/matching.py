"""Rows of tables of captions matched with images, by the ways in which tables write names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from audit.datasets.captions import Caption, Said, one_place, some_names
from audit.datasets.chosen import USUALLY, Chosen
from audit.datasets.metadata import Nameless, Table, read, twice


@dataclass(frozen=True)
class Matched:
    """The rows of tables by the names of the images that they describe."""

    captions: Mapping[str, Caption] = field(default_factory=dict)
    notes: Sequence[str] = ()


def matched(
    tables: Sequence[Path], names: Sequence[str], root: Path, chosen: Chosen = USUALLY
) -> Matched:
    """Rows of tables by image; `names` are the paths of all images below `root`.

    A row names an image by its path below the table's folder, or by any end of its whole path,
    with or without the ending, in other capitals where nothing else fits. What fits no image so
    may have the path of another place, which ends like the path below `root`. UserError for two
    rows that name one image. The notes count rows that name no image, or more than one.
    """
    images = _Names(names, root)
    captions: dict[str, Caption] = {}
    notes: list[str] = []
    for path in tables:
        prefix = _below(path, root)
        try:
            table = read(path, chosen)
        except Nameless:
            if not prefix:
                raise
            notes.append(f"{prefix}{path.name} was not read: it has no column of file names.")
            continue
        notes += [*table.notes, *_match(table, prefix, images, captions)]
    return Matched(captions, notes)


def _below(path: Path, root: Path) -> str:
    try:
        prefix = path.resolve().parent.relative_to(root.resolve()).as_posix()
    except ValueError:
        return ""
    return "" if prefix == "." else f"{prefix}/"


def _match(
    table: Table, prefix: str, images: _Names, captions: dict[str, Caption]
) -> Iterator[str]:
    """Add the rows of a table to the captions; what has to be said about them."""
    said, unsure, rest = Said(), list[str](), list[str]()
    for name, row in table.rows.items():
        found = images.of(name, prefix)
        if len(found) > 1:
            unsure.append(name)
        elif not found:
            rest.append(name)
        else:
            _add(captions, found[0], row)
            said.add(row.doubt, found[0])
    elsewhere: dict[str, list[str]] = {}
    for name in rest:
        for image in images.elsewhere(name):
            elsewhere.setdefault(image, []).append(name)
    moved = {n[0]: i for i, n in elsewhere.items() if len(n) == 1 and i not in captions}
    for name, image in moved.items():
        _add(captions, image, table.rows[name])
        said.add(table.rows[name].doubt, image)
    absent = [n for n in rest if n not in moved]
    yield from said.notes()
    rows = f"of {len(table.rows)} rows of {prefix}{table.path.name}"
    if moved:
        yield (
            f"{len(moved)} {rows} have a path of another place, and were matched by its end "
            f"({some_names(list(moved))})."
        )
    if absent:
        yield f"{len(absent)} {rows} name images that are not here ({some_names(absent)})."
    if unsure:
        yield (
            f"{len(unsure)} {rows} fit several images and were not used ({some_names(unsure)}). "
            "Give the path of each image."
        )


def _add(captions: dict[str, Caption], image: str, row: Caption) -> None:
    if image in captions:
        raise twice(image, captions[image], row)
    captions[image] = row


Paths = Sequence[tuple[str, str]]
"""Paths in one form, each with the image's own name."""


class _Names:
    """The images of a collection, found by the ways in which tables write their names."""

    def __init__(self, names: Sequence[str], root: Path) -> None:
        whole = [(unicodedata.normalize("NFC", one_place(n)), n) for n in names]
        bare = [(w[: -len(PurePosixPath(w).suffix) or None], n) for w, n in whole]
        self._forms: Sequence[Paths] = (whole, bare)
        self._root = unicodedata.normalize("NFC", one_place(root.resolve().as_posix()))

    @cached_property
    def _exact(self) -> list[_Places]:
        return [_Places(f, self._root) for f in self._forms]

    @cached_property
    def _folded(self) -> list[_Places]:
        root = self._root.casefold()
        return [_Places([(p.casefold(), n) for p, n in f], root) for f in self._forms]

    def of(self, row: str, prefix: str) -> Sequence[str]:
        """The images that a row names: none, one, or several that fit equally well.

        `prefix` is the path of the table's folder, in which the images of its rows are.
        """
        for places, written, inside in self._ways(row, prefix):
            if prefix and (found := places.of(inside + written)):
                return found
            if found := [n for n in places.of(written) if n.startswith(prefix)]:
                return found
        return ()

    def elsewhere(self, row: str) -> Sequence[str]:
        """The images with whose paths the path of a row ends."""
        return next((f for p, w, _ in self._ways(row, "") if (f := p.within(w))), ())

    def _ways(self, row: str, prefix: str) -> Iterator[tuple[_Places, str, str]]:
        yield from ((places, row, prefix) for places in self._exact)
        yield from ((places, row.casefold(), prefix.casefold()) for places in self._folded)


class _Places:
    """Images by path, and by every end of it."""

    def __init__(self, paths: Paths, root: str) -> None:
        self._by_path: dict[str, list[str]] = {}
        self._by_end: dict[str, list[str]] = {}
        self._above = [f"{end}/" for end in (root, *_ends(root)) if end]
        for path, name in paths:
            self._by_path.setdefault(path, []).append(name)
            for end in _ends(path):
                self._by_end.setdefault(end, []).append(name)

    def of(self, path: str) -> Sequence[str]:
        """The images at a path, else those whose whole path ends so."""
        if found := self._by_path.get(path) or self._by_end.get(path):
            return found
        inside = (path.removeprefix(a) for a in self._above if path.startswith(a))
        return next((f for p in inside if (f := self._by_path.get(p))), ())

    def within(self, path: str) -> Sequence[str]:
        """The images with which a path ends, by the longest such end."""
        return next((f for end in _ends(path) if (f := self._by_path.get(end))), ())


def _ends(path: str) -> Iterator[str]:
    """The ends of a path in whole parts, without itself, longest first."""
    _, slash, rest = path.partition("/")
    while slash:
        yield rest
        _, slash, rest = rest.partition("/")
