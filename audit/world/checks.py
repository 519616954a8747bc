"""One claim about the world, as `world verify` checks it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One claim, what was measured, and whether it holds."""

    what: str
    measured: str
    wanted: str
    passed: bool


def at_least(what: str, value: float, wanted: float) -> Check:
    """A figure that must not be lower."""
    return Check(what, f"{value:.3f}", f">= {wanted}", value >= wanted)


def at_most(what: str, value: float, wanted: float) -> Check:
    """A figure that must not be higher."""
    return Check(what, f"{value:.3f}", f"<= {wanted}", value <= wanted)
