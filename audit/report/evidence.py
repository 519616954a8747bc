"""Input of the report: everything that it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from audit.datasets.listing import LeftOut
from audit.keys import BASELINE
from audit.records import Finding, Sample, Settings, Suite
from audit.report.facts import Facts


@dataclass(frozen=True)
class Evidence:
    """Everything that the report shows; it computes no estimates."""

    suite: Suite
    settings: Settings
    findings: list[Finding]
    attributes: pd.DataFrame
    matches: pd.DataFrame
    samples: dict[str, Sample]
    image: Callable[[str], np.ndarray]
    """Sample id to uint8[h, w, 3]."""
    train_image: Callable[[str], np.ndarray]
    """Training image id to uint8[h, w, 3]."""
    facts: Facts
    written: str = ""
    """When the findings were written; empty where they do not say."""
    left_out: Sequence[LeftOut] = ()
    """Files among images made elsewhere that are not in the report."""

    @cached_property
    def baseline(self) -> pd.DataFrame:
        """A row of `attributes` for each baseline image and prompt, without turns of conversations.

        Kept, because it is looked at twice and a large run has a million rows.
        """
        spoken = {p.id for p in self.suite.prompts if p.turn is not None}
        table = self.attributes
        if table.empty:
            return table
        alone = table[(table.arm == BASELINE) & ~table.prompt.isin(spoken)]
        return alone.drop_duplicates(["sample", "prompt"])
