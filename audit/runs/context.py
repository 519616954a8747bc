"""`Run`: what the steps of one run share, and where they report their progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from audit.records import Sample, Settings, Suite, Truth
from audit.runs.options import Options
from audit.store import RunFolder

if TYPE_CHECKING:
    import numpy as np


class Progress(Protocol):
    """Where steps report what they do; the command line shows it, tests ignore it."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """`done` of `total` units of `step` are finished."""


def silent(step: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass
class Run:
    """One run under way: what the steps share."""

    suite: Suite
    options: Options
    settings: Settings
    folder: RunFolder
    samples: list[Sample]
    corpus: Any = None
    """Training set to search, or None."""
    progress: Progress = silent
    notes: list[str] = field(default_factory=list)
    source: Any = None
    """Where the model lies; None for pictures made elsewhere."""
    device: str = "cpu"
    pictures: Callable[[str], np.ndarray] | None = None
    """Sample id to picture, for pictures made elsewhere."""
    names: dict[str, str] = field(default_factory=dict)
    """Sample id to the picture's own name, for pictures made elsewhere."""
    looks: list[Any] = field(default_factory=list)
    """Every look at the shares of a run that stops by itself, `rounds.Look`."""
    model: Any = None
    """The loaded pipeline, once it was needed."""
    labels: Any = None
    """`imported.labels.Labels`, where there are no pictures at all."""
    truth: Truth | None = None
    """What was planted in the model, where it says so itself."""

    def picture(self, sample: str) -> np.ndarray:
        """One picture, uint8[h, w, 3]; pixels.Unreadable if it is gone or damaged."""
        return self.pictures(sample) if self.pictures else self.folder.read_image(sample)
