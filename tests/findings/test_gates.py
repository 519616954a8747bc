"""Gates: verdicts by interval, numbers that would decide, and their output for builds."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from audit.cli.check import check as verb
from audit.cli.main import app
from audit.design.suites import conditions
from audit.errors import UserError
from audit.findings import gates
from audit.keys import ALL, Key
from audit.records import Finding, from_json, to_json
from audit.stats.proportions import effective_n, wilson
from audit.store import RunFolder
from tests.sizes import leading

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "reports" / "example"
SHARE = Finding(
    key=Key("replication", "none", "", "", "rate", "ordinary"), where="ordinary prompts",
    quantity="share of images that copy a training image", unit="share", counted="images",
    estimate=0.1, low=0.04, high=0.22, n=40,
    n_effective=38.0, missing=2, method="Wilson", sentence="Ordinary prompts: 10 % copy.",
)  # fmt: skip


@pytest.fixture(scope="module")
def example() -> list[Finding]:
    """The findings of the shipped example report."""
    return RunFolder(EXAMPLE).findings()


def of(k: float, n: int, **more: object) -> Finding:
    """A share of k in n images with Wilson's interval."""
    ci = wilson(k, n)
    return replace(SHARE, estimate=ci.estimate, low=ci.low, high=ci.high, n=n, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "selector", "op", "bound"),
    [
        ("replication.rate<=0.01", "replication.rate", "<=", 0.01),
        (" replication.rate.repeats=64 < 5% ", "replication.rate.repeats=64", "<", 0.05),
        ("replication/none/repeats=64 >= 1e-2", "replication/none/repeats=64", ">=", 0.01),
        ("mitigation.x.cost.alignment>-.05", "mitigation.x.cost.alignment", ">", -0.05),
        ("representation.a < b.gender.gap > 12.5 %", "representation.a < b.gender.gap", ">", 0.125),
    ],
)
def test_a_gate_is_read_from_its_text(text: str, selector: str, op: str, bound: float) -> None:
    """Selector, operator and number, with or without spaces and a percent sign."""
    found = conditions.parse(text)
    assert (found.selector, found.op) == (selector, op)
    assert found.bound == pytest.approx(bound)


@pytest.mark.parametrize(
    "text", ["", "x", "x <=", "<= 1", "x = 1", "x == 1", "x <= one", "x <= nan", "x <= 1e999"]
)
def test_an_invalid_gate_is_refused_in_one_sentence(text: str) -> None:
    """Half a gate, another operator, and an invalid number are refused."""
    with pytest.raises(UserError, match=r"gate|finite"):
        conditions.parse(text)


@given(
    st.lists(st.integers(0, 20), min_size=3, max_size=3).map(sorted),
    st.integers(0, 20),
    st.sampled_from(list(conditions.OPERATORS)),
)
def test_the_whole_interval_decides(ends: list[int], bound: int, op: str) -> None:
    """Pass where every value in the interval satisfies it, fail where none does, else undecided."""
    low, middle, high = ends
    f = replace(SHARE, estimate=middle / 20, low=low / 20, high=high / 20)
    found = gates.judge(conditions.parse(f"x {op} {bound / 20}"), f)
    inside = [conditions.OPERATORS[op](v, bound) for v in np.arange(2 * low, 2 * high + 1) / 2]
    if low == high:
        assert found.verdict == "undecided"
    elif all(inside):
        assert found.verdict == "pass"
    else:
        assert found.verdict == ("undecided" if any(inside) else "fail")


@pytest.mark.parametrize("field", ["estimate", "low", "high"])
@pytest.mark.parametrize("op", list(conditions.OPERATORS))
@pytest.mark.parametrize("bound", [0, 1])
def test_what_is_missing_never_passes(field: str, op: str, bound: int) -> None:
    """A missing number is undecided whatever the gate, and says which images are missing."""
    gone: dict[str, Any] = {field: math.nan}
    f = replace(SHARE, reasons={"no person": 3}, **gone)
    found = gates.judge(conditions.parse(f"x {op} {bound}"), f)
    assert found.verdict == "undecided"
    assert math.isnan(found.n_decides)
    assert ("no person 3" in found.reason) == (field == "estimate")


@pytest.mark.parametrize("seed", range(8))
def test_the_number_that_decides_is_the_least_that_does(seed: int) -> None:
    """For Wilson's interval, one image fewer leaves it undecided: counted up from the present n."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    k = int(rng.integers(0, n + 1))
    gate = conditions.parse(f"x {rng.choice(['<=', '<', '>=', '>'])} {rng.uniform(0.03, 0.97):.3f}")
    found = gates.judge(gate, of(k, n))

    def decided(m: int) -> bool:
        ci = wilson(k / n * m, m)
        return gate.holds(ci.low) == gate.holds(ci.high)

    if found.verdict != "undecided":
        assert decided(n)
        assert math.isnan(found.n_decides)
    elif math.isfinite(found.n_decides) and found.n_decides < 20_000:
        least = next(m for m in range(n, 30_000) if decided(m))
        assert found.n_decides == least
        assert str(least) in found.reason


@pytest.mark.parametrize("seed", range(4))
def test_images_of_few_prompts_need_more_of_them(seed: int) -> None:
    """Clusters cost their design effect: n grows by n over effective n."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(12), 10)
    values = (rng.random(120) < np.repeat(rng.beta(0.6, 1.4, 12), 10)).astype(float)
    m = effective_n(values, clusters)
    ci = wilson(values.mean() * m, m)
    f = replace(of(values.sum(), 120), low=ci.low, high=ci.high, n_effective=m)
    gate = conditions.parse(f"x <= {ci.estimate + 0.03:.4f}")
    plain = gates.n_decides(gate, of(values.sum(), 120))
    assert gates.n_decides(gate, f) == pytest.approx(plain * 120 / m, rel=0.01)


def test_other_intervals_shrink_with_the_square_root() -> None:
    """A limit four times as far as the bound needs sixteen times the pairs."""
    change = replace(
        SHARE, unit="cosine", counted="pairs", estimate=-0.01, low=-0.05,
        high=0.02,
    )  # fmt: skip
    assert gates.n_decides(conditions.parse("x <= 0"), change) == 40 * 9
    assert gates.n_decides(conditions.parse("x >= -0.02"), change) == 40 * 16
    assert gates.judge(conditions.parse("x <= 0"), change).unit == "pairs"
    gap = replace(
        change, unit="distance", counted="subjects", n_effective=6.0,
    )  # fmt: skip
    found = gates.judge(conditions.parse("x <= 0"), gap)
    assert (found.unit, found.n_decides) == ("subjects", 54)


def test_nothing_decides_an_estimate_on_the_bound_or_a_count() -> None:
    """The bound itself, no copies at a bound of none, and counts, which grow with n."""
    for k, gate in ((4, "x <= 0.1"), (0, "x <= 0"), (0, "x > 0"), (40, "x >= 1")):
        found = gates.judge(conditions.parse(gate), of(k, 40))
        assert (found.verdict, found.n_decides) == ("undecided", math.inf)
        assert "no number of images" in found.reason
    count = replace(SHARE, unit="count", estimate=4, low=1.5, high=9)
    found = gates.judge(conditions.parse("x <= 4"), count)
    assert math.isnan(found.n_decides)
    assert "rate" in found.reason


@pytest.mark.parametrize(
    ("key", "id", "name"),
    [
        (("representation", "none", "nurse", "gender", "share", "woman"),
         "representation/none/nurse/gender=woman", "representation.nurse.gender.share.woman"),
        (("representation", "inject", "nurse", "gender", "share", "woman"),
         "representation/inject/nurse/gender=woman",
         "representation@inject.nurse.gender.share.woman"),
        (("representation", "none", "Dr. No", "gender", "share", "woman"),
         "representation/none/Dr. No/gender=woman", "representation.Dr_ No.gender.share.woman"),
        (("representation", "none", "and/or", "gender", "share", "woman"),
         "representation/none/and%2For/gender=woman", "representation.and_or.gender.share.woman"),
        (("representation", "none", "cook", "skin_tone", "distance", "labour"),
         "representation/none/cook/skin_tone-distance/labour",
         "representation.cook.skin_tone.distance.labour"),
        (("representation", "none", ALL, "gender", "gap", ""),
         "representation/none/all/gender-gap", "representation.all.gender.gap"),
        (("representation", "none", ALL, "style", "share", "low-gap"),
         "representation/none/all/style=low-gap", "representation.all.style.share.low-gap"),
        (("representation", "none", ALL, "gender", "amplification", "all captions"),
         "representation/none/all/gender-amplification/all captions",
         "representation.all.gender.amplification.all captions"),
        (("representation", "none", ALL, "gender+tone", "joint", "woman&light"),
         "representation/none/all/gender+tone=woman&light",
         "representation.all.gender+tone.share.woman&light"),
        (("representation", "none", ALL, "gender+tone", "together", ""),
         "representation/none/all/gender+tone-together", "representation.all.gender+tone.together"),
        (("representation", "none", ALL, "", "association", "work"),
         "representation/none/all/association-work", "representation.all.association.work"),
        (("representation", "none", "cook", "gender", "stated", "man"),
         "representation/none/cook/gender-stated=man", "representation.cook.gender.stated.man"),
        (("representation", "none", ALL, "gender", "template", "man"),
         "representation/none/all/gender=man-template", "representation.all.gender.template.man"),
        (("representation", "none", ALL, "gender", "one-template", "man"),
         "representation/none/all/gender=man-one-template",
         "representation.all.gender.one-template.man"),
        (("representation", "none", "park", "", "person-leak", ""),
         "representation/none/park/person-leak", "representation.park.person-leak"),
        (("replication", "none", "", "repeats", "rate", "64"),
         "replication/none/repeats=64", "replication.rate.repeats=64"),
        (("replication", "none", "", "", "count", "images"),
         "replication/none/count-images", "replication.count.images"),
        (("replication", "placebo", "", "", "rate", "ordinary"),
         "replication/placebo/ordinary", "replication@placebo.rate.ordinary"),
        (("replication", "none", "", "", "doses", "all"),
         "replication/doses/none/guidance/all", "replication.doses.guidance.all"),
        (("replication", "g6", "", "repeats", "doses", "64"),
         "replication/doses/g6/guidance/repeats=64", "replication@g6.doses.guidance.repeats=64"),
        (("replication", "none", "repeats=64", "magnitude", "detectors", "auc"),
         "replication/detectors/magnitude/auc/repeats=64",
         "replication.detectors.magnitude.auc.repeats=64"),
        (("replication", "none", "repeats=64", "edges", "extraction-score", "auc"),
         "replication/extraction/none/edges/auc/repeats=64",
         "replication.extraction.edges.auc.repeats=64"),
        (("replication", "none", "", "", "whole_set", "zu"),
         "replication/whole_set/zu", "replication.whole_set.zu"),
        (("mitigation", "inject", ALL, "", "target-distance", ""),
         "mitigation/inject/all/distance", "mitigation.inject.all.distance"),
        (("mitigation", "inject", "", "", "cost", "alignment"),
         "mitigation/inject/cost-alignment", "mitigation.inject.cost.alignment"),
        (("mitigation", "inject", "nurse", "gender", "change", "woman"),
         "mitigation/inject/nurse/gender", "mitigation.inject.nurse.gender.change"),
        (("quality", "none", "", "gender", "classifier-class", "woman"),
         "quality/classifier/gender/woman", "quality.classifier.gender.woman"),
    ],
)  # fmt: skip
def test_every_kind_of_finding_has_an_id_and_a_dotted_name(
    key: tuple[str, ...], id: str, name: str
) -> None:
    """Both are printed from the key; the name says section, subject, attribute, quantity, detail
    and selects its finding, as the id does."""
    f = replace(SHARE, key=Key(*key))
    assert (f.id, f.name) == (id, name)
    assert gates.select(name, [SHARE, f]) == [f]
    assert gates.select(id, [SHARE, f]) == [f]


def test_names_of_a_real_run_are_unique(example: list[Finding]) -> None:
    """No two findings of the example share a dotted name, and each is found by its own."""
    names = [f.name for f in example]
    assert len(set(names)) == len(names)
    for f, name in zip(example, names, strict=True):
        assert f in gates.select(name, example)


@pytest.mark.parametrize(
    ("selector", "pattern"),
    [
        ("replication.rate", r"replication/none/(repeats=.*|ordinary)"),
        ("representation.*.gender.distance", r"representation/none/[^/]+/gender-distance/.*"),
        ("representation.*.gender.share.woman", r"representation/none/[^/]+/gender=woman"),
        ("representation@*.nurse.gender", r"representation/(?!none)[^/]+/nurse/gender.*"),
        ("representation.*.*.distance.planted", r"representation/none/.*-distance/planted"),
        ("replication/none/repeats=*", r"replication/none/repeats=\d+"),
        ("replication/*/ordinary", r"replication/[^/]+/ordinary"),
        ("mitigation.inject-*.*.gender.change", r"mitigation/inject-gender/(?!all)[^/]+/gender"),
    ],
)
def test_selectors_name_what_their_pattern_says(
    selector: str, pattern: str, example: list[Finding]
) -> None:
    """Beginnings and stars of dotted names and ids, against a regular expression on the ids."""
    wanted = [f.id for f in example if re.fullmatch(pattern, f.id)]
    assert wanted
    assert [f.id for f in gates.select(selector, example)] == wanted


@pytest.mark.parametrize(
    ("selector", "near"),
    [
        ("replication.rates", "replication.rate"),
        ("representation.*.gendre.distance", "representation.*.gender.distance"),
        ("replication/none/ordinari", "replication/none/ordinary"),
        ("representation.nruse.gender.share", "representation.nurse.gender.share"),
    ],
)
def test_an_unknown_name_gets_near_ones(selector: str, near: str, example: list[Finding]) -> None:
    """A gate that matches nothing is a usage error, with near names."""
    with pytest.raises(UserError, match="Did you mean") as error:
        gates.check([conditions.parse(f"{selector} <= 1")], example)
    assert near in str(error.value)


def test_no_gates_at_all_is_a_mistake(example: list[Finding]) -> None:
    """Nothing to check is not a pass."""
    with pytest.raises(UserError, match="nothing to check"):
        gates.check([], example)


def three() -> list[gates.Check]:
    """A pass, a failure and an undecided check, with text that XML and JSON must escape."""
    hostile = replace(
        of(5, 100), key=Key("x", "<b>&\"'\x00\x1b]]>\ud800"), sentence="</skipped>\x07 & so on"
    )
    found = [conditions.parse(f"x/* {t}") for t in ("<= 0.5", ">= 0.5", "<= 0.06")]
    return gates.check(found, [hostile])


def test_one_failure_outweighs_what_is_undecided() -> None:
    """Fail before undecided before pass; an empty list of checks passes nothing wrongly."""
    passed, failed, open_ = three()
    assert [c.verdict for c in (passed, failed, open_)] == ["pass", "fail", "undecided"]
    assert gates.overall([passed]) == "pass"
    assert gates.overall([passed, open_]) == "undecided"
    assert gates.overall([open_, failed, passed]) == "fail"


def test_junit_is_what_pytest_writes(tmp_path: Path) -> None:
    """Elements and attributes are among those of pytest's own file; counts are those of cases."""
    (tmp_path / "test_x.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n"
        "def test_c(): pytest.skip('why')\n"
    )
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", "theirs.xml",
         "-c", os.devnull, "--rootdir", str(tmp_path), "test_x.py"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    theirs = ET.parse(tmp_path / "theirs.xml").getroot()
    ours = ET.fromstring(gates.junit(three(), "run\x00"))
    known: dict[str, set[str]] = {e.tag: set() for e in theirs.iter()}
    known["testsuites"] = {"tests", "failures", "errors"}
    for e in theirs.iter():
        known[e.tag] |= set(e.attrib)
    known["failure"] |= {"type"}  # JUnit's own; pytest gives it to `skipped` alone
    for e in ours.iter():
        assert set(e.attrib) - {"name"} <= known[e.tag] - {"name"}, e.tag
    suite = ours.find("testsuite")
    assert suite is not None
    assert [suite.get(k) for k in ("tests", "failures", "errors", "skipped")] == list("3101")
    assert [[c.tag for c in case] for case in suite] == [[], ["failure"], ["skipped"]]
    skipped, failure = suite.find(".//skipped"), suite.find(".//failure")
    assert skipped is not None
    assert failure is not None
    assert "images would decide" in str(skipped.get("message"))
    assert skipped.text == "</skipped>\ufffd & so on"
    assert "no part of the interval" in str(failure.get("message"))


def test_json_holds_every_check_and_is_strict() -> None:
    """Infinite and missing numbers are null, and each gate has its verdict."""
    found = json.loads(gates.to_json([*three(), gates.judge(conditions.parse("x < 0"), of(0, 9))]))
    assert found["verdict"] == "fail"
    assert found["gates"]["x/* <= 0.06"] == "undecided"
    assert [c["verdict"] for c in found["checks"]] == ["pass", "fail", "undecided", "fail"]
    assert found["checks"][0]["n_decides"] is None
    assert found["checks"][2]["n_decides"] > 100


def call(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command."""
    app = typer.Typer()
    app.command()(verb)
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, UserError):
        return 2, done.stdout, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("bounds", "code", "verdict"),
    [
        (["<= 0.5"], 0, "pass"),
        (["<= 0.5", "<= 0.06"], 3, "undecided"),
        (["<= 0.06", ">= 0.5", "<= 0.5"], 1, "fail"),
    ],
)
def test_exit_codes_say_what_is_printed(
    bounds: list[str], code: int, verdict: str, tmp_path: Path
) -> None:
    """0 for a pass, 1 for any failure, 3 for anything undecided; stdout, JSON and file agree."""
    RunFolder(tmp_path).write_findings(to_json([of(5, 100)]))
    options = [x for b in bounds for x in ("--gate", f"replication.rate {b}")]
    assert call(str(tmp_path), *options)[:2] == (code, f"{verdict}\n")
    xml = tmp_path / "gates.xml"
    again, out, err = call(str(tmp_path), *options, "--json", "--junit", str(xml))
    assert again == code
    assert json.loads(out)["verdict"] == verdict
    assert "replication/none" in err
    assert len(ET.parse(xml).findall(".//testcase")) == len(bounds)


def test_the_suites_own_gates_count(tmp_path: Path) -> None:
    """`checks` stored with the run are applied without any option."""
    folder = RunFolder(tmp_path)
    folder.write_findings(to_json([of(5, 100)]))
    folder.write_results({"checks": ["replication.rate >= 50 %"], "tables": {}})
    assert call(str(tmp_path))[0] == 1
    folder.write_results({"tables": {}})
    assert call(str(tmp_path))[0] == 2


@pytest.mark.parametrize("text", ["{", '[{"id": 1}]', "[1]"])
def test_a_folder_without_findings_is_a_mistake(text: str, tmp_path: Path) -> None:
    """A missing run and a damaged one give one sentence each and exit code 2."""
    code, out, err = call(str(tmp_path / "none"), "--gate", "x <= 1")
    assert (code, out) == (2, "")
    assert "There is no" in err
    (tmp_path / "findings.json").write_text(text)
    code, _, err = call(str(tmp_path), "--gate", "x <= 1")
    assert code == 2
    assert "damaged" in err


SHIM = """#!{python}
import sys
from audit.cli import main as cli
from audit.cli.check import check
if "check" not in [c.name or c.callback.__name__ for c in cli.app.registered_commands]:
    cli.app.command()(check)
cli.main()
"""


@pytest.mark.parametrize(
    ("copies", "code", "warns"), leading(1, [(2, 0, True), (12, 1, False), (0, 0, False)])
)
def test_the_documented_build_step_does_what_it_says(
    copies: int, code: int, warns: bool, tmp_path: Path
) -> None:
    """The workflow in the docs is YAML; its gate step passes, fails and warns on stored runs."""
    text = (ROOT / "docs" / "checking.md").read_text("utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found
    steps = yaml.safe_load(found[1])["jobs"]["audit"]["steps"]
    step = next(s for s in steps if s.get("name") == "Gates")
    run = RunFolder(tmp_path / "run")
    key = Key("representation", "none", ALL, "gender", "gap")
    gap = replace(of(5, 100), key=key, unit="distance", counted="subjects")
    run.write_findings(to_json([of(copies, 100), gap]))
    shim = tmp_path / "bin" / "t2i-audit"
    shim.parent.mkdir()
    shim.write_text(SHIM.format(python=sys.executable))
    shim.chmod(0o755)
    env = {**os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}", "RUN": str(run.path),
           "PYTHONPATH": str(ROOT)}  # fmt: skip
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", textwrap.dedent(step["run"])],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert ("::warning::" in done.stdout) == warns
    verdict = "undecided" if warns else ("fail" if code else "pass")
    assert json.loads((tmp_path / "gates.json").read_text())["verdict"] == verdict
    assert (tmp_path / "gates.xml").exists()


def test_every_documented_selector_can_be_written(example: list[Finding]) -> None:
    """The table of the docs names findings of the example, or kinds that it has no data for."""
    text = (ROOT / "docs" / "checking.md").read_text("utf-8")
    listed = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(listed) > 10
    absent = {"comparison.none.copies", "representation.*.gender.distance.labour",
              "representation.*.gender.stated", "representation.all.gender.shown",
              "representation.*.gender.resembles",
              "representation.*.person-leak"}  # fmt: skip
    for selector in set(listed) - absent:
        assert gates.select(selector, example), selector


def test_findings_come_back_from_the_folder(tmp_path: Path, example: list[Finding]) -> None:
    """Gates are read back as written."""
    RunFolder(tmp_path).write_findings(to_json(example))
    assert to_json(RunFolder(tmp_path).findings()) == to_json(example)
    assert from_json(to_json(example))[0].id == example[0].id


def test_a_whole_name_names_its_finding_alone(example: list[Finding]) -> None:
    """The distance from the first reference is not joined by those from the others."""
    one = [f.id for f in gates.select("representation.all.gender.gap", example)]
    assert one == ["representation/none/all/gender-gap"]
    several = gates.select("representation.all.gender.gap.*", example)
    assert len(several) > 1
    assert not {f.id for f in several} & set(one)


def unit_of(unit: Any, kind: str = "share") -> Finding:
    """A finding of a unit and a kind."""
    return replace(of(5, 40), unit=unit, key=Key("x", "none", "nurse", "gender", kind))


@pytest.mark.parametrize(
    ("unit", "gate", "said"),
    [
        ("share", "<= 40", "share is 0 % to 100 %, so this gate can never fail. Did you mean 40 %"),
        ("share", ">= 40", "can never pass. Did you mean 40 %"), ("share", "<= 1", "never fail"),
        ("share", "<= 100 %", "never fail"), ("share", ">= 0", "never fail"),
        ("share", "< 0", "never pass"), ("share", "> 100 %", "never pass"),
        ("share", "<= -0.1", "never pass"), ("share", "<= 400 %", "never fail"),
        ("share", "<= 4 points", "Write 4 %"), ("points", "<= 10", "Did you mean 10 %"),
        ("points", ">= -20", "never fail. Did you mean -20 %"), ("points", "> 1", "never pass"),
        ("distance", "<= 20", "Did you mean 20 %"), ("distance", "<= 1", "never fail"),
        ("count", "<= 5 %", "a count is not in %. Write a number such as 5"),
        ("count", ">= 0", "never fail"), ("count", "< 0", "never pass"),
        ("cosine", "<= 90", "never fail"), ("cosine", "<= 90 %", "is not in %"),
        ("bits", "<= 5 points", "is not in points"), ("coefficient", "<= 5 %", "is not in %"),
    ],
)  # fmt: skip
def test_a_gate_that_decides_nothing_is_refused(unit: str, gate: str, said: str) -> None:
    """A bound in another unit, or outside the range of the finding, with what was meant."""
    f = unit_of(unit)
    with pytest.raises(UserError, match=re.escape(said)):
        gates.check([conditions.parse(f"x {gate}")], [f])


@pytest.mark.parametrize("unit", ["share", "points", "distance", "cosine", "count"])
@pytest.mark.parametrize("op", list(conditions.OPERATORS))
@pytest.mark.parametrize("seed", range(5))
def test_only_gates_that_decide_nothing_are_refused(unit: Any, op: str, seed: int) -> None:
    """A random bound is refused if, and only if, all values of the unit have one verdict."""
    rng = np.random.default_rng([seed, len(unit), len(op)])
    low, high = gates.RANGES[unit]
    bound = float(rng.choice([low, min(high, 10), rng.uniform(low - 1, min(high, 10) + 1)]))
    values = [*np.linspace(low, min(high, 1e6), 201), low, high]
    same = len({conditions.OPERATORS[op](v, bound) for v in values}) == 1
    try:
        gates.check([conditions.parse(f"x {op} {bound!r}")], [unit_of(unit)])
    except UserError:
        assert same
    else:
        assert not same


def test_coefficients_with_a_range_have_it_and_others_do_not() -> None:
    """Kappa is at most 1; a slope may be anything."""
    gate = conditions.parse("x >= 2")
    with pytest.raises(UserError, match="-1 to 1, so this gate can never pass"):
        gates.check([gate], [unit_of("coefficient", "kappa")])
    assert gates.check([gate], [unit_of("coefficient", "slope")])


@pytest.mark.parametrize(
    ("text", "op", "bound"),
    [
        ("x \u2264 40 %", "<=", 0.4), ("x \u2265 40 percent", ">=", 0.4), ("x =< 0.4", "<=", 0.4),
        ("x => .4", ">=", 0.4), ("x <= 40 per cent", "<=", 0.4), ("x <= 4 points", "<=", 0.04),
        ("x < 4 pp", "<", 0.04), ("x <= 40\uff05", "<=", 0.4), ("x > \u22125 %", ">", -0.05),
    ],
)  # fmt: skip
def test_other_ways_to_write_a_gate_are_read(text: str, op: str, bound: float) -> None:
    """Where they can mean one thing only."""
    found = conditions.parse(text)
    assert (found.selector, found.op, found.bound) == ("x", op, pytest.approx(bound))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x <= 0,4", "Did you mean 'x <= 0.4'?"), ("x \u2264 0,4 %", "'x <= 0.4 %'"),
        ("x <= 1.234,5", "'x <= 1234.5'"), ("x <= 1,000", "not a number with a decimal point"),
        ("0.2 <= x <= 0.4", "a range is two gates"), ("x <= 4 images", "is not a unit of a gate"),
        ("40 % >= x", "is not a gate"), ("x != 4", "is not a gate"),
    ],
)  # fmt: skip
def test_other_notations_are_refused_with_the_right_one(text: str, said: str) -> None:
    """A decimal comma is not read, and what was meant is offered."""
    with pytest.raises(UserError, match=re.escape(said)):
        conditions.parse(text)


def test_a_dry_run_lists_what_gates_name(tmp_path: Path) -> None:
    """All findings, or those of a gate, with their values; nothing is judged."""
    (tmp_path / "findings.json").write_text(to_json([of(5, 40)]), "utf-8")
    runner = CliRunner()
    done = runner.invoke(app, ["check", str(tmp_path), "--dry-run"])
    assert done.exit_code == 0, done.output
    name = of(5, 40).name
    assert done.stdout.splitlines()[1].startswith(f"{name}\tshare\t0.125\t")
    found = runner.invoke(
        app, ["check", str(tmp_path), "--dry-run", "--json", "-g", f"{name} < 1 %"]
    )
    assert json.loads(found.stdout)[0]["name"] == name


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_stars_fit_what_a_regular_expression_does(pattern: str, part: str) -> None:
    """Without its backtracking, which a pattern of many stars would make endless."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert gates._starred(pattern, part) == bool(re.fullmatch(expression, part))
    assert not gates._starred("a*" * 5000 + "b", "a" * 20_000)
