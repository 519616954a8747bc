"""Pictures that two readers labelled: packed, read back, and the classifier's validation set."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.evidence.labels import sheet
from audit.world import models, seen
from audit.world.truth import GENDERS, OCCUPATIONS


def test_the_shipped_pictures_are_all_there() -> None:
    """Twenty of each occupation, each with labels of both readers, none of them twice."""
    known = seen.seen()
    assert known.pictures.shape == (400, 64, 64, 3)
    assert (known.table.subject.value_counts() == 20).all()
    assert set(known.table.subject) == {o.noun for o in OCCUPATIONS}
    assert len({p.tobytes() for p in known.pictures}) == 400
    for attribute in seen.ATTRIBUTES:
        words = {*seen.classes()[attribute], *sheet.REASONS}
        for reader in seen.READERS:
            assert set(known.table[f"{attribute}_{reader}"]) <= words


def test_labels_that_differ_are_no_truth() -> None:
    """A class counts where both readers named it; the share that readers saw follows."""
    table = pd.DataFrame(
        {
            "subject": ["nurse"] * 4, "text": "a nurse", "seed": range(4),
            "gender_a": ["woman", "woman", "man", "unreadable"],
            "gender_b": ["woman", "man", "man", "unreadable"],
        }
    )  # fmt: skip
    one = seen.Seen(table, np.zeros((4, 64, 64, 3), np.uint8))
    assert one.agreed("gender").fillna("").tolist() == ["woman", "", "man", ""]
    assert one.legible("gender").tolist() == [True, True, True, False]


def test_validation_gives_indices_of_the_classes_that_are_asked_for() -> None:
    """As many pictures as asked; -1 for a class that is not asked for, or not agreed on."""
    found = seen.validation(50, {"gender": ("man",), "age": ("old",)})
    assert len(found.pictures) == 50
    assert set(found.labels) == {"gender"}
    assert set(found.labels["gender"]) == {0, -1}
    whole = seen.validation(1_000, {"gender": GENDERS})
    assert len(whole.pictures) == 400
    agreed = seen.seen().agreed("gender").value_counts()
    assert np.bincount(np.array(whole.labels["gender"]) + 1)[1:].tolist() == [
        agreed[g] for g in GENDERS
    ]


def test_the_shares_that_people_saw_are_a_reference_of_the_model() -> None:
    """They sum to 1 for every occupation."""
    reference = models.embedded.truth().seen
    assert reference.name == "seen"
    for o in OCCUPATIONS:
        assert sum(reference.share(o.noun, "gender", g) for g in GENDERS) == pytest.approx(1)
