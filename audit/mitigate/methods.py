"""The shipped mitigations by name: the options of each, and what it changes in the engine.

Some rewrite the text; some leave it alone and change what the engine does with it.
"""

from __future__ import annotations

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
    """Whose values are drawn by quota and stated."""
    target: str = "uniform"
    """The suite's reference whose shares the draws follow."""
    words: dict[str, Words] = {}
    """Values to the phrases that state them, in place of the shipped ones."""
    place: Literal["before", "after"] | None = None
    """Before or after the noun; by default after it for skin tone alone."""


class Plain(Options):
    """Options of `neutral` and `indirect`: the attribute whose gate they obey."""

    attribute: str = "gender"
    """Whose gate is obeyed."""


class Random(Options):
    """Options of `repeat-words`, `add-words` and `add-numbers`: how many are put in."""

    count: int = Field(4, ge=1, le=50)
    """How many are put in."""


class Guidance(Options):
    """Options of `guidance`: another scale of classifier-free guidance for the same texts."""

    scale: float = Field(ge=1, le=100)
    """1 turns guidance off."""


class Negative(Options):
    """Options of `negative`: what the engine is told to stay away from, for the same texts."""

    text: Words


class Noise(Options):
    """Options of `noise`: Gaussian noise on every number of the text's states."""

    inside: ClassVar[bool] = True
    level: float = Field(0.1, gt=0, le=10)
    """Standard deviation of the noise."""


class FineGrained(Options):
    """Options of `token-noise`: much noise on some of the text's tokens."""

    inside: ClassVar[bool] = True
    probability: float = Field(0.6, gt=0, le=1)
    """Share of the tokens that get noise."""
    width: float = Field(1.7, gt=0, le=10)
    """Standard deviation of their noise."""


class Rescale(Options):
    """Options of `rescale-attention`: the factor of the begin token's logit."""

    inside: ClassVar[bool] = True
    factor: float = Field(1.25, ge=1, le=10)
    """What the begin token's logit is multiplied by; 1 changes nothing."""


class Optimise(Options):
    """Options of `optimise-states`: magnitude at which an image is done, rate and steps."""

    inside: ClassVar[bool] = True
    target: float = Field(1.5 / 128, gt=0)
    """Steering at which an image is done, as a root mean square over its latent."""
    rate: float = Field(0.05, gt=0, le=1)
    """Learning rate of the steps."""
    iterations: int = Field(10, ge=1, le=100)
    """Steps at most."""


METHODS: dict[str, type[Options]] = {
    "inject": Inject, "ethical": Append, "placebo": Append, "neutral": Plain, "indirect": Plain,
    "guidance": Guidance, "negative": Negative,
    "repeat-words": Random, "add-words": Random, "add-numbers": Random,
    "noise": Noise, "token-noise": FineGrained, "rescale-attention": Rescale,
    "optimise-states": Optimise,
}  # fmt: skip
"""Options of the shipped mitigations; outside ones, `mypkg.module:name`, check their own."""

AGAINST_COPIES = frozenset(
    {"repeat-words", "add-words", "add-numbers", "noise", "token-noise", "rescale-attention",
     "optimise-states"}
)  # fmt: skip
"""Mitigations of copying: they state nothing of a person, so no gate keeps them from a prompt."""


def engine(arm: Mitigation, settings: Settings) -> dict[str, Any]:
    """What an arm changes in the engine (`Sample.how`); empty where that changes nothing."""
    if arm.method == "guidance" and float(arm.options["scale"]) != settings.guidance:
        return {"guidance": float(arm.options["scale"])}
    if arm.method == "negative" and arm.options["text"] != settings.negative:
        return {"negative": str(arm.options["text"])}
    model = METHODS.get(arm.method)
    if model is not None and model.inside:
        return {"inside": arm.method, "options": model(**arm.options).model_dump()}
    return {}
