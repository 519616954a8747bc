"""People of one image are not independent: intervals count images where people are alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.findings import readings, representation
from audit.findings.representation import Context
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Attribute, Finding
from audit.stats.proportions import nested_loss

GENDER = Attribute("gender", ("woman", "man"), {})
CONTEXT = Context([GENDER], (), {}, None, 0)


def tables(women: np.ndarray, prompts: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The largest person and the others of each image, from bool[images, people]."""

    def rows(column: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(
            [(f"s{i}", f"p{i % prompts}", "nurse", "none", i, "gender", "label",
              "woman" if w else "man", np.nan) for i, w in enumerate(column)],
            columns=list(ATTRIBUTE_COLUMNS),
        )  # fmt: skip

    others = [rows(women[:, j]) for j in range(1, women.shape[1])]
    return rows(women[:, 0]), pd.concat(others, ignore_index=True) if others else pd.DataFrame()


def drawn(rng: np.random.Generator, images: int, people: int, alike: float) -> np.ndarray:
    """Women with share 0.4; with probability `alike` all of an image are as its first."""
    women = rng.random((images, people)) < 0.4
    same = rng.random(images) < alike
    women[same] = women[same][:, :1]
    return women


def shares(women: np.ndarray, prompts: int = 1) -> Finding:
    """The finding on women in these images."""
    table = readings.with_everyone(*tables(women, prompts))
    return representation.findings(table, CONTEXT, {"nurse": prompts})[0]


def test_people_who_are_always_alike_count_once_an_image() -> None:
    """The interval is that of the images; the sentence says both numbers."""
    rng = np.random.default_rng(1)
    women = np.repeat(rng.random((60, 1)) < 0.4, 3, axis=1)
    single, found = shares(women[:, :1]), shares(women)
    assert (found.n, found.counted) == (180, "people")
    assert found.estimate == pytest.approx(single.estimate)
    assert (found.low, found.high) == pytest.approx((single.low, single.high), abs=1e-9)
    assert found.n_effective == pytest.approx(60)
    assert "n = 180 people in 60 images" in found.sentence
    assert "every person counts" in found.method
    assert single.counted == "images"


def test_people_who_are_not_alike_count_one_by_one() -> None:
    """Three independent people an image are worth nearly three images."""
    found = shares(drawn(np.random.default_rng(2), 400, 3, 0.0))
    assert found.n_effective > 0.85 * found.n


def test_images_of_one_kind_only_count_once() -> None:
    """Where all are alike, nothing says how alike: images are counted."""
    found = shares(np.ones((30, 2), bool))
    assert found.n_effective == pytest.approx(30)


@pytest.mark.slow
@pytest.mark.parametrize("alike", [0.0, 0.8])
def test_intervals_of_people_cover(alike: float) -> None:
    """100 runs of 40 images of 3 people: at least 92 % of the intervals contain the share."""
    prompts = 10
    rng = np.random.default_rng([3, int(10 * alike), prompts])
    table = readings.with_everyone(*tables(np.ones((40, 3), bool), prompts))
    hits = 0
    for _ in range(100):
        women = drawn(rng, 40, 3, alike).T.ravel()
        table = table.assign(value=np.where(women, "woman", "man"))
        (read,) = readings.readings(table, GENDER, "none", ["nurse"])
        found = representation.estimates(read.thinned, None, 0)[0]
        hits += found.low <= 0.4 <= found.high
    assert hits >= 92


def test_the_loss_of_two_stages() -> None:
    """By hand: pairs in images, four images a prompt; an unknown likeness counts as 1."""
    images, prompts = np.repeat(np.arange(8), 2), np.repeat([0, 1], 8)
    assert nested_loss(images, prompts, 0.5, 0.0) == pytest.approx(1 / 1.5)
    assert nested_loss(images, prompts, 0.5, 0.1) == pytest.approx(1.7 / (1 + 0.5 + 0.6))
    assert nested_loss(images, prompts, 0.0, 0.1) == 1.0
    assert nested_loss(images, prompts, np.nan, np.nan) == 0.5
    assert nested_loss(np.arange(5), np.zeros(5, int), np.nan, 0.2) == 1.0
