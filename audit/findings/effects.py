"""What a mitigation buys and what it costs: one list of paired claims per arm.

Bought: nearness to every declared target, fewer copies. Paid: likeness to the prompt, subjects,
people, obedience, diversity, other attributes.
"""

from __future__ import annotations

from dataclasses import replace

from audit.errors import say
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
        beside = [*costs.findings(table, question), *looks.findings(tables, question)]
        more += parity.findings(table, question)
        more += [_because(f, why) for f in beside] if why else beside
        more = [_without_pairs(f, why) for f in more] if why else more
    return [*own, *adjusted(more)]


def _because(f: Finding, why: str) -> Finding:
    """An unknown finding on pairs, with the reason why there are none in its sentence."""
    if not _lacks_pairs(f):
        return f
    return replace(
        f,
        sentence=say(
            "{arm}, {where}: {quantity} not known: {why}.",
            arm=f.arm,
            where=f.where,
            quantity=f.quantity,
            why=why,
        ),
    )


def _without_pairs(f: Finding, why: str) -> Finding:
    """An unknown finding on pairs does not say how pairs would have been counted."""
    return replace(f, method=say("not measured, because {why}", why=why)) if _lacks_pairs(f) else f


def _lacks_pairs(f: Finding) -> bool:
    return f.n == 0 and f.counted == "pairs"
