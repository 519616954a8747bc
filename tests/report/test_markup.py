"""Pages are valid HTML: a strict parser, ids that are given once, tables whose rows are even."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import html5lib
import pandas as pd
import pytest
from html5lib.html5parser import ParseError

from audit.report import page
from audit.report.facts import Facts
from tests.report import pages
from tests.report.sources import Node, tree

PAGES = {
    **pages.KINDS,
    "blurred": lambda: page.page(pages.whole(), "blur"),
    "without pictures": lambda: page.page(pages.whole(), "none"),
    "empty": lambda: page.page(
        replace(pages.whole(), findings=[], samples={}, facts=Facts(), matches=pd.DataFrame(),
                attributes=pages.whole().attributes.iloc[:0])
    ),
}  # fmt: skip
PHRASES = frozenset({"span", "bdi", "small", "b", "code", "label", "a", "p", "h1", "h2", "h3", "h4",
                     "summary", "figcaption", "dt"})  # fmt: skip
"""Elements that hold words, and so no block."""
BLOCKS = frozenset({"div", "p", "ul", "ol", "dl", "table", "section", "figure", "h2", "h3", "h4",
                    "details", "pre"})  # fmt: skip


def strict(text: str) -> None:
    """ParseError for whatever a browser would have to guess."""
    html5lib.HTMLParser(strict=True).parse(text)


def columns(row: Node) -> int:
    """How many columns the cells of a row span."""
    cells = [c for c in row.children if isinstance(c, Node)]
    return sum(int(c.attributes.get("colspan", "1")) for c in cells)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PAGES)
def test_a_page_is_valid(kind: str) -> None:
    """Nothing is left open or misplaced, no id comes twice, and names that are used exist."""
    text = PAGES[kind]()
    strict(text)
    top = tree(text)
    every = [n for tag in _tags(top) for n in top.all(tag)]
    ids = Counter(n.attributes["id"] for n in every if "id" in n.attributes)
    assert not [i for i, n in ids.items() if n > 1]
    for node in every:
        for name in ("aria-labelledby", "for"):
            assert node.attributes.get(name, next(iter(ids), "")) in ids
        if node.tag in PHRASES:
            inside = {c.tag for c in node.children if isinstance(c, Node)}
            assert not inside & BLOCKS, (node.tag, inside)


@pytest.mark.parametrize("kind", PAGES)
def test_tables_are_even(kind: str) -> None:
    """Each has a caption, heads that say what they head, and rows as long as its head."""
    for table in tree(PAGES[kind]()).all("table"):
        assert next(table.all("caption")).text()
        sizes = {columns(row) for row in table.all("tr")}
        assert len(sizes) == 1, next(table.all("caption")).text()
        assert all(c.attributes.get("scope") in ("col", "row") for c in table.all("th"))


def _tags(top: Node) -> set[str]:
    inner = [c for c in top.children if isinstance(c, Node)]
    return {c.tag for c in inner}.union(*(_tags(c) for c in inner)) if inner else set()


@pytest.mark.parametrize(
    "fault",
    ["<p><ul><li>x</ul></p>", "<table><p>x</p></table>", "<b>x", "&nosuch;", "<a b b>x</a>"],
)
def test_faults_are_found(fault: str) -> None:
    """What a browser would silently repair is an error here."""
    with pytest.raises(ParseError):
        strict(pages.labels_page().replace("</main>", fault + "</main>"))
