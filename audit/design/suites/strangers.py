"""What a suite file may not do, since anybody may have written it: run code or fill memory.

A suite that is built in Python is its user's own, and is not checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from audit.design.suites.schema import RawSuite
from audit.errors import Untrusted, UserError, untrusted

MOST_PROMPTS = 100_000
"""Prompts of a suite."""
MOST_TEXT = 10_000
"""Characters of a prompt; text encoders read some hundreds."""
JUDGE = "vlm:"
"""Start of a reader that is a vision-language model."""
_HERE = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/.*)?")
_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)\}|[{}]")


def check(raw: RawSuite, trust_code: bool) -> None:
    """Raise Untrusted for what a file names outside of itself, unless the user trusts its code.

    Raises UserError for a suite of too many prompts.
    """
    for block in raw.blocks:
        each = 1 + len(block.groups.words) if block.groups else 1
        if (n := len(block.subjects) * len(block.templates) * each) > MOST_PROMPTS:
            raise UserError(f"block {block.id} has {n:,} prompts. Keep to {MOST_PROMPTS:,}.")
    for talk in raw.turns:
        groups = (
            1 + len(raw.attributes[talk.states].classes) if talk.states in raw.attributes else 1
        )
        if (n := len(talk.subjects) * groups * sum(t.rounds for t in talk.turns)) > MOST_PROMPTS:
            raise UserError(f"turns {talk.id} have {n:,} prompts. Keep to {MOST_PROMPTS:,}.")
    if trust_code:
        return
    for what, name in _named(raw):
        if what == "reader" and name.startswith(JUDGE):
            _judge(name)
        elif ":" in name:
            raise untrusted("the suite", what, name)
    for options in _options(raw):
        if "send_key" in options:
            raise Untrusted(
                "a suite cannot decide that a key is sent. Take `send_key` out, and give "
                "--send-key HOST."
            )
        if "answers" in options:
            _answers(str(options["answers"]))


def _named(raw: RawSuite) -> Iterator[tuple[str, str]]:
    """Everything of a file that names an object, and what it is."""
    yield from (("reader", a.reader) for a in raw.attributes.values())
    yield from (("mitigation", m.method) for m in raw.mitigations)
    yield from (("mitigation", str(p["method"])) for p in _parts(raw))
    yield "corpus", raw.corpus or ""


def _parts(raw: RawSuite) -> Iterator[Mapping[str, Any]]:  # of any kind, as typed
    """The parts of stacks that are mitigations of their own."""
    for m in raw.mitigations:
        of = m.options.get("of", ())
        yield from (p for p in of if isinstance(p, dict)) if isinstance(of, list) else ()


def _options(raw: RawSuite) -> Iterator[Mapping[str, Any]]:  # of any kind, as typed
    """The options of every mitigation, also of those inside a stack."""
    yield from (m.options for m in raw.mitigations)
    yield from (p.get("options", {}) for p in _parts(raw))


def _judge(name: str) -> None:
    """A suite may name a judge, but not where its reader's images are sent, nor any file."""
    for part in name.split(",")[1:]:
        key, _, value = part.strip().partition("=")
        if key == "url" and not _HERE.fullmatch(value):
            raise Untrusted(
                f"the suite sends images to {value!r}. Take `url` out and give it yourself, as in "
                f"--reader ATTRIBUTE={name.partition(',')[0]},url=ADDRESS, or give --trust-code if "
                "this suite may send them."
            )
        if key == "answers":
            _answers(value)


def _answers(name: str) -> None:
    """Answers are written to a file, so a suite must not choose any file of its reader's."""
    path = PurePath(name)
    leaves = path.is_absolute() or ".." in path.parts or name.startswith("~") or "\\" in name
    if name and (leaves or path.suffix != ".jsonl" or path.name.startswith(".")):
        raise Untrusted(
            f"the suite keeps answers in {name!r}. Give a relative path that ends in .jsonl, or "
            "--trust-code if this suite may write there."
        )


def filled(template: str, where: str, **values: str) -> str:
    """A template with its fields replaced by plain text; `{{` and `}}` are braces.

    Raises UserError for anything else in braces (formats, attributes, indices), for a template
    without a field, and for a text that is too long.
    """
    fields = " or ".join(f"{{{k}}}" for k in values)

    def one(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        if found[1] not in values:
            raise UserError(f"{where}: the template {template!r} may contain only {fields}.")
        return values[found[1]]

    text = _FIELD.sub(one, template)
    if text == template:
        raise UserError(f"{where}: the template {template!r} lacks {fields}. Put one in.")
    return fitting(text, where)


def fitting(text: str, where: str) -> str:
    """A text of at most MOST_TEXT characters, unchanged; UserError for a longer one."""
    if len(text) > MOST_TEXT:
        raise UserError(f"{where}: a text of {len(text):,} characters. Keep to {MOST_TEXT:,}.")
    return text
