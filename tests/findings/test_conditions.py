"""Claims of arms with a condition: planted effects are found with their size, and none without."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit.evidence.measured import Errors, Found, Measured
from audit.findings import conditions
from audit.findings.following import open_questions
from audit.findings.representation import Context
from audit.keys import (
    ADHERENCE_COLUMNS,
    ATTRIBUTE_COLUMNS,
    BASELINE,
    SWAP_COLUMNS,
    Key,
    id_of,
    name_of,
)
from audit.records import Attribute, Finding, Mitigation, Prompt, Suite
from tests.sizes import at_most, draws

GENDER = Attribute("gender", ("woman", "man"), {g: (f"a {g}",) for g in ("woman", "man")})
NOTHING = pd.DataFrame()
SUBJECTS, SEEDS = tuple(f"job {i}" for i in range(12)), 12
ARM = "silhouette"


def prompts() -> dict[str, Prompt]:
    """Every subject with nothing stated, and with a woman and a man on the same noise."""
    found = []
    for s in SUBJECTS:
        found.append(Prompt(f"open/{s}", s, s, "open", "representation", SEEDS, ("gender",)))
        found += [Prompt(f"{g}/{s}", f"{g} {s}", s, g, "representation", SEEDS, ("gender",),
                         {"gender": g}, frame=s) for g in GENDER.classes]  # fmt: skip
    return {p.id: p for p in found}


def measured(
    rng: np.random.Generator, women: tuple[float, float] = (0.3, 0.3), swap: float = 0.4,
    gap: float = 0.0, stated: bool = True,
) -> Measured:  # fmt: skip
    """Shares of women without and with the condition; what a swap changes; men's lead in edges."""
    asked = prompts()
    if not stated:
        asked = {i: p for i, p in asked.items() if not p.states}
    read, kept, swaps = [], [], []
    for p in asked.values():
        common, edges = rng.random(SEEDS), rng.normal(0.5, 0.05, SEEDS)
        for arm, share in zip((BASELINE, ARM), women, strict=True):
            for seed in range(SEEDS):
                place = common[seed] if rng.random() < 0.5 else rng.random()
                value = p.states.get("gender", "woman" if place < share else "man")
                id = f"{arm}/{p.id}/{seed}"
                read.append((id, p.id, p.subject, arm, seed, "gender", "label", value, 0.9))
                more = gap * (value == "man") + 0.2 if arm == ARM else 0.0
                kept.append((id, p.id, p.subject, arm, seed, ARM, "label",
                             edges[seed] + more + rng.normal(0, 0.02)))  # fmt: skip
    for s in SUBJECTS if stated else ():
        for arm in (BASELINE, ARM):
            far = rng.gamma(40, 0.005, (SEEDS, 2))
            size = swap if arm == ARM else 0.9
            swaps += [(f"woman/{s}", f"man/{s}", seed, s, arm, "gender", "woman", "man",
                       size * far[seed, 0], far[seed, 1]) for seed in range(SEEDS)]  # fmt: skip
    suite = Suite(
        "s", "S", "Who?", tuple(asked.values()), (GENDER,), (),
        (Mitigation(ARM, "control", {"kind": ARM}, ("open", "woman", "man")),),
    )  # fmt: skip
    return Measured(
        suite, 3.0, 0, 0.95, pd.DataFrame(read, columns=list(ATTRIBUTE_COLUMNS)),
        alignment=NOTHING, matches=NOTHING, training=NOTHING, nearness=NOTHING, vectors={},
        extracted=Found(), detectors=NOTHING, whole=(), factors=NOTHING, errors=Errors(),
        raters=None, truth=None, adherence=pd.DataFrame(kept, columns=list(ADHERENCE_COLUMNS)),
        swaps=pd.DataFrame(swaps, columns=list(SWAP_COLUMNS)),
    )  # fmt: skip


def found(m: Measured, errors: dict[str, np.ndarray] | None = None) -> dict[str, Finding]:
    """Findings by kind."""
    asked = {p.id: p for p in m.suite.prompts}
    context = Context([GENDER], (), errors or {}, None, 0)
    table = open_questions(m.table, asked)
    made = conditions.findings(m, table, context, asked)
    assert len({f.key.kind for f in made}) == len(made)
    return {f.key.kind: f for f in made}


def test_a_skew_of_the_picture_is_found_with_its_size() -> None:
    """A condition that draws more women of every occupation: the change, significant and in words.

    As a ControlNet does that has seen long hair on women only, given figures with long hair.
    """
    f = found(measured(np.random.default_rng(1), women=(0.2, 0.6)))["composition"]
    assert f.low <= 0.4 <= f.high
    assert f.high - f.low < 0.3
    assert f.verdict == "above"
    assert f.q < 0.01
    assert f.n == len(SUBJECTS) * SEEDS
    assert f.family == "composition under silhouette"
    assert f.sentence.startswith(
        "silhouette, all 12 subjects: change in the share of women where the composition is given"
    )


def test_errors_of_the_reader_are_corrected() -> None:
    """A reader that is right in 9 of 10 shows eight tenths of the change."""
    errors = {"gender": np.array([[900, 100], [100, 900]])}
    m = measured(np.random.default_rng(2), women=(0.2, 0.52))
    f = found(m, errors)["composition"]
    assert f.low <= 0.4 <= f.high
    assert abs(0.8 * f.estimate - f.naive) < 0.01


@pytest.mark.slow
@draws(15, 300)
def test_without_an_effect_few_changes_are_called_one(runs: int) -> None:
    """At the level of 5 %: composition, edges by group as stated, and as read."""
    wrong = dict.fromkeys(("composition", "stated", "read"), 0)
    for run in range(runs):
        rng = np.random.default_rng([7, run])
        got, apart = found(measured(rng)), found(measured(rng, stated=False))
        wrong["composition"] += got["composition"].verdict in ("above", "below")
        wrong["stated"] += got["adherence"].verdict in ("above", "below")
        wrong["read"] += apart["adherence"].verdict in ("above", "below")
    assert all(at_most(n, runs, 0.05) for n in wrong.values()), wrong


def test_a_swap_is_a_share_of_what_another_seed_changes() -> None:
    """The planted ratio is inside of the limits, and the baseline's is next to it."""
    f = found(measured(np.random.default_rng(3), swap=0.35))["swap"]
    assert f.low <= 0.35 <= f.high
    assert f.high - f.low < 0.1
    assert f.references[conditions.WITHOUT] == pytest.approx(0.9, abs=0.05)
    assert (f.verdict, f.n, f.n_effective) == ("described", len(SUBJECTS) * SEEDS, 12)
    assert re.search(r"what another seed changes \(.*\); 0\.\d\d without the cond", f.sentence)


@pytest.mark.parametrize("stated", [True, False])
def test_a_group_that_is_served_less_well_is_found(stated: bool) -> None:
    """Edges of men that are kept better by 0.08, as stated and as read; and better than without."""
    got = found(measured(np.random.default_rng(4), women=(0.5, 0.5), gap=0.08, stated=stated))
    f = got["adherence"]
    assert f.low <= 0.08 <= f.high
    assert f.high - f.low < 0.06
    assert f.verdict == "above"
    assert f.where == ("man less woman, where the prompt says so" if stated else
                       "man less woman, as they were read")  # fmt: skip
    assert got["kept-edges"].low > 0.15


def test_what_was_not_measured_is_not_claimed() -> None:
    """Without pairs there is no swap; missing edges are counted; without an arm, nothing."""
    m = measured(np.random.default_rng(5), stated=False)
    assert set(found(m)) == {"composition", "kept-edges", "adherence"}
    table = m.adherence.copy()
    table.loc[table.index[-3:], "adherence"] = math.nan
    table.loc[table.index[-3:], "outcome"] = "unreadable"
    f = found(replace(m, adherence=table))["kept-edges"]
    assert f.missing == 3
    assert f.reasons == {"unreadable": 3}
    none = replace(m, suite=replace(m.suite, mitigations=()))
    assert not found(none)


def test_the_names_of_the_claims() -> None:
    """Ids and dotted names that the documentation gives."""
    key = Key("mitigation", ARM, "", "gender", "composition", "woman")
    assert id_of(key) == "mitigation/silhouette/composition/gender/woman"
    assert name_of(key) == "mitigation.silhouette.composition.gender.woman"
    assert (
        name_of(Key("mitigation", ARM, "", "", "kept-edges")) == "mitigation.silhouette.kept-edges"
    )
    swap = Key("mitigation", ARM, "", "gender", "swap", "woman+man")
    assert name_of(swap) == "mitigation.silhouette.swap.gender.woman+man"
