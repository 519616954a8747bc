"""The attribute classifier: a small CLIP model (Radford et al. 2021) in open_clip's own format.

Contrastive on balanced renders and their captions, and, attribute by attribute, on the texts of
its classes; zero-shot prompts then read occupation, gender, skin tone and the scene. Renders that
the generator has redrawn, and images of its own that two readers labelled, are in its training.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from audit.errors import UserError
from audit.world import tokens, truth
from audit.world.art import Sprite, sprites
from audit.world.captions import GENDER_WORDS, TEMPLATES, article, background
from audit.world.render import COLOURS, PATTERNS, SIZE, Scene, draw_scene, render
from audit.world.seen import LABELLED, READERS, Seen, seen
from audit.world.train.loop import Schedule, fit, half_precision
from audit.world.train.redraw import Redrawn, other_hair
from audit.world.train.vae import to_tensor

SEED = 37
WEIGHTS = "open_clip_model.safetensors"
"""The file of the weights, by open_clip's name."""
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
    "skin_tone": truth.SKIN_TONES,
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
        named |= {k: getattr(person, k) for k in ("gender", "noun", "artist")}
        if person.tone in truth.TONES:
            named["skin_tone"] = person.skin_tone
    return {k: c.index(named[k]) if named.get(k) in c else -100 for k, c in CLASSES.items()}


def class_text(rng: np.random.Generator, attribute: str, value: str) -> str:
    """A text for one class, in one of the ways in which a person might ask for it."""
    template = TEMPLATES[int(rng.integers(len(TEMPLATES)))]
    if attribute == "gender":
        word = GENDER_WORDS[value][int(rng.integers(2))]
        return template.format(article(word if word == value else f"{word} person"))
    if attribute == "skin_tone":
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
    person = f"{article(who)} with {p.skin_tone} skin"
    return f"a photo of {person} on {background(scene)} in {p.artist} style"


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


@dataclass(frozen=True)
class Batch:
    """Pictures with what each shows; a blend of two shows half of either."""

    pixels: np.ndarray
    """uint8[n, 64, 64, 3]."""
    scenes: list[Scene]
    others: list[Scene]
    """The second scene of a blend; the scene itself where nothing is blended."""
    labelled: int = 0
    """How many at the end are images that two readers labelled: what one reader saw, and what the
    other saw. Neither says anything about the background."""

    @cached_property
    def whole(self) -> torch.Tensor:
        """Which images a caption describes in full, bool[n]: neither blends nor labelled ones."""
        own = [a == b for a, b in zip(self.scenes, self.others, strict=True)]
        own[len(own) - self.labelled :] = [False] * self.labelled
        return torch.tensor(own)

    def targets(self, attribute: str) -> torch.Tensor:
        """Shares of each class, float32[n, K]; zeros where the attribute is not shown."""
        shares = torch.zeros(len(self.scenes), len(CLASSES[attribute]))
        for side in (self.scenes, self.others):
            for row, scene in enumerate(side):
                if (place := labels(scene)[attribute]) >= 0:
                    shares[row, place] += 0.5
        return shares * (shares.sum(1, keepdim=True) > 0.9)


BLENDED = 8
"""Pictures of a batch that blend two people: nobody can say who is shown, nor should a model."""


def renders(rng: np.random.Generator, n: int) -> Batch:
    """`n` renders of anybody, the first BLENDED blended with another gender, tone or occupation."""
    everyone = sprites()
    picks = [other_hair(rng, everyone[int(i)]) for i in rng.integers(len(everyone), size=n)]
    people = [None if rng.random() < 0.08 else p for p in picks]
    scenes = [draw_scene(rng, p) for p in people]
    others = [_other(rng, s) if k < BLENDED else s for k, s in enumerate(scenes)]
    pixels = np.stack([
        ((render(a).astype(int) + render(b)) // 2).astype(np.uint8)
        for a, b in zip(scenes, others, strict=True)
    ])  # fmt: skip
    return Batch(pixels, scenes, others)


def _other(rng: np.random.Generator, scene: Scene) -> Scene:
    """The same scene with a person that differs in one attribute."""
    person = scene.sprite
    if person is None or person.gender == "unmarked":
        return scene
    kind = ("gender", "gender", "tone", "noun")[int(rng.integers(4))]
    choices = truth.TONES if kind == "tone" else CLASSES[kind]
    rest = [c for c in choices if c != getattr(person, kind)]
    return replace(scene, sprite=replace(person, **{kind: rest[int(rng.integers(len(rest)))]}))


def as_scenes(labels: Seen) -> list[tuple[Scene, Scene]]:
    """What each of two readers saw in each image, as a scene of which only the person is known."""
    ours = {"gender": "gender", "skin_tone": "tone", "occupation": "noun"}

    def scene(row: dict[str, str], reader: str) -> Scene:
        person = Sprite(artist="", **{o: row[f"{a}_{reader}"] for a, o in ours.items()})
        return Scene(person, SIZE, 0, 0, False, "", "", (0, 0, 0), (0, 0, 0), 0.0, ())

    rows = labels.table.to_dict("records")
    return [(scene(r, READERS[0]), scene(r, READERS[1])) for r in rows]


@cache
def _labelled() -> tuple[np.ndarray, list[tuple[Scene, Scene]]]:
    labels = seen(LABELLED)
    return labels.pictures, as_scenes(labels)


def batch(rng: np.random.Generator, bank: Redrawn | None) -> Batch:
    """Renders alone, or half of them with others that went through the generator.

    A sixth of the batch are then images that it drew and two readers labelled.
    """
    if bank is None:
        return renders(rng, BATCH)
    drawn, (pictures, saw) = renders(rng, BATCH // 2), _labelled()
    rows = rng.integers(len(bank.items) - HELD, size=BATCH // 2 - READ)
    read = rng.integers(len(saw), size=READ)
    pairs = [*(bank.shown[int(i)] for i in rows), *(saw[int(i)] for i in read)]
    scenes, others = zip(*pairs, strict=True)
    return Batch(
        np.concatenate([drawn.pixels, bank.pictures[rows], pictures[read]]),
        [*drawn.scenes, *scenes], [*drawn.others, *others], READ,
    )  # fmt: skip


READ = 16
"""Images of a batch that two readers labelled."""
HELD = 600
"""Pictures at the end of the bank that are kept for the temperature."""


def train(
    work: Path, schedule: Schedule, bank: Redrawn | None = None, start: Path | None = None
) -> nn.Module:
    """Train from the recipe's seed; `work/model` then holds configuration and tokenizer.

    With a bank of renders that the generator has redrawn, half of each batch comes from it, and the
    scale of the logits is set on its last HELD pictures (Guo et al. 2017): probabilities then mean
    what they say on generated pictures. `start` is a model folder whose weights it begins with.
    """
    import open_clip

    folder = write_config(work / "model")
    torch.manual_seed(SEED)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    if start is not None:
        _begin(model, start)

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        rng = np.random.default_rng((SEED, step))
        drawn = batch(rng, bank)
        x = augment(rng, to_tensor(drawn.pixels))
        texts = [class_text(rng, a, c) for a, classes in CLASSES.items() for c in classes]
        captions = [full_caption(s) for s, w in zip(drawn.scenes, drawn.whole, strict=True) if w]
        words = tokenize(texts + captions)
        with half_precision():
            image = F.normalize(model.encode_image(x).float(), dim=-1)
            text = F.normalize(model.encode_text(words).float(), dim=-1)
        logits = model.logit_scale.exp().clamp(max=100) * image @ text.T
        return _loss(logits, drawn)

    fit(model, loss, schedule, work)
    if bank is not None:
        calibrate(model, tokenize, bank)
    return model


def _begin(model: nn.Module, start: Path) -> None:
    """Give a model the weights of another one's folder; UserError where they do not fit."""
    try:
        model.load_state_dict(load_file(start / WEIGHTS))
    except (RuntimeError, OSError, SafetensorError) as error:
        said = " ".join(str(error).split())[:200]
        raise UserError(f"The weights in {start} do not fit this classifier: {said}") from error


def _loss(logits: torch.Tensor, drawn: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Contrast with captions, and with the texts of each attribute's classes; shares read right."""
    classes = sum(len(c) for c in CLASSES.values())
    pair = logits[drawn.whole, classes:]
    same = torch.arange(len(pair))
    contrast = F.cross_entropy(pair, same) + F.cross_entropy(pair.T, same)
    total, start, right = 0.25 * contrast, 0, {}
    for attribute, names in CLASSES.items():
        part, target = logits[:, start : start + len(names)], drawn.targets(attribute)
        shown = target.sum(1) > 0
        total = total + F.cross_entropy(part[shown], target[shown])
        sure = shown & drawn.whole
        right[attribute] = float((part.argmax(1) == target.argmax(1))[sure].float().mean())
        start += len(names)
    return total, right


@torch.no_grad()
def calibrate(
    model: nn.Module, tokenize: Callable[[list[str]], torch.Tensor], bank: Redrawn
) -> None:
    """Set the scale of the logits to that of the lowest loss on the bank's last pictures."""
    scenes, others = zip(*bank.shown[-HELD:], strict=True)
    held = Batch(bank.pictures[-HELD:], list(scenes), list(others))
    parts = to_tensor(held.pixels).split(50)
    image = torch.cat([F.normalize(model.encode_image(x).float(), dim=-1) for x in parts])
    cosines = {}
    for attribute in ("gender", "skin_tone", "noun"):
        groups = zero_shot_texts(attribute).values()
        rows = [F.normalize(model.encode_text(tokenize(list(g))).float(), dim=-1) for g in groups]
        middle = F.normalize(torch.stack([r.mean(0) for r in rows]), dim=-1)
        cosines[attribute] = image @ middle.T
    scales = torch.logspace(0, 2, 81)
    losses = [
        sum(float(F.cross_entropy(s * c, held.targets(a))) for a, c in cosines.items())
        for s in scales
    ]
    model.logit_scale.fill_(float(scales[int(np.argmin(losses))].log()))


def zero_shot_texts(attribute: str) -> dict[str, list[str]]:
    """Fixed texts for the classes of an attribute: every template once, from one seed."""
    rng = np.random.default_rng(SEED)
    return {
        c: sorted({class_text(rng, attribute, c) for _ in range(12)}) for c in CLASSES[attribute]
    }
