"""The shipped mitigations, one row each, which the rest of the program reads.

A new mitigation is a module and a row; `docs/extending/mitigation.md` walks through one. The rows
of those that change texts are here, those of the engine in `in_engine.py`.
"""

from __future__ import annotations

from audit.design.mitigations import in_engine, words
from audit.design.mitigations.options import Append, Inject, Llm, Placebo, Plain, Random, Stack
from audit.design.mitigations.row import Family, Method

STACK = "stack"
"""Name of the mitigation that consists of others."""
TRANSPORT = frozenset({"url", "timeout", "tries", "answers", "send_key"})
"""Options that say how a service is reached and where its answers are kept."""

_REWRITE = "audit.design.mitigations.rewrite"
_TABLE = (
    Method("inject", Inject, "attribute", "people", "text", f"{_REWRITE}:inject", words.phrase),
    Method("ethical", Append, "attribute", "people", "text", f"{_REWRITE}:ethical"),
    Method("placebo", Placebo, "attribute", "placebo", "text",
           "audit.design.mitigations.placebo:placebo"),
    Method("neutral", Plain, "attribute", "people", "text",
           "audit.design.mitigations.wording:neutral"),
    Method("indirect", Plain, "attribute", "people", "text",
           "audit.design.mitigations.wording:indirect"),
    Method("llm", Llm, "model", "people", "text",
           "audit.design.language_model.rewriter:LanguageModel", transport=TRANSPORT),
    Method("repeat-words", Random, "count", "copies", "words", f"{_REWRITE}:repeat_words"),
    Method("add-words", Random, "count", "copies", "words", f"{_REWRITE}:add_words"),
    Method("add-numbers", Random, "count", "copies", "words", f"{_REWRITE}:add_numbers"),
    *in_engine.ROWS,
    Method(STACK, Stack, "", "stack", "text"),
)  # fmt: skip
METHODS: dict[str, Method] = {m.name: m for m in _TABLE}
"""The shipped mitigations by name, in the order of the reference."""


def method(name: str) -> Method:
    """The row of a mitigation; a plain one for outside code, `package.module:object`."""
    outside = Method(name, None, "", "outside", "text", name, transport=TRANSPORT)
    return METHODS.get(name, outside)


def family(name: Family) -> list[str]:
    """Names of the mitigations of a family, sorted."""
    return sorted(m.name for m in METHODS.values() if m.family == name)
