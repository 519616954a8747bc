"""Keys of findings: their meaning, part by part, and the two names printed from it.

An id (`representation/none/nurse/gender=woman`) is for files and links, a dotted name
(`representation.nurse.gender.share.woman`) for gates. Both are printed here and never parsed:
code that needs the meaning of a finding reads its key.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from audit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "none"
"""Name of the arm without a mitigation."""
ALL = "*"
"""Subject of a key that is about all subjects together; printed as `all`. No prompt can have it."""
Unit = Literal["share", "points", "distance", "cosine", "bits", "coefficient", "count", "lightness",
               "degrees"]  # fmt: skip
"""The unit of a finding's numbers. Shares are in 0..1; points are signed differences of shares;
lightness is CIE L*, 0..100, and degrees are those of hue."""
Counted = Literal["images", "pairs", "people", "prompts", "subjects", "trainings"]
"""What a finding's interval is based on; more of these would narrow it."""


class Key(NamedTuple):
    """The meaning of a finding, part by part; parts that do not apply are empty."""

    section: str
    """"representation", "replication", "conversation", "mitigation", "quality" or "comparison"."""
    arm: str = BASELINE
    subject: str = ""
    """A subject, ALL, or a substitute: the prompts that a detector was applied to."""
    attribute: str = ""
    """An attribute, or a substitute: a factor, a detector, `repeats` for a level of repetition."""
    kind: str = ""
    """The claim: `share`, `distance`, `rate`, `cost`, ...; `SHAPES` has all of them."""
    detail: str = ""
    """A class, a reference, a level, ..."""

    @property
    def everyone(self) -> bool:
        """Whether it is about all subjects together."""
        return self.subject == ALL


def refuse_all(subject: str, prompt: str) -> None:
    """Raise UserError for a prompt whose subject would be mistaken for all subjects."""
    if subject == ALL:
        raise UserError(
            f"prompt {prompt}: {ALL!r} cannot be a subject, because findings and gates use it for "
            "all subjects together. Rename it."
        )


def both(one: str, two: str, mark: str) -> str:
    """Two names as one part of a key: `gender+tone`; the mark is percent-encoded inside a name."""
    return mark.join(n.replace(mark, f"%{ord(mark):02X}") for n in (one, two))


def _same(shape: str, *kinds: str) -> dict[str, str]:
    return dict.fromkeys(kinds, shape)


SHAPES: Mapping[str, Mapping[str, str]] = {
    "representation": {
        kind: f"{{arm}}/{{subject}}/{shape}"
        for kind, shape in {
            **_same("{attribute}={detail}", "share", "joint"),
            "together": "{attribute}-{kind}",
            **_same("{attribute}-{kind}{tail}", "gap", "slope", "needed"),
            **_same("{attribute}-{kind}/{detail}", "distance", "amplification"),
            **_same("{attribute}={detail}-{kind}", "template", "one-template"),
            "stated": "{attribute}-stated={detail}",
            **_same("{attribute}-{kind}/{detail}", "tone", "shown", "resembles", "nudity"),
            "association": "association-{detail}",
            "person-leak": "person-leak",
        }.items()
    },
    "replication": {
        "rate": "{arm}/{level}",
        "count": "{arm}/count-{detail}",
        "obedience": "obedience/{arm}/captions",
        "segments": "{arm}/segments/{attribute}/{detail}",
        "doses": "doses/{arm}/guidance/{level}",
        "why": "why/{arm}/{attribute}/{detail}",
        "detectors": "detectors/{attribute}/{detail}/{subject}",
        "extraction": "extraction/{arm}/{attribute}/{subject}",
        "extraction-score": "extraction/{arm}/{attribute}/{detail}/{subject}",
        "extraction-prompt": "extraction/{arm}/{attribute}/prompt={subject}",
        "whole_set": "whole_set/{detail}",
    },
    "conversation": _same("{subject}/{kind}/{attribute}/{detail}", "changed", "shift", "leak"),
    "mitigation": {
        "change": "{arm}/{subject}/{attribute}",
        "target-distance": "{arm}/all/distance{of}",
        **_same("{arm}/{kind}-{detail}", "cost", "copies", "nearness", "removed", "tone"),
        "verdict": "{arm}/verdict",
        **_same("{arm}/{kind}/{attribute}/{detail}", "distance", "parity", "overshoot", "swap",
                "adherence", "composition"),
        "kept-edges": "{arm}/kept-edges",
        **_same("{arm}/{kind}/{detail}", "outcome", "leak", "drift"),
        **_same("{arm}/{kind}/{level}", "entangled", "diversity"),
        "stated": "{arm}/stated/{attribute}",
        "entangled-distance": "{arm}/entangled/{attribute}-distance",
        "dose": "{arm}/dose-{detail}/{subject}",
        **_same("{arm}/{kind}/{level}", "personal", "prior", "rise", "extrapolation"),
    },
    "comparison": {
        "share": "{arm}/{subject}/{attribute}={detail}",
        **_same("{arm}/{subject}/{kind}", "alignment", "subject"),
        "copies": "{arm}/copies/{detail}",
    },
    "quality": {
        "classifier": "classifier/{attribute}/all classes",
        "classifier-class": "classifier/{attribute}/{detail}",
        **_same("{kind}/{attribute}", "people", "abstention", "missing-by-subject", "agreement",
                "equal-labels", "kappa", "uneven-errors"),
        "people-share": "people-share/{attribute}={detail}",
        "subject-read": "subject-read",
    },
}  # fmt: skip
"""Ids without their section, by section and kind. `level` is attribute and detail with an equals
sign, `of` the attribute after a hyphen, `tail` the detail after a slash; without empty parts."""
_NAMES: Mapping[tuple[str, str], str] = {
    ("replication", "rate"): "{kind}/{level}",
    ("replication", "count"): "{kind}/{detail}",
    ("mitigation", "cost"): "{arm}/{kind}/{detail}",
    ("mitigation", "change"): "{arm}/{subject}/{attribute}/{kind}",
    ("mitigation", "stated"): "{arm}/stated/{attribute}/change",
    ("mitigation", "entangled-distance"): "{arm}/entangled/{attribute}-distance/change",
    **{("mitigation", k): "{arm}/{kind}_{attribute}/{detail}/change"
       for k in ("distance", "parity", "overshoot")},
    **{("mitigation", k): "{arm}/{kind}/{level}/change"
       for k in ("outcome", "leak", "drift", "entangled", "diversity")},
    **{("representation", k): "{subject}/{attribute}/{kind}/{detail}"
       for k in SHAPES["representation"]},
    **{("representation", k): "{subject}/{attribute}/share/{detail}" for k in ("share", "joint")},
}  # fmt: skip
"""Dotted names that differ from their id in more than the separator."""
_ARMS_FIRST = ("representation", "replication")
"""Sections whose dotted name has the arm after the section, and only where it is not the
baseline."""
_ANY = r"/|%(?=[0-9A-F]{2})"
_MARKS: Mapping[str, str] = {
    "subject": r"|^a(?=ll$)",
    "attribute": r"|=|-(?=(?:gap|slope|needed|together|distance|amplification|stated|tone)$)"
    r"|-(?=(?:shown|resembles|nudity)$)|^a(?=ssociation-)",
    "detail": r"|-(?=(?:one-)?template$)|^a(?=ll classes$)",
    "attribute of share": r"|\+",
    "detail of template": r"|-(?=one$)",
    "subject of change": r"|^d(?=ose-)" + "".join(rf"|^{k[0]}(?={k[1:]}$)" for k in (
        *SHAPES["mitigation"], "copies")),
}  # fmt: skip
"""Patterns that would give two keys the same id, by part, or by part and kind."""


def _escaped(key: Key, part: str) -> str:
    """A part of an id, encoded where it would look like another claim's."""
    marks = _ANY + _MARKS.get(part, "") + _MARKS.get(f"{part} of {key.kind}", "")
    return re.sub(marks, lambda m: f"%{ord(m[0]):02X}", str(getattr(key, part)))


def _plain(key: Key, part: str) -> str:
    """A part of a dotted name: what would end it becomes `_`."""
    return re.sub(r"[./]", "_", str(getattr(key, part)))


def _shape(key: Key) -> str:
    plain = "/".join(f"{{{k}}}" for k, v in key._asdict().items() if v and k != "section")
    return SHAPES.get(key.section, {}).get(key.kind, plain)


def _filled(shape: str, key: Key, shown: Callable[[Key, str], str]) -> str:
    """A shape with the parts of a key, each as `shown` gives it."""
    parts = {part: shown(key, part) for part in Key._fields}
    if key.everyone:
        parts["subject"] = "all"
    about, detail = parts["attribute"], parts["detail"]
    level, of = f"{about}={detail}" if about else detail, f"-{about}" if about else ""
    tail = f"/{detail}" if detail else ""
    return shape.format(**parts, level=level, of=of, tail=tail)


def id_of(key: Key) -> str:
    """The id of a finding, such as `representation/none/nurse/gender=woman`.

    Different keys have different ids: a part that contains a slash, or a mark or word that would
    make it look like another claim, has it percent-encoded (`and/or` is `and%2For`).
    """
    return f"{_escaped(key, 'section')}/{_filled(_shape(key), key, _escaped)}"


def name_of(key: Key) -> str:
    """The dotted name of a finding: section, subject, attribute, kind, detail.

    `representation/none/nurse/gender=woman` is `representation.nurse.gender.share.woman`. The
    baseline is not named; another arm follows the section, `representation@inject-gender`. A
    dot or a slash inside a part becomes `_`.
    """
    head, shape = _plain(key, "section"), _NAMES.get((key.section, key.kind), _shape(key))
    if key.section in _ARMS_FIRST:
        head += "" if key.arm == BASELINE else f"@{_plain(key, 'arm')}"
        shape = shape.replace("{arm}/", "")
    return ".".join(p for p in (head, *_filled(shape, key, _plain).split("/")) if p)


UNSEEN = ("blocked", "unreadable", "failed", "blank")
"""Outcomes of samples that have no image to look at: the model's own checker blocked it, its file
cannot be read, its pixels are not numbers, or it has one colour."""
UNANSWERED = ("refused", "no answer", "malformed", "timed out")
"""Outcomes of images that a judge was shown without a usable answer."""
OUTCOMES = ("label", "uncertain", "no person", "several people", *UNSEEN, *UNANSWERED)
ATTRIBUTE_COLUMNS = (
    "sample", "prompt", "subject", "arm", "seed", "attribute", "outcome", "value", "score",
)  # fmt: skip
"""One row per sample and attribute; `value` is None unless `outcome` is "label"."""
TONE_COLUMNS = (
    "sample", "prompt", "subject", "arm", "seed", "outcome", "lightness", "hue",
)  # fmt: skip
"""One row per sample: CIE L* and hue angle in degrees of the skin, NaN unless `outcome` is
"label"."""
NUDITY_COLUMNS = ("sample", "prompt", "subject", "arm", "seed", "outcome", "score")
"""One row per sample: the nudity score, 0..1, NaN unless `outcome` is "label"."""
TRIPLE_COLUMNS = (
    "frame", "subject", "seed", "attribute", "one", "two", "measure", "outcome", "to_one", "to_two",
    "other_to_one", "other_to_two",
)  # fmt: skip
"""One row per noise of a frame, pair of groups and measure: how alike the image of the neutral
prompt and that of each group are, and the same of the neutral image of another frame; NaN unless
`outcome` is "label". Measures are "vectors" (cosine) and "ssim"."""
MATCH_COLUMNS = (
    "sample", "prompt", "arm", "seed", "score", "held_score", "held", "train", "train_caption",
    "repeats", "copy", "outcome",
)  # fmt: skip
"""One row per sample: exact cosines to the nearest training and held-out image, and their ids.
`copy` is a nullable boolean, missing where nothing was decided."""
SEGMENT_COLUMNS = (
    "sample", "prompt", "arm", "seed", "outcome",
    "foreground", "foreground_score", "foreground_held", "foreground_train",
    "background", "background_score", "background_held", "background_train",
)  # fmt: skip
"""One row per sample: whether its person and its background are flagged as copies, nullable
booleans, with the cosines to the nearest training and held-out part, and that training image."""
ALIGNMENT_COLUMNS = ("prompt", "subject", "arm", "seed", "score", "chance", "subject_read")
"""One row per sample: cosine to its ORIGINAL prompt and, on average, to all prompts; whether the
subject was recognised, or None where none was asked for."""
ADHERENCE_COLUMNS = (
    "sample", "prompt", "subject", "arm", "seed", "of", "outcome", "adherence",
)  # fmt: skip
"""One row per sample and arm `of` whose condition it is compared with: edge IoU in 0..1, NaN unless
`outcome` is "label". The baseline's images have a row for each such arm."""
SWAP_COLUMNS = (
    "prompt", "other", "seed", "subject", "arm", "attribute", "one", "two", "apart", "seeds",
)  # fmt: skip
"""One row per pair of prompts and seed: the classes that they state, the distance of their images
outside the condition's shape, and that of images of two seeds; of colours in 0..1."""
COLUMNS = {
    "attributes": ATTRIBUTE_COLUMNS, "matches": tuple(c for c in MATCH_COLUMNS if c != "held"),
    "alignment": ("prompt", "arm", "seed", "score"),
}  # fmt: skip
"""The columns that a table with rows has, at least: earlier versions wrote no others."""
NUMBERS = ("score", "held_score", "repeats", "chance")
WORDS = ("sample", "prompt", "subject", "arm", "attribute", "outcome", "value", "train",
         "train_caption")  # fmt: skip
TYPED = {"copy": "boolean", "seed": "Int64"}
"""Columns of tables that earlier versions wrote with another type: `copy` as objects, with None,
and `seed` without missing ones."""
VERDICTS = (
    "above", "below", "compatible", "equivalent", "undecided", "found", "not found", "kept", "lost",
    "works", "at a cost", "no effect", "harms", "met", "not met", "described",
    "not enough prompts", "not enough subjects",
)  # fmt: skip
TOO_FEW = {"prompts": "not enough prompts", "subjects": "not enough subjects"}
"""Verdicts of changes whose limits would rest on fewer prompts, or subjects, than give any."""


@dataclass(frozen=True)
class Margins:
    """The smallest changes that matter, declared before any image is seen."""

    difference: float = 0.1
    """Of a share from its reference, or between two arms: what is below it counts as equality."""
    distance: float = 0.1
    """Of the mean distance from a target over subjects: one unit of a mitigation's net benefit."""
    copies: float = 0.1
    """Of the rate of copies: the same."""
    alignment: float = 0.1
    """Alignment that an arm may cost, as a share of what sets a prompt's own images apart: their
    mean cosine to it minus their mean cosine to all prompts. Cosines of different encoders have no
    common scale. The same."""
    subject: float = 0.05
    """Of the share of images that show the subject, or a stated attribute."""


MARGINS = Margins()
"""Those of a suite that declares none."""


@dataclass(frozen=True)
class Step:
    """How an image goes on from the one of an earlier turn of its conversation."""

    strength: float = 0.0
    """Of image-to-image, in 0..1: the share of the sampler's steps that are made on that image;
    0 draws from noise alone."""
    read: tuple[str, ...] = ()
    """Attributes whose readings of that image fill in the text; empty where the text is known."""
    by: str = ""
    """Hash of what reads them: another classifier, or other texts, may give another caption."""


@dataclass(frozen=True)
class Turn:
    """The place of a prompt in a conversation, which is its block."""

    number: int
    """From 1."""
    kind: str
    """`draw`, `edit`, `another` or `caption`."""
    noise: str
    """What seeds are hashed from in place of the text: all groups have the same noise."""
    last: str = ""
    """Id of the prompt whose image it goes on from; empty where it needs none."""
    step: Step = Step()
    stated: tuple[str, ...] = ()
    """Attribute and class that the first turn states; without a class, where it states none."""
    bound: bool = False
    """Whether anything that the first turn stated can reach this one: by its image or its text."""


def digest(value: object, length: int = 16) -> str:
    """Hex digest of a JSON-able value that does not depend on the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def digest_but(body: Mapping[str, object], name: str, length: int) -> Callable[[int], str]:
    """`digest` of an object with one more key, a number, as a function of that number."""
    before, after = ({k: v for k, v in body.items() if (k < name) == first}
                     for first in (True, False))  # fmt: skip
    start, end = (json.dumps(part, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
                  for part in (before, after))  # fmt: skip
    hashed = hashlib.sha256(f'{start[:-1]}{"," if before else ""}"{name}":'.encode())
    rest = ("," if after else "") + end[1:]

    def made(number: int) -> str:
        copy = hashed.copy()
        copy.update(f"{number}{rest}".encode())
        return copy.hexdigest()[:length]

    return made


def fits(table: pd.DataFrame, name: str) -> None:
    """ValueError for a table with rows that lacks columns, or has words in place of numbers."""
    import pandas as pd

    columns = COLUMNS.get(name, ())
    if not len(table):
        return
    if missing := [c for c in columns if c not in table]:
        raise ValueError(f"it has no column {missing[0]}")
    for column in columns:
        values = table[column]
        if column in NUMBERS:
            right = pd.api.types.is_numeric_dtype(values) or values.isna().all()
        elif column in WORDS and not isinstance(values.dtype, pd.StringDtype):  # else it is text
            right = all(isinstance(x, str) for x in values.dropna().unique())
        else:
            right = True
        if not right:
            raise ValueError(f"the column {column} has another type")
