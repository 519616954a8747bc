"""Two run folders compared: joined on texts and seeds, refused where readers differ."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from audit.cli.compare import compare as verb
from audit.design.suites import conditions, read_suite
from audit.errors import UserError
from audit.findings import gates
from audit.records import Attribute, from_json
from audit.runs import comparing
from audit.runs.line import execute
from audit.runs.options import Options
from audit.runs.planning import open_run
from audit.store import AS_GIVEN, RunFolder
from tests.builders.runs import Plan, suite, write
from tests.report.test_page import read as parsed

PLANTED = {"nurse": 0.8, "cook": 0.4}
OTHER = {"nurse": 0.3, "cook": 0.45}


def both(folder: Path, b: Plan, a: Plan | None = None, **more: bool) -> comparing.Comparison:
    """Two runs written and compared."""
    first = comparing.read(write(folder / "a", a or Plan()), "A")
    return comparing.compare(first, comparing.read(write(folder / "b", b), "B"), **more)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_changes_are_found_in_pairs(seed: int, tmp_path: Path) -> None:
    """The intervals contain the planted changes; large ones are detected, the small one is not."""
    found = both(tmp_path, Plan("two", OTHER, copies=0.6, seed=seed), Plan(seed=10 + seed))
    by_id = {f.id: f for f in found.findings}
    nurse = by_id["comparison/none/nurse/gender=woman"]
    assert nurse.low < -0.5 < nurse.high < 0
    assert nurse.verdict == "below"
    assert nurse.n > 50
    assert abs(nurse.naive) < abs(nurse.estimate)
    assert by_id["comparison/none/cook/gender=woman"].verdict != "below"
    copied = by_id["comparison/none/copies/captions of training images"]
    assert copied.low < 0.4 < copied.high
    assert copied.verdict == "above"
    assert by_id["comparison/none/copies/ordinary prompts"].verdict != "above"
    tones = [f for f in found.findings if "/tone=" in f.id]
    assert {f.where for f in tones} == {"all 2 subjects", "nurse", "cook"}
    assert all(abs(f.estimate) < 0.25 for f in tones)
    assert any("tone" in n and "Errors" in n for n in found.notes)
    assert any("one line" in n for n in found.notes)


def test_several_runs_are_compared_with_the_first(tmp_path: Path) -> None:
    """Each as alone, under its letter; findings of all are kept, and no run comes twice."""
    plans = (Plan(seeds=6), Plan("two", OTHER, seeds=6, seed=1), Plan("three", seeds=6, seed=2))
    paths = [write(tmp_path / n, p) for n, p in zip("abc", plans, strict=True)]
    made = comparing.several(paths)
    assert [m.b.name for m in made] == ["B", "C"]
    alone = comparing.compare(comparing.read(paths[0], "A"), comparing.read(paths[2], "C"))
    assert [f.estimate for f in made[1].findings] == [f.estimate for f in alone.findings]
    assert {f.arm for f in made[1].findings} == {"none, C"}
    assert all(" in C)" in f.sentence for f in made[1].findings)
    page = comparing.write_several(made, tmp_path / "out", 0.1)
    kept = RunFolder(page.parent).findings()
    assert len({f.id for f in kept}) == len(kept) == sum(len(m.findings) for m in made)
    assert RunFolder(page.parent).head().model == "one, two, three"
    text = page.read_text("utf-8")
    assert "B: two" in text
    assert "C: three" in text
    with pytest.raises(UserError, match="folders of different runs"):
        comparing.several([paths[0], paths[1], paths[0]])


def test_a_run_compared_with_itself_does_not_change(tmp_path: Path) -> None:
    """The same folder twice: every change is 0 and none is reported."""
    side = comparing.read(write(tmp_path, Plan()), "A")
    found = comparing.compare(side, replace(side, name="B"))
    assert all(f.estimate == 0 for f in found.findings)
    assert not {f.verdict for f in found.findings} & {"above", "below"}


@pytest.mark.parametrize("seeds", [10, 40])
def test_more_seeds_still_pair_those_that_both_have(seeds: int, tmp_path: Path) -> None:
    """A run with more or fewer seeds is paired on the common ones."""
    found = both(tmp_path, Plan("two", OTHER, seeds=seeds))
    f = next(f for f in found.findings if f.where == "nurse")
    assert f.n + f.missing == 3 * min(seeds, 20)
    assert "paired by prompt and seed" in f.method


def test_other_seeds_and_other_prompts_are_compared_as_groups(tmp_path: Path) -> None:
    """Without pairs the groups are compared, with the reason, and the change is still found."""
    for name, plan, why in (
        ("seeds", Plan("two", OTHER, first=100), "the seeds differ"),
        ("prompts", Plan("two", OTHER, templates=("one {}", "the {}")), "the prompts differ"),
    ):
        found = both(tmp_path / name, plan)
        f = next(f for f in found.findings if f.where == "nurse")
        assert why in f.method
        assert f.verdict == "below"
        assert f.low < -0.5 < f.high
    assert any("6 prompts of A and 4 of B are not in the other run" in n for n in found.notes)


def test_prompts_are_the_same_by_text_not_by_name(tmp_path: Path) -> None:
    """Only one template of three is common: only its images are compared, whatever its number."""
    found = both(tmp_path, Plan("two", templates=("x {}", "a {} at work")))
    f = next(f for f in found.findings if f.where == "nurse")
    assert f.n + f.missing == 20


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan("two", classifier="reader-2"), r"reader-1.*reader-2.*different errors"),
        (Plan("two", gender=Attribute("gender", ("woman", "man"), {"woman": ("w",)})), "words"),
        (Plan("two", gender=Attribute("gender", ("man", "woman"), {})), "classes of gender differ"),
        (Plan("two", record=False), "does not record"),
        (Plan("two", {"judge": 0.5}, copies=0.0, descriptor="other"), "in common"),
        (Plan("two", {"judge": 0.5}, descriptor="other"), "in common"),
    ],
)
def test_incomparable_runs_are_refused_in_one_sentence(
    plan: Plan, message: str, tmp_path: Path
) -> None:
    """Other readers, other words, other classes, no record, nothing in common."""
    with pytest.raises(UserError, match=message):
        both(tmp_path, plan)


def test_other_readers_are_compared_anyway_if_asked(tmp_path: Path) -> None:
    """With --anyway there are uncorrected findings, and a note on why to doubt them."""
    found = both(tmp_path, Plan("two", OTHER, classifier="reader-2"), anyway=True)
    f = next(f for f in found.findings if f.where == "nurse")
    assert f.estimate != f.estimate or "corrected" not in f.method
    assert any("due to the readers" in n for n in found.notes)


def test_copies_of_another_search_are_left_out(tmp_path: Path) -> None:
    """Another descriptor: shares are compared, copies are not, and the note says so."""
    found = both(tmp_path, Plan("two", descriptor="sscd"))
    assert not any("/copies/" in f.id for f in found.findings)
    assert any("Copies are not compared" in n and "sscd" in n for n in found.notes)


def test_prompts_that_state_a_group_are_not_captions(tmp_path: Path) -> None:
    """Their copies count among those of ordinary prompts, though they are in no share."""

    def captions(found: comparing.Comparison) -> int:
        wanted = "comparison/none/copies/captions of training images"
        return next(f.n for f in found.findings if f.id == wanted)

    before = captions(both(tmp_path, Plan("two")))
    for name in "ab":
        folder = RunFolder(tmp_path / name)
        stating = sorted({s.prompt for s in folder.plan() if s.prompt.startswith("jobs/cook/")})
        assert stating
        folder.write_results({**folder.results(), "grouped": stating})
    one, two = (comparing.read(tmp_path / name, name) for name in "ab")
    assert captions(comparing.compare(one, two)) == before


def test_captions_of_held_out_images_are_not_compared(tmp_path: Path) -> None:
    """They are a control: no model copies their images, and they would dilute the rate."""
    one, two = (comparing.read(write(tmp_path / n, Plan()), n) for n in "ab")
    wanted = "comparison/none/copies/captions of training images"
    whole = next(f for f in comparing.compare(one, two).findings if f.id == wanted)
    matches = one.tables["matches"]
    captions = sorted({*matches.prompt} - {*one.tables["attributes"].prompt})
    held = matches.prompt.isin(captions[::2])
    matches = matches.assign(caption=held.map({True: "held-out", False: "training"}))
    first = replace(one, tables={**one.tables, "matches": matches})
    found = next(f for f in comparing.compare(first, two).findings if f.id == wanted)
    assert len(captions) > 1
    assert found.n + found.missing == whole.n + whole.missing - int(held.sum())


def test_an_unfinished_run_is_a_mistake(tmp_path: Path) -> None:
    """A folder without results gives a one-sentence error."""
    with pytest.raises(UserError, match="finished run"):
        comparing.read(tmp_path, "A")


def call(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command; exceptions are not hidden."""
    app = typer.Typer()
    app.command()(verb)
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def test_the_report_shows_the_findings_and_makes_no_requests(tmp_path: Path) -> None:
    """One well-formed page, no URLs, hostile names inert, every finding in it, same bytes."""
    hostile = 'two"><script>alert(1)</script>{{ 7 * 7 }}'
    shares = {**OTHER, "judge <b>&": 0.5, "x" * 90: 0.2}
    a = write(tmp_path / "a", Plan(shares={s: 0.5 for s in shares}))
    b = write(tmp_path / "b", Plan(hostile, shares, seed=3))
    code, out, err = call(str(a), str(b), "--out", str(tmp_path / "out"), "--json")
    assert code == 0
    paths = json.loads(out)
    text = Path(paths["report"]).read_text("utf-8")
    page = parsed(text)
    assert not page.stack
    assert not page.odd
    assert all(u.startswith("#") for u in page.urls)
    assert len(set(page.ids)) == len(page.ids)
    assert page.tags.count("script") == 3
    assert "<script>alert" not in text
    words = " ".join(page.words)
    assert "{{ 7 * 7 }}" in words
    found = from_json(Path(paths["findings"]).read_text("utf-8"))
    shown = {html.unescape(i) for i in re.findall(r'data-finding="([^"]*)"', text)}
    assert {f.id for f in found if len(f.id) < 200} <= shown
    assert len(re.findall(r'<svg[^>]*class="chart"', text)) == 4
    assert len(text) < 400_000
    assert paths["notes"][0] in err
    assert call(str(a), str(b), "--out", str(tmp_path / "out"))[1].strip() == paths["report"]
    assert Path(paths["report"]).read_text("utf-8") == text


def test_a_comparison_can_be_held_against_gates(tmp_path: Path) -> None:
    """Its folder is read like a run's, so a gate can require: no worse than the last release."""
    a, b = write(tmp_path / "a", Plan()), write(tmp_path / "b", Plan("two", OTHER, copies=0.6))
    report = Path(call(str(a), str(b), "--out", str(tmp_path / "out"))[1].strip())
    found = RunFolder(report.parent).findings()
    gate = conditions.parse("comparison.none.copies.captions* <= 5 %")
    assert gates.overall(gates.check([gate], found)) == "fail"


def test_readers_are_told_apart_by_what_they_were_asked() -> None:
    """Another text, class, threshold or gate means another reader; another title does not."""
    base = suite(Plan())
    same = comparing.instruments(replace(base, title="Other"), "r")
    assert same == comparing.instruments(base, "r")
    for other in (
        replace(base, person_texts=("somebody",)),
        replace(base, attributes=(replace(base.attributes[0], threshold=0.7), base.attributes[1])),
        replace(base, attributes=(replace(base.attributes[0], reader="pixels"),)),
    ):
        assert comparing.instruments(other, "r")["gender"] != same["gender"]


def labels(folder: Path, arm: str, women: int) -> Path:
    """The folder of a run over a table of labels without seeds: women of 50, for each of two."""
    folder.mkdir()
    rows = [f"{s},{arm},{'f' if i < women else 'm'}" for s in ("nurse", "pilot") for i in range(50)]
    (folder / "t.csv").write_text("subject,arm,gender\n" + "\n".join(rows), "utf-8")
    options = Options(labels=folder / "t.csv", out=folder)
    return execute(open_run(read_suite("occupations"), options)).parent


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["", "fair"])
def test_two_tables_of_labels_are_two_groups(arm: str, tmp_path: Path) -> None:
    """Not refused for being other tables, nor paired by the order of their rows."""
    a = comparing.read(labels(tmp_path / "a", "", 20), "A")
    b = comparing.read(labels(tmp_path / "b", arm, 28), "B")
    found = comparing.compare(a, b)
    f = next(f for f in found.findings if f.where == "nurse")
    assert (round(f.low, 2), round(f.estimate, 2), round(f.high, 2)) == (-0.03, 0.16, 0.34)
    assert f.p == pytest.approx(0.1609, abs=1e-4)
    assert any("compared as groups" in n for n in found.notes)
    assert any("given with their tables" in n for n in found.notes)
    assert any("B only fair" in n for n in found.notes) == bool(arm)
    assert not any("paired" in n for n in found.notes)


def test_numbers_of_earlier_versions_are_no_seeds(tmp_path: Path) -> None:
    """An old run of images from elsewhere opens, and its numbered images are not paired."""
    paths = [write(tmp_path / n, Plan(n, s)) for n, s in (("a", PLANTED), ("b", OTHER))]
    for path in paths:
        body = json.loads((path / "run.json").read_text("utf-8"))
        body["settings"]["steps"] = 0
        (path / "run.json").write_text(json.dumps(body), "utf-8")
        assert all(s.seed is None for s in RunFolder(path).plan())
        assert RunFolder(path).read_table("matches").seed.isna().all()
    found = comparing.compare(comparing.read(paths[0], "A"), comparing.read(paths[1], "B"))
    assert all("two groups" in f.method for f in found.findings if f.where in PLANTED)
    alike = [f for f in found.findings if f.key.kind in ("alignment", "copies")]
    assert alike
    assert all("prompt by prompt" in f.method for f in alike)
    for path in paths:
        body = json.loads((path / "results.json").read_text("utf-8"))
        (path / "results.json").write_text(json.dumps({**body, **AS_GIVEN}), "utf-8")
        assert all(s.seed is not None for s in RunFolder(path).plan())
