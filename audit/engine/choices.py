"""Names that the engine knows, apart from it: reading them loads no torch."""

from __future__ import annotations

import re

from audit.errors import UserError

DTYPES = ("auto", "float32", "bfloat16", "float16")
OFFLOADS = ("none", "model", "sequential")
DEVICES = re.compile(r"auto|cpu|mps|(cuda|xpu|hpu|npu|xla|privateuseone)(:\d+)?")
"""`auto`, and what torch calls processors that can generate images."""


def known_device(name: str) -> str:
    """The name of a device as it is; UserError for one that no machine has."""
    if DEVICES.fullmatch(name) is None:
        raise UserError(f"--device must be auto, cpu, cuda, cuda:1 or mps, not {name!r}.")
    return name
