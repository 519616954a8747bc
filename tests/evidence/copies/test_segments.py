"""Parts of images: cut, filled, described, and told apart where they were planted apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from audit.evidence.copies import segments
from audit.evidence.copies.segments import BACKGROUND, FOREGROUND, PARTS, Masks, Segment
from audit.evidence.encoders.pixel_space import Pixels
from audit.world import parts
from tests.sizes import sized

Q = 0.1


def disc(height: int, width: int) -> np.ndarray:
    """A mask of a disc in the middle."""
    y, x = np.mgrid[:height, :width]
    return np.asarray(np.hypot(y - height / 2, x - width / 2) < min(height, width) / 4)


@pytest.mark.parametrize("size", [(64, 64), (63, 41), (5, 90)])
def test_parts_do_not_overlap_and_keep_their_pixels(size: tuple[int, int]) -> None:
    """Between them is a rim that belongs to neither; around the person all is grey."""
    rng = np.random.default_rng(0)
    image, person = rng.integers(0, 256, (*size, 3), np.uint8), disc(*size)
    keeps = {p: segments.kept(person, p) for p in PARTS}
    assert not (keeps[FOREGROUND] & keeps[BACKGROUND]).any()
    assert (keeps[FOREGROUND] <= person).all()
    assert not (keeps[BACKGROUND] & person).any()
    for part, keep in keeps.items():
        found = segments.cut(image, keep, part)
        assert found.dtype == np.uint8
        assert (found[keep] == image[keep]).all()
    alone = segments.cut(image, keeps[FOREGROUND], FOREGROUND)
    assert (alone[~keeps[FOREGROUND]] == segments.GREY).all()


def test_the_background_goes_on_behind_the_person() -> None:
    """A plain one exactly, a gradient better than its mean would; nothing of the person is left."""
    person = disc(64, 64)
    for wide, most in ((0, 0), (2, 30)):
        plain = np.broadcast_to((60 + wide * np.arange(64)).astype(np.uint8)[None, :, None],
                                (64, 64, 3))  # fmt: skip
        image = np.where(person[..., None], np.uint8(255), plain)
        found = segments.cut(image, segments.kept(person, BACKGROUND), BACKGROUND)
        assert np.abs(found.astype(int) - plain).max() <= most


def test_masks_are_made_once_for_both_parts_and_forgotten_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second part finds them; beyond REMEMBERED bytes the first ones are made again."""
    asked: list[int] = []

    def find(images: Sequence[np.ndarray]) -> list[np.ndarray]:
        asked.append(len(images))
        return [disc(16, 20) for _ in images]

    images = list(np.random.default_rng(1).integers(0, 256, (5, 16, 20, 3), np.uint8))
    masks = Masks("disc", find)
    for part in PARTS:
        assert Segment(Pixels(8), masks, part).images(images).shape == (5, 193)
    assert asked == [5]
    assert (masks.of(images)[3] == disc(16, 20)).all()
    monkeypatch.setattr(segments, "REMEMBERED", 3 * 16 * 3)
    masks = Masks("disc", find)
    masks.of(images)
    masks.of(images[2:])
    assert asked == [5, 5]
    masks.of(images[:1])
    assert asked == [5, 5, 1]


def test_images_of_the_same_bytes_and_another_shape_have_masks_of_their_own() -> None:
    """A plain image and the same one turned have equal bytes."""
    images = [np.zeros(shape, np.uint8) for shape in ((16, 24, 3), (24, 16, 3))]
    masks = Masks("nobody", lambda some: [np.zeros(i.shape[:2], bool) for i in some])
    assert [m.shape for m in masks.of(images)] == [(16, 24), (24, 16)]
    assert Segment(Pixels(8), masks, BACKGROUND).images(images).any(1).all()


def test_a_part_that_is_not_there_is_a_row_of_zeros() -> None:
    """An image without a person has no foreground, one that a person fills no background."""
    images = list(np.random.default_rng(2).integers(0, 256, (3, 16, 16, 3), np.uint8))
    shown = [np.zeros((16, 16), bool), disc(16, 16), np.ones((16, 16), bool)]
    masks = Masks("three", lambda some: shown[: len(some)])
    front, behind = (Segment(Pixels(8), masks, p) for p in PARTS)
    assert front.images(images).any(1).tolist() == [False, True, True]
    assert behind.images(images).any(1).tolist() == [True, True, False]
    assert len({front.key, behind.key, Segment(Pixels(4), masks, FOREGROUND).key}) == 3
    assert front.images([]).shape == (0, 193)


@pytest.mark.slow
@sized("runs", 8, 100)
def test_planted_parts_are_found_and_told_apart(runs: int) -> None:
    """People on other backgrounds and backgrounds behind others, each flagged as what it is.

    In either part at most .13 of the flags are false at q = .1, and four of five pasted people are
    found; hardly any image of which one part was planted is flagged by the other one.
    """
    scenes = parts.scenes(1, 420)
    known, fresh = scenes[:240], scenes[240:]
    sources = np.random.default_rng(2).permutation(240)[:120]
    sides = parts.shown(known), parts.pasted(known, fresh, sources.tolist(), 3)
    made = sides[1]
    truth = {i.tobytes(): m for s in sides for i, m in zip(s.images, s.people, strict=True)}
    masks = Masks("truth", lambda images: [truth[i.tobytes()] for i in images])
    cosines = []
    for part in PARTS:
        there, own = (Segment(Pixels(32), masks, part).images(list(s.images)) for s in sides)
        cosines.append(own @ there.T)
    found = [parts.replicate(made, np.stack(cosines), k, 60, Q) for k in range(runs)]
    for i, part in enumerate(PARTS):
        false = [(r.flagged[:, i] & ~r.copied[:, i]).sum() / max(r.flagged[:, i].sum(), 1)
                 for r in found]  # fmt: skip
        assert np.mean(false) <= 0.13
        by_kind = {k: np.mean([r.flagged[made.kind[r.rows] == k, i].mean() for r in found])
                   for k in parts.KINDS}  # fmt: skip
        assert by_kind[part] >= (0.8 if part == FOREGROUND else 0.3)
        assert by_kind["both"] >= 0.8
        assert by_kind[PARTS[1 - i]] <= 0.1
        assert by_kind["neither"] <= 0.05


@sized("runs", 20, 200)
def test_where_nothing_is_copied_hardly_a_part_is_flagged(runs: int) -> None:
    """Nearest neighbours by chance, the same on both sides: any flag in a tenth of runs at most."""
    rng = np.random.default_rng(5)
    made = parts.Pasted(np.empty(0), np.empty(0), np.full(150, "neither", object), np.full(150, -1))
    wrong = 0
    for k in range(runs):
        cosines = rng.beta(8, 4, (2, 150, 120))
        wrong += bool(parts.replicate(made, cosines, k, 150, Q).flagged.any())
    assert wrong <= Q * runs + 3 * np.sqrt(Q * runs)
