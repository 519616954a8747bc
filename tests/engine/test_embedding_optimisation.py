"""Moving text states against a plain loop, a closed form, and its promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audit.engine.embedding_optimisation import Optimisation, first_telling, optimise
from audit.engine.levels import noise_factor
from audit.engine.magnitude import magnitude
from audit.engine.model import Model
from audit.engine.probe import Probe
from audit.errors import UserError
from audit.records import Settings
from tests.engine import small
from tests.sizes import crossed, leading

TEXTS = ("a photo of a nurse", "a judge", "a welder on a red background")


def model(name: str, root: Path, seed: int = 4) -> Model:
    """A small model of an architecture, ready to draw."""
    torch.manual_seed(seed)
    pipeline = small.ARCHITECTURES[name](root)
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    return Model(name, "r", pipeline, torch.float32, torch.device("cpu"))


def settings(**changes: Any) -> Settings:
    """Small settings with changes."""
    base: dict[str, Any] = {"model": "m", "revision": "r", "steps": 6, "guidance": 3.0, "batch": 3}
    return Settings(**(base | changes))


@crossed("guidance, name", [1.0, 4.0], ["sd1", "sd2", "sdxl", "sd3", "pixart", "lcm"])
def test_magnitudes_fall(tmp_path: Path, name: str, guidance: float) -> None:
    """Ten iterations at a target of nothing make every image's magnitude smaller."""
    it = model(name, tmp_path)
    probe = Probe(it, settings(guidance=guidance))
    found = optimise(probe, probe.states(TEXTS), (1, 2, 3), Optimisation(target=0.0))
    assert (found.after < found.before).all()
    assert found.iterations.tolist() == [10, 10, 10]
    call = first_telling(probe, probe.states(TEXTS), (1, 2, 3))
    alone = [
        magnitude(it, [t], settings(guidance=guidance), (s,), call.index + 1)
        for t, s in zip(TEXTS, (1, 2, 3), strict=True)
    ]
    wanted = [m.noise[0, 0, -1] / np.sqrt(m.size) for m in alone]
    np.testing.assert_allclose(found.before, wanted, rtol=2e-3)


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_moved_states_move_the_pipelines_own_first_step(tmp_path: Path, name: str) -> None:
    """The pipeline, given the moved states, shows the magnitude that was promised."""
    it = model(name, tmp_path)
    probe = Probe(it, settings())
    states = probe.states(TEXTS)
    found = optimise(probe, states, (1, 2, 3), Optimisation(target=0.0))
    (call,) = probe.record(found.states, (1, 2, 3), 1)
    size = call.sample[0].numel()
    own = probe.difference(call).flatten(1).norm(dim=1).numpy() / np.sqrt(size)
    np.testing.assert_allclose(own, found.after, rtol=1e-3)
    assert torch.equal(found.states["prompt_embeds"][:, 0], states["prompt_embeds"][:, 0])
    assert found.states["negative_prompt_embeds"] is states["negative_prompt_embeds"]


@pytest.mark.parametrize("seed", leading(1, range(3)))
def test_it_is_the_papers_loop_for_one_image(tmp_path: Path, seed: int) -> None:
    """AdamW on the whole encoding with the begin token's gradient zeroed gives the same states."""
    it = model("sd1", tmp_path, seed)
    probe = Probe(it, settings(batch=1))
    states = probe.states(TEXTS[:1])
    found = optimise(probe, states, (seed,), Optimisation(target=0.0, iterations=4))
    (call,) = probe.record(states, (seed,), 1)
    base = probe.without_text(call)
    e = states["prompt_embeds"].clone().requires_grad_()
    optimizer = torch.optim.AdamW([e], lr=0.05)
    for _ in range(4):
        loss = (probe.repeat(call, {"prompt_embeds": e}) - base).norm()
        (e.grad,) = torch.autograd.grad(loss, e)
        e.grad[:, 0] = 0
        optimizer.step()
    theirs = e.detach()[:, 1:]  # the begin token itself shrinks there, by weight decay
    moved = (found.states["prompt_embeds"][:, 1:] - theirs).abs()
    assert float(moved.mean()) < 1e-3
    assert found.after[0] < found.before[0]


def test_the_first_step_goes_against_the_sign_of_the_gradient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adam's first step is the rate times the gradient's sign, after its weight decay."""
    it = model("sd1", tmp_path)
    probe = Probe(it, settings())

    def forward(sample: torch.Tensor, *_: Any, **given: Any) -> tuple[torch.Tensor]:
        return (sample + given["encoder_hidden_states"][:, 3, :4, None, None],)

    monkeypatch.setattr(it.pipeline.unet, "forward", forward)
    states = probe.states(TEXTS)
    found = optimise(probe, states, (1, 2, 3), Optimisation(0.0, 0.02, 1))
    e = states["prompt_embeds"]
    apart = (e - probe.nothing(3)["prompt_embeds"])[:, 3, :4]
    wanted = e[:, 3, :4] * (1 - 0.02 * 0.01) - 0.02 * apart.sign()
    torch.testing.assert_close(found.states["prompt_embeds"][:, 3, :4], wanted)
    np.testing.assert_allclose(found.before, apart.norm(dim=1).numpy() / 2, rtol=1e-5)


def test_each_image_stops_at_its_own_target(tmp_path: Path) -> None:
    """An image at its target keeps its bits; the others go on until they are there."""
    it = model("sd1", tmp_path)
    probe = Probe(it, settings())
    states = probe.states(TEXTS)
    start = optimise(probe, states, (1, 2, 3), Optimisation(target=1e9))
    assert torch.equal(start.states["prompt_embeds"], states["prompt_embeds"])
    assert start.iterations.tolist() == [0, 0, 0]
    target = float(np.sort(start.before)[1] * 0.999)  # one image is there already, two are not
    found = optimise(probe, states, (1, 2, 3), Optimisation(target, 0.01, 200))
    low = start.before <= target
    assert low.sum() == 1
    assert torch.equal(found.states["prompt_embeds"][low], states["prompt_embeds"][low])
    assert (found.after <= target * (1 + 1e-5)).all()
    assert (found.iterations[~low] > 0).all()
    assert len(set(found.iterations.tolist())) == 3


def test_companions_change_nothing(tmp_path: Path) -> None:
    """Alone or together, an image gets the same states, to rounding, even where some stop early."""
    it = model("sd1", tmp_path)
    probe = Probe(it, settings())
    whole = optimise(probe, probe.states(TEXTS), (1, 2, 3), Optimisation(target=0.0))
    how = Optimisation(target=float(whole.before.min() * 1.001), rate=0.02, iterations=5)
    together = optimise(probe, probe.states(TEXTS), (1, 2, 3), how)
    for i, text in enumerate(TEXTS):
        alone = optimise(probe, probe.states([text]), (i + 1,), how)
        assert alone.iterations[0] == together.iterations[i]
        apart = alone.states["prompt_embeds"][0] - together.states["prompt_embeds"][i]
        assert float(apart.abs().mean()) < 1e-3
        assert alone.after[0] == pytest.approx(together.after[i], rel=2e-2)


def test_models_that_start_from_pure_noise_begin_at_the_next_step(tmp_path: Path) -> None:
    """Where x_T carries no signal the second step is taken, and one step alone is refused."""
    it = model("sd2", tmp_path)
    probe = Probe(it, settings())
    assert first_telling(probe, probe.states(TEXTS), (1, 2, 3)).index == 1
    assert np.isnan(noise_factor(it.pipeline.scheduler, 0))
    short = Probe(it, settings(steps=1))
    with pytest.raises(UserError, match="pure noise"):
        first_telling(short, short.states(TEXTS), (1, 2, 3))
