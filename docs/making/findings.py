"""The page of findings."""

from __future__ import annotations

from pathlib import Path

import audit
from audit import keys, records
from docs.making.markdown import attributes, code, doc, module_texts, quoted, said, section, table

MEANING = {
    "above": "the whole interval is above the reference, a faithful model's score, or no change",
    "below": "the whole interval is below it",
    "compatible": "neither is shown, and a difference of the margin would probably have been",
    "equivalent": "equality within a margin is shown, by two one-sided tests",
    "undecided": "not enough data",
    "found": "copies, or a difference, were found",
    "not found": "none were found",
    "kept": "a relevant loss is excluded",
    "lost": "a relevant loss is shown",
    "works": "an arm brings something nearer to its target, and nothing is shown to get worse",
    "at a cost": "it does, but likeness to the original prompts is lost",
    "no effect": "a relevant effect is excluded",
    "harms": "something is shown to get worse",
    "met": "a target is reached within the margin",
    "not met": "a target is not reached",
    "described": "a description, not a test",
    "not enough prompts": "under five prompts, which say too little about others",
    "not enough subjects": "under five subjects, which say too little about others",
}
OUTCOMES = {
    "label": "a class was read",
    "uncertain": "the reader's confidence is too low",
    "no person": "the image shows no person",
    "several people": "it is unclear whose attribute to read",
    "blocked": "the model's own safety checker blocked the image",
    "unreadable": "the file is missing or damaged",
    "failed": "the model drew pixels that are not numbers",
    "blank": "the image has one colour",
    "refused": "a vision-language model or its filter refused to say",
    "no answer": "a vision-language model answered null or nothing",
    "malformed": "the answer does not have the form that was asked for",
    "timed out": "no answer came in time; the next command asks again",
}


def page() -> str:
    """Fields, verdicts, outcomes, tables, and the modules that compute findings."""
    head = (
        "`findings.json` contains every number of the report under `findings`, one object each, "
        "with null for unknown values; in Python they are `audit.open(RUN).findings`. For their "
        "names in gates, see [checking.md](../checking.md). Before them it says its `schema`, "
        "`run`, `suite`, `model`, `version` of t2i-audit, and when the findings were first "
        "`written`; only that differs where an audit is repeated, and SOURCE_DATE_EPOCH sets it. "
        "Earlier versions wrote the list alone, which is still read.\n\n"
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
            section("Fields", table(("field", "meaning"), row)),
            section("Verdicts", table(("verdict", "meaning"), MEANING.items())),
            section("Outcomes", "Why a value is missing.\n",
                    table(("outcome", "meaning"), OUTCOMES.items())),
            section("Tables", table(("table", "columns", "contents"), schemas)),
            *(section(name, doc(text)) for name, text in made),
        ]
    )  # fmt: skip
