"""Names mean nothing: a class `singaporean`, a subject `costume designer` are like any other.

The same claims, in the same unit and the same place, with the same verdicts of gates.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.design.suites import conditions
from audit.findings import (
    amplification,
    arms,
    comparison,
    copying_doses,
    detectors,
    distances,
    doses,
    effects,
    following,
    gates,
    intersections,
    quality,
    replication,
    representation,
    templates,
    why,
)
from audit.findings.pairs import Question, Tables
from audit.keys import (
    ALIGNMENT_COLUMNS,
    ALL,
    ATTRIBUTE_COLUMNS,
    BASELINE,
    MATCH_COLUMNS,
    SHAPES,
    Key,
    both,
    id_of,
)
from audit.records import (
    Attribute,
    Finding,
    Mitigation,
    Prompt,
    Reference,
    Settings,
    Suite,
    from_json,
    to_json,
)
from audit.report import answers, bounds, compare, copies, shares, wording
from audit.report import arms as overview
from audit.report import effects as shown
from audit.report.evidence import Evidence
from audit.report.exports import card, evidence
from audit.report.facts import Facts
from audit.runs.comparing import join
from tests.sizes import leading

WORDS = (
    "gap", "singaporean", "distance", "cosine", "cost", "costume designer", "paired", "not paired",
    "dose", "dose-guidance", "share", "share of", "all", "none", "count", "count-images",
    "template", "one", "one-template", "stated", "together", "association", "association-work",
    "amplification", "repeats=64", "verdict", "copies", "captions", "target", "change", "bits",
    "coefficient", "over subjects", "over", "quality", "classifier", "all classes", "entangled",
    "outcome", "drift", "leak", "person-leak", "kept", "prompt=", "extraction", "doses", "why",
    "whole_set", "detectors", "against", "mostly", "majority", "a", "b", "%2F", "100 %",
    "composition", "swap", "adherence", "kept-edges",
)  # fmt: skip
SUBJECTS = (
    ("all", "outcome", "costume designer"), ("distance", "entangled", "none"),
    ("copies", "dose-guidance", "a/b"), ("stated", "cost-alignment", "verdict"),
)  # fmt: skip
"""Subjects that would be mistaken for something else if ids were parsed, a row per seed."""
CLASSES = (
    ("singaporean", "man-template"), ("long-distance runner", "x"), ("cosine", "a&b"),
    ("bits", "change in the mean distance"),
)  # fmt: skip
MARKS = ("", " ", "-", "/", "=", "+", "&", ".", "_", "/all/", ", ", "@", "*x")
PLAIN = re.compile(r"(?:subject|attribute|class|arm|reference)\d+")


@dataclass(frozen=True)
class Names:
    """Names of things, by their plain name."""

    of: dict[str, str]

    def __call__(self, plain: str) -> str:
        """The name of something."""
        return self.of.get(plain, plain)

    def key(self, key: Key) -> Key:
        """The key of the same claim under these names."""
        mark = {"joint": "&", "together": ""}.get(key.kind, "")
        detail = self._both(key.detail, mark) if mark else self._text(key.detail)
        pair = key.kind in ("joint", "together")
        about = self._both(key.attribute, "+") if pair else self(key.attribute)
        return Key(key.section, self(key.arm), self._text(key.subject), about, key.kind, detail)

    def _both(self, text: str, mark: str) -> str:
        first, second = map(self, text.split(mark))
        return both(first, second, mark)

    def _text(self, text: str) -> str:
        return PLAIN.sub(lambda m: self(m[0]), text)


ALIKE = Names({})


def hostile(seed: int) -> Names:
    """Distinct names drawn from words that mean something elsewhere."""
    rng, taken = np.random.default_rng(seed), {BASELINE, ALL, ""}
    out = {f"subject{i}": s for i, s in enumerate(SUBJECTS[seed])}
    out |= {f"class{i}": s for i, s in enumerate(CLASSES[seed])}
    taken |= set(out.values())
    plain = [*(f"attribute{i}" for i in range(2)),
             *(f"class{i}" for i in range(2, 5)), *(f"arm{i}" for i in range(3)),
             *(f"reference{i}" for i in range(2))]  # fmt: skip
    for name in plain:
        drawn = ""
        while drawn in taken:
            n = int(rng.integers(1, 3))
            drawn = str(rng.choice(MARKS)).join(str(w) for w in rng.choice(WORDS, n))
        taken.add(drawn)
        out[name] = drawn
    return Names(out)


@dataclass(frozen=True)
class World:
    """One small run, and another to compare it with, drawn alike under any names."""

    names: Names

    @cached_property
    def attributes(self) -> tuple[Attribute, Attribute]:
        """One of two classes and one of three."""
        two, three = ([self.names(f"class{i}") for i in r] for r in (range(2), range(2, 5)))
        return (Attribute(self.names("attribute0"), tuple(two), {}),
                Attribute(self.names("attribute1"), tuple(three), {}))  # fmt: skip

    @cached_property
    def prompts(self) -> dict[str, Prompt]:
        """Open, stating and empty prompts of three subjects, and captions at two levels."""
        out, first = [], self.attributes[0]
        for i in range(3):
            s = self.names(f"subject{i}")
            out += [Prompt(f"o{i}{t}", f"{t} {i}", s, "b", "representation", 4, template=f"t{t}")
                    for t in range(3)]  # fmt: skip
            out.append(Prompt(f"s{i}", f"said {i}", s, "b", "representation", 4,
                              states={first.name: first.classes[0]}))  # fmt: skip
        out.append(Prompt("e", "an empty park", self.names("subject0"), "b", "representation", 4,
                          expects="nobody"))  # fmt: skip
        out += [Prompt(f"c{i}", f"caption {i}", "", "c", "replication", 4, repeats=(1, 64)[i % 2])
                for i in range(6)]  # fmt: skip
        return {p.id: p for p in out}

    @cached_property
    def mitigations(self) -> tuple[Mitigation, ...]:
        """A rewriter, and two scales of guidance."""
        a = self.names("attribute0")
        return (Mitigation(self.names("arm0"), "inject", {"attribute": a}),
                Mitigation(self.names("arm1"), "guidance", {"scale": 1.0}),
                Mitigation(self.names("arm2"), "guidance", {"scale": 9.0}))  # fmt: skip

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """A skewed one and an even one."""
        out = []
        for k in range(2):
            given: dict[tuple[str, str, str], float] = {}
            for i in range(3):
                p = (0.2, 0.8, 0.7)[i] if k == 0 else 0.5
                for a, ps in zip(self.attributes, ((p, 1 - p), (0.5, 0.3, 0.2)), strict=True):
                    given |= {(self.names(f"subject{i}"), a.name, c): x
                              for c, x in zip(a.classes, ps, strict=True)}  # fmt: skip
            out.append(Reference(self.names(f"reference{k}"), "", given, ""))
        return tuple(out)

    def tables(self, run: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Attributes, alignment and matches; numbers do not depend on names."""
        rng, rows, near = np.random.default_rng(run), [], []
        found: list[tuple[object, ...]] = []
        for arm in (BASELINE, *(m.name for m in self.mitigations)):
            for p in self.prompts.values():
                for seed in range(4):
                    seed += 2 * run
                    id, same = f"{p.id}-{len(found)}", (p.id, arm, seed)
                    found.append((id, *same, *rng.random(2), "h", f"t{rng.integers(9)}", "",
                                  p.repeats, bool(rng.random() < 0.4), "label"))  # fmt: skip
                    if p.purpose == "replication":
                        continue
                    near.append((p.id, p.subject, arm, seed, rng.random(), 0.1,
                                 bool(rng.random() < 0.8)))  # fmt: skip
                    gone = rng.random() < (0.7 if p.expects else 0.1)
                    for a in self.attributes:
                        value = a.classes[int(rng.integers(len(a.classes)))]
                        rows.append((id, p.id, p.subject, arm, seed, a.name,
                                     "no person" if gone else "label", None if gone else value,
                                     0.9))  # fmt: skip
        attributes = pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))
        alignment = pd.DataFrame(near, columns=list(ALIGNMENT_COLUMNS))
        return attributes, alignment, pd.DataFrame(found, columns=list(MATCH_COLUMNS))

    def training(self) -> pd.DataFrame:
        """Training images of each subject, by kind of caption."""
        rng = np.random.default_rng(7)
        rows = [
            (self.names(f"subject{i}"), a.name, kind, "label",
             a.classes[int(rng.integers(len(a.classes)))])
            for i in range(3) for a in self.attributes for kind in ("all captions", "open")
            for _ in range(9)
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["subject", "attribute", "kind", "outcome", "value"])

    @cached_property
    def findings(self) -> list[Finding]:
        """Every section's claims of the run."""
        attributes, alignment, matches = self.tables()
        confusion = {self.attributes[0].name: np.array([[90, 10], [10, 90]])}
        context = representation.Context(self.attributes, self.references, confusion, None, 0)
        table = following.open_questions(attributes, self.prompts)
        subjects = {self.names(f"subject{i}"): 3 for i in range(3)}
        found = representation.findings(table, context, subjects)
        found += following.findings(attributes, context, self.prompts)
        found += distances.findings(table, context, subjects)
        found += amplification.findings(table, self.training(), context, subjects)
        found += intersections.findings(table, context)
        found += templates.findings(table, context, self.prompts)
        found += replication.findings(matches, self.prompts, 0)
        scales = copying_doses.of_guidance(3.0, self.mitigations)
        found += copying_doses.findings(matches, scales, self.prompts, 0)
        found += why.findings(matches[matches.arm == BASELINE], 0)
        found += detectors.findings(self.scores(), self.prompts, 0)
        vectors = np.random.default_rng(3).normal(size=(len(matches), 4))
        known = dict(zip(matches["sample"], vectors, strict=True))
        aims = {self.attributes[0].name: dict.fromkeys(subjects, 0.5)}
        for m in self.mitigations:
            asks = Question(m.name, aims, context, self.prompts)
            found += effects.findings(Tables(attributes, alignment, matches, known), asks)
        found += doses.findings(table, self.mitigations, context, {"guidance": 3.0})
        found += arms.findings(found, self.mitigations)
        found += quality.classifier(confusion, self.attributes, dict.fromkeys(confusion, "x"))
        found += quality.missing_by_subject(table, self.attributes, 0)
        return [*found, *quality.subjects(alignment, 0)]

    def scores(self) -> pd.DataFrame:
        """A detector's scores of captions and ordinary prompts."""
        rng = np.random.default_rng(2)
        rows = [
            (p.id, name, "caption" if p.purpose == "replication" else "ordinary", rng.random(), "")
            for name in ("magnitude", "edges") for p in self.prompts.values()
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["prompt", "detector", "side", "score", "reason"])

    @cached_property
    def changes(self) -> list[Finding]:
        """Changes from this run to another: in pairs, and between groups."""
        arm = self.mitigations[0].name
        first, again, second = ([t[t.arm == arm] for t in self.tables(run)] for run in (0, 0, 1))
        out = []
        classes = {a.name: a.classes for a in self.attributes}
        for other in (again, second):
            read, fits, near = [join(a, b, also) for a, b, also in zip(
                (*first[:2], first[2].assign(group="ordinary prompts")),
                (*other[:2], other[2].assign(group="ordinary prompts")),
                (["attribute", "subject"], ["subject"], ["group"]), strict=True)]  # fmt: skip
            out.append(comparison.findings(read, fits, near, comparison.Context(classes)))
        return [f for found in out for f in found]

    @cached_property
    def evidence(self) -> Evidence:
        """Input of the report."""
        suite = Suite("s", "S", "?", tuple(self.prompts.values()), self.attributes,
                      self.references, self.mitigations)  # fmt: skip
        attributes, _, matches = self.tables()
        none = np.zeros((4, 4, 3), np.uint8)
        return Evidence(suite, Settings("m", "r", 20, 3.0, 1), self.findings, attributes, matches,
                        {}, lambda id: none, lambda id: none, Facts())  # fmt: skip


def places(one: Evidence) -> Iterator[tuple[str, list[Finding]]]:
    """What the report and the exports show, and where."""
    yield "answers", answers.answers(one)
    yield "overall", shares.overall(one)
    yield "templates", shares.templates(one)
    every, grids, _ = shares.amplified(one)
    yield "amplified, all", every
    yield from ((f"amplified {i}", [*g.findings]) for i, g in enumerate(grids))
    for i, part in enumerate(shares.parts(one, {})):
        yield f"part {i}", [*part.findings]
    for i, grid in enumerate(shares.distances(one)):
        yield f"distances {i}", [*grid.findings]
    for i, joint in enumerate(shares.joints(one)):
        yield f"joint {i}", [joint.together, *(f for _, cells in joint.rows for f in cells)]
    copied = copies.replication(one)
    assert copied
    yield "rates", copied["rates"]
    yield "counts", copied["counts"]
    yield "doses of copies", copied["doses"]["found"]
    yield from (("beside " + kind, rows) for kind, rows in copied["beside"])
    for i, arm in enumerate(shown.mitigations(one, {})):
        yield from ((f"{i} {k}", arm[k]) for k in ("more", "rest"))
        yield f"{i} verdict", [arm["verdict"]]
        yield from ((f"{i} table {k}", t["effects"]) for k, t in enumerate(arm["tables"]))
    glance = overview.overview(one)
    for i, row in enumerate(glance["rows"]):
        yield f"glance {i}", [f for f in row.values() if isinstance(f, Finding)]
    for i, dose in enumerate(glance["doses"]):
        yield f"doses {i}", [*dose["rows"], *dose["claims"]]
    yield "card", [f for f in one.findings if card.whole(f)]
    for c in evidence.clauses():
        yield c.clause, c.cited(one.findings)


def tables_of(found: list[Finding], key: Callable[[Key], Key]) -> Counter[frozenset[Key]]:
    """Which findings are in the same table, as keys."""
    groups: dict[bounds.Table, set[Key]] = {}
    for f in found:
        groups.setdefault(bounds.table(f), set()).add(key(f.key))
    return Counter(map(frozenset, groups.values()))


USUAL = World(ALIKE)


@cache
def named(seed: int) -> World:
    """The world under drawn names."""
    return World(hostile(seed))


SEEDS = leading(1, range(4))
"""One draw of names in every run; the rest come at night."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_names_change_no_meaning(seed: int) -> None:
    """Key, unit, what was counted, and the verdict of a gate: as under plain names."""
    world = named(seed)
    for plain, other in ((USUAL.findings, world.findings), (USUAL.changes, world.changes)):
        by_key = {f.key: f for f in other}
        assert {world.names.key(f.key) for f in plain} == set(by_key)
        assert len({f.id for f in by_key.values()}) == len(by_key)
        for f in plain:
            g = by_key[world.names.key(f.key)]
            assert (f.unit, f.counted, f.section, f.floor > 0) == (
                g.unit, g.counted, g.section, g.floor > 0,
            ), g.id  # fmt: skip
            assert f.name.count(".") == g.name.count("."), g.id
            assert wording.estimate(f) == wording.estimate(replace(g, estimate=f.estimate))
            same = replace(g, estimate=f.estimate, low=f.low, high=f.high)
            for bound in (0.0, 0.3, 0.6):
                one, two = (gates.judge(conditions.parse(f"x <= {bound}"), x) for x in (f, same))
                assert (one.verdict, one.unit, one.reason) == (two.verdict, two.unit, two.reason)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_names_change_no_place_on_the_page(seed: int) -> None:
    """Answers, charts, tables, folded lists, the card and the clauses contain the same claims."""
    world = named(seed)
    wanted = [(w, Counter(world.names.key(f.key) for f in r)) for w, r in places(USUAL.evidence)]
    found = [(where, Counter(f.key for f in rows)) for where, rows in places(world.evidence)]
    assert found == wanted
    usual = tables_of(USUAL.findings, world.names.key)
    assert usual == tables_of(world.findings, lambda k: k)
    plain, other = (compare.parts(w.changes, {}) for w in (USUAL, world))
    assert [[world.names.key(f.key) for f in p["rows"]] for p in plain] == [
        [f.key for f in p["rows"]] for p in other
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_findings_are_found_by_their_own_names(seed: int) -> None:
    """An id selects its finding alone; keys come back from the file."""
    found = named(seed).findings
    again = from_json(to_json(found))
    assert [f.key for f in again] == [f.key for f in found]
    for f in found[:: len(found) // 40]:
        assert gates.select(f.id, found) == [f]
        assert f in gates.select(f.name, found)


parts = st.lists(st.sampled_from([*WORDS, *MARKS]), min_size=1, max_size=3).map("".join)
KINDS = [(section, kind) for section in SHAPES for kind in SHAPES[section]]


def key(section: str, kind: str, text: tuple[str, ...]) -> Key:
    """A key of a kind, with the parts that its id shows; a joint one of two names each."""
    arm, subject, about, detail, more = text
    shape = SHAPES[section][kind]
    if kind in ("joint", "together"):
        about = both(about, more, "+")
        detail = both(detail, more, "&") if kind == "joint" else ""
    level = "{level}" in shape
    return Key(
        section, arm if "{arm}" in shape else BASELINE, subject if "{subject}" in shape else "",
        about if level or "{attribute}" in shape or "{of}" in shape else "", kind,
        detail if level or "{detail}" in shape else "",
    )  # fmt: skip


OPEN = [(s, k) for s, k in KINDS if s == "representation" or (s, k) in (
    ("mitigation", "change"), ("mitigation", "target-distance"), ("comparison", "share"),
    ("quality", "classifier"), ("quality", "classifier-class"), ("quality", "people-share"),
    ("mitigation", "distance"), ("mitigation", "entangled"), ("mitigation", "entangled-distance"),
)]  # fmt: skip
"""Kinds whose parts are names chosen by users."""


@given(st.sampled_from(OPEN), st.sampled_from(OPEN), st.tuples(*[parts] * 5),
       st.tuples(*[parts] * 5))  # fmt: skip
def test_different_keys_have_different_ids(
    one: tuple[str, str], two: tuple[str, str], these: tuple[str, ...], those: tuple[str, ...]
) -> None:
    """Whatever the names, no two claims share an id."""
    first, second = key(*one, these), key(*two, those)
    assert (id_of(first) == id_of(second)) == (first == second)


@given(st.tuples(*[parts] * 5))
def test_the_same_words_have_one_id_per_kind(text: tuple[str, ...]) -> None:
    """All kinds with the same names: as many ids as keys."""
    keys = {key(s, k, text) for s, k in OPEN}
    assert len({id_of(k) for k in keys}) == len(keys)
