"""Interventions: the engine can do whatever the table of mitigations promises."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from audit import registry
from audit.design.mitigations.changes import change
from audit.design.mitigations.methods import METHODS
from audit.engine.batch import Batch, Engine
from audit.records import Mitigation, Settings

ROWS = [m for m in METHODS.values() if m.changes in ("states", "drawing")]
OPTIONS: dict[str, dict[str, Any]] = {
    "fair-guidance": {"attribute": "gender"},
    "personalised": {"weights": ("a", "b")},
    "control": {"kind": "silhouette"},
}
"""Options without a default."""


def test_only_interventions_have_handlers() -> None:
    """A row names a handler if it changes states or drawing, and no row without one does."""
    assert [m for m in METHODS.values() if m.handler] == ROWS
    assert ROWS


@pytest.mark.parametrize("name", [m.name for m in ROWS])
def test_a_handler_takes_what_the_options_become(name: str) -> None:
    """Each can be imported, and its parameters are those of the intervention."""
    arm = Mitigation("arm", name, OPTIONS.get(name, {}))
    drawn, classes = {"gender": "woman"}, {"gender": ("woman", "man")}
    (one,) = change(arm, Settings("m", "r", 2, 3.0, 2), drawn, classes).interventions
    assert one.kind == name
    inspect.signature(registry.handler(name)).bind(Engine, Batch, **one.parameters)
