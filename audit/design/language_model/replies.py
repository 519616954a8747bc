"""From a language model's reply to a text: packaging is removed, anything else is refused.

The answer becomes a prompt, a line of the plan and a line in the report, so it must be one plain
line. Any other answer becomes an outcome with a reason, and the text stays unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

OUTCOMES = ("rewritten", "unchanged", "refused", "malformed")
MOST_WORDS, MOST_CHARACTERS = 400, 4000

QUOTES = {'"': '"', "'": "'", "`": "`", "*": "*", "«": "»",
          "\u201c": "\u201d", "\u201e": "\u201c", "\u2018": "\u2019"}  # fmt: skip
_THOUGHT = re.compile(r"\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]*\n(.*)\n```", re.DOTALL)
_YES = re.compile(r"(?:sure|certainly|of course|okay|ok|absolutely)\b[^:\n]{0,40}?[,.!:]", re.I)
_PREAMBLE = re.compile(
    r"(?:(?:sure|certainly|of course|okay|ok|absolutely)\b[^:\n]{0,40}?[,.!:]?\s*)?"
    r"\**(?:here(?:'s| is)\b[^:\n]{0,80}|(?:(?:the|your|my) )?"
    r"(?:rewritten|revised|new|updated|inclusive|modified|final)? ?(?:text-to-image )?prompt"
    r"(?: is)?)\s*:\**\s*",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"(?:(?:i'm|i am) (?:(?:very|really|so) )?sorry\b|sorry\b[,.]|(?:unfortunately|apologies|"
    r"i apologi[sz]e)\b|as an? (?:ai|(?:large )?language model)\b|i (?:can'?t|cannot|can not|"
    r"won'?t|will not|must decline|do not feel comfortable|don'?t feel comfortable)\b|(?:i'm|i am) "
    r"(?:unable|not able|not comfortable)\b|this request (?:violates|goes against)\b)",
    re.IGNORECASE,
)
_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"
"""Invisible, but part of some scripts and pictographs."""


@dataclass(frozen=True)
class Reply:
    """A model's raw reply."""

    content: str
    refused: str = ""
    """Why the model or its filter refused, in its own words."""
    cut: bool = False
    """Whether the answer was cut off at its maximum length."""
    tokens: tuple[int, int] = (0, 0)
    """Tokens that the server counted, of the question and of the answer; 0 where it did not."""


class Malformed(Exception):
    """An answer that cannot be used; says why."""


def plain(text: str) -> bool:
    """Whether a text is one line of visible characters, and not too long."""
    return (
        0 < len(text) <= MOST_CHARACTERS
        and len(text.split()) <= MOST_WORDS
        and all(c in _JOINERS or unicodedata.category(c) not in _UNSEEN for c in text)
    )


def judge(reply: Reply, original: str) -> tuple[str, str, str]:
    """Outcome (one of OUTCOMES), final text, and the reason if it is the original."""
    if reply.refused:
        return "refused", original, f"the model refused: {reply.refused}"
    try:
        text = unpacked(reply, original)
    except Malformed as error:
        return "malformed", original, f"the answer cannot be used: {error}"
    if not text:
        return "refused", original, "the model refused: it said nothing"
    if _REFUSAL.match(_straight(text)):
        return "refused", original, "the model refused"
    if text.split() == original.split():
        return "unchanged", original, "the model gave the prompt back as it was"
    return "rewritten", text, ""


def unpacked(reply: Reply, original: str) -> str:
    """The text inside an answer, or empty text; raises Malformed with the reason.

    Thoughts, a code fence, an introductory sentence and a pair of quotes are packaging.
    """
    said = _THOUGHT.sub("", reply.content, count=1).strip()
    if reply.cut:
        raise Malformed("it was cut off; more `tokens` would let it end")
    if fenced := _FENCE.fullmatch(said):
        said = fenced[1].strip()
    lines = [" ".join(line.split()) for line in said.split("\n") if line.strip()]
    while len(lines) > 1 and _announces(lines[0]):
        lines = lines[1:]
    if lines and _REFUSAL.match(_straight(lines[0])):
        return lines[0]
    if len(lines) > 1:
        raise Malformed(f"it has {len(lines)} lines")
    text = lines[0] if lines else ""
    found = None if _PREAMBLE.match(original) else _PREAMBLE.match(_straight(text))
    text = _unquoted(text[found.end() :] if found else text)
    if text and not plain(text):
        raise Malformed(_why_not_plain(text))
    if re.match(r"<(?:!doctype|html|\?xml|think)", text, re.IGNORECASE):
        raise Malformed("it is markup")
    return text


def _straight(text: str) -> str:
    """A text of the same length with straight apostrophes."""
    return text.replace("\u2019", "'")


def _announces(line: str) -> bool:
    """Whether a whole line only announces the prompt."""
    line = _straight(line)
    return bool(_YES.fullmatch(line) or _PREAMBLE.fullmatch(line))


def _why_not_plain(text: str) -> str:
    if len(text) > MOST_CHARACTERS or len(text.split()) > MOST_WORDS:
        return f"it has more than {MOST_WORDS} words or {MOST_CHARACTERS} characters"
    return "it holds characters that cannot be seen"


def _unquoted(text: str) -> str:
    """A text without the quotes around all of it, at most two pairs: **"a nurse"**."""
    for _ in range(2):
        bold = len(text) > 4 and text.startswith("**") and text.endswith("**")
        start, end = ("**", "**") if bold else (text[:1], QUOTES.get(text[:1], ""))
        inner = text[len(start) : len(text) - len(end)]
        spoken = re.sub(r"(?<=\w)['\u2019](?=\w)", "", inner)  # a nurse's desk
        if not end or len(text) < 2 or not text.endswith(end) or end in spoken or start in spoken:
            break
        text = inner.strip()
    return text
