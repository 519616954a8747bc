"""Fixtures of the tests of copies."""

from __future__ import annotations

import pytest

from audit.datasets import pixels
from audit.evidence.copies import index as indexes


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards and batches of a few images, to have several."""
    monkeypatch.setattr(indexes, "SHARD_ROWS", 8)
    monkeypatch.setattr(pixels, "BATCH", 5)
