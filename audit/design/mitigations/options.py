"""Options of the shipped mitigations, one model each; unknown options are refused."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

Words = Annotated[str, StringConstraints(pattern=r"\S")]


class Options(BaseModel):
    """What a mitigation may be told; unknown options are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Append(Options):
    """Options of `ethical`: the attribute whose gate it obeys."""

    attribute: str


class Placebo(Append):
    """Options of `placebo`: its gate, and how long it is.

    `like` names an arm of the suite that adds as many words, in the same place, to each text; else
    there are `length` of them.
    """

    like: Words | None = None
    length: int | None = Field(None, ge=1, le=60)
    place: Literal["before", "after", "end"] | None = None

    @model_validator(mode="after")
    def _one_length(self) -> Placebo:
        if self.like is not None and (self.length is not None or self.place is not None):
            raise ValueError("give either `like`, or `length` and `place`")
        return self


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


class FairGuidance(Options):
    """Options of `fair-guidance`: attribute, target, what stands for each class, and SEGA's own.

    The defaults are those of Friedrich et al. 2023's own code, whose 5 warm-up steps of 50 are a
    tenth here. `scale` is the edit guidance scale, `threshold` the share of each channel that stays
    as it was, `momentum` its scale and `beta` its memory.
    """

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
    """How many are put in."""


class Guidance(Options):
    """Options of `guidance`: another scale of classifier-free guidance for the same texts."""

    scale: float = Field(ge=1, le=100)
    """1 turns guidance off."""


class Negative(Options):
    """Options of `negative`: what the engine is told to stay away from, for the same texts.

    Either one `text` for all images, or an `attribute` whose values are drawn by quota towards
    `target`, as `inject` draws them: an image stays away from the classes that were not drawn for
    it. `words` are what stands for a class.
    """

    text: Words | None = None
    attribute: str | None = None
    target: str = "uniform"
    words: dict[str, Words] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> Negative:
        if (self.text is None) == (self.attribute is None):
            raise ValueError("give either `text` or `attribute`")
        if self.text is not None and self.model_fields_set != {"text"}:
            raise ValueError("`target` and `words` need `attribute`")
        return self


class Paraphrase(Options):
    """Options of `paraphrase`: words to change, steps that are looked at, and other words.

    `words` maps words in lower case to what replaces them; words without one are left out.
    """

    count: int = Field(1, ge=1, le=50)
    steps: int = Field(3, ge=1, le=100)
    words: dict[str, Words] = {}


class Noise(Options):
    """Options of `noise`: Gaussian noise on every number of the text's states."""

    level: float = Field(0.1, gt=0, le=10)
    """Standard deviation of the noise."""


class FineGrained(Options):
    """Options of `token-noise`: much noise on some of the text's tokens."""

    probability: float = Field(0.6, gt=0, le=1)
    """Share of the tokens that get noise."""
    width: float = Field(1.7, gt=0, le=10)
    """Standard deviation of their noise."""


class Rescale(Options):
    """Options of `rescale-attention`: the factor of the begin token's logit."""

    factor: float = Field(1.25, ge=1, le=10)
    """What the begin token's logit is multiplied by; 1 changes nothing."""


class Optimise(Options):
    """Options of `optimise-states`: magnitude at which an image is done, rate and steps."""

    target: float = Field(1.5 / 128, gt=0)
    """Steering at which an image is done, as a root mean square over its latent."""
    rate: float = Field(0.05, gt=0, le=1)
    """Learning rate of the steps."""
    iterations: int = Field(10, ge=1, le=100)
    """Steps at most."""


class Llm(Options):
    """Options of `llm`: which language model is asked, where, how, and for what.

    Without `url`, `model` is a local folder. With `target`, values are drawn as for `inject`.
    `timeout` is in seconds, for each of `tries` requests; `tokens` limits an answer. `answers` is
    the file that keeps them, in place of the one beside the runs.
    """

    model: Words
    attribute: str
    target: str | None = None
    instruction: Words | None = None
    temperature: float = Field(0.0, ge=0, le=2)
    tokens: int = Field(300, ge=1, le=8192)
    url: str = ""
    timeout: float = Field(60.0, gt=0, le=3600)
    tries: int = Field(3, ge=1, le=10)
    answers: str = ""

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        """An http or https address without a name, a password or a query, which would be logged."""
        if not url:
            return url
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError for a port that is none
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii():
            raise ValueError("give the base of an API, such as http://127.0.0.1:8000/v1")
        if "@" in parts.netloc or re.search(r"[?#\\\x00-\x20\x7f]", url):
            raise ValueError("give the address alone; a key comes from T2I_AUDIT_LLM_KEY")
        return url.rstrip("/")

    @field_validator("instruction")
    @classmethod
    def _placeholders(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is not None and "{prompt}" not in text:
            raise ValueError("write {prompt} where the prompt is to stand")
        if text is not None and ("{value}" in text) != (info.data.get("target") is not None):
            raise ValueError("write {value} for the drawn value if there is a target, else not")
        return text


class Part(BaseModel):
    """A mitigation in a stack, with options of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    method: Words
    options: dict[str, Any] = {}


class Stack(Options):
    """Options of `stack`: names of other arms, or methods with their options, in order."""

    of: list[Words | dict[str, Any]] = Field(min_length=2)
