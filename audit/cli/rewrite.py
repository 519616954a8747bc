"""`rewrite`: apply mitigations to prompts, with reasons."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.cli.shared import Json, say, say_json
from audit.errors import UserError


def rewrite(
    mitigation: Annotated[
        list[str],
        typer.Option(
            "--mitigation", "-t",
            help="Mitigations to apply: inject:gender, inject:gender,target=labour, neutral, "
            "ethical:gender, llm:MODEL,url=http://HOST/v1,attribute=gender, add-words:4, "
            "A+B for both at once, ...; may be repeated.",
        ),
    ],
    prompt: Annotated[str, typer.Argument(help="The prompt, in quotes.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", help="A text file in UTF-8 with one prompt in a line; - is standard input."
        ),
    ] = None,
    images: Annotated[
        int, typer.Option("--images", "-n", min=1, max=10_000, help="Images per prompt.")
    ] = 1,
    subject: Annotated[
        str, typer.Option(help="Subject of the prompt, e.g. nurse; read from it if omitted.")
    ] = "",
    suite: Annotated[
        str, typer.Option(help="Suite that gives attributes, targets and subjects.")
    ] = "occupations",
    seed: Annotated[int, typer.Option(help="Another seed draws other values.")] = 0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Explain each rewrite.")
    ] = False,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Import code that the suite names.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Rewrite one prompt, or each line of a file; print the final prompts, one line per image."""
    from audit.design.mitigations.specs import paired
    from audit.design.suites import read_suite
    from audit.runs.preview import rewrite as made

    if bool(prompt) == (file is not None):
        raise UserError("Give either a prompt or --file.")
    given = prompt if file is None else lines(file)
    chosen, asked = read_suite(suite, trust_code=trust_code), paired(mitigation)
    rows = [r for arm in asked for r in made(given, arm, images, subject, chosen, asked, seed=seed)]
    if as_json:
        say_json([asdict(r) for r in rows])
        return
    for row in rows:
        say(row.text)
        for part in (row.parts or (row,)) if explain else ():
            said = [f"gives: {part.text}"] if row.parts and part.text != part.original else []
            say("    " + "; ".join([*steps(part), *said]), err=True)


def lines(file: Path) -> list[str]:
    """The prompts of a text file, one in a line; empty lines are left out."""
    import sys

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"--file {file} cannot be read as UTF-8 text: {error}. Give a text file with one "
            "prompt in a line."
        ) from error
    found = [line for line in text.splitlines() if line.strip()]
    if not found:
        raise UserError(f"--file {file} has no prompts. Write one in each line.")
    return found


def steps(row: Any) -> list[str]:
    """The steps of one rewrite, in order."""
    if row.reason:
        return [f"{row.mitigation}: left alone, {row.reason}"]
    out = [f"{row.mitigation}, image {row.image + 1}"]
    if row.target:
        shares = ", ".join(f"{k} {v:.0%}" for k, v in row.target.items())
        out.append(f"target {shares}")
    out += [f"drawn {name} {value}" for name, value in row.drawn.items()]
    if row.engine:
        out.append("in the engine: " + ", ".join(f"{k} {v}" for k, v in row.engine.items()))
    return out if row.changed else [*out, "nothing to change"]
