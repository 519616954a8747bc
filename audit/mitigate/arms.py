"""The arms of a plan: what a mitigation's options may say, its targets, and what it draws."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Collection, Mapping

import numpy as np

from audit.errors import UserError, unknown
from audit.mitigate.methods import METHODS, concept, engine
from audit.mitigate.quota import phases, quota
from audit.mitigate.rewrite import phrase, why_not
from audit.records import (
    BASELINE,
    Attribute,
    Mitigation,
    Prompt,
    Sample,
    Settings,
    Suite,
    sample_id,
)

Rewriter = Callable[..., str]
"""Text, prompt, drawn values and options to the final text; one that has a parameter `rng` is given
a generator too, which depends on arm, text and image alone."""
SPOKEN = {"inject": phrase, "fair-guidance": concept}
"""Methods that say a drawn value, each with what gives its words."""


def known(kind: str, name: str, names: Collection[str], where: str) -> None:
    """Raise UserError, with near names, for a name that is not among `names`."""
    if name not in names:
        raise UserError(f"{where}: {unknown(kind, name, names)}")


def noise_seed(text: str, index: int) -> int:
    """63-bit seed of the noise of image `index` of a prompt: depends on nothing else.

    It is taken from the original text, so that a rewritten prompt starts from the same noise.
    """
    digest = hashlib.sha256(f"{index}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def check(suite: Suite, arm: Mitigation) -> None:
    """Refuse an arm that cannot do what it says; `options` have passed their method's model.

    Raises UserError for unknown methods, blocks, attributes and targets, for a target that is
    silent about a subject, and for a class without words.
    """
    if arm.name == BASELINE:
        raise UserError(f"a mitigation cannot be called {BASELINE!r}; rename it.")
    for block in arm.blocks:
        known("block", block, {p.block for p in suite.prompts}, f"mitigation {arm.name}")
    if ":" not in arm.method:
        known("method", arm.method, METHODS, f"mitigation {arm.name}")
    attributes = {a.name: a for a in suite.attributes if a.name != suite.subject_attribute}
    references = {"uniform", *(r.name for r in suite.references)}
    for option, names in (("attribute", attributes), ("target", references)):
        if option in arm.options:
            known(option, str(arm.options[option]), names, f"mitigation {arm.name}")
    if draws_values(arm):
        _check_draw(suite, arm, attributes[str(arm.options["attribute"])])


def _check_draw(suite: Suite, arm: Mitigation, attribute: Attribute) -> None:
    for p in suite.prompts:
        if p.block in arm.blocks and p.purpose == "representation":
            target_of(suite, arm, p, attribute.name)
            if attribute.name not in p.attributes:
                raise UserError(
                    f"mitigation {arm.name}: block {p.block} does not read {attribute.name}. "
                    "Add it to the block's attributes."
                )
    for value in arm.options.get("words", {}):
        known(f"{attribute.name} value", value, attribute.classes, f"mitigation {arm.name}")
    for value in attribute.classes if arm.method in SPOKEN else ():
        if SPOKEN[arm.method](attribute.name, value, arm.options) is None:
            raise UserError(
                f"mitigation {arm.name}: no words state {attribute.name} {value!r}. "
                f"Give them in options, words = {{ {value} = ... }}."
            )


def draws_values(arm: Mitigation) -> bool:
    """Whether values are drawn for an arm: SPOKEN, or any method with attribute and target."""
    return arm.method in SPOKEN or {"attribute", "target"} <= set(arm.options)


def target_of(suite: Suite, arm: Mitigation, prompt: Prompt, attribute: str) -> dict[str, float]:
    """The declared target of an arm for a prompt: class to share.

    `uniform` needs no declaration. Raises UserError where a named target is silent about a
    representation prompt; a replication prompt then gets every class equally often.
    """
    classes = next(a.classes for a in suite.attributes if a.name == attribute)
    even = dict.fromkeys(classes, 1 / len(classes))
    name = arm.options.get("target", "uniform")
    reference = next((r for r in suite.references if r.name == name), None)
    if reference is None:
        return even
    shares = {c: reference.share(prompt.subject, attribute, c) for c in classes}
    if all(map(math.isfinite, shares.values())):
        return shares
    if prompt.purpose == "replication":
        return even
    raise UserError(
        f"mitigation {arm.name}: the target {name} does not give every {attribute} share of "
        f"{prompt.subject}. Complete its table, or choose another target."
    )


def targets(suite: Suite, arm: Mitigation, attribute: Attribute) -> dict[str, float]:
    """Per subject that an arm rewrites: the declared share of the attribute's first class."""
    first = attribute.classes[0]
    return {
        p.subject: target_of(suite, arm, p, attribute.name)[first]
        for p in suite.prompts
        if p.block in arm.blocks and attribute.name in p.attributes
    }


def draws(suite: Suite, arm: Mitigation) -> dict[str, list[dict[str, str]]]:
    """Prompt id to one draw per image, for the prompts that the gate lets through.

    Within a prompt, and over all prompts that share a target and a number of images, counts lie
    within one of the target.
    """
    if not draws_values(arm):
        return {}
    attribute = str(arm.options["attribute"])
    groups: dict[tuple[object, ...], list[Prompt]] = {}
    aims: dict[str, Mapping[str, float]] = {}
    for p in suite.prompts:
        if p.block in arm.blocks and why_not(p.text, p, arm.options) is None:
            aims[p.id] = target_of(suite, arm, p, attribute)
            groups.setdefault((p.seeds, *aims[p.id].items()), []).append(p)
    drawn = {}
    for group in groups.values():
        spread = phases(
            len(group), np.random.default_rng(noise_seed(f"{arm.name}\0{group[0].text}", 1))
        )
        for p, phase in zip(group, spread, strict=True):
            rng = np.random.default_rng(noise_seed(f"{arm.name}\0{p.text}", 0))
            values = quota(aims[p.id], p.seeds, rng, float(phase))
            drawn[p.id] = [{attribute: v} for v in values]
    return drawn


def samples(suite: Suite, arm: Mitigation, settings: Settings, rewrite: Rewriter) -> list[Sample]:
    """The samples of one arm, in the suite's order, with the baseline's prompts and noise."""
    drawn, classes = draws(suite, arm), {a.name: a.classes for a in suite.attributes}
    draws_words = "rng" in inspect.signature(rewrite).parameters
    rows = []
    for p in suite.prompts:
        for i in range(p.seeds if p.block in arm.blocks else 0):
            values = drawn[p.id][i] if p.id in drawn else {}
            more = {}
            if draws_words:
                more["rng"] = np.random.default_rng(noise_seed(f"{arm.name}\0{p.text}\0words", i))
            text = rewrite(p.text, p, values, arm.options, **more)
            seed = noise_seed(p.text, i)
            inside = engine(arm, settings, values, classes)
            id = sample_id(text, seed, settings, inside)
            rows.append(Sample(id, p.id, arm.name, seed, text, values, inside))
    return rows
