"""Options of the mitigations that rewrite texts, one model each; unknown options are refused."""

from __future__ import annotations

import re
from typing import Annotated, Literal
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

Words = Annotated[str, StringConstraints(pattern=r"\S", max_length=10_000)]


class Options(BaseModel):
    """Options of a mitigation; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Append(Options):
    """Options of `ethical`, whose sentence names the attribute."""

    attribute: str
    """Attribute that the sentence is about, and whose gate is obeyed."""


class Placebo(Append):
    """Options of `placebo`: words that say nothing, as many as another mitigation adds.

    Give either `like`, or `length` and `place`. Without any of them, a clause of six words is added
    at the end.
    """

    attribute: str
    """Attribute whose gate is obeyed, so the placebo changes the same prompts."""
    like: Words | None = None
    """Arm of the suite to imitate: as many words in the same place, text by text."""
    length: int | None = Field(None, ge=1, le=60)
    """Number of words to add."""
    place: Literal["before", "after", "end"] | None = None
    """Before or after the subject's noun, or at the end of the text."""

    @model_validator(mode="after")
    def _one_length(self) -> Placebo:
        if self.like is not None and (self.length is not None or self.place is not None):
            raise ValueError("give either `like`, or `length` and `place`")
        return self


class Inject(Options):
    """Options of `inject`: which attribute to state, how often each value, and in which words."""

    attribute: str
    """Attribute whose values are drawn by quota and stated."""
    target: str = "uniform"
    """Reference of the suite that gives each value's share of the images."""
    words: dict[str, Words] = {}
    """Phrases that state the values, in place of the shipped ones."""
    place: Literal["before", "after"] | None = None
    """Before or after the noun; by default after it for skin tone, before it otherwise."""
    people: Literal["none", "all"] = "none"
    """What happens to a typed prompt with several people: it is left alone, or each is stated."""


class Plain(Options):
    """Options of `neutral` and `indirect`."""

    attribute: str = "gender"
    """Attribute whose gate is obeyed."""


class Random(Options):
    """Options of `repeat-words`, `add-words` and `add-numbers`."""

    count: int = Field(4, ge=1, le=50)
    """Number of insertions."""


class Llm(Options):
    """Options of `llm`: the language model, what it is asked, and where its answers are kept."""

    model: Words
    """Name of the model at `url`, or a local folder without one."""
    attribute: str
    """Attribute to rewrite for, and whose gate is obeyed."""
    target: str | None = None
    """Reference of the suite that gives each value's share of the images; without one, no value is
    drawn and the model is asked for inclusive wording."""
    instruction: Words | None = None
    """Question in place of the shipped one, with `{prompt}`, and `{value}` if there is a target."""
    temperature: float = Field(0.0, ge=0, le=2)
    """Sampling temperature; above 0 each image has its own answer."""
    tokens: int = Field(300, ge=1, le=8192)
    """Maximum length of an answer."""
    url: str = ""
    """Base URL of an OpenAI-compatible API."""
    timeout: float = Field(60.0, gt=0, le=3600)
    """Seconds to wait for each request."""
    tries: int = Field(3, ge=1, le=10)
    """Maximum number of requests for an answer."""
    send_key: bool = False
    """Whether `url` may receive the key of the environment: set where `url` is typed after `-t` and
    by `--send-key`, never by a suite file."""
    answers: str = ""
    """File that keeps the answers; by default it is next to the runs."""

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        """An http or https address without user, password or query, which would be logged."""
        if not url:
            return url
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError for an invalid port
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii():
            raise ValueError("give the base of an API, such as http://127.0.0.1:8000/v1")
        if "@" in parts.netloc or re.search(r"[?#\\\x00-\x20\x7f]", url):
            raise ValueError("give only the address; a key comes from T2I_AUDIT_LLM_KEY")
        return url.rstrip("/")

    @field_validator("instruction")
    @classmethod
    def _placeholders(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is not None and "{prompt}" not in text:
            raise ValueError("write {prompt} where the prompt goes")
        if text is not None and ("{value}" in text) != (info.data.get("target") is not None):
            raise ValueError("write {value} if there is a target, and leave it out otherwise")
        return text


class Part(BaseModel):
    """A mitigation inside a stack, with its own options."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    method: Words
    options: dict[str, object] = {}


class Stack(Options):
    """Options of `stack`."""

    of: list[Words | dict[str, object]] = Field(min_length=2)
    """Names of other arms, or methods with their options, in the order of applying them."""
