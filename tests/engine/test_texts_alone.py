"""Pipelines that take texts instead of text states: drawn, or refused before anything is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from audit.engine import sampler
from audit.engine.model import Model
from audit.engine.probe import Probe
from audit.errors import UserError
from audit.records import Change, Intervention, Sample
from audit.world.tokens import CONTEXT
from tests.engine import small
from tests.engine.test_sampler import plan, settings

KIND = "KandinskyV22CombinedPipeline"
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def model(root: Path, positions: int = CONTEXT) -> Model:
    """Kandinsky 2.2 with its prior."""
    made = small.kandinsky(root, positions)
    made.set_progress_bar_config(disable=True)
    made.prior_pipe.set_progress_bar_config(disable=True)
    made.decoder_pipe.set_progress_bar_config(disable=True)
    return Model("k", "r", made, torch.float32, torch.device("cpu"))


@pytest.mark.slow
def test_a_pipeline_with_a_prior_draws(tmp_path: Path) -> None:
    """An image for each sample."""
    (drawn,) = sampler.draw(model(tmp_path), plan(2), settings(size="64x64", batch=2, steps=2))
    assert drawn.pictures.shape == (2, 64, 64, 3)
    assert drawn.missing == ["", ""]


@pytest.mark.parametrize(
    ("positions", "changes", "said"),
    [(CONTEXT, {"negative": "blurry"}, f"A {KIND} takes no negative prompt"),
     (CONTEXT + 9, {}, f"The {KIND} of k failed while drawing")],
)  # fmt: skip
@pytest.mark.slow
def test_what_a_pipeline_with_a_prior_cannot_do(
    positions: int, changes: dict[str, str], said: str, tmp_path: Path
) -> None:
    """A negative prompt, and parts that do not fit together: one sentence."""
    how = settings(size="64x64", batch=1, steps=1, **changes)
    with pytest.raises(UserError, match=said):
        list(sampler.draw(model(tmp_path, positions), plan(1), how))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["noise", "token-noise", "rescale-attention", "fair-guidance", "optimise-states"]
)
def test_changes_inside_the_engine_are_refused_before_anything_is_drawn(
    kind: str, tmp_path: Path
) -> None:
    """The samples of the baseline come first, and not one of them is drawn."""
    inside = Change(interventions=(Intervention(kind, {}),))
    rows = [*plan(2), Sample("x", "p", "arm", 5, "a judge", change=inside)]
    drawn = sampler.draw(model(tmp_path), rows, settings(size="64x64", batch=2, steps=1))
    with pytest.raises(UserError, match=f"A {KIND} is given texts, not states, so {kind} has"):
        next(drawn)
    with pytest.raises(UserError, match=f"A {KIND} cannot be looked into"):
        Probe(model(tmp_path), settings())
