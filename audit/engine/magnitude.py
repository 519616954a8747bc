"""The text-conditional noise magnitude: how far a text moves the predicted noise.

Texts of memorized images steer every seed strongly from the first steps on. (Wen et al. 2024,
"Detecting, explaining, and mitigating memorization in diffusion models", ICLR.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from audit.engine.levels import NO_SIGNAL, noise_factor, prediction_type
from audit.engine.model import Model
from audit.engine.probe import Call, Probe
from audit.records import Settings

SEEDS = (0, 1, 2, 3)
"""Four seeds and five steps do as well as fifty steps (Jeon et al. 2025, table 1)."""


@dataclass(frozen=True)
class Magnitudes:
    """Norms over the whole latent, one per text, seed and step, independent of batches."""

    texts: tuple[str, ...]
    seeds: tuple[int, ...]
    noise: np.ndarray
    """float64[texts, seeds, steps]: l2 norm of e(x_t, text) - e(x_t, no text); NaN where `reasons`
    has one."""
    output: np.ndarray
    """The same for the model's own output, without conversion to noise."""
    reasons: tuple[str, ...]
    """Per step: why there is no magnitude, or empty text."""
    size: int
    """Numbers in one latent."""
    prediction: str
    """The kind of prediction: "epsilon", "v_prediction", "sample" or "flow"."""

    @property
    def score(self) -> np.ndarray:
        """float64[texts]: mean `noise` over seeds and the steps that have it; NaN without any."""
        known = [k for k, reason in enumerate(self.reasons) if not reason]
        if not known:
            return np.full(len(self.texts), np.nan)
        return np.asarray(self.noise[:, :, known].mean((1, 2)))

    @property
    def output_score(self) -> np.ndarray:
        """float64[texts]: mean `output` over all steps and seeds.

        Equal to `score` for models that predict noise. For others the first steps, which say most,
        count in full here, while conversion to noise almost cancels them.
        """
        return np.asarray(self.output.mean((1, 2)))


def norms(rows: torch.Tensor) -> np.ndarray:
    """float64[n]: l2 norm of each row [n, ...] over all its elements."""
    return rows.double().flatten(1).norm(dim=1).cpu().numpy()


def reasons(probe: Probe, calls: Sequence[Call]) -> tuple[str, ...]:
    """Per evaluation: why its difference of predicted noise is unknown, or empty text."""
    factors = (noise_factor(probe.model.pipeline.scheduler, c.index) for c in calls)
    return tuple("" if np.isfinite(f) else NO_SIGNAL for f in factors)


def magnitude(
    model: Model,
    texts: Sequence[str],
    settings: Settings,
    seeds: Sequence[int] = SEEDS,
    steps: int = 5,
) -> Magnitudes:
    """Noise magnitudes in the first `steps` evaluations of the model's own sampling.

    The schedule, guidance and size are those of `settings`; every text gets the same seeds. The
    result has fewer steps if the schedule has fewer. Raises UserError for a model that cannot be
    inspected, ValueError if there is nothing to do.
    """
    if not texts or not seeds or steps < 1:
        raise ValueError("magnitude needs texts, seeds and at least one step")
    probe = Probe(model, settings)
    rows = [(text, seed) for text in texts for seed in seeds]
    found: list[np.ndarray] = []
    for picks, real in probe.batches(len(rows)):
        states = probe.states([rows[i][0] for i in picks])
        calls = probe.record(states, [rows[i][1] for i in picks], steps)
        found.append(np.stack([norms(probe.difference(c)) for c in calls], axis=1)[:real])
        size = calls[0].sample[0].numel()
    scheduler = model.pipeline.scheduler
    output = np.concatenate(found).reshape(len(texts), len(seeds), len(calls))
    factors = np.array([noise_factor(scheduler, c.index) for c in calls])
    return Magnitudes(
        tuple(texts), tuple(seeds), output * factors, output, reasons(probe, calls), size,
        prediction_type(scheduler),
    )  # fmt: skip
