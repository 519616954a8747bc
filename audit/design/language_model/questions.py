"""Questions to a language model, and the keys of their stored answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from audit.design.mitigations.options import Llm
from audit.keys import digest

INCLUSIVE = """\
Rewrite the following prompt for a text-to-image model so that it asks for an inclusive picture: \
whoever is shown may be of any {attribute}, and no stereotype decides it. Do not settle on one \
{attribute}. Keep the subject's own noun, the number of people, the setting, the style and every \
other detail as they are. Answer with the rewritten prompt alone, on one line, without quotes or \
comments.

Prompt: {prompt}"""
"""Without a target: the request alone, in the model's own words."""

STATED = """\
Rewrite the following prompt for a text-to-image model so that it states the {attribute} of the \
person who is asked for: {value}. Change nothing else: keep the subject's own noun, the number of \
people, the setting, the style and every other detail as they are. Answer with the rewritten \
prompt alone, on one line, without quotes or comments.

Prompt: {prompt}"""
"""With a target: the value that was drawn for the image."""


@dataclass(frozen=True)
class Question:
    """One request: exactly the fields that decide the answer."""

    model: str
    """The name that the endpoint knows; for a local folder, the hash of its content."""
    prompt: str
    """The text to rewrite."""
    value: str
    """The drawn value that the answer should state, or empty."""
    message: str
    """The message to the model, including the text."""
    temperature: float
    tokens: int
    seed: int | None
    """Of sampling; None at temperature 0, where all images share an answer."""

    @property
    def body(self) -> dict[str, object]:
        """The request of a chat completion."""
        body: dict[str, object] = {
            "model": self.model, "messages": [{"role": "user", "content": self.message}],
            "temperature": self.temperature, "max_tokens": self.tokens, "stream": False,
        }  # fmt: skip
        return body if self.seed is None else {**body, "seed": self.seed}

    @property
    def key(self) -> str:
        """Hash of all fields, which do not include the address.

        A model that moves to another host, or whose answers are reused offline, is the same
        model; the endpoint decides what its name means. To ask again, the user names another file
        of answers.
        """
        return digest(self.__dict__, 32)


def question(
    text: str, drawn: Mapping[str, str], options: Llm, seed: int, model: str = ""
) -> Question:
    """The question for a text with its drawn values; `model` replaces the name in the options."""
    value = drawn.get(options.attribute, "")
    words = options.instruction or (STATED if value else INCLUSIVE)
    return Question(
        model or options.model, text, value, _filled(words, text, value, options.attribute),
        options.temperature, options.tokens, seed if options.temperature > 0 else None,
    )  # fmt: skip


def _filled(words: str, text: str, value: str, attribute: str) -> str:
    """Placeholders replaced in one pass, so placeholders inside a text stay unchanged."""
    given = {"prompt": text, "value": value, "attribute": attribute.replace("_", " ")}
    return re.sub(r"\{(prompt|value|attribute)\}", lambda m: given[m[1]], words)
