"""Planted copies have the angle they are said to have, and what is lost of them is counted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from audit.evidence.copies import approximate, recall
from audit.evidence.copies.chooser import choose
from audit.evidence.copies.edits import EDITS, apply
from audit.evidence.copies.side import Side
from audit.stats.proportions import wilson
from tests.evidence.copies import made, stored

N, D = 4000, 32


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Side:
    """Directions without clusters, the hardest for lists, in half precision."""
    rows = stored.unit(np.random.default_rng(0).standard_normal((N, D)))
    return stored.side(tmp_path_factory.mktemp("side"), np.split(rows, 4))


@pytest.mark.parametrize("direction", recall.DIRECTIONS)
@pytest.mark.parametrize("cosine", [0.6, 0.9, 0.99, 1.0])
def test_copies_have_their_cosine(side: Side, direction: str, cosine: float) -> None:
    """Distinct sources, unit length, the stated cosine; the same generator, the same copies."""
    queries, at = recall.planted(side, 300, cosine, direction, np.random.default_rng(1))
    assert len(np.unique(at)) == 300
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose((queries * side.rows(at)).sum(1), cosine, atol=1e-3)
    again = recall.planted(side, 300, cosine, direction, np.random.default_rng(1))
    assert np.array_equal(again[0], queries)


def test_a_blend_is_between_two_stored_vectors(side: Side) -> None:
    """Its remainder, when the source is taken out, is another stored vector's; noise has none."""
    for direction, near in (("blend", 0.999), ("noise", 0.8)):
        queries, at = recall.planted(side, 50, 0.8, direction, np.random.default_rng(2))
        source = stored.unit(side.rows(at))
        rest = stored.unit(queries - (queries * source).sum(1, keepdims=True) * source)
        every = side.rows(np.arange(N))
        flat = every[None] - np.einsum("nd,md->nm", source, every)[..., None] * source[:, None]
        size = np.linalg.norm(flat, axis=2)
        top = (np.einsum("nmd,nd->nm", flat, rest) / np.where(size < 1e-3, np.inf, size)).max(1)
        assert (top > near).all() if direction == "blend" else (top < near).all()


@pytest.mark.parametrize("seed", range(3))
def test_exact_search_finds_every_copy(seed: int, side: Side) -> None:
    """All are found at any angle, even where another picture is nearer than the source."""
    rng = np.random.default_rng(seed)
    for cosine in (0.3, 0.7, 0.9):
        for found in recall.measure(side, rng, 200, cosine).values():
            assert (found.found, found.n, found.share) == (200, 200, 1.0)
            assert found.cosine == pytest.approx(cosine, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_recall_is_the_share_whose_list_is_probed(seed: int, side: Side, tmp_path: Path) -> None:
    """One list of many loses copies; the count is that of a comparison of lists in NumPy."""
    choice = dataclasses.replace(choose(N, D, 1 << 30, "ivf-sq8"), nprobe=1)
    lists = approximate.build(side, tmp_path, choice, seed)
    queries, at = recall.planted(side, 500, 0.8, "noise", np.random.default_rng(seed))
    found = recall.of(side.through(lists), queries, at)
    centres = lists.pieces[0].quantizer.reconstruct_n(0, choice.nlist)
    home, asked = ((v @ centres.T).argmax(1) for v in (side.rows(np.arange(N)), queries))
    best = [
        (side.score(q[None], np.flatnonzero(home == a)[None])).max()
        for q, a in zip(queries, asked, strict=True)
    ]
    expected = (np.array(best) >= side.score(queries, at[:, None])[:, 0]).sum()
    assert abs(found.found - expected) <= 3  # an assignment on a border
    assert 0.2 < found.share < 0.9
    interval = wilson(found.found, found.n)
    assert interval.low < found.share < interval.high
    every = dataclasses.replace(lists, choice=dataclasses.replace(choice, nprobe=choice.nlist))
    assert recall.of(side.through(every), queries, at).share > found.share


def test_finding_one_of_two_equal_images_is_enough(tmp_path: Path) -> None:
    """A source that is stored twice is found under either position."""
    rows = stored.unit(np.random.default_rng(3).standard_normal((50, D)))
    both = stored.side(tmp_path, [rows, rows])
    queries, at = recall.planted(both, 100, 0.9, "noise", np.random.default_rng(3))
    assert (both.nearest(queries)[1][:, 0] < 50).all()
    assert recall.of(both, queries, at).share == 1


def test_what_is_left_out_is_not_planted(side: Side) -> None:
    """Sources come from what can be found, and there are no more copies than these."""
    out = np.ones(N, bool)
    out[[5, 70, 900]] = False
    less = side.without(out)
    for direction in recall.DIRECTIONS:
        _, at = recall.planted(less, 100, 0.9, direction, np.random.default_rng(4))
        assert at.tolist() == [5, 70, 900]
    assert recall.measure(less, np.random.default_rng(4))["noise"].share == 1
    out[[70, 900]] = True
    assert set(recall.measure(side.without(out), np.random.default_rng(4))) == {"noise"}


def test_edited_pictures_are_measured_as_they_are(tmp_path: Path) -> None:
    """Real edits through a real encoder: their sources are found, their cosine is the curve's."""
    pictures, encoder = made.pictures(60, 5), made.Thumbnail()
    base = stored.side(tmp_path, [encoder.images(pictures)], "float32")
    at = np.arange(0, 60, 3)
    for edit in ("jpeg 50", "noise 10"):
        assert edit in EDITS
        queries = encoder.images([apply(edit, pictures[i], int(i)) for i in at])
        found = recall.of(base, queries, at)
        assert found.share == 1
        expected = np.median((queries * encoder.images([pictures[i] for i in at])).sum(1))
        assert found.cosine == pytest.approx(float(expected), abs=1e-6)


def test_nothing_planted_is_nan_and_bad_plans_are_errors(side: Side, tmp_path: Path) -> None:
    """No copies have no share; angles and directions that do not exist are refused."""
    assert np.isnan(recall.of(side, np.empty((0, D), np.float32), np.empty(0, np.int64)).share)
    rng = np.random.default_rng(0)
    for cosine, direction in ((0.0, "noise"), (1.1, "noise"), (0.9, "crop")):
        with pytest.raises(ValueError, match="can be planted"):
            recall.planted(side, 3, cosine, direction, rng)
    with pytest.raises(ValueError, match="two stored"):
        recall.planted(side.without(np.arange(N) > 0), 3, 0.9, "blend", rng)


def test_parallel_vectors_leave_a_source_where_it_is() -> None:
    """Towards itself there is no direction."""
    rows = stored.unit(np.random.default_rng(6).standard_normal((4, D))).astype(np.float64)
    np.testing.assert_allclose(recall.turned(rows, 2 * rows, 0.5), rows, atol=1e-6)
