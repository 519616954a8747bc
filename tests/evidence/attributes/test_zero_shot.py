"""Zero-shot reading: probabilities against scikit-learn, abstention and the person gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.extmath import softmax

from audit.evidence.attributes.zero_shot import classifier, probabilities, prototypes
from audit.records import Attribute

AXES = {"woman": 0, "man": 1, "person": 2, "nobody": 3}


def encode(texts: Sequence[str]) -> np.ndarray:
    """Texts as unit vectors along named axes."""
    return np.eye(4, dtype=np.float32)[[AXES[t] for t in texts]]


GENDER = Attribute("gender", ("woman", "man"), {"woman": ("woman",), "man": ("man",)})


def test_probabilities_are_a_softmax_of_scaled_cosines() -> None:
    """Side by side with scikit-learn's softmax, on fresh vectors."""
    rng = np.random.default_rng(0)
    x, c = rng.standard_normal((20, 8)), rng.standard_normal((5, 8))
    np.testing.assert_allclose(probabilities(x, c, 7.5), softmax(7.5 * x @ c.T), rtol=1e-10)


def test_prototypes_are_unit_means() -> None:
    """An ensemble of texts is their mean direction."""
    both = prototypes([["woman", "man"], ["man"]], encode)
    np.testing.assert_allclose(both[0], [0.5**0.5, 0.5**0.5, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("threshold", [0.0, 0.9])
def test_outcomes_are_never_forced(threshold: float) -> None:
    """Clear images get labels, unclear ones abstain below a threshold, empty ones get neither."""
    attribute = Attribute("gender", GENDER.classes, GENDER.texts, threshold)
    reader = classifier((attribute,), (["person"], ["nobody"]), encode, 10.0)
    vectors = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0.71, 0.7, 1, 0], [0, 1, 0, 1]], np.float32)
    table = reader.read(vectors)
    assert table.outcome.tolist()[:2] == ["label", "label"]
    assert table.value.tolist()[:2] == ["woman", "man"]
    assert table.outcome[2] == ("uncertain" if threshold else "label")
    assert table.outcome[3] == "no person"
    assert pd.isna(table.value[3])


def test_several_people_are_told_apart_where_texts_say_how() -> None:
    """A third group of gate texts opens a third outcome; without it nothing changes."""
    axes = {**AXES, "several": 4}

    def wide(texts: Sequence[str]) -> np.ndarray:
        return np.eye(5, dtype=np.float32)[[axes[t] for t in texts]]

    vectors = np.array([[1, 0, 1, 0, 0], [1, 0, 0.2, 0, 1], [1, 0, 0, 1, 0.2]], np.float32)
    gates = (["person"], ["nobody"], ["several"])
    told = classifier((GENDER,), gates, wide, 10.0).read(vectors)
    assert told.outcome.tolist() == ["label", "several people", "no person"]
    assert told.value.isna().tolist() == [False, True, True]
    plain = classifier((GENDER,), gates[:2], wide, 10.0).read(vectors)
    assert plain.outcome.tolist() == ["label", "label", "no person"]


def test_no_images_give_an_empty_table() -> None:
    """Zero vectors are zero rows with the same columns."""
    reader = classifier((GENDER,), (["person"], ["nobody"]), encode, 10.0)
    table = reader.read(np.empty((0, 4), np.float32))
    assert len(table) == 0
    assert list(table.columns) == ["row", "attribute", "outcome", "value", "score"]
