"""Nearness to the side whose caption is obeyed, and rates of copies with and without a control."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from audit.evidence.copies import flags
from audit.evidence.copies.facts import HELD, TRAINING, Control, DecisionFacts
from audit.findings import obedience, replication
from audit.keys import MATCH_COLUMNS
from audit.records import Finding, Prompt
from audit.report.language import FOREIGN, prose, speaking
from tests.sizes import at_most, draws


def matches(rng: np.random.Generator, prompts: int, extra: float = 0.0) -> pd.DataFrame:
    """Three images of each caption, four of five nearer to its side, training ones more often.

    How often differs from caption to caption.
    """
    rows = []
    for side, more in ((TRAINING, extra), (HELD, 0.0)):
        for i in range(prompts):
            share = rng.beta(6, 1.5)
            near = rng.random(3) < share + more * (1 - share)
            rows += [
                (f"{side}{i}-{j}", f"{side}{i}", "none", j, 0.6, 0.5, "h", f"t{i}", "", 1, False,
                 "label", side, 1.0 if n else -1.0)
                for j, n in enumerate(near)
            ]  # fmt: skip
    table = pd.DataFrame(rows, columns=[*MATCH_COLUMNS, "caption", "toward"])
    return table.assign(copy=table["copy"].astype(flags.DTYPE))


@draws(10, 1000)
def test_obedience_alone_is_alike_on_both_sides(runs: int) -> None:
    """No copying: a difference is shown in at most one of twenty runs."""
    rng, shown = np.random.default_rng(0), 0
    for _ in range(runs):
        (f,) = obedience.findings(matches(rng, 30))
        shown += f.verdict != "compatible"
        assert f.references["training"] == pytest.approx(0.8, abs=0.2)
    assert at_most(shown, runs, 0.05)


def test_what_is_beyond_obedience_shows() -> None:
    """Nine of ten of the rest of the training captions' images are copies: above."""
    (f,) = obedience.findings(matches(np.random.default_rng(1), 60, 0.9))
    assert f.verdict == "above"
    assert f.estimate == pytest.approx(f.references["training"] - f.references["held-out"])
    assert f.id == "replication/obedience/none/captions"
    assert "obedience alone makes both alike" in f.sentence


def test_images_that_were_not_compared_are_missing() -> None:
    """They have a reason; one side alone, or no captions, give no finding; few give no verdict."""
    table = matches(np.random.default_rng(2), 20)
    table.loc[:2, "toward"] = math.nan
    (f,) = obedience.findings(table)
    assert (f.n, f.missing, f.reasons) == (117, 3, {"not compared": 3})
    assert obedience.findings(table[table.caption == HELD]) == []
    assert obedience.findings(table[list(MATCH_COLUMNS)]) == []
    few = table[(table.caption == TRAINING) | table.prompt.isin([f"{HELD}{i}" for i in range(4)])]
    assert obedience.findings(few)[0].verdict == "undecided"


def rate(table: pd.DataFrame, control: Control) -> Finding:
    """The rate of copies of captions whose image is there once."""
    prompts = {
        p: Prompt(p, p, "", "b", "replication", 3, repeats=int(p.startswith(TRAINING)))
        for p in table.prompt
    }
    decided = DecisionFacts(0.1, True, "others are in doubt", "sizes", True, {"none": control},
                            whole=True)  # fmt: skip
    found = {f.id: f for f in replication.findings(table, prompts, 0, decided)}
    assert "replication/none/repeats=0" not in found
    return found["replication/none/repeats=1"]


def test_a_caption_of_both_sides_does_not_hide_the_control() -> None:
    """All images are open for want of a control: that is said, not that too few stand out."""
    table = matches(np.random.default_rng(4), 20)
    table.loc[table.prompt == f"{TRAINING}0", "caption"] = ""
    table["copy"] = flags.column(np.zeros(120, bool), known=(table.caption != TRAINING).to_numpy())
    decided = rate(table, Control(0, 0, doubt="no captions of held-out images"))
    assert "No rate can be decided: no captions of held-out images." in decided.sentence
    assert "too few to be flagged" not in decided.sentence


def test_a_rate_says_what_its_control_shows() -> None:
    """Found beyond it, not found within it, undecided without it; in both languages."""
    table = matches(np.random.default_rng(3), 20).assign(chance=pd.array([False] * 120, "boolean"))
    table["chance"] = table.chance.mask(table.caption == TRAINING)
    copies = table.assign(copy=flags.column(np.arange(120) < 12, known=np.ones(120, bool)),
                          tiled=np.where(np.arange(120) < 10, 0.02 * np.arange(120), np.nan),
                          sscd=np.where(np.arange(120) < 4, 0.8, 0.6))  # fmt: skip
    found = rate(copies, Control(20, 60, 0.02, 0.001))
    assert (found.verdict, found.estimate) == ("found", 12 / 60)
    assert "60 images of captions of 20 held-out images, of which 2 %" in found.sentence
    assert "does not explain as many (p = 0.001)" in found.sentence
    assert "Of 10 of them looked at, 8 have a tiled l2 of at most 0.15 and 4 an" in found.sentence
    assert "Only whole images were compared" in found.sentence
    assert "false" not in found.references
    within = rate(table, Control(20, 60, 0.0, 0.3))
    assert within.verdict == "not found"
    assert "no more copies are flagged than obeying a caption explains" in within.sentence
    nothing = flags.column(np.zeros(120, bool), known=np.zeros(120, bool))
    bare = rate(table.assign(copy=nothing), Control(0, 0, doubt="no captions of held-out images"))
    assert (bare.verdict, bare.high) == ("undecided", 1.0)
    assert "No rate can be decided: no captions of held-out images." in bare.sentence
    (alike,) = obedience.findings(table)
    with speaking("de"):
        said = (found.sentence, within.sentence, alike.sentence, alike.quantity, alike.method)
        texts = [prose(t) for t in said]
    assert not [t for t in texts if FOREIGN in t]
