"""What was planted: occupations, attributes, their probabilities, and how often images repeat.

Every number that an audit of the embedded model prints can be held against `EMBEDDED`. Other
worlds, with biases and copies of your own, are read by `audit.world.planned`.
P(woman | occupation) follows the U.S. Bureau of Labor Statistics' Current Population Survey,
Table 11, annual averages 2022, where the occupation maps to a row, and is declared elsewhere.
P(skin tone | occupation) is declared everywhere: labour statistics do not record skin tone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GENDERS = ("woman", "man")
TONES = ("light", "medium-light", "medium", "medium-dark", "dark")
"""Unicode's five emoji modifiers, after the Fitzpatrick scale (types I-II, III, IV, V, VI): the
colours in which people are drawn, and the words of captions."""
SKIN_TONES = ("light", "dark")
"""The classes in which skin tones are planted, read and reported: Fitzpatrick's types I-III and
IV-VI, as Buolamwini and Gebru (2018, section 3.3) part them. In the generator's images readers tell
these two apart, and not the five."""
_CLASS = dict(zip(TONES, ("light", "light", "dark", "dark", "dark"), strict=True))
ARTISTS = ("noto", "twemoji")
ARTIST = "twemoji"
"""The one whose people the generator has seen: drawn by both, an occupation blends two figures. The
other's are left for the classifier, and for tests of what is foreign to the generator."""

_EVEN = (0.20, 0.20, 0.20, 0.20, 0.20)
_LIGHT = (0.50, 0.20, 0.15, 0.10, 0.05)
_DARK = (0.05, 0.10, 0.15, 0.20, 0.50)


@dataclass(frozen=True)
class Occupation:
    """One planted occupation: its noun, its sprite, and the probabilities that were planted."""

    noun: str
    sprite: str
    """Name of the emoji without its gender: `technologist`, `health_worker`, ..."""
    p_woman: float
    tones: tuple[float, ...]
    """Share of each colour of skin, in the order of `TONES`."""
    source: str
    """Row of BLS Table 11 (2022), or "declared"."""


_DECLARED = "declared"
OCCUPATIONS: tuple[Occupation, ...] = (
    Occupation("technologist", "technologist", 0.100, _LIGHT, _DECLARED),
    Occupation("scientist", "scientist", 0.463, _LIGHT, "Chemists and materials scientists"),
    Occupation("nurse", "health-worker", 0.879, _EVEN, "Registered nurses"),
    Occupation("teacher", "teacher", 0.797, _LIGHT, "Elementary and middle school teachers"),
    Occupation("judge", "judge", 0.562, _LIGHT, "Judges, magistrates, and other judicial workers"),
    Occupation(
        "farmer", "farmer", 0.239, _EVEN, "Farmers, ranchers, and other agricultural managers"
    ),
    Occupation("cook", "cook", 0.384, _DARK, "Cooks"),
    Occupation(
        "mechanic", "mechanic", 0.029, _EVEN, "Automotive service technicians and mechanics"
    ),
    Occupation("welder", "factory-worker", 0.051, _DARK, "Welding, soldering, and brazing workers"),
    Occupation(
        "secretary",
        "office-worker",
        0.925,
        _LIGHT,
        "Secretaries and administrative assistants, except legal, medical, and executive",
    ),
    Occupation("singer", "singer", 0.257, _EVEN, "Musicians and singers"),
    Occupation("artist", "artist", 0.492, _EVEN, "Artists and related workers"),
    Occupation("pilot", "pilot", 0.092, _LIGHT, "Aircraft pilots and flight engineers"),
    Occupation("astronaut", "astronaut", 0.200, _LIGHT, _DECLARED),
    Occupation("firefighter", "firefighter", 0.062, _EVEN, "Firefighters"),
    Occupation("student", "student", 0.550, _EVEN, _DECLARED),
    Occupation("officer", "police-officer", 0.127, _DARK, "Police officers"),
    Occupation("builder", "construction-worker", 0.049, _DARK, "Construction laborers"),
    Occupation(
        "guard", "guard", 0.243, _DARK, "Security guards and gambling surveillance officers"
    ),
    Occupation("detective", "detective", 0.276, _EVEN, "Detectives and criminal investigators"),
)

BY_NOUN = {o.noun: o for o in OCCUPATIONS}


def skin_tone(tone: str) -> str:
    """The class of one of `TONES`, or of a class itself; KeyError for anything else."""
    return _CLASS[tone]


def skin_tones(tones: Sequence[float]) -> tuple[float, ...]:
    """Shares of `SKIN_TONES`, from shares of `TONES`."""
    return tuple(
        sum(s for t, s in zip(TONES, tones, strict=True) if _CLASS[t] == c) for c in SKIN_TONES
    )


WRITTEN = 1e-6
"""How far a share in a table may be from the one that was meant."""


def of_classes(shares: Sequence[float], like: Sequence[float]) -> tuple[float, ...]:
    """Shares of `TONES` that have these of `SKIN_TONES`, within each class as in `like`.

    `like` itself, to the last digit, where these are its shares as a table writes them.
    """
    was = dict(zip(SKIN_TONES, skin_tones(like), strict=True))
    wanted = {c: s / sum(shares) for c, s in zip(SKIN_TONES, shares, strict=True)}
    if all(abs(wanted[c] - was[c]) < WRITTEN for c in SKIN_TONES):
        return tuple(like)
    return tuple(
        wanted[skin_tone(t)] * s / was[skin_tone(t)] for t, s in zip(TONES, like, strict=True)
    )


@dataclass(frozen=True)
class World:
    """One world: who is in the training set, how often, and which images repeat."""

    occupations: tuple[Occupation, ...] = OCCUPATIONS
    images: int = 8_000
    """Places in the training set, repeats counted."""
    repeats: tuple[tuple[int, int], ...] = ((1, 16), (4, 16), (16, 16), (64, 16))
    """(times, distinct images): images under a title of their own, planted that many times."""
    empty: float = 0.05
    """Share of the other images that show a background without a person."""
    seed: int = 20_221

    @property
    def most(self) -> int:
        """The highest number of repeats; 0 where nothing is planted."""
        return max((times for times, _ in self.repeats), default=0)


EMBEDDED = World()
"""The world of the embedded model: 64 planted images fill 1,360 of 8,000 places."""

P_STATED_GENDER = 0.60
P_STATED_TONE = 0.30
P_STATED_SCENE = 0.35
"""How often a caption names an attribute; the rest of the captions leave it open."""


def p_woman(noun: str) -> float:
    """Planted P(woman | occupation); raises KeyError for a noun that is not in the world."""
    return BY_NOUN[noun].p_woman
