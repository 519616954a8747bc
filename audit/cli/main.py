"""The command line: verbs and options, errors in one sentence, results on stdout.

Imports nothing heavy: help is immediate, and each verb imports its own libraries.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from types import FrameType
from typing import Annotated, TextIO

import typer

from audit.cli import (
    about,
    audits,
    check,
    compare,
    copying,
    export,
    index,
    label,
    mcp,
    personalize,
    report,
    rewrite,
    runs,
    score,
    segment,
    view,
    world,
)
from audit.cli.shared import CRASHED, INCOMPLETE, INTERRUPTED, USAGE, say
from audit.errors import Incomplete, Notice, UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""Audit text-to-image models for stereotypes and for copied training images.

    Start here:

      t2i-audit demo                    audit the embedded model, whose biases are known

      t2i-audit run world_full          a larger audit of the embedded model

      t2i-audit run occupations --model MODEL

    Results are printed on stdout, progress on stderr. Run the same command again to continue
    an interrupted run.""",
)


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        say(version("t2i-audit"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


MITIGATE = """Compare mitigations (-t A -t B ...) on a suite: effects, costs and a verdict for each.

The same as `run` with mitigations: same options, same run folder, images are shared."""

for verb in (
    audits.demo,
    audits.run,
    audits.gather,
    score.score,
    label.label,
    rewrite.rewrite,
    view.view,
    compare.compare,
    check.check,
    export.export,
    copying.copy,
    report.report,
    runs.runs,
    index.index,
    index.captions,
    index.search,
    segment.segment,
    personalize.personalize,
    mcp.mcp,
    about.doctor,
):
    app.command()(verb)
app.command("mitigate", help=MITIGATE)(audits.run)
app.command("list")(about.list_)
app.add_typer(world.app, name="world")


def _log_crash(error: BaseException) -> Path:
    import tempfile
    import traceback

    handle, name = tempfile.mkstemp(prefix="t2i-audit-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    return Path(name)


def _catch_signals() -> list[int]:
    """Answer a request to terminate like an interrupt; the numbers of those that came.

    Signals that the caller ignores stay ignored.
    """
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # audit/__main__.py
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, end)
    return came


def _notice(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    file: TextIO | None = None, line: str | None = None,
) -> None:  # fmt: skip
    """Print a warning: one of ours as a sentence."""
    if issubclass(category, Notice):
        say(f"Warning: {message}", err=True)
    else:
        _usual(message, category, filename, lineno, file, line)


_usual = warnings.showwarning


def spelled(words: list[str]) -> list[str]:
    """The words of a command; `--ray` without a value starts Ray on this machine."""
    out = list[str]()
    for word, following in zip(words, [*words, "-"][1:], strict=True):
        out.append(word)
        if word == "--ray" and following.startswith("-"):
            out.append("local")
    return out


def main() -> None:
    """Entry point.

    Exit codes: 0 done, 1 a gate failed, 2 usage, 3 incomplete, 70 internal error, 130 interrupted,
    143 terminated.
    """
    came = _catch_signals()
    sys.argv[1:] = spelled(sys.argv[1:])
    warnings.showwarning = _notice
    if not sys.warnoptions:  # -W and PYTHONWARNINGS still show what libraries will change
        warnings.simplefilter("ignore", FutureWarning)
    try:
        app(standalone_mode=True)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            say("\nInterrupted. Run the same command to continue.", err=True)
            sys.exit(128 + came[0] if came else INTERRUPTED)
        raise
    except UserError as error:
        say(f"Error: {error}", err=True)
        sys.exit(USAGE)
    except Incomplete as state:
        say(str(state), err=True)
        sys.exit(INCOMPLETE)
    except MemoryError:
        say(
            "There is not enough memory; everything finished so far is kept. Close other programs "
            "and run the same command again.",
            err=True,
        )
        sys.exit(INCOMPLETE)
    except Exception as error:
        path = _log_crash(error)
        say(f"Internal error of t2i-audit ({error}). Details: {path}", err=True)
        sys.exit(CRASHED)


if __name__ == "__main__":
    main()
