"""One-sentence messages for pydantic's errors."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from audit.errors import unknown


def first(
    error: ValidationError,
    model: type[BaseModel],
    parts: Mapping[str, type[BaseModel]] | None = None,
) -> str:
    """The first error in one sentence: an unknown key first, because it explains a missing one.

    `parts` gives the models of a file's tables by name, whose keys are suggested.
    """
    found = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")[0]
    where = ".".join(str(x) for x in found["loc"]) or "the file"
    what = found["msg"].removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        place = found["loc"]
        part = model if len(place) == 1 else (parts or {}).get(str(place[0]), model)
        what = str(unknown("key", str(place[-1]), part.model_fields))
    return f"{where}: {what}{'' if what[-1] in '.?' else '.'}"
