"""Rates of copies with what is claimed alone, what cannot be flagged, and gates on both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.design.suites.conditions import parse
from audit.evidence.copies import flags
from audit.evidence.copies.facts import DecisionFacts
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.single import PIXELS
from audit.findings import gates, replication
from audit.keys import MATCH_COLUMNS
from audit.records import Finding, Prompt
from audit.stats.error_control import Selection, conformal, twin
from audit.stats.proportions import clopper_pearson
from tests.sizes import crossed

UNIT = DecisionFacts(0.1, True, "", "1,500 against 1,500 distinct images", False)


def images(n: int, copies: int, seed: int, cosine: float = 1.0) -> pd.DataFrame:
    """Matches of n prompts, an image each, the first so many at that cosine to a training image."""
    rng = np.random.default_rng(seed)
    score, held = rng.normal(0.6, 0.04, (2, n))
    score[:copies] = cosine
    rows = [(f"s{i}", f"p{i}", "none", 0, score[i], held[i], f"h{i}", f"t{i}", "", 1, None, "label")
            for i in range(n)]  # fmt: skip
    return pd.DataFrame(rows, columns=list(MATCH_COLUMNS))


def found(
    table: pd.DataFrame, got: Selection, alone: np.ndarray, decided: DecisionFacts = UNIT
) -> dict[str, Finding]:
    """Findings by id, from a selection and images that are claimed alone."""
    known = (~got.unsettled | alone) if not decided.doubt else np.zeros(len(table), bool)
    table = table.assign(single=np.where(alone, PIXELS, ""))
    table["copy"] = flags.column(got.selected | alone, known=known)
    prompts = {p: Prompt(p, p, "s", "b", "representation", 1) for p in table.prompt}
    return {f.id: f for f in replication.findings(table, prompts, 0, decided)}


def by_twin(table: pd.DataFrame) -> Selection:
    """The twin's selection, each match its own."""
    w = twin_evidence(table.score.to_numpy(float), table.held_score.to_numpy(float))
    return twin(w, np.where(w > 0, table.train, table.held), 0.1)


def judged(rate: Finding, text: str = "replication.rate.ordinary <= 1 %") -> str:
    """The verdict of a gate."""
    return gates.check([parse(text)], [rate])[0].verdict


@crossed("n, copies", [200, 500], range(1, 13))
def test_every_identical_image_is_found_however_few(n: int, copies: int) -> None:
    """One to twelve byte-identical images: all counted, the rate is theirs at least."""
    table = images(n, copies, n + copies)
    got = found(table, by_twin(table), np.arange(n) < copies)
    rate, count = got["replication/none/ordinary"], got["replication/none/count-images"]
    assert rate.verdict == count.verdict == "found"
    assert rate.estimate >= copies / n
    assert got["replication/none/count-single"].estimate == copies
    assert f"{copies} are that training image" in rate.sentence
    assert rate.low <= copies / n <= rate.high
    assert count.high >= copies


@crossed("cosine, null", [0.9, 0.97], [0, 50, 300])
def test_a_gate_never_passes_at_more_than_its_limit(cosine: float, null: int) -> None:
    """Nine edited copies among 500, which are too few: undecided, by the twin and by nulls."""
    verdicts = []
    for seed in range(8):
        table = images(500, 9, seed, cosine)
        rng = np.random.default_rng([seed, 1])
        score = table.score.to_numpy(float)
        got = conformal(score, rng.normal(0.6, 0.04, null), 0.1) if null else by_twin(table)
        rate = found(table, got, np.zeros(500, bool))["replication/none/ordinary"]
        verdicts.append(judged(rate))
        assert rate.high >= 9 / 500
        assert rate.verdict != "not found"
    assert "pass" not in verdicts


@pytest.mark.parametrize("n", [500, 2000])
def test_a_gate_can_pass_where_copies_could_have_been_flagged(n: int) -> None:
    """Without a copy and with evidence enough, most runs of 2,000 pass a gate at one per cent."""
    rates = []
    for seed in range(10):
        table = images(n, 0, seed)
        rates.append(found(table, by_twin(table), np.zeros(n, bool))["replication/none/ordinary"])
    passed = [judged(r) == "pass" for r in rates]
    assert np.mean(passed) > 0.5
    none = [r for r in rates if r.verdict == "not found"]
    assert none
    assert all(r.high >= clopper_pearson(0, n, 0.95).high * 0.9 for r in none)


@pytest.mark.parametrize("alone", [0, 4])
def test_a_doubt_leaves_every_limit_open(alone: int) -> None:
    """Where no rate can be decided only what is claimed alone is known: no gate passes."""
    table, why = images(120, alone, 3), "held-out images do not look like training images"
    known = np.ones(120, bool)
    got = found(table, Selection(~known, np.inf, 0, why, unsettled=known), np.arange(120) < alone,
                DecisionFacts(0.1, True, why, "sizes", False))  # fmt: skip
    rate = got["replication/none/ordinary"]
    assert rate.verdict == ("found" if alone else "undecided")
    assert (rate.estimate, rate.high) == (alone / 120, 1)
    assert rate.references["open"] == 120 - alone
    assert why in rate.sentence
    assert "expected false" not in rate.references
    assert judged(rate) != "pass"
    assert got["replication/none/count-images"].high == pytest.approx(120)


def test_errors_are_given_next_to_the_rate() -> None:
    """Flagged images, false ones expected, once a match; which is counted, and what is semantic."""
    table = images(400, 40, 9)
    table.loc[:39, "train"] = [f"t{i // 2}" for i in range(40)]
    got = by_twin(table)
    for by_match, units in ((True, 20), (False, 40)):
        decided = DecisionFacts(0.1, by_match, "", "sizes and tests", True)
        rate = found(table, got, np.zeros(400, bool), decided)["replication/none/ordinary"]
        extra = int(got.selected[40:].sum())
        assert rate.references["flagged"] == 40 + extra
        assert rate.references["expected false"] == pytest.approx(0.1 * (units + extra))
        said = "matched training images, each counted once" if by_match else "images expected"
        assert said in rate.sentence
        assert "obeying a caption looks like copying" in rate.sentence
        assert rate.method.endswith("sizes and tests")
