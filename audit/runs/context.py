"""`Run`: the shared state of the steps of one run, and their progress reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from audit.datasets.alike import Planned
from audit.records import Sample, Settings, Suite, Truth
from audit.runs.conditions import Conditions, given
from audit.runs.options import Options
from audit.store import RunFolder

if TYPE_CHECKING:
    import numpy as np

    from audit.datasets.listing import LeftOut


class Progress(Protocol):
    """Receives the progress of steps; the command line shows it, tests ignore it."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """`done` of `total` units of `step` are finished."""


def silent(step: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Plan:
    """What a run is about, decided before anything is drawn; another round is another plan."""

    suite: Suite
    options: Options
    settings: Settings
    samples: Sequence[Sample]
    corpus: Any = None
    """Training set to search, or None."""
    source: Any = None
    """Where the model is; None for images made elsewhere."""
    device: str = "cpu"
    pictures: Callable[[str], np.ndarray] | None = None
    """Sample id to picture, for images made elsewhere."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Sample id to the image's own name, for images made elsewhere."""
    left_out: tuple[LeftOut, ...] = ()
    """Files and images made elsewhere that are not in the plan, with the reason."""
    labels: Any = None
    """`imported.labels.Labels`, where there are no images at all."""
    truth: Truth | None = None
    """What was planted in the model, where it says so itself."""
    looks: tuple[Any, ...] = ()
    """Every look at the shares of a run that stops on its own, `rounds.Look`."""


@dataclass
class Run:
    """One run under way: its plan, its folder, and what is said on the way."""

    plan: Plan
    folder: RunFolder
    progress: Progress = silent
    notes: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    """Sample id to the reason why its image cannot be read."""
    judges: dict[str, Any] = field(default_factory=dict)
    """The judges that read its images (`runs.judging`), by attribute and name."""
    costs: dict[str, float] = field(default_factory=dict)
    """Cost of every answer of a judge that the run uses, by the answer's key."""
    shard: str = ""
    """Name of the one shard that the plan is, in a worker; empty where it is the whole plan."""
    _engine: Any = None

    @property
    def suite(self) -> Suite:
        """What is asked."""
        return self.plan.suite

    @property
    def options(self) -> Options:
        """How the run is made."""
        return self.plan.options

    @property
    def settings(self) -> Settings:
        """What decides the pixels, besides text and seed."""
        return self.plan.settings

    @property
    def samples(self) -> Sequence[Sample]:
        """Every planned image."""
        return self.plan.samples

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of all planned images, of which arms may share some."""
        return frozenset(Planned.of(self.plan.samples).ids.to_pylist())

    @cached_property
    def conditions(self) -> Conditions | None:
        """The pictures that some arms are drawn after, and their ControlNet, if there are any."""
        return given(self.options)

    def engine(self) -> Any:
        """The loaded pipeline; loaded when it is first needed."""
        if self._engine is None:
            from audit.engine.model import load

            assert self.plan.source is not None  # planned for everything that is to be drawn
            found = self.conditions
            how = replace(self.options.loading, control=found and found.conditioning)
            self._engine = load(self.plan.source, how)
        return self._engine

    def picture(self, sample: str) -> np.ndarray:
        """One picture, uint8[h, w, 3]; pixels.Unreadable if it is gone or damaged."""
        given = self.plan.pictures
        return given(sample) if given else self.folder.read_image(sample)
