"""The sampler against each pipeline's own call, on small models of every architecture."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audit.engine import model as models
from audit.engine import sampler
from audit.engine.model import Loading, Model
from audit.engine.source import find
from audit.engine.texts import Texts, truncated
from audit.errors import UserError
from audit.records import Change, Intervention, Sample, Settings
from tests.engine import small
from tests.sizes import crossed

TEXTS = ("a photo of a nurse", "a welder on a red background", "a judge")


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """One small model of each architecture, saved to a folder and read back."""
    root = tmp_path_factory.mktemp("models")
    found = {}
    for name in small.ARCHITECTURES:
        folder = small.save(name, root)
        found[name] = models.load(find(str(folder)), Loading(dtype="float32", device="cpu"))
    found["flux"].pipeline.default_sample_size = 16  # 128, whatever the folder says
    return found


def settings(**changes: Any) -> Settings:
    """Small settings with changes."""
    base: dict[str, Any] = {"model": "m", "revision": "r", "steps": 3, "guidance": 3.0, "batch": 3}
    return Settings(**(base | changes))


def plan(n: int) -> list[Sample]:
    """Samples of three texts with seeds of their own."""
    return [Sample(f"s{i}", "p", "none", 2**62 + 7 * i, TEXTS[i % 3]) for i in range(n)]


def pictures(model: Model, samples: list[Sample], how: Settings) -> dict[str, np.ndarray]:
    """Sample id to picture."""
    found: dict[str, np.ndarray] = {}
    for batch in sampler.draw(model, samples, how):
        found.update(zip(batch.ids, batch.pictures, strict=True))
    return found


@crossed("guidance, name", [1.0, 4.0], small.ARCHITECTURES)
def test_the_sampler_equals_the_pipelines_own_call(
    loaded: dict[str, Model], name: str, guidance: float
) -> None:
    """One picture at a time, by text and generator alone, gives the same pixels, to rounding."""
    model = loaded[name]
    ours = pictures(model, plan(4), settings(guidance=guidance))
    rest: dict[str, Any] = {"num_inference_steps": 3, "guidance_scale": guidance}
    if name == "pixart":  # its call tidies texts and sizes by default
        rest |= {"clean_caption": False, "use_resolution_binning": False}
    for sample in plan(4):
        generator = torch.Generator().manual_seed(sample.seed)
        theirs = model.pipeline(prompt=sample.text, generator=generator, output_type="np", **rest)
        apart = np.abs(ours[sample.id].astype(float) - 255 * theirs.images[0])
        assert apart.max() < 0.51 + 1e-2, name


@pytest.mark.slow
@pytest.mark.parametrize("name", small.ARCHITECTURES)
def test_pictures_do_not_depend_on_the_path_taken(loaded: dict[str, Model], name: str) -> None:
    """Order, companions, interruption and padding change no picture by more than rounding.

    A kernel that splits a batch over threads may round by the place in the batch: one level of 255.
    """
    samples = plan(5)
    whole = pictures(loaded[name], samples, settings())
    parts: dict[str, np.ndarray] = {}
    for part in (samples[4:], samples[2:4][::-1], samples[:2]):
        parts |= pictures(loaded[name], part, settings())
    assert whole.keys() == parts.keys()
    apart = [np.abs(whole[i].astype(int) - parts[i]).max() for i in whole]
    assert max(apart) <= (1 if name == "flux" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", small.ARCHITECTURES)
def test_noise_does_not_depend_on_the_batch(loaded: dict[str, Model], name: str) -> None:
    """The latents that a denoiser starts from are bit-equal in batches of any size."""
    model = loaded[name]
    seen: dict[int, list[torch.Tensor]] = {}
    part = model.pipeline.unet if hasattr(model.pipeline, "unet") else model.pipeline.transformer

    def watch(size: int) -> Any:
        def hook(module: Any, args: Any, kwargs: Any) -> None:
            given = args[0] if args else kwargs["hidden_states"]
            seen.setdefault(size, []).append(given[:size].clone())

        return part.register_forward_pre_hook(hook, with_kwargs=True)

    samples = sorted(plan(4), key=lambda s: s.text)
    for size in (1, 4):
        handle = watch(size)
        pictures(model, samples, settings(steps=2, batch=size, guidance=1.0))
        handle.remove()
    first = torch.cat(seen[1][:: len(seen[1]) // 4])
    assert torch.equal(first, seen[4][0])


@pytest.mark.slow
@pytest.mark.parametrize("name", small.ARCHITECTURES)
def test_seed_and_guidance_reach_the_model(loaded: dict[str, Model], name: str) -> None:
    """Another seed or another guidance gives another picture."""
    one = plan(1)
    base = pictures(loaded[name], one, settings(guidance=2.0))["s0"]
    other = Sample("s0", "p", "none", 5, one[0].text)
    assert not np.array_equal(base, pictures(loaded[name], [other], settings(guidance=2.0))["s0"])
    assert not np.array_equal(base, pictures(loaded[name], one, settings(guidance=90.0))["s0"])


@pytest.mark.slow
@pytest.mark.parametrize("name", small.ARCHITECTURES)
def test_each_text_is_encoded_once(
    loaded: dict[str, Model], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine pictures of three texts take three encodings, and one of the empty text if any."""
    model, calls = loaded[name], []
    whole = model.pipeline.encode_prompt

    @functools.wraps(whole)
    def counted(*args: Any, **given: Any) -> Any:
        calls.append(given.get("prompt", args[0] if args else None))
        return whole(*args, **given)

    monkeypatch.setattr(model.pipeline, "encode_prompt", counted)
    # Each pipeline passes the states that it is given through the same function once more.
    pictures(model, plan(9), settings())
    made = [c for c in calls if c is not None]
    assert sorted(c for c in made if c) == sorted(TEXTS)
    assert len(made) - 3 == (0 if name in ("flux", "lcm") else 1)


def test_a_negative_prompt_is_used_or_refused(loaded: dict[str, Model]) -> None:
    """It changes the picture where the model knows it, and is refused where it does not."""
    base = pictures(loaded["sdxl"], plan(1), settings())["s0"]
    other = pictures(loaded["sdxl"], plan(1), settings(negative="a cook"))["s0"]
    assert not np.array_equal(base, other)
    with pytest.raises(UserError, match="takes no negative prompt"):
        Texts(loaded["lcm"], "a cook", guided=True)


def test_an_arm_may_change_guidance_and_the_negative_prompt(loaded: dict[str, Model]) -> None:
    """Each sample is drawn under its own arm's settings, whatever else is in the plan."""
    model = loaded["sdxl"]
    changes: list[dict[str, Any]] = [
        {},
        {"guidance": 1.0},
        {"guidance": 7.0},
        {"negative": "a cook"},
    ]
    mixed = [
        replace(s, id=f"{s.id}-{k}", change=Change(**how))
        for k, how in enumerate(changes)
        for s in plan(4)
    ]
    together = pictures(model, mixed, settings())
    assert len(together) == 16
    for k, how in enumerate(changes):
        alone = pictures(model, plan(4), settings(**how))
        for id, picture in alone.items():
            assert np.array_equal(together[f"{id}-{k}"], picture)
    kinds = [together[f"s0-{k}"].tobytes() for k in range(len(changes))]
    assert len(set(kinds)) == len(changes)


def test_images_of_one_arm_may_have_negative_prompts_of_their_own(loaded: dict[str, Model]) -> None:
    """Each picture is what its own negative prompt gives, whatever its neighbours' are."""
    model, words = loaded["sd1"], ["male, man", "female, woman"]
    mixed = [replace(s, change=Change(negative=words[i % 2])) for i, s in enumerate(plan(5))]
    together = pictures(model, mixed, settings())
    for i, s in enumerate(plan(5)):
        alone = pictures(model, plan(5), settings(negative=words[i % 2]))
        assert np.abs(alone[s.id].astype(int) - together[s.id].astype(int)).max() <= 2


INSIDE = {
    "noise": {"level": 0.5}, "token-noise": {"probability": 0.6, "width": 1.7},
    "rescale-attention": {"factor": 2.0},
    "optimise-states": {"target": 1e-6, "rate": 0.05, "iterations": 3},
}  # fmt: skip


def changed(samples: list[Sample], *methods: str) -> list[Sample]:
    """The samples with these methods in the engine."""
    inside = tuple(Intervention(m, INSIDE[m]) for m in methods)
    return [replace(s, change=Change(interventions=inside)) for s in samples]


@pytest.mark.parametrize("method", INSIDE)
def test_an_arm_may_change_states_or_attention(loaded: dict[str, Model], method: str) -> None:
    """It changes the picture, by the image's own text and seed: the batch makes no difference."""
    model, samples = loaded["sd1"], changed(plan(5), method)
    base = pictures(model, plan(5), settings())
    together = pictures(model, samples, settings(batch=5))
    assert all(not np.array_equal(base[i], together[i]) for i in base)
    for s in samples:
        alone = pictures(model, [s], settings(batch=1))[s.id]
        assert np.abs(alone.astype(int) - together[s.id].astype(int)).max() <= 2
    again = pictures(model, plan(5), settings())
    assert all(np.array_equal(base[i], again[i]) for i in base)


STACKS = [("noise", "rescale-attention"), ("rescale-attention", "noise"),
          ("rescale-attention", "optimise-states"), ("optimise-states", "noise")]  # fmt: skip


@pytest.mark.parametrize("methods", STACKS, ids="+".join)
def test_several_may_change_what_is_inside(loaded: dict[str, Model], methods: tuple[str]) -> None:
    """All of them count, the batch does not, and nothing is left of them behind."""
    model = loaded["sd1"]
    samples = changed(plan(3), *methods)
    base = pictures(model, plan(3), settings())
    together = pictures(model, samples, settings(batch=3))
    for method in methods:
        single = pictures(model, changed(plan(3), method), settings(batch=3))
        assert all(not np.array_equal(single[i], together[i]) for i in single)
    if "optimise-states" not in methods:
        other = pictures(model, changed(plan(3), *methods[::-1]), settings(batch=3))
        assert all(np.array_equal(other[i], together[i]) for i in other)
    last = pictures(model, samples[-1:], settings(batch=1))[samples[-1].id]
    assert np.abs(last.astype(int) - together[samples[-1].id].astype(int)).max() <= 2
    again = pictures(model, plan(3), settings())
    assert all(np.array_equal(base[i], again[i]) for i in base)


def test_a_method_that_a_model_has_no_place_for(loaded: dict[str, Model]) -> None:
    """Flux has no cross-attention to a text encoder of its own: one sentence."""
    with pytest.raises(UserError, match="no cross-attention"):
        pictures(loaded["flux"], changed(plan(1), "rescale-attention"), settings())
    unknown = Change(interventions=(Intervention("x", {"factor": 1.25}),))
    with pytest.raises(UserError, match="Unknown mitigation in the engine 'x'"):
        pictures(loaded["sd1"], [replace(s, change=unknown) for s in plan(1)], settings())


def test_a_size_is_drawn_or_refused(loaded: dict[str, Model]) -> None:
    """Pictures come in the size that was asked for; a size that does not fit is one sentence."""
    wide = pictures(loaded["sd1"], plan(1), settings(size="32x16"))["s0"]
    assert wide.shape == (16, 32, 3)
    with pytest.raises(UserError, match="refuses these settings"):
        pictures(loaded["sd1"], plan(1), settings(size="33x16"))


def test_memory_that_runs_out_halves_the_batch_and_loses_nothing(
    loaded: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of four fail, batches of two do not: all pictures come, and it is said once."""
    said: list[str] = []
    model, whole = loaded["sd1"], sampler.called

    def scarce(model: Model, states: Any, seeds: list[int], rest: Any) -> Any:
        if len(seeds) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, states, seeds, rest)

    monkeypatch.setattr(sampler, "called", scarce)
    drawn = list(sampler.draw(model, plan(7), settings(batch=4), said.append))
    assert sorted(i for b in drawn for i in b.ids) == [f"s{i}" for i in range(7)]
    assert said == ["Memory ran out at 4 images at once; continuing with 2."]
    monkeypatch.setattr(sampler, "called", lambda *a: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(UserError, match="single image"):
        list(sampler.draw(model, plan(2), settings(batch=2), said.append))


def test_a_safety_checker_blocks_and_is_never_scored(tmp_path: Path) -> None:
    """Pictures that the model's own checker holds back are marked, the others are not."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    torch.manual_seed(0)
    config = CLIPConfig(
        vision_config={"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
                       "num_attention_heads": 2, "image_size": 16, "patch_size": 8},
        text_config={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
        projection_dim=16,
    )  # fmt: skip
    checker = StableDiffusionSafetyChecker(config)
    images = CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    for name, limit in (("strict", -2.0), ("calm", 2.0)):
        checker.concept_embeds_weights.data.fill_(limit)
        checker.special_care_embeds_weights.data.fill_(2.0)
        pipeline = small.stable_diffusion(
            tmp_path, safety_checker=checker, feature_extractor=images,
            requires_safety_checker=True,
        )  # fmt: skip
        pipeline.save_pretrained(tmp_path / name)
        model = models.load(find(str(tmp_path / name)), Loading(dtype="float32", device="cpu"))
        batch = next(sampler.draw(model, plan(2), settings(batch=2)))
        assert batch.missing == ["blocked" if name == "strict" else ""] * 2


def test_long_texts_are_noticed(loaded: dict[str, Model]) -> None:
    """A text beyond the encoders' reach is reported as cut short."""
    assert truncated(loaded["sd1"], "a nurse " * 40)
    assert not truncated(loaded["sd1"], "a nurse")
