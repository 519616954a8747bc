"""The log of calls: a line of JSON for each message, with arguments cut short and no images."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from audit.errors import harmless

SHORT = 80
"""Characters of an argument that are logged."""


class Log:
    """Middleware of the server that writes each message to a stream after it was answered."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    async def __call__(self, context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """Answer by `call_next`, and log method, name, arguments, outcome and milliseconds."""
        started, outcome = time.monotonic(), "error"
        try:
            answer = await call_next(context)
            failed = isinstance(answer, Mapping) and answer.get("isError")
            failed = failed or getattr(answer, "is_error", False)
            outcome = "refused" if failed else "answered"
            return answer
        finally:
            self._write(context.method, context.params or {}, outcome, time.monotonic() - started)

    def _write(self, method: str, params: Mapping[str, Any], outcome: str, seconds: float) -> None:
        row = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "method": _short(method),
            "name": _short(params.get("name") or params.get("uri") or ""),
            "arguments": _arguments(params.get("arguments")), "outcome": outcome,
            "ms": round(1000 * seconds),
        }  # fmt: skip
        self.stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.stream.flush()


def crashed(stream: TextIO, name: str, error: Exception) -> None:
    """Log an error of this program: its kind and its place in the code, without its words."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    row = {
        "crash": name,
        "error": type(error).__name__,
        "at": f"{Path(at.filename).name}:{at.lineno}",
    }
    stream.write(json.dumps(row) + "\n")
    stream.flush()


def _arguments(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        return {}
    return {_short(k): _short(v) for k, v in list(given.items())[:20]}


def _short(value: object) -> str:
    """A value's beginning, and how long it was."""
    text = str(value)
    line = " ".join(harmless(text[:SHORT]).split())
    return line + (f" ... ({len(text)})" if len(text) > SHORT else "")
