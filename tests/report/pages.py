"""The four kinds of pages as people get them, from evidence that was made for them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from audit.evidence.attributes.colour import EMOJI
from audit.evidence.copies.facts import EditCosines
from audit.evidence.labels.sheet import REASONS
from audit.report import compare, labels, page, search
from audit.report.evidence import Evidence
from audit.report.facts import LookFacts, Looks
from audit.runs import comparing
from audit.runs.searching import COLUMNS
from tests.builders.runs import Plan, write
from tests.report.made import Size, evidence

SIZE = Size(subjects=("technologist", "nurse", "cook"), seeds=6, captions=12)
SMALL = Size(subjects=("nurse", "cook"), seeds=2, captions=4)
EDIT = EditCosines("crop 50 %", 40, 0.41, 0.57, 0.83, 1560, 0.02, 0.1, 0.29)


def picture(id: str) -> np.ndarray:
    """Some picture, the same for the same id: uint8[64, 64, 3]."""
    rng = np.random.default_rng(sum(id.encode()))
    return np.kron(rng.integers(0, 256, (4, 4, 3)), np.ones((16, 16, 1))).astype(np.uint8)


@cache
def whole(hostile: str = "", size: Size = SIZE) -> Evidence:
    """A run with every section, folded ones too."""
    named = tuple(s + hostile for s in size.subjects)
    one = evidence(replace(size, hostile=hostile, subjects=named))
    arms = {m.name: m.name + hostile for m in one.suite.mitigations}
    mitigations = tuple(replace(m, name=arms[m.name]) for m in one.suite.mitigations)
    found = [replace(f, key=f.key._replace(arm=arms.get(f.arm, f.arm))) for f in one.findings]
    table = one.attributes.assign(arm=one.attributes.arm.replace(arms))
    samples = {k: replace(s, arm=arms.get(s.arm, s.arm)) for k, s in one.samples.items()}
    one = replace(one, suite=replace(one.suite, mitigations=mitigations), findings=found,
                  attributes=table, samples=samples)  # fmt: skip
    row = LookFacts("none", "nurse" + hostile, "gender", "woman", 40, 0.5, 0.9)
    looks = Looks(0.05, 3, 0.98, 400, 900, ("nurse" + hostile,), (row,))
    return replace(one, facts=replace(one.facts, edits=(EDIT,), sequential=looks))


def run_page(hostile: str = "") -> str:
    """The page of a run."""
    return page.page(whole(hostile, SMALL if hostile else SIZE))


def compare_page(hostile: str = "") -> str:
    """The page of a comparison, whose names and notes are untrusted."""
    with TemporaryDirectory() as place:
        first = comparing.read(write(Path(place) / "a", Plan(seed=3)), "A")
        other = Plan("two", {"nurse": 0.3, "cook": 0.5}, seed=4)
        second = comparing.read(write(Path(place) / "b", other), "B")
        found = comparing.compare(first, second)
    rows = [replace(f, where=f.where + hostile, sentence=f.sentence + hostile)
            for f in found.findings]  # fmt: skip
    runs = ({"suite": "small" + hostile}, {"suite": "small"})
    notes = [*found.notes, "A note." + hostile]
    return compare.page(compare.Pair(("one" + hostile, "two"), runs, rows, notes, 0.1))


def several_page(hostile: str = "") -> str:
    """The page of a comparison of three runs, two of them with the first."""
    others = [Plan("two", {"nurse": 0.3, "cook": 0.5}, seed=4), Plan("three", seed=5)]
    with TemporaryDirectory() as place:
        paths = [
            write(Path(place) / n, p) for n, p in zip("abc", [Plan(seed=3), *others], strict=True)
        ]
        made = comparing.several(paths)
    found = [replace(f, where=f.where + hostile, sentence=f.sentence + hostile)
             for m in made for f in m.findings]  # fmt: skip
    letters = {f.id: m.b.name for m in made for f in m.findings}
    named = [compare.Other(m.b.name, m.b.model + hostile) for m in made]
    runs = [{"suite": "small" + hostile}, {"suite": "small"}, {"suite": "small"}]
    return compare.several_page(
        compare.Several("one" + hostile, named, runs, found, letters, ["A note." + hostile], 0.1)
    )


def search_page(hostile: str = "") -> str:
    """The page of a search: a copy with a part that was framed, and an image that is not a copy."""
    box = [0.1, 0.2, 0.6, 0.9]
    rows = [
        ("a.png" + hostile, 1, 0.98, 0.003, 0.001, 0.02, 0.006, "copy", "", "t1" + hostile,
         "a nurse" + hostile, 4, box, box),
        ("a.png" + hostile, 2, 0.6, *[np.nan] * 4, "", "", "t2", "a cook", 1, None, None),
        ("b.png", 1, 0.5, 0.4, 0.3, 0.5, 0.4, "no copy found", "", "t3", "a judge", 1, None, None),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    searched = search.Searched(table, 300, 300, 0.25, "embedded-copy" + hostile, "",
                               {"c.png" + hostile: "not a picture" + hostile})  # fmt: skip
    return search.page(searched, picture, picture)


def labels_page(hostile: str = "") -> str:
    """The page that goes with a labelling sheet."""
    asked = ["gender" + hostile] * 2 + ["skin_tone"] * 2
    rows = pd.DataFrame({"sample": list("abcd"), "attribute": asked})
    classes = {"gender" + hostile: ["woman" + hostile, "man"], "skin_tone": list(EMOJI)}
    return labels.labelling_page(rows, classes, REASONS, picture, "run" + hostile)


KINDS = {
    "run": run_page,
    "compare": compare_page,
    "several": several_page,
    "search": search_page,
    "labels": labels_page,
}
