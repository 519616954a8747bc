"""Conversations under way: what goes on from which image, captions, and what cannot be done.

Images of later turns are made from those of earlier ones, so plans with conversations are drawn
turn by turn, and a shard holds whole conversations.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from audit import registry
from audit.design.suites.turns import captioned as filled
from audit.errors import UserError
from audit.files import content
from audit.keys import Turn, digest
from audit.records import Sample, Suite
from audit.runs import choosing
from audit.runs.context import Run
from audit.runs.options import Options


def refuse(suite: Suite, options: Options) -> None:
    """Raise UserError for what conversations cannot be combined with."""
    talks = sorted({p.block for p in suite.prompts if p.turn is not None})
    if not talks:
        return
    for given, name in ((options.images, "--images"), (options.labels, "--labels")):
        if given is not None:
            raise UserError(
                f"{name}: the turns of {talks[0]} go on from each other's images, which this tool "
                "has to draw. Name a model, or take the turns out of the suite."
            )
    if options.precision and all(p.turn is not None for p in suite.prompts):
        raise UserError(
            "--precision decides how many images blocks get, and this suite has only turns. Omit "
            "it and give --seeds."
        )
    by_classifier = {a.name for a in suite.attributes if a.reader == "clip"}
    for p in suite.prompts:
        for name in p.turn.step.read if p.turn else ():
            if name not in by_classifier:
                raise UserError(
                    f"turns {p.block}: their caption needs {name} as the classifier reads it, and "
                    "it is not read by it here. Omit --reader for it, or name a --classifier."
                )


def with_reader(suite: Suite, options: Options) -> Suite:
    """The suite whose captions name what reads them: it is part of their images' ids."""
    asked = {a.name: [list(a.classes), {c: list(t) for c, t in a.texts.items()}]
             for a in suite.attributes}  # fmt: skip

    @functools.cache
    def by(names: tuple[str, ...]) -> str:
        name = choosing.classifier_name(options)
        local = name.startswith(registry.LOCAL)
        shown = content(Path(name.removeprefix(registry.LOCAL))) if local else name
        return digest([shown, [asked[n] for n in names]])

    def read(turn: Turn) -> Turn:
        names = turn.step.read
        return replace(turn, step=replace(turn.step, by=by(names))) if names else turn

    prompts = tuple(replace(p, turn=read(p.turn)) if p.turn else p for p in suite.prompts)
    return replace(suite, prompts=prompts)


def roots(samples: Sequence[Sample]) -> tuple[list[Sample], dict[str, list[Sample]]]:
    """Samples that are drawn from no other's image, and by their id all that go on from them.

    The latter in the order of the plan, at any distance. `samples` has each id once, and those
    that others go on from come before them.
    """
    first: list[Sample] = []
    origin: dict[str, str] = {}
    later: dict[str, list[Sample]] = {}
    for s in samples:
        root = origin[s.id] = origin.get(s.last, s.id)
        if root == s.id:
            first.append(s)
        else:
            later.setdefault(root, []).append(s)
    return first, later


def levels(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Samples in the order in which they can be drawn: each list needs images of earlier ones.

    A sample that goes on from none of `samples` is in the first list; order as for `roots`.
    """
    depth: dict[str, int] = {}
    found: list[list[Sample]] = []
    for s in samples:
        at = depth[s.id] = depth.get(s.last, -1) + 1
        found += [[] for _ in range(at + 1 - len(found))]
        found[at].append(s)
    return found


def lacking(run: Run, samples: Sequence[Sample]) -> dict[str, str]:
    """Ids of samples whose earlier image is missing, with the reason for that."""
    reasons = run.folder.blocked() if any(s.last for s in samples) else {}
    return {s.id: reasons[s.last] for s in samples if s.last in reasons}


def captioned(run: Run, samples: Sequence[Sample], classifier: Any) -> list[Sample]:
    """The samples with the texts that will be drawn: captions of earlier images are made and kept.

    A caption has the likeliest class of every attribute, however uncertain, as captioning models
    answer. Each image is encoded alone, so its caption depends on nothing else.
    """
    known = run.folder.texts() if any(_reads(s) for s in samples) else {}
    todo = [s for s in samples if _reads(s) and s.id not in known]
    if todo:
        run.folder.add_texts(_captions(run, todo, classifier))
        run.progress("captions", len(todo), len(todo))
    return list(run.folder.final(samples) if known or todo else samples)


def _reads(sample: Sample) -> bool:
    return sample.change.turn is not None and bool(sample.change.turn.read)


def _captions(run: Run, samples: Sequence[Sample], classifier: Any) -> Mapping[str, str]:
    """The captions of samples by id."""
    from audit.evidence.attributes import zero_shot

    asked = {name for s in samples if s.change.turn for name in s.change.turn.read}
    attributes = tuple(replace(a, threshold=0.0) for a in run.suite.attributes if a.name in asked)
    reader = zero_shot.classifier(attributes, (), classifier.texts, classifier.scale)
    found: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}  # by the image that is read
    for done, s in enumerate(samples):
        if s.last not in values:
            rows = reader.read(classifier.images([run.folder.read_image(s.last)]))
            values[s.last] = dict(zip(rows.attribute, map(str, rows.value), strict=True))
        found[s.id] = filled(s.text, values[s.last])
        run.progress("captions", done, len(samples))
    return found
