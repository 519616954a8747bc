"""Readings of the training set by subject, made in the same way as those of the model's images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from audit.datasets import pixels
from audit.datasets.source import Entry
from audit.keys import digest
from audit.records import Attribute, Prompt
from audit.runs.context import Run

KINDS = ("all captions", "captions that leave it open", "captions nearest the prompt")
NEAREST = 0.25
"""Share of a subject's captions that count as nearest to its prompts."""


def stated_words(attribute: Attribute) -> set[str]:
    """Words in the texts of only one class: a caption with one of them states that class."""
    words = [{w for t in attribute.texts.get(c, ()) for w in _words(t)} for c in attribute.classes]
    return {w for i, own in enumerate(words) for w in own
            if not any(w in other for j, other in enumerate(words) if j != i)}  # fmt: skip


def _words(text: str) -> list[str]:
    return re.findall(r"[\w-]+", text.casefold())


def _mentions(caption: str, subject: str) -> bool:
    return re.search(rf"\b{re.escape(subject.casefold())}\b", caption.casefold()) is not None


def read(run: Run, encoder: Any, known: Sequence[Entry], limit: int) -> pd.DataFrame:
    """Readings of the `known` training images by subject, attribute, kind, outcome, value.

    An image that occurs several times in the set may be drawn several times. Only attributes of
    two classes are read: amplification is defined for these. Empty without captions that name a
    subject, and for a `limit` of 0.
    """
    attributes = [
        a for a in run.suite.attributes
        if len(a.classes) == 2 and a.name != run.suite.subject_attribute and a.reader == "clip"
    ]  # fmt: skip
    subjects: dict[str, list[Prompt]] = {}
    for p in run.suite.prompts:
        if p.purpose == "representation" and any(a.name in p.attributes for a in attributes):
            subjects.setdefault(p.subject, []).append(p)
    entries = [e for e in known if e.caption]
    columns = ["subject", "attribute", "kind", "outcome", "value"]
    if not entries or not limit:
        return pd.DataFrame(columns=columns)
    places = np.repeat(np.arange(len(entries)), [e.repeats for e in entries])
    chosen = {
        (subject, a.name, kind): ids
        for subject, prompts in subjects.items()
        for a in attributes
        for kind, ids in _chosen(entries, places, prompts, a, encoder, limit).items()
    }
    labels = _labels(run, encoder, attributes, sorted({i for ids in chosen.values() for i in ids}))
    rows = [
        (subject, attribute, kind, *labels[attribute, id])
        for (subject, attribute, kind), ids in chosen.items()
        for id in ids
        if (attribute, id) in labels
    ]
    return pd.DataFrame(rows, columns=columns)


def _chosen(
    entries: Sequence[Any], places: np.ndarray, prompts: Sequence[Prompt], attribute: Attribute,
    encoder: Any, limit: int,
) -> dict[str, list[str]]:  # fmt: skip
    """Ids of the training images to read for one subject, by kind of caption."""
    subject = prompts[0].subject
    named = np.array([_mentions(e.caption, subject) for e in entries])
    words = stated_words(attribute)
    silent = np.array([n and not words & set(_words(e.caption))
                       for n, e in zip(named, entries, strict=True)])  # fmt: skip
    near = _nearest(entries, np.flatnonzero(named), prompts, encoder)
    found = {}
    for kind, at in zip(KINDS, (named, silent, near), strict=True):
        pool = places[at[places]]
        seed = int(digest([subject, attribute.name, kind], 8), 16)
        pick = np.random.default_rng(seed).permutation(len(pool))[:limit]
        found[kind] = [entries[i].id for i in pool[pick]]
    return found


def _nearest(
    entries: Sequence[Any], named: np.ndarray, prompts: Sequence[Prompt], encoder: Any
) -> np.ndarray:
    """Which captions are nearest to the prompts in the classifier's text space, bool[n]."""
    near = np.zeros(len(entries), bool)
    if len(named):
        texts = sorted({entries[i].caption for i in named})
        place = {t: i for i, t in enumerate(texts)}
        close = (encoder.texts(texts) @ encoder.texts([p.text for p in prompts]).T).max(1)
        score = close[[place[entries[i].caption] for i in named]]
        order = np.argsort(-score, kind="stable")
        near[named[order[: max(1, round(NEAREST * len(named)))]]] = True
    return near


def _labels(
    run: Run, encoder: Any, attributes: Sequence[Attribute], ids: Sequence[str]
) -> Mapping[tuple[str, str], tuple[str, str | None]]:
    """(attribute, training id) to outcome and value; vectors are kept in the run folder."""
    from audit.evidence.attributes.zero_shot import classifier

    key = f"{encoder.key}-training"
    known = run.folder.vectors(key)
    todo = [i for i in ids if i not in known]
    done = len(ids) - len(todo)
    for part, rows, reasons in pixels.encoded(todo, run.plan.corpus.image, encoder.images):
        done += len(part) + len(reasons)
        if part:
            run.folder.add_vectors(key, part, rows)
            known.update(zip(part, rows, strict=True))
        run.progress("training images", done, len(ids))
    there = [i for i in ids if i in known]
    if not there:
        return {}
    reader = classifier(tuple(attributes), run.suite.gates, encoder.texts, encoder.scale)
    read_ = reader.read(np.stack([known[i] for i in there]))
    return {(r.attribute, there[int(r.row)]): (str(r.outcome), r.value) for r in read_.itertuples()}
