"""The schema of a suite file, with one-sentence errors for everything else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audit.datasets.cells import fold
from audit.design.mitigations.methods import STACK, method
from audit.design.mitigations.options import Part
from audit.design.sentences import first
from audit.errors import unknown
from audit.keys import Margins

Text = Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"\S")]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^\w[\w .()-]*$")]
"""The name of an attribute: it becomes part of file names, tables and ids."""
Seeds = Annotated[int, Field(ge=1, le=1_000_000)]


class Strict(BaseModel):
    """A model that rejects extra keys and does not change after it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RawGroups(Strict):
    """Groups that the prompts of a block state in turn, and what stands for none of them."""

    attribute: str
    neutral: Text
    """Words of the prompt that states no group, such as `person`; may contain {subject}."""
    words: dict[str, Text] = Field(min_length=2)
    """Class of the attribute to the words that state it, such as `female {subject}`."""


class RawBlock(Strict):
    """Prompts of one purpose: templates with subjects, or a table."""

    id: Text
    purpose: Literal["representation", "replication"]
    templates: list[Text] = []
    subjects: list[Text] = []
    file: Text | None = None
    seeds: Seeds
    attributes: list[str] = []
    states: dict[str, str] = {}
    """Attributes that the texts state or history fixes: attribute to class."""
    expects: Literal["", "nobody"] = ""
    """`nobody`: the prompts do not ask for a person, and one who appears is a leak."""
    groups: RawGroups | None = None
    """Groups that fill {group} or {a_group} of the templates, on the same noise."""

    @model_validator(mode="after")
    def _one_source(self) -> RawBlock:
        if bool(self.file) == bool(self.templates):
            raise ValueError("give either `file`, or `templates` with `subjects`")
        if bool(self.templates) != bool(self.subjects):
            raise ValueError("`templates` need `subjects`, and `subjects` need `templates`")
        if self.purpose == "representation" and not self.attributes:
            raise ValueError("a representation block needs `attributes` to read")
        if self.groups is not None:
            self._with_groups(self.groups)
        return self

    def _with_groups(self, groups: RawGroups) -> None:
        if not self.templates or self.purpose != "representation":
            raise ValueError("`groups` need `templates`, in a block for representation")
        if groups.attribute in self.states:
            raise ValueError(f"`states` and `groups` both state {groups.attribute}")
        for t in self.templates:
            if "{group}" not in t and "{a_group}" not in t:
                raise ValueError(f"the template {t!r} lacks {{group}} or {{a_group}}")


MOST_TURNS = 20
"""Turns of a conversation, each round of a caption counted."""


class RawTurn(Strict):
    """One turn: a text to draw, an edit of the last image, another one, or captions of it."""

    draw: Text | None = None
    edit: Text | None = None
    """What the image should show, drawn on the last one with `strength`."""
    another: Literal[True] | None = None
    """The last text again with other noise, or drawn on the last image where `strength` is."""
    caption: Text | None = None
    """A template of what the classifier reads in the last image, which is then drawn."""
    strength: float | None = Field(None, gt=0, le=1)
    rounds: int = Field(1, ge=1, le=MOST_TURNS)
    """How often the last image is captioned and drawn."""

    @property
    def kind(self) -> str:
        """Which of the four it is."""
        return next(k for k in ("draw", "edit", "another", "caption") if getattr(self, k))

    @model_validator(mode="after")
    def _one_kind(self) -> RawTurn:
        if sum(x is not None for x in (self.draw, self.edit, self.another, self.caption)) != 1:
            raise ValueError("give one of `draw`, `edit`, `another` and `caption`")
        if (self.edit is None) < (self.strength is None):
            raise ValueError("an `edit` needs `strength`, such as 0.6")
        if self.strength is not None and self.kind in ("draw", "caption"):
            raise ValueError(f"a `{self.kind}` is not made on the last image: omit `strength`")
        if self.rounds > 1 and self.caption is None:
            raise ValueError("only a `caption` has `rounds`")
        return self


class RawTurns(Strict):
    """Conversations of one form, one for each subject."""

    id: str = Field(max_length=80, pattern=r"^\w[\w-]*$")
    subjects: list[Text] = Field(min_length=1)
    turns: list[RawTurn] = Field(min_length=2)
    seeds: Seeds
    attributes: list[str] = Field(min_length=1)
    states: str | None = None
    """Attribute that the first turn states: one conversation for each class, and one without."""
    words: dict[str, Text] = {}
    """What states a class, where this is not its name."""
    memory: Literal["none", "texts"] = "none"
    """Whether the texts of earlier turns come before those of later ones."""

    @model_validator(mode="after")
    def _sound(self) -> RawTurns:
        if self.turns[0].draw is None:
            raise ValueError("the first turn has no image to go on from: it needs `draw`")
        if sum(t.rounds for t in self.turns) > MOST_TURNS:
            raise ValueError(f"more than {MOST_TURNS} turns, each round of a `caption` counted")
        if self.words and self.states is None:
            raise ValueError("`words` need `states`, the attribute whose classes they state")
        return self


class RawAttribute(Strict):
    """An attribute with its classes and their texts."""

    classes: list[Text] = Field(min_length=2)
    threshold: float = Field(0.0, ge=0, le=1)
    texts: dict[str, list[Text]] = {}
    templates: list[Text] = []
    reader: Text = "clip"

    @model_validator(mode="after")
    def _classes_have_texts(self) -> RawAttribute:
        if len(set(map(fold, self.classes))) < len(self.classes):
            raise ValueError("a class is in `classes` twice; capitals and spaces do not matter")
        if self.reader != "clip":
            if self.texts or self.templates or self.threshold:
                raise ValueError("a reader of pixels takes no `texts`, `templates` or `threshold`")
            return self
        if bool(self.texts) == bool(self.templates):
            raise ValueError("give either `texts` or `templates`")
        for name in (*self.texts, *self.classes) if self.texts else ():
            if name not in self.classes:
                raise ValueError(str(unknown("class", name, self.classes)))
            if not self.texts.get(name):
                raise ValueError(f"the class {name!r} has no texts")
        return self


class RawReference(Strict):
    """A declared target: a table, or every class equally often."""

    name: Text
    label: Text
    file: Text | None = None
    uniform: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> RawReference:
        if bool(self.file) == self.uniform:
            raise ValueError("give either `file` or `uniform = true`")
        return self


class RawMitigation(Strict):
    """A mitigation, its options, and the blocks that it applies to."""

    name: Text
    method: Text
    blocks: list[str] = Field(min_length=1)
    options: dict[str, Any] = {}  # of any kind: the method's model checks them below

    @model_validator(mode="after")
    def _options_fit(self) -> RawMitigation:
        _fit(method(self.method).options, self.options, "options")
        for i, part in enumerate(self.options["of"] if self.method == STACK else ()):
            if not isinstance(part, str):
                _fit(Part, part, f"options.of.{i}")
                model = method(part["method"]).options
                _fit(model, part.get("options", {}), f"options.of.{i}.options")
        return self


def _fit(model: type[BaseModel] | None, given: object, where: str) -> None:
    """Raise ValueError for options that a model does not accept; outside methods have no model."""
    if model is not None:
        try:
            model.model_validate(given)
        except ValidationError as error:
            raise ValueError(f"{where}.{first(error, model)}") from error


class RawConcept(Strict):
    """Subjects that represent a concept."""

    label: Text
    subjects: list[Text] = Field(min_length=1)


class RawAssociation(Strict):
    """Two concepts, and the two classes of an attribute that they may be nearer to."""

    name: str = Field(pattern=r"^[a-z0-9_-]+$")
    title: Text
    x: RawConcept
    y: RawConcept
    attribute: Text
    a: Text
    b: Text

    @model_validator(mode="after")
    def _apart(self) -> RawAssociation:
        both = set(self.x.subjects) & set(self.y.subjects)
        if both:
            raise ValueError(f"{sorted(both)[0]!r} is in `x` and in `y`")
        if self.a == self.b:
            raise ValueError("`a` and `b` are the same class")
        return self


class RawGate(Strict):
    """Texts for images with a person, without one, and, if it matters, with several people."""

    person: list[Text] = Field(min_length=1)
    empty: list[Text] = Field(min_length=1)
    several: list[Text] = []


class RawMargins(Strict):
    """The smallest changes that matter, in 0..1; `records.Margins` says of what."""

    difference: float = Field(Margins.difference, gt=0, lt=1)
    distance: float = Field(Margins.distance, gt=0, lt=1)
    copies: float = Field(Margins.copies, gt=0, lt=1)
    alignment: float = Field(Margins.alignment, gt=0, lt=1)
    subject: float = Field(Margins.subject, gt=0, lt=1)


class RawSuite(Strict):
    """A whole file."""

    name: str = Field(pattern=r"^[a-z0-9_-]+$")
    title: Text
    question: Text
    corpus: Text | None = None
    subject_attribute: str | None = None
    gate: RawGate | None = None
    blocks: list[RawBlock] = []
    turns: list[RawTurns] = []
    attributes: dict[Name, RawAttribute] = {}
    references: list[RawReference] = []
    mitigations: list[RawMitigation] = []
    associations: list[RawAssociation] = []
    checks: list[Text] = []
    margins: RawMargins = RawMargins()
    quick: dict[str, Seeds] = {}

    @model_validator(mode="after")
    def _asks(self) -> RawSuite:
        if not (self.blocks or self.turns):
            raise ValueError("it asks nothing: give `blocks` of prompts, or `turns`")
        return self

    def ids(self) -> list[str]:
        """Ids of the blocks and of the conversations, as often as they are given."""
        return [*(b.id for b in self.blocks), *(t.id for t in self.turns)]


PARTS: dict[str, type[BaseModel]] = {
    "blocks": RawBlock, "turns": RawTurns, "attributes": RawAttribute, "references": RawReference,
    "mitigations": RawMitigation, "gate": RawGate, "associations": RawAssociation,
    "margins": RawMargins,
}  # fmt: skip
