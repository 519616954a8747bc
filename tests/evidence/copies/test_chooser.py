"""The way to search follows from the size, from memory, and from what was asked."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import UserError
from audit.evidence.copies.chooser import KINDS, MOST_LISTS, POINTS, choose

GIB = 1 << 30


@pytest.mark.parametrize(
    ("images", "memory", "asked", "kind"),
    [
        (0, GIB, "auto", "flat"), (1_000_000, GIB, "auto", "flat"),
        (1_000_001, 8 * GIB, "auto", "ivf-sq8"), (10_000_000, 8 * GIB, "auto", "ivf-sq8"),
        (10_000_000, 4 * GIB, "auto", "ivf-rabitq"), (10_000_000, GIB, "flat", "flat"),
        (100_000_000, 16 * GIB, "auto", "ivf-rabitq"), (5_000, GIB, "ivf-sq8", "ivf-sq8"),
        (100_000_000, 16 * GIB, "ivf-sq8", "ivf-sq8"), (5_000, GIB, "ivf-rabitq", "ivf-rabitq"),
    ],
)  # fmt: skip
def test_the_rule(images: int, memory: int, asked: str, kind: str) -> None:
    """All up to a million, more on demand; then a byte a number as long as it fits, then a bit."""
    assert choose(images, 512, memory, asked).kind == kind


@given(images=st.integers(0, 10**10), d=st.integers(1, 4096), memory=st.integers(0, 10**13),
       asked=st.sampled_from(("auto", "ivf-sq8", "ivf-rabitq")))  # fmt: skip
def test_every_choice_is_one_that_can_be_made(images: int, d: int, memory: int, asked: str) -> None:
    """Lists can be trained, probes are lists, one byte is never chosen beyond memory, never OPQ."""
    choice = choose(images, d, memory, asked)
    assert choice.reason.endswith(".")
    assert choice.reason.count(". ") == 0
    assert "OPQ" not in choice.factory
    if choice.kind == "flat":
        assert (choice.factory, choice.nlist, choice.nprobe) == ("", 0, 0)
        return
    assert 1 <= choice.nprobe <= choice.nlist <= MOST_LISTS
    assert choice.nlist == 1 or choice.nlist * POINTS <= images
    assert choice.factory.startswith(f"IVF{choice.nlist},")
    if asked == "auto":
        assert (choice.kind == "ivf-sq8") == (images * (d + 8) + 4 * choice.nlist * d <= memory)
    assert ("from disk" in choice.reason) == (choice.bytes_estimate > memory)


@pytest.mark.parametrize("d", [64, 100, 512, 513])
@pytest.mark.parametrize("kind", ["ivf-sq8", "ivf-rabitq"])
def test_the_size_is_that_of_the_library(kind: str, d: int) -> None:
    """The estimate is the size of faiss's own index, except for what its file adds to the data."""
    choice = choose(3000, d, GIB, kind)
    index: Any = faiss.index_factory(d, choice.factory, faiss.METRIC_INNER_PRODUCT)
    rows = np.random.default_rng(d).standard_normal((3000, d)).astype(np.float32)
    index.cp.min_points_per_centroid = 1
    index.train(rows)
    index.add(rows)
    assert index.code_size * 3000 < choice.bytes_estimate
    written = len(faiss.serialize_index(index))
    assert choice.bytes_estimate == pytest.approx(written, abs=16 * d + 8 * choice.nlist + 500)


def test_sizes_agree_with_those_published_for_web_scale_sets() -> None:
    """Per image at 512 numbers: about 541 and 101 bytes at 100,000 images, as files measured."""
    for kind, size in (("ivf-sq8", 541), ("ivf-rabitq", 101)):
        choice = choose(100_000, 512, GIB, kind)
        assert choice.nlist == 1024
        assert choice.bytes_estimate / 100_000 == pytest.approx(size, abs=1)


def test_impossible_requests_are_refused_in_one_sentence() -> None:
    """An unknown way names the near one; too many for one by one names the others."""
    with pytest.raises(UserError, match="Did you mean ivf-rabitq"):
        choose(10, 512, GIB, "ivf-rabit")
    with pytest.raises(UserError, match=r"20,000,000 images.*10,000,000.*ivf-sq8"):
        choose(20_000_000, 512, GIB, "flat")
    with pytest.raises(ValueError, match="no -1 vectors"):
        choose(-1, 512, GIB)
    assert KINDS[0] == "auto"
