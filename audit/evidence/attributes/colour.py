"""Colours of skin: sRGB to CIELAB in full precision, typology angle, nearest Monk swatch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audit.evidence.attributes.difference import difference

TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375],
     [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
"""Linear sRGB to XYZ (IEC 61966-2-1; matrix to seven digits)."""
WHITE = TO_XYZ.sum(1)
"""D65 as the sum of the primaries: greys have a* = b* = 0 to the last digit."""
MONK = (
    "#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96",
    "#a07e56", "#825c43", "#604134", "#3a312a", "#292420",
)  # fmt: skip
"""The ten published swatches of the Monk Skin Tone scale (Monk 2019), lightest first."""
EMOJI = {"light": "#f7dece", "medium-light": "#f3d2a2", "medium": "#d5ab88",
         "medium-dark": "#af7e57", "dark": "#7c533e"}  # fmt: skip
"""The five emoji modifiers by their names in Unicode (UTS 51), in Twemoji's colours."""
TYPES = (
    ("very light", 55.0), ("light", 41.0), ("intermediate", 28.0), ("tan", 10.0), ("brown", -30.0),
    ("dark", -np.inf),
)  # fmt: skip
"""Classes of the individual typology angle with their lower limits in degrees (Chardon, Cretois &
Hourseau 1991, Int J Cosmet Sci 13:191; Del Bino & Bernerd 2013)."""


def lab(rgb: np.ndarray) -> np.ndarray:
    """uint8[..., 3] sRGB to float64[..., 3] CIELAB, L* in 0..100 (CIE 15:2004, D65).

    Channels are red, green, blue; L*, a*, b* are not scaled to bytes. Either mistake maps all ten
    Monk swatches onto three of them.
    """
    c = np.asarray(rgb, np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    t = linear @ TO_XYZ.T / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def typology_angle(colour: np.ndarray) -> np.ndarray:
    """ITA in degrees of CIELAB float[..., 3]: atan2(L* - 50, b*); higher is lighter."""
    return np.degrees(np.arctan2(colour[..., 0] - 50, colour[..., 2]))


def skin_type(angle: float) -> str:
    """The class of TYPES that an angle falls into."""
    return next(name for name, low in TYPES if angle > low)


def swatches() -> np.ndarray:
    """The Monk swatches as uint8[10, 3]."""
    return np.array([[int(h[i : i + 2], 16) for i in (1, 3, 5)] for h in MONK], np.uint8)


def swatches_of(classes: Sequence[str]) -> dict[str, str]:
    """Colours, `#rrggbb`, of the classes of a scale that has published ones; nothing for others.

    Three classes that are called light, medium and dark are not the five of that scale.
    """
    monk = {f"monk {i}": colour for i, colour in enumerate(MONK, 1)}
    return next((dict(s) for s in (EMOJI, monk) if set(s) == set(classes)), {})


def nearest_monk(colour: np.ndarray) -> np.ndarray:
    """Monk class int[...] in 1..10 of CIELAB float[..., 3]: the least CIEDE2000 difference."""
    return difference(colour[..., None, :], lab(swatches())).argmin(-1) + 1


def skin_pixels(picture: np.ndarray) -> np.ndarray:
    """Which pixels of uint8[h, w, 3] may be skin, bool[h, w].

    Hue from red to yellow, chroma between grey and paint, not black and not white, in CIELAB: wide
    enough for all ten Monk swatches with shading, of which the usual rules reject six.
    Orange wood and sand pass as well: use a mask of the person wherever there is one.
    """
    c = lab(picture)
    chroma, hue = np.hypot(c[..., 1], c[..., 2]), np.degrees(np.arctan2(c[..., 2], c[..., 1]))
    return np.asarray(
        (c[..., 0] > 8) & (c[..., 0] < 97) & (chroma > 2.5) & (chroma < 50)
        & (hue > 15) & (hue < 105) & (c[..., 1] > -3)
    )  # fmt: skip
