"""The types that packages exchange. Everything else is a tidy table."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from audit import keys
from audit.files import Head, checked, headed, only, rows_of
from audit.keys import MARGINS, Counted, Key, Margins, Unit, id_of, name_of, refuse_all

MethodOptions = Mapping[str, Any]  # each method has its own, checked by its model or by itself
JsonRow = Mapping[str, Any]  # JSON has no types; what is made of a row checks it


@dataclass(frozen=True)
class Attribute:
    """A perceived attribute: its fixed class list and, per class, the texts that describe it."""

    name: str
    classes: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...]]
    threshold: float = 0.0
    """Probability of the best class below which the outcome is "uncertain"; 0 never abstains."""
    reader: str = "clip"  # or a registered reader of pixels, or `package.module:function`


@dataclass(frozen=True)
class Prompt:
    """A text to be drawn and what is known before it is drawn; UserError for the subject `ALL`."""

    id: str
    text: str
    subject: str
    block: str
    purpose: str  # "representation", "replication" or "conversation"
    seeds: int
    attributes: tuple[str, ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)  # by the text, or fixed by history
    expects: str = ""  # "nobody" where the text asks for no person
    repeats: int | None = None  # how often the training set has the caption's image, if known
    template: str = ""  # the words around the subject, where the text was made from a template
    frame: str = field(default="", repr=False)  # text that states no group; its noise is shared
    turn: keys.Turn | None = field(default=None, repr=False)  # of a conversation

    def __post_init__(self) -> None:
        refuse_all(self.subject, self.id)

    @property
    def grouped(self) -> bool:
        """Whether it states a group, and others of its frame state another one or none."""
        return self.frame not in ("", self.text)


@dataclass(frozen=True)
class Reference:
    """A declared target: shares per (subject, attribute, class), with its source."""

    name: str
    label: str
    shares: Mapping[tuple[str, str, str], float]
    source: str

    def share(self, subject: str, attribute: str, value: str) -> float:
        """The declared share, or NaN where the reference says nothing."""
        return self.shares.get((subject, attribute, value), math.nan)


@dataclass(frozen=True)
class Mitigation:
    """A rewriter by name with its options, compared with the baseline on the same seeds."""

    name: str
    method: str
    options: MethodOptions = field(default_factory=dict)
    blocks: tuple[str, ...] = ()
    parts: tuple[Mitigation, ...] = ()
    """The parts of a stack, in the order in which they apply; empty for a single mitigation."""

    @property
    def each(self) -> tuple[Mitigation, ...]:
        """The parts, or the mitigation itself where it has none."""
        return self.parts or (self,)


@dataclass(frozen=True)
class Association:
    """Two concepts, X and Y, and two classes of an attribute: which is drawn nearer to which?"""

    name: str
    title: str
    x: tuple[str, ...]
    """Subjects of concept X."""
    y: tuple[str, ...]
    x_label: str
    y_label: str
    attribute: str
    a: str  # class that X is asked to be nearer to
    b: str
    source: str = "the classes' texts"
    """What represents A and B: texts, or images of prompts that state the class."""


@dataclass(frozen=True)
class Suite:
    """A question with everything that is needed to ask a model."""

    name: str
    title: str
    question: str
    prompts: tuple[Prompt, ...]
    attributes: tuple[Attribute, ...]
    references: tuple[Reference, ...]
    mitigations: tuple[Mitigation, ...]
    person_texts: tuple[str, ...] = ()
    """Texts for "a person is visible"; empty: no person gate."""
    empty_texts: tuple[str, ...] = ()
    several_texts: tuple[str, ...] = ()
    """Texts for several people, whose images get no label; empty: not distinguished."""
    corpus: str | None = None
    """Training set to search for copies, by registry name."""
    subject_attribute: str | None = None
    """Attribute that reads the subject itself, e.g. occupation; never itself a finding."""
    associations: tuple[Association, ...] = ()
    checks: tuple[str, ...] = ()  # gates of `check`, such as `replication.rate <= 1 %`
    notes: tuple[str, ...] = field(default=(), repr=False)
    """What was not read in the user's own tables, for the report."""
    margins: Margins = field(default=MARGINS, repr=False)

    @property
    def gates(self) -> tuple[tuple[str, ...], ...]:
        """Texts for one person, no person and several people."""
        return self.person_texts, self.empty_texts, self.several_texts


@dataclass(frozen=True)
class Settings:
    """The settings that, together with text and seed, determine the pixels."""

    model: str
    revision: str
    """Content hash of the model's files: a changed model is another model."""
    steps: int
    guidance: float
    batch: int
    """Fixed micro-batch shape: part of the result, because kernels round differently by shape."""
    dtype: str = "float32"
    negative: str = ""
    scheduler: str = ""
    """Sampler by name; empty for the model's own."""
    size: str = ""
    """`WIDTHxHEIGHT` in pixels; empty for the model's own."""
    loras: tuple[str, ...] = ()
    """Content hash and scale of each LoRA that was applied."""

    @property
    def elsewhere(self) -> bool:
        """Whether the images were made elsewhere, with unknown settings."""
        return self.steps == 0


@dataclass(frozen=True)
class Intervention:
    """One method inside the engine, on text states, attention, or predictions."""

    kind: str
    """Name of a mitigation in the engine, whose row names its handler."""
    parameters: Mapping[str, float | str | tuple[str, ...]]
    """Arguments of its handler."""

    def as_json(self) -> dict[str, object]:
        """The form that is hashed and kept in plans; tuples become lists."""
        lists = {k: list(v) if isinstance(v, tuple) else v for k, v in self.parameters.items()}
        return {"inside": self.kind, "options": lists}

    @classmethod
    def from_json(cls, row: JsonRow) -> Intervention:
        """The intervention that `as_json` wrote."""
        options = row["options"].items()
        return cls(row["inside"], {k: tuple(v) if isinstance(v, list) else v for k, v in options})


@dataclass(frozen=True)
class Paraphrase:
    """Replace the words that the model reacts to most, before drawing."""

    count: int  # words to replace
    steps: int  # denoising steps whose gradients are read
    words: Mapping[str, str]
    """Words in lower case to what replaces them; others are left out."""


@dataclass(frozen=True)
class Change:
    """What an arm changes in the engine for one image; false where it changes nothing."""

    guidance: float | None = None
    """Scale of classifier-free guidance in place of the run's."""
    negative: str | None = None  # negative prompt in place of the run's
    paraphrase: Paraphrase | None = None
    interventions: tuple[Intervention, ...] = ()
    """In the order of the arm's parts."""
    turn: keys.Step | None = None  # of a conversation; the image before it is the sample's `last`

    def __bool__(self) -> bool:
        return self != Change()

    def as_json(self) -> dict[str, object]:
        """One intervention is flat, several are a `stack`: ids hash it, so it must never change."""
        rows = [one.as_json() for one in self.interventions]
        told, row = self.paraphrase and asdict(self.paraphrase), self.turn and asdict(self.turn)
        turn = row and {k: v for k, v in row.items() if v or k != "by"}
        flat = {"guidance": self.guidance, "paraphrase": told, "negative": self.negative}
        known = {k: v for k, v in {**flat, "turn": turn}.items() if v is not None}
        return known | ({"stack": rows} if len(rows) > 1 else rows[0] if rows else {})

    @classmethod
    def from_json(cls, row: JsonRow) -> Change:
        """The change that `as_json` wrote; ValueError, KeyError or TypeError for anything else."""
        if extra := set(row) - {"guidance", "negative", "paraphrase", "inside", "options", "stack",
                                "turn"}:  # fmt: skip
            raise ValueError(f"Unknown keys: {', '.join(sorted(extra))}.")
        rows = row.get("stack", [row] if "inside" in row else [])
        told, turn = row.get("paraphrase"), row.get("turn")
        inside = tuple(Intervention.from_json(one) for one in rows)
        return cls(row.get("guidance"), row.get("negative"), told and Paraphrase(**told), inside,
                   turn and checked(keys.Step, turn))  # fmt: skip


@dataclass(frozen=True, slots=True)  # a plan may have a million
class Sample:
    """One image to be made."""

    id: str
    prompt: str
    arm: str
    seed: int | None
    """Of the noise: images of a prompt with the same seed are a pair; None where it is unknown."""
    text: str
    """The final text, after the arm's rewriting. Paraphrases, and captions of earlier images, are
    made later and kept in the run folder (`RunFolder.final`)."""
    drawn: Mapping[str, str] = field(default_factory=dict)
    """Attribute values that the arm drew for this image."""
    change: Change = Change()  # what the arm changes in the engine
    reason: str = ""  # why the arm left the text unchanged, if it says so
    last: str = ""  # id of the sample whose image it goes on from, in a conversation

    @property
    def noise(self) -> int:
        """The seed to draw from; ValueError where none is known."""
        if self.seed is None:
            raise ValueError(f"Sample {self.id} has no seed to draw from.")
        return self.seed

    def order(self) -> tuple[bool, int]:
        """Sort key by seed; those without one come last."""
        return self.seed is None, self.seed or 0


@dataclass(frozen=True)
class Truth:
    """The planted truth of a model that was made to be audited; other models have none."""

    planted: Reference  # shares, printed next to the estimates
    training: Reference  # shares in its training images, repeats included
    seen: Reference  # shares that readers saw in pictures that it drew
    note: str  # one sentence for the report


@dataclass(frozen=True)
class Finding:
    """One claim with its uncertainty. Unknown numbers are NaN; texts are plain."""

    id: str = field(init=False)
    """Unique and stable: `representation/none/technologist/gender=woman`."""
    section: str = field(init=False)
    """"representation", "replication", "mitigation", "quality" or "comparison"."""
    key: Key
    """The meaning of the claim, part by part; id, section, arm and name are printed from it."""
    where: str
    """The same in words: a subject, a prompt, a level of repetition."""
    quantity: str
    """The estimated quantity, in words: `share of women`, `copies among images`, ..."""
    unit: Unit
    """The unit of the numbers, one of `keys.Unit`."""
    counted: Counted
    """What `n` and the interval are based on: `images`, `pairs`, `people` ...: `keys.Counted`."""
    estimate: float
    """Shares, and changes of shares, in 0..1; the report writes them in percent and points."""
    low: float
    """Lower end of the 95 % interval, wider for interim looks or families (`method`)."""
    high: float
    """Upper end of it."""
    n: int
    """How many images, pairs, prompts, subjects or trainings there are."""
    n_effective: float
    """Independent images with the same information: images of a prompt resemble each other."""
    missing: int
    """Planned images that provide no information; `reasons` counts them by outcome."""
    method: str
    """How estimate and interval were computed."""
    arm: str = field(init=False)
    """The mitigation, or `none`."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Missing images by outcome."""
    naive: float = math.nan
    """The estimate before the classifier's errors were corrected."""
    naive_low: float = math.nan
    """Lower end of its interval."""
    naive_high: float = math.nan
    """Upper end of its interval."""
    worst_low: float = math.nan
    """The naive share if every image without a label were against it (Manski's lower bound)."""
    worst_high: float = math.nan
    """The same if every one of them were for it."""
    references: Mapping[str, float] = field(default_factory=dict)
    """Declared targets for this quantity by name, e.g. planted, training set, uniform."""
    against: str = ""
    """Name of the reference that verdict and p are about."""
    truth: float = math.nan
    """The planted truth, for the embedded world."""
    p: float = math.nan
    """p of the reference, of no change, or of no copy, as `method` says."""
    q: float = math.nan
    """Benjamini-Hochberg adjusted p inside `family`. Neither p nor q is ever 0."""
    family: str = ""
    """The comparisons that are corrected together."""
    floor: float = math.nan
    """What a perfectly fair model would score at this n, for quantities that cannot be negative."""
    floor_high: float = math.nan
    """The value that such a model exceeds in 5 % of runs."""
    verdict: str = ""
    """One of VERDICTS."""
    sentence: str = ""
    """The claim in one plain sentence, with estimate, interval and n."""
    name: str = field(init=False)
    """The dotted name that gates take."""

    def __post_init__(self) -> None:
        for chance in CHANCES:  # one of 0 is one that was too small to be represented
            if getattr(self, chance) == 0:
                object.__setattr__(self, chance, sys.float_info.min)
        printed = {"id": id_of(self.key), "name": name_of(self.key)}
        for part, text in {**printed, "section": self.key.section, "arm": self.key.arm}.items():
            object.__setattr__(self, part, text)


CHANCES = ("p", "q")  # above 0, however small


def row(finding: Finding) -> dict[str, object]:
    """A finding as plain data: the key as a mapping without its empty parts."""
    return {**asdict(finding), "key": {k: v for k, v in finding.key._asdict().items() if v}}


def to_json(findings: list[Finding], head: Head | None = None) -> str:
    """findings.json: NaN becomes null, keys sorted, so equal findings are equal bytes."""

    def clean(name: str, value: object) -> object:
        if isinstance(value, Mapping):
            return {k: clean("", v) for k, v in value.items()}
        if not isinstance(value, float) or not math.isfinite(value):
            return None if isinstance(value, float) else value
        # Chances keep their digits: rounded to places, a small one would be 0, which none is.
        return float(f"{value:.9g}") if name in CHANCES else round(value, 10)

    rows = [{k: clean(k, v) for k, v in row(f).items()} for f in findings]
    body = json.dumps(rows, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return headed(body, head or Head())


def from_json(text: str) -> list[Finding]:
    """Read findings back, with a head or as a list; null becomes NaN.

    ValueError for anything else, such as findings without a key, as earlier versions wrote them:
    their meaning was only in the id, which is not parsed.
    """
    _, rows = rows_of(text)
    floats = {f for f, t in Finding.__annotations__.items() if t in ("float", float)}
    printed = {f.name for f in fields(Finding) if not f.init}

    def known(key: str, value: Any) -> Any:  # a JSON value, as the field of that name has it
        if key == "references":
            return {k: math.nan if v is None else v for k, v in value.items()}
        if key == "key":
            return Key(**value)
        return math.nan if value is None and key in floats else value

    if any("key" not in r for r in rows):
        raise ValueError("an earlier version wrote these findings without their keys")
    given = ({k: known(k, v) for k, v in r.items() if k not in printed} for r in rows)
    return [checked(Finding, only(Finding, g)) for g in given]
