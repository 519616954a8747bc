"""Text conditions on findings: the grammar of a gate, for suites and the command line."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from audit.errors import UserError

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip
_GATE = re.compile(
    r"(?P<selector>.*\S)\s*(?P<op><=|>=|<|>)\s*"
    r"(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<percent>%?)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Gate:
    """A condition: which findings, the comparison, and the bound."""

    text: str
    selector: str
    op: str
    bound: float
    """In the finding's own unit: shares, and changes of shares, in 0..1 (1 % is 0.01)."""

    def holds(self, value: float) -> bool:
        """Whether one value satisfies the condition."""
        return OPERATORS[self.op](value, self.bound)


def parse(text: str) -> Gate:
    """A gate from its text; raises UserError for anything else."""
    found = _GATE.fullmatch(text.strip())
    if found is None:
        raise UserError(
            f"{text!r} is not a gate. Write SELECTOR, one of <= < >= >, and a number, such as "
            "'replication.rate.ordinary <= 1 %'."
        )
    bound = float(found["number"]) / (100 if found["percent"] else 1)
    if not math.isfinite(bound):
        raise UserError(f"{text!r}: {found['number']} is not a finite number. Give one.")
    return Gate(text.strip(), found["selector"], found["op"], bound)
