"""What was audited, in numbers, and the readings that are missing, by prompt and reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from audit.keys import BASELINE, OUTCOMES
from audit.report import wording
from audit.report.evidence import Evidence

MISSING_ROWS = 20
LEFT_OUT = 200
"""Files that are listed in the report; left_out.csv has all."""


def head(evidence: Evidence) -> list[str]:
    """The size of the audit in a few words each, for the line under the title."""
    corpus, mitigations = evidence.facts.corpus, evidence.suite.mitigations
    n = {"images": len(evidence.samples), "prompts": len(evidence.suite.prompts)}
    out = [wording.text("header.images", images=wording.count(n["images"])),
           wording.text("header.prompts", prompts=wording.count(n["prompts"]))]  # fmt: skip
    if len(mitigations) == 1:
        out.append(wording.text("header.arm"))
    elif mitigations:
        out.append(wording.text("header.arms", n=len(mitigations)))
    if corpus and corpus.distinct:
        distinct = wording.count(wording.as_number(corpus.distinct))
        out.append(wording.text("header.corpus", distinct=distinct))
    if evidence.written:
        out.append(wording.date(evidence.written))
    if version := evidence.facts.versions.get("t2i-audit"):
        out.append(wording.text("header.tool", version=wording.clip(version, 40)))
    return out


def audited(evidence: Evidence) -> dict[str, Any]:
    """The size of the audit, and how many labels are missing for which reason."""
    suite = evidence.suite
    prompts = {
        purpose: sum(p.purpose == purpose for p in suite.prompts)
        for purpose in dict.fromkeys(p.purpose for p in suite.prompts)
    }
    names = [wording.arm(m.name) for m in suite.mitigations]
    arms = wording.text("audited.arm")
    if names:
        both = ", ".join([wording.arm(BASELINE), *names])
        arms = wording.text("audited.arms", n=1 + len(names), names=both)
    return {"prompts": prompts, "images": len(evidence.samples), "arms": arms,
            "missing": _reasons(_gone(evidence))}  # fmt: skip


def _gone(evidence: Evidence) -> pd.DataFrame:
    """Readings without a label, one row per sample, attribute and prompt."""
    table = evidence.attributes
    asked = table[table.attribute != evidence.suite.subject_attribute] if len(table) else table
    return asked[asked.outcome != "label"] if len(asked) else asked


def _reasons(rows: pd.DataFrame) -> dict[str, int]:
    counts = Counter(map(str, rows.outcome)) if len(rows) else Counter()
    return {o: counts[o] for o in (*OUTCOMES, *sorted(set(counts) - set(OUTCOMES))) if counts[o]}


def left_out(evidence: Evidence) -> dict[str, Any]:
    """Files that are not in the report, with reason and prompt: counts by reason, some rows."""
    reasons = Counter(x.reason for x in evidence.left_out)
    return {"files": evidence.left_out[:LEFT_OUT], "all": len(evidence.left_out),
            "reasons": reasons.most_common(12)}  # fmt: skip


def missing(evidence: Evidence) -> dict[str, Any]:
    """Readings without a label by prompt, arm and reason, most first, capped; number hidden."""
    table = evidence.attributes
    hidden = evidence.suite.subject_attribute
    asked = int((table.attribute != hidden).sum()) if len(table) else 0
    gone = _gone(evidence)
    texts = {p.id: p.text for p in evidence.suite.prompts}
    rows, rest = [], list[int]()
    if len(gone):
        keys = ["prompt", "arm"]
        sizes = gone.groupby(keys, sort=True).size().sort_values(ascending=False, kind="stable")
        most = dict(sizes.head(MISSING_ROWS).items())
        by_key = gone.groupby(keys, sort=True)
        for (prompt, arm), size in most.items():
            reasons = _reasons(by_key.get_group((prompt, arm)))
            label = texts.get(str(prompt), str(prompt))
            rows.append({"prompt": label, "arm": arm, "reasons": reasons, "all": int(size)})
        rest = [int(n) for n in sizes.iloc[MISSING_ROWS:]]
    return {"asked": asked, "gone": len(gone), "reasons": _reasons(gone), "rows": rows,
            "left": len(rest), "most": max(rest, default=0)}  # fmt: skip
