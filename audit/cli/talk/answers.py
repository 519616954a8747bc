"""What the tools return: plain records, from which their schemas are made.

Shares, and changes of shares, are in 0..1. Unknown numbers are null. Texts of runs are capped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ListedSuite:
    """A suite: what can be asked of a model."""

    name: str
    title: str


@dataclass(frozen=True)
class ListedRun:
    """A run, or a comparison of runs, and what its first finding says."""

    name: str
    written: str
    suite: str
    model: str
    findings: int
    headline: str


@dataclass(frozen=True)
class Listing:
    """Runs, the newest first; `total` counts all of them."""

    total: int
    runs: list[ListedRun]


@dataclass(frozen=True)
class Precision:
    """The precision of a subject's share at the planned number of images."""

    subject: str
    attribute: str
    images: int
    reference: float | None
    half_width: float
    """Of the 95 % interval, at the reference, or at one half without any."""
    detectable_below: float | None
    detectable_above: float | None
    """The nearest shares that a test at 5 % over all subjects detects with 80 % power."""
    images_for_10_points: float | None
    """Images with which 10 points from the reference would be detected."""


@dataclass(frozen=True)
class Planned:
    """A plan: its images and what they can show."""

    suite: str
    question: str
    prompts: int
    images: int
    """At most, over all arms: arms that leave a text unchanged share the image."""
    arms: list[str]
    power: list[Precision]
    power_rows: int
    """How many subjects and attributes fit; `power` has the first of them."""


@dataclass(frozen=True)
class Found:
    """One finding: an estimate with its 95 % interval and what it is based on."""

    name: str
    where: str
    quantity: str
    unit: str
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    counted: str
    missing: int
    verdict: str
    sentence: str


@dataclass(frozen=True)
class Findings:
    """Findings of a run that fit the filters; `total` counts those, `shown` starts at `offset`."""

    run: str
    total: int
    offset: int
    shown: list[Found]


@dataclass(frozen=True)
class Explained:
    """A finding with everything that is needed to repeat it correctly."""

    finding: Found
    verdict_means: str
    """Definition of the verdict's word."""
    basis: str
    method: str
    against: str
    """The reference of the verdict."""
    references: dict[str, float | None]
    p: float | None
    q: float | None
    """After the correction for the comparisons of `family`."""
    family: str
    independent_images: float | None
    missing_reasons: dict[str, int]
    as_read: float | None
    """Before the classifier's errors were corrected."""
    by_chance: float | None
    """What a model that follows the reference exactly would score."""
    planted_truth: float | None
    cautions: list[str]


@dataclass(frozen=True)
class Compared:
    """Changes from run A to run B, B minus A, with notes on what could not be compared."""

    a: str
    b: str
    notes: list[str]
    verdicts: dict[str, int]
    total: int
    shown: list[Found]


@dataclass(frozen=True)
class Gate:
    """A gate on one finding."""

    gate: str
    finding: str
    verdict: Literal["pass", "fail", "undecided"]
    reason: str
    estimate: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Gates:
    """The verdict over all gates, decided by intervals, and the first of them."""

    verdict: Literal["pass", "fail", "undecided"]
    total: int
    shown: list[Gate]


@dataclass(frozen=True)
class Near:
    """A training image near to the given one."""

    image: str
    caption: str
    cosine: float
    times_in_training: int


@dataclass(frozen=True)
class Searched:
    """The nearest training images of an image, and whether chance comes as near."""

    index: str
    verdict: str
    verdict_means: str
    why: str
    """What the image has in common with the nearest one, if it is that training image."""
    p: float | None
    q: float | None
    nearest: list[Near]
    searched: int
    held_out: int
    sides: str
    """Whether held-out images are like the training images, which p needs."""


@dataclass(frozen=True)
class Text:
    """A rewritten prompt, for one image."""

    text: str
    changed: bool
    drawn: dict[str, str]
    reason: str
    """Why the prompt was left alone."""


@dataclass(frozen=True)
class Texts:
    """A prompt as a mitigation rewrites it, once for each image."""

    mitigation: str
    original: str
    rewritten: list[Text]


@dataclass(frozen=True)
class Job:
    """A run that this server started."""

    job: int
    state: Literal["running", "finished", "failed", "stopped"]
    suite: str
    model: str
    images: int
    """At most, as they were counted against the server's limit."""
    seconds: int
    run: str
    """Name of the finished run."""
    said: str
    """The last line of its progress, or of its error."""
    images_left: int
    """How many more this server may have drawn."""
