"""The options of a run, and the rules in them: each is parsed here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audit.errors import UserError, unknown
from audit.evidence.copies.rule import CopyRule

INSIDE = ("magnitude", "bright-ending")
"""Detectors that look inside the model."""
DETECTORS = (*INSIDE, "whole-set")


def detectors(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repeats, `all` written out; UserError for an unknown name."""
    for name in names:
        if name not in (*DETECTORS, "all"):
            raise unknown("detector", name, [*DETECTORS, "all"])
    return tuple(n for n in DETECTORS if n in names or "all" in names)


def half_width(precision: float) -> float:
    """A half-width of intervals, 0.005 to 0.49, as it is; UserError for any other number."""
    if not 0.005 <= precision < 0.5:
        raise UserError(
            f"--precision {precision:g} is not a valid half-width. Give one from 0.005 to 0.49; "
            "0.05 means plus or minus 5 points."
        )
    return precision


@dataclass(frozen=True)
class Options:
    """How a run is made, beside the suite; None and 0 stand for the model's own default."""

    model: str = "embedded"
    out: Path = Path("reports")
    steps: int | None = None
    guidance: float | None = None
    batch: int = 0
    dtype: str = "auto"
    device: str = "auto"
    scheduler: str = ""
    negative: str = ""
    size: str = ""
    """`WIDTHxHEIGHT`, or one number for a square."""
    loras: tuple[str, ...] = ()
    compile: bool = False
    offload: str = "none"
    trust: bool = False
    revision: str = ""
    config: Path | None = None
    """Diffusers folder that describes a single-file checkpoint."""
    images: Path | None = None
    """Pictures made elsewhere, in place of a model."""
    prompts: Path | None = None
    """Table of their prompts."""
    references: tuple[str, ...] = ()
    """Tables of a person's own targets, as NAME=FILE; the first is what verdicts are about."""
    labels: Path | None = None
    """Table of labels that others gave, in place of pictures."""
    classifier: str = "embedded-classifier"
    descriptor: str = "embedded-copy"
    search: str = "auto"
    """How the training set is searched: `auto`, `flat`, `ivf-sq8` or `ivf-rabitq`."""
    copies: str = "twin"
    """Rule that calls copies: `twin`, `conformal`, or `fixed:COSINE`."""
    q: float = 0.1
    """Nominal false discovery rate of the copies."""
    seed: int = 0
    """Seed of resampling and of the sample walls; never of the images."""
    validation: int = 800
    """Renders on which the embedded classifier's errors are measured."""
    detect: tuple[str, ...] = ()
    """Detectors of copying that take time: `detectors.NAMES`."""
    training: int = 120
    """Training images of a subject that are read, for each kind of caption."""
    precision: float = 0.0
    """Half-width of intervals at which a subject gets no more images; 0 makes what is planned."""
    command: str = ""
    pictures: str = "all"
    """On the page: `all`, `blur` (until somebody presses one), or `none`."""
    corpus: Path | None = None
    """Folder of training images, in place of the suite's corpus."""
    held_out: Path | None = None

    @property
    def loading(self) -> Any:
        """What of these the model's loader needs."""
        from audit.engine.model import Loading

        return Loading(
            self.dtype, self.device, self.scheduler, self.loras, self.compile, self.offload,
            self.trust, self.config,
        )  # fmt: skip

    @property
    def rule(self) -> CopyRule:
        """The rule of `copies`, parsed; UserError for a text that names none."""
        return CopyRule.parse(self.copies)


def checked(options: Options) -> Options:
    """The options with detectors written out; UserError for a rule or number that is not valid."""
    _ = options.rule
    if options.precision:
        half_width(options.precision)
    return replace(options, detect=detectors(options.detect))
