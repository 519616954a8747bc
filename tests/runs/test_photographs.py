"""Images of unknown kind, from a folder to the report: no network, and no classifier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import audit
from audit.runs import choosing
from tests.builders.suites import small
from tests.design.language_model.serving import Answer, serving
from tests.runs.test_judging import shown, verdict

pytestmark = pytest.mark.slow
KEY = "sk-a-key-of-some-length"


def picture(woman: bool, read: str, seed: int) -> np.ndarray:
    """Noise whose red says what it shows, and whose green what the judge will say."""
    noise = np.random.default_rng(seed).integers(0, 100, (16, 16, 3), np.uint8)
    noise[..., 0] += 150 if woman else 0
    noise[..., 1] += {"woman": 150, "man": 0, "refuse": 80}[read]
    return noise


def says(body: dict[str, Any]) -> Answer:
    """The judge: by the image's green; its colleague says man of everything."""
    green = shown(body)[..., 1].mean()
    if body["model"] == "colleague":
        return verdict("man")
    if 100 < green < 160:
        return verdict("I cannot help with that")
    return verdict("woman" if green > 160 else "man")


def save(folder: Path, name: str, image: np.ndarray) -> None:
    """As PNG; the folder is made."""
    folder.mkdir(exist_ok=True)
    Image.fromarray(image).save(folder / name)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images of two prompts, a fifth of them misread, nurses' refused; 80 labelled ones."""
    root = tmp_path_factory.mktemp("photographs")
    for i in range(60):
        woman, nurse = i % 3 == 0, i % 2 == 0
        right = i % 5 > 0
        read = "refuse" if nurse and i % 10 == 4 else "woman" if woman == right else "man"
        save(root / "pics", f"{i:02}.png", picture(woman, read, i))
        (root / "pics" / f"{i:02}.txt").write_text(
            "a photo of a nurse" if nurse else "a photo of a technologist"
        )
    lines = ["file_name,person,gender"]
    for i in range(80):
        woman, right = i % 2 == 0, i % 5 > 0
        read = "woman" if woman == right else "man"
        save(root / "known", f"{i}.png", picture(woman, read, 100 + i))
        lines.append(f"{i}.png,p{i // 4},{'female' if woman else 'male'}")
    (root / "known" / "labels.csv").write_text("\n".join(lines) + "\n")
    small(root)
    return root


def run(place: Path, url: str, out: str, **more: Any) -> audit.Result:
    """The suite on the folder, read by the judge and its colleague."""
    readers = [f"gender=vlm:{m},url={url}" for m in ("judge", "colleague")]
    return audit.run(
        str(place / "small.toml"), images=place / "pics", out=place / out, classifier="none",
        reader=readers, send_key="127.0.0.1", **more,
    )  # fmt: skip


def test_a_judge_reads_a_folder_of_images_to_the_report(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uncorrected without labels, corrected by given ones; refusals are missing, by subject."""
    monkeypatch.setenv("T2I_AUDIT_LLM_KEY", KEY)
    with serving(says) as server:
        plain = run(place, server.url, "out")
        asked = len(server.asked)
        assert asked == 2 * 60
        before = plain.findings.set_index("name")
        again = run(place, server.url, "out", validation=place / "known")
        assert len(server.asked) == asked + 80
    assert plain.folder == again.folder
    table = plain.attributes
    assert set(table.attribute) == {"gender"}
    refused = table[table.outcome == "refused"]
    assert len(refused) == 6
    assert set(refused.subject) == {"nurse"}
    after = again.findings.set_index("name")
    share = "representation.technologist.gender.share.woman"
    assert before.loc[share].estimate == before.loc[share].naive
    assert before.loc[share].method == "Wilson"
    assert after.loc[share].method == "corrected for classifier error"
    assert after.loc[share].estimate < after.loc[share].naive  # a third are women, more are read
    assert before.loc["representation.nurse.gender.share.woman"].missing == 6
    kappa = [n for n in before.index if "kappa" in n]
    assert kappa
    kept = [p for p in place.rglob("*") if p.is_file()]
    assert not [p for p in kept if KEY.encode() in p.read_bytes()]


def test_the_report_says_by_whom_and_how_well_images_were_read(place: Path) -> None:
    """After the runs above: the judge, unknown errors, given labels, and what was not read."""
    (folder,) = (place / "out").glob("small-*")
    facts = json.loads((folder / "page.json").read_text())["facts"]
    notes = " ".join(facts["notes"])
    assert "Without a classifier these attributes are not read: occupation." in notes
    assert "Gender was read by the vision-language model 'judge'" in notes
    assert facts["measured_on"] == ["80 labelled images that were given as known"]
    (earlier,) = (folder / "earlier").iterdir()
    first = (earlier / "report.html").read_text()
    assert "The errors of vlm:judge in reading gender are not known" in first
    assert choosing.FOREIGN not in first
