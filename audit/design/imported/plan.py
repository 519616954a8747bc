"""From images and a suite to samples: an image belongs to the prompt that it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audit.datasets.captions import some_names
from audit.datasets.cells import fold
from audit.datasets.listing import LeftOut, said
from audit.datasets.weights import spoken
from audit.design.imported.pictures import Picture, Pictures, key
from audit.design.imported.seeds import single
from audit.errors import UserError, listed, say, unknown
from audit.keys import BASELINE, digest
from audit.records import Mitigation, Prompt, Sample, Settings, Suite

TABLE = "left_out.csv"
"""File of a run folder that lists the images that were left out."""
SILENT = "its prompt is unknown"
STRANGE = "the suite does not contain its prompt"


@dataclass(frozen=True)
class Plan:
    """Samples, the part of the suite that has images, and the name of each image."""

    suite: Suite
    samples: list[Sample]
    names: dict[str, str]
    """Sample id to the image's name."""
    notes: list[str]
    left_out: list[LeftOut]
    """Images without a place in the plan, with the reason."""


def settings(pictures: Pictures) -> Settings:
    """Settings of a run on imported images: their listing, because nothing else is known."""
    return Settings(pictures.name, key(pictures), 0, 0.0, 0, "")


def _asked(text: str, by_text: Mapping[str, list[Prompt]]) -> tuple[list[Prompt], bool]:
    """The prompts with a text, and whether only without its weights and tags (`weights.spoken`)."""
    exact = by_text.get(fold(text))
    return exact or by_text.get(fold(spoken(text)), []), not exact


def join(suite: Suite, pictures: Pictures) -> Plan:
    """Assign every image to its prompt.

    Capitals, Unicode form, spaces and invisible characters do not matter; where no prompt fits so,
    neither do weights such as `(nurse:1.2)` and tags such as `<lora:name:1>`, which the text of
    the sample keeps.
    Prompts and mitigations without images are left out, and so are images whose prompt is not in
    the suite; the notes count them, and `left_out` names the images. Seeds are those that were
    given (`seeds.single`). Raises UserError if nothing is left.
    """
    by_text: dict[str, list[Prompt]] = {}
    for p in suite.prompts:
        by_text.setdefault(fold(p.text), []).append(p)
    arms = {m.name: m for m in suite.mitigations}
    samples: list[Sample] = []
    names: dict[str, str] = {}
    left_out: list[LeftOut] = []
    weighed: list[str] = []
    for item in pictures.items():
        if item.text is None:
            left_out.append(LeftOut(item.name, SILENT))
            continue
        asked, bare = _asked(item.text, by_text)
        if not asked:
            left_out.append(LeftOut(item.name, STRANGE, item.text))
        elif bare:
            weighed.append(item.name)
        arm = _arm(item, arms)
        for prompt in asked:
            id = digest({"name": item.name, "stamp": item.stamp, "text": item.text}, 20)
            names[id] = item.name
            samples.append(Sample(id, prompt.id, arm, item.seed, item.text))
    if not samples:
        raise UserError(" ".join([_nothing(pictures, left_out, suite), *pictures.notes()]))
    samples, shared = single(samples)
    files = list(pictures.left_out())
    notes = [
        *_notes(pictures, left_out, weighed),
        *([said(files, TABLE)] if files else []),
        *shared,
    ]
    return Plan(_reduced(suite, samples), samples, names, notes, [*files, *left_out])


def _arm(item: Picture, arms: dict[str, Mitigation]) -> str:
    arm = item.arm or BASELINE
    if arm != BASELINE and arm not in arms:
        raise UserError(f"{item.name}: {unknown('arm', arm, [BASELINE, *arms])}")
    return arm


def _reduced(suite: Suite, samples: Sequence[Sample]) -> Suite:
    """The suite with the actual numbers of images per prompt, and the arms that have images."""
    counts = Counter(s.prompt for s in samples if s.arm == BASELINE)
    counts |= Counter(dict.fromkeys({s.prompt for s in samples}, 1))
    made = {s.arm for s in samples}
    return replace(
        suite,
        prompts=tuple(replace(p, seeds=counts[p.id]) for p in suite.prompts if counts[p.id]),
        mitigations=tuple(m for m in suite.mitigations if m.name in made),
    )


def _nothing(pictures: Pictures, left_out: Sequence[LeftOut], suite: Suite) -> str:
    strangers = Counter(x.prompt for x in left_out if x.reason == STRANGE)
    if strangers:
        example = strangers.most_common(1)[0][0]
        return (
            f"No image of {pictures.name} belongs to a prompt of the suite {suite.name}: the "
            f"images say {example[:80]!r}, the suite asks {suite.prompts[0].text!r}. Choose the "
            "suite that they were made for, or name their prompts in a table (--prompts)."
        )
    return (
        f"None of the {len(left_out)} images of {pictures.name} says its prompt. Name the prompts "
        "in metadata.csv (columns file_name, text) next to them, or in a table given by --prompts."
    )


def _notes(pictures: Pictures, left_out: Sequence[LeftOut], weighed: Sequence[str]) -> list[str]:
    sources = Counter(i.source for i in pictures.items())
    words = {"table": "a table", "sidecar": "a text file next to the image",
             "metadata": "the image's own metadata", "name": "file or folder names"}  # fmt: skip
    found = listed((say("{n} from {where}", n=sources[s], where=words[s]) for s in words
                    if sources[s]), ", ")  # fmt: skip
    notes = [say("Prompts of the images: {found}.", found=found), *pictures.notes()]
    if weighed:
        notes.append(
            say("{n} images have a prompt with weights or tags of LoRAs, and were matched by the "
                "words alone ({some}).", n=len(weighed), some=some_names(weighed))
        )  # fmt: skip
    silent = [x.file for x in left_out if x.reason == SILENT]
    if silent:
        notes.append(
            say("{n} images were left out because their prompt is unknown ({some}). {table} lists "
                "them.", n=len(silent), some=some_names(silent), table=TABLE)
        )  # fmt: skip
    strange = [x for x in left_out if x.reason == STRANGE]
    if strange:
        notes.append(
            say("{n} images of {prompts} other prompts were left out because the suite does not "
                "contain these prompts ({some}). {table} lists them.", n=len(strange),
                prompts=len({x.prompt for x in strange}), table=TABLE,
                some=some_names([x.file for x in strange]))
        )  # fmt: skip
    return notes
