"""The arms of a plan: checks of a mitigation's options, its targets, and its drawn values."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from audit.datasets.alike import Builder, Planned
from audit.design.mitigations import stacks, who
from audit.design.mitigations.changes import change, sample_ids, turn
from audit.design.mitigations.methods import METHODS, family, method
from audit.design.mitigations.placebo import added
from audit.design.mitigations.quota import generator, phases, quota
from audit.design.mitigations.rewrite import why_not
from audit.errors import UserError, known
from audit.keys import BASELINE
from audit.records import (
    Attribute,
    Change,
    Mitigation,
    Prompt,
    Sample,
    Settings,
    Suite,
)

Rewriter = Callable[..., str | tuple[str, str]]
"""Text, prompt, drawn values and options to the final text, or to the text and the reason why it
was left alone. One with a parameter `rng` also gets a generator, which depends on arm, text and
image."""


def noise_seed(text: str, index: int) -> int:
    """63-bit seed of the noise of image `index` of a prompt: depends on nothing else.

    It comes from the original text, so a rewritten prompt starts from the same noise.
    """
    digest = hashlib.sha256(f"{index}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def noise_seeds(text: str, count: int) -> list[int]:
    """`noise_seed` of the first images of a prompt; fast for a million of them."""
    import numpy as np

    rest, hashed = f"\0{text}".encode(), hashlib.sha256
    digests = b"".join([hashed(b"%d%b" % (i, rest)).digest() for i in range(count)])
    return (np.frombuffer(digests, ">u8")[::4] >> np.uint64(1)).tolist()


def noise_of(prompt: Prompt, index: int) -> int:
    """Seed of the noise of image `index` of a prompt, as 63 bits (`noise_seed`).

    Prompts that differ only in the group that they state have that of the prompt that states none.
    """
    return noise_seed(prompt.frame or prompt.text, index)


def check(suite: Suite, arm: Mitigation) -> None:
    """Refuse an arm that does not fit its suite; its options have passed their method's model.

    Raises UserError for unknown methods, blocks, attributes and targets, for a target without
    shares of a subject, and for a class without words.
    """
    if arm.name == BASELINE:
        raise UserError(
            f"a mitigation cannot be called {BASELINE!r}, the name of the baseline. Rename it."
        )
    talks = {p.block for p in suite.prompts if p.turn is not None}
    for block in arm.blocks:
        known("block", block, {p.block for p in suite.prompts}, f"mitigation {arm.name}")
        if block in talks:
            raise UserError(
                f"mitigation {arm.name}: {block} is a conversation, which no mitigation changes. "
                "Take it out of the mitigation's blocks."
            )
    stacks.check(arm)
    for part in arm.each:
        _check_part(suite, replace(part, name=arm.name))


def _check_part(suite: Suite, arm: Mitigation) -> None:
    if ":" not in arm.method:
        known("method", arm.method, METHODS, f"mitigation {arm.name}")
    attributes = {a.name: a for a in suite.attributes if a.name != suite.subject_attribute}
    references = {"uniform", *(r.name for r in suite.references)}
    # Without an attribute, a target has another meaning: a number for `optimise-states`.
    for option, names in (("attribute", attributes), ("target", references)):
        if "attribute" in arm.options and option in arm.options:
            known(option, str(arm.options[option]), names, f"mitigation {arm.name}")
    if draws_values(arm):
        _check_draw(suite, arm, attributes[str(arm.options["attribute"])])
    if "like" in arm.options:
        _check_like(suite, arm)


def _check_like(suite: Suite, arm: Mitigation) -> None:
    """The arm that a placebo imitates must add words, on all of the placebo's blocks."""
    others = {m.name: m for m in suite.mitigations if m.name != arm.name}
    known("arm", str(arm.options["like"]), others, f"mitigation {arm.name}, like")
    other = others[str(arm.options["like"])]
    families = {method(m.method).family for m in other.each}
    if not families & {"people", "outside"} or "placebo" in families:
        raise UserError(
            f"mitigation {arm.name}: {other.name} adds no words for a placebo to match. Name "
            f"an arm with one of these methods: {', '.join(family('people'))}."
        )
    for block in arm.blocks:
        if block not in other.blocks:
            raise UserError(
                f"mitigation {arm.name}: {other.name} leaves block {block} alone, so a placebo "
                f"has nothing to match there. Add the block to {other.name}, or remove it here."
            )


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
    for value in attribute.classes:
        if not _has_words(arm, attribute, value):
            raise UserError(
                f"mitigation {arm.name}: no words state {attribute.name} {value!r}. "
                f"Add them to its options: words = {{ {value} = ... }}."
            )


def _has_words(arm: Mitigation, attribute: Attribute, value: str) -> bool:
    words = method(arm.method).words
    return words is None or words(attribute.name, value, arm.options) is not None


def draws_values(arm: Mitigation) -> bool:
    """Whether values are drawn for an arm: it has words for them, or attribute and target."""
    needed = {"attribute"} if method(arm.method).words else {"attribute", "target"}
    return needed <= set(arm.options)


def target_of(suite: Suite, arm: Mitigation, prompt: Prompt, attribute: str) -> dict[str, float]:
    """The declared target of an arm for a prompt: class to share.

    `uniform` needs no declaration. Raises UserError if a named target lacks the shares of a
    representation prompt; a replication prompt then gets every class equally often.
    """
    classes = next(a.classes for a in suite.attributes if a.name == attribute)
    even = dict.fromkeys(classes, 1 / len(classes))
    name = arm.options.get("target", "uniform")
    reference = next((r for r in suite.references if r.name == name), None)
    if reference is None:
        return even
    subjects = [prompt.subject] if not who.is_typed(prompt) else who.nouns(prompt.text)
    for subject in subjects:
        shares = {c: reference.share(subject, attribute, c) for c in classes}
        if all(map(math.isfinite, shares.values())):
            return shares
    if prompt.purpose == "replication" or (who.is_typed(prompt) and name == "uniform"):
        return even
    raise UserError(
        f"mitigation {arm.name}: the target {name} does not give every {attribute} share of "
        f"{next(iter(subjects), prompt.text)}. Complete its table, or choose another target."
    )


def aims(suite: Suite, arm: Mitigation) -> list[Attribute]:
    """The attributes that an arm is about, in the order of its parts; by default the first one."""
    asked = [a for a in suite.attributes if a.name != suite.subject_attribute]
    named = dict.fromkeys(part.options.get("attribute") for part in arm.each)
    found = [a for name in named for a in asked if a.name == name]
    return found or asked[:1]


def targets(suite: Suite, arm: Mitigation, attribute: Attribute) -> dict[str, float]:
    """Per subject that an arm rewrites: the declared share of the attribute's first class."""
    first = attribute.classes[0]
    arm = next((m for m in arm.each if m.options.get("attribute") == attribute.name), arm)
    return {
        p.subject: target_of(suite, arm, p, attribute.name)[first]
        for p in suite.prompts
        if p.block in arm.blocks and attribute.name in p.attributes
    }


def draws(suite: Suite, arm: Mitigation) -> dict[str, list[dict[str, str]]]:
    """Prompt id to one draw per image, for the prompts that the gate lets through.

    Within a prompt, and over all prompts that share a target and a number of images, counts are
    within one of the target. `arm` is not a stack: its parts draw as they would alone.
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
        spread = phases(len(group), generator(noise_seed(f"{arm.name}\0{group[0].text}", 1)))
        for p, phase in zip(group, spread, strict=True):
            rng = generator(noise_seed(f"{arm.name}\0{p.text}", 0))
            values = quota(aims[p.id], p.seeds, rng, float(phase))
            drawn[p.id] = [{attribute: v} for v in values]
    return drawn


class Text(NamedTuple):
    """An arm's text for one image of a prompt."""

    text: str
    drawn: dict[str, str]
    reason: str = ""
    """Why it was left alone, if a rewriter gives a reason."""


def texts(
    suite: Suite, arm: Mitigation, rewriters: Mapping[str, Rewriter]
) -> dict[tuple[str, int], Text]:
    """Prompt id and image to the final text and its drawn values, in the suite's order.

    `rewriters` maps methods to functions. The parts of a stack rewrite one after another, each with
    its own drawn values.
    """
    out = {
        (p.id, i): Text(p.text, {})
        for p in suite.prompts
        for i in range(p.seeds if p.block in arm.blocks else 0)
    }
    for part in arm.each:
        _rewrite(suite, part, rewriters, out)
    return out


def _rewrite(
    suite: Suite, part: Mitigation, rewriters: Mapping[str, Rewriter],
    out: dict[tuple[str, int], Text],
) -> None:  # fmt: skip
    """Apply one part to all texts of `out`."""
    drawn, rewrite, beside = draws(suite, part), rewriters[part.method], {}
    if "like" in part.options:
        other = next(m for m in suite.mitigations if m.name == part.options["like"])
        beside = texts(suite, other, rewriters)
    draws_words = "rng" in inspect.signature(rewrite).parameters
    prompts = {p.id: p for p in suite.prompts}
    for (id, i), before in out.items():
        p, values = prompts[id], drawn[id][i] if id in drawn else {}
        options, more = part.options, {}
        if beside:
            options = {**options, **added(p.text, beside[id, i].text, p.subject)}
        if draws_words:
            more["rng"] = generator(noise_seed(f"{part.name}\0{p.text}\0words", i))
        made = rewrite(before.text, p, values, options, **more)
        text, reason = (made, "") if isinstance(made, str) else made
        why = "; ".join(dict.fromkeys(filter(None, (before.reason, reason))))
        out[id, i] = Text(text, {**before.drawn, **values}, why)


def baseline(suite: Suite, settings: Settings) -> Planned[Sample]:
    """The samples without a mitigation and outside of conversations, in the suite's order."""
    blocks, made = {p.block for p in suite.prompts if p.turn is None}, Builder[Sample]()
    for p in suite.prompts:
        if p.block in blocks:
            seeds = noise_seeds(p.frame or p.text, p.seeds)
            ids = list(map(sample_ids(p.text, settings), seeds))
            made.extend(made.kind(Sample("", p.id, BASELINE, 0, p.text)), ids, seeds)
    return made.done()


def samples(
    suite: Suite, arm: Mitigation, settings: Settings, rewriters: Mapping[str, Rewriter]
) -> list[Sample]:
    """The samples of one arm, in the suite's order, with the baseline's prompts and noise."""
    prompts = {p.id: p for p in suite.prompts}
    classes = {a.name: a.classes for a in suite.attributes}
    rows = []
    known: dict[object, tuple[Change, Callable[[int], str]]] = {}  # a plan has a text many times
    for (id, i), made in texts(suite, arm, rewriters).items():
        seed, turns = noise_of(prompts[id], i), _turns(arm, i)
        like = made.text, *turns, *made.drawn.items()
        if like not in known:
            changed = change(arm, settings, made.drawn, classes, i)
            known[like] = changed, sample_ids(made.text, settings, changed)
        changed, key = known[like]
        rows.append(
            Sample(key(seed), id, arm.name, seed, made.text, made.drawn, changed, made.reason)
        )
    return rows


def _turns(arm: Mitigation, image: int) -> tuple[int, ...]:
    """What an arm's parts that take turns give to an image."""
    return tuple(turn(part, image) for part in arm.each if method(part.method).turns)
