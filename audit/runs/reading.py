"""Readings of images: attributes, by classifier or from pixels, with reasons for missing ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from audit import registry
from audit.datasets import pixels
from audit.keys import ALIGNMENT_COLUMNS, ATTRIBUTE_COLUMNS, BASELINE, UNSEEN
from audit.records import Association, Attribute, Prompt, Sample, Suite
from audit.runs import choosing, judging, persons
from audit.runs.context import Run
from audit.runs.keeping import Kept, kept
from audit.runs.options import FIRST, ONLY
from audit.runs.persons import Counted

Reading = tuple[str, str | None, float]
"""Outcome, value, score."""
CHUNK = 256


def missing_outcomes(run: Run, known: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Why samples have no vector: an outcome of `keys.UNSEEN`."""
    blocked = run.folder.blocked()
    return {s.id: blocked.get(s.id, "unreadable") for s in run.samples if s.id not in known}


def by_sample(
    run: Run, known: Mapping[str, np.ndarray], columns: Sequence[str],
    read: Callable[[list[str]], Mapping[str, tuple[object, ...]]],
) -> pd.DataFrame:  # fmt: skip
    """Outcome and numbers of each image of representation prompts, NaN where they are missing.

    `columns` are sample, prompt, subject, arm, seed, outcome, and those of the numbers; `read`
    gives outcome and numbers of the ids that have a vector in `known`.
    """
    asked = {p.id: p for p in run.suite.prompts if p.purpose == "representation"}
    samples = [s for s in run.samples if s.prompt in asked]
    gone = missing_outcomes(run, known)
    found = read(sorted({s.id for s in samples} & known.keys()))
    nothing = (np.nan,) * (len(columns) - 6)
    rows = [
        (s.id, s.prompt, asked[s.prompt].subject, s.arm, s.seed,
         *found.get(s.id, (gone.get(s.id, "unreadable"), *nothing)))
        for s in samples
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(columns))
    return table.assign(seed=pd.array([r[4] for r in rows], dtype="Int64"))


@dataclass(frozen=True)
class Read:
    """The perceived attributes of a run's images."""

    table: pd.DataFrame
    """ATTRIBUTE_COLUMNS, a row per image; of several people the largest, where these are read."""
    others: pd.DataFrame
    """The same of the other people in images of several, where each person is read."""
    counted: Counted
    """The people in the images, where they were counted."""


def score(run: Run, encoder: Any, known: Mapping[str, np.ndarray]) -> Read:
    """Perceived attributes of every sample, missing ones with their reason."""
    asked = {p.id for p in run.suite.prompts if p.purpose == "representation" or p.turn}
    samples = [s for s in run.samples if s.prompt in asked]
    outcomes = missing_outcomes(run, known)
    counted = persons.count(run, sorted({s.id for s in samples} & known.keys()))
    # What portraits replace is not read as a whole, which may cost money.
    whole = {i: v for i, v in known.items() if i not in counted.portraits}
    read = _read(run, encoder, whole, run.suite.gates)
    vectors = persons.vectors(run, encoder, counted)
    chosen = {s: persons.units(s, counted, run.options.people) for s in counted.portraits}
    wanted = {u for some in chosen.values() for u in some}
    read |= _read(run, encoder, {u: v for u, v in vectors.items() if u in wanted}, ())
    own = [(s, chosen.get(s.id, [s.id])[0]) for s in samples]
    others = [(s, u) for s in samples for u in chosen.get(s.id, [])[1:]]
    return Read(_rows(run.suite, own, read, outcomes), _rows(run.suite, others, read, outcomes),
                counted)  # fmt: skip


def _rows(
    suite: Suite, units: Sequence[tuple[Sample, str]], found: Mapping[tuple[str, str], Reading],
    outcomes: Mapping[str, str],
) -> pd.DataFrame:  # fmt: skip
    """ATTRIBUTE_COLUMNS of images or portraits, each with its sample."""
    prompts, rows = {p.id: p for p in suite.prompts}, []
    for s, unit in units:
        prompt = prompts[s.prompt]
        for name in _asked(suite, prompt):
            got = found.get((unit, name)) or (outcomes.get(s.id, "unreadable"), None, np.nan)
            rows.append((s.id, s.prompt, prompt.subject, s.arm, s.seed, name, *got))
    return _table(rows, ATTRIBUTE_COLUMNS)


def _read(
    run: Run, encoder: Any, known: Mapping[str, np.ndarray], gates: Sequence[Sequence[str]]
) -> dict[tuple[str, str], Reading]:
    """Readings by image or portrait and attribute; `known` has their vectors."""
    from audit.evidence.attributes.zero_shot import classifier

    if not known:
        return {}
    zero_shot = tuple(a for a in run.suite.attributes if a.reader == "clip")
    reader = classifier(zero_shot, gates, encoder.texts, encoder.scale)
    ids = sorted(known)
    stack = np.stack([known[i] for i in ids])
    found: dict[tuple[str, str], Reading] = {
        (ids[int(r.row)], str(r.attribute)): (r.outcome, r.value, r.score)
        for r in reader.read(stack).itertuples()
    }
    shut = dict(zip(ids, reader.shut(stack), strict=True))
    for attribute in run.suite.attributes:
        if attribute.reader != "clip":
            found |= _from_pictures(run, attribute, shut)
    return found


def read_by_pixels(run: Run) -> list[Attribute]:
    """Attributes whose readers see pixels on this machine: those that workers can read.

    Judges that are asked over a network are asked by one process, which counts what they cost.
    """
    asked = {name for p in run.suite.prompts for name in p.attributes}
    return [
        a for a in run.suite.attributes
        if a.name in asked and a.reader != "clip" and not judging.is_remote(a)
    ]  # fmt: skip


def read_ahead(run: Run, encoder: Any, known: Mapping[str, np.ndarray]) -> None:
    """Read the attributes of `read_by_pixels`; the readings are kept for `score`."""
    from audit.evidence.attributes.zero_shot import classifier

    chosen, ids = read_by_pixels(run), sorted(known)
    if not (chosen and ids) or run.options.people != ONLY:  # portraits may be read instead
        return
    zero_shot = tuple(a for a in run.suite.attributes if a.reader == "clip")
    reader = classifier(zero_shot, run.suite.gates, encoder.texts, encoder.scale)
    shut = dict(zip(ids, reader.shut(np.stack([known[i] for i in ids])), strict=True))
    for attribute in chosen:
        _from_pictures(run, attribute, shut)


def _table(rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a table; seeds stay whole numbers next to missing ones, which are up to 63 bits."""
    seeds = [row[list(columns).index("seed")] for row in rows]
    table = pd.DataFrame(rows, columns=list(columns))
    return table.assign(seed=pd.array(seeds, dtype="Int64"))


def _asked(suite: Suite, prompt: Prompt) -> list[str]:
    """The attributes that are read from a prompt's images, with the one that reads its subject."""
    extra = [suite.subject_attribute] if suite.subject_attribute else []
    return list(dict.fromkeys([*prompt.attributes, *extra]))


def _from_pictures(
    run: Run, attribute: Attribute, shut: Mapping[str, str]
) -> dict[tuple[str, str], Reading]:
    """Readings of one attribute by its own reader; the gate comes first."""
    asked = {p.id for p in run.suite.prompts if attribute.name in p.attributes}
    ours = {s.id for s in run.samples if s.prompt in asked}
    wanted = [i for i, why in sorted(shut.items()) if not why and i.partition("@")[0] in ours]
    known = _judged(run, attribute, wanted) if judging.is_judge(attribute) else _seen(
        run, attribute, wanted
    )  # fmt: skip
    found: dict[tuple[str, str], Reading] = {
        (i, attribute.name): (*known[i], np.nan) for i in wanted
    }
    return found | {(i, attribute.name): (why, None, np.nan) for i, why in shut.items() if why}


def _judged(
    run: Run, attribute: Attribute, wanted: Sequence[str]
) -> dict[str, tuple[str, str | None]]:
    """What a vision-language model says; its answers are kept by itself (`runs.judging`)."""
    known: dict[str, tuple[str, str | None]] = {}
    judge = run.judges.setdefault(
        f"{attribute.name} {attribute.reader}", judging.Judge(attribute, run.options, run.costs)
    )
    step = f"{attribute.name} by {judge.spec.model}"
    for n, (id, outcome, value) in enumerate(judge.read(wanted, partial(persons.picture, run)), 1):
        known[id] = outcome, value
        run.progress(step, n, len(wanted))
    return known


def second_judges(run: Run, read: Read) -> pd.DataFrame | None:
    """The readings of several judges of one attribute as raters' labels; None for single ones."""
    found, table = [], read.table
    for attribute in run.suite.attributes:
        rows = table[table.attribute == attribute.name]
        others = choosing.seconds(run.options, attribute)
        if not others or not len(rows):
            continue
        seen = [i for i, o in zip(rows["sample"], rows.outcome, strict=True) if o not in UNSEEN]
        shown = {i: persons.units(i, read.counted, FIRST)[0] for i in seen}
        first = dict(zip(rows["sample"], rows.value, strict=True))
        labels = {f"1 {judging.named(attribute)}": {i: first[i] for i in seen}}
        for n, other in enumerate(others, 2):
            known = _judged(run, other, list(shown.values()))
            labels[f"{n} {judging.named(other)}"] = {i: known[u][1] for i, u in shown.items()}
        found += [(i, attribute.name, r, v) for r, by in labels.items() for i, v in by.items()]
    return pd.DataFrame(found, columns=["sample", "attribute", "rater", "value"]) if found else None


def _seen(run: Run, attribute: Attribute, wanted: list[str]) -> dict[str, tuple[str, str | None]]:
    """What a reader of pixels says; finished work is kept."""
    from audit.evidence.attributes import pictures

    reader = registry.load("reader", attribute.reader)

    def read(id: str) -> Kept:
        try:
            return pictures.read(attribute, reader, persons.picture(run, id))
        except pixels.Unreadable:
            return "unreadable", None

    return kept(run, pictures.key(attribute, reader), {i: i for i in wanted}, read,
                f"{attribute.name} from pixels", CHUNK)  # fmt: skip


def associate(run: Run, encoder: Any, known: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Nearness of every baseline image of an association to A rather than B.

    Columns association, prompt, of_x and score, NaN for a missing image. A and B are the images of
    prompts that state the class, if the suite has them for both, else the classes' texts.
    """
    from audit.stats.association import associations

    columns = ["association", "prompt", "of_x", "score"]
    rows: list[tuple[str, str, bool, float]] = []
    prompts = {p.id: p for p in run.suite.prompts if p.purpose == "representation"}
    base = [s for s in run.samples if s.arm == BASELINE and s.prompt in prompts]
    for declared in run.suite.associations:
        a, b = poles(run.suite, declared, base, encoder, known)
        direction = {True: set(declared.x), False: set(declared.y)}
        for s in base:
            for of_x, subjects in direction.items():
                prompt = prompts[s.prompt]
                if prompt.subject in subjects and declared.attribute not in prompt.states:
                    vector = known.get(s.id)
                    score = np.nan if vector is None else float(associations(vector[None], a, b)[0])
                    rows.append((declared.name, s.prompt, of_x, score))
    return pd.DataFrame(rows, columns=columns)


def poles(
    suite: Suite, declared: Association, samples: Sequence[Sample], encoder: Any,
    known: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The vectors of A and of B, float32[n, d] each."""
    states = {p.id: p.states.get(declared.attribute) for p in suite.prompts}
    pictures = [
        [known[s.id] for s in samples if states[s.prompt] == c and s.id in known]
        for c in (declared.a, declared.b)
    ]
    if all(pictures):
        return np.stack(pictures[0]), np.stack(pictures[1])
    attribute = next(x for x in suite.attributes if x.name == declared.attribute)
    return encoder.texts(attribute.texts[declared.a]), encoder.texts(attribute.texts[declared.b])


def align(
    run: Run, encoder: Any, known: Mapping[str, np.ndarray], table: pd.DataFrame
) -> pd.DataFrame:
    """How well images fit their ORIGINAL prompts: ALIGNMENT_COLUMNS; empty without a classifier."""
    if not getattr(encoder, "reads", True):
        return pd.DataFrame()
    prompts = {p.id: p for p in run.suite.prompts if p.turn is None}
    names = sorted(prompts)
    encoded = encoder.texts([prompts[n].text for n in names]) if names else np.empty((0, 1))
    texts, middle = dict(zip(names, encoded, strict=True)), encoded.mean(axis=0) if names else None
    subject = table[table.attribute == run.suite.subject_attribute]
    read = {
        (r.sample, r.prompt): (r.value == r.subject if r.outcome == "label" else False)
        for r in subject.itertuples()
        if r.outcome not in UNSEEN
    }
    rows = [
        (
            s.prompt, prompts[s.prompt].subject, s.arm, s.seed,
            float(known[s.id] @ texts[s.prompt]) if s.id in known else np.nan,
            float(known[s.id] @ middle) if s.id in known else np.nan,
            read.get((s.id, s.prompt)) if prompts[s.prompt].purpose == "representation" else None,
        )
        for s in run.samples
        if s.prompt in prompts
    ]  # fmt: skip
    return _table(rows, ALIGNMENT_COLUMNS)
