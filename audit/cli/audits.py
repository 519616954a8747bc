"""`demo` and `run`: a suite on a model or on images, to a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.meter import Meter
from audit.cli.options import with_options
from audit.cli.shared import Json, Quiet, audit, finish, say, say_json
from audit.runs.options import Options


@with_options("out", "pictures", "lang")
def demo(
    options: Options,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer images in fewer steps.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Audit the embedded model, whose biases and copies were planted; print the report's path."""
    from audit.design import suites

    suite = suites.read_suite("world", quick)
    if quick:
        options = replace(options, steps=8, validation=300, training=30)
    audit(suite, options, quiet, as_json)


@with_options(without=("labels", "missing"))
def run(
    suite: Annotated[str, typer.Argument(help="A shipped suite (see `list`) or a TOML file.")],
    options: Options,
    mitigation: Annotated[
        list[str] | None,
        typer.Option(
            "--mitigation",
            "-t",
            help="Mitigations to try instead of the suite's: inject:gender, placebo:gender, "
            "llm:MODEL,url=http://HOST/v1,attribute=gender, guidance:6, add-words:4, noise:0.5, "
            "A+B for both at once, ...; may be repeated.",
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", "-n", min=1, help="Images per prompt, in every block.")
    ] = None,
    plan_power: Annotated[
        bool, typer.Option("--plan-power", help="Print required sample sizes and exit.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a suite on a model or on images, or continue the run; print the report's path."""
    from audit.runs.planning import asked

    chosen = asked(suite, mitigation or (), seeds, trust_code=options.trust_code)
    if plan_power:
        from audit.cli.power import show

        show(chosen, as_json)
        return
    audit(chosen, options, quiet, as_json, (suite, mitigation or [], seeds))


AGAIN = ("device", "trust", "trust_code", "send_key", "workers", "ray", "gpus_per_worker",
         "pack")  # fmt: skip
"""Options of `gather`: how it is done, and what a file in a run's folder may not decide."""


@with_options(*AGAIN, "descriptor")
def gather(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|INDEX",
            help="The folder that `run --shard I/N` or `index --shard I/N` printed.",
        ),
    ],
    options: Options,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Finish a run or an index whose parts were made with --shard; print the report or the index.

    Exit code 3: shards are missing or not whole; they are listed.
    """
    from audit.runs import gathering, index_parts

    meter = Meter(quiet)
    try:
        if index_parts.is_index(folder):
            for note in index_parts.gather(folder, options, meter).notes:
                say(note, err=True)
            if as_json:
                say_json({"index": str(folder)})
            else:
                say(folder)
            return
        report = gathering.gather(folder, {n: getattr(options, n) for n in AGAIN}, meter)
    finally:
        meter.close()
    finish(report, report.with_name("findings.json"), as_json)
