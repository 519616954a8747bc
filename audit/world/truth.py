"""What was planted: occupations, attributes, their probabilities, and how often images repeat.

Every number that an audit of the embedded model prints can be held against this file.
P(woman | occupation) follows the U.S. Bureau of Labor Statistics' Current Population Survey,
Table 11, annual averages 2022, where the occupation maps to a row, and is declared elsewhere.
P(skin tone | occupation) is declared everywhere: labour statistics do not record skin tone.
"""

from __future__ import annotations

from dataclasses import dataclass

GENDERS = ("woman", "man")
TONES = ("light", "medium-light", "medium", "medium-dark", "dark")
"""Unicode's five emoji modifiers, after the Fitzpatrick scale (types I-II, III, IV, V, VI)."""
ARTISTS = ("noto", "twemoji")

TONE_PROFILES: dict[str, tuple[float, ...]] = {
    "even": (0.20, 0.20, 0.20, 0.20, 0.20),
    "light": (0.50, 0.20, 0.15, 0.10, 0.05),
    "dark": (0.05, 0.10, 0.15, 0.20, 0.50),
}


@dataclass(frozen=True)
class Occupation:
    """One planted occupation: its noun, its sprite, and the probabilities that were planted."""

    noun: str
    sprite: str
    """Name of the emoji without its gender: `technologist`, `health_worker`, ..."""
    p_woman: float
    tones: str
    """Key of `TONE_PROFILES`."""
    source: str
    """Row of BLS Table 11 (2022), or "declared"."""


_DECLARED = "declared"
OCCUPATIONS: tuple[Occupation, ...] = (
    Occupation("technologist", "technologist", 0.100, "light", _DECLARED),
    Occupation("scientist", "scientist", 0.463, "light", "Chemists and materials scientists"),
    Occupation("nurse", "health-worker", 0.879, "even", "Registered nurses"),
    Occupation("teacher", "teacher", 0.797, "light", "Elementary and middle school teachers"),
    Occupation("judge", "judge", 0.562, "light", "Judges, magistrates, and other judicial workers"),
    Occupation(
        "farmer", "farmer", 0.239, "even", "Farmers, ranchers, and other agricultural managers"
    ),
    Occupation("cook", "cook", 0.384, "dark", "Cooks"),
    Occupation(
        "mechanic", "mechanic", 0.029, "even", "Automotive service technicians and mechanics"
    ),
    Occupation(
        "welder", "factory-worker", 0.051, "dark", "Welding, soldering, and brazing workers"
    ),
    Occupation(
        "secretary",
        "office-worker",
        0.925,
        "light",
        "Secretaries and administrative assistants, except legal, medical, and executive",
    ),
    Occupation("singer", "singer", 0.257, "even", "Musicians and singers"),
    Occupation("artist", "artist", 0.492, "even", "Artists and related workers"),
    Occupation("pilot", "pilot", 0.092, "light", "Aircraft pilots and flight engineers"),
    Occupation("astronaut", "astronaut", 0.200, "light", _DECLARED),
    Occupation("firefighter", "firefighter", 0.062, "even", "Firefighters"),
    Occupation("student", "student", 0.550, "even", _DECLARED),
    Occupation("officer", "police-officer", 0.127, "dark", "Police officers"),
    Occupation("builder", "construction-worker", 0.049, "dark", "Construction laborers"),
    Occupation(
        "guard", "guard", 0.243, "dark", "Security guards and gambling surveillance officers"
    ),
    Occupation("detective", "detective", 0.276, "even", "Detectives and criminal investigators"),
)

BY_NOUN = {o.noun: o for o in OCCUPATIONS}

TRAINING_IMAGES = 12_000
REPEATS = (1, 4, 16, 64)
PLANTED_PER_LEVEL = 16
"""16 distinct images at each level of `REPEATS`: 64 images that fill 1,360 places."""
EMPTY_SHARE = 0.05
"""Share of the unplanted images that show a background without a person."""

P_STATED_GENDER = 0.60
P_STATED_TONE = 0.30
P_STATED_SCENE = 0.35
P_STATED_ARTIST = 0.20
"""How often a caption names an attribute; the rest of the captions leave it open."""


def p_woman(noun: str) -> float:
    """Planted P(woman | occupation); raises KeyError for a noun that is not in the world."""
    return BY_NOUN[noun].p_woman


def p_tones(noun: str) -> tuple[float, ...]:
    """Planted P(skin tone | occupation), in the order of `TONES`."""
    return TONE_PROFILES[BY_NOUN[noun].tones]
