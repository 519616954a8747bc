"""`Run`: the shared state of the steps of one run, and their progress reports."""

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
    """Receives the progress of steps; the command line shows it, tests ignore it."""

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
    """Path of the model; None for images made elsewhere."""
    device: str = "cpu"
    pictures: Callable[[str], np.ndarray] | None = None
    """Sample id to image, for images made elsewhere."""
    names: dict[str, str] = field(default_factory=dict)
    """Sample id to the image's own name, for images made elsewhere."""
    looks: list[Any] = field(default_factory=list)
    """Every look at the shares of a run with --precision, `rounds.Look`."""
    model: Any = None
    """The loaded pipeline, after its first use."""
    labels: Any = None
    """`imported.labels.Labels`, where there are no images at all."""
    truth: Truth | None = None
    """The planted truth of the model, if it states one."""

    def picture(self, sample: str) -> np.ndarray:
        """One image, uint8[h, w, 3]; pixels.Unreadable if it is missing or damaged."""
        return self.pictures(sample) if self.pictures else self.folder.read_image(sample)
