"""Seed cliques of a run: planted prompts are found among others, by the run's own calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.findings import extraction as claims
from audit.records import Prompt, Sample, Suite
from audit.runs import extraction
from tests.builders import running

SIZE = 16


def made(n_captions: int, n_ordinary: int, seeds: int, copied: int, seed: int = 0) -> Any:
    """A run in which the first captions reproduce one image, and the others do not."""
    rng = np.random.default_rng(seed)
    prompts, samples, pictures = {}, [], {}
    kinds = ["replication"] * n_captions + ["representation"] * n_ordinary
    for i, purpose in enumerate(kinds):
        p = Prompt(f"p{i}", f"text {i}", "nurse", "b", purpose, seeds,
                   repeats=64 if i < copied else None)  # fmt: skip
        prompts[p.id] = p
        own = rng.integers(0, 256, (SIZE, SIZE, 3))
        for s in range(seeds):
            other = rng.integers(0, 256, (SIZE, SIZE, 3))
            picture = own + rng.normal(0, 4, own.shape) if i < copied else other
            id = f"{i}-{s}"
            samples.append(Sample(id, p.id, "none", s, p.text))
            pictures[id] = np.clip(picture, 0, 255).astype(np.uint8)
    suite = Suite("s", "t", "q", tuple(prompts.values()), (), (), ())
    return running.run(Path(), suite, samples, pictures=pictures.__getitem__), prompts, pictures


@pytest.mark.slow
@pytest.mark.parametrize("ordinary", [30, 5, 0])
def test_planted_prompts_are_found(ordinary: int) -> None:
    """With enough ordinary prompts to calibrate on, with few, and with none."""
    run, prompts, _ = made(10, ordinary, 6, 3)
    tables = extraction.search(run, {})
    cliques, edges = tables.cliques, tables.edges
    assert set(cliques.prompt) == set(edges.prompt) == {f"p{i}" for i in range(10)}
    assert set(cliques[cliques.extracted == True].prompt) == {"p0", "p1", "p2"}  # noqa: E712
    assert (edges.p[:3] < 0.05).all()
    assert tables.source
    found = {f.id: f for f in claims.of_run(tables, prompts, 0)}
    assert found["replication/extraction/none/cliques/repeats=64"].estimate == 1
    assert found["replication/extraction/none/cliques/all"].estimate == pytest.approx(0.3)
    assert not any("/prompt=" in id for id in found)
    assert len(found) == len(claims.of_run(tables, prompts, 0))
    for name in ("cliques", "edges"):
        area = found[f"replication/extraction/none/{name}/auc/repeats=64"]
        assert (area.n, area.estimate == 1) == (3, ordinary > 0)  # unknown without ordinary prompts


@pytest.mark.parametrize("shape", [(512, 512), (40, 30), (300, 2000), (2000, 1000), (1, 5000)])
def test_large_images_are_compared_smaller(shape: tuple[int, int]) -> None:
    """At most SIDE pixels a side, in the same proportions; others are unchanged."""
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    found = extraction._small(picture)
    scale = min(1, extraction.SIDE / max(shape))
    assert found.shape == (*(max(1, round(n * scale)) for n in shape), 3)
    assert scale < 1 or found is picture


def test_too_few_images_of_a_caption_ask_nothing() -> None:
    """Three images per prompt are too few; a run without captions has no result either."""
    for run, prompts, _ in (made(5, 5, 3, 1), made(0, 10, 6, 0)):
        found = extraction.search(run, {})
        assert found.cliques.empty
        assert claims.of_run(found, prompts, 0) == []


def test_pictures_of_several_sizes_and_missing_ones() -> None:
    """Images are resized to the smallest; a blocked image is left out, not counted as different."""
    run, _, pictures = made(4, 0, 6, 1)
    pictures["0-1"] = np.repeat(np.repeat(pictures["0-1"], 2, 0), 2, 1)
    cliques = extraction.search(run, {"0-0": "blocked"}).cliques
    row = cliques.set_index("prompt").loc["p0"]
    assert row["n"] == 5
    assert bool(row["extracted"])
