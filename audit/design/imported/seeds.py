"""Seeds of images made elsewhere: only a seed that was given, and that names one image, pairs it.

The order of files or of rows says nothing about noise, so an image without a seed has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from audit.errors import say
from audit.records import Sample


def single(samples: Sequence[Sample]) -> tuple[list[Sample], list[str]]:
    """The samples with only the seeds that tell the noise of one image, and notes on the others.

    Programs write a negative seed for a random one, which they do not tell. A batch that was drawn
    from one seed has different noise for each image, and nothing says which of them belongs to
    which image of another arm.
    """
    random = sum(s.seed is not None and s.seed < 0 for s in samples)
    known = [replace(s, seed=None) if s.seed is not None and s.seed < 0 else s for s in samples]
    given = Counter(_place(s) for s in known if s.seed is not None)
    kept = [replace(s, seed=None) if given[_place(s)] > 1 else s for s in known]
    gone = sum(n for n in given.values() if n > 1)
    notes = list[str]()
    if random:
        notes.append(say("{n} images have a negative seed, which programs write for a random one. "
                         "These count as not given, and pair no images.", n=random))  # fmt: skip
    if gone:
        notes.append(say("{n} images share prompt, arm and seed with another one, so these seeds "
                         "do not say which images belong together, and were left out.",
                         n=gone))  # fmt: skip
    return kept, notes


def _place(s: Sample) -> tuple[str, str, int | None]:
    return s.prompt, s.arm, s.seed
