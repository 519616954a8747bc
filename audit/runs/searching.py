"""Search of user-supplied images for copies: the nearest images of an index, with uncertainty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit import registry
from audit.datasets import far, listing, pixels
from audit.datasets.listed import Listed
from audit.datasets.packs import PNG, Images
from audit.errors import UserError, untrusted
from audit.evidence.copies import decision, local, single
from audit.evidence.copies.index import Index
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.sides import Sides, sides
from audit.report.language import ENGLISH, speaking
from audit.stats.multiplicity import benjamini_hochberg
from audit.stats.proportions import wilson
from audit.stats.selection import conformal_p

if TYPE_CHECKING:
    from audit.evidence.copies.training_set import TrainingSet

COLUMNS = (
    "query", "rank", "score", "p", "p_low", "p_high", "q", "verdict", "single", "image", "caption",
    "repeats", "part", "source_part",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """The images to search for, and those that cannot be read, with the reason."""

    names: tuple[str, ...]
    pictures: Sequence[np.ndarray]
    """uint8[h, w, 3] each; those of files are decoded whenever one is taken."""
    unreadable: dict[str, str]

    def picture(self, name: str) -> np.ndarray:
        """One image by its name; pixels.Unreadable if its file has changed and is damaged."""
        return self.pictures[self._place[name]]

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}


class _Files(Sequence[np.ndarray]):
    """Images on disk: all of them at once may be more than fits into memory."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: Any) -> Any:
        return _read(self.paths[at])


def _read(path: Path) -> np.ndarray:
    """An image file, or an image that a run keeps packed where this file would be."""
    if path.exists():
        return pixels.read(path)
    return pixels.decode(Images(path.parent.parent).content(path.stem))


LEVEL = 0.05
"""Rate of false flags over all images asked for at once."""
SINGLE, COPY, NONE = "this training image", "copy", "no copy found"
OPEN, BARE, ALIKE = "cannot be flagged", "not calibrated", "a copy or alike in content"
"""Verdicts. OPEN: held-out images are too few for so many images, or not alike; BARE: there are
none; ALIKE: a copy by a descriptor of what images show, which also finds what shows the same."""
SEMANTIC = (
    "The descriptor is of what images show: an image of the same content, or one that obeys the "
    "caption of a training image, is as near as a copy. Only equal pixels show a copy; a copy "
    "descriptor (sscd) tells them apart."
)


def ask(paths: Sequence[Path]) -> Question:
    """Images by file or folder; UserError where none of them can be read."""
    files: list[Path] = []
    unreadable: dict[str, str] = {}
    for path in paths:
        if path.is_dir():
            found = listing.listed(path)
            packed = [folder / i[:2] / f"{i}{PNG}" for folder in {t.parent for t in found.tars}
                      for i in Images(folder).members()]  # fmt: skip
            files += sorted({*found.images, *packed})
            unreadable |= {str(path / x.file): x.reason for x in found.left_out}
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"There is nothing at {path}. Give images, or folders of images.")
    there: list[Path] = []
    for file in dict.fromkeys(files):
        try:
            _read(file)
            there.append(file)
        except pixels.Unreadable as reason:
            unreadable[str(file)] = str(reason)
    if not there:
        why = next((f"{k}: {v}" for k, v in unreadable.items()), "there is no image")
        raise UserError(f"None of the images can be read ({why}). Give others.")
    return Question(tuple(map(str, there)), _Files(there), unreadable)


def opened(
    folder: Path, how: str = "auto", device: str = "auto", descriptor: str = "",
    trust_code: bool = False,
) -> tuple[Index, Any]:  # fmt: skip
    """An index, prepared to be searched as `how` says, and its descriptor.

    A descriptor that is a file, or code, is loaded where it is the user's own `descriptor`, or with
    `trust_code`. Raises UserError where there is no index, or its descriptor cannot be loaded.
    """
    from audit.engine.model import device as found
    from audit.evidence.copies.approximate import prepared
    from audit.evidence.copies.index import load
    from audit.evidence.encoders import named

    index = load(far.local(folder))
    where = "" if trust_code else f"The index {folder}"
    for kind, place in index.places.values():
        if where and kind == Listed.kind and place not in registry.CORPORA:
            raise untrusted(where, "corpus", str(place))
    encoder = named.recorded(index.descriptor.name, descriptor, str(found(device)), where)
    return prepared(index, how), encoder


def why(index: Index) -> str:
    """The reason for the search method; empty where all images are compared."""
    choice = getattr(index.train.finder, "choice", None)
    return "" if choice is None else str(choice.reason)


def compared(index: Index, encoder: Any, seed: int = 0) -> Sides:
    """Which images of the index's two sides are compared, and whether the sides look alike."""
    image = _corpus(index).image
    seen = decision.edits(index, encoder, image, seed, (decision.SAME,))
    return sides(index, decision.duplicate_cosine(seen.rows), seed)


def search(
    index: Index, encoder: Any, question: Question, k: int, by: Sides, seed: int = 0
) -> pd.DataFrame:
    """The `k` nearest training images of each image (COLUMNS), nearest first.

    `p` is the share of held-out images that are at least as near to the training set (conformal,
    Bates et al. 2023, eq. 2), `q` its Benjamini-Hochberg value over all images searched for; both
    belong to the nearest image alone. `p_low` and `p_high` are the 95 % interval of that share
    (Wilson) for as many held-out images as were compared. Without a held-out set that is like the
    training set (`by`) they are NaN: a score alone says little, because it depends on the
    descriptor and grows with the training set. `single` is what is claimed of an image alone,
    whatever the rest are (`copies.single`). With a local index, `part` and `source_part` are the
    most similar crops: left, top, right and bottom as shares of the sides; else None.
    """
    index.check(encoder)
    index = decision.without_shared_images(index, by)
    vectors = np.concatenate(list(_vectors(encoder, question)))
    scores, where = index.train.nearest(vectors, k)
    chance = np.empty(0, np.float32) if by.doubt else decision.null(index, seed)
    p = conformal_p(scores[:, 0], chance) if len(chance) else np.full(len(scores), np.nan)
    q = benjamini_hochberg(p)
    alone = _singles(index, question, vectors, (scores, where), by, seed)
    copy = ALIKE if getattr(encoder, "semantic", False) else COPY
    verdicts = _verdicts(alone, q, len(chance), len(index.held) > 0, copy)
    low, high = _share(scores[:, 0], chance)
    rows = []
    for i, name in enumerate(question.names):
        for rank in range(scores.shape[1]):
            if where[i, rank] < 0:
                continue
            entry = index.train.entry(int(where[i, rank]))
            first = rank == 0
            rows.append(
                (
                    name, rank + 1, float(scores[i, rank]),
                    *(float(x[i]) if first else np.nan for x in (p, low, high, q)),
                    *((verdicts[i], alone[i]) if first else ("", "")),
                    entry.id, entry.caption, index.train.times(int(where[i, rank])),
                    *_parts(index, encoder, vectors[i], int(where[i, rank])),
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _vectors(encoder: Any, question: Question) -> Iterator[np.ndarray]:
    """Those of the images in their order, some at a time."""
    for _, rows, gone in pixels.encoded(question.names, question.picture, encoder.images):
        for name, reason in gone.items():
            raise UserError(f"{name} changed while it was read: {reason}. Search again.")
        yield rows


def _corpus(index: Index) -> TrainingSet:
    """The indexed training set, whose images are there if they are still where indexed.

    `opened` has refused an index that names code.
    """
    from audit.evidence.copies import training_set

    return training_set.at(index.folder, None, registry.corpora(""))


def _singles(
    index: Index, question: Question, vectors: np.ndarray, found: tuple[np.ndarray, np.ndarray],
    by: Sides, seed: int,
) -> list[str]:  # fmt: skip
    """What is claimed of each image alone."""
    image = _corpus(index).image
    score, where = (x[:, 0] for x in found)
    w = twin_evidence(score, index.nearest(vectors, held_out=True)[0])
    ids = [index.train.entry(int(p)).id if p >= 0 else None for p in where]
    most = single.line(index, by.train, image, seed)
    pairs = list(zip(question.names, ids, score.tolist(), w.tolist(), strict=True))
    return list(single.claims(pairs, (question.picture, image), most))


def _verdicts(
    alone: Sequence[str], q: np.ndarray, chance: int, held: bool, copy: str = COPY
) -> list[str]:
    """One verdict an image; none is said to copy nothing where it could not have been flagged.

    One more image could be flagged if the smallest p that is possible, 1 / (chance + 1), passed
    Benjamini and Hochberg's line after those that were.
    """
    flagged = int((np.nan_to_num(q, nan=2.0) <= LEVEL).sum())
    able = chance > 0 and len(q) / (chance + 1) <= LEVEL * (flagged + 1) + 1e-12
    rest = NONE if able else OPEN if held else BARE
    return [SINGLE if a else copy if x <= LEVEL else rest for a, x in zip(alone, q, strict=True)]


def _parts(
    index: Index, encoder: Any, query: np.ndarray, position: int
) -> tuple[list[float] | None, list[float] | None]:
    """The most similar crops of an image and of a training image."""
    if index.crops == 1:
        return None, None
    row = index.train.rows(np.array([position]))
    _, own, other = local.matched(query, row, index.crops)[0]
    return _box(encoder, own), _box(encoder, other)


def _box(encoder: Any, crop: int) -> list[float]:
    return [round(side, 4) for side in encoder.box(crop)]


def _share(scores: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of the share of images that were not copied and score at least as high."""
    if not len(chance):
        nothing = np.full(len(scores), np.nan)
        return nothing, nothing
    counts = len(chance) - np.searchsorted(np.sort(chance), scores, side="left")
    found = [wilson(int(c), len(chance)) for c in counts]
    return np.array([f.low for f in found]), np.array([f.high for f in found])


def write_page(
    path: Path, index: Index, question: Question, table: pd.DataFrame, by: Sides,
    lang: str = ENGLISH,
) -> None:  # fmt: skip
    """Write the report of a search; with training images only if they are still where indexed."""
    from audit.files import now, write_atomic
    from audit.report import search as report

    corpus = _corpus(index)
    held = 0 if by.doubt else int((~by.shared & ~index.held.left_out).sum())
    most = decision.NULL if index.crops == 1 else decision.NULL_LOCAL
    searched = report.Searched(
        table, len(index.train), min(held, most), index.coverage,
        index.descriptor.name, why(index), question.unreadable, by.words,
        index.folder.resolve().name, now()[:10],
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with speaking(lang):
        made = report.page(searched, question.picture, corpus.image)
    write_atomic(path, made.encode("utf-8"))
