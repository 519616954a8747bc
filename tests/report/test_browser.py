"""The pages in a real browser: nothing is asked for, nothing runs, everyone can read them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.report import page
from audit.report.evidence import Evidence
from tests.report import pages
from tests.report.made import Size, evidence
from tests.sizes import sized
from tests.view import browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser.CHROMIUM.exists(), reason="Chromium is not installed"),
]
AXE = Path(os.environ.get("AXE_CORE", "/nowhere"))
"""axe-core's `axe.min.js`, from its npm package."""
SETTLED = "new Promise(r => setTimeout(() => r(1), 150))"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    """One browser for all tests of this file."""
    with browser.chromium(tmp_path_factory.mktemp("chromium") / "profile") as made_browser:
        yield made_browser


def opened(chromium: browser.Browser, text: str, folder: Path) -> browser.Tab:
    """A tab with the page, from a file of its own."""
    path = folder / "page.html"
    path.write_text(text, "utf-8")
    return chromium.tab(path.as_uri())


@pytest.mark.parametrize("kind", pages.KINDS)
def test_a_page_asks_for_nothing_but_itself(
    kind: str, chromium: browser.Browser, tmp_path: Path
) -> None:
    """Opened, scrolled and unfolded, the only request is the file, and the console is silent."""
    tab = opened(chromium, pages.KINDS[kind](), tmp_path)
    tab.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    tab.run("window.scrollTo(0, document.body.scrollHeight)")
    tab.run(SETTLED)
    assert tab.asked == [(tmp_path / "page.html").as_uri()]
    assert tab.said == []
    shown = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
    assert tab.run(shown)


def test_a_request_would_be_seen(chromium: browser.Browser, tmp_path: Path) -> None:
    """Without its policy a page that names an address asks for it; with it, nothing leaves."""
    address = "http://127.0.0.1:9/x.png"
    text = pages.labels_page().replace("</main>", f'<img src="{address}" alt="x"></main>')
    held = opened(chromium, text, tmp_path)
    held.run(SETTLED)
    assert any("Content Security Policy" in str(s) for s in held.said)
    open_text = text.replace("Content-Security-Policy", "nothing")
    free = opened(chromium, open_text, tmp_path)
    free.run(SETTLED)
    assert address in free.asked


def faults(tab: browser.Tab) -> list[tuple[str, str, Any]]:
    """Serious and critical violations that axe-core finds: rule, impact, and the first places."""
    tab.run(AXE.read_text("utf-8") + "; 1")
    options = {"resultTypes": ["violations"]}
    found = tab.run(f"axe.run(document, {json.dumps(options)}).then(r => r.violations)")
    return [
        (v["id"], v["impact"], [n["html"][:200] for n in v["nodes"][:3]])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


needs_axe = pytest.mark.skipif(not AXE.exists(), reason="AXE_CORE names no file of axe-core")


@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", pages.KINDS)
def test_axe_finds_no_serious_fault(
    kind: str, dark: bool, chromium: browser.Browser, tmp_path: Path
) -> None:
    """Contrast, names, order, tables: folded parts open, at the width of a desk and of a phone."""
    tab = opened(chromium, pages.KINDS[kind](), tmp_path)
    tab.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (1280, 360):
        tab.screen(width, 800, dark)
        assert faults(tab) == []


@needs_axe
def test_axe_would_find_a_fault(chromium: browser.Browser, tmp_path: Path) -> None:
    """Grey on grey and a picture without words are found."""
    text = pages.search_page().replace("--quiet: #5d6066", "--quiet: #d5d6d8")
    tab = opened(chromium, text.replace("Content-Security-Policy", "nothing"), tmp_path)
    tab.screen(1280, 800)
    tab.run("document.images[0].removeAttribute('alt')")
    assert {rule for rule, *_ in faults(tab)} >= {"color-contrast", "image-alt"}


RUNS = "window.hit = 1"
HOSTILE = {
    "markup": f' <img src=x onerror="{RUNS}"></script><script>{RUNS}</script><svg onload="{RUNS}">'
    f"</style></title><a href='javascript:{RUNS}'>x</a>",
    "long": " word" * 6000,
    "unbroken": "W" * 30_000,
    "right to left": " \u202e\u2067\u05e9\u05dc\u05d5\u05dd \u0627\u0644\u0633\u0644\u0627\u0645"
    " \u202d\u2066 abc \u2069\u200f",
    "emoji": "\N{WOMAN}\U0001f3ff\N{ZERO WIDTH JOINER}\N{MICROSCOPE}" * 40,
}


def holds(tab: browser.Tab) -> None:
    """Nothing ran, nothing was asked for, and the body is no wider than the window."""
    for width in (1280, 360):
        tab.screen(width, 800)
        wide = tab.run("document.documentElement.scrollWidth")
        assert wide <= width, wide
    assert tab.run("window.hit") is None
    assert len(tab.asked) == 1
    assert tab.said == []


@pytest.mark.parametrize("kind", pages.KINDS)
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_untrusted_text_stays_text(
    hostile: str, kind: str, chromium: browser.Browser, tmp_path: Path
) -> None:
    """Whatever prompts, captions, subjects and names hold: it is shown, and it does nothing."""
    text = pages.KINDS[kind](hostile)
    assert len(text.encode()) < 2_000_000
    tab = opened(chromium, text, tmp_path)
    tab.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    holds(tab)
    assert tab.run("document.scripts.length") <= 3
    assert tab.run("document.querySelectorAll('[onerror], [onload]').length") == 0
    if data := tab.run("document.getElementById('findings')?.textContent"):
        assert json.loads(data)


def test_a_script_would_be_seen(chromium: browser.Browser, tmp_path: Path) -> None:
    """The flag is set where the text is not escaped and no policy holds it back."""
    text = pages.labels_page().replace("Content-Security-Policy", "nothing")
    tab = opened(chromium, text.replace("</main>", HOSTILE["markup"] + "</main>"), tmp_path)
    tab.run(SETTLED)
    assert tab.run("window.hit") == 1


def numerous(prompts: int) -> Evidence:
    """A run of one attribute with so many prompts, each a subject with an image of its own."""
    one = pages.whole()
    shown = next(f for f in one.findings if f.id.endswith("nurse/gender=woman"))
    row = one.attributes[one.attributes.attribute == "gender"].iloc[[0]]
    rng = np.random.default_rng(3)
    names = [f"subject {i}" for i in range(prompts)]
    found = [
        replace(shown, key=shown.key._replace(subject=n), where=n, estimate=x)
        for n, x in zip(names, rng.random(prompts), strict=True)
    ]
    table = pd.concat([row] * prompts).assign(subject=names, prompt=names)
    suite = replace(one.suite, prompts=tuple(replace(one.suite.prompts[0], id=n) for n in names))
    samples = {s.id: s for s in list(one.samples.values())[:prompts]}
    return replace(one, suite=suite, findings=found, attributes=table, samples=samples,
                   matches=one.matches.iloc[:prompts])  # fmt: skip


@pytest.mark.parametrize("prompts", [0, 1, 5000])
def test_however_many_prompts(prompts: int, chromium: browser.Browser, tmp_path: Path) -> None:
    """None, one and thousands: the page is complete, fits the window, and stays small."""
    if prompts:
        one = numerous(prompts)
    else:
        bare = pages.whole()
        tables = {"attributes": bare.attributes.iloc[:0], "matches": bare.matches.iloc[:0]}
        suite = replace(bare.suite, prompts=())
        one = replace(bare, findings=[], samples={}, suite=suite, **tables)
    text = page.page(one)
    assert len(text.encode()) < 2_000_000
    holds(opened(chromium, text, tmp_path))


@sized("count", 14, 20)
def test_many_arms_fit(count: int, chromium: browser.Browser, tmp_path: Path) -> None:
    """Many arms over forty subjects: under two megabytes, and what is left out is said."""
    one = evidence(Size(subjects=tuple(f"job {i}" for i in range(40)), seeds=1, captions=4))
    arms = [f"arm {i}" for i in range(count)]
    effects = [f for f in one.findings if f.arm == "inject-gender"]
    found = [f for f in one.findings if f.arm == "none"]
    found += [
        replace(f, key=f.key._replace(arm=a),
                family=f.family.replace("inject-gender", a))
        for a in arms for f in effects
    ]  # fmt: skip
    first = one.suite.mitigations[0]
    suite = replace(one.suite, mitigations=tuple(replace(first, name=a) for a in arms))
    text = page.page(replace(one, findings=found, suite=suite))
    assert len(text.encode()) < 2_000_000
    assert "findings are left out of this report" in text
    assert all(f">{a}</bdi></h3>" in text for a in arms)
    holds(opened(chromium, text, tmp_path))


VEIL = "getComputedStyle(document.querySelector('.veil img')).filter"


def test_blurred_pictures_are_shown_to_who_asks(chromium: browser.Browser, tmp_path: Path) -> None:
    """Blurred until pressed by mouse or key, one by one or all; in print blurred again."""
    tab = opened(chromium, page.page(pages.whole(), "blur"), tmp_path)
    tab.screen(1280, 800)
    assert tab.run("document.querySelectorAll('img').length") > 20
    assert tab.run("[...document.images].every(i => getComputedStyle(i).filter.includes('blur'))")
    tab.click(".veil")
    assert tab.run(VEIL) == "none"
    clear = "[...document.images].filter(i => getComputedStyle(i).filter === 'none').length"
    assert tab.run(clear) == 1
    tab.click(".veil")
    assert "blur" in tab.run(VEIL)
    tab.run("document.querySelector('#unveil').focus()")
    for _ in range(200):
        tab.press("Tab")
        if tab.run("!!document.activeElement.closest('.veil')"):
            break
    assert tab.run("document.activeElement.labels[0].querySelector('img').alt")
    tab.press(" ")
    assert tab.run(clear) == 1
    tab.click("#unveil")
    assert tab.run(clear) == tab.run("document.images.length")
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run(clear) == 0
    tab.call("Emulation.setEmulatedMedia", media="")
    assert len(tab.asked) == 1
    assert tab.said == []


@needs_axe
def test_axe_finds_no_serious_fault_in_blurred_pages(
    chromium: browser.Browser, tmp_path: Path
) -> None:
    """Every picture has a name for its key, and the page without pictures has no empty ones."""
    for pictures in ("blur", "none"):
        tab = opened(chromium, page.page(pages.whole(), pictures), tmp_path)
        tab.screen(1280, 800)
        assert faults(tab) == []


def test_a_page_without_pictures_has_none() -> None:
    """Numbers only: no picture, no frame for one, and every finding as before."""
    text, usual = page.page(pages.whole(), "none"), page.page(pages.whole())
    assert "data:image" not in text
    assert "<img" not in text
    assert 'class="none"' not in text
    found = (set(re.findall(r'data-finding="([^"]*)"', t)) for t in (text, usual))
    assert len({frozenset(f) for f in found}) == 1


CUT = """[...document.querySelectorAll('svg.chart, table, img, pre')]
    .filter(e => e.getBoundingClientRect().width)
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1
            || (e.matches('.chart, img') && e.getBoundingClientRect().height > 261 * 96 / 25.4))
    .map(e => e.tagName + ' ' + e.textContent.slice(0, 60))"""


@pytest.mark.parametrize("kind", ["run", "compare", "search"])
def test_nothing_is_cut_in_print(kind: str, chromium: browser.Browser, tmp_path: Path) -> None:
    """On A4: what is folded is printed, and charts and tables fit a sheet."""
    tab = opened(chromium, pages.KINDS[kind](), tmp_path)
    tab.screen(round(178 * 96 / 25.4), 1000)
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run(CUT) == []
    tools = ".filter, button, dialog"  # of the script, and for the screen alone
    flat = f"[...document.querySelectorAll('details > :not(summary, {tools})')]"
    gone = (
        f"{flat}.filter(e => !e.getBoundingClientRect().height).map(e => e.outerHTML.slice(0, 99))"
    )
    assert tab.run(gone) == []
    assert tab.print()[:5] == b"%PDF-"
