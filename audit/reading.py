"""What is read from the pictures: attributes, by classifier or from pixels, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from audit import pixels, registry
from audit.planning import Run
from audit.records import ATTRIBUTE_COLUMNS, Attribute, Prompt, Suite

Reading = tuple[str, str | None, float]
"""Outcome, value, score."""
CHUNK = 256


def missing_outcomes(run: Run, known: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Why samples have no vector: blocked by the model, or unreadable."""
    blocked = run.folder.blocked()
    return {s.id: blocked.get(s.id, "unreadable") for s in run.samples if s.id not in known}


def score(run: Run, encoder: Any, known: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Perceived attributes of every sample (ATTRIBUTE_COLUMNS), missing ones with their reason."""
    from audit.attributes.zero_shot import classifier

    suite = run.suite
    zero_shot = tuple(a for a in suite.attributes if a.reader == "clip")
    reader = classifier(zero_shot, suite.gates, encoder.texts, encoder.scale)
    ids = sorted(known)
    stack = np.stack([known[i] for i in ids]) if ids else np.empty((0, 1), np.float32)
    read = (
        reader.read(stack)
        if ids
        else pd.DataFrame(columns=["row", "attribute", "outcome", "value", "score"])
    )
    read["sample"] = [ids[int(r)] for r in read.row]
    by_key = {(r.sample, r.attribute): (r.outcome, r.value, r.score) for r in read.itertuples()}
    shut = dict(zip(ids, reader.shut(stack), strict=True)) if ids else {}
    for attribute in suite.attributes:
        if attribute.reader != "clip":
            by_key |= _from_pictures(run, attribute, shut)
    outcomes = missing_outcomes(run, known)
    prompts = {p.id: p for p in suite.prompts}
    rows = []
    for s in run.samples:
        prompt = prompts[s.prompt]
        if prompt.purpose != "representation":
            continue
        for name in _asked(suite, prompt):
            got = by_key.get((s.id, name)) or (outcomes[s.id], None, np.nan)
            rows.append((s.id, s.prompt, prompt.subject, s.arm, s.seed, name, *got))
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def _asked(suite: Suite, prompt: Prompt) -> list[str]:
    """The attributes that are read from a prompt's images, with the one that reads its subject."""
    extra = [suite.subject_attribute] if suite.subject_attribute else []
    return list(dict.fromkeys([*prompt.attributes, *extra]))


def _from_pictures(
    run: Run, attribute: Attribute, shut: Mapping[str, str]
) -> dict[tuple[str, str], Reading]:
    """Readings of one attribute from pixels; the gate comes first, and work done is kept."""
    from audit.attributes import pictures

    reader = registry.load("reader", attribute.reader)
    key = pictures.key(attribute, reader)
    asked = {p.id for p in run.suite.prompts if attribute.name in p.attributes}
    wanted = sorted({s.id for s in run.samples if s.prompt in asked and not shut.get(s.id)}
                    & shut.keys())  # fmt: skip
    known = run.folder.readings(key)
    todo = [i for i in wanted if i not in known]
    for start in range(0, len(todo), CHUNK):
        part: dict[str, tuple[str, str | None]] = {}
        try:
            for id in todo[start : start + CHUNK]:
                try:
                    part[id] = pictures.read(attribute, reader, run.picture(id))
                except pixels.Unreadable:
                    part[id] = ("unreadable", None)
        finally:
            if part:
                run.folder.add_readings(key, part)
                known |= part
        run.progress(f"{attribute.name} from pixels", len(wanted) - len(todo) + start + len(part),
                     len(wanted))  # fmt: skip
    found: dict[tuple[str, str], Reading] = {
        (i, attribute.name): (*known[i], np.nan) for i in wanted
    }
    return found | {(i, attribute.name): (why, None, np.nan) for i, why in shut.items() if why}
