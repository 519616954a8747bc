"""Shared by the verbs: exit codes, common options, starting a run and printing its result."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.cli.meter import Meter
from audit.errors import harmless
from audit.runs.options import HOW, Options

DONE, GATE_FAILED, USAGE, INCOMPLETE, CRASHED, INTERRUPTED = 0, 1, 2, 3, 70, 130

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Hide progress.")]


def say(words: object, err: bool = False) -> None:
    """Print one line or several on stdout or stderr, without what a terminal obeys.

    Everything that a verb prints goes through here or through `say_json`: file names, captions and
    findings may come from strangers.
    """
    typer.echo(harmless(words), err=err)


def say_json(body: object, indent: int | None = None) -> None:
    """Print JSON on stdout; what a terminal would obey is escaped, so the data is unchanged."""
    text = json.dumps(body, indent=indent, ensure_ascii=False)
    typer.echo("".join(c if harmless(c) else json.dumps(c)[1:-1] for c in text))


def finish(report: Path, findings: Path, as_json: bool, pdf: Path | None = None) -> None:
    """Print the path of the report, and of its PDF if there is one, or paths as JSON."""
    if as_json:
        body = {"report": str(report), "findings": str(findings)}
        say_json(body | ({"pdf": str(pdf)} if pdf else {}))
        return
    say(report)
    if pdf:
        say(pdf)


NOT_SHOWN = tuple(f"--{name.replace('_', '-')}" for name in HOW)
"""Options that a report does not show, because it does not depend on them."""


def command() -> str:
    """The command as it was typed, for the report, without what does not change the results."""
    words, given = list[str](), iter(sys.argv[1:])
    for word in given:
        if word in NOT_SHOWN:
            next(given, None)
        elif word.partition("=")[0] not in NOT_SHOWN:
            words.append(word)
    return shlex.join(["t2i-audit", *words])


def audit(
    suite: Any, options: Options, quiet: bool, as_json: bool,
    asked: tuple[str, list[str], int | None] | None = None,
) -> None:  # fmt: skip
    """Plan and run a suite with progress; print the report's path, or the run's after a part.

    `asked` are the suite's name, the mitigations and the seeds, as they were given.
    """
    from audit.runs import gathering, line, planning

    meter = Meter(quiet)
    try:
        run = planning.open_run(suite, replace(options, command=command()), meter)
        if options.shard and asked is not None:
            folder = gathering.part(run, gathering.request(*asked, run))
        else:
            report = line.execute(run)
    finally:
        meter.close()
    if options.shard:
        if as_json:
            say_json({"run": str(folder), "shard": options.shard})
        else:
            say(folder)
        return
    finish(report, report.with_name("findings.json"), as_json)


def training_images(folder: Any, corpus: str) -> Any:
    """A function from id to training image: of the named training set, or of a shipped suite.

    The name may be the run's own record, so only registered training sets are loaded by it.
    """
    from audit import registry
    from audit.design import suites
    from audit.evidence.copies import training_set

    name = corpus or str(folder.results().get("corpus", ""))
    if not name:
        suite = folder.manifest().get("suite", "")
        shipped = {s for s, _ in suites.list_suites()}
        name = (suites.read_suite(suite).corpus or "") if suite in shipped else ""
    if not name:
        return None

    corpora = registry.corpora(f"the training set {name} of {folder.path}")
    if name in registry.CORPORA and not Path(name).exists():
        return training_set.of_corpus(corpora(name)).image
    return training_set.at(Path(name), None, corpora, far=bool(corpus)).image
