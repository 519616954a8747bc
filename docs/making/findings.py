"""The page of findings."""

from __future__ import annotations

from pathlib import Path

import audit
from audit import keys, records
from docs.making.markdown import attributes, code, doc, module_texts, quoted, said, section, table

MEANING = {
    "above": "the whole interval lies above the reference, a faithful model's score, or no change",
    "below": "the whole interval lies below it",
    "compatible": "neither is shown",
    "equivalent": "equality within a margin is shown, by two one-sided tests",
    "undecided": "too little is known",
    "found": "there is some: copies, or a difference",
    "not found": "none was found",
    "kept": "a loss that matters is excluded",
    "lost": "a loss that matters is shown",
    "works": "an arm brings something nearer to its target, and nothing is shown to get worse",
    "at a cost": "it does, and likeness to the original prompts is lost",
    "no effect": "an effect that matters is excluded",
    "harms": "something is shown to get worse",
    "met": "a target is reached",
    "not met": "a target is not reached",
    "described": "a description, not a test",
}
OUTCOMES = {
    "label": "a class was read",
    "uncertain": "the reader was not sure enough",
    "no person": "nobody is in the picture",
    "several people": "whose attribute it is cannot be said",
    "blocked": "the model's own safety checker gave no picture",
    "unreadable": "the file is gone or damaged",
}


def page() -> str:
    """Fields, verdicts, outcomes, tables, and what computes which findings."""
    head = (
        "`findings.json` holds every number of the page, one object each, null for what is not "
        "known; in Python they are `audit.open(RUN).findings`. How gates name them: "
        "[checking.md](../checking.md).\n\n"
    )
    row = [(code(n), text) for n, text in attributes(records.Finding)]
    texts = module_texts(keys)
    schemas = [
        (code(name), quoted(columns), texts[constant])
        for name, columns, constant in (
            ("attributes", keys.ATTRIBUTE_COLUMNS, "ATTRIBUTE_COLUMNS"),
            ("matches", keys.MATCH_COLUMNS, "MATCH_COLUMNS"),
            ("alignment", keys.ALIGNMENT_COLUMNS, "ALIGNMENT_COLUMNS"),
        )
    ]
    made = [
        (code(f"findings/{path.name}"), said(f"audit.findings.{path.stem}"))
        for path in sorted((Path(audit.__file__).parent / "findings").glob("*.py"))
        if path.stem not in ("__init__", "claim", "common", "wording", "pairs")
    ]
    return head + "".join(
        [
            section("Fields", table(("field", "what it is"), row)),
            section("Verdicts", table(("verdict", "what it says"), MEANING.items())),
            section("Outcomes", "Why a value is missing.\n",
                    table(("outcome", "what it says"), OUTCOMES.items())),
            section("Tables", table(("table", "columns", "what it is"), schemas)),
            *(section(name, doc(text)) for name, text in made),
        ]
    )  # fmt: skip
