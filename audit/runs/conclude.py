"""The end of a run: findings, tables and the report, from the measurements."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from audit.datasets import listing
from audit.datasets.listing import LeftOut
from audit.errors import Notice, UserError
from audit.evidence.measured import Measured
from audit.files import Head, now, rows_of, write_atomic
from audit.keys import digest
from audit.records import Finding, to_json
from audit.report import from_folder
from audit.report.facts import Facts
from audit.runs import choosing, comparing, draw, persons, rounds
from audit.runs.context import Run
from audit.runs.opt import declared
from audit.runs.options import Options
from audit.runs.planning import left_alone, versions
from audit.store import AS_GIVEN


@dataclass(frozen=True)
class Made:
    """Measurements and facts for the end of a run."""

    measured: Measured
    key: Mapping[str, str]
    """The origin of the table of attributes: its encoder, or its labels."""
    facts: Facts = field(default_factory=Facts)
    """Facts on the training set and on the decision."""
    train_image: Callable[[str], np.ndarray] | None = None


def conclude(run: Run, made: Made) -> Path:
    """Write findings, tables and the report; returns the report's path."""
    from audit.findings.all import findings

    found = findings(made.measured)
    text = dated(run, found)
    keep_earlier(run, text)
    _write_tables(run, made)
    if run.options.images is not None:
        run.folder.write_left_out(listing.table([*run.plan.left_out, *_unread(run)]))
    run.folder.write_findings(text)
    run.progress("report", 0, 1)
    report = _write_report(run, made, found)
    run.progress("report", 1, 1)
    return report


def dated(run: Run, found: list[Finding]) -> str:
    """findings.json; findings that are there already keep the time when they were written."""
    name, model = run.folder.path.resolve().name, run.settings.model
    head = Head(name, run.suite.name, model, versions()["t2i-audit"], now())
    with suppress(UserError):
        first = to_json(found, replace(head, written=run.folder.head().written))
        if first == (run.folder.path / "findings.json").read_text("utf-8"):
            return first
    return to_json(found, head)


def keep_earlier(run: Run, findings: str) -> None:
    """Keep report and findings that these would overwrite, and say where."""
    report, was = (run.folder.path / n for n in ("report.html", "findings.json"))
    if not (report.exists() and was.exists()):
        return
    try:
        run.folder.findings()
        if rows_of(was.read_text("utf-8"))[1] == rows_of(findings)[1]:
            return
    except UserError:
        return  # damaged; nothing is lost with it
    place = run.folder.path / "earlier" / digest(was.read_text("utf-8"), 8)
    for path in (report, was):
        write_atomic(place / path.name, path.read_bytes())
    warnings.warn(
        f"The findings have changed; the earlier report is kept as {place / report.name}.",
        Notice,
        stacklevel=2,
    )


def _write_tables(run: Run, made: Made) -> None:
    """Write tables under names that contain a hash of their origin, and the record of all."""
    chosen, m = run.options, made.measured
    options = {n: getattr(chosen, n) for n, d in declared(Options).items() if d.opt.tables}
    key = {**made.key, "suite": digest(repr(run.suite)), "options": options}
    tables = {"attributes": m.table, "alignment": m.alignment, "matches": m.matches,
              "looks": pd.DataFrame(run.plan.looks), "detectors": m.detectors}  # fmt: skip
    measured = {"tones": m.tones, "nudity": m.nudity, "triples": m.triples,
                "adherence": m.adherence, "swaps": m.swaps, "segments": m.segments}  # fmt: skip
    tables |= {name: table for name, table in measured.items() if len(table)}
    if m.people:
        tables["people"] = pd.DataFrame(m.people.items(), columns=["sample", "people"])
        tables["others"] = m.others
    names = {n: run.folder.write_table(n, key, table).name for n, table in tables.items()}
    reader = made.key.get("encoder", comparing.GIVEN)
    stating = [p.id for p in run.suite.prompts if p.grouped]
    run.folder.write_results(
        {
            "tables": names,
            "classes": {
                a.name: list(a.classes)
                for a in run.suite.attributes
                if a.name != run.suite.subject_attribute
            },
            "subject_classes": {
                a.name: list(a.classes)
                for a in run.suite.attributes
                if a.name == run.suite.subject_attribute
            },
            "command": chosen.command,
            "pictures": run.plan.names,
            "images": str(chosen.images or ""),
            "images_at": str(chosen.images.resolve()) if chosen.images else "",
            "columns": list(chosen.columns),
            "corpus": str(chosen.corpus or ""),
            "instruments": comparing.instruments(
                run.suite, reader, made.facts.corpus, chosen.people
            ),
            "checks": list(run.suite.checks),
            **({"grouped": stating} if stating else {}),
            **AS_GIVEN,
        }
    )


def _unread(run: Run) -> list[LeftOut]:
    """Planned images made elsewhere that give no reading, with the reason."""
    texts = {s.id: s.text for s in run.samples}
    reasons = dict.fromkeys(run.folder.blocked(), draw.BLANK) | run.unread
    return [LeftOut(run.plan.names[i], reasons[i], texts[i]) for i in texts if i in reasons]


def _write_report(run: Run, made: Made, found: list[Finding]) -> Path:
    """Write the report, from the files in the folder."""
    facts = replace(
        made.facts,
        command=run.options.command,
        versions={**versions(), **choosing.revisions(run.options)},
        suite_hash=digest(repr(run.suite)),
        settings_hash=digest(run.settings.__dict__),
        labels_hash=made.measured.errors.key if len(made.measured.errors.judged) else "",
        wall_seed=run.options.seed,
        notes=tuple(dict.fromkeys([*run.notes, *draw.notes(run)])),
        left_alone=left_alone(run.samples),
        sequential=rounds.summary(run) if run.options.precision else None,
        measured_on=tuple(sorted(set(made.measured.errors.sources.values()))),
        people=persons.facts(run.options.people, made.measured.people),
        truth_note=run.plan.truth.note if run.plan.truth is not None else "",
    )
    from_folder.keep(run.folder, run.suite, facts, run.plan.labels is None, found)
    return from_folder.render(
        run.folder, run.picture, made.train_image, run.options.pictures, lang=run.options.lang
    )
