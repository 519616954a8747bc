"""Pages of the suites and of their attributes."""

from __future__ import annotations

from collections.abc import Sequence

from audit import records, registry
from audit.design import suites
from docs.making.markdown import code, doc, quoted, said, section, table


def suite_page() -> str:
    """One section per shipped suite."""
    more = "For the meaning of the numbers and the limits, see [suites.md](../suites.md).\n\n"
    return more + "".join(_suite(name, title) for name, title in suites.list_suites())


def _suite(name: str, title: str) -> str:
    s = suites.read_suite(name)
    blocks: dict[str, list[records.Prompt]] = {}
    for p in s.prompts:
        blocks.setdefault(p.block, []).append(p)
    asked = table(
        ("block", "about", "prompts", "images each", "attributes", "for example"),
        [
            (code(b), ps[0].purpose, len(ps), ps[0].seeds, quoted(ps[0].attributes), ps[0].text)
            for b, ps in blocks.items()
        ],
    )
    targets = table(
        ("reference", "meaning", "source"), [(code(r.name), r.label, r.source)
                                                for r in s.references],
    )  # fmt: skip
    arms = table(
        ("mitigation", "method", "options", "blocks"),
        [
            (code(m.name), f"[{m.method}](mitigations.md#{m.method})",
             ", ".join(f"{k} = {v}" for k, v in m.options.items()), quoted(m.blocks))
            for m in s.mitigations
        ],
    )  # fmt: skip
    rest = [f"Training set: {code(s.corpus)}."] if s.corpus else []
    rest += [f"Association: {a.title}." for a in s.associations]
    rest += [f"Gates: {quoted(s.checks)}."] if s.checks else []
    command = f"```sh\nt2i-audit run {name}\n```"
    about = f"[About its numbers](../suites.md#{name})."
    return section(name, f"*{title}.* {s.question}", command, asked, targets, arms,
                   " ".join([*rest, about]))  # fmt: skip


def attribute_page() -> str:
    """One section per attribute of the shipped suites, then the readers of pixels."""
    by_name: dict[str, list[tuple[str, records.Attribute]]] = {}
    for name, _ in suites.list_suites():
        for a in suites.read_suite(name).attributes:
            by_name.setdefault(a.name, []).append((name, a))
    head = (
        "Attributes are perceived from pixels. One that is read by `clip` gets the class whose "
        "texts are nearest to the image; below the threshold the reading is missing. A suite "
        "declares its own in `[attributes.NAME]`.\n\n"
    )
    return head + "".join(_attribute(n, uses) for n, uses in by_name.items()) + _readers()


def _attribute(name: str, uses: Sequence[tuple[str, records.Attribute]]) -> str:
    kinds: dict[str, tuple[records.Attribute, list[str]]] = {}
    for suite, a in uses:
        kinds.setdefault(repr(a), (a, []))[1].append(suite)
    parts = []
    for a, where in kinds.values():
        how = f"threshold {a.threshold:g}" if a.threshold else "no threshold"
        parts.append(f"In {quoted(where)}: read by {code(a.reader)}, {how}.")
        parts.append(table(("class", "texts"), [(code(c), "; ".join(a.texts.get(c, ())))
                                                for c in a.classes]))  # fmt: skip
    return section(name, *parts)


def _readers() -> str:
    rows = [(code(n), said(target)) for n, target in registry.READERS.items()]
    own = said("audit.evidence.attributes.pictures")
    faces = said("audit.evidence.attributes.faces")
    return section("Readers of pixels", doc(own), faces, table(("`reader = `", "reading"),
                                                               rows))  # fmt: skip
