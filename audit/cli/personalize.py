"""`personalize`: models trained on a few images of a subject, audited as the arms of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.cli.meter import Meter
from audit.cli.options import with_options
from audit.cli.shared import Json, Quiet, command, finish
from audit.errors import UserError
from audit.runs.opt import AtLeast, Opt, Within, declared
from audit.runs.options import Options


@dataclass(frozen=True)
class Wanted:
    """What differs from the usual recipe, `runs.personalizing.Recipe`; None is the usual."""

    arms: Annotated[
        str, Opt("Kinds of training: dreambooth,dreambooth-prior,lora,lora-prior; default: all.")
    ] = ""
    doses: Annotated[str, Opt("Steps of training: 100,400,800; embedded model: 20,60,180.")] = ""
    trainings: Annotated[
        int | None, Opt("Seeds of training for each subject; default: 3.", allow=AtLeast(1))
    ] = None
    word: Annotated[str, Opt("Word that names the subject; default: sks.")] = ""
    noun: Annotated[str, Opt("The subject's class; default: person.")] = ""
    rate: Annotated[
        float | None, Opt("Learning rate; default: 5e-6, embedded 2e-4.", allow=AtLeast(0))
    ] = None
    lora_rate: Annotated[
        float | None, Opt("The same of a LoRA; default: 1e-4, embedded 2e-3.", allow=AtLeast(0))
    ] = None
    rank: Annotated[int | None, Opt("Rank of a LoRA; default: 4.", allow=AtLeast(1))] = None
    train_batch: Annotated[
        int | None,
        Opt("The subject's images in a batch; default: 1, embedded 4.", allow=AtLeast(1)),
    ] = None
    class_images: Annotated[
        int | None,
        Opt(
            "Images of the class that the model draws for prior preservation; default: 200, "
            "embedded 40.",
            allow=AtLeast(1),
        ),
    ] = None
    extrapolate: Annotated[
        float | None,
        Opt(
            "How far to extrapolate from the base model beyond the tuned one, 0 leaves it out; "
            "default: 1.",
            allow=Within(0, 100),
        ),
    ] = None
    most_prompts: Annotated[
        int | None, Opt("Other prompts at most; default: 20.", allow=AtLeast(1))
    ] = None
    seeds: Annotated[
        int | None, Opt("Images of them for each model; default: 1.", "--seeds -n", AtLeast(1))
    ] = None
    own_seeds: Annotated[
        int | None,
        Opt("Images of the subject, and of its class, for each; default: 4.", allow=AtLeast(1)),
    ] = None

    def __post_init__(self) -> None:
        kind: Any = type(self)  # mypy considers a frozen dataclass's class unhashable
        for name, option in declared(kind).items():
            object.__setattr__(self, name, option.value(getattr(self, name)))

    @property
    def given(self) -> dict[str, Any]:
        """The fields of the recipe that were given."""
        kind: Any = type(self)
        of = {n: getattr(self, n) for n in declared(kind) if n not in ("arms", "doses")}
        lists = {"kinds": _list(self.arms), "doses": tuple(map(_steps, _list(self.doses)))}
        return {k: v for k, v in {**of, **lists}.items() if v not in (None, "", ())}


@with_options(
    "model", "held_out", "out", "references", "steps", "guidance", "negative", "scheduler", "size",
    "batch", "dtype", "device", "workers", "config", "revision", "trust", "trust_code",
    "classifier", "readers", "validation", "drawn", "people", "tone", "descriptor", "copies", "q",
    "seed", "pictures",
)  # fmt: skip
@with_options()
def personalize(
    subjects: Annotated[
        Path,
        typer.Argument(help="Folder with 3 to 5 images of a subject, or such a folder for each."),
    ],
    wanted: Wanted,
    options: Options,
    suite: Annotated[
        str,
        typer.Option(
            help="Suite with the other prompts: one is asked for each of its subjects. Default: "
            "`world_full` for the embedded model, else `occupations`."
        ),
    ] = "",
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

    embedded = options.model == "embedded"
    usual = personalizing.EMBEDDED if embedded else personalizing.Recipe()
    recipe = replace(usual, **wanted.given)
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
