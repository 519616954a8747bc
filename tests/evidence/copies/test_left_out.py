"""Search in a side of which some pictures are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.evidence.copies import side
from tests.evidence.copies import stored


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_what_is_left_out_is_never_found(
    tmp_path: Path, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions stay; the search is that of the rest, from memory and streamed."""
    monkeypatch.setattr(side, "IN_MEMORY", memory)
    monkeypatch.setattr(side, "BLOCK", 4 * 24 * 5)
    rng = np.random.default_rng(5)
    rows = stored.clustered(rng, 60, 24, 20)
    gone = np.random.default_rng(0).random(len(rows)) < 0.3
    gone[:9] = True  # a whole block
    part = stored.side(tmp_path, np.split(rows, 6), "float32").without(gone)
    score, where = part.nearest(rows, 2)
    cosine = np.where(gone, -2, rows @ rows.T)
    assert where[:, 0].tolist() == cosine.argmax(axis=1).tolist()
    assert score[:, 0] == pytest.approx(cosine.max(axis=1), abs=1e-6)
    assert not gone[where].any()
    score, where = part.without(np.ones(len(rows), bool)).nearest(rows[:3])
    assert np.isnan(score).all()
    assert (where == -1).all()
