"""`world`: rebuild and check the embedded calibration world."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.shared import GATE_FAILED, Json, say, say_json

if TYPE_CHECKING:
    from audit.world.truth import World

TruthFile = Annotated[
    Path | None,
    typer.Option(
        "--truth",
        metavar="FILE",
        help="TOML file that plants other shares and copies (default: the embedded world's).",
    ),
]

app = typer.Typer(no_args_is_help=True, help="Rebuild and check the embedded calibration world.")


def _world(truth: Path | None) -> World:
    from audit.world.planned import read_world
    from audit.world.truth import EMBEDDED

    return EMBEDDED if truth is None else read_world(truth)


@app.command("art")
def world_art(
    google: Annotated[Path, typer.Argument(help="Unpacked npm package emoji-datasource-google.")],
    twitter: Annotated[Path, typer.Argument(help="Unpacked npm package emoji-datasource-twitter.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("sprites.webp"),
) -> None:
    """Rebuild the sprite pack from its two sources."""
    from audit.world import art

    say(art.build({"noto": google, "twemoji": twitter}, out))


@app.command("render")
def world_render(
    out: Annotated[Path, typer.Argument(help="Folder for the images and their table.")],
    which: Annotated[str, typer.Option(help="Set to render: train, twin or planted.")] = "train",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first N images.")
    ] = None,
    truth: TruthFile = None,
) -> None:
    """Render a set of the world: images, captions and labels, with the truth that was planted."""
    from audit.world.export import render_set
    from audit.world.planned import claim

    world = _world(truth)
    claim(out, world)
    say(render_set(which, out, limit, world))


@app.command("subjects")
def world_subjects(
    out: Annotated[Path, typer.Argument(help="Folder for `subjects/` and `unseen/`.")],
    n: Annotated[int, typer.Option("--n", min=1, max=20, help="Number of persons.")] = 3,
    images: Annotated[int, typer.Option(min=1, max=1000, help="Images of each, twice.")] = 5,
) -> None:
    """Render persons for `personalize`: images to train on, and unseen ones of the same persons."""
    from audit.world.subjects import write_subjects

    say(write_subjects(out, n, images))


@app.command("train")
def world_train(
    part: Annotated[
        str,
        typer.Argument(help="vae, text, unet, classifier, descriptor or all of these; controlnet."),
    ],
    work: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and weights.")] = Path(
        "world-training"
    ),
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Minutes of training; default: the recipe's."),
    ] = None,
    without_repeats: Annotated[
        bool,
        typer.Option(
            "--without-repeats",
            help="Train on the set without repeated images (`unet` only).",
        ),
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Begin with the weights of another one (`classifier` only)."
        ),
    ] = None,
    condition: Annotated[
        str,
        typer.Option(help="What a ControlNet sees: silhouette, scribble or figure."),
    ] = "silhouette",
    truth: TruthFile = None,
) -> None:
    """Train a part of the embedded models from its recipe, or continue the training."""
    from audit.errors import UserError
    from audit.world.train import recipes

    if part != "controlnet" and condition != "silhouette":
        raise UserError(f"--condition applies to the part `controlnet` only, not to `{part}`.")
    if without_repeats and part != "unet":
        raise UserError(f"--without-repeats applies to the part `unet` only, not to `{part}`.")
    if without_repeats and truth is not None:
        raise UserError("--without-repeats is for the embedded world. Plant no [repeats] instead.")
    if start is not None and part != "classifier":
        raise UserError(f"--start applies to the part `classifier` only, not to `{part}`.")
    if start is not None and truth is not None:
        raise UserError("--start is for the embedded world. Leave out --truth.")
    if start is not None:
        say(recipes.classifier_from(start, work, minutes))
    elif without_repeats:
        say(recipes.without_repeats(work, minutes))
    elif part == "controlnet":
        say(recipes.controlnet(work, condition, minutes, _world(truth)))
    else:
        say(recipes.train(part, work, minutes, _world(truth)))


@app.command("keep")
def world_keep(
    run: Annotated[Path, typer.Argument(help="A run whose images two readers labelled.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write (default: the package's own).")
    ] = None,
) -> None:
    """Pack labelled pictures as the embedded classifier's validation set."""
    from audit.cli.world_runs import keep
    from audit.store import RunFolder
    from audit.world.seen import SEEN

    say(keep(RunFolder(run), out or SEEN))


@app.command("exam")
def world_exam(
    out: Annotated[Path, typer.Argument(help="New folder for the exam.")],
    truth: TruthFile = None,
    each: Annotated[int, typer.Option(min=1, max=10_000, help="Images of every occupation.")] = 50,
    copies: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the images that copy training images.")
    ] = 0.05,
) -> None:
    """Write an exam for auditors: images whose shares and copies are known."""
    from audit.world.exam import write_exam

    say(write_exam(_world(truth), out, each, copies))


@app.command("score")
def world_score(
    exam: Annotated[Path, typer.Argument(help="Folder that `world exam` wrote.")],
    shares: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The auditor's answers: CSV with subject, attribute, value, share, low, high.",
        ),
    ] = None,
    copies: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV with image and copy (0 or 1).")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A run of t2i-audit on the exam instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score an auditor's answers to an exam."""
    from audit.cli.world_runs import answers_of_run
    from audit.errors import UserError
    from audit.store import RunFolder
    from audit.world import marks

    if (shares is None) == (run is None):
        raise UserError("Give the answers: either --shares FILE (and --copies FILE), or --run.")
    if shares is not None:
        given = marks.answers(shares, copies)
    else:
        given = answers_of_run(RunFolder(run), exam)  # type: ignore[arg-type]
    found = marks.marks(exam, *given)
    told = {**found.__dict__, "score": found.score}
    if as_json:
        say_json({k: None if v != v else v for k, v in told.items()}, indent=1)
        return
    say(marks.sentence(found))


@app.command("verify")
def world_verify(
    each: Annotated[
        int, typer.Option(min=5, help="Images of each occupation at either guidance.")
    ] = 25,
    as_json: Json = False,
) -> None:
    """Verify the sprites, the planted truth and the shipped models."""
    from audit.world.verify import verify

    checks = verify(each)
    if as_json:
        say_json([c.__dict__ for c in checks], indent=1)
    else:
        for c in checks:
            say(f"{'ok  ' if c.passed else 'FAIL'} {c.what}: {c.measured} (wanted {c.wanted})")
    if not all(c.passed for c in checks):
        raise typer.Exit(GATE_FAILED)
