"""The rule by which images are flagged as copies, as users name it."""

from __future__ import annotations

from dataclasses import dataclass

from audit.errors import UserError


@dataclass(frozen=True)
class CopyRule:
    """How images are flagged as copies: `twin`, `conformal`, or a fixed line at a cosine."""

    name: str
    line: float = float("nan")
    """Cosine of a fixed line; NaN for the other rules."""

    @classmethod
    def parse(cls, text: str) -> CopyRule:
        """The rule that `twin`, `conformal` or `fixed:COSINE` names; UserError for other texts."""
        name, _, line = text.partition(":")
        try:
            rule = cls(name, float(line)) if name == "fixed" else cls(text)
        except ValueError:
            rule = cls("")
        if rule.name in ("twin", "conformal") or (rule.name == "fixed" and -1 <= rule.line <= 1):
            return rule
        raise UserError(
            f"--copies {text!r} is not a valid rule. Give twin, conformal, or fixed:0.75 for a "
            "line at that cosine, whose error rate is unknown."
        )
