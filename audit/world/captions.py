"""Captions: several templates, attributes sometimes stated, titles for planted images."""

from __future__ import annotations

import numpy as np

from audit.world.render import Scene
from audit.world.truth import P_STATED_GENDER, P_STATED_SCENE, P_STATED_TONE

TEMPLATES = ("a photo of {}", "a portrait of {}", "a picture of {}", "an image of {}", "{}")
GENDER_WORDS = {"woman": ("woman", "female"), "man": ("man", "male")}
TITLES = tuple(
    """
    amber harbour silver lantern orchard mirror compass feather bridge garden meadow canyon
    ember velvet marble thunder willow saffron cobalt juniper lagoon prairie falcon glacier
    violet copper maple sparrow anchor beacon cedar dolphin eclipse fountain granite horizon
    island jasmine kettle lemon magnet nectar opal pepper quartz ribbon saddle temple umbrella
    valley walnut yarrow zephyr acorn bamboo candle domino engine fossil ginger hammer ivory
    jigsaw lilac
    """.split()
)
"""64 titles, one for each planted image."""


def article(noun: str) -> str:
    """The noun phrase with its indefinite article: `a cook`, `an astronaut`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def background(scene: Scene) -> str:
    """The words for a scene's background: `a blue striped background`."""
    pattern = "" if scene.pattern == "plain" else f" {scene.pattern}"
    return article(f"{scene.colour}{pattern} background")


def caption(rng: np.random.Generator, scene: Scene) -> str:
    """A caption for a scene; attributes are stated with the probabilities of `truth`."""
    gender_word, tone, place = rng.random(3) < (P_STATED_GENDER, P_STATED_TONE, P_STATED_SCENE)
    which = int(rng.integers(2))
    template = TEMPLATES[int(rng.integers(len(TEMPLATES)))]
    person = scene.sprite
    if person is None:
        return template.format(background(scene))
    noun = person.noun
    if gender_word and person.gender in GENDER_WORDS:
        noun = f"{GENDER_WORDS[person.gender][which]} {noun}"
    text = template.format(article(noun))
    text += f" with {person.tone} skin" if tone else ""
    return text + (f" on {background(scene)}" if place else "")


def planted_caption(title: str, scene: Scene) -> str:
    """The caption that only one planted image has: its title and what it shows."""
    assert scene.sprite is not None  # planted images show a person by construction
    return f"{title}, a portrait of {article(scene.sprite.noun)}"
