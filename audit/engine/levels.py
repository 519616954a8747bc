"""From a denoiser's output to its predicted noise: one factor per step of the schedule.

A noisy latent is x = a x0 + s e. Models predict e ("epsilon"), v = a e - s x0 (Salimans and Ho
2022, app. D), x0 ("sample"), or the flow e - x0 with a = 1 - s (Lipman et al. 2023). Two
predictions for the same x therefore differ in e by a fixed multiple of their difference in output:
1, a, a / s and 1 - s. (Terms that depend only on x cancel.)
"""

from __future__ import annotations

import math
from typing import Any

FAINT = 1e-3
"""Share of signal below which a latent is pure noise, where predictions of e cannot differ."""
NO_SIGNAL = "the latent is pure noise at this step, and its noise is known without the model"


def prediction_type(scheduler: Any) -> str:
    """The kind of prediction: "epsilon", "v_prediction", "sample" or "flow"."""
    named = str(getattr(scheduler.config, "prediction_type", None) or "epsilon")
    flow = type(scheduler).__name__.startswith("FlowMatch") or named == "flow_prediction"
    return "flow" if flow else named


def signal_and_noise(scheduler: Any, index: int) -> tuple[float, float]:
    """Shares a and s of x = a x0 + s e at the schedule's step `index`, after its set-up."""
    sigmas = getattr(scheduler, "sigmas", None)
    if prediction_type(scheduler) == "flow":
        sigma = float(sigmas[index])  # type: ignore[index]
        return 1 - sigma, sigma
    if sigmas is not None and len(sigmas) >= len(scheduler.timesteps):
        sigma = float(sigmas[index])
        return 1 / math.sqrt(1 + sigma**2), sigma / math.sqrt(1 + sigma**2)
    kept = float(scheduler.alphas_cumprod[int(scheduler.timesteps[index])])
    return math.sqrt(kept), math.sqrt(1 - kept)


def noise_factor(scheduler: Any, index: int) -> float:
    """The factor from a difference of outputs to a difference of predicted noise at a step.

    NaN where the latent is pure noise and the model predicts something other than noise: the
    difference is 0 there whatever the model predicts (see NO_SIGNAL). Raises ValueError for an
    unknown kind.
    """
    kind = prediction_type(scheduler)
    signal, noise = signal_and_noise(scheduler, index)
    if kind == "epsilon":
        return 1.0
    if kind not in ("v_prediction", "sample", "flow"):
        raise ValueError(f"unknown prediction type {kind!r}")
    if signal < FAINT:
        return math.nan
    return signal / noise if kind == "sample" else signal
