"""Interventions: the engine can do whatever the table of mitigations promises."""

from __future__ import annotations

from audit.design.mitigations.methods import METHODS
from audit.engine.interventions import HANDLERS


def test_every_mitigation_inside_the_engine_has_a_handler() -> None:
    """One context manager each, and none that no mitigation asks for."""
    assert set(HANDLERS) == {m.name for m in METHODS.values() if m.changes == "inside"}
