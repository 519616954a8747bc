"""A suite of captions, of training images and of as many held-out ones, drawn from an index.

Copies are asked for with captions of training images. Captions of held-out images are their
control: a model that only obeys draws both alike (`evidence.copies.obedience`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.datasets import far
from audit.datasets.cells import of_frame
from audit.errors import UserError
from audit.evidence.copies.obedience import FEWEST, spelled
from audit.files import write_atomic

if TYPE_CHECKING:
    from audit.evidence.copies.side import Side

NAME = "captions"
LONGEST = 1000
"""Characters above which a caption is not asked for."""
SUITE = """\
# Captions of training images, and of held-out images as their control.
name = "captions"
title = "Captions of training images"
question = "Which training images does the model give back, beyond obeying their captions?"

[[blocks]]
id = "captions"
purpose = "replication"
file = "captions.csv"
seeds = {seeds}
"""


def write(folder: Path, out: Path, n: int, seeds: int, seed: int) -> tuple[Path, int]:
    """Write `captions.toml` and `captions.csv` into `out`; the suite and how many of each side.

    At most `n` captions of each side of the index in `folder`, as many of both, drawn by `seed`.
    Only words that one image of one side has. Raises UserError where there are fewer than FEWEST.
    """
    from audit.evidence.copies.index import load

    index = load(far.local(folder))
    far.refuse(out)
    both = [_texts(side) for side in (index.train, index.held)]
    every = [{spelled(e.caption) for e in side.entries} for side in (index.held, index.train)]
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(sorted({w for w, _, _ in rows} - other)).tolist()
             for rows, other in zip(both, every, strict=True)]  # fmt: skip
    size = min(n, *map(len, drawn))
    if size < FEWEST:
        raise UserError(
            f"{folder}: {len(drawn[0])} training images and {len(drawn[1])} held-out images have a "
            f"caption that no image of the other side has, and {FEWEST} of each are needed. Index "
            "images of both kinds with captions (`t2i-audit index ... --held-out`)."
        )
    rows = []
    for name, texts, chosen in zip(("training", "held-out"), both, drawn, strict=True):
        kept = set(chosen[:size])
        some = [(text, times) for w, text, times in texts if w in kept]
        rows += [(f"{name}-{i:04}", text, times if name == "training" else 0)
                 for i, (text, times) in enumerate(some)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["id", "text", "repeats"])
    write_atomic(out / f"{NAME}.csv", of_frame(table))
    write_atomic(out / f"{NAME}.toml", SUITE.format(seeds=seeds).encode())
    return out / f"{NAME}.toml", size


def _texts(side: Side) -> list[tuple[str, str, int]]:
    """Words, caption and count of each image whose caption no other image of its side has.

    Captions that no table can have are left out: longer than LONGEST, or with a NUL.
    """
    found: dict[str, list[tuple[str, str, int]]] = {}
    for row in _all(side):
        found.setdefault(row[0], []).append(row)
    alone = (rows[0] for rows in found.values() if len(rows) == 1)
    return [row for row in alone if len(row[1]) <= LONGEST and "\0" not in row[1]]


def _all(side: Side) -> Iterator[tuple[str, str, int]]:
    for i, entry in enumerate(side.entries):
        if words := spelled(entry.caption):
            yield words, entry.caption, side.times(i)
