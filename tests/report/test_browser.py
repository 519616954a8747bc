"""The pages in a real browser: nothing is asked for, nothing runs, everyone can read them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report import pages
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
