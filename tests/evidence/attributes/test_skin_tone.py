"""Skin tone from pixels: right colours, all ten swatches to themselves, the world's order found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from skimage import color

from audit.evidence.attributes import colour, skin_tone
from audit.world import truth
from audit.world.dataset import balanced


@pytest.mark.parametrize("seed", [1, 2])
def test_lab_is_that_of_scikit_image(seed: int) -> None:
    """Random colours, side by side."""
    rgb = np.random.default_rng(seed).integers(0, 256, (500, 3)).astype(np.uint8)
    np.testing.assert_allclose(colour.lab(rgb), color.rgb2lab(rgb[None])[0], atol=2e-2)


@pytest.mark.parametrize(
    ("rgb", "known"),
    [
        ((255, 255, 255), (100, 0, 0)), ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)), ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)), ((128, 128, 128), (53.59, 0, 0)),
    ],
)  # fmt: skip
def test_lab_of_colours_that_everybody_knows(
    rgb: tuple[int, ...], known: tuple[float, ...]
) -> None:
    """White, black, grey and the primaries have their published CIELAB values."""
    np.testing.assert_allclose(colour.lab(np.array(rgb, np.uint8)), known, atol=0.02)


def test_the_ten_swatches_are_themselves() -> None:
    """Each published Monk swatch maps to its own class, and passes as skin."""
    assert colour.nearest_monk(colour.lab(colour.swatches())).tolist() == list(range(1, 11))
    assert colour.skin_pixels(colour.swatches()[None]).all()
    angles = colour.typology_angle(colour.lab(colour.swatches()))
    assert (np.diff(angles[3:]) < 0).all()  # the lightest three are near each other


def test_classes_of_a_published_scale_have_its_colours() -> None:
    """The five emoji tones and the ten of Monk, darker and darker; other lists have none."""
    for classes in (truth.TONES, [f"monk {i}" for i in range(1, 11)]):
        known = colour.swatches_of(classes)
        assert set(known) == set(classes)
        rgb = np.array([list(bytes.fromhex(known[c][1:])) for c in classes], np.uint8)
        assert (np.diff(colour.lab(rgb)[:, 0])[-4:] < 0).all()
    assert colour.swatches_of(["light", "medium", "dark"]) == {}
    assert colour.swatches_of(["woman", "man"]) == {}


def test_the_usual_mistakes_merge_the_swatches() -> None:
    """Blue and red exchanged, or bytes in place of L*: at most four classes are left of ten."""
    swapped = colour.lab(colour.swatches()[:, ::-1])
    assert len(set(colour.nearest_monk(swapped).tolist())) < 10
    scaled = colour.lab(colour.swatches()[:, ::-1]) * [2.55, 1, 1] + [0, 128, 128]
    assert len(set(colour.nearest_monk(scaled).tolist())) <= 4


@pytest.mark.parametrize("i", range(10))
def test_a_shaded_swatch_keeps_its_class(i: int) -> None:
    """Noise, shade and highlight around a swatch do not move its class by more than one."""
    rng = np.random.default_rng(i)
    base = colour.swatches()[i].astype(float)
    picture = np.tile(base, (40, 40, 1)) + rng.normal(0, 4, (40, 40, 3))
    picture[:4] *= 0.6
    picture[-3:] = 255
    found = skin_tone.read(np.clip(picture, 0, 255).astype(np.uint8))
    assert found.outcome == "label"
    assert abs(found.monk - (i + 1)) <= 1


def test_tones_of_the_world_come_in_their_order() -> None:
    """On fresh renders with their masks: reading and planted tone rank alike."""
    items = balanced((31,), 250)
    read = [skin_tone.read(i.pixels(), mask) for i in items for mask in [person(i)]]
    planted = [truth.TONES.index(i.scene.sprite.tone) for i in items]  # type: ignore[union-attr]
    known = [r.outcome == "label" for r in read]
    monk = np.array([r.monk for r in read])[known]
    order = np.array(planted)[known]
    assert np.mean(known) > 0.8
    assert spearmanr(monk, order).statistic > 0.55


def person(item: object) -> np.ndarray:
    """Where the sprite of a render is."""
    from audit.world.render import mask

    return np.asarray(mask(item.scene), bool)  # type: ignore[attr-defined]


def test_too_little_skin_has_no_reading() -> None:
    """A blue picture, a small patch, or an empty mask is uncertain, not a class."""
    blue = np.full((30, 30, 3), (20, 60, 200), np.uint8)
    assert skin_tone.read(blue).outcome == "uncertain"
    patch = blue.copy()
    patch[:5, :5] = colour.swatches()[4]
    assert skin_tone.read(patch).monk == 0
    face = np.tile(colour.swatches()[4], (30, 30, 1))
    assert skin_tone.read(face, np.zeros((30, 30), bool)).outcome == "uncertain"
    assert skin_tone.read(face).outcome == "label"
    with pytest.raises(ValueError, match="does not fit"):
        skin_tone.read(face, np.ones((3, 3), bool))


def test_angles_have_their_published_classes() -> None:
    """The limits of the typology angle, from very light to dark."""
    angles = (60, 50, 30, 20, 0, -40)
    assert [colour.skin_type(a) for a in angles] == [name for name, _ in colour.TYPES]
