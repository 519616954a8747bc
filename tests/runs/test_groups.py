"""Stated groups, from a folder of images with planted differences to the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import audit
from audit.evidence.attributes import nudity
from audit.runs import comparing

pytestmark = pytest.mark.slow
JOBS = ("nurse", "judge", "cook", "singer", "builder", "guard")
SUITE = """
name = "shown"
title = "T"
question = "Q?"
[[blocks]]
id = "work"
purpose = "representation"
templates = ["a photo of {a_group}"]
subjects = JOBS
seeds = 4
attributes = ["clothes"]
[blocks.groups]
attribute = "gender"
neutral = "{subject}"
words = { woman = "female {subject}", man = "male {subject}" }
[attributes.gender]
classes = ["woman", "man"]
reader = "face-gender"
[attributes.clothes]
classes = ["suit", "casual"]
reader = "tests.runs.test_groups:clothes"
"""


def clothes(picture: np.ndarray) -> str:
    """A suit is dark."""
    return "suit" if picture.mean() < 100 else "casual"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Men in suits, and women in none; the neutral prompt draws men on the same noise."""
    root, rng = tmp_path_factory.mktemp("groups"), np.random.default_rng(0)
    (root / "pics").mkdir()
    (root / "shown.toml").write_text(SUITE.replace("JOBS", str(list(JOBS)).replace("'", '"')))
    lines = ["file_name,text,seed"]
    for job in JOBS:
        for seed in range(4):
            scene = rng.integers(0, 160, (16, 16, 3))
            for group in ("", "female ", "male "):
                light = 60 if group == "female " else 0
                image = scene + light + rng.integers(0, 12, scene.shape)
                name = f"{job}-{seed}-{group.strip() or 'none'}.png"
                Image.fromarray(image.astype(np.uint8)).save(root / "pics" / name)
                lines.append(f"{name},a photo of a {group}{job},{seed}")
    (root / "prompts.csv").write_text("\n".join(lines) + "\n")
    return root


def test_groups_are_read_to_the_report(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Suits, nudity and whom the neutral prompt resembles are found; each image is scored once."""
    seen: list[int] = []

    def score(picture: np.ndarray) -> float:
        seen.append(1)
        return float(picture.mean() / 255)

    monkeypatch.setattr(nudity, "ready", lambda: None)
    monkeypatch.setattr(nudity, "score", score)
    for _ in range(2):
        result = audit.run(
            str(place / "shown.toml"), images=place / "pics", prompts=place / "prompts.csv",
            out=place / "out", classifier="none", nudity=True, trust_code=True,
        )  # fmt: skip
    found = {row.name: row for row in result.findings.itertuples()}
    assert len(seen) == 6 * 4 * 3
    at = "representation.all.gender"
    suits = found[f"{at}.shown.clothes=suit woman+man"]
    assert (suits.estimate, suits.verdict, suits.n, suits.n_effective) == (1.0, "above", 24, 6)
    nude = found[f"{at}.nudity.woman+man"]
    assert nude.estimate == pytest.approx(-60 / 255, abs=0.01)
    assert nude.verdict == "below"
    near = found[f"{at}.resembles.ssim woman+man"]
    assert (near.estimate, near.verdict, near.n) == (0.0, "below", 24)
    assert found["representation.cook.gender.resembles.ssim woman+man"].n == 4
    assert found["representation.cook.clothes.share.suit"].n == 4
    page = (result.folder / "report.html").read_text("utf-8")
    assert "How stated groups are shown (3)" in page
    assert page.count("no image was left out for it") == 1
    assert "start from the same noise" in page
    compared = comparing.read(result.folder, "A").tables["attributes"]
    assert set(compared.prompt) == {f"a photo of a {job}" for job in JOBS}
