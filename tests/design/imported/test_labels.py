"""Tables of labels alone: read in both layouts, settled between raters, judged like pictures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from audit.cli.main import app
from audit.cli.score import declared
from audit.design import suites
from audit.design.imported import labels
from audit.errors import UserError
from audit.keys import ATTRIBUTE_COLUMNS, BASELINE
from audit.records import Suite, from_json
from audit.stats.proportions import wilson


@pytest.fixture
def suite() -> Suite:
    """The shipped occupations, whose attributes and references every table is read against."""
    return suites.read_suite("occupations")


def table(rng: np.random.Generator, n: int = 40) -> pd.DataFrame:
    """A published data set in miniature: a row per picture, a column per attribute."""
    rows = [
        {"file": f"{job}-{i}.png", "Occupation": job, "gender": str(word)}
        for job, p in (("nurse", 0.9), ("pilot", 0.1))
        for i, word in enumerate(rng.choice(["female", "Male"], n, p=[p, 1 - p]))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_wide_table_gives_the_counts_that_pandas_counts(
    seed: int, suffix: str, suite: Suite, tmp_path: Path
) -> None:
    """Every file format gives the same shares as counting the column by hand."""
    raw = table(np.random.default_rng(seed))
    path = tmp_path / f"t{suffix}"
    if suffix == ".parquet":
        raw.to_parquet(path)
    else:
        raw.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    found = labels.load(path, suite)
    assert list(found.table.columns) == list(ATTRIBUTE_COLUMNS)
    for job, part in raw.groupby("Occupation"):
        rows = found.table[found.table.subject == job]
        assert (rows.value == "woman").sum() == (part.gender == "female").sum()
        assert (rows.outcome == "label").all()
    assert {p.subject for p in found.suite.prompts} == {"nurse", "pilot"}
    assert [p.seeds for p in found.suite.prompts] == [40, 40]
    labour = next(r for r in found.suite.references if r.name == "labour")
    assert labour.share("nurse", "gender", "woman") == pytest.approx(0.879)


def test_a_long_table_with_raters_counts_each_picture_once(suite: Suite, tmp_path: Path) -> None:
    """Majority decides, a tie is uncertain, and the single judgements are kept."""
    votes = {"a": ("f", "f", "m"), "b": ("m", "m", "m"), "c": ("f", "m", ""), "d": ("f", "m")}
    rows = [
        {"image": i, "subject": "nurse", "attribute": "gender", "value": v, "rater": f"r{k}"}
        for i, words in votes.items()
        for k, v in enumerate(words)
    ]
    path = tmp_path / "t.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    found = labels.load(path, suite)
    read = found.table.set_index("sample")
    assert list(read.loc[["a", "b", "c", "d"]].outcome) == ["label", "label", *["uncertain"] * 2]
    assert list(read.loc[["a", "b"]].value) == ["woman", "man"]
    assert len(found.raters) == 11
    assert "3 raters" in found.notes[1]


def test_reasons_for_no_label_stay_reasons(suite: Suite, tmp_path: Path) -> None:
    """Words for no person, several people and doubt become outcomes, never classes."""
    words = ["female", "unknown", "no face", "multiple", "NSFW", "", "male"]
    frame = pd.DataFrame({"subject": "nurse", "gender": words})
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    read = labels.load(path, suite).table
    assert list(read.outcome) == [
        "label", "uncertain", "no person", "several people", "blocked", "uncertain", "label",
    ]  # fmt: skip
    assert read.value.notna().sum() == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gender\nfemale\n", "no column that says what was asked for"),
        ("subject,colour\nnurse,red\n", "no column named after an attribute"),
        ("subject,gender\nnurse,femael\n", "line 2.*Did you mean"),
        ("subject,gender\n", "no rows"),
        ("image,subject,gender\na,nurse,f\na,nurse,m\n", "labelled twice"),
        ("subject,attribute\nnurse,gender\n", "none named `value`"),
        ("subject,attribute,value\nnurse,size,big\n", "Unknown attribute 'size'"),
        ('subject,gender\n"nurse,f\n', "cannot be read"),
        ("subject,gender\nnurse,f\n*,f\n", r"t\.csv: prompt labels/\w+: '\*' cannot be a subject"),
    ],
)
def test_mistakes_get_one_sentence(text: str, message: str, suite: Suite, tmp_path: Path) -> None:
    """What, where, and what to do."""
    path = tmp_path / "t.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        labels.load(path, suite)


def test_a_table_that_is_not_there_is_said_so(suite: Suite, tmp_path: Path) -> None:
    """A wrong path is named."""
    with pytest.raises(UserError, match="no table of labels"):
        labels.load(tmp_path / "none.csv", suite)


@pytest.mark.parametrize("text", ["age", "age=young", "age=young,young", "=a,b", "age=a,,b"])
def test_class_lists_are_checked(text: str, suite: Suite) -> None:
    """An attribute needs a name and at least two different classes."""
    with pytest.raises(UserError, match="is not a valid class list"):
        declared(suite, [text])


def test_declared_classes_replace_those_of_the_suite(suite: Suite, tmp_path: Path) -> None:
    """A third gender class of the table's own makers is read once it is declared."""
    chosen = declared(suite, ["gender=woman,man,non-binary"])
    path = tmp_path / "t.csv"
    path.write_text("subject,gender\nnurse,f\nnurse,non-binary\n", "utf-8")
    assert list(labels.load(path, chosen).table.value) == ["woman", "non-binary"]
    with pytest.raises(UserError, match="line 3"):
        labels.load(path, suite)


def test_arms_of_the_table_are_kept(suite: Suite, tmp_path: Path) -> None:
    """Rows before and after a rewriting stay apart; an empty arm is the baseline."""
    path = tmp_path / "t.csv"
    path.write_text("subject,arm,gender\nnurse,,f\nnurse,diverse,m\n", "utf-8")
    found = labels.load(path, suite)
    assert list(found.table.arm) == [BASELINE, "diverse"]
    assert [m.name for m in found.suite.mitigations] == ["diverse"]
    path.write_text("subject,arm,gender\nnurse,x,f\nnurse,y,m\n", "utf-8")
    assert any("nothing to be compared with" in n for n in labels.load(path, suite).notes)


def test_only_a_given_seed_is_one(suite: Suite, tmp_path: Path) -> None:
    """No column, no seed; a column keeps whole numbers of any size, gaps, and no shared ones."""
    path = tmp_path / "t.csv"
    path.write_text("subject,gender\nnurse,f\nnurse,m\n", "utf-8")
    found = labels.load(path, suite)
    assert found.table.seed.isna().all()
    assert [s.seed for s in found.samples] == [None, None]
    big = 2**59 + 1
    body = f"subject,seed,gender\nnurse,{big},f\nnurse,,m\nnurse,5.0,m\nnurse,7,m\nnurse,7,f\n"
    path.write_text(body, "utf-8")
    found = labels.load(path, suite)
    assert [s.seed for s in found.samples] == [big, None, 5, None, None]
    assert found.table.seed.astype(object).where(found.table.seed.notna(), None).tolist() == [
        big, None, 5, None, None,
    ]  # fmt: skip
    assert any("2 images share" in n for n in found.notes)
    path.write_text("subject,seed,gender\nnurse,1.5,f\n", "utf-8")
    with pytest.raises(UserError, match=r"line 2: seed '1\.5' is not a whole number"):
        labels.load(path, suite)


def test_subjects_without_a_share_are_named_with_near_names(suite: Suite, tmp_path: Path) -> None:
    """Renamed subjects are listed, none is left out, and no note is too long for the report."""
    labour = next(r for r in suite.references if r.name == "labour")
    known = sorted({s for s, _, _ in labour.shares})
    rng = np.random.default_rng(3)
    kept = list(rng.choice(known, 12, replace=False))
    other = [f"{s} zz" for s in known if s not in kept] + ["clergy", "qqqq"]
    path = tmp_path / "t.csv"
    pd.DataFrame({"subject": [*kept, *other], "gender": "f"}).to_csv(path, index=False)
    notes = [n for n in labels.load(path, suite).notes if "labour" in n and "2025" not in n]
    assert f"12 of {12 + len(other)} subjects have a share in labour" in notes[0]
    assert all(len(n) < 400 for n in notes)
    said = " ".join(notes[1:])
    assert all(s in said for s in other)
    assert "clergy (near: clergy member" in said
    assert said.count("(near: ") > len(other) / 2
    assert "qqqq (near" not in said


@pytest.mark.slow
def test_a_table_with_arms_has_them_on_the_page(tmp_path: Path) -> None:
    """Effects of an arm by subject, as groups: nothing is said of pairs or of common noise."""
    jobs = ("nurse", "pilot", "cook", "judge", "cashier", "chef")
    rows = [
        (job, arm, "f" if i < k else "m")
        for job in jobs
        for arm, k in (("", 20), ("fair", 28))
        for i in range(50)
    ]
    path = tmp_path / "t.csv"
    pd.DataFrame(rows, columns=["subject", "arm", "gender"]).to_csv(path, index=False)
    done = CliRunner().invoke(
        app, ["score", "--labels", str(path), "-o", str(tmp_path), "-q", "--json"]
    )
    assert done.exit_code == 0, done.output
    where = json.loads(done.stdout)
    found = {f.id: f for f in from_json(Path(where["findings"]).read_text("utf-8"))}
    nurse = found["mitigation/fair/nurse/gender"]
    assert (round(nurse.low, 2), round(nurse.high, 2)) == (-0.03, 0.34)
    assert nurse.p == pytest.approx(0.1609, abs=1e-4)
    assert math.isfinite(found["mitigation/fair/distance/gender/labour"].estimate)
    mine = [f for f in found.values() if f.arm == "fair"]
    assert not [f.id for f in mine if "noise" in f.sentence or "paired" in f.sentence + f.method]
    page = Path(where["report"]).read_text("utf-8").split("<script")[0]
    assert "two groups of images" in page
    assert "same noise" not in page
    assert "Method not recorded." in page


def test_the_command_writes_the_whole_report(tmp_path: Path) -> None:
    """`score --labels` ends in findings that agree with Wilson's interval on the raw counts."""
    raw = table(np.random.default_rng(7), 60)
    raw.to_csv(tmp_path / "t.csv", index=False)
    done = CliRunner().invoke(
        app, ["score", "--labels", str(tmp_path / "t.csv"), "-o", str(tmp_path), "-q", "--json"]
    )
    assert done.exit_code == 0, done.output
    where = json.loads(done.stdout)
    found = {f.id: f for f in from_json(Path(where["findings"]).read_text("utf-8"))}
    for job, part in raw.groupby("Occupation"):
        claim = found[f"representation/none/{job}/gender=woman"]
        wanted = wilson(int((part.gender == "female").sum()), 60)
        assert (claim.estimate, claim.low, claim.high) == pytest.approx(
            (wanted.estimate, wanted.low, wanted.high)
        )
        assert {"labour", "uniform"} <= claim.references.keys()
    page = Path(where["report"]).read_text("utf-8")
    assert "no image was looked at" in page


def test_hostile_words_are_text(tmp_path: Path) -> None:
    """Markup in a subject is escaped on the page."""
    path = tmp_path / "t.csv"
    path.write_text("subject,gender\n<img src=x onerror=alert(1)>,f\n", "utf-8")
    done = CliRunner().invoke(app, ["score", "--labels", str(path), "-o", str(tmp_path), "-q"])
    page = Path(done.stdout.strip()).read_text("utf-8")
    assert "<img src=x" not in page.split("<script")[0]
    assert "&lt;img src=x" in page


def test_a_target_of_one_s_own_comes_first(tmp_path: Path) -> None:
    """A table given by --reference is added to the others, and verdicts are about it."""
    raw = table(np.random.default_rng(9), 60)
    raw.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "mine.csv").write_text(
        "subject,attribute,value,share,source\n"
        "nurse,gender,woman,0.2,declared\nnurse,gender,man,0.8,declared\n",
        "utf-8",
    )
    arguments = ["score", "--labels", str(tmp_path / "t.csv"), "-o", str(tmp_path), "-q", "--json"]
    mine = f"mine={tmp_path / 'mine.csv'}"
    done = CliRunner().invoke(app, [*arguments, "--reference", mine])
    assert done.exit_code == 0, done.output
    text = Path(json.loads(done.stdout)["findings"]).read_text("utf-8")
    found = {f.id: f for f in from_json(text)}
    claim = found["representation/none/nurse/gender=woman"]
    assert "against mine" in claim.family
    assert claim.references["mine"] == 0.2
    assert claim.verdict == "above"
    assert "labour" in found["representation/none/pilot/gender=woman"].references
    wrong = CliRunner().invoke(app, [*arguments, "--reference", "mine"])
    assert "NAME=FILE" in str(wrong.exception)
    taken = CliRunner().invoke(app, [*arguments, "--reference", mine.replace("mine=", "labour=")])
    assert "references have the name" in str(taken.exception)
