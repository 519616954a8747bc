"""The standard edits by what they promise, and the curve by closed forms and the embedded model."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
import scipy.ndimage
import skimage.data
from PIL import Image

from audit.evidence.copies.edits import CURVE_COLUMNS, EDITS, Edit, apply, curve, encoded, jpeg
from audit.evidence.copies.making import Encoder
from audit.world.models import copy_descriptor

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "retina", "immunohistochemistry")


def photos(side: int = 128) -> list[np.ndarray]:
    """Square photographs."""
    some = [getattr(skimage.data, name)() for name in NAMES]
    return [np.asarray(Image.fromarray(p).resize((side, side))) for p in some]


def drawn(seed: int, height: int = 40, width: int = 60) -> np.ndarray:
    """A smooth random picture."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height)))


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_decided_by_its_seed_and_leaves_the_picture_alone(name: str) -> None:
    """Same seed, same pixels; uint8 with three channels; read-only and tiny pictures will do."""
    picture = drawn(1).copy()
    picture.flags.writeable = False
    one, two = apply(name, picture, 7), apply(name, picture, 7)
    assert np.array_equal(one, two)
    assert one.dtype == np.uint8
    assert one.ndim == 3
    assert one.shape[2] == 3
    assert one.shape != picture.shape or not np.array_equal(one, picture)
    assert apply(name, np.full((1, 2, 3), 9, np.uint8), 0).size


@pytest.mark.parametrize("name", EDITS)
def test_only_overlay_and_noise_are_drawn(name: str) -> None:
    """Another seed is another overlay or noise, and the same everything else."""
    results = [apply(name, drawn(2), seed).tobytes() for seed in range(4)]
    assert len(set(results)) == (4 if name.startswith(("overlay", "noise")) else 1)


@pytest.mark.parametrize(("keep", "box"), [(90, (3, 2)), (70, (9, 6)), (50, (15, 10))])
def test_crops_keep_the_centre(keep: int, box: tuple[int, int]) -> None:
    """Of 60 by 40, `keep` percent of each side, as Pillow crops it."""
    left, top = box
    picture = drawn(3)
    expected = Image.fromarray(picture).crop((left, top, 60 - left, 40 - top))
    assert np.array_equal(apply(f"crop {keep} %", picture, 0), np.asarray(expected))


@pytest.mark.parametrize("quality", [90, 50, 30, 10])
def test_jpeg_is_pillows_at_that_quality(quality: int) -> None:
    """Byte for byte, what a person would get by saving and opening."""
    buffer = io.BytesIO()
    Image.fromarray(drawn(4)).save(buffer, format="JPEG", quality=quality)
    assert np.array_equal(apply(f"jpeg {quality}", drawn(4), 0), np.asarray(Image.open(buffer)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("name", "area"), [("overlay quarter", 0.25), ("overlay half", 0.5)])
def test_overlays_cover_the_area_that_they_are_named_for(name: str, area: float, seed: int) -> None:
    """One rectangle of that share of the picture is another; the rest is untouched."""
    black = np.zeros((80, 120, 3), np.uint8)
    changed = np.asarray(apply(name, black, seed).any(axis=2))
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert box / changed.size == pytest.approx(area, abs=0.02)
    assert changed.sum() > 0.95 * box  # a drawn colour may be black


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_the_deviation_that_it_is_named_for(seed: int) -> None:
    """On mid grey, where nothing is clipped: mean 0 and the sd, within four standard errors."""
    grey = np.full((100, 100, 3), 128, np.uint8)
    for sd in (10, 25):
        residue = apply(f"noise {sd}", grey, seed).astype(float) - 128
        n = residue.size
        assert abs(residue.mean()) < 4 * sd / np.sqrt(n)
        assert abs(residue.std() - np.sqrt(sd**2 + 1 / 12)) < 4 * sd / np.sqrt(2 * n)


def test_brightness_contrast_and_grey_are_their_formulas() -> None:
    """v * factor; mean luma + factor * (v - mean luma); one luma three times: to a grey level."""
    picture = drawn(5)
    values = picture.astype(float)
    luma = values @ [0.299, 0.587, 0.114]
    for name, factor in (("brighter", 1.4), ("darker", 0.6)):
        expected = np.clip(values * factor, 0, 255)
        assert np.abs(apply(name, picture, 0) - expected).max() <= 1
    for name, factor in (("contrast up", 1.6), ("contrast down", 0.5)):
        expected = np.clip(luma.mean() + factor * (values - luma.mean()), 0, 255)
        assert np.abs(apply(name, picture, 0) - expected).max() <= 2
    assert np.abs(apply("greyscale", picture, 0) - luma[..., None]).max() <= 1


def test_mirror_and_rotation_are_numpys_and_scipys() -> None:
    """Mirror twice is the picture; 15 degrees agree with scipy's rotation away from the corners."""
    picture = drawn(6, 80, 80)
    assert np.array_equal(apply("mirror", apply("mirror", picture, 0), 0), picture)
    assert np.array_equal(apply("mirror", picture, 0), np.fliplr(picture))
    for degrees in (5, 15):
        expected = scipy.ndimage.rotate(picture.astype(float), degrees, reshape=False, order=1)
        difference = np.abs(apply(f"rotation {degrees}", picture, 0) - expected)[20:60, 20:60]
        assert difference.mean() < 2
        wrong = scipy.ndimage.rotate(picture.astype(float), -degrees, reshape=False, order=1)
        assert np.abs(apply(f"rotation {degrees}", picture, 0) - wrong)[20:60, 20:60].mean() > 5


def test_rotated_corners_take_the_mean_colour() -> None:
    """Not black, which would be an edge that no copy has."""
    picture = drawn(7, 80, 80)
    corner = apply("rotation 15", picture, 0)[0, 0].astype(float)
    assert np.abs(corner - picture.reshape(-1, 3).mean(0)).max() <= 1


def test_blur_is_scipys_and_downscaling_divides_each_side() -> None:
    """A Gaussian of 2 % of the short side; half and quarter size."""
    picture = photos(100)[0]
    expected = scipy.ndimage.gaussian_filter(picture.astype(float), (2, 2, 0), mode="nearest")
    assert np.abs(apply("blur 2 %", picture, 0) - expected).mean() < 1
    assert apply("downscale 2", drawn(8), 0).shape == (20, 30, 3)
    assert apply("downscale 4", drawn(8), 0).shape == (10, 15, 3)


class Plane:
    """An encoder whose cosines are known: the angle is the mean of red, in degrees."""

    key = "plane"

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Cosine and sine of the mean red."""
        angles = np.radians([p[..., 0].mean() for p in pictures])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def drawn_curve(
    encoder: Encoder, pictures: Sequence[np.ndarray], edits: Mapping[str, Edit],
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """The curve of these images under an encoder."""
    return curve(encoded(encoder, pictures, edits, rng))


def test_the_curves_figures_are_those_of_a_hand() -> None:
    """Three flat pictures at 0, 60 and 120 degrees, and an edit that adds 30 degrees to each."""
    flats = [np.full((4, 4, 3), angle, np.uint8) for angle in (0, 60, 120)]
    table = drawn_curve(
        Plane(), flats, {"turn": lambda p, rng: p + np.uint8(30)}, np.random.default_rng(0)
    )
    assert tuple(table.columns) == CURVE_COLUMNS
    none, turn = table.iloc[0], table.iloc[1]
    assert (none.edit, none.n, none.null_n) == ("none", 3, 6)
    assert [none[c] for c in ("low", "median", "high")] == pytest.approx([1, 1, 1])
    assert [none.null_median, none.null_max] == pytest.approx([0.5, 0.5])
    half = np.sqrt(0.75)
    assert [turn[c] for c in ("low", "median", "high")] == pytest.approx([half] * 3, abs=1e-6)
    # 30, 90 and 150 against 0, 60 and 120, but for their own: 30, 90; 90, 30; 150, 90 degrees
    null = np.cos(np.radians([30, 90, 90, 30, 150, 90]))
    assert turn.null_median == pytest.approx(np.median(null), abs=1e-6)
    assert turn.null_high == pytest.approx(np.quantile(null, 0.95), abs=1e-6)
    assert turn.null_max == pytest.approx(half, abs=1e-6)


def test_the_embedded_descriptor_tells_copies_from_other_images() -> None:
    """Mild edits of photographs score far above other images; the order of strengths is kept."""
    table = drawn_curve(copy_descriptor(), photos(), EDITS, np.random.default_rng(1)).set_index(
        "edit"
    )
    assert list(table.index) == ["none", *EDITS]
    assert table.n.eq(6).all()
    assert table.null_n.eq(30).all()
    assert table.loc["none", ["low", "median", "high"]].to_numpy(float) == pytest.approx(1)
    for mild in ("crop 90 %", "jpeg 90", "jpeg 50", "rotation 5", "darker", "downscale 2"):
        assert table.loc[mild, "low"] > table.loc[mild, "null_high"], mild
    for strengths in (
        ("crop 90 %", "crop 70 %", "crop 50 %"), ("jpeg 90", "jpeg 50", "jpeg 30", "jpeg 10"),
        ("rotation 5", "rotation 15"), ("overlay quarter", "overlay half"),
        ("noise 10", "noise 25"), ("blur 1 %", "blur 2 %"),
    ):  # fmt: skip
        medians = table.loc[list(strengths), "median"].to_numpy()
        assert (np.diff(medians) < 0).all(), strengths


def test_a_row_does_not_depend_on_the_other_edits() -> None:
    """The same generator gives the same noise, alone or after twenty other edits."""
    some = photos(64)[:3]
    whole = drawn_curve(copy_descriptor(), some, EDITS, np.random.default_rng(5)).set_index("edit")
    names = ("noise 25", "overlay half")
    alone = drawn_curve(
        copy_descriptor(), some, {n: EDITS[n] for n in names}, np.random.default_rng(5)
    ).set_index("edit")
    for name in names:
        assert alone.loc[name].equals(whole.loc[name])
    other = drawn_curve(
        copy_descriptor(), some, {"noise 25": EDITS["noise 25"]}, np.random.default_rng(6)
    )
    assert other["median"][1] != alone.loc["noise 25", "median"]


def test_one_image_has_no_others_to_compare() -> None:
    """A null distribution of nothing is an error, and so is an edit without a name."""
    with pytest.raises(ValueError, match="two images"):
        drawn_curve(Plane(), [drawn(0)], EDITS, np.random.default_rng(0))
    with pytest.raises(KeyError):
        apply("sepia", drawn(0), 0)


@pytest.mark.parametrize("shape", [(2, 70_000), (140_000, 3), (8, 8), (65_500, 1), (1, 65_501)])
def test_images_longer_than_jpeg_allows_are_compressed_in_parts(shape: tuple[int, int]) -> None:
    """Panoramas of more than 65,500 pixels keep their size."""
    picture = np.full((*shape, 3), 90, np.uint8)
    made = jpeg(picture, np.random.default_rng(0), 90)
    assert made.shape == picture.shape
    assert np.abs(made.astype(int) - 90).max() < 4
