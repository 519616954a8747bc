"""Mitigations by the names that people give, and what they make of one prompt.

`rewrite` is for products too: a pure function of text, mitigation and seed, with its reasons.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from audit import registry
from audit.design import suites
from audit.design.mitigations import arms, stacks
from audit.design.mitigations.grammar import find
from audit.design.mitigations.methods import AGAINST_COPIES, METHODS, SPEAKING, TRANSPORT
from audit.design.mitigations.rewrite import why_not
from audit.design.suites.schema import first
from audit.errors import UserError
from audit.records import BASELINE, Mitigation, Prompt, Settings, Suite

FIRST = {
    "inject": "attribute", "ethical": "attribute", "placebo": "attribute", "neutral": "attribute",
    "indirect": "attribute", "llm": "model", "fair-guidance": "attribute", "guidance": "scale",
    "negative": "text", "repeat-words": "count", "add-words": "count", "add-numbers": "count",
    "paraphrase": "count", "noise": "level", "token-noise": "width", "rescale-attention": "factor",
    "optimise-states": "target",
}  # fmt: skip
"""The option that follows the colon."""
NOWHERE = Settings("", "", 1, 1.0, 1)
PLACEBO = "placebo"
"""The method whose words say nothing."""
RUNS = Path("reports")
"""Where runs land by default."""


@dataclass(frozen=True)
class Rewritten:
    """What a mitigation made of a prompt, for one image."""

    original: str
    """The prompt as it was."""
    text: str
    """What is drawn in its place."""
    mitigation: str
    """Name of the arm."""
    method: str
    """The mitigation that it is, without its options."""
    drawn: dict[str, str]
    """Attribute values that were drawn for this image."""
    engine: dict[str, Any]
    """What the engine is to do otherwise; empty where only the text counts."""
    target: dict[str, float]
    """Declared shares that the draws follow."""
    reason: str
    """Why the text was left alone, where the gate or the rewriter says so."""
    image: int
    """Which image of the prompt, from 0."""
    seed: int
    """Of its noise, the same with and without the mitigation."""
    parts: tuple[Rewritten, ...] = ()
    """What each part of a stack made of what the part before it left."""

    @property
    def changed(self) -> bool:
        """Whether anything is drawn otherwise."""
        return self.text != self.original or bool(self.engine)


def parse(spec: str) -> Mitigation:
    """A mitigation, or a stack of several with `+` between them: `inject:gender+noise:0.5`.

    All that follows `negative:` is its text, `+` too, so that such a text ends a stack. Raises
    UserError for unknown methods and options, and for parts that cannot go together.
    """
    parts: list[str] = []
    for piece in spec.split("+"):
        if parts and _is_text(parts[-1]):
            parts[-1] += f"+{piece}"
        else:
            parts.append(piece)
    if len(parts) == 1:
        return _parse(spec)
    made = [_parse(p) for p in parts]
    arm = Mitigation(_name(spec), stacks.STACK, {"of": [m.name for m in made]})
    arm = stacks.stacked(arm, made)
    stacks.check(arm)
    return arm


def _is_text(spec: str) -> bool:
    """Whether all that follows the method is the text of a negative prompt."""
    method, _, rest = spec.strip().partition(":")
    return method == "negative" and bool(rest) and not rest.startswith("attribute=")


def _parse(spec: str) -> Mitigation:
    """A mitigation from `METHOD`, `METHOD:VALUE`, or `METHOD:VALUE,option=value,...`.

    `inject:gender,target=labour` states drawn genders, `guidance:6` changes the scale. VALUE is the
    method's first option (FIRST). All that follows `negative:` is its text, but for
    `negative:attribute=gender,target=labour`, which stays away from what was not drawn. Raises
    UserError for unknown methods and options.
    """
    method, _, rest = spec.strip().partition(":")
    if method == stacks.STACK:
        raise UserError(f"{spec!r}: join mitigations with +, as in inject:gender+noise:0.5.")
    if method not in METHODS:
        registry.load("mitigation", method)  # raises, with names that are near
        raise UserError(f"{spec!r}: describe outside mitigations in a suite file.")
    options: dict[str, Any] = {}
    whole = _is_text(spec)
    for part in filter(None, [rest] if whole else _options(rest)):
        key, given, value = part.partition("=")
        if not given or whole:
            key, value = FIRST[method], part
        options[key] = value
    try:
        checked = METHODS[method].model_validate(options).model_dump(exclude_unset=True)
    except ValidationError as error:
        shown = re.sub(r"//[^/@]*@", "//...@", spec)  # a password, where none should be
        raise UserError(f"-t {shown}: {first(error, METHODS[method])}") from error
    if method in ("neutral", "indirect"):
        checked.setdefault("attribute", "gender")
    if "like" in checked:
        checked["like"] = _name(checked["like"])
    if method == "llm":  # where an answer comes from is no part of what is asked
        kept = [p for p in _options(rest) if p.partition("=")[0] not in TRANSPORT]
        spec = f"{method}:{','.join(kept)}"
    return Mitigation(_name(spec), method, checked)


def _options(rest: str) -> list[str]:
    """What follows the colon, one option each: a comma inside a value is part of it."""
    return re.split(r",(?=[a-z_]+=)", rest)


def _name(spec: str) -> str:
    """The name of an arm that was given on the command line."""
    return re.sub(r"[^\w.-]+", "-", spec.strip()).strip("-")


def paired(specs: Sequence[str]) -> list[str]:
    """The same mitigations, each placebo without a length like the one of its gate before it.

    >>> paired(["ethical:gender", "placebo:gender"])
    ['ethical:gender', 'placebo:gender,like=ethical-gender']
    """
    out: list[str] = []
    before: Mitigation | None = None
    for spec in specs:
        arm = parse(spec)
        same = before is not None and before.options["attribute"] == arm.options.get("attribute")
        if before and same and arm.method == PLACEBO and set(arm.options) == {"attribute"}:
            spec = f"{spec.strip()},like={before.name}"
        out.append(spec)
        before = arm if arm.method in SPEAKING else before
    return out


def with_arms(suite: Suite, specs: Sequence[str]) -> Suite:
    """The suite with these mitigations in place of its own, each on the blocks that it is for.

    Those of copying and of the engine go to every block, rewriters of people's attributes to the
    blocks that read the attribute, and a stack of both to these and to the captions. Raises
    UserError where a mitigation has no block, or cannot do what it says.
    """
    blocks: dict[str, Prompt] = {}
    for p in suite.prompts:
        blocks.setdefault(p.block, p)
    found = []
    for spec in paired(specs):
        arm = parse(spec)
        asked = {str(a) for m in arm.each if (a := m.options.get("attribute")) is not None}
        free = any(_everywhere(m) for m in arm.each)
        mine = [
            b for b, p in blocks.items()
            if (free if p.purpose == "replication" or not asked else asked <= set(p.attributes))
        ]  # fmt: skip
        if not mine:
            named = " and ".join(sorted(asked))
            raise UserError(f"-t {spec}: no block of suite {suite.name} reads {named}.")
        found.append(stacks.on(arm, mine))
    twice = next((a.name for a in found if sum(b.name == a.name for b in found) > 1), None)
    if twice or any(a.name == BASELINE for a in found):
        raise UserError(f"-t {twice or BASELINE} is given twice, or is no mitigation.")
    chosen = replace(suite, mitigations=tuple(found))
    for arm in found:
        arms.check(chosen, arm)
    return chosen


def _everywhere(part: Mitigation) -> bool:
    """Whether a mitigation speaks of nobody, so that it goes to every block."""
    return part.method in AGAINST_COPIES or "attribute" not in part.options


def subject_of(text: str, suite: Suite) -> str:
    """The longest subject of the suite that the text names, or nothing."""
    named = {p.subject for p in suite.prompts if p.purpose == "representation"}
    there = [s for s in named if find(text, s) is not None]
    return max(sorted(there), key=len, default="")


def rewrite(
    text: str,
    mitigation: str,
    images: int = 1,
    subject: str = "",
    suite: Suite | str = "occupations",
    others: Sequence[str] = (),
    out: Path = RUNS,
) -> list[Rewritten]:
    """What a mitigation makes of a prompt, once for each image; same input, same output.

    `subject` is the person that the prompt asks for, e.g. `nurse`; else the suite's longest subject
    that the text names. The suite gives attributes and targets. `others` are mitigations that a
    placebo may be like. `llm` alone asks somebody, once, and keeps the answer under `out`, where
    runs would be. Raises UserError for mitigations that are not known or do not fit the suite.

    >>> import audit
    >>> [r.text for r in audit.rewrite("a photo of a nurse", "inject:gender", images=2)]
    ['a photo of a male nurse', 'a photo of a female nurse']
    >>> audit.rewrite("a photo of Marie Curie, a scientist", "inject:gender")[0].reason
    'named person'
    """
    whole = suites.read_suite(suite) if isinstance(suite, str) else suite
    subject = subject or subject_of(text, whole)
    attributes = tuple(a.name for a in whole.attributes if a.name != whole.subject_attribute)
    prompt = Prompt("prompt", text, subject, "prompt", "representation", images, attributes)
    arm, *beside = (stacks.on(parse(m), ("prompt",)) for m in (mitigation, *others))
    asked = replace(whole, prompts=(prompt,), mitigations=(arm, *beside))
    reasons = ["" if _everywhere(m) else why_not(text, prompt, m.options) or "" for m in arm.each]
    for part, reason in zip(arm.each, reasons, strict=True):
        if not reason:
            arms.check(asked, part)
    if not arm.parts:
        return _made([text] * images, asked, arm, arm, reasons[0], out)
    steps, before = [], [text] * images
    for k, (part, reason) in enumerate(zip(arm.parts, reasons, strict=True)):
        first_ones = stacks.stacked(arm, arm.parts[: k + 1])
        steps.append(_made(before, asked, part, first_ones, reason, out))
        before = [row.text for row in steps[-1]]
    why = "; ".join(dict.fromkeys(filter(None, reasons)))
    last = _made([text] * images, asked, arm, arm, why, out)
    return [replace(row, parts=tuple(s[i] for s in steps)) for i, row in enumerate(last)]


def _made(
    before: Sequence[str], asked: Suite, arm: Mitigation, until: Mitigation, reason: str, out: Path
) -> list[Rewritten]:
    """What an arm alone draws, and the texts when all of `until` is done, one per image."""
    functions = registry.rewriters(asked, out)
    own, texts = (arms.samples(asked, m, NOWHERE, functions) for m in (arm, until))
    aim: dict[str, float] = {}
    for part in arm.each if any(s.drawn for s in own) else ():
        if arms.draws_values(part):
            aim |= arms.target_of(asked, part, asked.prompts[0], str(part.options["attribute"]))
    return [
        Rewritten(
            was, s.text, arm.name, arm.method, dict(mine.drawn), dict(mine.how),
            {k: v for k, v in aim.items() if math.isfinite(v)},
            (reason or s.reason) if s.text == was and not mine.how else "", i, s.seed,
        )
        for i, (was, mine, s) in enumerate(zip(before, own, texts, strict=True))
    ]  # fmt: skip
