"""Samplers: another one in place of a model's own, with what the model needs, or not at all.

diffusers makes a sampler from the configuration of another, gives defaults to what that leaves out,
and drops what the new one does not know. Here the model's needs are carried over or refused, and a
sampler is tried before it draws: on an image that is known, with a model that is perfect.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from audit.errors import UserError, unknown

SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "lms": ("LMSDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "dpm++-karras": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True},
    ),
    "sde-dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "flow-euler": ("FlowMatchEulerDiscreteScheduler", {}),
    "flow-heun": ("FlowMatchHeunDiscreteScheduler", {}),
}
"""Samplers by their usual names: diffusers class and changes to its configuration."""
NEEDS: Mapping[str, Any] = {
    "num_train_timesteps": 1000, "beta_start": None, "beta_end": None, "beta_schedule": None,
    "trained_betas": None, "prediction_type": "epsilon", "rescale_betas_zero_snr": False,
    "thresholding": False, "dynamic_thresholding_ratio": None, "sample_max_value": None,
    "clip_sample": False, "clip_sample_range": None, "sigma_min": None, "sigma_max": None,
    "use_flow_sigmas": False, "shift": 1.0, "use_dynamic_shifting": False, "shift_terminal": None,
    "invert_sigmas": False,
}  # fmt: skip
"""What belongs to a model rather than to a sampler. One that does not know a key behaves as with
this value; None means that nothing depends on the key alone."""
RANGE = ("sigma_min", "sigma_max")
KNOWN, NEAR = 2.5, 0.1
"""Value of the known image, out of the range of clipped ones, and how much further from it than the
model's own a sampler may end, as a share."""


def set_scheduler(pipeline: Any, name: str) -> None:
    """Replace the sampler, keeping the model's noise schedule, prediction type and limits.

    Raises UserError for an unknown name and for one that does not fit the model.
    """
    if name not in SCHEDULERS:
        raise unknown("scheduler", name, SCHEDULERS)
    if why := unfit(pipeline, name):
        names = ", ".join(n for n in SCHEDULERS if not unfit(pipeline, n))
        raise UserError(
            f"The scheduler {name!r} does not fit this model, whose own is "
            f"{type(pipeline.scheduler).__name__}: {why}. Fitting: {names or 'only its own'}."
        )
    pipeline.scheduler = made(pipeline, name)


def unfit(pipeline: Any, name: str) -> str:
    """Why a sampler of SCHEDULERS does not fit a pipeline's model; empty where it does."""
    own, kind = pipeline.scheduler, SCHEDULERS[name][0]
    fitting = {c.__name__ for c in own.compatibles} | {type(own).__name__}
    flow = type(own).__name__.startswith("FlowMatch")
    if not flow:  # made for distilled weights of any model of this kind, which do not say so
        fitting.add("LCMScheduler")
    if kind not in fitting or flow != kind.startswith("FlowMatch"):
        return "it is for another kind of model"
    takes = _takes(kind)
    lost = [
        k for k, usual in NEEDS.items()
        if usual is not None and k not in takes and own.config.get(k, usual) != usual
    ]  # fmt: skip
    lost += [k for k in RANGE if k not in takes and own.config.get(k) is not None]
    if str(own.config.get("variance_type", "")).startswith("learned") and (
        "variance_type" not in takes
    ):
        lost.append("variance_type")
    return f"the model needs {', '.join(lost)}, which it does not know" if lost else ""


def made(pipeline: Any, name: str) -> Any:
    """The sampler of that name with the configuration of a pipeline's own."""
    import diffusers

    kind, changes = SCHEDULERS[name]
    config, takes = pipeline.scheduler.config, _takes(kind)
    # Also where the own sampler has them by default: the defaults of another may differ.
    kept = {k: config[k] for k in NEEDS if k in config and k in takes}
    if "clip_sample" in takes and "clip_sample" not in config:
        # The limits of pixels, which latent values exceed; diffusers' default for both.
        kept["clip_sample"] = getattr(pipeline, "vae", getattr(pipeline, "movq", None)) is None
    return getattr(diffusers, kind).from_config(config, **kept, **changes)


def _takes(kind: str) -> set[str]:
    import diffusers

    return set(inspect.signature(getattr(diffusers, kind).__init__).parameters)


def check(own: Any, new: Any, steps: int) -> None:
    """Raise UserError for a sampler that cannot draw in so many steps what the model's own can.

    Both draw an image whose values are KNOWN, from noise, by the predictions of a perfect model;
    every sampler that agrees with the model's noise schedule ends there.
    """
    try:
        found = _error(own, new, steps)
    except Exception as error:  # samplers raise what their arithmetic does
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise _refused(own, new, steps, f"it fails ({first})") from error
    try:
        usual = _error(own, own, steps)
    except Exception:  # one that needs more than a number of steps
        usual = 0.0
    if not found <= usual + NEAR:
        raise _refused(own, new, steps, f"it misses a known image by {found:.0%}")


def _refused(own: Any, new: Any, steps: int, why: str) -> UserError:
    return UserError(
        f"The scheduler {type(new).__name__} cannot draw with this model in {steps} steps: {why}, "
        f"and the model's own, {type(own).__name__}, does not. Leave --scheduler out, or give "
        "another scheduler or another number of --steps."
    )


@torch.inference_mode()
def _error(own: Any, sampler: Any, steps: int) -> float:
    """Mean distance from the known image after drawing it, as a share of its value."""
    trial = type(sampler).from_config(sampler.config)
    rng = torch.Generator().manual_seed(0)
    dynamic = {"mu": 1.0} if trial.config.get("use_dynamic_shifting") else {}
    trial.set_timesteps(steps, **dynamic)
    x = torch.randn(1, 4, 4, 4, generator=rng) * float(getattr(trial, "init_noise_sigma", 1.0))
    takes = inspect.signature(trial.step).parameters
    more = {"generator": rng} if "generator" in takes else {}
    for t in trial.timesteps:
        seen = trial.scale_model_input(x, t) if hasattr(trial, "scale_model_input") else x
        x = trial.step(_perfect(own, seen, float(t)), t, x, **more).prev_sample
    return float(((x - KNOWN).abs() / KNOWN).mean()) if torch.isfinite(x).all() else float("inf")


def _perfect(own: Any, x: torch.Tensor, t: float) -> torch.Tensor:
    """What a perfect model of the known image predicts at a time, by its own noise schedule."""
    last = int(own.config.num_train_timesteps)
    if not hasattr(own, "alphas_cumprod"):  # flow matching
        sigma = max(t / last, 1e-4)
        return (x - (1 - sigma) * KNOWN) / sigma - KNOWN
    levels = np.asarray(own.alphas_cumprod, np.float64).clip(1e-12, 1 - 1e-12)
    at = np.interp(t, np.arange(last), np.log(levels / (1 - levels)))  # log signal to noise
    alpha, sigma = (float((1 / (1 + np.exp(s * at))) ** 0.5) for s in (-1, 1))
    noise = (x - alpha * KNOWN) / sigma
    kind = str(own.config.get("prediction_type", "epsilon"))
    if kind == "sample":
        return torch.full_like(x, KNOWN)
    return alpha * noise - sigma * KNOWN if kind == "v_prediction" else noise
