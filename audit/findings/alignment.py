"""What an arm costs in likeness to the original prompt and in recognised subjects, by margins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.errors import figure, say
from audit.findings.claim import Claim, interval
from audit.findings.common import Common, of_arm
from audit.findings.groups import prompt_by_prompt, share_apart
from audit.findings.pairs import (
    BY_PROMPT,
    Question,
    counts,
    mean_finding,
    share_finding,
    too_few,
    unknown,
)
from audit.findings.wording import change, cosine_change, percent
from audit.keys import TOO_FEW
from audit.records import Finding
from audit.stats.decisions import noninferior

SEEN = "seen"


def findings(table: pd.DataFrame, q: Question) -> Iterator[Finding]:
    """Change of the cosine to the original prompt, and of the share that shows the subject.

    `table` has ALIGNMENT_COLUMNS. `kept` where a loss of the margin is ruled out, `lost` where one
    is shown.
    """
    both = of_arm(table, q.arm)
    yield _alignment(both, q)
    yield _subject(both, q)


def _alignment(both: Common, q: Question) -> Finding:
    rows, why = both.pairs, both.unpaired if len(both.a) and len(both.b) else ""
    if why:
        rows = prompt_by_prompt(both, ("score", "chance"))
    claim = Claim(
        q.key("cost", detail="alignment"), "change in the cosine to the original prompt",
        "all prompts", "cosine", "prompts" if why else "pairs",
        say(
            "{how}; Student's t over prompts; non-inferiority",
            how=say('prompt by prompt, because {why}', why=why) if why else 'paired by seed'
        ), "no pair of images was compared with its prompt",
    )  # fmt: skip
    found = mean_finding(claim, rows, "score")
    if not found.n:
        return found
    known = np.isfinite((rows.score_arm - rows.score_base).astype(float))
    apart = float((rows.score_base - rows.chance_base)[known].mean())
    margin = q.margins.alignment * apart
    words = cosine_change(found.estimate, found.low, found.high)
    return replace(
        found, verdict=_kept(found, margin), references={"margin": margin},
        sentence=say(
            "{arm}: similarity to the original prompt changes by {words} (cosine; {alignment} of "
            "what sets a prompt's own images apart is {margin}), n = {n} {counted}{too_few}.",
            arm=q.arm, words=words, alignment=percent(q.margins.alignment),
            margin=figure(f'{margin:.3f}'), n=found.n, counted=found.counted,
            too_few=too_few(found)
        ),
    )  # fmt: skip


def _subject(both: Common, q: Question) -> Finding:
    claim = Claim(
        q.key("cost", detail="subject"), "change in the share of images that show the subject",
        "all prompts", "points", "pairs", BY_PROMPT + "; non-inferiority", "no subject was read",
    )  # fmt: skip
    rows = both.pairs
    if not (len(both.a) and len(both.b)):
        return unknown(claim)
    if both.unpaired:
        found = share_apart(claim, Common(_read(both.a), _read(both.b), rows.iloc[:0]), SEEN)
    else:
        read = rows.dropna(subset=["subject_read_base", "subject_read_arm"])
        hits = read.subject_read_base.to_numpy(bool), read.subject_read_arm.to_numpy(bool)
        found = share_finding(claim, read, hits, counts(read, rows))
    if not found.n:
        return found
    before, after = (percent(found.references[side]) for side in ("before", "after"))
    words = change(found.estimate, found.low, found.high)
    return replace(
        found, verdict=_kept(found, q.margins.subject),
        references={**found.references, "margin": q.margins.subject},
        sentence=say(
            "{arm}: the subject is recognised in {after} of images, before in {before} (change "
            "{words}), n = {n} {counted}{too_few}.",
            arm=q.arm, after=after, before=before, words=words, n=found.n, counted=found.counted,
            too_few=too_few(found)
        ),
    )  # fmt: skip


def _read(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the subject's reading as outcome and value; those without one are left out."""
    rows = rows[rows.subject_read.notna()]
    return rows.assign(outcome="label", value=np.where(rows.subject_read.astype(bool), SEEN, ""))


def _kept(f: Finding, margin: float) -> str:
    """Whether a loss of the margin is ruled out or shown, where there are enough prompts."""
    few = f.verdict in TOO_FEW.values()
    return f.verdict if few else noninferior(interval(f), margin)
