"""The rewriting of one prompt by a mitigation, without a model.

`rewrite` is for products too: a pure function of text, mitigation and seed, with its reasons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audit import registry
from audit.design import suites
from audit.design.mitigations import arms, stacks
from audit.design.mitigations.grammar import find
from audit.design.mitigations.rewrite import why_not
from audit.design.mitigations.specs import everywhere, parse
from audit.records import Mitigation, Prompt, Settings, Suite
from audit.runs.opt import AtLeast, checked

NOWHERE = Settings("", "", 1, 1.0, 1)
RUNS = Path("reports")
"""Default folder of runs."""


@dataclass(frozen=True)
class Rewritten:
    """A prompt as rewritten by a mitigation, for one image."""

    original: str
    """The prompt as it was."""
    text: str
    """The text that is drawn instead."""
    mitigation: str
    """Name of the arm."""
    method: str
    """The mitigation, without its options."""
    drawn: dict[str, str]
    """Attribute values that were drawn for this image."""
    engine: dict[str, Any]
    """Changes in the engine; empty where only the text changes."""
    target: dict[str, float]
    """Declared shares that the draws follow."""
    reason: str
    """Why the text was left unchanged, if the gate or the rewriter gives a reason."""
    image: int
    """Which image of the prompt, from 0."""
    seed: int
    """Seed of its noise, the same with and without the mitigation."""
    parts: tuple[Rewritten, ...] = ()
    """The rewriting by each part of a stack, each from the result of the part before."""

    @property
    def changed(self) -> bool:
        """Whether anything is drawn differently."""
        return self.text != self.original or bool(self.engine)


def subject_of(text: str, suite: Suite) -> str:
    """The longest subject of the suite that the text names, or nothing."""
    named = {p.subject for p in suite.prompts if p.purpose == "representation"}
    there = [s for s in named if find(text, s) is not None]
    return max(sorted(there), key=len, default="")


def rewrite(  # noqa: PLR0913 - one for each option of the verb
    text: str,
    mitigation: str | Mitigation,
    images: int = 1,
    subject: str = "",
    suite: Suite | str = "occupations",
    others: Sequence[str | Mitigation] = (),
    out: Path = RUNS,
    trust_code: bool = False,
) -> list[Rewritten]:
    """Rewrite a prompt by a mitigation, once for each image; same input, same output.

    `mitigation` has the form of `-t`, or is a `records.Mitigation`, which may name outside code.
    `subject` is the person that the prompt asks for, e.g. `nurse`; by default the longest subject
    of the suite that the text names. The suite gives attributes and targets. `others` are
    mitigations that a placebo may imitate. Only `llm` needs a service, which it calls once; it
    keeps the answer in `out`, the folder of the runs. A suite's file may name code only with
    `trust_code`. Raises UserError for unknown mitigations, and
    for those that do not fit the suite.

    >>> import audit
    >>> [r.text for r in audit.rewrite("a photo of a nurse", "inject:gender", images=2)]
    ['a photo of a male nurse', 'a photo of a female nurse']
    >>> audit.rewrite("a photo of Marie Curie, a scientist", "inject:gender")[0].reason
    'named person'
    """
    checked("prompt", str, text)
    checked("images", int, images, AtLeast(1))
    for one in (mitigation, *others):
        if not isinstance(one, Mitigation):
            checked("mitigation", str, one)
    whole = suites.read_suite(suite, trust_code=trust_code) if isinstance(suite, str) else suite
    subject = subject or subject_of(text, whole)
    attributes = tuple(a.name for a in whole.attributes if a.name != whole.subject_attribute)
    prompt = Prompt("prompt", text, subject, "prompt", "representation", images, attributes)
    named = [parse(m) if isinstance(m, str) else m for m in (mitigation, *others)]
    arm, *beside = (stacks.on(m, ("prompt",)) for m in named)
    asked = replace(whole, prompts=(prompt,), mitigations=(arm, *beside))
    reasons = ["" if everywhere(m) else why_not(text, prompt, m.options) or "" for m in arm.each]
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
    """The draws of an arm alone, and the texts after all of `until`, one per image."""
    functions = registry.rewriters(asked, out)
    own, texts = (arms.samples(asked, m, NOWHERE, functions) for m in (arm, until))
    aim: dict[str, float] = {}
    for part in arm.each if any(s.drawn for s in own) else ():
        if arms.draws_values(part):
            aim |= arms.target_of(asked, part, asked.prompts[0], str(part.options["attribute"]))
    return [
        Rewritten(
            was, s.text, arm.name, arm.method, dict(mine.drawn), mine.change.as_json(),
            {k: v for k, v in aim.items() if math.isfinite(v)},
            (reason or s.reason) if s.text == was and not mine.change else "", i, s.noise,
        )
        for i, (was, mine, s) in enumerate(zip(before, own, texts, strict=True))
    ]  # fmt: skip
