"""The sprite pack: people emoji by two artists, with known occupation, gender and skin tone.

Noto Emoji (Google, Apache-2.0) and Twemoji (Twitter, CC-BY-4.0), 64 by 64 pixels each, taken from
the npm packages `emoji-datasource-google` and `emoji-datasource-twitter`, sub-category
`person-role`. `t2i-audit world art DIR` rebuilds the pack from the two unpacked packages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from audit.evidence.attributes.colour import EMOJI
from audit.world.truth import ARTISTS, GENDERS, OCCUPATIONS, TONES, skin_tone

ASSETS = Path(__file__).parent / "assets"
SIDE = 64
DATASOURCE = {"noto": "google", "twemoji": "twitter"}
_MODIFIER = dict(zip(TONES, ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"), strict=True))
_UNMARKED = {
    "health-worker": "health_worker",
    "factory-worker": "factory_worker",
    "office-worker": "office_worker",
    "police-officer": "cop",
    "construction-worker": "construction_worker",
    "guard": "guardsman",
    "detective": "sleuth_or_spy",
}


@dataclass(frozen=True)
class Sprite:
    """The labels of one picture of a person; `gender` is woman, man or unmarked."""

    noun: str
    gender: str
    tone: str
    artist: str
    hair: str = ""
    """The tone whose hair this person has instead; empty in the pack. Hair goes with the tone in
    nearly every sprite, and a classifier must not read the one from the other."""

    @property
    def skin_tone(self) -> str:
        """The class of the person's skin, of `truth.SKIN_TONES`."""
        return skin_tone(self.tone)


def sprites() -> list[Sprite]:
    """All 600 sprites in the order in which the pack stores them."""
    return [
        Sprite(o.noun, gender, tone, artist)
        for artist in ARTISTS
        for o in OCCUPATIONS
        for gender in (*GENDERS, "unmarked")
        for tone in TONES
    ]


@cache
def _index() -> dict[Sprite, int]:
    return {sprite: i for i, sprite in enumerate(sprites())}


@cache
def _atlas() -> np.ndarray:
    """The pack as uint8[600, 64, 64, 4], straight alpha."""
    with Image.open(ASSETS / "sprites.webp", formats=["WEBP"]) as image:
        flat = np.asarray(image.convert("RGBA"))
    rows, columns = flat.shape[0] // SIDE, flat.shape[1] // SIDE
    tiles = flat.reshape(rows, SIDE, columns, SIDE, 4).swapaxes(1, 2)
    return np.ascontiguousarray(tiles.reshape(rows * columns, SIDE, SIDE, 4))


def pixels(sprite: Sprite) -> np.ndarray:
    """One sprite as uint8[64, 64, 4], straight alpha; KeyError if there is no such person."""
    if not sprite.hair:
        return _atlas()[_index()[sprite]]
    was = _atlas()[_index()[replace(sprite, tone=sprite.hair, hair="")]].astype(float)
    here, there = (TONES.index(t) for t in (sprite.hair, sprite.tone))
    share = skin(replace(sprite, tone=TONES[0], hair=""))
    was[..., :3] += share[..., None] * (SKIN[there] - SKIN[here])
    return np.clip(np.rint(was), 0, 255).astype(np.uint8)


SKIN = np.array([list(bytes.fromhex(EMOJI[t][1:])) for t in TONES], float)
"""Twemoji's colour of each tone, RGB. Noto shades its faces."""


@cache
def skin(sprite: Sprite) -> np.ndarray:
    """Share of skin in each pixel of one of ARTIST's people, float64[64, 64] in 0..1.

    Skin changes over the tones as SKIN does, in part at its edges. Hair changes in another way:
    what is left of its change, once the skin's is taken away, is large.
    """
    tones = [_atlas()[_index()[replace(sprite, tone=t)]][..., :3].astype(float) for t in TONES]
    change = np.stack(tones, 2)
    change = (change - change.mean(2, keepdims=True)).reshape(SIDE * SIDE, -1)
    pure = (SKIN - SKIN.mean(0)).ravel()
    share = np.clip(change @ pure / (pure @ pure), 0, 1)
    left = ((change - share[:, None] * pure) ** 2).sum(1)
    return np.where(left < 0.02 * (pure @ pure), share, 0.0).reshape(SIDE, SIDE)


def _emoji_name(sprite: Sprite, by_noun: dict[str, str]) -> str:
    name = by_noun[sprite.noun]
    if sprite.gender == "unmarked":
        return _UNMARKED.get(name, name)
    name = {"health-worker": "doctor"}.get(name, name)
    return f"{'female' if sprite.gender == 'woman' else 'male'}-{name}"


def build(packages: dict[str, Path], out: Path) -> Path:
    """Pack the sprites of both packages (artist to unpacked folder) into one lossless WebP."""
    by_noun = {o.noun: o.sprite for o in OCCUPATIONS}
    tiles = []
    for sprite in sprites():
        folder = packages[sprite.artist]
        emoji = {e["short_name"]: e for e in _catalogue(folder)}[_emoji_name(sprite, by_noun)]
        file = emoji["skin_variations"][_MODIFIER[sprite.tone]]["image"]
        source = folder / "img" / DATASOURCE[sprite.artist] / "64" / file
        with Image.open(source, formats=["PNG"]) as image:
            tiles.append(np.asarray(image.convert("RGBA").resize((SIDE, SIDE))))
    grid = np.stack(tiles).reshape(-1, 30, SIDE, SIDE, 4).swapaxes(1, 2)
    flat = np.ascontiguousarray(grid.reshape(-1, 30 * SIDE, 4))
    flat[flat[..., 3] == 0] = 0
    Image.fromarray(flat).save(out, lossless=True, quality=100, method=6, exact=True)
    return out


@cache
def _catalogue(folder: Path) -> list[dict[str, Any]]:
    listing: list[dict[str, Any]] = json.loads((folder / "emoji.json").read_text("utf-8"))
    return [e for e in listing if e["subcategory"] == "person-role"]
