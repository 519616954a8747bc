"""Charts of the same numbers are drawn once for all tests of pages.

Most tests change one fact of a page and look at its words; three quarters of the time of a page are
its charts. What a chart draws depends on its arguments alone, and the tests of charts, and of
reproducibility, ask for new ones (`drawn_anew`).
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit.report import arms, charts, doses, language, shares

PLACES = [
    *((charts, n) for n in ("dots", "around", "changes", "distribution", "edited")),
    *((shares, n) for n in ("multiples", "units")),
    (doses, "_chart"), (arms, "_frontier"), (arms, "_dose"),
]  # fmt: skip
"""Functions from arguments to the text of one chart."""
DRAWN: dict[bytes, str] = {}


def _remembering(draw: Callable[..., str]) -> Callable[..., str]:
    def drawn(*args: Any, **options: Any) -> str:
        key = pickle.dumps((language.now().code, draw.__qualname__, args, options))
        if key not in DRAWN:
            DRAWN[key] = draw(*args, **options)
        return DRAWN[key]

    return drawn


@pytest.fixture(autouse=True)
def _drawn_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Remember charts, except where a test asks for `drawn_anew`."""
    if "drawn_anew" in request.fixturenames:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for module, name in PLACES:
            patch.setattr(module, name, _remembering(getattr(module, name)))
        yield


@pytest.fixture
def drawn_anew() -> None:
    """Every chart is drawn."""
