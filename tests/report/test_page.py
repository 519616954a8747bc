"""The page: numbers are the findings', no network is asked, strangers' text is inert."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from audit import pixels
from audit.findings import mitigation, quality, replication, representation
from audit.findings.wording import percent
from audit.records import (
    ATTRIBUTE_COLUMNS,
    MATCH_COLUMNS,
    Attribute,
    Evidence,
    Mitigation,
    Prompt,
    Reference,
    Sample,
    Settings,
    Suite,
    from_json,
)
from audit.report.page import page
from audit.report.thumbnails import data_uri

HOSTILE = "<img src=x onerror=alert(1)> </script><!-- \u202eback \N{WOMAN}"
VOID = {"meta", "img", "br", "link", "input", "hr"}
GENDER = Attribute("gender", ("woman", "man"), {"woman": ("w",), "man": ("m",)})


class Reader(HTMLParser):
    """Collects elements and checks that every tag that opens also closes."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.urls: list[str] = []
        self.handlers: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what matters of an element."""
        self.tags.append(tag)
        if tag not in VOID:
            self.stack.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href", "xlink:href", "data", "action"):
                self.urls.append(str(value))
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A self-closed element neither opens nor closes."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        """What closes must be what was opened last."""
        assert self.stack.pop() == tag


def evidence(subjects: int = 3, n: int = 8, caption: str = "a caption") -> Evidence:
    """A small run with every section, its numbers made by the real findings."""
    rng = np.random.default_rng(0)
    names = [f"subject {i}" for i in range(subjects)]
    prompts = [
        Prompt(f"{s}/{j}", f"a photo of {s}", s, "b", "representation", n, ("gender",))
        for s in names
        for j in range(2)
    ]
    prompts.append(Prompt("cap/0", caption, "", "c", "replication", n, repeats=64))
    rows, matches, align, samples = [], [], [], {}
    for p in prompts:
        for arm in ("none", "inject"):
            for i in range(n):
                id = f"{p.id}-{arm}-{i}".replace("/", "_")
                samples[id] = Sample(id, p.id, arm, i, p.text + (" x" if arm != "none" else ""))
                value = "woman" if rng.random() < 0.4 else "man"
                outcome = "label" if rng.random() < 0.9 else "no person"
                if p.purpose == "representation":
                    value_ = value if outcome == "label" else None
                    rows.append((id, p.id, p.subject, arm, i, "gender", outcome, value_, 0.8))
                    align.append((p.id, p.subject, arm, i, rng.random(), bool(rng.random() < 0.9)))
                copy = p.purpose == "replication" and arm == "none"
                score = 0.97 if copy else 0.5 + 0.1 * rng.random()
                row = (id, p.id, arm, i, score, 0.5, "h1", "t1", caption, 64, copy, "label")
                matches.append(row)
    table = pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))
    alignment = pd.DataFrame(
        align, columns=["prompt", "subject", "arm", "seed", "score", "subject_read"]
    )
    match_table = pd.DataFrame(matches, columns=list(MATCH_COLUMNS))
    even = {(s, "gender", c): 0.5 for s in names for c in GENDER.classes}
    reference = Reference("planted", "planted", even, "declared")
    confusion = {"gender": np.array([[95, 5], [4, 96]])}
    context = representation.Context([GENDER], [reference], confusion, reference, 0)
    found = representation.findings(table, context, dict.fromkeys(names, 2))
    found += replication.findings(match_table, {p.id: p for p in prompts}, 0)
    found += mitigation.findings(table, alignment, "inject", GENDER, dict.fromkeys(names, 0.5), 0)
    found += quality.classifier(confusion, [GENDER], "renders") + quality.subjects(alignment, 0)
    suite = Suite(
        "t", caption, "Who?", tuple(prompts), (GENDER,), (reference,),
        (Mitigation("inject", "inject", {"attribute": "gender"}, ("b",)),),
    )  # fmt: skip

    def image(id: str) -> np.ndarray:
        return np.random.default_rng(len(id)).integers(0, 256, (64, 64, 3), np.uint8)

    facts = {
        "command": "t2i-audit run " + caption, "versions": {"torch": "2"}, "suite_hash": "a",
        "settings_hash": "b", "threshold": 0.9, "threshold_w": 1.2, "threshold_method": "twin",
        "corpus": {
            "name": "w", "images": 9, "distinct": 8, "held_out": 8, "descriptor": "d", "skipped": 1,
        },
        "wall_seed": 0, "notes": [caption], "q": 0.1,
    }  # fmt: skip
    settings = Settings("embedded", "r", 20, 3.0, 16)
    return Evidence(suite, settings, found, table, match_table, samples, image, image, facts)


@pytest.fixture(scope="module")
def full() -> Evidence:
    """One run with everything."""
    return evidence()


@pytest.fixture(scope="module")
def text(full: Evidence) -> str:
    """Its page."""
    return page(full)


def read(text: str) -> Reader:
    """Parse a page and check its nesting."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.stack == []
    return reader


def test_the_same_evidence_is_the_same_bytes(full: Evidence, text: str) -> None:
    """No clock, no hash seed, no order of sets."""
    assert page(full) == text


def test_the_page_asks_for_nothing(text: str) -> None:
    """No address but data, fragments and the names of SVG; the policy forbids the rest."""
    reader = read(text)
    assert all(u.startswith(("data:image/webp", "#")) for u in reader.urls)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert all(a.startswith("http://www.w3.org/") for a in addresses)
    assert "default-src 'none'" in text
    assert reader.tags.count("script") == 1
    assert not reader.handlers


def test_ids_are_unique_and_the_outline_is_whole(text: str) -> None:
    """One h1, every section reachable, no id twice."""
    reader = read(text)
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.tags.count("h1") == 1
    for anchor in (u[1:] for u in reader.urls if u.startswith("#")):
        assert anchor in reader.ids
    assert {"answers", "representation", "replication", "mitigation", "missing", "method"} <= set(
        reader.ids
    )


def test_every_marked_number_is_its_findings(full: Evidence, text: str) -> None:
    """What stands beside a finding's id is its estimate, and all findings are embedded."""
    by_id = {f.id: f for f in full.findings}
    marked = re.findall(r'<span data-finding="([^"]+)">([^<]*)</span>', text)
    assert len(marked) > 10
    for id, shown in marked:
        assert html.unescape(shown) == percent(by_id[html.unescape(id)].estimate)
    body = re.search(r'id="findings">(.*?)</script>', text, re.S)
    assert body
    again = from_json(body.group(1))
    assert [f.id for f in again] == [f.id for f in full.findings]


def test_every_picture_has_words(text: str) -> None:
    """Thumbnails have alt text; charts have a label and a table beside them."""
    assert re.findall(r"<img (?![^>]*alt=)", text) == []
    assert text.count('role="img"') == 3
    assert text.count("<table>") >= 4


def test_strangers_text_is_inert() -> None:
    """A caption with markup, a script's end and reversed text changes nothing but words."""
    made = page(evidence(caption=HOSTILE))
    reader = read(made)
    assert not reader.handlers
    assert "x" not in reader.urls
    assert reader.tags.count("script") == 1
    assert "<img src=x" not in made
    assert "<bdi>" in made


def test_a_very_long_caption_is_clipped() -> None:
    """30,000 characters do not make a page of 30,000 characters a caption."""
    short, long = page(evidence(caption="c")), page(evidence(caption="word " * 6000))
    assert len(long) < len(short) + 120_000


@pytest.mark.parametrize("subjects", [1, 40])
def test_few_and_many_subjects_both_fit(subjects: int) -> None:
    """One subject or forty: well-formed, and under two megabytes."""
    made = page(evidence(subjects=subjects, n=4))
    read(made)
    assert len(made.encode()) < 2_000_000


def test_an_empty_run_says_so() -> None:
    """No images, no matches, no mitigation: sentences instead of sections."""
    one = evidence(subjects=1, n=1)
    bare = replace(
        one, findings=[], attributes=one.attributes.iloc[:0], matches=pd.DataFrame(), samples={},
        suite=replace(one.suite, mitigations=()), facts={},
    )  # fmt: skip
    made = page(bare)
    read(made)
    for sentence in ("no findings", "asked nothing about who appears", "searched no training set",
                     "tried no mitigation", "Nothing is missing"):  # fmt: skip
        assert sentence in made


def test_a_picture_that_is_gone_leaves_a_note(full: Evidence) -> None:
    """A missing file costs its thumbnail, not the page."""

    def gone(id: str) -> np.ndarray:
        raise pixels.Unreadable("cannot be opened")

    made = page(replace(full, image=gone, train_image=gone))
    read(made)
    assert "no picture" in made
    assert "data:image" not in made


def test_thumbnails_are_small_and_scaled() -> None:
    """A large picture shrinks to 160 pixels; equal pixels are equal URIs."""
    picture = np.zeros((900, 600, 3), np.uint8)
    assert len(data_uri(picture)) < 2000
    assert data_uri(picture) == data_uri(picture.copy())
