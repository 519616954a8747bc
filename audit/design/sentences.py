"""TOML files checked by a pydantic model, with a one-sentence message for each mistake."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from audit.errors import UserError, unknown
from audit.files import toml

_Model = TypeVar("_Model", bound=BaseModel)
MOST_BYTES = 5_000_000
"""Size of a TOML file that is read."""


def read_toml(
    path: Path, model: type[_Model], parts: Mapping[str, type[BaseModel]] | None = None
) -> _Model:
    """A TOML file as `model`; UserError, with file and place, for what it cannot be.

    `parts` as in `first`.
    """
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise UserError(f"{path} has {size:,} bytes; {MOST_BYTES:,} is the most. Shorten it.")
        return model.model_validate(toml(path.read_bytes()))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}. Save it as UTF-8 text.") from error
    except ValidationError as error:
        raise UserError(f"{path}: {first(error, model, parts)} Correct that entry.") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid TOML: {error}. Correct that line.") from error


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
