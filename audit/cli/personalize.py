"""`personalize`: models trained on a few images of a subject, audited as the arms of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.meter import Meter
from audit.cli.options import with_options
from audit.cli.shared import Json, Quiet, command, finish
from audit.errors import UserError
from audit.runs.options import Options


@with_options(
    "model", "held_out", "out", "references", "steps", "guidance", "negative", "scheduler", "size",
    "batch", "dtype", "device", "workers", "config", "revision", "trust", "trust_code",
    "classifier", "readers", "validation", "drawn", "people", "tone", "descriptor", "copies", "q",
    "seed", "pictures",
)  # fmt: skip
def personalize(
    subjects: Annotated[
        Path,
        typer.Argument(help="Folder with 3 to 5 images of a subject, or such a folder for each."),
    ],
    options: Options,
    suite: Annotated[
        str,
        typer.Option(
            help="Suite with the other prompts: one is asked for each of its subjects. Default: "
            "`world_full` for the embedded model, else `occupations`."
        ),
    ] = "",
    arms: Annotated[
        str,
        typer.Option(
            help="Kinds of training: dreambooth,dreambooth-prior,lora,lora-prior (all of them)."
        ),
    ] = "",
    doses: Annotated[
        str, typer.Option(help="Steps of training: 100,400,800; embedded model: 20,60,180.")
    ] = "",
    trainings: Annotated[
        int | None, typer.Option(min=1, help="Seeds of training for each subject; default: 3.")
    ] = None,
    word: Annotated[str | None, typer.Option(help="Word that names the subject: sks.")] = None,
    noun: Annotated[str | None, typer.Option(help="The subject's class: person.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0, help="Learning rate; default: 5e-6, embedded 2e-4.")
    ] = None,
    lora_rate: Annotated[
        float | None, typer.Option(min=0, help="The same of a LoRA: 1e-4, embedded 2e-3.")
    ] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Rank of a LoRA; default: 4.")] = None,
    train_batch: Annotated[
        int | None,
        typer.Option(min=1, help="The subject's images in a batch; default: 1, embedded 4."),
    ] = None,
    class_images: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Images of the class that the model draws for prior preservation; default: 200, "
            "embedded 40.",
        ),
    ] = None,
    extrapolate: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="How far to extrapolate from the base model beyond the tuned one; default: 1, 0 "
            "leaves it out.",
        ),
    ] = None,
    prompts: Annotated[
        int | None, typer.Option(min=1, help="Other prompts at most; default: 20.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", "-n", min=1, help="Images of them for each model; default: 1."),
    ] = None,
    own_seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Images of the subject, and of its class, for each; default: 4."),
    ] = None,
    keep_weights: Annotated[
        bool, typer.Option("--keep-weights", help="Keep the trained weights below --out.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model on a few images of a subject, by DreamBooth and LoRA, and audit the results.

    Asks what comes back of these images, how far everybody else drifts, and what prior preservation
    buys. Prints the report's path. --held-out are other images of the same subjects, which copies
    are judged against.
    """
    from audit.runs import personalizing, planning

    given = {
        "kinds": _list(arms), "doses": tuple(_steps(d) for d in _list(doses)),
        "trainings": trainings, "word": word, "noun": noun, "rate": rate, "lora_rate": lora_rate,
        "rank": rank, "batch": train_batch, "class_images": class_images,
        "extrapolate": extrapolate, "prompts": prompts, "seeds": seeds, "own_seeds": own_seeds,
    }  # fmt: skip
    embedded = options.model == "embedded"
    usual = personalizing.EMBEDDED if embedded else personalizing.Recipe()
    recipe = replace(usual, **{k: v for k, v in given.items() if v not in (None, ())})
    chosen = planning.asked(
        suite or ("world_full" if embedded else "occupations"), trust_code=options.trust_code
    )
    meter = Meter(quiet)
    try:
        told = replace(options, command=command())
        run, made = personalizing.open_run(chosen, subjects, recipe, told, meter)
        report = personalizing.execute(run, made, recipe, keep_weights)
    finally:
        meter.close()
    finish(report, report.with_name("findings.json"), as_json)


def _list(text: str) -> tuple[str, ...]:
    """The items of a text between commas, each once."""
    return tuple(dict.fromkeys(filter(None, (part.strip() for part in text.split(",")))))


def _steps(text: str) -> int:
    """A number of steps; UserError for anything else."""
    if not text.isdecimal():
        raise UserError(f"--doses {text}: give numbers of steps, such as 100,400,800.")
    return int(text)
