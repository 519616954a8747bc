"""Shares of the four classes of copied parts, with what is open, missing and in doubt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from audit.evidence.copies import flags
from audit.evidence.copies.facts import DecisionFacts
from audit.findings import segments
from audit.keys import SEGMENT_COLUMNS
from audit.records import Finding, Prompt

DECIDED = {p: DecisionFacts(0.05, True, "", "50 against 50") for p in ("foreground", "background")}
YES, NO, OPEN = True, False, None


def found(
    rows: Sequence[tuple[object, object]], gone: int = 0, purpose: str = "representation",
    decided: dict[str, DecisionFacts] = DECIDED, controls: int = 0,
) -> dict[str, Finding]:  # fmt: skip
    """Findings by class of images whose parts are flagged, are not or are open.

    The last `controls` are of captions of held-out images.
    """
    n = len(rows) + gone
    table = pd.DataFrame({c: [None] * n for c in SEGMENT_COLUMNS})
    table = table.assign(sample=[f"s{i}" for i in range(n)], prompt=[f"p{i}" for i in range(n)],
                         arm="none", seed=0, outcome=["label"] * len(rows) + ["no person"] * gone,
                         foreground_train="t0", background_train="t0")  # fmt: skip
    for i, part in enumerate(("foreground", "background")):
        said = [*(r[i] for r in rows), *[None] * gone]
        table[part] = flags.column(np.array([s is True for s in said]),
                                   np.array([s is not None for s in said]))  # fmt: skip
    prompts = {p: Prompt(p, p, "s", "b", purpose, 1, repeats=0 if i >= n - controls else None)
               for i, p in enumerate(table.prompt)}  # fmt: skip
    return {f.key.detail: f for f in segments.findings(table, prompts, 0, decided)}


def test_the_classes_are_a_partition() -> None:
    """Every image is in one class, and what has no person is missing with its reason."""
    got = found([(YES, YES)] * 3 + [(YES, NO)] * 5 + [(NO, YES)] * 2 + [(NO, NO)] * 30, gone=4)
    assert {k: round(f.estimate * 40) for k, f in got.items()} == {
        "both": 3, "foreground": 5, "background": 2, "neither": 30,
    }  # fmt: skip
    assert sum(f.estimate for f in got.values()) == pytest.approx(1)
    for f in got.values():
        assert f.low <= f.estimate <= f.high
        assert (f.n, f.missing, f.reasons) == (40, 4, {"no person": 4})
    assert got["both"].references["same"] == 3
    assert got["foreground"].id == "replication/none/segments/ordinary/foreground"
    assert [got[k].verdict for k in segments.CLASSES] == ["found"] * 3 + [""]


def test_captions_of_held_out_images_are_in_no_share() -> None:
    """No model can copy a held-out image: with them the share of training captions is halved."""
    copied, control = [(YES, YES)] * 6 + [(NO, NO)] * 6, [(NO, NO)] * 12
    got = found([*copied, *control], purpose="replication", controls=12)["both"]
    assert (got.n, got.estimate) == (12, 0.5)
    assert not found(control, purpose="replication", controls=12)


def test_open_parts_are_in_every_class_that_they_may_be_in() -> None:
    """An open person behind a flagged background is both or background, and in no estimate."""
    plain = found([(NO, YES)] * 4 + [(NO, NO)] * 16)
    got = found([(OPEN, YES)] * 4 + [(NO, NO)] * 16)
    assert got["background"].estimate == got["both"].estimate == 0
    assert got["background"].high >= plain["background"].high
    assert got["both"].high >= 4 / 20
    assert got["foreground"].high == plain["foreground"].high
    assert got["both"].verdict == got["background"].verdict == "undecided"
    assert got["foreground"].verdict == "not found"
    assert got["both"].references["open"] == 4
    assert "4 more stand out" in got["both"].sentence


def test_a_part_in_doubt_decides_nothing() -> None:
    """Every person is open where held-out people say nothing, and the sentence says why."""
    doubt = DECIDED | {"foreground": DecisionFacts(0.05, True, "there are no held-out images")}
    got = found([(OPEN, YES)] * 3 + [(OPEN, NO)] * 9, purpose="replication", decided=doubt)
    assert {f.key.attribute for f in got.values()} == {"captions"}
    assert got["neither"].estimate == 0
    assert got["neither"].high >= 9 / 12
    assert "Nothing can be decided about people: there are no held-out" in got["both"].sentence
