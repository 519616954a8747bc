"""`score`: the representation report from an existing table of labels, without images."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from audit.cli.options import with_options
from audit.cli.shared import Json, Quiet, audit
from audit.errors import UserError
from audit.runs.options import Options


@with_options("labels", "missing", "references", "out", "trust_code")
def score(
    options: Options,
    suite: Annotated[
        str, typer.Argument(help="Suite that gives attributes and references.")
    ] = "occupations",
    classes: Annotated[
        list[str] | None,
        typer.Option(help="Classes of an attribute as NAME=one,two; may be repeated."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Build the report from an existing table of labels."""
    from audit.design import suites

    if options.labels is None:
        raise UserError("--labels is missing: give a table of labels, --labels FILE.")
    chosen = declared(suites.read_suite(suite, trust_code=options.trust_code), classes or [])
    audit(chosen, options, quiet, as_json)


def declared(suite: Any, classes: list[str]) -> Any:
    """The suite with the class lists of the command line instead of its own of the same name."""
    from dataclasses import replace

    from audit.records import Attribute

    attributes = {a.name: a for a in suite.attributes}
    for text in classes:
        name, _, values = text.partition("=")
        name = next(
            (n for n in attributes if n.casefold() == name.strip().casefold()), name.strip()
        )
        listed = tuple(" ".join(v.split()) for v in values.split(","))
        different = {v.casefold() for v in listed}
        if not name or len(different) < max(2, len(listed)) or "" in listed:
            raise UserError(
                f"--classes {text!r} is not a valid class list. Give the attribute and at least "
                "two different classes: --classes age=young,old."
            )
        attributes[name] = Attribute(name, listed, {})
    return replace(suite, attributes=tuple(attributes.values()))
