"""What users are told: exceptions that are a sentence, and texts that keep how they were composed.

A sentence says what, where, and what to do.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable, Mapping


class UserError(Exception):
    """Bad input or an impossible request; the command line prints it and exits with 2."""


class Untrusted(UserError):
    """A file names code, or something outside of its folder, and the user has not agreed to it."""


class Damaged(UserError):
    """A file of a run is not what was written."""


class Notice(UserWarning):
    """Something that a user should know; the command line prints it as a sentence."""


class Incomplete(Exception):
    """Work is left to do; what is finished is kept, and the same command continues (exit 3)."""


def untrusted(where: str, what: str, name: str) -> Untrusted:
    """The error for code that a file names: a suite, an index or a run is data."""
    return Untrusted(
        f"{where} names the {what} {name!r}, which is code outside of this package. Read it, "
        "and give --trust-code (`trust_code=True` in Python) if it may run on your machine."
    )


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def harmless(words: object) -> str:
    """Text of strangers without what a terminal or a browser obeys: it is only shown.

    Control characters other than line breaks and tabs, lone surrogates and marks that reorder the
    text around them are left out.
    """
    return "".join(
        c for c in str(words)
        if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _BIDI)
    )  # fmt: skip


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """A UserError for a name that does not exist, with the nearest names that do."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names) or 'none'}."
    return UserError(f"Unknown {kind} {name!r}. {hint}")


def counted(n: int, one: str, more: str) -> str:
    """A number with the words that it takes: `1 shard of RUN is`, `2 shards of RUN are`."""
    return f"{n} {one if n == 1 else more}"


def known(kind: str, name: str, names: Collection[str], where: str) -> None:
    """Raise UserError, with near names, for a name that is not among `names`."""
    if name not in names:
        raise UserError(f"{where}: {unknown(kind, name, names)}")


LANGUAGES = ("en", "de")
"""Languages of the report, English first."""


class Said(str):
    """A composed text that keeps its template and values: another language says it again.

    It is its English text wherever a text is wanted. `template` is the text with `{names}` where
    the values are, FIGURE for a formatted number, CAPITAL for a text that begins a sentence.
    """

    template: str
    values: Mapping[str, object]

    def __new__(cls, text: str, template: str = "{0}", values: Mapping[str, object] | None = None,
                ) -> Said:  # fmt: skip
        """The English text with its parts."""
        made = super().__new__(cls, text)
        made.template, made.values = template, {"0": text} if values is None else values
        return made

    def __add__(self, more: str) -> Said:
        return Said(f"{self}{more}", "{a}{b}", {"a": self, "b": more})

    def __deepcopy__(self, memo: object) -> Said:
        return self

    def __radd__(self, before: str) -> Said:
        return Said(f"{before}{self}", "{a}{b}", {"a": before, "b": self})


FIGURE, CAPITAL = "#", "^"


def say(template: str, /, **values: object) -> Said:
    """A text of ours with values, each a `Said`, a name, a phrase of ours or a whole number."""
    return Said(template.format(**values), template, values)


def ours(text: str) -> Said:
    """A text of ours that is said in another language as a whole, or not at all."""
    plain = text.replace("{", "{{").replace("}", "}}")
    return text if isinstance(text, Said) else Said(text, plain, {})


def figure(number: str) -> Said:
    """A formatted number, with its sign and unit, which other languages punctuate differently."""
    return Said(number, FIGURE, {"0": number})


def stem(sentence: str) -> str:
    """A sentence without the full stop at its end, to go on with."""
    if not isinstance(sentence, Said) or sentence.template in (FIGURE, CAPITAL):
        return sentence[:-1]
    if not sentence.template.endswith("}"):
        return Said(sentence[:-1], sentence.template[:-1], sentence.values)
    last = sentence.template.rpartition("{")[2][:-1]
    ending = stem(value) if isinstance(value := sentence.values[last], str) else ""
    return Said(sentence[:-1], sentence.template, {**sentence.values, last: ending})


def listed(texts: Iterable[str], between: str) -> Said:
    """Texts one after another with a mark, or a phrase of ours, between them."""
    values = {f"v{i}": t for i, t in enumerate(texts)}
    template = "{between}".join(f"{{{name}}}" for name in values)
    return say(template, between=between, **values)


def parts(text: str) -> object:
    """A text as plain JSON: `[template, {name: part}]` where it was composed, else itself."""
    if isinstance(text, Said):
        return [text.template, {k: parts(v) if isinstance(v, str) else str(v)
                                for k, v in text.values.items()}]  # fmt: skip
    return str(text)
