"""The condition of an image that a ControlNet draws: its picture by name, in the image's change."""

from __future__ import annotations

from dataclasses import replace

from audit.design.mitigations.in_engine import CONTROL
from audit.records import Change, Intervention


def interventions(change: Change) -> list[Intervention]:
    """Those of a change that give a condition."""
    return [one for one in change.interventions if one.kind == CONTROL]


def picture(change: Change) -> str:
    """The condition of one image by the name of its picture; empty without one."""
    return next((str(one.parameters["pictures"]) for one in interventions(change)), "")


def shared(change: Change) -> Change:
    """What the images of a batch have in common: the change without the picture of each."""
    if not interventions(change):
        return change
    return replace(change, interventions=tuple(
        replace(one, parameters={**one.parameters, "pictures": ""}) if one.kind == CONTROL else one
        for one in change.interventions
    ))  # fmt: skip
