"""The attribute classifier: a small CLIP model (Radford et al. 2021) in open_clip's own format.

Contrastive on balanced renders and their captions, and, attribute by attribute, on the texts of
its classes; zero-shot prompts then read occupation, gender, skin tone and the scene.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from audit.world import tokens, truth
from audit.world.art import Sprite, sprites
from audit.world.captions import GENDER_WORDS, TEMPLATES, article, background
from audit.world.render import COLOURS, PATTERNS, Scene, draw_scene, render
from audit.world.train.loop import Schedule, fit

SEED = 37
BATCH = 96
CONFIG = {
    "model_cfg": {
        "embed_dim": 128,
        "vision_cfg": {"image_size": 64, "layers": [2, 2, 2, 2], "width": 32, "patch_size": None},
        "text_cfg": {
            "context_length": tokens.CONTEXT,
            "vocab_size": 0,
            "width": 128,
            "heads": 4,
            "layers": 2,
            "hf_tokenizer_name": "world",
        },
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "squash",
    },
}
CLASSES: dict[str, tuple[str, ...]] = {
    "gender": truth.GENDERS,
    "tone": truth.TONES,
    "noun": tuple(o.noun for o in truth.OCCUPATIONS),
    "artist": truth.ARTISTS,
    "colour": tuple(COLOURS),
    "pattern": PATTERNS,
    "person": ("somebody", "nobody"),
}


def write_config(folder: Path) -> Path:
    """Write tokenizer and open_clip configuration into `folder`."""
    tokens.build(folder)
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    config = json.loads(json.dumps(CONFIG))
    config["model_cfg"]["text_cfg"]["vocab_size"] = len(vocabulary)
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    return folder


def labels(scene: Scene) -> dict[str, int]:
    """Class index of each attribute of a scene; -100 (which cross-entropy ignores) for none."""
    named = {"colour": scene.colour, "pattern": scene.pattern}
    person = scene.sprite
    named["person"] = "nobody" if person is None else "somebody"
    if person is not None:
        named |= {k: getattr(person, k) for k in ("gender", "tone", "noun", "artist")}
    return {k: c.index(named[k]) if named.get(k) in c else -100 for k, c in CLASSES.items()}


def class_text(rng: np.random.Generator, attribute: str, value: str) -> str:
    """A text for one class, in one of the ways in which a person might ask for it."""
    template = TEMPLATES[int(rng.integers(len(TEMPLATES)))]
    if attribute == "gender":
        word = GENDER_WORDS[value][int(rng.integers(2))]
        return template.format(article(word if word == value else f"{word} person"))
    if attribute == "tone":
        return template.format(f"a person with {value} skin")
    if attribute == "noun":
        return template.format(article(value))
    if attribute == "artist":
        return template.format(f"a person in {value} style")
    if attribute == "colour":
        return template.format(article(f"{value} background"))
    if attribute == "pattern":
        return template.format(article(f"{value} background"))
    if value == "somebody":
        return template.format(("a person", "someone")[int(rng.integers(2))])
    scene = (list(COLOURS)[int(rng.integers(len(COLOURS)))], str(rng.choice(PATTERNS)))
    return template.format(
        ("an empty scene", article(" ".join(scene) + " background"))[int(rng.integers(2))]
    )


def full_caption(scene: Scene) -> str:
    """Everything that is in a scene, in one sentence."""
    if scene.sprite is None:
        return f"a photo of {background(scene)}"
    p = scene.sprite
    who = p.noun if p.gender == "unmarked" else f"{p.gender} {p.noun}"
    return (
        f"a photo of {article(who)} with {p.tone} skin on {background(scene)} in {p.artist} style"
    )


def augment(rng: np.random.Generator, x: torch.Tensor) -> torch.Tensor:
    """Blur, noise and a slight change of contrast, as a generator's pictures have them."""
    if rng.random() < 0.5:
        sigma = 0.4 + 0.8 * float(rng.random())
        reach = torch.arange(-2, 3)
        kernel = torch.exp(-(reach**2) / (2 * sigma**2))
        kernel = (kernel / kernel.sum()).repeat(3, 1)
        x = F.conv2d(F.pad(x, (2, 2, 0, 0), mode="reflect"), kernel[:, None, None, :], groups=3)
        x = F.conv2d(F.pad(x, (0, 0, 2, 2), mode="reflect"), kernel[:, None, :, None], groups=3)
    scale = torch.from_numpy(rng.uniform(0.9, 1.1, (len(x), 1, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(rng.standard_normal(x.shape, np.float32))
    return (x * scale + 0.08 * float(rng.random()) * noise).clamp(-1, 1)


def _people(rng: np.random.Generator, n: int) -> list[Sprite | None]:
    everyone = sprites()
    picks = rng.integers(len(everyone), size=n)
    return [None if rng.random() < 0.08 else everyone[int(i)] for i in picks]


def train(work: Path, schedule: Schedule) -> nn.Module:
    """Train from the recipe's seed; `work/model` then holds configuration and tokenizer."""
    import open_clip

    folder = write_config(work / "model")
    torch.manual_seed(SEED)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        rng = np.random.default_rng((SEED, step))
        scenes = [draw_scene(rng, p) for p in _people(rng, BATCH)]
        pixels = np.stack([render(s) for s in scenes]).transpose(0, 3, 1, 2)
        x = augment(rng, torch.from_numpy(pixels.astype(np.float32)) / 127.5 - 1)
        texts = [class_text(rng, a, c) for a, classes in CLASSES.items() for c in classes]
        words = tokenize(texts + [full_caption(s) for s in scenes])
        with torch.autocast("cpu", torch.bfloat16):
            image = F.normalize(model.encode_image(x).float(), dim=-1)
            text = F.normalize(model.encode_text(words).float(), dim=-1)
        logits = model.logit_scale.exp().clamp(max=100) * image @ text.T
        targets = [labels(s) for s in scenes]
        pair = logits[:, len(texts) :]
        same = torch.arange(BATCH)
        total = 0.25 * (F.cross_entropy(pair, same) + F.cross_entropy(pair.T, same))
        start, right = 0, {}
        for attribute, classes in CLASSES.items():
            part = logits[:, start : start + len(classes)]
            target = torch.tensor([t[attribute] for t in targets])
            total = total + F.cross_entropy(part, target)
            known = target >= 0
            right[attribute] = float((part.argmax(1) == target)[known].float().mean())
            start += len(classes)
        return total, right

    fit(model, loss, schedule, work)
    return model


def zero_shot_texts(attribute: str) -> dict[str, list[str]]:
    """Fixed texts for the classes of an attribute: every template once, from one seed."""
    rng = np.random.default_rng(SEED)
    return {
        c: sorted({class_text(rng, attribute, c) for _ in range(12)}) for c in CLASSES[attribute]
    }
