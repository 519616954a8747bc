"""Runs that are labelled by two readers become the embedded model's validation set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.cli.world_runs import keep
from audit.errors import UserError
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Sample
from audit.store import RunFolder
from audit.world import seen


def labelled(folder: Path, raters: tuple[str, ...], skip: int = -1) -> RunFolder:
    """A run of two images, labelled by each rater as nurses; row `skip` of a label file is lost."""
    run = RunFolder(folder)
    samples = [Sample(f"{k:016x}", "p", "none", k, "a nurse") for k in range(2)]
    run.write_plan(samples)
    for k, sample in enumerate(samples):
        run.write_image(sample.id, np.full((64, 64, 3), 90 * k + 40, np.uint8))
    read = pd.DataFrame({"sample": [s.id for s in samples], "subject": "nurse"})
    name = run.write_table("attributes", 1, read.reindex(columns=ATTRIBUTE_COLUMNS)).name
    run.write_results({"tables": {"attributes": name}})
    said = {"gender": "woman", "skin_tone": "dark", "occupation": ""}
    rows = [
        (s.id, attribute, rater, "label" if value else "unreadable", value)
        for rater in raters for s in samples for attribute, value in said.items()
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["sample", "attribute", "rater", "outcome", "value"])
    kept = table.drop(index=[skip] if skip >= 0 else [])
    run.write_label_file("labels.csv", kept.to_csv(index=False).encode())
    return run


def test_a_labelled_run_is_packed_and_read_back(tmp_path: Path) -> None:
    """Pictures byte for byte, in the plan's order, with what each reader said."""
    folder = keep(labelled(tmp_path / "run", ("ann", "bob")), tmp_path / "seen")
    found = seen.seen(folder)
    assert found.pictures[:, 0, 0, 0].tolist() == [40, 130]
    assert found.table.seed.tolist() == [0, 1]
    assert found.agreed("gender").tolist() == ["woman", "woman"]
    assert not found.legible("occupation").any()
    assert set(found.table.occupation_a) == {"unreadable"}


def test_labels_of_everybody_and_everything_are_needed(tmp_path: Path) -> None:
    """One reader, three readers, or an image left out: a sentence, and nothing is written."""
    for k, raters in enumerate((("ann",), ("ann", "bob", "cy"))):
        with pytest.raises(UserError, match="Two have to label it"):
            keep(labelled(tmp_path / str(k), raters), tmp_path / "seen")
    for skip in (0, 5, 11):
        with pytest.raises(UserError, match="Label all of it"):
            keep(labelled(tmp_path / f"s{skip}", ("ann", "bob"), skip), tmp_path / "seen")
    assert not (tmp_path / "seen").exists()
    with pytest.raises(UserError, match="are not in"):
        seen.seen(tmp_path / "seen")
