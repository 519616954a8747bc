"""`--classifier none`: images are present or missing, and no model looks at them as a whole.

Attributes then come from their own readers: faces, pixels, a vision-language model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audit.evidence.encoders.phash import BITS, PerceptualHash


class Unread:
    """A perceptual hash in place of an image's vector, and no texts: nothing can be read from it.

    float32[n, 64]; the hash says only that an image is there.
    """

    reads = False
    """Whether attributes can be read from its vectors, and images compared with texts."""
    scale = 1.0

    @property
    def key(self) -> str:
        """That of the hash."""
        return f"unread-{PerceptualHash().key}"

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8[h, w, 3] images to float32[n, 64]."""
        return PerceptualHash().images(pictures)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """float32[n, 64] without a value, since no text is compared."""
        return np.full((len(texts), BITS), np.nan, np.float32)
