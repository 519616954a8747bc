"""Groups of images are decided apart: copies in one do not excuse false flags in another."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audit.evidence.copies import apart, decision
from audit.evidence.copies.sides import Evidence
from audit.stats.error_control import Selection, twin

CAPTIONS, ORDINARY = 60, 20


def drawn(seed: int) -> tuple[Evidence, np.ndarray]:
    """Sixty images of captions, nearly all of them copies, and twenty ordinary ones without any."""
    rng = np.random.default_rng(seed)
    w = np.concatenate([rng.normal(2, 0.3, CAPTIONS - 4), rng.normal(0, 1, 4 + ORDINARY)])
    matched = np.array([f"{i}" for i in range(len(w))], object)
    groups = np.repeat(np.array(["captions", "ordinary"], object), [CAPTIONS, ORDINARY])
    return Evidence((w,), (matched,)), groups


def test_copies_of_captions_do_not_pay_for_ordinary_images() -> None:
    """Together, ordinary images are flagged in most draws; apart, in at most one of ten."""
    pooled, kept, found = [], [], []
    for seed in range(200):
        seen, groups = drawn(seed)
        together = decision.by_twin(seen, 0.1).selection.selected
        each = decision.by_twin(seen, 0.1, groups).selection.selected
        pooled.append(together[CAPTIONS:].any())
        kept.append(each[CAPTIONS:].any())
        found.append(each[: CAPTIONS - 4].mean())
    assert np.mean(pooled) > 0.5
    assert np.mean(kept) <= 0.1
    assert np.mean(found) > 0.95


def test_each_group_gets_what_it_would_get_alone() -> None:
    """Whatever the order of the images, and with missing ones."""
    rng = np.random.default_rng(4)
    seen, groups = drawn(7)
    order = rng.permutation(len(groups))
    w, matched, groups = seen.w[0][order], seen.matched[0][order], groups[order]
    w[3] = math.nan
    seen = Evidence((w,), (matched,))
    got = decision.by_twin(seen, 0.1, groups)
    for name in ("captions", "ordinary"):
        here = groups == name
        alone = twin(w[here], matched[here], 0.1)
        assert (got.selection.selected[here] == alone.selected).all()
        assert (got.unsettled[here] == alone.unsettled).all()
    assert "apart" in got.words
    each = [decision.by_twin(seen.of(groups == g), 0.1).lean for g in ("captions", "ordinary")]
    assert got.lean is not None
    assert got.lean.n == sum(lean.n for lean in each if lean is not None)


def test_one_group_is_all_images() -> None:
    """No groups, one group and no images are one decision."""
    seen, groups = drawn(1)
    whole = decision.by_twin(seen, 0.1)
    same = decision.by_twin(seen, 0.1, np.full(len(groups), "all", object))
    assert (whole.selection.selected == same.selection.selected).all()
    assert whole.words == same.words
    assert [len(r) for r in apart.rows(groups[:0], 0)] == [0]


@pytest.mark.parametrize("needs", [("few", "few"), ("few", "")])
def test_nothing_can_be_flagged_only_where_no_group_can(needs: tuple[str, str]) -> None:
    """The need of more images is that of all groups; the threshold is the lowest there is."""
    where = [np.array([True, False]), np.array([False, True])]
    lines = [math.inf if n else 1.5 for n in needs]
    one = np.array([True])
    parts = [Selection(one, line, 3, n) for line, n in zip(lines, needs, strict=True)]
    got = apart.selection(parts, where)
    assert got.need == (needs[0] if all(needs) else "")
    assert got.threshold == min(lines)
    assert got.evidence == 6
    assert got.mirrored.tolist() == [False, False]
