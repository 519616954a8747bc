"""The shipped mitigations, one row each, which the rest of the program reads.

A new mitigation is a module and a row; `docs/extending/mitigation.md` walks through one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from audit.design.mitigations import words
from audit.design.mitigations.options import (
    Append,
    FairGuidance,
    FineGrained,
    Guidance,
    Inject,
    Llm,
    Negative,
    Noise,
    Optimise,
    Options,
    Paraphrase,
    Placebo,
    Plain,
    Random,
    Rescale,
    Stack,
)
from audit.records import MethodOptions

STACK = "stack"
"""Name of the mitigation that consists of others."""
TRANSPORT = frozenset({"url", "timeout", "tries", "answers"})
"""Options that say how a service is reached and where its answers are kept."""
UNCHANGED = "audit.design.mitigations.rewrite:unchanged"

Family = Literal["people", "placebo", "engine", "copies", "stack", "outside"]
Part = Literal["text", "words", "guidance", "negative", "paraphrase", "inside"]


@dataclass(frozen=True)
class Method:
    """One mitigation: its options, what it changes, and what it cannot be stacked with."""

    name: str
    options: type[Options] | None
    """Model that checks the options; None where the mitigation checks them itself."""
    first_option: str
    """Option whose value follows the colon on the command line; empty if only suites have it."""
    family: Family
    """`people` rewrites what a text says about people, `placebo` adds words that say nothing,
    `engine` changes how the same text is drawn, `copies` works against copies without a gate."""
    changes: Part
    """`text` keeps the subject's noun phrase, `words` go anywhere in it. `guidance`, `negative` and
    `paraphrase` are fields of `Change`; `inside` is one of its interventions."""
    rewriter: str | None = None
    """`module:object` of its `arms.Rewriter`; None leaves the text alone."""
    words: Callable[[str, str, MethodOptions], str | None] | None = None
    """Attribute, value and options to the words for a drawn value, or None without any. A method
    with this field draws values of its attribute."""
    clashes: Mapping[str, str] = field(default_factory=dict)
    """Other methods that cannot be in the same stack, each with the reason."""
    transport: frozenset[str] = frozenset()
    """Options that are not part of the question, and therefore not of an arm's name."""
    free_text: bool = False
    """Whether everything after the colon is the first option, including commas and `+`."""
    engine_docs: str = ""
    """`module` or `module:object` whose docstring describes what happens in the engine."""

    @property
    def target(self) -> str:
        """`module:object` of the rewriter, or of one that changes nothing."""
        return self.rewriter or UNCHANGED

    @property
    def usual_attribute(self) -> str | None:
        """The default of its option `attribute`; None for most."""
        known = self.options.model_fields.get("attribute") if self.options else None
        return None if known is None or known.is_required() else known.default

    @property
    def states_attribute(self) -> bool:
        """Whether the gate of another mitigation of the same attribute would block after this."""
        return self.family in ("people", "placebo", "engine")


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
    Method("fair-guidance", FairGuidance, "attribute", "engine", "inside", words=words.concept,
           clashes={"rescale-attention": "rescaling would also change the attention to the "
                                         "concepts"}),
    Method("guidance", Guidance, "scale", "engine", "guidance"),
    Method("negative", Negative, "text", "engine", "negative", words=words.negative,
           free_text=True),
    Method("repeat-words", Random, "count", "copies", "words", f"{_REWRITE}:repeat_words"),
    Method("add-words", Random, "count", "copies", "words", f"{_REWRITE}:add_words"),
    Method("add-numbers", Random, "count", "copies", "words", f"{_REWRITE}:add_numbers"),
    Method("paraphrase", Paraphrase, "count", "copies", "paraphrase"),
    Method("noise", Noise, "level", "copies", "inside",
           clashes={"token-noise": "both draw the noise of the same seed"},
           engine_docs="audit.engine.embedding_noise:gaussian"),
    Method("token-noise", FineGrained, "width", "copies", "inside",
           engine_docs="audit.engine.embedding_noise:fine_grained"),
    Method("rescale-attention", Rescale, "factor", "copies", "inside",
           engine_docs="audit.engine.rescaling"),
    Method("optimise-states", Optimise, "target", "copies", "inside",
           engine_docs="audit.engine.embedding_optimisation"),
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
