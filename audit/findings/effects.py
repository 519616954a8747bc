"""What a mitigation buys and what it costs: one list of paired claims per arm.

Bought: nearness to every declared target, fewer copies. Paid: likeness to the prompt, subjects,
people, obedience, diversity, other attributes, quality, words that no encoder reads.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from audit.findings import costs, looks, parity
from audit.findings.claim import Claim, adjusted, joined
from audit.findings.pairs import Question, Tables, counts, mean_finding, share_finding, unknown
from audit.records import Finding

GROUPS = (
    ("replication", "captions of training images"),
    ("representation", "ordinary prompts"),
)


def findings(tables: Tables, question: Question) -> list[Finding]:
    """All effects and costs of one arm, ids `mitigation/<arm>/...`, q within `changes under <arm>`.

    What the tables do not allow to be measured is NaN, with the reason in its sentence.
    """
    return adjusted(
        [
            *parity.findings(tables.attributes, question),
            *_copies(tables.matches, question),
            *costs.findings(tables, question),
            *looks.findings(tables, question),
        ]
    )


def _copies(table: pd.DataFrame, q: Question) -> Iterator[Finding]:
    """Change of the rate of copies and of the likeness to the nearest training image."""
    rows = joined(table, q.arm)
    reason = "no such picture was searched" if len(table) else "no training set was searched"
    for purpose, where in GROUPS:
        rate = Claim(
            q.key("copied", detail=purpose),
            "change in the share of images that copy a training image", where, "points", "pairs",
            "paired by seed; Newcombe's limits with the design effect of prompts; McNemar's exact "
            "p, by whole prompts where they have several pairs", reason,
        )  # fmt: skip
        near = Claim(
            q.key("similarity", detail=purpose),
            "change in the cosine to the nearest training image", where, "cosine", "pairs",
            "paired by seed; expanded cluster bootstrap by prompt", reason,
        )  # fmt: skip
        if not len(rows):
            yield unknown(rate)
            yield unknown(near)
            continue
        part = rows[[q.prompts[p].purpose == purpose for p in rows.prompt]]
        known = part[(part.outcome_base == "label") & (part.outcome_arm == "label")]
        hits = known["copy_base"].to_numpy(bool), known["copy_arm"].to_numpy(bool)
        yield share_finding(rate, known, hits, counts(known, part))
        yield mean_finding(q, near, part, "score")
