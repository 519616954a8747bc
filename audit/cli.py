"""The command line: verbs and options, errors in one sentence, results on stdout.

Imports nothing heavy: help answers at once, and each verb imports what it needs.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.errors import Incomplete, UserError

DONE, GATE_FAILED, USAGE, INCOMPLETE, CRASHED, INTERRUPTED = 0, 1, 2, 3, 70, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""Audit text-to-image models for stereotypes and for copied training images.

    Start here:

      t2i-audit demo                    audit the embedded model, whose truth is known

      t2i-audit run world_full          a larger audit of the embedded model

      t2i-audit run occupations --model MODEL --classifier ViT-B-32/laion2b_s34b_b79k

    Results are printed on stdout, progress on stderr. Running the same command again continues
    where it stopped.""",
)
world_app = typer.Typer(
    no_args_is_help=True, help="Rebuild and check the embedded calibration world."
)
app.add_typer(world_app, name="world")

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder in which run folders are made.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


class Meter:
    """Progress on stderr: bars with rate and time left on a terminal, else a line every 30 s."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.step, self.started, self.first, self.last = "", 0.0, 0, 0.0
        self.bars: Any = None
        self.tasks: dict[str, Any] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of `step` are finished."""
        if self.quiet:
            return
        if sys.stderr.isatty():
            self._bar(step, done, total)
        else:
            self._line(step, done, total)

    def _bar(self, step: str, done: int, total: int) -> None:
        if self.bars is None:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TaskProgressColumn,
                TextColumn,
                TimeRemainingColumn,
            )

            self.bars = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TaskProgressColumn(show_speed=True), TimeRemainingColumn(),
                console=Console(stderr=True),
            )  # fmt: skip
            self.bars.start()
        if step not in self.tasks:
            self.tasks[step] = self.bars.add_task(step, total=total)
        self.bars.update(self.tasks[step], completed=done, total=total)

    def _line(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != self.step:
            self.step, self.started, self.first, self.last = step, now, done, 0.0
        if done < total and now - self.last < 30:
            return
        self.last = now
        spent, made = now - self.started, done - self.first
        rate = made / spent if spent > 0 else 0.0
        text = f"{step}: {done} of {total}"
        if rate:
            text += f", {rate:.1f}/s"
            text += f", {(total - done) / rate:.0f} s left" if done < total else ""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.bars is not None:
            self.bars.stop()


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        typer.echo(version("t2i-audit"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


def _finish(report: Path, as_json: bool) -> None:
    if as_json:
        body = {"report": str(report), "findings": str(report.with_name("findings.json"))}
        typer.echo(json.dumps(body))
    else:
        typer.echo(report)


def _command() -> str:
    return shlex.join(["t2i-audit", *sys.argv[1:]])


def _audit(suite: Any, options: Any, quiet: bool, as_json: bool) -> None:
    from audit import pipeline

    meter = Meter(quiet)
    try:
        report = pipeline.execute(pipeline.open_run(suite, options, meter))
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. Run the same command to continue.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        meter.close()
    _finish(report, as_json)


@app.command()
def demo(
    out: Out = Path("reports"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer images in fewer steps.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Json = False,
) -> None:
    """Audit the embedded model, whose biases and copies were planted; prints the report's path."""
    from audit import suites
    from audit.pipeline import Options

    suite = suites.read_suite("world", quick)
    options = Options(out=out, command=_command())
    if quick:
        options = replace(options, steps=12, validation=300)
    _audit(suite, options, quiet, as_json)


@app.command()
def run(
    suite: Annotated[str, typer.Argument(help="A shipped suite (see `list`) or a TOML file.")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="`embedded`, a diffusers folder, a .safetensors checkpoint, or a hub name "
            "(`organisation/name@revision`).",
        ),
    ] = "embedded",
    images: Annotated[
        Path | None,
        typer.Option(help="Audit images made elsewhere: a folder, a .tar or a .parquet file."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="Table of the images' prompts: file_name, text, seed, arm."),
    ] = None,
    out: Out = Path("reports"),
    seeds: Annotated[
        int | None, typer.Option("--seeds", "-n", min=1, help="Images per prompt, for every block.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Sampling steps; else the model's own.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Guidance scale, 1 turns it off; else the model's own.")
    ] = None,
    negative: Annotated[str, typer.Option(help="Negative prompt.")] = "",
    scheduler: Annotated[
        str, typer.Option(help="Sampler by name, e.g. dpm++, euler, ddim; else the model's own.")
    ] = "",
    size: Annotated[str, typer.Option(help="Pixels: 512 or WIDTHxHEIGHT.")] = "",
    lora: Annotated[
        list[str] | None, typer.Option(help="LoRA weights as FILE or FILE@SCALE; may be repeated.")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=0, help="Images drawn at once, part of the result; 0 chooses.")
    ] = 0,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the denoiser: for long runs on a GPU.")
    ] = False,
    offload: Annotated[
        str, typer.Option(help="none, model or sequential: slower, with less GPU memory.")
    ] = "none",
    config: Annotated[
        Path | None, typer.Option(help="Diffusers folder that describes a single checkpoint.")
    ] = None,
    revision: Annotated[str, typer.Option(help="Commit, tag or branch of a hub model.")] = "",
    trust: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code that comes with the model.")
    ] = False,
    classifier: Annotated[
        str, typer.Option(help="`embedded-classifier` or an open_clip name.")
    ] = "embedded-classifier",
    corpus: Annotated[
        Path | None, typer.Option(help="Folder of training images to search for copies.")
    ] = None,
    held_out: Annotated[
        Path | None, typer.Option(help="Folder of held-out images, exchangeable with --corpus.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Json = False,
) -> None:
    """Run a suite on a model or on images, or continue it, and print the path of the report."""
    from audit import suites
    from audit.planning import Options

    chosen = suites.read_suite(suite)
    if seeds is not None:
        chosen = suites.with_seeds(chosen, seeds)
    options = Options(
        model=model, out=out, steps=steps, guidance=guidance, batch=batch, dtype=dtype,
        device=device, scheduler=scheduler, negative=negative, size=size, loras=tuple(lora or ()),
        compile=compile, offload=offload, trust=trust, revision=revision, config=config,
        images=images, prompts=prompts, classifier=classifier, corpus=corpus, held_out=held_out,
        command=_command(),
    )  # fmt: skip
    _audit(chosen, options, quiet, as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed, what this machine can do, and what to do about what is missing."""
    from audit import doctor as check

    found = check.examine()
    typer.echo(json.dumps(found, indent=1) if as_json else check.page(found))
    if any(line["state"] == "missing" for line in found["parts"] if line["needed"]):
        raise typer.Exit(USAGE)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the suites, models, corpora and mitigations that can be named."""
    from audit import registry, suites

    found: dict[str, Any] = {"suites": dict(suites.list_suites()), **registry.names()}
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for kind, names in found.items():
        typer.echo(f"{kind}:")
        for name in names:
            title = f"  {names[name]}" if isinstance(names, dict) else ""
            typer.echo(f"  {name}{title}")


@world_app.command("art")
def world_art(
    google: Annotated[Path, typer.Argument(help="Unpacked npm package emoji-datasource-google.")],
    twitter: Annotated[Path, typer.Argument(help="Unpacked npm package emoji-datasource-twitter.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("sprites.webp"),
) -> None:
    """Rebuild the sprite pack from its two sources."""
    from audit.world import art

    typer.echo(art.build({"noto": google, "twemoji": twitter}, out))


@world_app.command("render")
def world_render(
    out: Annotated[Path, typer.Argument(help="Folder for the pictures and their table.")],
    which: Annotated[str, typer.Option(help="train, twin or planted.")] = "train",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N.")] = None,
) -> None:
    """Render a set of the world: pictures, captions and labels."""
    from audit.world.export import render_set

    typer.echo(render_set(which, out, limit))


@world_app.command("train")
def world_train(
    part: Annotated[str, typer.Argument(help="vae, unet, classifier, descriptor or all.")],
    work: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and weights.")] = Path(
        "world-training"
    ),
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Time to train; the recipe's own without it.")
    ] = None,
) -> None:
    """Train a part of the embedded models from its recipe; an interrupted training continues."""
    from audit.world.train import recipes

    typer.echo(recipes.train(part, work, minutes))


@world_app.command("verify")
def world_verify(as_json: Json = False) -> None:
    """Check art, planted truth and shipped models against what the package claims of them."""
    from audit.world.verify import verify

    checks = verify()
    if as_json:
        typer.echo(json.dumps([c.__dict__ for c in checks], indent=1))
    else:
        for c in checks:
            typer.echo(
                f"{'ok  ' if c.passed else 'FAIL'} {c.what}: {c.measured} (wanted {c.wanted})"
            )
    if not all(c.passed for c in checks):
        raise typer.Exit(GATE_FAILED)


def _log_crash(error: BaseException) -> Path:
    import tempfile
    import traceback

    handle, name = tempfile.mkstemp(prefix="t2i-audit-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    return Path(name)


def main() -> None:
    """Entry point: exit codes 0 done, 2 usage, 3 incomplete, 70 our own crash, 130 interrupted."""
    try:
        app(standalone_mode=True)
    except UserError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(USAGE)
    except Incomplete as state:
        typer.echo(str(state), err=True)
        sys.exit(INCOMPLETE)
    except Exception as error:
        path = _log_crash(error)
        typer.echo(f"Error: t2i-audit itself failed ({error}). Details: {path}", err=True)
        sys.exit(CRASHED)


if __name__ == "__main__":
    main()
