"""Audit text-to-image models: who appears, what is copied, and what a mitigation changes.

The names below are those of `audit.api`. They are loaded on first use, because importing this
package should cost nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.api import (
        Checked,
        Incomplete,
        Result,
        Rewritten,
        UserError,
        check,
        compare,
        index,
        open,
        rewrite,
        run,
        search,
    )

__all__ = ["Checked", "Incomplete", "Result", "Rewritten", "UserError", "check", "compare", "index",
           "open", "rewrite", "run", "search"]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'audit' has no attribute {name!r}")
    from audit import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
