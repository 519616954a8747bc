"""The shipped mitigations by name: the options of each, and what it changes in the engine.

Some rewrite the text; some leave it alone and change what the engine does with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from audit.records import Mitigation, Settings

Words = Annotated[str, StringConstraints(pattern=r"\S")]


class Options(BaseModel):
    """What a mitigation may be told; unknown options are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    inside: ClassVar[bool] = False
    """Whether the method works inside the engine, on states or attention."""


class Append(Options):
    """Options of `ethical` and `placebo`: the attribute whose gate they obey."""

    attribute: str


class Inject(Options):
    """Options of `inject`: attribute, target (a reference), phrases, and their place."""

    attribute: str
    target: str = "uniform"
    words: dict[str, Words] = {}
    place: Literal["before", "after"] | None = None


class Plain(Options):
    """Options of `neutral` and `indirect`: the attribute whose gate they obey."""

    attribute: str = "gender"


class FairGuidance(Options):
    """Options of `fair-guidance`: attribute, target, what stands for each class, and SEGA's own.

    The defaults are those of Friedrich et al. 2023's own code, whose 5 warm-up steps of 50 are a
    tenth here. `scale` is the edit guidance scale, `threshold` the share of each channel that stays
    as it was, `momentum` its scale and `beta` its memory.
    """

    inside: ClassVar[bool] = True
    attribute: str
    target: str = "uniform"
    words: dict[str, Words] = {}
    scale: float = Field(4.0, ge=0, le=50)
    threshold: float = Field(0.95, ge=0, lt=1)
    warmup: float = Field(0.1, ge=0, lt=1)
    momentum: float = Field(0.5, ge=0, lt=1)
    beta: float = Field(0.6, ge=0, lt=1)


class Random(Options):
    """Options of `repeat-words`, `add-words` and `add-numbers`: how many are put in."""

    count: int = Field(4, ge=1, le=50)


class Guidance(Options):
    """Options of `guidance`: another scale of classifier-free guidance for the same texts."""

    scale: float = Field(ge=1, le=100)


class Negative(Options):
    """Options of `negative`: what the engine is told to stay away from, for the same texts."""

    text: Words


class Paraphrase(Options):
    """Options of `paraphrase`: words to change, steps that are looked at, and other words.

    `words` maps words in lower case to what replaces them; words without one are left out.
    """

    count: int = Field(1, ge=1, le=50)
    steps: int = Field(3, ge=1, le=100)
    words: dict[str, Words] = {}


class Noise(Options):
    """Options of `noise`: Gaussian noise on every number of the text's states."""

    inside: ClassVar[bool] = True
    level: float = Field(0.1, gt=0, le=10)


class FineGrained(Options):
    """Options of `token-noise`: much noise on some of the text's tokens."""

    inside: ClassVar[bool] = True
    probability: float = Field(0.6, gt=0, le=1)
    width: float = Field(1.7, gt=0, le=10)


class Rescale(Options):
    """Options of `rescale-attention`: the factor of the begin token's logit."""

    inside: ClassVar[bool] = True
    factor: float = Field(1.25, ge=1, le=10)


class Optimise(Options):
    """Options of `optimise-states`: magnitude at which an image is done, rate and steps."""

    inside: ClassVar[bool] = True
    target: float = Field(1.5 / 128, gt=0)
    rate: float = Field(0.05, gt=0, le=1)
    iterations: int = Field(10, ge=1, le=100)


METHODS: dict[str, type[Options]] = {
    "inject": Inject, "ethical": Append, "placebo": Append, "neutral": Plain, "indirect": Plain,
    "fair-guidance": FairGuidance, "guidance": Guidance, "negative": Negative,
    "repeat-words": Random, "add-words": Random, "add-numbers": Random,
    "paraphrase": Paraphrase, "noise": Noise, "token-noise": FineGrained,
    "rescale-attention": Rescale, "optimise-states": Optimise,
}  # fmt: skip
"""Options of the shipped mitigations; outside ones, `mypkg.module:name`, check their own."""

AGAINST_COPIES = frozenset(
    {"repeat-words", "add-words", "add-numbers", "paraphrase", "noise", "token-noise",
     "rescale-attention", "optimise-states"}
)  # fmt: skip
"""Mitigations of copying: they state nothing of a person, so no gate keeps them from a prompt."""


CONCEPTS = {"gender": {"woman": "female person", "man": "male person"}}
"""Texts that stand for a class in the engine (Friedrich et al. 2023), by attribute."""


def concept(attribute: str, value: str, options: Mapping[str, Any]) -> str | None:
    """The text that stands for a class in the engine, or None where no option or default has any.

    `options["words"]` maps classes to texts of a suite's own.
    """
    default = CONCEPTS.get(attribute, {}).get(value)
    if attribute == "skin_tone":
        default = f"person with {value} skin"
    found = options.get("words", {}).get(value, default)
    return None if found is None else str(found)


def engine(
    arm: Mitigation,
    settings: Settings,
    drawn: Mapping[str, str] | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """What an arm changes in the engine (`Sample.how`); empty where that changes nothing.

    `drawn` holds the image's drawn values, `classes` all values of their attributes.
    """
    if arm.method == "guidance" and float(arm.options["scale"]) != settings.guidance:
        return {"guidance": float(arm.options["scale"])}
    if arm.method == "negative" and arm.options["text"] != settings.negative:
        return {"negative": str(arm.options["text"])}
    if arm.method == "fair-guidance":
        return _guide(arm, drawn or {}, classes or {})
    if arm.method == "paraphrase":
        return {arm.method: Paraphrase(**arm.options).model_dump()}
    model = METHODS.get(arm.method)
    if model is not None and model.inside:
        return {"inside": arm.method, "options": model(**arm.options).model_dump()}
    return {}


def _guide(
    arm: Mitigation, drawn: Mapping[str, str], classes: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Towards what is drawn and away from the other classes; nothing where nothing is drawn."""
    how = FairGuidance(**arm.options)
    if how.attribute not in drawn or not how.scale:
        return {}
    value = drawn[how.attribute]
    rest = [c for c in classes.get(how.attribute, ()) if c != value]
    kept = how.model_dump(include={"scale", "threshold", "warmup", "momentum", "beta"})
    texts = {
        "towards": [concept(how.attribute, value, arm.options)],
        "away": [concept(how.attribute, c, arm.options) for c in rest],
    }
    return {"inside": arm.method, "options": {**texts, **kept}}
