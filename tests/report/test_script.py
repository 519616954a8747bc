"""The script of the pages: what it adds works, and no text of a run becomes markup or code."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.report import page
from audit.report.page import TEMPLATES
from tests.report import pages
from tests.view import browser

SCRIPT = (TEMPLATES / "page.js").read_text("utf-8")
COMMANDS = "<script>window.hit=1</script>${window.hit=1}{{7*7}}' onclick='window.hit=1' \">"
"""Markup, a template string, a template of another kind, and an attribute that would be one."""


slow = pytest.mark.slow
chromium_there = pytest.mark.skipif(not browser.CHROMIUM.exists(), reason="Chromium is missing")


@slow
@pytest.mark.parametrize("kind", pages.KINDS)
def test_the_policy_allows_this_script_alone(kind: str) -> None:
    """By its hash; no other script, no handler, no address, and markup from text is refused."""
    text = pages.KINDS[kind]()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]  # type: ignore[index]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    assert script == SCRIPT
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    styled = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert dict(p.split(" ", 1) for p in policy.split("; ")) == {
        "default-src": "'none'", "img-src": "data:", "style-src": f"'sha256-{styled}'",
        "script-src": f"'sha256-{known}'", "base-uri": "'none'", "form-action": "'none'",
        "require-trusted-types-for": "'script'", "trusted-types": "'none'",
    }  # fmt: skip
    assert not re.search(r"<[^>]*\son\w+\s*=", re.sub(r"<script.*?</script>", "", text, flags=re.S))


def test_the_script_asks_for_nothing_and_builds_no_markup() -> None:
    """None of what could run a text, or send one, is in it."""
    banned = ("eval", "Function(", "innerHTML", "outerHTML", "insertAdjacent", "document.write",
              "fetch", "XMLHttp", "WebSocket", "import(", "sendBeacon", "</script", "<!--",
              "localStorage", "document.cookie", "setTimeout")  # fmt: skip
    assert [word for word in banned if word.lower() in SCRIPT.lower()] == []


@slow
def test_each_finding_can_be_linked_to() -> None:
    """One element per finding has an id, whichever rendering it is; others point at it."""
    for kind in ("run", "compare"):
        text = pages.KINDS[kind]()
        ids = re.findall(r'id="(f-\w+)" data-finding="([^"]*)"', text)
        assert len(ids) > 5
        assert len({i for i, _ in ids}) == len(ids)
        again = re.findall(r'data-finding="([^"]*)" data-anchor="(f-\w+)"', text)
        assert {(a, f) for f, a in again} <= set(ids)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    """One browser for all tests of this file."""
    with browser.chromium(tmp_path_factory.mktemp("chromium") / "profile") as made:
        yield made


@pytest.fixture(scope="module")
def tab(chromium: browser.Browser, tmp_path_factory: pytest.TempPathFactory) -> browser.Tab:
    """The page of a run, with everything unfolded."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.page(pages.whole()), "utf-8")
    made = chromium.tab(path.as_uri())
    made.screen(1280, 800)
    made.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    return made


def clean(tab: browser.Tab) -> None:
    """No text ran, nothing was asked for, and the console is silent."""
    assert tab.run("window.hit") is None
    assert len(tab.asked) == 1
    assert tab.said == []


TABLE = (
    "[...document.querySelectorAll('main table')]"
    ".find(t => t.querySelector('button.sort') && t.querySelector('td.est'))"
)


@slow
@chromium_there
def test_tables_are_sorted_by_what_their_cells_mean(tab: browser.Tab) -> None:
    """Up, down, and as they were; numbers by size; what is unknown comes last."""
    first = tab.run(f"[...{TABLE}.tBodies[0].rows].map(r => r.cells[0].textContent)")
    column = f"[...{TABLE}.tBodies[0].rows].map(r => r.querySelector('td.est').textContent)"

    def numbers() -> list[float]:
        cells = [t.replace("\N{MINUS SIGN}", "-") for t in tab.run(column)]
        return [float(x) for t in cells for x in re.findall(r"-?\d+\.?\d*", t)[:1]]

    press = f"{TABLE}.tHead.rows[0].cells[{TABLE}.querySelector('td.est').cellIndex]"
    tab.run(f"{press}.querySelector('button').click()")
    assert numbers() == sorted(numbers())
    assert tab.run(f"{press}.getAttribute('aria-sort')") == "ascending"
    tab.run(f"{press}.querySelector('button').click()")
    assert numbers() == sorted(numbers(), reverse=True)
    tab.run(f"{press}.querySelector('button').click()")
    assert tab.run(f"[...{TABLE}.tBodies[0].rows].map(r => r.cells[0].textContent)") == first
    clean(tab)


@slow
@chromium_there
def test_long_tables_are_filtered_and_printed_whole(tab: browser.Tab) -> None:
    """Rows with all the words stay; the number is said; on paper every row is there."""
    field = "document.querySelector('.filter input')"
    rows = f"[...{field}.closest('p').nextElementSibling.querySelectorAll('tbody tr')]"
    seen = f"{rows}.filter(r => getComputedStyle(r).display !== 'none').length"
    every = tab.run(seen)
    texts = tab.run(f"{rows}.map(r => [...r.cells].map(c => c.textContent).join(' '))")
    words = [w for t in texts for w in re.findall("[a-z]{3,}", t.lower())]
    word = next(w for w in words if not all(w in t.lower() for t in texts))
    tab.run(f"{field}.focus()")
    tab.type(word)
    left = tab.run(seen)
    assert 0 < left < every
    assert str(left) in tab.run(f"{field}.closest('p').querySelector('[role=status]').textContent")
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run(seen) == every
    tab.call("Emulation.setEmulatedMedia", media="")
    tab.run(f"{field}.value = ''; {field}.dispatchEvent(new Event('input'))")
    assert tab.run(seen) == every
    clean(tab)


@slow
@chromium_there
def test_images_open_large_and_a_finding_is_cited(tab: browser.Tab) -> None:
    """By key or mouse; arrows turn the images; Escape goes back to where one was."""
    tab.run("document.querySelector('.pair button.enlarge').focus()")
    tab.press("Enter")
    shown = tab.run("document.querySelectorAll('dialog[open] .enlarged img').length")
    assert shown >= 2
    first = tab.run("document.querySelector('dialog figcaption').textContent")
    tab.press("ArrowRight")
    assert tab.run("document.querySelector('dialog figcaption').textContent") != first
    tab.press("Escape")
    assert not tab.run("document.querySelector('dialog').open")
    assert tab.run("document.activeElement.className") == "enlarge"
    tab.click("button.cite.word")
    text = tab.run("document.querySelector('dialog textarea').value")
    finding = tab.run("document.querySelector('button.cite.word').closest('[data-finding]').id")
    assert text.endswith(f"report.html#{finding})")
    assert "t2i-audit" in text
    tab.click("dialog p a")
    assert tab.run("location.hash") == f"#{finding}"
    assert not tab.run("document.querySelector('dialog').open")
    clean(tab)


@slow
@chromium_there
def test_a_link_unfolds_what_it_names(tab: browser.Tab) -> None:
    """A finding in a folded part, and in a row that was filtered away, is shown."""
    tab.run("document.querySelectorAll('details').forEach(d => d.open = false)")
    place = tab.run("document.querySelector('details tr [id^=f-]').id")
    row = f"document.getElementById({json.dumps(place)}).closest('tr')"
    tab.run(f"{row}.hidden = true")
    tab.run(f"location.hash = {json.dumps(place)}")
    tab.until(f"!{row}.hidden && {row}.closest('details').open")
    tab.run("document.querySelectorAll('details').forEach(d => d.open = true)")


SHOWN = "!e.closest('[hidden]') && getComputedStyle(e).display !== 'none'"
PEOPLE = "document.querySelector('[data-subjects]')"


def chosen(tab: browser.Tab, attribute: str = "", subject: str = "") -> None:
    """Choose from the lists above who appears."""
    for i, value in enumerate((attribute, subject)):
        tab.run(
            f"(() => {{ const s = {PEOPLE}.querySelectorAll('.chooser select')[{i}];"
            f"s.value = {json.dumps(value)}; s.dispatchEvent(new Event('change')); }})()"
        )


def subjects_shown(tab: browser.Tab) -> set[str]:
    """Subjects in the rows and the headings of images that can be seen."""
    rows = f"[...{PEOPLE}.querySelectorAll('.subjects tbody tr')].filter(e => {SHOWN})"
    parts = f"[...{PEOPLE}.querySelectorAll('[data-of]')].filter(e => {SHOWN})"
    return {
        *tab.run(f"{rows}.map(r => r.cells[0].textContent)"),
        *tab.run(f"{parts}.map(p => p.dataset.of)"),
    }


@slow
@chromium_there
def test_one_subject_and_one_attribute_are_shown(tab: browser.Tab) -> None:
    """Rows, images and charts of others go; what is counted is said; paper has everything."""
    every = subjects_shown(tab)
    assert every > {"nurse"}
    tab.run(f"{PEOPLE}.querySelectorAll('details').forEach(d => d.open = false)")
    chosen(tab, subject="nurse")
    assert subjects_shown(tab) == {"nurse"}
    assert tab.run(f"[...{PEOPLE}.querySelectorAll('.subjects')].some(e => e.checkVisibility())")
    faded = f"{PEOPLE}.querySelector('figure .chart').querySelectorAll('.cover').length"
    assert tab.run(faded) == len(every) - 1
    both = tab.run(f"{PEOPLE}.querySelector('[role=status]').textContent")
    chosen(tab, "Gender", "nurse")
    one = tab.run(f"{PEOPLE}.querySelector('[role=status]').textContent")
    assert int(one.split()[0]) < int(both.split()[0])
    heads = f"[...{PEOPLE}.querySelectorAll('h3')].filter(e => {SHOWN}).map(e => e.textContent)"
    assert "Skin tone" not in tab.run(heads)
    images = f"[...{PEOPLE}.querySelectorAll('[data-of=\"nurse\"] img')].filter(e => {SHOWN})"
    assert tab.run(f"{images}.length") > 0
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run(f"[...{PEOPLE}.querySelectorAll('[hidden]')].every(e => e.checkVisibility())")
    tab.call("Emulation.setEmulatedMedia", media="")
    chosen(tab)
    assert subjects_shown(tab) == every
    assert not tab.run(f"{PEOPLE}.querySelector('.subjects').closest('details').open")
    assert not tab.run(faded)
    clean(tab)
    tab.run("document.querySelectorAll('details').forEach(d => d.open = true)")


@slow
@chromium_there
def test_a_link_to_another_subject_takes_the_choice_back(tab: browser.Tab) -> None:
    """What an address names is shown, and the lists say that everything is."""
    chosen(tab, subject="nurse")
    place = tab.run(f"{PEOPLE}.querySelector('tr[hidden] [id^=f-]').id")
    tab.run("location.hash = ''")  # another test may have been there
    tab.run(f"location.hash = {json.dumps(place)}")
    tab.until(f"!document.getElementById({json.dumps(place)}).closest('[hidden]')")
    fields = f"[...{PEOPLE}.querySelectorAll('.chooser select')].map(s => s.value)"
    assert tab.run(fields) == ["", ""]


PRESS_ALL = """
(async () => {
  const every = [...document.querySelectorAll('main button')];
  for (const b of every.filter((_, i) => i % Math.ceil(every.length / 40) === 0)) {
    b.click();
    const d = document.querySelector('dialog');
    if (d.open) d.close();
  }
  for (const i of document.querySelectorAll('.filter input')) {
    i.value = '<img src=x onerror=window.hit=1>';
    i.dispatchEvent(new Event('input'));
  }
  for (const s of document.querySelectorAll('.filter select')) {
    for (const o of s.options) { s.value = o.value; s.dispatchEvent(new Event('change')); }
  }
  location.hash = '<img src=x onerror=window.hit=1>';
  location.hash = '%E0%A4%A';
  await new Promise(r => setTimeout(r, 100));
})()
"""


@slow
@chromium_there
@pytest.mark.parametrize("kind", pages.KINDS)
def test_nothing_runs_however_much_is_pressed(
    kind: str, chromium: browser.Browser, tmp_path: Path
) -> None:
    """Commands in every text, buttons of all kinds pressed, fields filled: texts stay texts."""
    (tmp_path / "page.html").write_text(pages.KINDS[kind](COMMANDS), "utf-8")
    tab = chromium.tab((tmp_path / "page.html").as_uri())
    tab.run(PRESS_ALL)
    assert tab.run("document.scripts.length") <= 3
    loose: Any = tab.run("document.querySelectorAll('[onerror], [onclick], [onload]').length")
    assert loose == 0
    assert "49" not in tab.run("document.title")
    clean(tab)
