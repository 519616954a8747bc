"""Images that a model draws: those of nothing are missing with a reason, and never get a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from audit.engine.model import Model
from audit.errors import UserError
from audit.records import Sample
from audit.runs import reading
from audit.runs.context import Run
from audit.runs.draw import ENOUGH, generate
from tests.builders import running


class Pipeline:
    """Draws what its images are said to be, one after another."""

    scheduler = None
    _execution_device = torch.device("cpu")

    def __init__(self, kinds: Sequence[str]) -> None:
        self.kinds, self.drawn = list(kinds), 0

    def __call__(self, prompt: list[str], generator: Any, num_inference_steps: int = 1) -> Any:
        """Images float[n, 3, 8, 8]."""
        rng = np.random.default_rng(0)
        out = []
        for _ in prompt:
            x = torch.tensor(rng.random((3, 8, 8)), dtype=torch.float32)
            kind = self.kinds[min(self.drawn, len(self.kinds) - 1)]
            self.drawn += 1
            if kind == "nan":
                x[0, 3, 3] = torch.nan
            elif kind == "inf":
                x[:] = torch.inf
            elif kind == "black":
                x[:] = 0
            elif kind == "grey":
                x[:] = 0.4
            out.append(x)
        return SimpleNamespace(images=torch.stack(out))


def drawing(folder: Path, kinds: Sequence[str], n: int) -> tuple[Run, Pipeline]:
    """A run of n images under way, whose model draws these kinds."""
    samples = [Sample(f"s{i:03}", "p", "none", i, f"text {i:03}") for i in range(n)]
    run = running.run(folder, samples=samples)
    pipeline = Pipeline(kinds)
    run._engine = Model("m", "r", pipeline, torch.float32, torch.device("cpu"))
    return run, pipeline


def test_images_of_nothing_are_missing_with_their_reason(tmp_path: Path) -> None:
    """NaN anywhere is a failed drawing, one colour is blank; the others are kept."""
    kinds = ["noise", "nan", "black", "noise", "inf", "grey"]
    run, _ = drawing(tmp_path, kinds, 6)
    generate(run)
    wanted = {"s001": "failed", "s002": "blank", "s004": "failed", "s005": "blank"}
    assert run.folder.blocked() == wanted
    assert reading.missing_outcomes(run, {"s000": np.ones(1), "s003": np.ones(1)}) == wanted
    generate(run)  # again: there is nothing to draw, and nothing to refuse


@pytest.mark.parametrize("kind", ["nan", "black"])
@pytest.mark.parametrize("n", [1, 5, 3 * ENOUGH])
def test_a_model_that_draws_nothing_is_an_error(kind: str, n: int, tmp_path: Path) -> None:
    """Soon, and again when the same command is repeated."""
    run, pipeline = drawing(tmp_path, [kind], n)
    for _ in range(2):
        with pytest.raises(UserError, match="draws nothing"):
            generate(run)
    assert pipeline.drawn <= ENOUGH + 2 * run.settings.batch


def test_a_pipeline_that_fails_is_named(tmp_path: Path) -> None:
    """Parts that do not fit together are the input's fault, not the program's."""
    run, pipeline = drawing(tmp_path, ["noise"], 2)

    class Broken(Pipeline):
        def __call__(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("The size of tensor a (36) must match tensor b (77)")

    pipeline.__class__ = Broken
    with pytest.raises(UserError, match=r"Broken of m failed while drawing: The size of tensor a"):
        generate(run)
