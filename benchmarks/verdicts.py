"""How often every verdict is given where it is false, and where it is true.

    python -m benchmarks.verdicts [--jobs 4] [--work build/verdicts] [--write]
        [--only NAME] [--reduced] [--runs N]

Audits of known truth are simulated (`verdict_worlds.py`) in the settings that `verdict_claims.py`
names for each verdict: one thing at a time differs from 20 subjects with 5 prompts of 6 images, an
intraclass correlation of .1 and a reader without errors; then four corners. Each audit yields all
verdicts that it can be about.

Results are one JSON line per cell and block of audits, in a file of `--work`; a second call adds
what is missing. The random numbers of an audit depend on its cell and its number alone, so results
do not depend on `--jobs` or on interruptions. All of it takes about ten hours on one core; with
`--runs 100` it takes a third, and a call without it then adds the rest. Lines of other versions
of the package's statistics are left alone and not used. `--only` takes part of a verdict's name,
such as `share: equivalent`; `--reduced` is a form of a few minutes with two small settings, in a
file of its own. `--write` writes the tables into docs/verdicts.md; without it they are printed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from audit.files import write_atomic
from benchmarks.verdict_claims import (
    CLAIMS,
    CORNERS,
    DEFAULT,
    FEW,
    REDUCED,
    Claim,
    settings,
)
from benchmarks.verdict_results import ROOT, Cell, Rate, Results, cells, measure, rate
from benchmarks.verdict_worlds import READERS, Setting, relevant

PAGE = ROOT / "docs" / "verdicts.md"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
AXES: tuple[tuple[str, tuple[Setting, ...]], ...] = (
    ("by prompts per subject", tuple(replace(DEFAULT, prompts=n) for n in (2, 3, 5, 10, 20))),
    ("by subjects", tuple(replace(DEFAULT, subjects=n) for n in (2, 3, 5, 10, 20))),
    ("by images, likeness and reader", (
        replace(DEFAULT, images=30), *(replace(DEFAULT, icc=r) for r in (0.0, 0.3)),
        *(replace(DEFAULT, reader=r) for r in list(READERS)[1:]),
    )),
    ("in the corners", CORNERS),
)  # fmt: skip
"""Tables of false-positive rates: heading and settings."""


def found(claim: Claim, at: Setting, results: Results, power: bool = False) -> Rate | None:
    """A claim's rate in a setting; None where it is not measured there.

    What is not about images of one prompt, or about the reader, is not measured by these.
    """
    truth, world = claim.power if power else claim.null, claim.null.scene.world
    here = relevant(world, at)
    if truth is None or here not in settings(claim, power, at in REDUCED):
        return None
    if here == DEFAULT != at:
        return None
    words = (claim.right or claim.words) if power else claim.words
    return rate(results.of(Cell(truth.scene, here)), claim, words)


def tables(claims: Sequence[Claim], results: Results, reduced: bool = False) -> str:
    """All tables as Markdown."""
    axes = (("in two small settings", REDUCED),) if reduced else AXES
    used = REDUCED if reduced else FEW
    parts = ["### What is false, and what is true", _truths(claims),
             "### Rates above their level", _flagged(claims, axes, results)]  # fmt: skip
    for heading, columns in axes:
        parts += [f"### False-positive rates {heading}", _rates(claims, columns, results)]
    parts += ["### Power", _rates(claims, used, results, power=True)]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
                     for line in lines)  # fmt: skip


def _level(claim: Claim) -> str:
    return "not stated" if claim.level is None else f"{claim.level:g}".lstrip("0")


def _truths(claims: Sequence[Claim]) -> str:
    rows = [(c.name, _level(c), c.null.words, c.power.words if c.power else "") for c in claims]
    return _table(("verdict", "level", "false: counted as an error", "true: counted as power"),
                  rows)  # fmt: skip


def _flagged(
    claims: Sequence[Claim], axes: Sequence[tuple[str, Sequence[Setting]]], results: Results
) -> str:
    """The cells that are above their level, and how many there are."""
    rows, measured = [], 0
    for claim in claims:
        for at in dict.fromkeys(a for _, columns in axes for a in columns):
            got = found(claim, at, results)
            if got is None or not got.audits:
                continue
            measured += 1
            if got.flagged(claim.level):
                rows.append((claim.name, _level(claim), said(at), str(got)))
    words = f"{len(rows)} of {measured} cells exceed their level by more than .02, with an interval"
    text = f"{words} that excludes it"
    return (
        f"{text}:\n\n" + _table(("verdict", "level", "setting", "rate"), rows)
        if rows
        else (f"{text}.")
    )


def _rates(
    claims: Sequence[Claim], columns: Sequence[Setting], results: Results, power: bool = False
) -> str:
    """A table of rates; flagged ones are bold."""

    def row(claim: Claim) -> Iterator[str]:
        for at in columns:
            got = found(claim, at, results, power)
            text = "" if got is None or not got.audits else str(got)
            bold = got is not None and not power and got.flagged(claim.level)
            yield f"**{text}**" if bold else text

    rows = [(claim, list(row(claim))) for claim in claims]
    shown = [[c.name, *([] if power else [_level(c)]), *cells] for c, cells in rows if any(cells)]
    return _table(("verdict", *(() if power else ("level",)), *map(said, columns)), shown)


def said(at: Setting) -> str:
    """A setting in words: what differs from the default."""
    usual = DEFAULT
    parts = [
        f"{at.subjects} subjects" if at.subjects != usual.subjects else "",
        f"{at.prompts} prompts" if at.prompts != usual.prompts else "",
        f"{at.images} images" if at.images != usual.images else "",
        f"ICC {at.icc:g}" if at.icc != usual.icc else "",
        f"reader {at.reader}" if at.reader != usual.reader else "",
    ]
    return ", ".join(filter(None, parts)) or "default"


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate what is missing, and print or write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "verdicts")
    parser.add_argument("--only", default="", help="part of a verdict's name")
    parser.add_argument("--reduced", action="store_true", help="two small settings, few audits")
    parser.add_argument("--runs", type=int, help="at most this many audits in each cell")
    parser.add_argument("--write", action="store_true", help="write the tables into the page")
    options = parser.parse_args(arguments)
    claims = [c for c in CLAIMS if options.only in c.name]
    if not claims:
        parser.error(f"no verdict's name contains {options.only!r}")
    results = Results(options.work / ("reduced.jsonl" if options.reduced else "cells.jsonl"))
    wanted = cells(claims, options.reduced)
    wanted = {c: min(n, options.runs or n) for c, n in wanted.items()}
    measure(results, wanted, options.jobs)
    text = tables(claims, results, options.reduced)
    if not options.write:
        print(text)
        return
    page = PAGE.read_text("utf-8")
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    write_atomic(PAGE, f"{head}{BEGIN}\n\n{text}\n{END}{tail}".encode())


if __name__ == "__main__":
    main()
