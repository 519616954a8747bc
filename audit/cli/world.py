"""`world`: rebuild and check the embedded calibration world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.shared import GATE_FAILED, Json

app = typer.Typer(no_args_is_help=True, help="Rebuild and check the embedded calibration world.")


@app.command("art")
def world_art(
    google: Annotated[Path, typer.Argument(help="Unpacked npm package emoji-datasource-google.")],
    twitter: Annotated[Path, typer.Argument(help="Unpacked npm package emoji-datasource-twitter.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("sprites.webp"),
) -> None:
    """Rebuild the sprite pack from its two sources."""
    from audit.world import art

    typer.echo(art.build({"noto": google, "twemoji": twitter}, out))


@app.command("render")
def world_render(
    out: Annotated[Path, typer.Argument(help="Folder for the images and their table.")],
    which: Annotated[str, typer.Option(help="Set to render: train, twin or planted.")] = "train",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first N images.")
    ] = None,
) -> None:
    """Render a set of the world: images, captions and labels."""
    from audit.world.export import render_set

    typer.echo(render_set(which, out, limit))


@app.command("train")
def world_train(
    part: Annotated[str, typer.Argument(help="vae, unet, classifier, descriptor or all.")],
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
) -> None:
    """Train a part of the embedded models from its recipe, or continue the training."""
    from audit.errors import UserError
    from audit.world.train import recipes

    if without_repeats and part != "unet":
        raise UserError(f"--without-repeats applies to the part `unet` only, not to `{part}`.")
    made = recipes.without_repeats(work, minutes) if without_repeats else None
    typer.echo(made or recipes.train(part, work, minutes))


@app.command("verify")
def world_verify(as_json: Json = False) -> None:
    """Verify the sprites, the planted truth and the shipped models."""
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
