"""What a mitigation buys and what it costs: one list of paired claims per arm.

Bought: nearness to every declared target, fewer copies. Paid: likeness to the prompt, subjects,
people, obedience, diversity, other attributes.
"""

from __future__ import annotations

from dataclasses import replace

from audit.findings import alignment, copied, costs, looks, parity, targets
from audit.findings.claim import adjusted
from audit.findings.common import of_arm
from audit.findings.following import open_questions
from audit.findings.pairs import Question, Tables
from audit.records import Finding


def findings(tables: Tables, question: Question) -> list[Finding]:
    """All effects and costs of one arm, ids `mitigation/<arm>/...`, q within `changes under <arm>`.

    Those that a verdict rests on come first: shares and distances from the arm's own targets,
    alignment, copies. What the tables do not allow to be measured is NaN, with the reason in its
    sentence.
    """
    table = tables.attributes
    own = targets.findings(open_questions(table, question.prompts), question)
    more = [
        *alignment.findings(tables.alignment, question),
        *copied.findings(tables.matches, question),
    ]
    if (table.arm == question.arm).any():
        why = of_arm(table, question.arm).unpaired
        more += parity.findings(table, question)
        beside = [*costs.findings(table, question), *looks.findings(tables, question)]
        more += [_because(f, why) for f in beside] if why else beside
    return [*own, *adjusted(more)]


def _because(f: Finding, why: str) -> Finding:
    """An unknown finding of pairs, with the reason why there are none in its sentence."""
    if f.n or f.counted != "pairs":
        return f
    said = f"not known: it needs images of the same noise, and {why}"
    return replace(f, sentence=f"{f.arm}, {f.where}: {f.quantity} {said}.")
