"""Comparison of two finished runs on their common prompts, read from their folders alone.

Prompts are the same where their texts are; pairs share text, arm and seed. Both runs must use the
same readers, or a change of readers would be mistaken for a change of models.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pandas as pd

from audit.errors import UserError, figure, listed, say
from audit.evidence.copies import decision, flags
from audit.evidence.copies.facts import CorpusFacts
from audit.evidence.copies.sides import Evidence
from audit.files import Head, checked, now
from audit.findings import comparison
from audit.findings.claim import seeded
from audit.findings.common import NO_SEEDS, Common, Context
from audit.findings.quality import classifier_key
from audit.keys import BASELINE, Key, digest
from audit.records import Finding, Suite, to_json
from audit.report.language import ENGLISH, speaking
from audit.runs import judging
from audit.runs.options import ONLY
from audit.runs.planning import versions
from audit.stats.change import youden
from audit.stats.interval import Interval
from audit.store import RunFolder

GIVEN = "given labels"
"""Reader of a run over labels alone, whose table is all that is known about them."""
KEYS = ["prompt", "arm", "seed"]
EMPTY = pd.DataFrame(columns=[*KEYS, "subject", "outcome", "attribute", "group"])


def instruments(
    suite: Suite, classifier: str, corpus: CorpusFacts | None = None, people: str = ONLY
) -> dict[str, str]:
    """The readers of a run's images, kept with its tables: attribute to reader and words.

    `alignment` is the encoder of the cosines; `copies` the descriptor and the training set that
    was searched; `people` is the option of that name. Equal texts mean equal errors, so two runs
    can be compared. Of labels that were given (`GIVEN`) only the classes are known.
    """
    if classifier == GIVEN:
        return {a.name: given(a.classes) for a in suite.attributes}
    found = {"alignment": classifier}
    for a in suite.attributes:
        texts = {k: list(v) for k, v in a.texts.items()}
        asked = digest([list(a.classes), texts, a.threshold, [list(g) for g in suite.gates]], 8)
        found[a.name] = f"{classifier if a.reader == 'clip' else judging.named(a)}, words {asked}"
        if people != ONLY:
            found[a.name] += f", people {people}"
    if corpus:
        keys = ("name", "distinct", "held_out", "descriptor", "rule")
        found["copies"] = ", ".join(f"{k} {getattr(corpus, k)}" for k in keys)
    return found


def given(classes: Sequence[str]) -> str:
    """The reader of an attribute whose labels were given."""
    return f"{GIVEN}, classes {', '.join(classes)}"


@dataclass(frozen=True)
class Side:
    """One of the two runs, from its folder."""

    name: str
    """A or B."""
    path: Path
    settings: Mapping[str, Any]
    suite: str
    classes: Mapping[str, tuple[str, ...]]
    instruments: Mapping[str, str]
    findings: Mapping[Key, Finding]
    tables: Mapping[str, pd.DataFrame]
    """`attributes`, `alignment` and `matches`, whose `prompt` is the prompt's text."""
    stating: Collection[str] = ()  # texts of prompts that state a group and are in no share

    @property
    def model(self) -> str:
        """Name of its model, or of the folder its images came from."""
        return str(self.settings.get("model", self.path.name))


@dataclass(frozen=True)
class Comparison:
    """The changes from A to B, and notes on what could not be compared."""

    a: Side
    b: Side
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)


def read(path: Path, name: str) -> Side:
    """A finished run from its folder; UserError where there is none, or it is damaged."""
    folder = RunFolder(path)
    results, manifest = folder.results(), folder.manifest()
    texts = {s.prompt: s.text for s in folder.plan() if s.arm == BASELINE}
    spoken, tables = _turns(folder), dict[str, pd.DataFrame]()
    for table in ("attributes", "alignment", "matches"):
        rows = folder.read_table(table) if table in results["tables"] else pd.DataFrame()
        if table == "alignment" and len(rows) and "subject" not in rows:
            raise UserError(
                f"The table of alignments of {path} has no column subject. Run the same command "
                "as for that run again, which writes that table."
            )
        if len(rows):  # shares are of prompts that state no group
            out = {*spoken, *(results["grouped"] if table == "attributes" else ())}
            rows = rows[~rows.prompt.isin(out)]
            rows = rows.assign(prompt=[texts.get(p, p) for p in rows.prompt])
            rows = _once(rows, [*KEYS, *(["attribute"] if table == "attributes" else [])])
        tables[table] = rows if len(rows) else EMPTY
    classes = {a: tuple(c) for a, c in results.get("classes", {}).items()}
    readers = {str(k): str(v) for k, v in results.get("instruments", {}).items()}
    if any(v.startswith("labels ") for v in readers.values()):  # of an earlier version
        readers = {a: given(c) for a, c in classes.items()}
    return Side(
        name, path, manifest["settings"], str(manifest["suite"]), classes, readers,
        {f.key: f for f in folder.findings()}, tables, {texts.get(p, p) for p in results["grouped"]}
    )  # fmt: skip


def _turns(folder: RunFolder) -> set[str]:
    """Prompts of conversations, which are not compared; none where the run does not say."""
    with suppress(UserError, ValueError):
        return {p.id for p in checked(Suite, folder.page_facts().get("suite")).prompts if p.turn}
    return set()


def _once(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Rows without repeats: by these keys, and images without a seed by their own name."""
    seeded = rows[rows.seed.notna()].drop_duplicates(keys)
    rest = rows[rows.seed.isna()]
    if "sample" in rest:
        rest = rest.drop_duplicates([*keys, "sample"])
    return pd.concat([seeded, rest]).sort_index()


def _same_arm(a: Side, b: Side) -> tuple[Side, Side, list[str]]:
    """Both runs with one name for the only arm of each, where these differ, and a note on it."""
    names = [sorted({str(x) for t in s.tables.values() for x in t.arm}) for s in (a, b)]
    if names[0] == names[1] or any(len(n) != 1 for n in names):
        return a, b, []
    (first,), (second,) = names
    both = f"{first} to {second}"
    sides = [
        replace(s, tables={k: t.assign(arm=both) if len(t) else t for k, t in s.tables.items()})
        for s in (a, b)
    ]
    note = (
        f"{a.name} has only the arm {first}, {b.name} only {second}: these are compared with each "
        "other."
    )
    return sides[0], sides[1], [note]


def compare(a: Side, b: Side, anyway: bool = False, margin: float = 0.1) -> Comparison:
    """The changes from A to B on their common prompts.

    Raises UserError where nothing is common, for a margin outside 0..1, and, unless `anyway`, where
    the readers of the images differ or are not recorded.
    """
    if not 0 < margin < 1:
        raise UserError(f"--margin {margin:g} is not a valid margin. Give 0 < margin < 1.")
    shared = {n: c for n, c in a.classes.items() if b.classes.get(n) == c}
    notes = _differences(a, b, anyway)
    a, b, renamed = _same_arm(a, b)
    notes += renamed
    attributes = join(a.tables["attributes"], b.tables["attributes"], ["attribute", "subject"])
    alignment = join(a.tables["alignment"], b.tables["alignment"], ["subject"])
    copies, more = _copies(a, b, anyway)
    context = Context(shared, _errors(a, b, shared), margin, names=(a.name, b.name))
    found = comparison.findings(attributes, alignment, copies, context)
    if not found:
        raise UserError(
            f"{a.path} and {b.path} have no subject, attribute and arm in common. Give two runs of "
            "the same suite."
        )
    return Comparison(a, b, found, [*notes, *more, *_pairing(a, b, attributes)])


def join(a: pd.DataFrame, b: pd.DataFrame, also: list[str]) -> Common:
    """Rows of both runs on their common prompts, if there are any, with their pairs.

    Subjects without a common prompt keep all their rows: their groups are compared as a whole.
    """
    if a.empty or b.empty:
        return Common(EMPTY, EMPTY, EMPTY)
    if "subject" in also:
        both = set(zip(a.subject, a.prompt, strict=True)) & set(
            zip(b.subject, b.prompt, strict=True)
        )
        subjects = {s for s, _ in both}
        a, b = (
            t[
                [
                    s not in subjects or (s, p) in both
                    for s, p in zip(t.subject, t.prompt, strict=True)
                ]
            ]
            for t in (a, b)
        )
    else:
        prompts = set(a.prompt) & set(b.prompt)
        a, b = (t[t.prompt.isin(prompts)] for t in (a, b))
    pairs = seeded(a).merge(
        seeded(b), on=[*KEYS, *also], suffixes=("_a", "_b"), validate="one_to_one"
    )
    return Common(a, b, pairs)


def _differences(a: Side, b: Side, anyway: bool) -> list[str]:
    """Differences between the readers of A and B; UserError for any, unless `anyway`."""
    unknown = [s for s in (a, b) if not s.instruments]
    if unknown:
        said = f"{unknown[0].path} does not record what read its images"
        if not anyway:
            raise UserError(f"{said}: run the same command again to add it, or compare --anyway.")
        return [f"{said}: a change of readers would look like one of models."]
    out = [
        f"the classes of {name} differ"
        for name in a.classes
        if name in b.classes and a.classes[name] != b.classes[name]
    ]
    used = [n for n in a.instruments if n in a.classes]
    if not (a.tables["alignment"].empty or b.tables["alignment"].empty):
        used += [n for n in a.instruments if n == "alignment"]
    out += [
        f"{name} was read by {a.instruments[name]} and by {b.instruments[name]}"
        for name in used
        if name in b.instruments and a.instruments[name] != b.instruments[name]
    ]
    if out and not anyway:
        raise UserError(
            f"{'; '.join(out)}: different readers make different errors. Run both with the same "
            "classifier and suite, or compare --anyway."
        )
    return [f"{o[:1].upper()}{o[1:]}: changes may be due to the readers." for o in out]


def _errors(a: Side, b: Side, shared: Mapping[str, tuple[str, ...]]) -> dict[str, Interval]:
    """Youden's index per attribute of two classes whose errors are known and equal in both runs."""
    out = {}
    for name, classes in shared.items():
        keys = [classifier_key(name, c) for c in classes]
        found = [[s.findings.get(k) for k in keys] for s in (a, b)]
        if len(classes) != 2 or a.instruments.get(name) != b.instruments.get(name):
            continue
        known = [(f.estimate, f.n_effective) for side in found for f in side if f is not None]
        if len(known) == 4 and known[:2] == known[2:]:
            (p, m), (q, n) = known[:2]
            out[name] = youden(p * m, m, q * n, n)
    return {n: i for n, i in out.items() if math.isfinite(i.estimate) and i.low > 0}


def _copies(a: Side, b: Side, anyway: bool) -> tuple[Common, list[str]]:
    """Matches of both runs, decided at one line drawn from the evidence of both."""
    tables = flags.rated([s.tables["matches"] for s in (a, b)])
    if any(t.empty for t in tables):
        return Common(EMPTY, EMPTY, EMPTY), []
    used = [s.instruments.get("copies") for s in (a, b)]
    if used[0] != used[1] and not anyway:
        said = say("Copies are not compared: {a} was searched with {one}, {b} with {two}.",
                   a=a.name, b=b.name, one=str(used[0]), two=str(used[1]))  # fmt: skip
        return Common(EMPTY, EMPTY, EMPTY), [said]
    whole = pd.concat(tables, ignore_index=True)
    seen = ["w" in t and t.w.notna().any() for t in tables]
    ordinary = set().union(*({*s.tables["attributes"].prompt, *s.stating} for s in (a, b)))
    groups = ["ordinary prompts" if p in ordinary else "captions of training images" for p in
              whole.prompt]  # fmt: skip
    if all(seen):
        both = Evidence((whole.w.to_numpy(float),), (whole.w_match.to_numpy(object),))
        made = decision.by_twin(both, 0.1, pd.Series(groups, dtype=object).to_numpy())
        line = made.selection
        alone = (whole.single.fillna("") != "").to_numpy()
        known = whole.score.notna().to_numpy() & (~made.unsettled | alone)
        whole["copy"] = flags.renewed(whole["copy"], whole.w, line.selected | alone, known)
        known = math.isfinite(line.threshold)
        says = figure(f"W >= {line.threshold:.3f}") if known else "nothing is a copy"
        said = say("Copies were decided at one line for both runs ({says}). {words}.",
                   says=says, words=made.words)  # fmt: skip
    else:
        said = say("Copies are those that each run flagged by its own rule: there is no twin of "
                   "equal size for both.")  # fmt: skip
    whole = whole.assign(group=groups)
    first, second = whole[: len(tables[0])], whole[len(tables[0]) :]
    found = join(first, second, ["group"])
    return found, [said]


def _pairing(a: Side, b: Side, attributes: Common) -> list[str]:
    """Notes on the pairs, and on prompts without a pair."""
    notes = list[str]()
    texts = [set(s.tables["attributes"].prompt) for s in (a, b)]
    lost = [len(texts[0] - texts[1]), len(texts[1] - texts[0])]
    if any(lost):
        notes.append(say("{n} prompts of {a} and {m} of {b} are not in the other run.",
                         n=lost[0], a=a.name, m=lost[1], b=b.name))  # fmt: skip
    if len(attributes.pairs):
        if a.settings.get("steps") == 0 or b.settings.get("steps") == 0:
            notes.append("Images made elsewhere are paired by the seeds that were given with them.")
        elif a.settings.get("revision") != b.settings.get("revision"):
            notes.append(
                "Pairs share prompt and seed; two models start from the same noise only where they "
                "draw it in the same shape."
            )
    if not attributes.a.empty and attributes.unpaired == NO_SEEDS:
        notes.append(
            say("Without given seeds no image of {a} belongs to one of {b}: they are compared as "
                "groups.", a=a.name, b=b.name)
        )  # fmt: skip
    if all(v.startswith(GIVEN) for s in (a, b) for v in s.instruments.values()):
        notes.append(
            "Labels of both runs were given with their tables. Whether the same people or the same "
            "classifier made them is not known; if not, a change may be due to that."
        )
    uncorrected = [n for n in a.classes if n in b.classes and n not in _errors(a, b, a.classes)]
    if uncorrected:
        notes.append(
            say("As read, without a correction for the classifier's errors: {names}. Errors make "
                "every change look smaller.", names=listed(uncorrected, ", "))
        )  # fmt: skip
    return notes


def write(made: Comparison, out: Path, margin: float, lang: str = ENGLISH) -> Path:
    """Write findings and report into a folder of `out` named by the runs; the report's path.

    `margin` is the one given to `compare`, `lang` the report's language.
    """
    from audit.report.compare import Pair, page

    sides = (made.a, made.b)
    runs = [{"suite": s.suite, "folder": s.path.name, **s.settings} for s in sides]
    with speaking(lang):
        html = page(Pair((made.a.model, made.b.model), (runs[0], runs[1]), made.findings,
                         made.notes, margin))  # fmt: skip
    return _kept(sides, made.findings, html, out)


def _kept(sides: Sequence[Side], found: list[Finding], html: str, out: Path) -> Path:
    key, suite = [s.path.resolve().name for s in sides], sides[0].suite
    folder = RunFolder(out / f"compare-{suite}-{digest(key, 8)}")
    models = ", ".join(dict.fromkeys(s.model for s in sides))
    head = Head(folder.path.name, suite, models, versions()["t2i-audit"], now())
    folder.write_findings(to_json(found, head))
    return folder.write_report(html)


def several(paths: Sequence[Path], anyway: bool = False, margin: float = 0.1) -> list[Comparison]:
    """Each of the other runs compared with the first, as `compare` does it.

    The arms of their findings are named with the other run's letter. UserError for fewer than two
    runs, for the same one twice, and for more than there are letters.
    """
    places = [p.resolve() for p in paths]
    if not 2 <= len(places) <= len(ascii_uppercase) or len({*places}) < len(places):
        raise UserError(
            f"Give 2 to {len(ascii_uppercase)} folders of different runs; the first is the one "
            "that all others are compared with."
        )
    first, *others = (read(p, n) for p, n in zip(paths, ascii_uppercase, strict=False))
    made = [compare(first, other, anyway, margin) for other in others]
    if len(made) == 1:
        return made
    return [replace(m, findings=[_of(f, m.b.name) for f in m.findings]) for m in made]


def _of(f: Finding, letter: str) -> Finding:
    return replace(f, key=f.key._replace(arm=f"{f.arm}, {letter}"))


def write_several(
    made: Sequence[Comparison], out: Path, margin: float, lang: str = ENGLISH
) -> Path:
    """Write findings and report of several comparisons with the same run; the report's path."""
    from audit.report.compare import Other, Several, several_page

    if len(made) == 1:
        return write(made[0], out, margin, lang)
    sides = [made[0].a, *(m.b for m in made)]
    runs = [{"suite": s.suite, "folder": s.path.name, **s.settings} for s in sides]
    letters = {f.id: m.b.name for m in made for f in m.findings}
    notes = [say("{b}: {note}", b=m.b.name, note=note) for m in made for note in m.notes]
    others = [Other(m.b.name, m.b.model) for m in made]
    found = [f for m in made for f in m.findings]
    with speaking(lang):
        html = several_page(Several(sides[0].model, others, runs, found, letters, notes, margin))
    return _kept(sides, found, html, out)
