"""`segment`: where words are in images, by the model's own attention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.meter import Meter
from audit.cli.options import with_options
from audit.cli.shared import INCOMPLETE, Json, Quiet, say, say_json
from audit.errors import UserError
from audit.runs.options import Options


@with_options(
    "model", "steps", "guidance", "scheduler", "size", "loras", "partial_lora", "batch", "dtype",
    "device", "offload", "config", "revision", "trust",
)  # fmt: skip
def segment(
    options: Options,
    words: Annotated[
        list[str], typer.Option("--words", "-w", help="Words to find: person,laptop,desk.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of overlays, masks and table.")],
    pictures: Annotated[
        list[Path] | None, typer.Argument(help="Images, or folders of them.")
    ] = None,
    draw: Annotated[
        list[str] | None,
        typer.Option(help="Also draw this prompt and segment what is drawn; may be repeated."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Images of each --draw.")] = 4,
    caption: Annotated[
        str, typer.Option(help="What the given images show, where it is known.")
    ] = "",
    layers: Annotated[
        str,
        typer.Option(
            help="Beginning of the names of the layers to read, e.g. up_blocks.1; those with fewer "
            "than 8 x 8 places are left out where others have more."
        ),
    ] = "up_blocks.",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find words in images by the attention of a Stable Diffusion model, without training.

    The words need not be in the prompt. Prints the path of the table: a row for each image and
    word with its share of the area and its box. Exit code 3: some images cannot be read, or
    were blocked by the model's own checker; the rest is segmented.
    """
    from audit.runs import searching, segmenting

    chosen = segmenting.words_of(words)
    if not pictures and not draw:
        raise UserError("There is nothing to segment. Give images, or a prompt with --draw.")
    question = searching.ask(pictures) if pictures else None
    meter = Meter(quiet)
    try:
        segmenter = segmenting.Segmenter(options, chosen, layers)
        asked = segmenting.Asked(question, caption, draw or [], seeds)
        table, missing = segmenting.segment(segmenter, asked, out, meter)
    finally:
        meter.close()
    unreadable = question.unreadable if question else {}
    if as_json:
        rows = json.loads(table.to_json(orient="records"))
        say_json({"segments": rows, "table": str(out / segmenting.TABLE),
                  "unreadable": unreadable, "missing": missing})  # fmt: skip
    else:
        say(out / segmenting.TABLE)
    for name, reason in unreadable.items():
        say(f"{name}: unreadable ({reason})", err=True)
    for name, reason in missing.items():
        say(f"{name}: no image ({reason})", err=True)
    if unreadable or missing:
        raise typer.Exit(INCOMPLETE)
