"""Suites: what a person may write, and what they are told when it is wrong."""

from __future__ import annotations

import csv
import hashlib
import math
from collections import Counter
from pathlib import Path

import pytest

from audit import registry
from audit.design import suites
from audit.errors import UserError
from audit.records import Settings, Suite
from audit.world import export, truth

GOOD = """
name = "mine"
title = "T"
question = "Q?"
[[blocks]]
id = "jobs"
purpose = "representation"
templates = ["a photo of {a_subject}"]
subjects = ["nurse", "astronaut"]
seeds = 4
attributes = ["gender"]
[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {a_value}"]
[[references]]
name = "uniform"
label = "even"
uniform = true
[[mitigations]]
name = "fix"
method = "inject"
blocks = ["jobs"]
options = { attribute = "gender", target = "uniform" }
"""
SETTINGS = Settings("m", "r", 4, 3.0, 2)


def read(folder: Path, text: str) -> Suite:
    """Write a suite file and read it."""
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return suites.read_suite(str(path))


def rewriters(suite: Suite) -> dict[str, suites.Rewriter]:
    """The suite's rewriters by method."""
    return registry.rewriters(suite)


@pytest.mark.parametrize(("name", "title"), suites.list_suites())
def test_shipped_suites_are_sound(name: str, title: str) -> None:
    """Every shipped suite reads, expands, and has a title."""
    for quick in (False, True):
        suite = suites.read_suite(name, quick)
        plan = suites.expand(suite, SETTINGS, rewriters(suite))
        keys = [(s.prompt, s.arm, s.seed) for s in plan]
        assert len(keys) == len(set(keys))
    assert title


def test_texts_have_the_right_article(tmp_path: Path) -> None:
    """{a_subject} is a nurse, an astronaut."""
    texts = [p.text for p in read(tmp_path, GOOD).prompts]
    assert texts == ["a photo of a nurse", "a photo of an astronaut"]


def test_arms_are_paired_by_noise_and_meet_their_quota(tmp_path: Path) -> None:
    """Each arm repeats the baseline's prompts and seeds; half of each prompt's images is women."""
    suite = read(tmp_path, GOOD)
    plan = suites.expand(suite, SETTINGS, rewriters(suite))
    base = [(s.prompt, s.seed) for s in plan if s.arm == "none"]
    arm = [s for s in plan if s.arm == "fix"]
    assert [(s.prompt, s.seed) for s in arm] == base
    for p in suite.prompts:
        drawn = [s.drawn["gender"] for s in arm if s.prompt == p.id]
        assert drawn.count("woman") == drawn.count("man") == 2
    assert all(("female" if s.drawn["gender"] == "woman" else "male") in s.text for s in arm)


def test_growing_keeps_what_was_planned(tmp_path: Path) -> None:
    """More seeds add baseline samples and change none of the old ids."""
    suite = read(tmp_path, GOOD)
    few = {s.id for s in suites.expand(suite, SETTINGS, rewriters(suite)) if s.arm == "none"}
    more = suites.with_seeds(suite, 9)
    many = {s.id for s in suites.expand(more, SETTINGS, rewriters(more)) if s.arm == "none"}
    assert few < many


def test_settings_and_text_change_the_id() -> None:
    """Whatever produces the pixels is in the id."""
    from dataclasses import asdict, replace

    from audit.design.mitigations.changes import sample_ids
    from audit.keys import digest

    base = sample_ids("t", SETTINGS)(1)
    assert base == digest({"text": "t", "seed": 1, **asdict(SETTINGS)}, 20)
    others = [replace(SETTINGS, **c) for c in ({"steps": 5}, {"guidance": 4.0}, {"revision": "x"})]
    assert len({base, sample_ids("u", SETTINGS)(1), sample_ids("t", SETTINGS)(2)}) == 3
    assert base not in {sample_ids("t", s)(1) for s in others}


def test_a_sample_s_noise_is_the_hash_of_its_text_and_index() -> None:
    """63 bits of SHA-256, which do not depend on the suite; texts and indices do not collide."""
    first = hashlib.sha256(b"3\0a photo of a nurse").digest()
    wanted = int("".join(f"{byte:08b}" for byte in first)[:63], 2)
    assert suites.noise_seed("a photo of a nurse", 3) == wanted < 2**63
    seeds = {suites.noise_seed(t, i) for t in ("a", "b", "1a") for i in range(200)}
    assert len(seeds) == 600


def test_an_untouched_text_shares_the_baseline_s_image(tmp_path: Path) -> None:
    """A gated prompt keeps one row per arm, with the baseline's id and no claimed draw."""
    text = GOOD.replace('"a photo of {a_subject}"', '"a photo of {a_subject} in 1850"')
    suite = read(tmp_path, text)
    plan = suites.expand(suite, SETTINGS, rewriters(suite))
    base = [s.id for s in plan if s.arm == "none"]
    arm = [s for s in plan if s.arm == "fix"]
    assert [s.id for s in arm] == base
    assert len(set(base)) == len(base) == 8
    assert all(s.drawn == {} for s in arm)


def test_a_suite_s_own_quick_table_is_used_when_asked_for(tmp_path: Path) -> None:
    """Blocks that `[quick]` names take its seeds, and only in the quick version."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("[[blocks]]", "[quick]\njobs = 2\n[[blocks]]"), "utf-8")
    for quick, seeds in ((False, 4), (True, 2)):
        assert {p.seeds for p in suites.read_suite(str(path), quick).prompts} == {seeds}


def test_quick_versions_change_only_what_they_say(tmp_path: Path) -> None:
    """Seeds by number or by block; wrong ones are refused."""
    suite = read(tmp_path, GOOD)
    assert {p.seeds for p in suites.with_seeds(suite, 9).prompts} == {9}
    assert {p.seeds for p in suites.with_seeds(suite, {"jobs": 2}).prompts} == {2}
    assert suites.with_seeds(suite, {}) == suite
    for wrong, message in (
        (lambda: suites.with_seeds(suite, {"job": 2}), "Did you mean jobs"),
        (lambda: suites.with_seeds(suite, 0), "1 or more"),
    ):
        with pytest.raises(UserError, match=message):
            wrong()


JOBS = 'templates = ["a photo of {a_subject}"]\nsubjects = ["nurse", "astronaut"]'
TEXTS = 'templates = ["a photo of {a_value}"]'
AGAIN = '[[references]]\nname = "uniform"\nlabel = "x"\nuniform = true\n[[mitigations]]'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('name = "mine"', 'name = "mine'), r"not valid TOML: .*line 2, column"),
        (("seeds = 4", "seeds = 0"), r"blocks\.0\.seeds"),
        (("seeds = 4", "sedes = 4"), r"blocks\.0\.sedes: Unknown key 'sedes'\. Did you mean seeds"),
        (("seeds = 4", "seeds = 4\nsubject = []"), "Did you mean subjects"),
        (("classes =", "clases ="), r"attributes\.gender\.clases: .*Did you mean classes"),
        (('attributes = ["gender"]', 'attributes = ["gendre"]'), "Did you mean gender"),
        (('attributes = ["gender"]', "attributes = []"), "needs `attributes`"),
        (("seeds = 4", 'seeds = 4\nstates = { gendr = "woman" }'), "Did you mean gender"),
        (("seeds = 4", 'seeds = 4\nstates = { gender = "women" }'), "block jobs, states: .*woman"),
        (('subjects = ["nurse", "astronaut"]', "subjects = []"), "need `subjects`"),
        (('"nurse", "astronaut"', '"nurse", " "'), r"blocks\.0\.subjects\.1"),
        (('"nurse", "astronaut"', '"nurse", "nurse"'), "two prompts have the id"),
        (('"nurse", "astronaut"', '"nurse", "*"'), r"jobs/\*/0: '\*' cannot be a subject, because"),
        (("[attributes.gender]", f'[[blocks]]\nid = "more"\npurpose = "representation"\n{JOBS}\n'
          'seeds = 1\nattributes = ["gender"]\n[attributes.gender]'), "prompts have the text"),
        (('purpose = "representation"', 'purpose = "other"'), "purpose"),
        (("{a_subject}", "a nurse"), "lacks {subject} or {a_subject}"),
        (("{a_subject}", "{asubject}"), "may contain only {subject} or {a_subject}"),
        (("{a_subject}", "{a_subject"), "may contain only"),
        (('["woman", "man"]', '["woman", "woman"]'), "twice"),
        (('["woman", "man"]', '["woman", " Woman"]'), "twice; capitals and spaces"),
        (('"nurse", "astronaut"', '"nurse", "Nurse"'), "'Nurse' is written 'nurse' elsewhere"),
        (("[attributes.gender]", '[attributes.Gender]\nclasses = ["a", "b"]\n'
          'templates = ["{value}"]\n[attributes.gender]'), "two attributes have the name 'gender'"),
        ((TEXTS, 'texts = { woman = ["a"] }'), "'man' has no texts"),
        ((TEXTS, 'texts = { woman = ["a"], man = ["b"], mann = ["c"] }'), "Did you mean man"),
        (('question = "Q?"', 'question = "Q?"\nsubject_attribute = "job"'), "subject_attribute"),
        (("[attributes.gender]", '[[blocks]]\nid = "jobs"\npurpose = "representation"\nseeds = 1\n'
          'templates = ["{a_subject}"]\nsubjects = ["cook"]\nattributes = ["gender"]\n'
          "[attributes.gender]"), "two blocks have the id 'jobs'"),
        (("[[mitigations]]", '[[mitigations]]\nname = "fix"\nmethod = "placebo"\n'
          'blocks = ["jobs"]\noptions = { attribute = "gender" }\n[[mitigations]]'),
         "two mitigations have the name"),
        (("uniform = true", 'file = "none.csv"'), "There is no table"),
        (("uniform = true", 'uniform = true\nfile = "none.csv"'), "either `file` or"),
        (("[[mitigations]]", AGAIN), "two references have the name 'uniform'"),
        (('name = "fix"', 'name = "none"'), "cannot be called 'none'"),
        (('method = "inject"', 'method = "injct"'), "Unknown method 'injct'. Did you mean inject"),
        (('blocks = ["jobs"]', 'blocks = ["job"]'), "Did you mean jobs"),
        (('target = "uniform"', 'target = "labour"'), "Unknown target 'labour'"),
        (('target = "uniform"', 'tarhet = "uniform"'), r"options\.tarhet: .*Did you mean target"),
        (('attribute = "gender", ', ""), r"options\.attribute: Field required"),
        (('attribute = "gender"', 'attribute = "gendr"'), "Did you mean gender"),
        (('target = "uniform"', 'place = "over"'), r"options\.place"),
        (('target = "uniform"', 'words = { women = "lady" }'), "Did you mean wom[ae]n"),
        (("[[blocks]]", "[quick]\njob = 1\n[[blocks]]"), "quick: .*Did you mean jobs"),
        (("[[blocks]]", "[quick]\njobs = 0\n[[blocks]]"), r"quick\.jobs"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    """What is wrong, where, and what was probably meant."""
    assert change[0] in GOOD
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, GOOD.replace(*change))
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_without_words_cannot_be_injected(tmp_path: Path) -> None:
    """A new class needs a phrase; with one it is drawn like the others."""
    three = GOOD.replace('["woman", "man"]', '["woman", "man", "nonbinary person"]')
    with pytest.raises(UserError, match="no words state gender 'nonbinary person'"):
        read(tmp_path, three)
    words = 'target = "uniform", words = { "nonbinary person" = "nonbinary" }'
    suite = read(tmp_path, three.replace('target = "uniform"', words))
    plan = suites.expand(suite, SETTINGS, rewriters(suite))
    assert {s.text for s in plan if "nurse" in s.text} == {
        f"a photo of a {word}nurse" for word in ("", "female ", "male ", "nonbinary ")
    }


def test_an_arm_that_draws_nothing_needs_no_reference(tmp_path: Path) -> None:
    """Interventions are compared without any declared target."""
    text = GOOD.replace('"inject"', '"ethical"').replace(', target = "uniform"', "")
    suite = read(tmp_path, text[: text.index("[[references]]")] + text[text.index("[[mit") :])
    arm = [s for s in suites.expand(suite, SETTINGS, rewriters(suite)) if s.arm == "fix"]
    assert {s.text for s in arm} == {
        f"a photo of {who} if all individuals can be {who} irrespective of their gender"
        for who in ("a nurse", "an astronaut")
    }


HEAD = "subject,attribute,value,share,source\n"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("nurse,gender,woman,0.9,x\nnurse,gender,man,0.3,x\n", r"gender shares .* sum to 1\.200"),
        ("nurse,gender,woman,0.9,x\n", r"sum to 0\.900"),
        ("nurse,gender,woman,1,x\n", "gender shares of nurse lack 'man'. Write it"),
        ("nurse,gender,woman,most,x\n", "line 2: 'most' is not a share"),
        ("nurse,gender,woman,nan,x\n", "line 2: 'nan' is not a share"),
        ("nurse,gender,woman,1.5,x\nnurse,gender,man,-0.5,x\n", "line 2: '1.5' is not a share"),
        ("nurse,gender,woman,0.5,x\nnurse,gender,women,0.5,x\n", "line 3: .*Did you mean woman"),
        ("nurse,gender,woman,0.5,x\nnurse,gender,woman,0.5,x\n", "line 3: .* twice"),
        ("nurse,gender,woman,0.5,a,b\n", "line 2: wrong number of cells"),
        ("nurse,gender,woman,,x\n", "line 2: a value is missing in 'share'"),
        ("cook,gender,woman,0.5,x\ncook,gender,man,0.5,x\n", "says nothing about this suite"),
        ("", "has no rows"),
    ],
)
def test_reference_tables_are_checked(tmp_path: Path, table: str, message: str) -> None:
    """The file, the line and what is wrong there."""
    (tmp_path / "ref.csv").write_text(HEAD + table, "utf-8")
    with pytest.raises(UserError, match=rf"ref\.csv.*{message}"):
        read(tmp_path, GOOD.replace("uniform = true", 'file = "ref.csv"'))


def test_a_target_must_know_every_subject(tmp_path: Path) -> None:
    """A reference may be silent about a subject, a target may not; shares reach the draw."""
    nurses = "nurse,gender,woman,0.75,Office: Nurses\nnurse,gender,man,0.25,Office: Nurses\n"
    (tmp_path / "ref.csv").write_text(HEAD + nurses, "utf-8")
    other = f'{GOOD}[[references]]\nname = "labour"\nlabel = "l"\nfile = "ref.csv"\n'
    reference = read(tmp_path, other).references[1]
    assert reference.share("nurse", "gender", "woman") == 0.75
    assert math.isnan(reference.share("astronaut", "gender", "woman"))
    assert reference.source == "Office"
    towards = other.replace('target = "uniform"', 'target = "labour"')
    with pytest.raises(UserError, match="labour does not give every gender share of astronaut"):
        read(tmp_path, towards)
    suite = read(tmp_path, towards.replace(', "astronaut"', ""))
    arm = [s for s in suites.expand(suite, SETTINGS, rewriters(suite)) if s.arm == "fix"]
    assert sorted(s.drawn["gender"] for s in arm) == ["man", "woman", "woman", "woman"]


def test_prompt_tables_are_read_as_written(tmp_path: Path) -> None:
    """Ids keep zeros, `None` is a text, a byte order mark is not, repeats may be missing."""
    text = GOOD.replace(JOBS, 'file = "p.csv"')
    (tmp_path / "p.csv").write_text(
        'id,text,subject,repeats\n007,"a cook, smiling",cook,\n08,None,nurse,16\n', "utf-8-sig"
    )
    first, second = read(tmp_path, text).prompts
    assert (first.id, first.text, first.subject, first.repeats) == (
        "jobs/007", "a cook, smiling", "cook", None,
    )  # fmt: skip
    assert (second.text, second.repeats, second.seeds) == ("None", 16, 4)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id,text,subject\n1,,nurse\n", "line 2: a value is missing in 'text'"),
        ('id,text,subject\n1,"a\nb",nurse\n2,x,\n', "line 4: a value is missing in 'subject'"),
        ("id,text\n1,a nurse\n", "lacks the column 'subject'"),
        ("id,text,subject\n1,a nurse,nurse\n1,the nurse,nurse\n", "prompts have the id 'jobs/1'"),
        ("id,text,subject\n1,a nurse,nurse\n2,a nurse,nurse\n", "prompts have the text 'a nurse'"),
        ("id,text,subject,repeats\n1,a nurse,nurse,1.5\n", "line 2: '1.5' is not a whole number"),
        ("id,text,subject,repeats\n1,a nurse,nurse,few\n", "line 2: 'few' is not a whole number"),
        ("id,text,subject,repeats\n1,a nurse,nurse,inf\n", "line 2: 'inf' is not a whole number"),
        ('id,text,subject\n1,"a nurse,nurse\n', "cannot be read as CSV"),
        ("id,text,subject\n1,a nurse,*\n", r"prompt jobs/1: '\*' cannot be a subject"),
    ],
)
def test_prompt_tables_are_checked(tmp_path: Path, table: str, message: str) -> None:
    """Each row needs its cells; ids and texts are unique."""
    (tmp_path / "p.csv").write_text(table, "utf-8")
    with pytest.raises(UserError, match=message):
        read(tmp_path, GOOD.replace(JOBS, 'file = "p.csv"'))


def test_replication_prompts_need_no_subject(tmp_path: Path) -> None:
    """Captions are texts with ids; an absent table is named."""
    text = GOOD.replace(JOBS, 'file = "p.csv"').replace('"representation"', '"replication"')
    text = text[: text.index("[[mit")]
    with pytest.raises(UserError, match=r"There is no table .*p\.csv\. Put the file next to"):
        read(tmp_path, text)
    (tmp_path / "p.csv").write_text("id,text\n1,a red boat\n", "utf-8")
    assert [(p.text, p.subject) for p in read(tmp_path, text).prompts] == [("a red boat", "")]


def test_the_world_s_tables_are_what_was_planted(tmp_path: Path) -> None:
    """The shipped tables are those that `python -m docs.make` writes, byte by byte."""
    written = export.write_prompts(tmp_path)
    assert {p.name for p in written} == {"world_truth.csv", "world_captions.csv"}
    for path in written:
        assert path.read_bytes() == (suites.folder() / path.name).read_bytes(), (
            "Run `python -m docs.make` and commit prompts/."
        )
    with pytest.raises(UserError, match="There is no folder"):
        export.write_prompts(tmp_path / "elsewhere")
    planted = suites.read_suite("world_full").references[0]
    for noun, occupation in truth.BY_NOUN.items():
        assert planted.share(noun, "gender", "woman") == pytest.approx(occupation.p_woman)
        tones = [planted.share(noun, "skin_tone", t) for t in truth.SKIN_TONES]
        light = sum(occupation.tones[:2])
        assert tones == pytest.approx([light, 1 - light])


def test_the_labour_table_agrees_with_the_planted_labour_shares() -> None:
    """Two independent transcriptions of the same rows of BLS Table 11 give the same shares."""
    with (suites.folder() / "labour_us_2022.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    women = {r["source"].split(": ")[1]: float(r["share"]) for r in rows if r["value"] == "woman"}
    both = {o.source: o.p_woman for o in truth.OCCUPATIONS if o.source in women}
    assert len(both) >= 12
    assert {title: women[title] for title in both} == both
    assert all("Table 11" in r["source"] and "2022" in r["source"] for r in rows)
    noted = {r["subject"] for r in rows if r["note"].startswith("ambiguous")}
    assert {"teacher", "doctor", "bus driver", "cook"} <= noted


def test_the_occupations_suite_covers_its_question() -> None:
    """A hundred nouns in five templates, each with a labour share, and paired arms."""
    suite = suites.read_suite("occupations")
    nouns = {p.subject for p in suite.prompts}
    assert len(nouns) == 100
    assert len(suite.prompts) == 5 * len(nouns)
    labour = next(r for r in suite.references if r.name == "labour")
    for noun in nouns:
        shares = [labour.share(noun, "gender", v) for v in ("woman", "man")]
        assert sum(shares) == pytest.approx(1)
    read_by = next(a for a in suite.attributes if a.name == suite.subject_attribute)
    assert nouns == set(read_by.classes)
    plan = suites.expand(suite, SETTINGS, rewriters(suite))
    texts = {(s.arm, s.prompt, s.seed): s.text for s in plan}
    changed = [t != texts["none", p, i] for (arm, p, i), t in texts.items() if arm != "none"]
    assert all(changed)
    drawn = Counter(s.drawn["gender"] for s in plan if s.arm == "inject-gender")
    assert drawn["woman"] == drawn["man"]


def test_wrong_suite_names_suggest_the_nearest() -> None:
    """A typo, and a file that is not there."""
    with pytest.raises(UserError, match=r"Unknown suite 'wrold'\. Did you mean world"):
        suites.read_suite("wrold")
    with pytest.raises(UserError, match="There is no suite file"):
        suites.read_suite("nowhere.toml")


def test_a_suite_that_is_not_text_is_named(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 get a sentence too."""
    (tmp_path / "mine.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UserError, match=r"mine\.toml cannot be read.*UTF-8"):
        suites.read_suite(str(tmp_path / "mine.toml"))


ASSOCIATION = """
[[associations]]
name = "n"
title = "T"
x = { label = "care", subjects = ["nurse"] }
y = { label = "space", subjects = ["astronaut"] }
attribute = "gender"
a = "woman"
b = "man"
"""


def test_associations_are_read(tmp_path: Path) -> None:
    """Concepts, classes and labels travel as they were written."""
    (found,) = read(tmp_path, GOOD + ASSOCIATION).associations
    assert (found.x, found.y, found.a, found.b) == (("nurse",), ("astronaut",), "woman", "man")
    assert (found.x_label, found.y_label) == ("care", "space")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["nurse"]', '["nurze"]', r"association n: .*nurse"),
        ('["astronaut"]', '["nurse"]', "is in `x` and in `y`"),
        ('attribute = "gender"\na = "woman"', 'attribute = "gende"\na = "woman"', "gender"),
        ('b = "man"', 'b = "woman"', "same class"),
        ('b = "man"', 'b = "men"', "man"),
        ('name = "n"', 'name = "N n"', "associations"),
    ],
)
def test_a_wrong_association_is_one_sentence(old: str, new: str, said: str, tmp_path: Path) -> None:
    """Unknown subjects, attributes and classes, and concepts that are not two."""
    with pytest.raises(UserError, match=said):
        read(tmp_path, GOOD + ASSOCIATION.replace(old, new))


def test_templates_travel_with_their_prompts(tmp_path: Path) -> None:
    """The same words around two subjects are one template."""
    assert {p.template for p in read(tmp_path, GOOD).prompts} == {"a photo of {a_subject}"}


def test_a_suite_may_hold_runs_to_gates(tmp_path: Path) -> None:
    """They are kept as they were written; an invalid one is refused with the file's name."""
    from tests.builders.suites import TOML

    (tmp_path / "s.toml").write_text('checks = ["replication.rate <= 1 %"]\n' + TOML)
    assert suites.read_suite(str(tmp_path / "s.toml")).checks == ("replication.rate <= 1 %",)
    (tmp_path / "s.toml").write_text('checks = ["replication.rate about 1 %"]\n' + TOML)
    with pytest.raises(UserError, match="about 1"):
        suites.read_suite(str(tmp_path / "s.toml"))


CASES = Path(__file__).parent / "cases" / "references"


@pytest.mark.parametrize("spelled", ["Nurse", " NURSE ", "nurse\u200b", "\uff4e\uff55rse"])
@pytest.mark.parametrize("attribute", ["Gender", "gender "])
@pytest.mark.parametrize("end", ["\n", ",,\n"])
def test_references_find_their_subjects(
    spelled: str, attribute: str, end: str, tmp_path: Path
) -> None:
    """Whatever the spelling of subjects, attributes and classes, and however rows end."""
    rows = [(spelled, attribute, "Woman", "0.88"), ("Nurse", "gender", "MAN", "0.12")]
    body = "".join(",".join((*r, "x")) + end for r in rows)
    (tmp_path / "ref.csv").write_text(HEAD.title() + ",\n" + body, "utf-8")
    suite = read(tmp_path, GOOD)
    mine = suites.with_reference(suite, "mine", tmp_path / "ref.csv")
    assert mine.references[0].share("nurse", "gender", "woman") == 0.88
    assert mine.references[0].share("nurse", "gender", "man") == 0.12
    assert mine.notes == ()


def test_rows_of_a_reference_that_are_not_used_are_said(tmp_path: Path) -> None:
    """Of a table that the command line names, and of one that the user's suite names."""
    suite = read(tmp_path, GOOD)
    (note,) = suites.with_reference(suite, "mine", CASES / "case.csv").notes
    assert "2 of 4 rows of the reference mine are not used" in note
    assert "technologist (gender)" in note
    text = (CASES / "case.csv").read_text("utf-8")
    (tmp_path / "ref.csv").write_text(text, "utf-8")
    other = f'{GOOD}[[references]]\nname = "labour"\nlabel = "l"\nfile = "ref.csv"\n'
    assert "reference labour are not used" in read(tmp_path, other).notes[0]


@pytest.mark.parametrize(
    ("women", "men", "taken"),
    [("0.50", "0.49", True), ("0.51", "0.50", True), ("0.5", "0.505", True), ("1", "0", True),
     ("0.50", "0.48", False), ("0.52", "0.50", False), ("0.5", "0.5101", False)],
)  # fmt: skip
def test_rounded_shares_are_taken_as_they_are(
    women: str, men: str, taken: bool, tmp_path: Path
) -> None:
    """A sum may be 0.99 or 1.01, since published shares are rounded; no share is changed."""
    body = f"nurse,gender,woman,{women},x\nnurse,gender,man,{men},x\n"
    (tmp_path / "ref.csv").write_text(HEAD + body, "utf-8")
    suite = read(tmp_path, GOOD)
    if taken:
        found = suites.with_reference(suite, "mine", tmp_path / "ref.csv").references[0]
        assert found.share("nurse", "gender", "woman") == float(women)
    else:
        with pytest.raises(UserError, match=r"shares of nurse sum to"):
            suites.with_reference(suite, "mine", tmp_path / "ref.csv")
    for name in ("rounded", "rounded_up"):
        suites.with_reference(suite, "mine", CASES / f"{name}.csv")


@pytest.mark.parametrize(
    ("cell", "meant"),
    [("0,88", "0.88"), ("88%", "0.88"), ("88 %", "0.88"), ("88", "0.88"), ("88,0", "0.88"),
     ("0.88*", "0.88"), ("-", "Correct it"), ("NA", "Correct it"), ("1.234,5", "Correct it"),
     ("-0.1", "Correct it"), ("1e3", "Correct it"), ("inf", "Correct it")],
)  # fmt: skip
def test_shares_in_other_notations_are_refused_with_what_was_meant(
    cell: str, meant: str, tmp_path: Path
) -> None:
    """Also in a table of semicolons, as spreadsheets with decimal commas write it."""
    text = HEAD.replace(",", ";") + f"nurse;gender;woman;{cell};x\n\nnurse;gender;man;0.12;x\n"
    (tmp_path / "ref.csv").write_text(text, "utf-8")
    with pytest.raises(UserError, match=rf"line 2: .* is not a share.*{meant}"):
        suites.with_reference(read(tmp_path, GOOD), "mine", tmp_path / "ref.csv")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id,text,subject,repeat\n1,a nurse,nurse,4\n", "Unknown column 'repeat'.*repeats"),
        ("id,text,subject\n1,a nurse,nurse\n2,the nurse,Nurse\n", "'Nurse' is written 'nurse'"),
        ("id,text,subject,repeats\n1,a nurse,nurse,1.001\n", "line 2: '1.001' is not"),
        ("id,text,subject,gender\n1,a nurse,nurse,womn\n", "line 2: .*Did you mean woman"),
    ],
)  # fmt: skip
def test_prompt_tables_say_what_is_nearly_right(tmp_path: Path, table: str, message: str) -> None:
    """Columns, subjects, numbers and stated classes."""
    (tmp_path / "p.csv").write_text(table, "utf-8")
    with pytest.raises(UserError, match=message):
        read(tmp_path, GOOD.replace(JOBS, 'file = "p.csv"'))


def test_prompt_tables_name_the_columns_that_are_not_read(tmp_path: Path) -> None:
    """In a note for the report; columns for comments are expected."""
    table = "Id;Text;Subject;Gender;place;note\n1;a nurse;nurse;WOMAN;x;y\n"
    (tmp_path / "p.csv").write_text("sep=;\n" + table, "utf-16")
    suite = read(tmp_path, GOOD.replace(JOBS, 'file = "p.csv"').replace(', "astronaut"', ""))
    assert suite.prompts[0].states == {"gender": "woman"}
    assert suite.notes == ("Columns of p.csv that were not read: place.",)


def test_one_subject_in_two_spellings_has_one_share(tmp_path: Path) -> None:
    """In a row that is used and in one that is not; the same row twice is refused."""
    rows = "Nurse,gender,woman,0.9,x\nnurse ,Gender,man,0.1,x\n"
    other = rows.replace("urse", "urseling")
    (tmp_path / "ref.csv").write_text(HEAD + rows + other, "utf-8")
    suite = read(tmp_path, GOOD)
    mine = suites.with_reference(suite, "mine", tmp_path / "ref.csv")
    assert mine.references[0].share("nurse", "gender", "man") == 0.1
    assert "2 of 4 rows" in mine.notes[0]
    (tmp_path / "ref.csv").write_text(HEAD + rows + "NURSE,gender,WOMAN,0.9,x\n", "utf-8")
    with pytest.raises(UserError, match=r"line 4: Nurse gender woman is in the table twice"):
        suites.with_reference(suite, "mine", tmp_path / "ref.csv")
