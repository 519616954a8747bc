"""Mitigations by the names that people give, and what they make of one prompt.

`rewrite` is for products too: a pure function of text, mitigation and seed, with its reasons.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from audit import registry, suites
from audit.errors import UserError
from audit.mitigate import arms
from audit.mitigate.grammar import find
from audit.mitigate.methods import AGAINST_COPIES, METHODS, engine
from audit.mitigate.rewrite import why_not
from audit.records import BASELINE, Mitigation, Prompt, Settings, Suite
from audit.schema import first

FIRST = {
    "inject": "attribute", "ethical": "attribute", "placebo": "attribute", "neutral": "attribute",
    "indirect": "attribute", "guidance": "scale", "negative": "text", "repeat-words": "count",
    "add-words": "count", "add-numbers": "count", "noise": "level", "token-noise": "width",
    "rescale-attention": "factor", "optimise-states": "target",
}  # fmt: skip
"""The option that follows the colon."""
NOWHERE = Settings("", "", 1, 1.0, 1)


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
    """Why the text was left alone, where the gate says so."""
    image: int
    """Which image of the prompt, from 0."""
    seed: int
    """Of its noise, the same with and without the mitigation."""

    @property
    def changed(self) -> bool:
        """Whether anything is drawn otherwise."""
        return self.text != self.original or bool(self.engine)


def parse(spec: str) -> Mitigation:
    """A mitigation from `METHOD`, `METHOD:VALUE`, or `METHOD:VALUE,option=value,...`.

    `inject:gender,target=labour` states drawn genders, `guidance:6` changes the scale. VALUE is the
    method's first option (FIRST). Raises UserError for unknown methods and options.
    """
    method, _, rest = spec.strip().partition(":")
    if method not in METHODS:
        registry.load("mitigation", method)  # raises, with names that are near
        raise UserError(f"{spec!r}: describe outside mitigations in a suite file.")
    options: dict[str, Any] = {}
    parts = [rest] if method == "negative" else re.split(r",(?=[a-z_]+=)", rest)
    for part in filter(None, parts):
        key, given, value = part.partition("=")
        if not given or method == "negative":
            key, value = FIRST[method], part
        options[key] = value
    try:
        checked = METHODS[method].model_validate(options).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise UserError(f"-t {spec}: {first(error, METHODS[method])}") from error
    if method in ("neutral", "indirect"):
        checked.setdefault("attribute", "gender")
    name = re.sub(r"[^\w.-]+", "-", spec.strip()).strip("-")
    return Mitigation(name, method, checked)


def with_arms(suite: Suite, specs: Sequence[str]) -> Suite:
    """The suite with these mitigations in place of its own, each on the blocks that it is for.

    Those of copying and of the engine go to every block, rewriters of people's attributes to the
    blocks that read the attribute. Raises UserError where a mitigation has no block, or cannot do
    what it says.
    """
    blocks: dict[str, Prompt] = {}
    for p in suite.prompts:
        blocks.setdefault(p.block, p)
    found = []
    for spec in specs:
        arm = parse(spec)
        attribute = arm.options.get("attribute")
        everywhere = arm.method in AGAINST_COPIES or attribute is None
        mine = tuple(
            b
            for b, p in blocks.items()
            if everywhere or (p.purpose == "representation" and attribute in p.attributes)
        )
        if not mine:
            raise UserError(f"-t {spec}: no block of suite {suite.name} reads {attribute}.")
        arm = replace(arm, blocks=mine)
        arms.check(replace(suite, mitigations=(arm,)), arm)
        found.append(arm)
    twice = next((a.name for a in found if sum(b.name == a.name for b in found) > 1), None)
    if twice or any(a.name == BASELINE for a in found):
        raise UserError(f"-t {twice or BASELINE} is given twice, or is no mitigation.")
    return replace(suite, mitigations=tuple(found))


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
) -> list[Rewritten]:
    """What a mitigation makes of a prompt, once for each image; same input, same output.

    `subject` is the person that the prompt asks for, e.g. `nurse`; else the suite's longest subject
    that the text names. The suite gives attributes and targets. Raises UserError for mitigations
    that are not known or do not fit the suite.

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
    arm = replace(parse(mitigation), blocks=("prompt",))
    asked = replace(whole, prompts=(prompt,), mitigations=(arm,))
    spoken = not (arm.method in AGAINST_COPIES or "attribute" not in arm.options)
    reason = (why_not(text, prompt, arm.options) or "") if spoken else ""
    if not reason:
        arms.check(asked, arm)
    aim: dict[str, float] = {}
    if arms.draws_values(arm) and not reason:
        aim = arms.target_of(asked, arm, prompt, str(arm.options["attribute"]))
    rewriter, inside = registry.load("mitigation", arm.method), engine(arm, NOWHERE)
    return [
        Rewritten(
            text, s.text, arm.name, arm.method, dict(s.drawn), inside,
            {k: v for k, v in aim.items() if math.isfinite(v)},
            reason if s.text == text and not inside else "", i, s.seed,
        )
        for i, s in enumerate(arms.samples(asked, arm, NOWHERE, rewriter))
    ]  # fmt: skip
