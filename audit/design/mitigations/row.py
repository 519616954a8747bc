"""What a mitigation declares about itself: one row of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from audit.design.mitigations.options import Options
from audit.records import MethodOptions

UNCHANGED = "audit.design.mitigations.rewrite:unchanged"

Family = Literal["people", "placebo", "engine", "copies", "stack", "outside"]
Part = Literal["text", "words", "guidance", "negative", "paraphrase", "states", "drawing"]


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
    `paraphrase` are fields of `Change`. The last two are its interventions: `states` replaces a
    text's states before an image is drawn, `drawing` acts on the model while it is drawn."""
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
    turns: str = ""
    """Option with a list whose items take turns over the images of a prompt: the intervention of
    an image has one of them."""
    handler: str | None = None
    """`module:object` of the `engine.interventions.Handler` that carries out an intervention. It is
    imported when an image is drawn; its docstring goes into the reference."""

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
