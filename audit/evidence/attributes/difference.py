"""How different two colours look: CIEDE2000."""

from __future__ import annotations

import numpy as np


def difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """CIEDE2000 colour difference of two arrays that broadcast, float64[..., 3] in CIELAB.

    Sharma, Wu & Dalal 2005, Color Research & Application 30:21, equations 2 to 22, with
    k_L = k_C = k_H = 1. About 1 is just noticeable.
    """
    plain = [np.hypot(c[..., 1], c[..., 2]) for c in (first, second)]
    mean = (plain[0] + plain[1]) / 2
    g = 1.5 - 0.5 * np.sqrt(mean**7 / (mean**7 + 25.0**7))
    a1, a2 = first[..., 1] * g, second[..., 1] * g
    c1, c2 = np.hypot(a1, first[..., 2]), np.hypot(a2, second[..., 2])
    h1 = np.degrees(np.arctan2(first[..., 2], a1)) % 360
    h2 = np.degrees(np.arctan2(second[..., 2], a2)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    # Opposite hues: equation 10 takes h2 - h1 = 180 as it is; the remainder gives -180.
    turn = np.where(h2 - h1 == 180, 180.0, turn)
    dl, dc = second[..., 0] - first[..., 0], c2 - c1
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    h = _mean_hue(h1, h2, grey)
    light, c = (first[..., 0] + second[..., 0]) / 2, (c1 + c2) / 2
    sl, sc, sh, rt = _weights(light, c, h)
    dl, dc, dh = dl / sl, dc / sc, dh / sh
    return np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + rt * dc * dh, 0))


def _mean_hue(h1: np.ndarray, h2: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Equation 14: half way round the shorter side; the sum where one of them is grey."""
    total, far = h1 + h2, np.abs(h1 - h2) > 180
    shorter = np.where(far, np.where(total < 360, total + 360, total - 360), total) / 2
    return np.where(grey, total, shorter)


def _weights(
    light: np.ndarray, c: np.ndarray, h: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """S_L, S_C, S_H and R_T of equations 15 to 21."""
    t = (
        1
        - 0.17 * np.cos(np.radians(h - 30))
        + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6))
        - 0.20 * np.cos(np.radians(4 * h - 63))
    )
    off = (light - 50) ** 2
    spread = 30 * np.exp(-(((h - 275) / 25) ** 2))
    rt = -2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * np.sin(np.radians(2 * spread))
    return 1 + 0.015 * off / np.sqrt(20 + off), 1 + 0.045 * c, 1 + 0.015 * c * t, rt
