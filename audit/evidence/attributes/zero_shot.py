"""Perceived attributes by zero-shot classification (Radford et al. 2021), with abstention.

Outcomes per image and attribute: a label, "uncertain" below the attribute's threshold, or
"no person" and "several people" where the gate finds no person or more than one. A missing label
never counts as a class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit.records import Attribute

Texts = Callable[[Sequence[str]], np.ndarray]
"""Texts to float32[n, d] of unit length."""


def prototypes(groups: Sequence[Sequence[str]], encode: Texts) -> np.ndarray:
    """One unit vector per class, float32[k, d]: the mean over its texts (prompt ensemble)."""
    means = np.stack([encode(list(texts)).mean(0) for texts in groups])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def probabilities(vectors: np.ndarray, classes: np.ndarray, scale: float) -> np.ndarray:
    """Softmax over classes of scaled cosines, float64[n, k]; rows sum to 1."""
    logits = scale * vectors.astype(np.float64) @ classes.T.astype(np.float64)
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


@dataclass(frozen=True)
class Classifier:
    """Attribute and gate prototypes of one encoder; `read` turns vectors into rows."""

    attributes: tuple[Attribute, ...]
    classes: Mapping[str, np.ndarray]
    gate: np.ndarray | None
    """Prototypes of one person, no person and, where distinguished, several people."""
    scale: float

    def shut(self, vectors: np.ndarray) -> np.ndarray:
        """Why the gate permits no label, object[n]: an outcome, or "" where it is open."""
        passed = np.zeros(len(vectors), int)
        if self.gate is not None and len(vectors):
            passed = probabilities(vectors, self.gate, self.scale).argmax(1)
        return np.array(["", "no person", "several people"], object)[passed]

    def read(self, vectors: np.ndarray) -> pd.DataFrame:
        """float32[n, d] to a table: row (index of the vector), attribute, outcome, value, score."""
        shut = self.shut(vectors)
        parts = [self._read(attribute, vectors, shut) for attribute in self.attributes]
        empty = pd.DataFrame(columns=["row", "attribute", "outcome", "value", "score"])
        return pd.concat(parts, ignore_index=True) if parts else empty

    def _read(self, attribute: Attribute, vectors: np.ndarray, shut: np.ndarray) -> pd.DataFrame:
        p = probabilities(vectors, self.classes[attribute.name], self.scale)
        best, score = p.argmax(1), p.max(1)
        read = np.where(score < attribute.threshold, "uncertain", "label")
        outcome = np.where(shut == "", read, shut)
        names = np.asarray(attribute.classes, dtype=object)[best]
        return pd.DataFrame(
            {
                "row": np.arange(len(vectors)),
                "attribute": attribute.name,
                "outcome": outcome,
                "value": np.where(outcome == "label", names, None),
                "score": score,
            }
        )


def classifier(
    attributes: tuple[Attribute, ...], gates: Sequence[Sequence[str]], encode: Texts, scale: float
) -> Classifier:
    """Prepare prototypes once.

    `gates` are texts for one person, no person and, optionally, several people: the nearest group
    decides. Without the first two every image counts as showing one person.
    """
    classes = {a.name: prototypes([a.texts[c] for c in a.classes], encode) for a in attributes}
    told = [g for g in gates if g]
    gate = prototypes(told, encode) if len(told) > 1 and gates[0] and gates[1] else None
    return Classifier(attributes, classes, gate, scale)
