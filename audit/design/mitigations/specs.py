"""Mitigations as typed after `-t`: the grammar, and the blocks that each applies to.

    SPEC   = PART { "+" PART }
    PART   = METHOD [ ":" VALUE { "," OPTION "=" VALUE } ]

VALUE is the method's first option. A comma or a plus inside a value is part of it if no option,
or no method, follows; everything after `negative:` is its text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from audit.design.mitigations import arms, stacks
from audit.design.mitigations.methods import METHODS, STACK, method
from audit.design.mitigations.row import Method
from audit.design.sentences import first
from audit.errors import UserError, unknown
from audit.records import MethodOptions, Mitigation, Prompt, Suite


def parse(spec: str) -> Mitigation:
    """A mitigation, or a stack of several with `+` between them: `inject:gender+noise:0.5`.

    Everything after `negative:` is its text, including `+`, so such a text ends a stack. Raises
    UserError for unknown methods and options, and for parts that cannot be combined.
    """
    parts: list[str] = []
    for piece in spec.split("+"):
        if parts and _is_text(parts[-1]):
            parts[-1] += f"+{piece}"
        else:
            parts.append(piece)
    if len(parts) == 1:
        return _part(spec)
    made = [_part(p) for p in parts]
    arm = Mitigation(_name(spec), STACK, {"of": [m.name for m in made]})
    arm = stacks.stacked(arm, made)
    stacks.check(arm)
    return arm


def _is_text(spec: str) -> bool:
    """Whether everything after the method is one text, such as a negative prompt."""
    name, _, rest = spec.strip().partition(":")
    return method(name).free_text and bool(rest) and not rest.startswith("attribute=")


def _part(spec: str) -> Mitigation:
    """A mitigation from `METHOD`, `METHOD:VALUE`, or `METHOD:VALUE,option=value,...`.

    `inject:gender,target=labour` states drawn genders, `guidance:6` changes the scale, and
    `negative:attribute=gender` is not a text. Raises UserError for unknown methods and options.
    """
    name, _, rest = spec.strip().partition(":")
    if name == STACK:
        raise UserError(f"-t {spec}: join mitigations with +, as in inject:gender+noise:0.5.")
    if name not in METHODS:
        raise unknown("mitigation", name, METHODS)
    row = METHODS[name]
    if not row.first_option:
        raise UserError(
            f"-t {spec}: `t2i-audit personalize` trains these models and makes the arms."
        )
    options = _checked(row, _given(row, spec, rest), spec)
    if row.transport:  # where an answer comes from is not part of what is asked
        kept = [p for p in _split(rest) if p.partition("=")[0] not in row.transport]
        spec = f"{name}:{','.join(kept)}"
    return Mitigation(_name(spec), name, options)


def _given(row: Method, spec: str, rest: str) -> dict[str, str]:
    """Options by name, as text."""
    if _is_text(spec):
        return {row.first_option: rest}
    options = {}
    for part in filter(None, _split(rest)):
        key, named, value = part.partition("=")
        options[key if named else row.first_option] = value if named else part
    return options


def _split(rest: str) -> list[str]:
    """The options after the colon; a comma inside a value is part of it."""
    return re.split(r",(?=[a-z_]+=)", rest)


def _checked(row: Method, given: dict[str, str], spec: str) -> MethodOptions:
    """The given options with their types, and the attribute that the method needs."""
    if row.options is None:
        return dict(given)
    try:
        checked = row.options.model_validate(given).model_dump(exclude_unset=True)
    except ValidationError as error:
        shown = re.sub(r"//[^/@]*@", "//...@", spec)  # never repeat a password
        raise UserError(f"-t {shown}: {first(error, row.options)}") from error
    if row.usual_attribute is not None:
        checked.setdefault("attribute", row.usual_attribute)
    if checked.get("url"):  # the user typed it
        checked.setdefault("send_key", True)
    if "like" in checked:
        checked["like"] = _name(checked["like"])
    return checked


def _name(spec: str) -> str:
    """The name of an arm that was given on the command line."""
    return re.sub(r"[^\w.-]+", "-", spec.strip()).strip("-")


def paired(specs: Sequence[str]) -> list[Mitigation]:
    """The mitigations, each placebo without a length paired with the rewriter before it.

    A placebo is as long as what the last rewriter of the same attribute adds.

    >>> [arm.name for arm in paired(["ethical:gender", "placebo:gender"])]
    ['ethical-gender', 'placebo-gender-like-ethical-gender']
    """
    out: list[Mitigation] = []
    before: Mitigation | None = None
    for arm in map(parse, specs):
        row = method(arm.method)
        bare = row.family == "placebo" and set(arm.options) == {"attribute"}
        if before and bare and before.options.get("attribute") == arm.options["attribute"]:
            name, options = f"{arm.name},like={before.name}", {**arm.options, "like": before.name}
            arm = replace(arm, name=_name(name), options=options)
        out.append(arm)
        before = arm if row.family == "people" else before
    return out


def with_arms(suite: Suite, specs: Sequence[str]) -> Suite:
    """The suite with these mitigations in place of its own, each on the blocks that it applies to.

    Those against copies and those of the engine apply to every block, rewriters of people's
    attributes to the blocks that read the attribute, and a stack of both to these and the captions.
    Raises UserError if a mitigation has no block, does not fit the suite, or is given twice.
    """
    chosen = [
        stacks.on(arm, _blocks(suite, arm, spec))
        for arm, spec in zip(paired(specs), specs, strict=True)
    ]
    for name, count in Counter(arm.name for arm in chosen).items():
        if count > 1:
            raise UserError(f"-t {name} is given twice. Leave one out.")
    whole = replace(suite, mitigations=tuple(chosen))
    for arm in chosen:
        arms.check(whole, arm)
    return whole


def _blocks(suite: Suite, arm: Mitigation, spec: str) -> list[str]:
    """The blocks of a suite that an arm applies to; raises UserError without any."""
    named = [part.options.get("attribute") for part in arm.each]
    attributes = {str(name) for name in named if name is not None}
    free = any(everywhere(part) for part in arm.each)

    def is_for(p: Prompt) -> bool:
        if p.turn is not None:
            return False
        if p.purpose == "replication" or not attributes:
            return free
        return attributes <= set(p.attributes)

    # All prompts of a block have the same purpose and attributes.
    mine = list(dict.fromkeys(p.block for p in suite.prompts if is_for(p)))
    if not mine:
        raise UserError(
            f"-t {spec}: no block of suite {suite.name} reads {' and '.join(sorted(attributes))}."
        )
    return mine


def everywhere(part: Mitigation) -> bool:
    """Whether a mitigation says nothing about people, and therefore applies to every block."""
    return method(part.method).family == "copies" or "attribute" not in part.options
