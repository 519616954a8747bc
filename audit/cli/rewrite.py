"""`rewrite`: apply mitigations to one prompt, with reasons."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from audit.cli.shared import Json, say, say_json


def rewrite(
    prompt: Annotated[str, typer.Argument(help="The prompt, in quotes.")],
    mitigation: Annotated[
        list[str],
        typer.Option(
            "--mitigation", "-t",
            help="Mitigations to apply: inject:gender, inject:gender,target=labour, neutral, "
            "ethical:gender, llm:MODEL,url=http://HOST/v1,attribute=gender, add-words:4, "
            "A+B for both at once, ...; may be repeated.",
        ),
    ],
    images: Annotated[
        int, typer.Option("--images", "-n", min=1, max=10_000, help="Images per prompt.")
    ] = 1,
    subject: Annotated[
        str, typer.Option(help="Subject of the prompt, e.g. nurse; detected if omitted.")
    ] = "",
    suite: Annotated[
        str, typer.Option(help="Suite that gives attributes, targets and subjects.")
    ] = "occupations",
    explain: Annotated[
        bool, typer.Option("--explain", help="Explain each rewrite.")
    ] = False,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Import code that the suite names.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Rewrite one prompt; print the final prompts, one line per image."""
    from audit.design.mitigations.specs import paired
    from audit.design.suites import read_suite
    from audit.runs.preview import rewrite as made

    chosen, asked = read_suite(suite, trust_code=trust_code), paired(mitigation)
    rows = [r for arm in asked for r in made(prompt, arm, images, subject, chosen, asked)]
    if as_json:
        say_json([asdict(r) for r in rows])
        return
    for row in rows:
        say(row.text)
        for part in (row.parts or (row,)) if explain else ():
            said = [f"gives: {part.text}"] if row.parts and part.text != part.original else []
            say("    " + "; ".join([*steps(part), *said]), err=True)


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
