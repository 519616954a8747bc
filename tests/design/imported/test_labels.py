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


CASES = Path(__file__).parents[2] / "cases" / "labels"


@pytest.mark.parametrize(
    ("name", "women", "n"),
    [("trailing_comma", 1, 2), ("empty_lines", 1, 2), ("case_subject", 2, 4),
     ("attribute_case", 1, 3), ("attribute_unknown", 1, 1)],
)  # fmt: skip
def test_reported_tables_are_read_as_written(name: str, women: int, n: int, suite: Suite) -> None:
    """Commas at the ends of rows, empty lines, and capitals: one subject, with all its rows."""
    found = labels.load(CASES / f"{name}.csv", suite)
    assert list(found.table.value).count("woman") == women
    assert len(found.table) == n
    assert {p.subject for p in found.suite.prompts} == {"nurse"}
    assert any(r.name == "labour" for r in found.suite.references)
    noted = " ".join(found.notes)
    assert ("Nurse 2, nurse 2" in noted) == (name == "case_subject")
    assert ("sex 1 (1 of 2 rows)" in noted) == (name == "attribute_unknown")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("extra_cells", "line 2: wrong number of cells"), ("rater_no_image", "names raters and no"),
        ("outcome_unknown", "line 2: Unknown outcome 'noface'"),
        ("twice_header", "'gender' is there twice"), ("blank_line_number", "line 5: .*'bogus'"),
        ("quoted_line_number", "line 4: .*'bogus'"),
    ],
)  # fmt: skip
def test_reported_tables_are_refused(name: str, message: str, suite: Suite) -> None:
    """With the line on which the row begins."""
    with pytest.raises(UserError, match=message):
        labels.load(CASES / f"{name}.csv", suite)


@pytest.mark.parametrize("seed", range(4))
def test_spellings_of_one_name_are_one(seed: int, suite: Suite, tmp_path: Path) -> None:
    """Subjects, attributes, classes, raters and arms, in any capitals, spaces and Unicode form."""
    rng = np.random.default_rng(seed)

    def spelled(word: str) -> str:
        wide = "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in word)
        forms = [word.upper(), word.title(), f" {word}\u200b", f"\ufeff{word}\u00a0", wide]
        return str(rng.choice(forms))

    rows = ["image,Subject,ATTRIBUTE,value,rater,arm"]
    rows += [
        f"{i}.png,{spelled('nurse')},{spelled('gender')},{spelled(w)},{spelled('ab')},"
        f"{spelled('fair')}"
        for i, w in enumerate(["woman"] * 5 + ["man"] * 3)
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(rows), "utf-8")
    found = labels.load(path, suite)
    assert found.table.value.tolist() == ["woman"] * 5 + ["man"] * 3
    assert {p.subject for p in found.suite.prompts} == {"nurse"}
    assert found.raters.rater.nunique() == found.table.arm.nunique() == 1


# fmt: off
SILENT = ("N/A", "n/a", "NA", "-", "None", "null", "Other", "Non-binary", "Can\u2019t tell",
          "?", "Don't know", "Prefer not to say", "unsure", "skip", "Not applicable", "N.A.")
# fmt: on


def test_words_for_no_answer_are_offered_at_once(suite: Suite, tmp_path: Path) -> None:
    """All in one sentence with their counts; taken for missing only where that is said."""
    path = tmp_path / "t.csv"
    words = ["woman", *(w for i, w in enumerate(SILENT) for _ in range(i + 1)), "male"]
    path.write_text("subject,gender\n" + "".join(f"nurse,{w}\n" for w in words), "utf-8")
    with pytest.raises(UserError) as refused:
        labels.load(path, suite)
    said = str(refused.value)
    assert "first in line 3" in said
    for i, word in enumerate(SILENT):
        assert f"{word!r} {f'{i + 1} times' if i else 'once'}" in said
    option = said.split('--missing "')[1].split('"')[0]
    found = labels.load(path, suite, option.split(","))
    assert found.table.outcome.value_counts().to_dict() == {
        "uncertain": len(words) - 2, "label": 2,
    }  # fmt: skip
    assert any("(--missing)" in n and "N.A. 16" in n for n in found.notes)
    with pytest.raises(UserError, match="'Female' is a class of gender"):
        labels.load(path, suite, [*SILENT, "Female"])
    path.write_text("subject,gender\nnurse,N/A\nnurse,femael\nnurse,wommen\n", "utf-8")
    with pytest.raises(UserError, match=r"line 3.*Did you mean female.*'wommen' once.*'N/A' once"):
        labels.load(path, suite)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,subject,gender\na,nurse,f\n,nurse,m\n", "line 3 names no image"),
        ("image,subject,gender\na,nurse,f\nb, ,m\n", "line 3 names no subject"),
        ("subject,attribute,value\nnurse,gender,f\nnurse,,m\n", "line 3 names no attribute"),
        ("subject,gender\nnurse,f\nnan,m\n", r"line 3 names no subject \('nan'\)"),
        ("subject,arm,gender\nnurse,N/A,f\n", "line 2: 'N/A' names no arm"),
        ("subject,seed,gender\nnurse,\"1.234.567\",f\n", "Write 1234567"),
        ("subject,gender,outcome\nnurse,,label\n", "line 2: Unknown value of gender ''"),
    ],
)  # fmt: skip
def test_rows_that_name_nothing_are_refused(
    text: str, message: str, suite: Suite, tmp_path: Path
) -> None:
    """With the line, and what to write."""
    path = tmp_path / "t.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        labels.load(path, suite)


def test_columns_that_are_not_read_are_named(suite: Suite, tmp_path: Path) -> None:
    """Also the one without a name that data frames are written with."""
    path = tmp_path / "t.csv"
    path.write_text(",occupation,job,gender,ages\n0,nurse,x,f,3\n", "utf-8")
    assert labels.load(path, suite).notes[1] == (
        "Columns that were not read: column 1, without a name, job, ages."
    )


def test_the_command_takes_words_for_no_answer(tmp_path: Path) -> None:
    """As one list, and a lone hyphen."""
    path = tmp_path / "t.csv"
    path.write_text("subject;gender\nnurse;f\nnurse;-\nnurse;N/A\n", "utf-8")
    words = ["--missing", "-", "--missing", "n/a,Other"]
    done = CliRunner().invoke(
        app, ["score", "--labels", str(path), *words, "-o", str(tmp_path), "-q", "--json"]
    )
    assert done.exit_code == 0, done.output
    found = from_json(Path(json.loads(done.stdout)["findings"]).read_text("utf-8"))
    share = next(f for f in found if f.id == "representation/none/nurse/gender=woman")
    assert (share.n, share.missing, dict(share.reasons)) == (1, 2, {"uncertain": 2})
