"""What image generators add to language: found, kept byte for byte, and never read as words.

Parameters (`--ar 16:9`), weights (`(x:1.2)`, `x::2`, `x++`), LoRA tags, wildcards, choices
(`{a|b}`), schedules (`[a:b:0.5]`), `BREAK`, negative parts, addresses, and quoted text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from audit.design.mitigations.gate_words import GENDERED
from audit.design.mitigations.people_words import is_person, singular

_KINDS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4`\u2032\uff07", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02", '"'),
        **dict.fromkeys("\u300c\u300d\u300e\u300f", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013", "-"),
        **dict.fromkeys("\u2014\u2015", ","),
        "_": " ",
    }
)  # fmt: skip
_TAIL = re.compile(
    r"(?is)(?:^|(?<=[\s,.;]))negative(?:[ _]prompt)?\s*:.*|(?:(?<=\s)|^)--[a-z][\w-]*(?:\s.*)?$"
)
"""A negative part or parameters, which go on to the end."""
_WHOLE = re.compile(
    r"<[a-z]+:[^<>\n]{1,200}>|https?://\S+|\bembedding:[\w.-]+|__[\w/*.-]{1,80}__"
    r"|\{[^{}]*\|[^{}]*\}|\{\d+\$\$[^{}]*\}|\[[^\[\]]*[|:][^\[\]]*\]|\$\{?\w+\}?|\{\w*\}",
    re.IGNORECASE,
)
_BREAK = re.compile(r"\b(?:BREAK|AND|ADDCOMM|ADDROW|ADDCOL|ADDBASE|TEXT)\b(?=\s|$)|\|")
_WEIGHT = re.compile(
    r"\s?:\s?-?\d+(?:\.\d+)?\s?(?=\))|::-?(?:\d+(?:\.\d+)?)?|(?<=\))(?:[+-]{1,6}|\d\.\d+)"
    r"|(?<=\w)\+{1,6}(?!\w)|[()\[\]{}\\*#]"
)
_TYPED = re.compile(r"(?<=[a-z]{3})\.(?=[a-z]{3})|(?<=[a-z] )n(?= [a-z])")
"""A full stop without its space, and `n` for `and`."""
LONGEST_WORD = 80
"""Characters without a space that are read; the parser's time grows with the square of them."""
_QUOTED = re.compile(r"(?<!\d)\"[^\"]*\"|(?<!\w)'(?!n'|\d0s)[^']+'(?!\w)")


@dataclass(frozen=True)
class Readable:
    """The words of a prompt, with the syntax of generators blanked out."""

    text: str
    """Words with one kind of space, quotation mark and hyphen, without accents; syntax is blank."""
    source: str
    """The prompt itself."""
    at: tuple[int, ...]
    """Offset in the prompt of each character of `text`, and the prompt's length."""
    kept: tuple[tuple[int, int], ...]
    """Spans of the prompt that must stay: syntax and quotations."""
    end: int
    """Offset in the prompt where its prose ends, before a negative part or parameters."""
    quoted: tuple[str, ...]
    """What is in quotation marks."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """A span of `text` as a span of the prompt."""
        return self.at[start], (self.at[end - 1] + 1 if end > start else self.at[start])


def _folded(prompt: str) -> tuple[str, list[int]]:
    """The prompt with plain letters and marks, and the offset that each character comes from."""
    out: list[str] = []
    at: list[int] = []
    for i, c in enumerate(prompt):
        new = c
        if not c.isascii():
            first = unicodedata.normalize("NFKD", c)[:1]
            kind = unicodedata.category(c)
            if kind in ("Mn", "Cf", "Me", "Cc"):
                continue
            new = " " if c.isspace() or kind in ("So", "Sk", "Cn", "Co", "Cs") else first
            new = c if c.translate(_KINDS) != c else new
        elif c.isspace():
            new = " "
        out.append(new.translate(_KINDS) if c != "_" else c)
        at.append(i)
    return "".join(out), [*at, len(prompt)]


_CHOICE = re.compile(r"[{\[](?:\d+\$\$)?(.*?)(?::\d*\.?\d+)?[}\]]", re.DOTALL)
_INSIDE = re.compile(r"(?:(?<=[\s(])|^)(?:an?|the|very|one|two) ?$", re.IGNORECASE)


def _shown(syntax: str, before: str, after: str) -> str:
    """What is read in place of a piece of syntax: a comma, or one of the options of a choice.

    An option is read if another noun follows and none of them means a person: `a {sad|happy}
    clown` is one clown. One that states a gender is preferred, as the prompt may come to state it.
    """
    found = _CHOICE.fullmatch(syntax)
    options = [o.strip() for o in re.split(r"[|:]", found[1])] if found else []
    if any(w in GENDERED for o in options for w in o.lower().split()):
        return max(options, key=lambda o: bool(GENDERED & set(o.lower().split())))
    if not re.match(r"\s+[A-Za-z]", after):
        return ","
    if not _INSIDE.search(before):
        return ","
    if not options:
        return ""
    fits = all(re.fullmatch(r"[A-Za-z][A-Za-z -]*", o) for o in options)
    if not fits or any(is_person(singular(o.lower().split()[-1])) for o in options):
        return ","
    return options[0] if len(options[0]) < len(syntax) else ","


@lru_cache(maxsize=4096)
def readable(prompt: str) -> Readable:
    """Read a prompt's syntax; time is linear in its length."""
    text, at = _folded(prompt)
    letters = list(text)
    spans: list[tuple[int, int]] = []

    def blank(start: int, end: int, by: str = "") -> None:
        letters[start:end] = list(by + " " * (end - start - len(by)))
        spans.append((start, end))

    tail = _TAIL.search(text)
    stop = tail.start() if tail else len(text)
    if tail:
        blank(tail.start(), len(text))
    body = text[:stop]
    for match in _WHOLE.finditer(body):
        blank(*match.span(), _shown(match.group(), body[: match.start()], body[match.end() :]))
    body = "".join(letters)
    quoted = []
    for match in _QUOTED.finditer(body):
        quoted.append(match.group().strip("\"' "))
        blank(*match.span())
    for match in _BREAK.finditer(body):
        blank(*match.span(), ".")
    for match in _WEIGHT.finditer("".join(letters)):
        blank(*match.span(), "," if match.group().startswith("::") else "")
    for match in _TYPED.finditer("".join(letters)):
        letters[match.start()] = {".": " ", "n": "&"}[match.group()]
    clean = re.sub(r",(?=,)", " ", "".join(letters).replace("_", " "))
    end = at[len(text[:stop].rstrip(" ,.;"))] if text[:stop].strip() else at[stop]
    kept = tuple((at[a], at[b - 1] + 1) for a, b in sorted(spans) if b > a)
    # The parser takes more than one space for a word between two others.
    one: list[int] = []
    run = 0
    for i, c in enumerate(clean):
        run = 0 if c == " " else run + 1
        if run <= LONGEST_WORD and (c != " " or clean[i - 1 : i] != " "):
            one.append(i)
    said, places = "".join(clean[i] for i in one), (*(at[i] for i in one), at[-1])
    return Readable(said, prompt, places, kept, end, tuple(quoted))


def pieces(prompt: str) -> tuple[list[str], list[str], str]:
    """The words between which a word may be put, those of them without syntax, and the rest.

    A quotation, a choice or a tag is one piece. The rest is a negative part or parameters, with the
    space before it.
    """
    seen = readable(prompt)
    if not seen.kept:
        return prompt.split(), prompt.split(), ""
    ends = [a for a, b in seen.kept if b >= len(prompt.rstrip()) and a >= seen.end]
    stop = min(ends, default=len(prompt))
    inside = {i for a, b in seen.kept for i in range(a, b)}
    whole: list[str] = []
    plain: list[str] = []
    start = 0
    for i in [*range(stop), stop]:
        if i < stop and not (prompt[i].isspace() and i not in inside):
            continue
        if i > start:
            whole.append(prompt[start:i])
            if not inside & set(range(start, i)):
                plain.append(prompt[start:i])
        start = i + 1
    gap = len(prompt[:stop]) - len(prompt[:stop].rstrip())
    return whole, plain, prompt[stop - gap :] if stop < len(prompt) else ""
