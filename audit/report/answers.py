"""The answers at the top of the report: which findings, by a rule that ignores their size."""

from __future__ import annotations

from collections.abc import Callable

from audit.keys import BASELINE
from audit.records import Finding
from audit.report.evidence import Evidence

MOST = 6
"""Most answers: what fits on a first screen."""
ANSWERS: tuple[tuple[Callable[[Finding], bool], slice], ...] = (
    (lambda f: _copying(f) and f.key.attribute == "repeats", slice(-1, None)),
    (lambda f: _copying(f) and f.key.attribute != "repeats", slice(1)),
    (lambda f: _of_model(f) and f.unit == "share" and f.key.kind != "resembles"
     and not f.key.everyone, slice(1)),
    (lambda f: _of_model(f) and f.key.kind == "gap" and not f.key.detail, slice(2)),
    (lambda f: _of_model(f) and f.key.kind == "resembles" and f.key.everyone, slice(1)),
    (lambda f: _of_model(f) and f.key.kind == "shown", slice(1)),
    (lambda f: f.section == "mitigation" and not _cost(f), slice(1)),
    (lambda f: _of_model(f) and f.unit == "points" and f.key.everyone and f.key.kind != "shown",
     slice(1)),
)  # fmt: skip
"""The answers: these of the matching findings, in their order, as long as there is room."""


def _of_model(f: Finding) -> bool:
    return f.section == "representation" and f.arm == BASELINE


def _cost(f: Finding) -> bool:
    return f.section == "mitigation" and f.key.kind == "cost"


def _copying(f: Finding) -> bool:
    return f.section == "replication" and f.arm == BASELINE and f.key.kind in ("rate", "count")


def answers(evidence: Evidence) -> list[Finding]:
    """Three to six findings by a fixed rule that does not depend on their estimates."""
    spoken = [f for f in evidence.findings if f.sentence]
    rated = any(f.key.kind == "rate" and _copying(f) for f in spoken)
    judged = any(f.key.kind == "verdict" for f in spoken)
    heard = [
        f for f in spoken
        if not (rated and f.key.kind == "count")
        and not (judged and f.section == "mitigation" and f.key.kind != "verdict")
    ]  # fmt: skip
    fitting = [[f for f in heard if fits(f)] for fits, _ in ANSWERS]
    chosen = [f for found, (_, these) in zip(fitting, ANSWERS, strict=True) for f in found[these]]
    first = [*fitting[2], *filter(_copying, heard)]
    effects = [f for f in spoken if f.section == "mitigation"]
    more = (f for f in [*first, *effects, *spoken] if f not in chosen)
    while len(chosen) < 3 and (extra := next(more, None)) is not None:
        chosen.append(extra)
    return list({f.id: f for f in chosen}.values())[:MOST]
