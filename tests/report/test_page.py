"""The report: numbers are the findings', no requests are made, untrusted text is inert."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.datasets import pixels
from audit.evidence.copies.facts import EditCosines
from audit.keys import ALL, BASELINE, Key
from audit.records import Finding, from_json, to_json
from audit.report import answers, bounds, copies, page, shares, wording
from audit.report.evidence import Evidence
from audit.report.facts import Facts
from audit.report.sections import SECTIONS
from tests.report.made import USUAL, Size, evidence

HOSTILE = (
    " <img src=x onerror=alert(1)></script><!-- --></style> {n} $\\frac{ "
    "\u202e\u05d0\u05d1 \x00 &amp;"
)
VOID = {"meta", "img", "br", "link", "input", "hr"}
SMALL = Size(subjects=("nurse", "cook"), seeds=3, captions=8)


class Reader(HTMLParser):
    """Collects elements and checks that every tag that opens also closes."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.urls: list[str] = []
        self.odd: list[str] = []
        self.tags: list[str] = []
        self.heads: list[str] = []
        self.alts: list[str | None] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what matters of an element."""
        self.tags.append(tag)
        if tag not in VOID:
            self.stack.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.heads.append(tag)
        if tag == "img":
            self.alts.append(dict(attrs).get("alt"))
        assert len({n for n, _ in attrs}) == len(attrs)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href", "xlink:href", "data", "action", "srcset", "poster"):
                self.urls.append(str(value))
            if name.startswith("on") or name == "style":
                self.odd.append(name)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A self-closed element neither opens nor closes."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        """What closes must be what was opened last."""
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what a reader would see."""
        if not {"script", "style"} & set(self.stack):
            self.words.append(data)


def read(text: str) -> Reader:
    """Parse a page, check its nesting, and what holds of every page."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.stack == []
    assert len(reader.ids) == len(set(reader.ids))
    assert not reader.odd
    assert reader.tags.count("script") in (2, 3)  # findings, the texts of the script, the script
    assert reader.tags.count("style") == 1
    assert reader.tags.count("h1") == reader.tags.count("main") == 1
    assert all(u.startswith(("data:image/webp;base64,", "#")) for u in reader.urls)
    assert {u[1:] for u in reader.urls if u.startswith("#")} <= set(reader.ids)
    assert all(reader.alts)
    return reader


@pytest.fixture(scope="module")
def full() -> Evidence:
    """One run with everything."""
    return evidence()


@pytest.fixture(scope="module")
def text(full: Evidence) -> str:
    """Its page."""
    return page.page(full)


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_anew")
def test_the_same_evidence_is_the_same_bytes(full: Evidence, text: str) -> None:
    """No clock, no hash seed, no order of sets, even for evidence that is made again."""
    assert page.page(full) == text
    assert page.page(evidence.__wrapped__(USUAL)) == text


def test_the_page_asks_for_nothing(text: str) -> None:
    """There is no address at all, and the policy would forbid every request."""
    read(text)
    assert "://" not in text
    assert not re.search(r"url\((?!#)|@import|<link|<iframe|<object", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy
    rules = dict(r.split(" ", 1) for r in html.unescape(policy[1]).split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    style = re.search("<style>(.*?)</style>", text, re.S)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert rules["style-src"] == f"'sha256-{digest}'"


def test_the_outline_is_whole(text: str) -> None:
    """Sections in order, headings never skip a level, landmarks and skip link are there."""
    reader = read(text)
    assert [i for i in reader.ids if i in SECTIONS] == list(SECTIONS)
    levels = [int(h[1]) for h in reader.heads]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert {"header", "nav", "main", "footer"} <= set(reader.tags)
    assert reader.tags.index("a") < reader.tags.index("header")
    assert '<html lang="en"' in text


def cells(text: str) -> Iterator[tuple[str, list[str]]]:
    """Of every table row that belongs to a finding: its id, and its cells as text."""
    for row in re.findall(r"<tr>(.*?)</tr>", text, re.S):
        id = re.search(r'data-finding="([^"]+)"', row)
        if id:
            shown = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
            yield html.unescape(id[1]), [html.unescape(re.sub("<[^>]+>", "", c)) for c in shown]


def numbers(words: str) -> list[float]:
    """The numbers of a cell as they are printed, percent signs and minus signs understood."""
    plain = words.replace("\u2212", "-").replace("\u202f", "")
    return [float(x) for x in re.findall(r"[-+]?\d+(?:\.\d+)?", plain)]


def close(shown: list[float], values: list[float], scale: float) -> bool:
    """Whether printed numbers are the values, to the digits that are printed."""
    if len(shown) != len(values):
        return False
    # A cosine has three decimals, a share below 1 % one, everything else none.
    steps = [0.501 if s == round(s) else 0.0501 for s in shown]
    return all(abs(s - scale * v) <= d for s, v, d in zip(shown, values, steps, strict=True))


def test_every_row_of_shares_is_its_finding(full: Evidence, text: str) -> None:
    """Class, n, missing, as read, corrected, interval, references, q: each as in the finding."""
    by_id = {f.id: f for f in full.findings}
    wanted = {
        f.id for f in full.findings
        if f.section == "representation" and f.arm == BASELINE and "/all/" not in f.id
    }  # fmt: skip
    rows = {id: row for id, row in cells(text) if id in wanted}
    assert set(rows) == wanted
    for id, row in rows.items():
        f = by_id[id]
        assert row[0] == f.where
        if f.key.attribute == "skin_tone":
            assert row.pop(1) == f.key.detail
        assert numbers(row[1]) == [f.n]
        assert close(numbers(row[2]), [f.n_effective], 1) or row[2] == "not known"
        assert numbers(row[3]) == [f.missing]
        assert close(numbers(row[4]), [f.naive], 100)
        assert close(numbers(row[5]), [f.estimate], 100)
        assert close(numbers(row[6]), [f.low, f.high], 100)
        if f.missing:
            assert close(numbers(row[7]), [f.worst_low, f.worst_high], 100)
        del row[7]  # some image has no label, so worst cases have a column
        targets = [f.references[r.name] for r in full.suite.references if r.name in f.references]
        shown = [n for c in row[7 : 7 + len(targets)] for n in numbers(c)]
        assert close(shown, targets, 100)
        rest = row[7 + len(targets) :]
        assert abs(numbers(rest[0])[0] - f.q) <= 0.0051
        assert rest[1].endswith(wording.short_verdict(f))


@pytest.mark.parametrize("section", ["replication", "mitigation", "quality"])
def test_every_other_finding_is_in_a_table(full: Evidence, text: str, section: str) -> None:
    """Estimate and interval of each finding, in its own unit, with its n."""
    rows = dict(cells(text))
    for f in (f for f in full.findings if f.section == section):
        scale = 1.0 if "/count-" in f.id or "cosine" in f.quantity else 100.0
        joined = [numbers(c) for c in rows[f.id]]
        assert any(close(c, [f.estimate], scale) for c in joined)
        assert any(close(c, [f.low, f.high], scale) for c in joined) or math.isnan(f.low)
        assert [float(f.n)] in joined


@pytest.mark.parametrize(
    "key",
    [
        Key("representation", "none", ALL, "gender", "new-kind"),
        Key("replication", "none", "", "gender", "new-kind"),
        Key("mitigation", "inject-gender", "", "gender", "new-kind"),
        Key("quality", "none", "nurse", "gender", "new-kind"),
    ],
    ids=lambda key: key.section,
)
def test_a_finding_of_a_new_kind_is_shown(key: Key) -> None:
    """Whatever its section: no template has to know the kind."""
    small = evidence(SMALL)
    new = replace(small.findings[0], key=key, sentence="Something new was measured.", family="")
    made = page.page(replace(small, findings=[*small.findings, new]))
    assert f'data-finding="{new.id}"' in made


def test_how_many_comparisons_the_family_had(full: Evidence, text: str) -> None:
    """The note counts every test of the declared family."""
    of_tones = [f for f in full.findings if f.family == "skin_tone against planted, none"]
    assert len(of_tones) == 5 * 6
    assert text.count(f"allow for {len(of_tones)} comparisons") == 1


def test_answers_come_first_and_are_three_to_six(full: Evidence, text: str) -> None:
    """Each is a card with its verdict in words and what it rests on."""
    chosen = answers.answers(full)
    assert 3 <= len(chosen) <= answers.MOST
    assert {f.section for f in chosen} == {"representation", "replication", "mitigation"}
    body = text[text.index('id="answers"') : text.index('id="audited"')]
    plain = html.unescape(re.sub("<[^>]+>", "", body))
    for f, card in zip(chosen, body.split('<li class="card"')[1:], strict=True):
        assert f'data-finding="{html.escape(f.id)}"' in card
        assert wording.short_verdict(f) in plain
        assert wording.basis(f) in html.unescape(card)


def test_one_distance_of_each_attribute_is_an_answer() -> None:
    """That from the first reference; those from the others are in its section."""
    folder = Path(__file__).parents[2] / "reports" / "example"
    example = from_json((folder / "findings.json").read_text("utf-8"))
    gaps = [f for f in example if f.key.kind == "gap"]
    assert any(f.key.detail for f in gaps)
    chosen = [f for fits, these in answers.ANSWERS for f in [f for f in example if fits(f)][these]]
    told = [f.key for f in chosen if f.key.kind == "gap"]
    assert {k.attribute for k in told} == {f.key.attribute for f in gaps}
    assert not any(k.detail for k in told)


def test_answers_do_not_look_at_estimates(full: Evidence) -> None:
    """The same lines are chosen whatever was found, so none is there for its size."""
    other = [replace(f, estimate=f.estimate / 3, q=0.001, p=0.0) for f in full.findings]
    first, second = answers.answers(full), answers.answers(replace(full, findings=other))
    assert [f.id for f in first] == [f.id for f in second]


def test_few_findings_still_answer(full: Evidence) -> None:
    """A run of one kind gives three answers, and a run of two gives two."""
    shares_only = [f for f in full.findings if "/gender=" in f.id]
    assert len(answers.answers(replace(full, findings=shares_only))) == 3
    assert len(answers.answers(replace(full, findings=shares_only[:2]))) == 2


def test_embedded_findings_are_the_findings(full: Evidence, text: str) -> None:
    """The JSON in the page reads back as exactly what was shown."""
    body = re.search(r'<script type="application/json" id="findings">(.*?)</script>', text, re.S)
    assert body
    assert to_json(from_json(body[1])) == to_json(full.findings)


def test_pictures_and_charts_have_words_and_tables(full: Evidence, text: str) -> None:
    """A chart per attribute, unit and arm, each labelled; at least as many tables as charts."""
    reader = read(text)
    charts = re.findall(r'<svg [^>]*class="chart" role="img" aria-label="([^"]{30,})"', text)
    scales = re.findall(r'<svg class="scale" [^>]*role="img" aria-label="([^"]{10,})"', text)
    assert len(charts) == 2 + 2 + 2 + 2
    assert len(charts) + len(scales) == reader.tags.count("svg")
    assert reader.tags.count("table") >= len(charts)
    assert reader.tags.count("caption") == reader.tags.count("table")
    assert len(re.findall(r'role="region" aria-label="[^"]+"', text)) == reader.tags.count("table")


def test_copies_are_next_to_their_training_image(full: Evidence, text: str) -> None:
    """Every copy is shown or counted, nearest first, with caption and repeats."""
    flagged = full.matches[full.matches["copy"]]
    assert len(flagged) > 5
    body = text[text.index('id="replication"') : text.index('id="mitigation"')]
    scores = [float(s) for s in re.findall(r"(\d\.\d+) \(held out", body)]
    shown = scores[: len(scores) - copies.NEAR]
    assert shown == sorted(shown, reverse=True)
    assert shown == sorted(flagged.score.round(3), reverse=True)[: len(shown)]
    assert f"{len(flagged)} images with unchanged prompts were flagged as copies" in body


def test_more_copies_than_the_cap_are_counted(full: Evidence) -> None:
    """Of a thousand copies some are shown, each training image once before any twice."""
    one = full.matches[full.matches["copy"]].iloc[[0]]
    many = pd.concat([one] * 40 + [full.matches], ignore_index=True)
    made = page.page(replace(full, matches=many))
    flagged = int(many["copy"].sum())
    trains = many[many["copy"]].train.nunique()
    words = f"{flagged} images with unchanged prompts were flagged as copies, of {trains} training "
    assert words in made
    assert f"{flagged - copies.PAIRS} of the flagged images are not shown here" in made
    body = made[made.index('id="replication"') : made.index("were not flagged as copies")]
    captions = set(re.findall(r"Text</dt><dd><bdi>([^<]+)", body))
    assert len(captions) == trains


def test_counts_above_a_cosine_are_those_of_the_table(full: Evidence, text: str) -> None:
    """The table below the histogram counts the baseline's scores on both sides."""
    base = full.matches[full.matches.arm == BASELINE]
    for level in copies.LEVELS:
        score, held = (int((base[c] >= level).sum()) for c in ("score", "held_score"))
        row = f'{level:.2f}</th><td class="n">{score}</td><td class="n">{held}</td>'
        assert row in text


def test_walls_are_random_but_fixed(full: Evidence) -> None:
    """A subject's draw depends on the seed and its own images, and shows what was read."""
    from audit.report.thumbnails import Album

    def drawn(e: Evidence) -> dict[str, list[str]]:
        made = shares.walls(e, Album(10**9))["walls"]
        return {w["subject"]: [c["src"] for c in w["cells"]] for w in made}

    first = drawn(full)
    assert all(len(c) == shares.WALL for c in first.values())
    assert drawn(replace(full, facts=replace(full.facts, wall_seed=1)))["nurse"] != first["nurse"]
    table = full.attributes
    alone = replace(full, attributes=table[table.subject == "nurse"])
    assert drawn(alone)["nurse"] == first["nurse"]


def test_missing_labels_are_counted_by_reason(full: Evidence, text: str) -> None:
    """Totals by reason are the table's, the subject's own reader left out."""
    rows = full.attributes[full.attributes.attribute != "occupation"]
    gone = rows[rows.outcome != "label"]
    assert len(gone) > 20
    assert f"{len(gone)} of {len(rows)} readings are missing" in text
    for reason, n in gone.outcome.value_counts().items():
        assert f"{reason} {n}" in text


@pytest.mark.slow
def test_untrusted_text_is_inert() -> None:
    """Markup, script ends, braces, formulas and reversed text are words and nothing else."""
    made = page.page(evidence(replace(SMALL, hostile=HOSTILE)))
    reader = read(made)
    assert "<img src=x" not in made
    assert "\u202e" not in made
    assert "\x00" not in made
    assert "alert(1)" in "".join(reader.words)
    clean = read(page.page(evidence(SMALL)))
    assert reader.tags == clean.tags


@pytest.mark.slow
@pytest.mark.parametrize(
    "caption", ["word " * 6000, "\u05e9\u05dc\u05d5\u05dd " * 50, "\N{WOMAN}" * 9]
)
def test_odd_captions_change_no_structure(caption: str) -> None:
    """30,000 characters, right to left, emoji alone: clipped and isolated."""
    made = page.page(evidence(replace(SMALL, hostile=caption)))
    plain = page.page(evidence(SMALL))
    assert read(made).tags == read(plain).tags
    body, usual = (m[: m.index("<script")].encode() for m in (made, plain))
    assert len(body) < len(usual) + 150_000
    assert len(made.encode()) < 2_000_000


def test_half_a_character_can_be_written() -> None:
    """A lone surrogate in a sentence or a fact is left out, and the page is UTF-8."""
    small = evidence(SMALL)
    found = [replace(f, sentence="a\ud800b", where="\ud800") for f in small.findings]
    facts = replace(small.facts, command="\ud800x")
    made = page.page(replace(small, findings=found, facts=facts))
    read(made)
    assert "ab" in made.encode().decode()


def test_hostile_subjects_reach_charts_as_words() -> None:
    """Subjects are labels of charts: markup and dollar signs are drawn as they are written."""
    names = ("<b>&\"'", "$x_{", "a" * 300, "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{MICROSCOPE}")
    made = page.page(evidence(Size(subjects=names, seeds=2, captions=2)))
    read(made)
    assert "<b>&" not in made
    assert ">$x_{</text>" in made
    assert "a" * 201 not in re.sub(
        r"<script.*?</script>|data-finding=\"[^\"]*\"", "", made, flags=re.S
    )


def multiplied(one: Evidence, names: Sequence[str]) -> Evidence:
    """The run of a single subject, told of many."""
    shown = [f for f in one.findings if f.where == "nurse"]
    found = [
        replace(f, key=f.key._replace(subject=n), where=n, estimate=f.estimate * i / 100)
        for i, n in enumerate(names)
        for f in shown
    ]
    own = [one.attributes.assign(subject=n, prompt=n + "/" + one.attributes.prompt) for n in names]
    table = pd.concat(own, ignore_index=True)
    rest = [f for f in one.findings if f not in shown]
    return replace(one, findings=found + rest, attributes=table)


@pytest.mark.slow
@pytest.mark.parametrize("quantities", ["/gender", "/"], ids=["gender", "all"])
def test_a_hundred_subjects_fit(quantities: str) -> None:
    """Charts keep their ends, walls are capped, rows give way: each says so, and the page fits."""
    names = [f"subject {i}" for i in range(100)]
    many = multiplied(evidence(Size(subjects=("nurse",))), names)
    found = [f for f in many.findings if quantities in f.id or f.section != "representation"]
    made = page.page(replace(many, findings=found))
    read(made)
    assert len(made.encode()) < 2_000_000
    assert f"Shown for the first {shares.WALL_SUBJECTS} of 100 subjects" in made
    assert f"The chart shows {wording.CHART} of " in made or "of 100 rows are shown" in made
    rows = [id for id, _ in cells(made) if id.startswith("representation/none/subject")]
    due = {f.id for f in found if f.id.startswith("representation/none/subject")}
    assert len(rows) == len(set(rows))
    assert set(rows) <= due
    left = re.search(r"([\d\u202f]+) findings are left out of this report", made)
    gone = int(left[1].replace("\u202f", "")) if left else 0
    assert len(due - set(rows)) == gone
    if quantities == "/gender":
        assert not gone


def test_tables_of_a_large_run_keep_their_ends() -> None:
    """Three thousand subjects: the highest and the lowest are shown, the family is the whole."""
    rng = np.random.default_rng(5)
    one = next(f for f in evidence(SMALL).findings if f.id.endswith("nurse/gender=woman"))
    found = [
        replace(one, key=one.key._replace(subject=f"job {i}"), where=f"job {i}", estimate=x, p=x)
        for i, x in enumerate(rng.permutation(3000) / 3000)
    ]
    made = page.page(replace(evidence(SMALL), findings=found))
    reader = read(made)
    shown = [html.unescape(id) for id, _ in cells(made) if id.startswith("representation/")]
    order = sorted(found, key=lambda f: -f.estimate)
    spoken = {f.id for f in answers.answers(replace(evidence(SMALL), findings=found))}
    far = {f.id: abs(f.estimate - f.references["planted"]) for f in found}
    assert [far[i] for i in shown] == sorted((far[i] for i in shown), reverse=True)
    assert set(shown) - spoken <= {f.id for f in (*order[:100], *order[-100:])}
    assert set(shown) >= {f.id for f in (*order[:40], *order[-40:])} | spoken
    words = wording.text("rows.left", shown=len(shown), all=wording.count(3000))
    assert words in "".join(reader.words)
    assert f"allow for {wording.count(3000)} comparisons" in made
    rows = from_json(re.search(r'id="findings">(.*?)</script>', made, re.S)[1])  # type: ignore[index]
    assert {f.id for f in rows} >= set(shown)
    assert f"{wording.count(len(rows))} of {wording.count(3000)} findings are also in this" in made


def test_rows_that_are_not_known_give_way_first() -> None:
    """Of rows too many those without an estimate go first, and order is kept."""
    one = evidence(SMALL).findings[3]
    values = [math.nan, 0.5, 0.1, 0.9, math.nan, 0.3]
    found = [
        replace(one, key=one.key._replace(subject=str(i)), estimate=x) for i, x in enumerate(values)
    ]
    kept = [[f.key.subject for f in bounds.ends(found, n)] for n in (6, 5, 4, 3, 2)]
    assert kept == [list("012345"), list("01235"), list("1235"), list("123"), list("23")]


def test_pictures_give_way_to_numbers(full: Evidence) -> None:
    """Large noisy pictures are left out once the page is full, and their number is stated."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (160, 160, 3), np.uint8)
    made = page.page(replace(full, image=lambda id: noise, train_image=lambda id: noise))
    read(made)
    assert len(made.encode()) < 2_000_000
    left = re.search(r"(\d+) images were left out", made)
    assert left
    assert int(left[1]) == made.count(wording.text("image.none"))


def test_one_subject_and_one_image() -> None:
    """The smallest run: everything is shown, most of it undecided or unknown."""
    made = page.page(evidence(Size(subjects=("nurse",), seeds=1, captions=1)))
    read(made)


def test_the_usual_run_is_small(text: str) -> None:
    """Six subjects, three arms, copies and walls: under one megabyte."""
    assert len(text.encode()) < 1_000_000


def test_an_empty_run_says_so(full: Evidence) -> None:
    """No images, findings, matches, mitigations or facts: sentences instead of sections."""
    suite = replace(full.suite, mitigations=(), references=(), prompts=())
    bare = replace(full, findings=[], attributes=full.attributes.iloc[:0], matches=pd.DataFrame(),
                   samples={}, suite=suite, facts=Facts())  # fmt: skip
    for attributes in (full.attributes.iloc[:0], pd.DataFrame()):
        made = page.page(replace(bare, attributes=attributes))
        read(made)
        for sentence in (
            "no findings",
            "did not ask who appears",
            "says nothing about copies",
            "This run has no mitigations",
            "asked for no readings",
            "error was not measured",
        ):
            assert sentence in made
        assert "undefined" not in made.lower()


@pytest.mark.parametrize("key", ["command", "versions", "suite_hash", "settings_hash", "corpus",
                                 "threshold", "threshold_w", "threshold_method", "q", "wall_seed",
                                 "notes", "truth_note"])  # fmt: skip
def test_any_fact_may_be_absent_or_unknown(key: str) -> None:
    """The report can be made without each fact."""
    small = evidence(SMALL)
    without = replace(small.facts, **{key: getattr(Facts(), key)})
    assert without != small.facts or key == "wall_seed"
    read(page.page(replace(small, facts=without)))


@pytest.mark.parametrize("w", [math.inf, math.nan])
def test_a_threshold_that_does_not_exist(w: float) -> None:
    """Where no threshold meets the rate, the method says so and how many images it would take."""
    small = evidence(SMALL)
    need = "ten <must> stand out"
    none = replace(small.facts, threshold_w=w, threshold=math.nan, threshold_need=need)
    made = page.page(replace(small, facts=none))
    read(made)
    assert "no threshold meets the target rate" in made
    assert "ten &lt;must&gt; stand out" in made


def searched(one: Evidence, **changes: Any) -> Evidence:
    """The same with other facts on its training set."""
    assert one.facts.corpus
    corpus = replace(one.facts.corpus, **changes)
    return replace(one, facts=replace(one.facts, corpus=corpus))


@pytest.mark.parametrize(("share", "words"), [(1.0, "is 100"), (0.25, "lower bound"),
                                              (math.nan, "It is unknown how much")])  # fmt: skip
def test_how_much_of_the_training_set_was_searched(share: float, words: str) -> None:
    """Rates from a part of the training data are called lower bounds, and so are unknown parts."""
    small = evidence(SMALL)
    made = page.page(searched(small, coverage=share))
    read(made)
    assert words in made


@pytest.mark.slow
def test_a_search_among_candidates_says_what_it_finds() -> None:
    """Reason and recall of planted copies are shown with the rates; an exact search has none."""
    small = evidence(SMALL)
    listed = searched(small, recall=(0.999, 0.997, 1.0), search_reason="So <many>.")
    made = page.page(listed)
    read(made)
    assert "So &lt;many&gt;. Of copies planted" in made
    assert "lowest cosine of a flagged copy here" not in made
    made = page.page(searched(listed, recall_line=(0.71, 0.93, 0.91, 0.95)))
    assert "At 0.710, the lowest cosine of a flagged copy here, it finds 93" in made
    assert "Of copies planted" not in page.page(small)


def test_edited_copies_have_a_row_each() -> None:
    """The curve is a chart and a table with the same figures; without it there is neither."""
    small = evidence(SMALL)
    row = EditCosines("<crop> 50 %", 40, 0.41, 0.57, 0.83, 1560, 0.02, 0.1, 0.29)
    whole = replace(row, edit="none", low=1.0, median=1.0, high=1.0)
    made = page.page(replace(small, facts=replace(small.facts, edits=(whole, row))))
    read(made)
    assert "&lt;crop&gt; 50 %" in made
    assert re.search(r"\[0\.41\d*, 0\.83\d*\]", made)
    without = page.page(small)
    assert wording.text("replication.edits") in made
    assert wording.text("replication.edits") not in without


def unknown(f: Finding) -> Finding:
    """The same claim with every number gone."""
    gone: dict[str, Any] = dict.fromkeys(
        ("estimate", "low", "high", "n_effective", "naive", "naive_low", "naive_high", "p", "q",
         "floor", "truth"), math.nan,
    )  # fmt: skip
    references = dict.fromkeys(f.references, math.nan)
    return replace(f, **gone, n=0, verdict="undecided", references=references)


def test_numbers_that_are_not_known_say_so(full: Evidence) -> None:
    """NaN is never printed as a number or as itself."""
    small = evidence(SMALL)
    scores = small.matches.assign(score=np.nan, held_score=np.nan, copy=None)
    made = page.page(replace(small, findings=[unknown(f) for f in small.findings], matches=scores))
    words = " ".join(read(made).words)
    assert "not known" in words
    assert not re.search(
        r"\bnan\b", re.sub(r"data:image[^\"]+|<script.*?</script>", "", made, flags=re.S), re.I
    )


def test_matches_that_are_all_missing() -> None:
    """Blocked or unreadable images leave the section with its rates and no pictures."""
    small = evidence(SMALL)
    gone = small.matches.assign(outcome="unreadable", score=np.nan, held_score=np.nan, copy=None)
    made = page.page(replace(small, matches=gone))
    read(made)
    assert "No image was flagged as a copy" in made


def test_the_order_of_a_mapping_changes_nothing(full: Evidence, text: str) -> None:
    """Findings that were written and read back, keys sorted, give the same page."""
    again = from_json(to_json(full.findings))
    assert page.page(replace(full, findings=again)) == text


@pytest.mark.parametrize("error", [pixels.Unreadable("no"), KeyError("id"), FileNotFoundError("f")])
def test_a_picture_that_is_gone_leaves_a_note(error: Exception) -> None:
    """A missing file costs its thumbnail, not the page."""

    def gone(id: str) -> np.ndarray:
        raise error

    made = page.page(replace(evidence(SMALL), image=gone, train_image=gone))
    read(made)
    assert wording.text("image.none") in made
    assert "data:image" not in made


def test_colours_are_readable_in_light_and_dark() -> None:
    """Text on page and panel has a contrast of at least 4.5 (WCAG 2.2, 1.4.3), in all schemes."""
    style = (page.TEMPLATES / "style.css").read_text("utf-8")
    schemes = re.findall(r":root \{(.*?)\}", style, re.S)
    assert len(schemes) == 3
    for scheme in schemes:
        colour = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", scheme))
        for ink in ("text", "quiet", "accent", "second", "good", "bad"):
            for ground in ("page", "panel"):
                assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)


def contrast(a: str, b: str) -> float:
    """WCAG contrast ratio of two sRGB colours `#rrggbb` or `#rgb`."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        raw = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        linear = np.where(raw <= 0.04045, raw / 12.92, ((raw + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
