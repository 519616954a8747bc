"""Noise on text states: its moments, its independence of batches, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from audit.engine.embedding_noise import fine_grained, gaussian, noise_generators
from audit.engine.model import Model
from audit.engine.probe import Probe
from audit.records import Settings
from tests.engine import small

KINDS: dict[str, Callable[..., Any]] = {"gaussian": gaussian, "fine_grained": fine_grained}


def states(n: int, tokens: int = 77, width: int = 96) -> dict[str, Any]:
    """Random states of n texts, with others that must not change."""
    e = torch.randn(n, tokens, width, generator=torch.Generator().manual_seed(n))
    return {"prompt_embeds": e, "negative_prompt_embeds": e + 1, "pooled_prompt_embeds": e[:, 0],
            "negative_prompt": None}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", [0.1, 0.5])
def test_even_noise_is_normal_with_its_level(seed: int, level: float) -> None:
    """What was added has mean 0, the level as its spread, and passes Kolmogorov and Smirnov."""
    given = states(4)
    moved = gaussian(given, noise_generators(range(seed, seed + 4)), level)
    added = (moved["prompt_embeds"] - given["prompt_embeds"]).double().numpy().ravel()
    assert abs(added.mean()) < 4 * level / np.sqrt(added.size)
    assert added.std() == pytest.approx(level, rel=4 / np.sqrt(2 * added.size))
    assert stats.kstest(added / level, "norm").pvalue > 1e-4


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("probability", "width"), [(0.6, 1.7), (0.2, 0.5)])
def test_fine_noise_hits_whole_tokens_as_often_as_it_should(
    seed: int, probability: float, width: float
) -> None:
    """A token gets normal noise of the width in every dimension, or none at all."""
    given = states(8)
    generators = noise_generators(range(100 * seed, 100 * seed + 8))
    moved = fine_grained(given, generators, probability, width)
    added = (moved["prompt_embeds"] - given["prompt_embeds"]).double().numpy()
    hit = (added != 0).any(-1)
    assert ((added != 0).mean(-1)[hit] > 0.99).all()
    assert stats.binomtest(int(hit.sum()), hit.size, probability).pvalue > 1e-4
    assert stats.kstest(added[hit].ravel() / width, "norm").pvalue > 1e-4


@pytest.mark.parametrize("name", KINDS)
def test_an_images_noise_is_its_own(name: str) -> None:
    """Alone, in company, in any order an image has the same bits; another seed has others."""
    given, seeds = states(5), [7, 2**62 + 1, 3, 8, 9]

    def moved(rows: list[int]) -> torch.Tensor:
        part = {"prompt_embeds": given["prompt_embeds"][rows]}
        return KINDS[name](part, noise_generators([seeds[i] for i in rows]))["prompt_embeds"]

    whole = moved([0, 1, 2, 3, 4])
    assert torch.equal(moved([3, 1]), whole[[3, 1]])
    assert torch.equal(moved([2]), whole[[2]])
    same = torch.zeros(2, 77, 96)
    pair = KINDS[name]({"prompt_embeds": same}, noise_generators([1, 2]))["prompt_embeds"]
    assert not torch.equal(pair[0], pair[1])
    with pytest.raises(ValueError, match="1 generators for 5"):
        KINDS[name](given, noise_generators([1]))


@pytest.mark.parametrize("name", KINDS)
def test_nothing_else_changes(name: str) -> None:
    """States of no text, pooled states and the given tensors stay as they were, in their dtype."""
    given = states(2)
    kept = given["prompt_embeds"].clone()
    found = KINDS[name](given, noise_generators([1, 2]))
    assert torch.equal(given["prompt_embeds"], kept)
    assert {k for k in given if found[k] is not given[k]} == {"prompt_embeds"}
    half = KINDS[name]({"prompt_embeds": kept.bfloat16()}, noise_generators([1, 2]))
    assert half["prompt_embeds"].dtype == torch.bfloat16


def test_noise_is_apart_from_that_of_the_latents() -> None:
    """An image's states and its latents do not get the same numbers."""
    latents = torch.randn(1, 77, 96, generator=torch.Generator().manual_seed(5))
    added = gaussian({"prompt_embeds": torch.zeros(1, 77, 96)}, noise_generators([5]), 1.0)
    assert abs(np.corrcoef(latents.ravel(), added["prompt_embeds"].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("name", KINDS)
def test_noise_reaches_the_picture(tmp_path: Path, name: str) -> None:
    """A small model answers the moved states differently, and level 0 not at all."""
    pipeline = small.stable_diffusion(tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    model = Model("m", "r", pipeline, torch.float32, torch.device("cpu"))
    probe = Probe(model, Settings("m", "r", 2, 3.0, 2))
    given = probe.states(["a nurse", "a judge"])
    plain = probe.record(given, [1, 2])[-1].output
    moved = probe.record(KINDS[name](given, noise_generators([1, 2])), [1, 2])[-1].output
    assert not torch.allclose(plain, moved, atol=1e-6)
    options: dict[str, float] = {"level": 0.0} if name == "gaussian" else {"probability": 0.0}
    none = KINDS[name](given, noise_generators([1, 2]), **options)
    assert torch.equal(probe.record(none, [1, 2])[-1].output, plain)
