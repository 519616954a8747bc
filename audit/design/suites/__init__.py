"""Suites: questions to a model, as data that can be edited without Python."""

from audit.design.mitigations.arms import Rewriter, aims, noise_seed, targets
from audit.design.suites.changing import expand, planned_images, with_keys, with_seeds
from audit.design.suites.read import folder, list_suites, read_suite, with_reference
from audit.design.suites.tables import shares_table

__all__ = [
    "Rewriter", "aims", "expand", "folder", "list_suites", "noise_seed", "planned_images",
    "read_suite", "shares_table", "targets", "with_keys", "with_reference", "with_seeds",
]  # fmt: skip
