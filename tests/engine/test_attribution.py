"""Token attribution against finite differences and closed forms; tokens against the tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audit.engine.attribution import attribute, carried, gradients, single
from audit.engine.levels import noise_factor
from audit.engine.model import Loading, Model, load
from audit.engine.probe import Probe
from audit.engine.source import find
from audit.engine.tokens import length, tokens
from audit.errors import UserError
from audit.records import Settings
from audit.world.dataset import planted
from audit.world.models import embedded
from tests.engine import small
from tests.sizes import crossed, leading

TEXT = "a photo of a nurse"


@pytest.fixture(scope="module", params=["sd1", "sd2", "sdxl", "sd3", "pixart", "lcm"])
def double(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small model in double precision, for which finite differences are sharp."""
    torch.manual_seed(1)
    pipeline = small.ARCHITECTURES[request.param](tmp_path_factory.mktemp("double"))
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    pipeline.to(torch.float64)
    return Model(request.param, "r", pipeline, torch.float64, torch.device("cpu"))


def settings(**changes: Any) -> Settings:
    """Small settings with changes."""
    base: dict[str, Any] = {"model": "m", "revision": "r", "steps": 4, "guidance": 3.0, "batch": 2}
    return Settings(**(base | changes))


@crossed("seed, guidance", range(2), [1.0, 4.0])
def test_gradients_are_what_finite_differences_say(
    double: Model, seed: int, guidance: float
) -> None:
    """Along a random direction the magnitude changes as the gradient has it, image by image."""
    probe = Probe(double, settings(guidance=guidance))
    states = probe.states([TEXT, "a judge"])
    call = probe.record(states, [seed, 9], 2)[1]
    e = states["prompt_embeds"]
    factor = noise_factor(double.pipeline.scheduler, call.index)
    base = probe.without_text(call)

    def magnitudes(moved: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            out = probe.repeat(call, {"prompt_embeds": moved})
        return (out - base).double().flatten(1).norm(dim=1) * factor

    u = torch.randn(e.shape, generator=torch.Generator().manual_seed(seed), dtype=e.dtype)
    h = 1e-4
    wanted = (magnitudes(e + h * u) - magnitudes(e - h * u)) / (2 * h)
    found = (gradients(probe, call, states).double() * u).sum((1, 2))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7 * float(wanted.abs().max()))
    assert float(wanted.abs().max()) > 0


@pytest.mark.parametrize("seed", leading(1, range(2)))
def test_carried_gradients_are_what_finite_differences_say(double: Model, seed: int) -> None:
    """Along a random change of the words' embeddings the magnitude changes as the gradient says."""
    probe = Probe(double, settings())
    states = probe.states([TEXT])
    call = probe.record(states, [seed], 2)[1]
    by_state = gradients(probe, call, states)
    if not single(probe):
        with pytest.raises(UserError, match="several encoders"):
            carried(probe, TEXT, by_state)
        assert attribute(double, TEXT, settings(), (0,), 2).by == "states"
        return
    found = carried(probe, TEXT, by_state)
    u = torch.randn(found.shape, generator=torch.Generator().manual_seed(seed), dtype=found.dtype)
    factor = noise_factor(double.pipeline.scheduler, call.index)
    base = probe.without_text(call)

    def moved(h: float) -> float:
        encoder = double.pipeline.text_encoder
        words = (
            encoder.encoder.embed_tokens
            if double.name == "pixart"
            else (encoder.get_input_embeddings())
        )
        handle = words.register_forward_hook(lambda _, __, out: out + h * u)
        with torch.no_grad():
            e = double.pipeline.encode_prompt(
                TEXT, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False
            )[0]
            handle.remove()
            return float((probe.repeat(call, {"prompt_embeds": e}) - base).norm()) * factor

    wanted = (moved(1e-4) - moved(-1e-4)) / 2e-4
    assert float((found * u).sum()) == pytest.approx(wanted, rel=2e-3)
    scores = attribute(double, TEXT, settings(), (seed,), 2)
    assert scores.by == "words"
    if double.name == "sd2":  # its first step is left out, which leaves only this one
        np.testing.assert_allclose(scores.scores, found[0].norm(dim=-1).numpy(), rtol=1e-6)


def test_titles_come_first_in_the_embedded_world() -> None:
    """Each repeated image depends on its title: that word has the highest score of its caption."""
    model = load(find(str(embedded())), Loading(dtype="float32", device="cpu"))
    items = [i for i in planted() if i.repeats == 64]
    picks = np.random.default_rng(0).choice(len(items), 4, replace=False)
    for item in (items[int(i)] for i in picks):
        how = settings(steps=20, batch=1)
        found = attribute(model, item.caption, how, (0,), 2)
        assert found.top(1)[0][0] == item.title


def test_scores_are_the_norms_of_the_gradients(double: Model) -> None:
    """A score is the mean, over seeds and known steps, of the norm of the token's gradient."""
    how = settings()
    found = attribute(double, TEXT, how, (3, 4, 5), 2, "states")
    probe = Probe(double, how)
    each = []
    for seed in (3, 4, 5):
        states = probe.states([TEXT, TEXT])
        for call in probe.record(states, [seed, seed], 2):
            g = gradients(probe, call, states)[0].double().numpy()
            if np.isfinite(g).all():
                each.append(np.sqrt((g**2).sum(-1)))
    np.testing.assert_allclose(found.scores, np.mean(each, axis=0), rtol=1e-4, atol=1e-8)
    assert len(found.tokens) == len(found.scores)
    assert not found.reason


def test_a_denoiser_that_reads_one_row_gives_all_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the output is k times one row, the gradient of the norm has norm k there, else 0."""
    pipeline = small.stable_diffusion(tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    model = Model("m", "r", pipeline, torch.float32, torch.device("cpu"))
    row, scale = 4, 3.0

    def forward(sample: torch.Tensor, *_: Any, **given: Any) -> tuple[torch.Tensor]:
        word = given["encoder_hidden_states"][:, row, :4] * scale / 8
        return (sample + word[:, :, None, None],)

    monkeypatch.setattr(pipeline.unet, "forward", forward)
    found = attribute(model, TEXT, settings(), (0, 1), 2, "states")
    assert found.scores[row] == pytest.approx(scale, rel=1e-4)  # 64 equal pixels: |.| is 8 |word|
    assert np.delete(found.scores, row).max() == 0
    assert found.tokens[row].text == "a"


def test_only_pure_noise_gives_nan_with_a_reason(double: Model) -> None:
    """Where the one step that is asked for holds no signal, scores are missing and it is said."""
    found = attribute(double, TEXT, settings(), (0,), 1)
    none = double.name in ("sd2", "sd3")
    assert np.isnan(found.scores).all() == none
    assert ("pure noise" in found.reason) == none
    assert (found.top() == []) == none


def test_tokens_are_where_the_encoders_put_them(double: Model) -> None:
    """Words, begin, end and padding are told apart, and fill the rows exactly."""
    rows = Probe(double, settings()).states([TEXT])["prompt_embeds"].shape[1]
    found = tokens(double, TEXT, rows)
    assert len(found) == rows
    clip = double.name != "pixart"
    words = [t.text for t in found if t.role == "word"]
    letters = TEXT.replace(" ", "")
    if clip:
        assert words[:5] == TEXT.split()
        assert [t.role for t in found[:7]] == ["begin", *["word"] * 5, "end"]
        assert found[7].role == "padding"
    if double.name in ("sd3", "pixart"):
        assert "".join(words[5:] if clip else words) == letters
        assert found[-1].role == "padding"
    if double.name == "sd3":
        with pytest.raises(ValueError, match="no single text encoder"):
            length(double, TEXT, rows)
    else:
        assert length(double, TEXT, rows) == (7 if clip else len(letters) + 1)
