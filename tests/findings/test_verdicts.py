"""Every verdict is explained, and measured where it is false: the registry, and its simulations."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from audit.keys import SHAPES, VERDICTS
from audit.stats.proportions import intraclass, wilson
from benchmarks import verdict_results, verdicts
from benchmarks.verdict_claims import (
    CLAIMS,
    DESCRIBED,
    NEUTRAL,
    REDUCED,
    UNMEASURED,
    UNPRINTED,
    Claim,
    scene,
)
from benchmarks.verdict_results import Cell, Rate, Results, cells, rate, simulate
from benchmarks.verdict_worlds import CONFIRMED, GENDER, READERS, WORLDS, Draws, Setting

TINY = Setting(subjects=3, prompts=3, images=4)
PAGE = verdicts.PAGE.read_text("utf-8")
DRAWN = {c.scene for c in cells(CLAIMS)}
"""Every scene of the registry."""


def kinds(claims: tuple[Claim, ...]) -> set[tuple[str, str]]:
    """Section and kind of these claims."""
    split = [c.label.split(" ") for c in claims if c.label != "gate"]
    return {(parts[0], parts[1]) for parts in split}


@pytest.mark.parametrize("word", VERDICTS)
def test_every_word_is_explained_and_measured(word: str) -> None:
    """A row of the page says what it says and does not say; a claim has its error rate.

    Words that state nothing have a row, and no error to measure.
    """
    rows = re.findall(rf"^\| `{word}` \|(.*)\|$", PAGE, re.MULTILINE)
    assert len(rows) == 1
    assert all(part.strip() for part in rows[0].split("|")[:3])
    assert (word in NEUTRAL) != any(word in c.words for c in CLAIMS)


def test_every_kind_of_finding_is_measured_or_described() -> None:
    """A new kind needs a claim, or a place among those that judge nothing; none is in both."""
    there = {(section, kind) for section, of in SHAPES.items() for kind in of}
    assert kinds(CLAIMS) | DESCRIBED | UNPRINTED | UNMEASURED == there
    assert not kinds(CLAIMS) & (DESCRIBED | UNPRINTED | UNMEASURED)
    assert len({c.name for c in CLAIMS}) == len(CLAIMS)


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_worlds_say_only_words_of_the_registry(world: str) -> None:
    """Claims occur where they are measured; a word that nobody registered would go unmeasured."""
    planted = max((s for s in DRAWN if s.world == world), key=lambda s: len(s.planted)).planted
    at = replace(TINY, images=20) if world == "whole" else TINY
    said = WORLDS[world](Draws(at, np.random.default_rng(1)), **dict(planted))
    known = {(c.label.split(" ")[:2][-1], w.removeprefix(CONFIRMED)) for c in CLAIMS
             for w in c.words}  # fmt: skip
    for label, word in said:
        plain = word.removeprefix(CONFIRMED)
        kind = label.split(" ")[:2][-1]
        assert plain in NEUTRAL or not plain or (kind, plain) in known, (label, word)
    asked = {c.label for c in CLAIMS
             if world in (c.null.scene.world, c.power.scene.world if c.power else "")}  # fmt: skip
    assert asked <= {label for label, _ in said} | {"mitigation removed captions"}


@pytest.mark.parametrize("icc", [0.0, 0.1, 0.3])
def test_labels_have_the_stated_share_correlation_and_likeness(icc: float) -> None:
    """Beta-binomial prompts: mean, ICC within prompts, and pairs that are alike but not equal."""
    d = Draws(Setting(4, 400, 6, icc), np.random.default_rng(3))
    a, b = d.hits(0.3, 0.3)
    assert a.mean() == pytest.approx(0.3, abs=0.015)
    found = intraclass(a.astype(float), d.prompt)
    assert found == pytest.approx(icc, abs=0.03)
    # Two arms that share half of the variance agree as a bivariate normal of correlation .5 does.
    if not icc:
        rho = 0.5
        cut = norm.ppf(0.3)
        grid = np.random.default_rng(4).multivariate_normal([0, 0], [[1, rho], [rho, 1]], 100_000)
        assert (a & b).mean() == pytest.approx((grid < cut).all(1).mean(), abs=0.015)


@pytest.mark.parametrize("reader", list(READERS)[1:])
def test_readers_err_as_stated(reader: str) -> None:
    """Sensitivity and specificity of readings, and of the validation images."""
    d = Draws(Setting(reader=reader), np.random.default_rng(5))
    sens, spec, size = READERS[reader] or (1, 1, 0)
    labels = np.repeat([0, 1], 20_000)
    read = d.read(labels, GENDER) == "woman"
    assert read[labels == 0].mean() == pytest.approx(sens, abs=0.01)
    assert read[labels == 1].mean() == pytest.approx(1 - spec, abs=0.01)
    table = np.sum([np.asarray(d.confusion()) for _ in range(200)], axis=0)
    assert table.sum(1).tolist() == [200 * size] * 2
    assert np.diag(table) / table.sum(1) == pytest.approx([sens, spec], abs=0.02)


FAKE = Claim("a b", ("above",), 0.05, CLAIMS[0].null)


def test_rates_are_counts_with_wilsons_interval() -> None:
    """One verdict per audit: Wilson's; dependent verdicts count as fewer; families as reports."""
    once = [{"a b": {"above": 1}}] * 7 + [{"a b": {"below": 1}}] * 93
    got, plain = rate(once, FAKE, FAKE.words), wilson(7, 100)
    assert (got.estimate, got.audits) == (0.07, 100)
    # The variance of 100 audits is estimated with 99 degrees of freedom.
    assert (got.low, got.high) == pytest.approx((plain.low, plain.high), abs=0.002)
    each = [{"a b": {"above": 10}}] * 7 + [{"a b": {"compatible": 10}}] * 93
    same = rate(each, FAKE, FAKE.words)
    assert (same.estimate, same.low, same.high) == pytest.approx(
        (got.estimate, got.low, got.high), abs=1e-9
    )
    apart = [{"a b": {"above": 1, "compatible": 9}}] * 70 + [{"a b": {"compatible": 10}}] * 30
    assert rate(apart, FAKE, FAKE.words).high < got.high
    family = replace(FAKE, family=True)
    assert rate(apart, family, FAKE.words).estimate == 0.7
    # Confirmed verdicts are counted on their own; audits without the claim do not count.
    sure = replace(FAKE, words=(f"{CONFIRMED}above",))
    mixed = [{"a b": {"above": 2, f"{CONFIRMED}above": 1, CONFIRMED: 3}}, {"c": {"above": 1}}]
    assert rate(mixed, sure, sure.words).estimate == 0.25
    assert rate(mixed, FAKE, FAKE.words).audits == 1
    assert str(rate([], FAKE, FAKE.words)) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("found", "flagged"),
    [(Rate(0.08, 0.06, 0.1, 1), True), (Rate(0.08, 0.04, 0.1, 1), False),
     (Rate(0.065, 0.055, 0.1, 1), False), (Rate(0.01, 0.0, 0.02, 1), False)],
)  # fmt: skip
def test_rates_are_flagged_above_the_level(found: Rate, flagged: bool) -> None:
    """More than .02 above it, with an interval that excludes it; never without a level."""
    assert found.flagged(0.05) is flagged
    assert not found.flagged(None)


def test_a_second_call_continues_and_gives_the_same(tmp_path: Path) -> None:
    """A line that was cut off, and lines of other versions, are made again: equal results."""
    cell = Cell(scene("detected"), TINY)
    wanted = {cell: 60}
    first = Results(tmp_path / "a" / "cells.jsonl")
    verdict_results.measure(first, wanted, 1)
    assert len(first.of(cell)) == 60
    lines = first.path.read_text("utf-8").splitlines(keepends=True)
    old = json.dumps({**json.loads(lines[1]), "version": "another", "runs": []}) + "\n"
    second = tmp_path / "b" / "cells.jsonl"
    second.parent.mkdir()
    second.write_text(old + lines[0] + lines[2][:40], "utf-8")
    again = Results(second)
    assert again.left(wanted) == [(cell, 1), (cell, 2)]
    verdict_results.measure(again, wanted, 1)
    assert not again.left(wanted)
    assert Results(second).of(cell) == first.of(cell)
    assert second.read_text("utf-8").startswith(old)


def test_audits_depend_on_their_cell_and_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other blocks, scenes and settings are other audits."""
    monkeypatch.setattr(verdict_results, "BLOCK", 4)
    cell = Cell(scene("gated"), TINY)
    first = simulate(cell, 1)
    assert first == simulate(cell, 1)
    for other, block in ((cell, 0), (Cell(scene("gated", above=0.01), TINY), 1),
                         (Cell(scene("gated"), replace(TINY, icc=0.11)), 1)):  # fmt: skip
        assert simulate(other, block) != first


def test_the_page_gets_its_tables_between_the_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--write` replaces what is between them; `--only` measures one claim; the rest stays."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{verdicts.BEGIN}\nold\n{verdicts.END}\nafter\n", "utf-8")
    monkeypatch.setattr(verdicts, "PAGE", page)
    asked = ["--only", "detectors auc", "--reduced", "--jobs", "1", "--work", str(tmp_path)]
    verdicts.main([*asked, "--write"])
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{verdicts.BEGIN}\n")
    assert text.endswith(f"{verdicts.END}\nafter\n")
    assert "old" not in text
    cell = r"(\*\*)?(\.\d{3}|1) \[\.\d{3}, (\.\d{3}|1)\](\*\*)?"
    name = "replication detectors auc: found"
    assert re.search(rf"^\| {name} \| \.025 \| {cell} \| {cell} \|$", text, re.MULTILINE)
    assert re.search(rf"^\| {name} \| {cell} \| {cell} \|$", text, re.MULTILINE)
    with pytest.raises(SystemExit):
        verdicts.main(["--only", "no such verdict", "--work", str(tmp_path)])


def test_the_page_has_its_markers_once() -> None:
    """What `--write` replaces is there."""
    assert PAGE.count(verdicts.BEGIN) == PAGE.count(verdicts.END) == 1


@pytest.mark.nightly
def test_the_reduced_form_measures_every_verdict(tmp_path: Path) -> None:
    """In two small settings each verdict has a rate, few exceed their level, and many have power.

    With 20 audits a cell, a rate is flagged only where it is far above its level.
    """
    results = Results(tmp_path / "reduced.jsonl")
    verdict_results.measure(results, cells(CLAIMS, reduced=True), 1)
    gained, above, shown = [], [], []
    for claim in CLAIMS:
        for at in REDUCED:
            null, power = (verdicts.found(claim, at, results, side) for side in (False, True))
            assert null is not None, claim.name
            assert null.audits <= verdict_results.REDUCED_RUNS
            above.append(null.flagged(claim.level))
            if power is not None and power.audits and null.audits:
                gained.append(power.estimate >= null.estimate)
                shown.append(power.estimate > 0.5)
    assert len(above) == 2 * len(CLAIMS)
    assert np.mean(gained) > 0.9
    assert np.mean(shown) > 0.4
    assert np.mean(above) < 0.25
