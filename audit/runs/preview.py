"""The rewriting of prompts by a mitigation, without a model.

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
from audit.design.mitigations import arms, stacks, who
from audit.design.mitigations.reading import read_many
from audit.design.mitigations.rewrite import why_not
from audit.design.mitigations.specs import everywhere, parse
from audit.errors import UserError
from audit.records import Mitigation, Prompt, Settings, Suite
from audit.runs.opt import AtLeast, checked

NOWHERE = Settings("", "", 1, 1.0, 1)
RUNS = Path("reports")
"""Default folder of runs."""


@dataclass(frozen=True)
class Seen:
    """A person in a prompt."""

    noun: str
    """The noun in the singular, with its compound: `software engineer`."""
    start: int
    """Where its compound begins in the prompt."""
    end: int
    """Where the noun ends."""
    number: int
    """How many there are; 0 for several without a count."""
    gender: str
    """What states a gender, as `pronoun: her`; nothing if it is open. Beside others, only the noun
    says it of this one."""


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
    prompt: int = 0
    """Which prompt of the batch, from 0."""
    people: tuple[Seen, ...] = ()
    """Whom the prompt shows, in its order; empty where a subject was given."""

    @property
    def changed(self) -> bool:
        """Whether anything is drawn differently."""
        return self.text != self.original or bool(self.engine)


def rewrite(  # noqa: PLR0913 - one for each option of the verb
    text: str | Sequence[str],
    mitigation: str | Mitigation,
    images: int = 1,
    subject: str = "",
    suite: Suite | str = "occupations",
    others: Sequence[str | Mitigation] = (),
    out: Path = RUNS,
    trust_code: bool = False,
    seed: int = 0,
) -> list[Rewritten]:
    """Rewrite prompts by a mitigation, once for each image; same input, same output.

    `text` is one prompt or many; the rows of many follow each other in their order, and quotas
    hold over all their images. `mitigation` has the form of `-t`, or is a `records.Mitigation`,
    which may name outside code. `subject` is the person that the prompts ask for, e.g. `nurse`; by
    default people are read from each prompt. The suite gives attributes and targets. `others` are
    mitigations that a placebo may imitate. Another `seed` draws other values. Only `llm` needs a
    service, which it calls once; it keeps the answer in `out`, the folder of the runs. A suite's
    file may name code only with `trust_code`. Raises UserError for unknown mitigations, and for
    those that do not fit the suite; of many prompts, one without a declared share is left alone.

    >>> import audit
    >>> [r.text for r in audit.rewrite("a photo of a nurse", "inject:gender", images=2)]
    ['a photo of a male nurse', 'a photo of a female nurse']
    >>> audit.rewrite("a photo of Marie Curie, a scientist", "inject:gender")[0].reason
    'named person: Marie Curie'
    >>> [r.text for r in audit.rewrite(["a school nurse", "a chef"], "inject:gender")]
    ['a male school nurse', 'a female chef']
    """
    many = isinstance(text, list | tuple)
    for given in text if isinstance(text, list | tuple) else (text,):
        checked("prompt", str, given)
    texts = [text] if isinstance(text, str) else list(text)
    checked("images", int, images, AtLeast(1))
    checked("seed", int, seed)
    for given in (mitigation, *others):
        if not isinstance(given, Mitigation):
            checked("mitigation", str, given)
    whole = suites.read_suite(suite, trust_code=trust_code) if isinstance(suite, str) else suite
    named = [parse(m) if isinstance(m, str) else m for m in (mitigation, *others)]
    arm, *beside = (stacks.on(m, ("prompt",)) for m in named)
    if not subject and any(not everywhere(m) for m in arm.each):
        read_many(texts)
    batch = _Batch(
        texts, replace(whole, prompts=_prompts(texts, subject, images, whole)), (arm, *beside), out,
        f"#{seed}" if seed else "",
    )  # fmt: skip
    return _rewritten(batch, many)


def _prompts(texts: Sequence[str], subject: str, images: int, whole: Suite) -> tuple[Prompt, ...]:
    """A suite's prompts from texts; the first is called `prompt`."""
    attributes = tuple(a.name for a in whole.attributes if a.name != whole.subject_attribute)
    return tuple(
        Prompt(f"prompt-{k}" if k else "prompt", one, subject, "prompt", "representation", images,
               attributes)
        for k, one in enumerate(texts)
    )  # fmt: skip


@dataclass(frozen=True)
class _Batch:
    """Prompts, an arm and others to imitate, and how its draws are salted."""

    texts: Sequence[str]
    suite: Suite
    arms: tuple[Mitigation, ...]
    out: Path
    salt: str

    def salted(self, arm: Mitigation) -> Mitigation:
        """The arm under the name that its draws depend on."""
        parts = tuple(replace(p, name=p.name + self.salt) for p in arm.parts)
        return replace(arm, name=arm.name + self.salt, parts=parts)


def _rewritten(batch: _Batch, many: bool) -> list[Rewritten]:
    """Each part of the arm, from the texts that the part before gave."""
    arm = batch.salted(batch.arms[0])
    prompts = batch.suite.prompts
    whys: list[list[str]] = []
    for part in arm.each:
        reasons = [
            "" if everywhere(part) else why_not(p.text, p, part.options) or "" for p in prompts
        ]
        reasons = [r or _no_share(batch.suite, part, p, many)
                   for r, p in zip(reasons, prompts, strict=True)]  # fmt: skip
        left = tuple(p for p, r in zip(prompts, reasons, strict=True) if not r)
        if left:
            arms.check(replace(batch.suite, prompts=left, mitigations=(arm, *batch.arms[1:])), part)
        whys.append(reasons)
    if not arm.parts:
        return _made(batch, [p.text for p in prompts for _ in range(p.seeds)], arm, arm, whys[0])
    steps, before = [], [p.text for p in prompts for _ in range(p.seeds)]
    first = before
    for k, (part, reasons) in enumerate(zip(arm.parts, whys, strict=True)):
        first_ones = stacks.stacked(arm, arm.parts[: k + 1])
        steps.append(_made(batch, before, part, first_ones, reasons))
        before = [row.text for row in steps[-1]]
    why = ["; ".join(dict.fromkeys(filter(None, those))) for those in zip(*whys, strict=True)]
    last = _made(batch, first, arm, arm, why)
    return [replace(row, parts=tuple(s[i] for s in steps)) for i, row in enumerate(last)]


def _no_share(suite: Suite, part: Mitigation, prompt: Prompt, many: bool) -> str:
    """Why one of many prompts has no target; for a single one that is an error."""
    if not many or not arms.draws_values(part):
        return ""
    try:
        arms.target_of(suite, part, prompt, str(part.options["attribute"]))
    except UserError:
        return f"{part.options.get('target')} declares no shares for this person"
    return ""


def _made(
    batch: _Batch, before: Sequence[str], arm: Mitigation, until: Mitigation,
    reasons: Sequence[str],
) -> list[Rewritten]:  # fmt: skip
    """The draws of an arm alone, and the texts after all of `until`, one per prompt and image."""
    prompts = batch.suite.prompts
    shared = {p.id for p, r in zip(prompts, reasons, strict=True) if "declares no shares" not in r}
    asked = replace(
        batch.suite, mitigations=(batch.salted(batch.arms[0]), *batch.arms[1:]),
        prompts=tuple(p if p.id in shared else replace(p, block="left") for p in prompts),
    )  # fmt: skip
    functions = registry.rewriters(asked, batch.out)
    own = {(s.prompt, s.noise): s for s in arms.samples(asked, arm, NOWHERE, functions)}
    done = {(s.prompt, s.noise): s for s in arms.samples(asked, until, NOWHERE, functions)}
    rows, k = [], 0
    for number, (p, reason) in enumerate(zip(prompts, reasons, strict=True)):
        aim: dict[str, float] = {}
        seen = _seen(p)
        for i in range(p.seeds):
            noise = arms.noise_of(p, i)
            mine, s = own.get((p.id, noise)), done.get((p.id, noise))
            if not aim and mine is not None and mine.drawn:
                aim = _aims(asked, arm, p)
            text = s.text if s else p.text
            change = mine.change.as_json() if mine else {}
            still = text == before[k] and not change
            rows.append(Rewritten(
                before[k], text, arm.name.removesuffix(batch.salt), arm.method,
                dict(mine.drawn) if mine else {}, change, aim,
                (reason or (s.reason if s else "")) if still else "", i, noise, (), number, seen,
            ))  # fmt: skip
            k += 1
    return rows


def _aims(asked: Suite, arm: Mitigation, prompt: Prompt) -> dict[str, float]:
    """Declared shares that the draws of an arm follow for a prompt."""
    aim: dict[str, float] = {}
    for part in arm.each:
        if arms.draws_values(part):
            aim |= arms.target_of(asked, part, prompt, str(part.options["attribute"]))
    return {k: v for k, v in aim.items() if math.isfinite(v)}


def _seen(prompt: Prompt) -> tuple[Seen, ...]:
    """Whom a typed prompt shows, where it has been read."""
    seen = who.already_read(prompt)
    if seen is None:
        return ()
    out = []
    for p in seen.people:
        said = seen.statement(p, "gender") if len(seen.people) == 1 or p.gender else None
        start, end = seen.readable.span(p.start, p.head[1])
        shown = f"{said.by}: {said.words}" if said else ""
        out.append(Seen(p.noun, start, end, p.number, shown))
    return tuple(out)
