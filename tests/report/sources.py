"""Reads a finished page the other way: from every printed number back to the finding it is of."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from audit.records import Finding

VOID = frozenset({"meta", "img", "br", "link", "input", "hr", "path", "use"})
NUMBER = re.compile(r"(?<![\w.])([-+]?\d+(?:\.\d+)?)(\s?%)?")
ESTIMATE = re.compile(
    r"([-+]?\d[\d.]*)(?: %)?(?: points)? \[([-+]?\d[\d.]*)(?: %)?, ([-+]?\d[\d.]*)(?: %)?\]"
)
COLUMNS: dict[str, Callable[[Finding], Sequence[float]]] = {
    "n": lambda f: [f.n],
    "pairs": lambda f: [f.n],
    "independent": lambda f: [f.n_effective],
    "missing": lambda f: [f.missing],
    "as read": lambda f: [f.naive],
    "95 % interval": lambda f: [f.low, f.high],
    "worst case": lambda f: [f.worst_low, f.worst_high],
    "q": lambda f: [f.q],
    "flagged by the rate": lambda f: [f.references["flagged"]],
    "of them false, at most": lambda f: [f.references["expected false"]],
    "A": lambda f: [f.references["before"]],
    "B": lambda f: [f.references["after"]],
    **dict.fromkeys(
        ("corrected", "estimate", "change", "distance, points", "copies removed",
         "alignment, cosine"),
        lambda f: [f.estimate],
    ),
}  # fmt: skip
"""What the head of a column promises of each finding below it."""
WORDS = frozenset({"subject", "class", "quantity", "what", "prompts", "arm", "method", "verdict",
                   "against the target", "n, and how it was counted", ""})  # fmt: skip
"""Heads of columns that hold words."""
SAID = frozenset({1, 10, 20, 100})
"""Numbers of phrases: 3 in 10, 1 run of 20, 4 in 100."""


@dataclass
class Node:
    """An element with its attributes, its children in order, and its parent."""

    tag: str
    attributes: dict[str, str]
    parent: Node | None = None
    children: list[Node | str] = field(default_factory=list)

    def text(self) -> str:
        """All words below, numbers as machines write them."""
        words = "".join(c if isinstance(c, str) else c.text() for c in self.children)
        return plain(words)

    def all(self, tag: str) -> Iterator[Node]:
        """Elements of a kind below, in document order."""
        for c in self.children:
            if isinstance(c, Node):
                if c.tag == tag:
                    yield c
                yield from c.all(tag)


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.top = self.at = Node("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {k: v or "" for k, v in attrs}, self.at)
        self.at.children.append(node)
        if tag not in VOID:
            self.at = node

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.at.children.append(Node(tag, {k: v or "" for k, v in attrs}, self.at))

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, (self.at.tag, tag)
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.children.append(data)


def tree(page: str) -> Node:
    """The page's elements; AssertionError where one closes that was not opened last."""
    reader = _Tree()
    reader.feed(page)
    reader.close()
    assert reader.at is reader.top
    return reader.top


def plain(words: str) -> str:
    """Words with plain spaces and minus signs, and no thin space inside a number."""
    words = words.replace("\u202f", "").replace("\u2212", "-").replace("\u00a0", " ")
    return " ".join(words.split())


def rounds_to(shown: str, percent: bool, value: float) -> bool:
    """Whether a printed number is a value rounded to the digits that are printed."""
    if not math.isfinite(value):
        return False
    digits = len(shown.partition(".")[2])
    scales = (100.0,) if percent else (1.0,) if digits >= 2 else (1.0, 100.0)
    near = 0.5 * 10.0**-digits + 1e-7
    return any(abs(float(shown) - s * value) <= near for s in scales)


@dataclass
class Checked:
    """What was read: how many numbers have a source, and what has none."""

    numbers: int = 0
    findings: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    other_tables: list[str] = field(default_factory=list)
    """Captions of tables without any finding."""


def check(page: str, findings: Sequence[Finding]) -> Checked:
    """Every number in a cell or a claim of the page against the findings, by their ids."""
    top, out = tree(page), Checked()
    by_id = {plain(f.id)[:200]: f for f in findings}
    for table in top.all("table"):
        _table(table, by_id, out)
    for tag in ("li", "p"):
        for claim in top.all(tag):
            id = plain(claim.attributes.get("data-finding", ""))
            if not id:
                continue
            f = by_id.get(id)
            if f is not None and plain(f.sentence).replace("= < ", "< ")[:300] not in claim.text():
                out.findings.add(id)
                _free(claim, f, by_id.values(), out)
            else:
                _claim(claim, by_id, id, out)
    _charts(top, findings, out)
    return out


def _ids(node: Node) -> list[str]:
    own = [node.attributes["data-finding"]] if "data-finding" in node.attributes else []
    return [*own, *(i for c in node.children if isinstance(c, Node) for i in _ids(c))]


def _table(table: Node, by_id: dict[str, Finding], out: Checked) -> None:
    caption = next(table.all("caption")).text()
    if not _ids(table):
        out.other_tables.append(caption)
        return
    head_cells = [c for r in next(table.all("thead")).all("tr") for c in _cells(r)]
    heads = [c.text() for c in head_cells]
    names = {c.text(): c.attributes["data-reference"] for c in head_cells
             if "data-reference" in c.attributes}  # fmt: skip
    for row in next(table.all("tbody")).all("tr"):
        ids = _ids(row)
        if not ids:
            out.faults.append(f"{caption}: a row without a finding: {row.text()[:60]}")
            continue
        at = plain(ids[0])
        for head, cell in zip(heads, _cells(row), strict=True):
            head = names.get(head, head)
            at = plain(cell.attributes.get("data-finding", at))
            if at not in by_id:
                out.faults.append(f"{caption}: no finding {at}")
                break
            out.findings.add(at)
            if "cell" in cell.attributes.get("class", "").split() and any(cell.all("b")):
                _grid_cell(cell, by_id[at], out)
            else:
                _cell(cell.text(), head, by_id[at], out)


def _cells(row: Node) -> list[Node]:
    return [c for c in row.children if isinstance(c, Node) and c.tag in ("td", "th")]


def _cell(text: str, head: str, f: Finding, out: Checked) -> None:
    """One cell: its numbers are what its head promises, in that order."""
    shown = NUMBER.findall(text)
    if not shown or head.lower() in WORDS:
        return
    if head in f.references and head != "distance":
        wanted: Sequence[float] = [f.references[head]]
    elif head in COLUMNS:
        wanted = COLUMNS[head](f)
    else:  # a class of the second attribute heads a joint share
        wanted = [f.estimate, f.low, f.high]
    percent = "%" in text
    if text == "under 5":
        good = f.verdict == "undecided" and round(f.estimate * f.n) < 5
    elif head == "distance":
        good = len(shown) == 1 and any(rounds_to(shown[0][0], True, v) for v in wanted)
    elif head == "q" and text.startswith("<"):
        good = f.q < float(shown[0][0])
    else:
        good = len(shown) == len(wanted) and all(
            rounds_to(s, percent, v) for (s, _), v in zip(shown, wanted, strict=True)
        )
    out.numbers += len(shown)
    if not good:
        out.faults.append(f"{f.id}: {head} is {text!r}, not {list(wanted)}")


def _grid_cell(cell: Node, f: Finding, out: Checked) -> None:
    """A cell with estimate, interval and, in small, what else the finding counts."""
    parts = {tag: next(cell.all(tag)).text() for tag in ("b", "small")}
    span = next(n for n in cell.all("span") if n.attributes.get("class") == "i").text()
    _cell(parts["b"], "estimate", f, out)
    _cell(span, "95 % interval", f, out)
    known = [f.floor, f.floor_high, f.naive, f.n, f.n_effective]
    for shown, percent in NUMBER.findall(parts["small"]):
        out.numbers += 1
        if not any(rounds_to(shown, bool(percent), v) for v in known):
            out.faults.append(f"{f.id}: {shown} in {parts['small']!r} is not in {known}")


def values(f: Finding, findings: Iterable[Finding]) -> list[float]:
    """Every number that a card or a plain sentence about a finding may show.

    That of an arm shows its gain and its cost; an average, and a share that is undone by many
    comparisons, count them.
    """
    of = [f]
    if f.key.kind == "verdict":
        of += [g for g in findings if g.arm == f.arm and g.section == f.section]
    out = [x for g in of for x in (g.estimate, g.low, g.high, g.floor, g.floor_high, g.n,
                                   g.n_effective, g.missing, *g.references.values())]  # fmt: skip
    if f.key.kind == "share" and f.family:
        out.append(sum(g.family == f.family for g in findings))
    if f.key.kind == "gap":
        shares = [g for g in findings if g.key.kind == "share" and g.arm == f.arm
                  and g.key.attribute == f.key.attribute]  # fmt: skip
        out += [len(shares), *range(1, len(shares))]
    return out


def _free(node: Node, f: Finding, findings: Iterable[Finding], out: Checked) -> None:
    """Numbers of a card or of a plain sentence: each is one of the finding's, as it is said."""
    known = values(f, findings)
    words = " ".join(c if isinstance(c, str) else c.text() for c in node.children)
    words = re.sub(r"q = [\d.]+|\b(?:all|these) \d+ subjects", "", plain(words))
    named = {float(n) for n, _ in NUMBER.findall(f"{f.where} {f.key.detail} {f.arm}")}
    for shown, _ in NUMBER.findall(words):
        out.numbers += 1
        value = abs(float(shown))
        digits = len(shown.partition(".")[2])
        near = 0.5 * 10.0**-digits + 1e-7
        good = value in SAID | named or any(
            abs(value - s * abs(v)) <= near for v in known if math.isfinite(v) for s in (1, 10, 100)
        )
        if not good:
            out.faults.append(f"{f.id}: {shown} in {words!r} is not in {known}")
    for figure in node.all("p"):
        if figure.attributes.get("class") == "big" and f.key.kind != "verdict":
            first = NUMBER.findall(figure.text())
            if first and not rounds_to(first[0][0], bool(first[0][1]), f.estimate):
                out.faults.append(f"{f.id}: the figure is {first}, not {f.estimate}")


def _claim(node: Node, by_id: dict[str, Finding], id: str, out: Checked) -> None:
    """A sentence is its finding's own, and each of its numbers one that the finding holds."""
    if id not in by_id:
        out.faults.append(f"no finding {id}")
        return
    f, text = by_id[id], node.text()
    out.findings.add(id)
    said = plain(f.sentence).replace("= < ", "< ")
    if said[:300] not in text:
        out.faults.append(f"{id}: {text!r} is not {said!r}")
    wanted: list[tuple[str, bool, Sequence[float]]] = []
    # A verdict on an arm names what it rests on: the arm's own gain and cost.
    verdict = id.endswith("/verdict")
    of = [g for g in by_id.values() if verdict and g.arm == f.arm and g.section == f.section]
    for whole in ESTIMATE.finditer(text):
        percent = "%" in whole[0]
        wanted.append((whole[1], percent, [v for g in (f, *of) for v in (g.estimate, g.naive)]))
        wanted.append((whole[2], percent, [v for g in (f, *of) for v in (g.low, g.naive_low)]))
        wanted.append((whole[3], percent, [v for g in (f, *of) for v in (g.high, g.naive_high)]))
    wanted += [(n, False, [f.n, f.n_effective]) for n in re.findall(r"\bn = (\d+)", text)]
    wanted += [(n, False, [f.missing]) for n in re.findall(r"(\d+) missing", text)]
    wanted += [(p, False, [f.p]) for p in re.findall(r"\bp = ([\d.]+\d)", text)]
    wanted += [(q, False, [f.q]) for q in re.findall(r"adjusted ([\d.]+\d)", text)]
    noise = re.search(r"share ([\d.]+) bits; noise alone gives ([\d.]+\d)", text)
    wanted += [(x, False, [v]) for x, v in zip(
        noise.groups() if noise else (), (f.estimate, f.floor), strict=False)]  # fmt: skip
    for limit in re.findall(r"\bp < ([\d.]+\d)", text):
        out.numbers += 1
        if not f.p < float(limit):
            out.faults.append(f"{id}: p is {f.p}, not below {limit}")
    for shown, percent, known in wanted:
        out.numbers += 1
        if not any(rounds_to(shown, percent, v) for v in known):
            out.faults.append(f"{id}: {shown} in {text!r} is not in {list(known)}")


def _charts(top: Node, findings: Sequence[Finding], out: Checked) -> None:
    """The lowest and the highest estimate that a chart reads aloud are some finding's."""
    for svg in top.all("svg"):
        label = plain(svg.attributes["aria-label"])
        ends = re.search(r"Lowest: (.*) (\d[\d.]*) %; highest: (.*) (\d[\d.]*) %\.", label)
        for where, shown in (ends.group(1, 2), ends.group(3, 4)) if ends else ():
            out.numbers += 1
            named = (f.estimate for f in findings if _same(where, f))
            if not any(rounds_to(shown, True, v) for v in named):
                out.faults.append(f"chart: {where} {shown} %")


def _same(where: str, f: Finding) -> bool:
    """Whether a chart's label is of a finding: its subject, or the level of repetition."""
    level = re.search(r"\b(once|\d+ times)\b", where)
    if level:
        times = 1 if level[1] == "once" else int(level[1].split()[0])
        return f"repeats={times}" in f.id
    return where.split(",")[0].rstrip("\N{HORIZONTAL ELLIPSIS}") in plain(f.where)


def embedded(page: str) -> list[dict[str, object]]:
    """The rows of the JSON inside the page."""
    body = re.search(r'id="findings">(.*?)</script>', page, re.S)
    assert body
    return list(json.loads(body[1]))
