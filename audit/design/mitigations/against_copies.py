"""Rewriters against copies: random words, numbers, repetitions, and synonyms for telling words.

Random caption changes are those of Somepalli et al. 2023b ("Understanding and Mitigating Copying
in Diffusion Models", arXiv 2305.20086, section 6): a caption that is not quite the training caption
recalls its image less. They state nothing about a person, so they need no gate.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from audit.design.mitigations.grammar import indefinite
from audit.design.mitigations.syntax import pieces

if TYPE_CHECKING:
    import numpy as np

COUNT = 4
"""Default number of insertions; the authors' own code has 2, later work 4."""
NUMBERS = 100_000
"""Numbers are drawn from 0 to one below this."""

NEUTRAL_WORDS = tuple(
    """
    acorn amber anchor apple apricot atlas autumn avocado bamboo banner barley basin basket beacon
    berry birch blanket blossom bottle boulder branch breeze brick bridge bronze broom bucket button
    cactus candle canoe canvas canyon carpet carrot castle cedar cello chalk cherry cinnamon clay
    cliff clover coast cobalt coconut comet compass copper coral cotton crater creek crystal cup
    curtain daisy delta desert diamond dome drawer dune ember engine envelope feather fennel fern
    ferry flint flute fog forest fossil fountain garlic garnet gate geyser ginger glacier glass
    granite grape gravel hammer harbor harvest hazel hill honey horizon indigo iron island ivory
    ivy jar jasmine jewel juniper kettle kite ladder lagoon lake lantern lava lavender leaf lemon
    lever lily linen lotus magnet mango maple marble marsh meadow melon meteor mint mirror mist
    moss mountain nectar nickel nutmeg oak oasis oat ocean olive onion opal orbit orchard orchid
    oyster paddle palm panel paper parsley pasture peach pearl pebble pepper petal pillow pine plank
    plateau plum pond poplar poppy porcelain prairie prism pulley pumpkin quartz quilt rain raisin
    ravine reef ribbon ridge river rocket rope rose ruby saddle saffron sail salt sand sapphire
    shelf shell shore silk silver slate snow spruce stone straw stream sugar sunset swamp
    teapot thistle thunder tide timber tin topaz torch trellis tulip tundra tunnel turquoise valley
    velvet violet volcano wagon walnut waterfall wave wheat wheel willow window wool zinc zipper
    """.split()
)
"""Things that say nothing about a person, a period or a place."""


def _insert(
    text: str, count: int, rng: np.random.Generator, pick: Callable[[list[str]], str]
) -> str:
    """Insert `count` words, one after another, each anywhere with equal probability.

    Each word is drawn before its place, as the authors do. Quotations and what is syntax for a
    generator stay whole, and nothing is put after a prompt's parameters.
    """
    if count < 0:
        raise ValueError(f"count is {count}; it cannot be negative.")
    words, plain, rest = pieces(text)
    for _ in range(count):
        word = pick(plain)
        words.insert(int(rng.integers(len(words) + 1)), word)
    gap = " " if words and rest and not rest[0].isspace() else ""
    return " ".join(words) + gap + rest


def repeat_words(text: str, rng: np.random.Generator, count: int = COUNT) -> str:
    """Insert `count` random words of the text itself at random places (CWR of Somepalli et al.).

    Words are separated by white space and drawn with replacement from the original text; the result
    has single spaces. A text without words is returned unchanged.
    """
    if not pieces(text)[1]:
        return text
    return _insert(text, count, rng, lambda words: words[int(rng.integers(len(words)))])


def insert_words(text: str, rng: np.random.Generator, count: int = COUNT) -> str:
    """Insert `count` random NEUTRAL_WORDS at random places (RT of the paper).

    They are drawn with replacement; the authors draw any token of a tokenizer.
    """
    return _insert(text, count, rng, lambda _: NEUTRAL_WORDS[int(rng.integers(len(NEUTRAL_WORDS)))])


def add_numbers(
    text: str, rng: np.random.Generator, count: int = COUNT, below: int = NUMBERS
) -> str:
    """Insert `count` random numbers from 0 to `below` - 1 at random places (RNA of the paper)."""
    return _insert(text, count, rng, lambda _: str(int(rng.integers(below))))


def word_scores(pieces: Sequence[int], scores: Sequence[float]) -> list[float]:
    """Scores of a text's words from scores of its tokens: the highest of each word's pieces.

    `pieces` is the number of tokens of each word, `scores` has one number per token in the text's
    order, without the start and the end. Words that a tokenizer drops, and those after the last
    token that the model reads, score 0. Raises ValueError for more scores than pieces.
    """
    if len(scores) > sum(pieces):
        raise ValueError(f"{sum(pieces)} pieces have {len(scores)} scores.")
    ends = list(itertools.accumulate(pieces, initial=0))
    return [max(scores[a:b], default=0.0) for a, b in itertools.pairwise(ends)]


def paraphrase_tokens(
    text: str,
    scores: Sequence[float],
    words: Mapping[str, Sequence[str]],
    count: int = 1,
    rng: np.random.Generator | None = None,
) -> str:
    """Replace the `count` highest-scored words by synonyms, or remove words without one.

    `scores` has one number per word between white space, from an attribution such as the
    gradient of the noise magnitude (Wen et al. 2024, section 4.2); of equal ones the first is
    taken. `words` maps words in lower case to synonyms: the first, or with `rng` any of them.
    Punctuation, capitals and the `a` or `an` before a word stay correct; at least one word
    remains. Raises ValueError if scores do not match the words or are not numbers.
    """
    tokens = text.split()
    if len(scores) != len(tokens):
        raise ValueError(f"{len(tokens)} words have {len(scores)} scores.")
    if any(math.isnan(s) for s in scores):
        raise ValueError("A score is not a number.")
    new = list(tokens)
    for i in sorted(range(len(tokens)), key=lambda i: -scores[i])[: max(count, 0)]:
        changed = _synonym(tokens[i], words, rng)
        if changed or sum(map(bool, new)) > 1:
            new[i] = changed
    left = [i for i, word in enumerate(new) if word]
    for i, j in itertools.pairwise(left):
        if new[i].lower() in ("a", "an") and (j > i + 1 or new[j] != tokens[j]):
            right = indefinite(new[j])
            new[i] = right.capitalize() if new[i][0].isupper() else right
    return " ".join(new[i] for i in left)


def _synonym(
    token: str, words: Mapping[str, Sequence[str]], rng: np.random.Generator | None
) -> str:
    """A token's synonym with its capitals and punctuation, or empty text without one."""
    found = re.fullmatch(r"(\W*)(.*?)(\W*)", token, re.DOTALL)
    assert found is not None  # three possibly empty parts match any text
    before, core, after = found.groups()
    choices = words.get(core.lower(), ())
    if not choices:
        return ""
    chosen = choices[0 if rng is None else int(rng.integers(len(choices)))]
    if core.isupper() and len(core) > 1:
        chosen = chosen.upper()
    elif core[:1].isupper():
        chosen = chosen[:1].upper() + chosen[1:]
    return f"{before}{chosen}{after}"
