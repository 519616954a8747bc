"""Names that the engine knows, in a module that does not load torch."""

from __future__ import annotations

import re

from audit.errors import UserError

DTYPES = ("auto", "float32", "bfloat16", "float16")
OFFLOADS = ("none", "model", "sequential")
DEVICES = re.compile(r"auto|cpu|mps|(cuda|xpu|hpu|npu|xla|privateuseone)(:\d+)?")
"""`auto`, and torch's names of devices that can generate images."""


def known_device(name: str) -> str:
    """The name of a device, unchanged; raises UserError for an invalid one."""
    if DEVICES.fullmatch(name) is None:
        raise UserError(f"--device must be auto, cpu, cuda, cuda:1 or mps, not {name!r}.")
    return name
