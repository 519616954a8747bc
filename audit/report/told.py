"""What a page shows of a run, in the language that is spoken: texts of findings, facts and suite.

A page prints these texts as they are. Those that no list of the language has are marked as English.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from audit.records import Finding, Suite
from audit.report import language
from audit.report.evidence import Evidence
from audit.report.facts import Facts


def findings(found: Iterable[Finding]) -> list[Finding]:
    """The findings with their texts in the language; keys and numbers stay as they are."""
    if language.now().code == language.ENGLISH:
        return list(found)
    return [
        replace(f, where=language.name(f.where), quantity=language.prose(f.quantity),
                method=language.prose(f.method), sentence=language.prose(f.sentence))
        for f in found
    ]  # fmt: skip


def evidence(shown: Evidence) -> Evidence:
    """The evidence with all its texts in the language."""
    if language.now().code == language.ENGLISH:
        return shown
    return replace(shown, findings=findings(shown.findings), facts=_facts(shown.facts),
                   suite=_suite(shown.suite))  # fmt: skip


def _suite(suite: Suite) -> Suite:
    """A shipped suite in the language; the words of a user's own are the user's."""
    sources = [replace(r, label=language.name(r.label), source=language.name(r.source))
               for r in suite.references]  # fmt: skip
    return replace(suite, title=language.name(suite.title),
                   question=language.name(suite.question), references=tuple(sources))  # fmt: skip


def _facts(facts: Facts) -> Facts:
    corpus = facts.corpus
    if corpus is not None:
        corpus = replace(corpus, sides=language.prose(corpus.sides),
                         search_reason=language.prose(corpus.search_reason))  # fmt: skip
    left = {arm: replace(one, reasons={language.prose(k): n for k, n in one.reasons.items()})
            for arm, one in facts.left_alone.items()}  # fmt: skip
    return replace(
        facts, corpus=corpus, left_alone=left,
        notes=tuple(map(language.prose, facts.notes)),
        measured_on=tuple(map(language.prose, facts.measured_on)),
        truth_note=language.prose(facts.truth_note),
        threshold_method=language.prose(facts.threshold_method),
        threshold_need=language.prose(facts.threshold_need),
    )  # fmt: skip
