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
CENTRE, SPREAD = 2.5, 0.5
"""Mean and standard deviation of the known values; the mean is out of the range of clipped ones."""
OFF, LESS, MORE = 0.2, 0.45, 0.5
"""How much further off the mean (as a share of it), and narrower or wider (as shares of the spread)
than by the model's own sampler the values may be: few steps narrow them, by any sampler."""
FEW, LEAST, USUAL = 4, 0.1, 20
"""Steps below which any sampler narrows values, the spread that more must reach, and a usual
number of them."""


def set_scheduler(pipeline: Any, name: str) -> None:
    """Replace the sampler, keeping the model's noise schedule, prediction type and limits.

    Raises UserError for an unknown name and for one that does not fit the model.
    """
    if name not in SCHEDULERS:
        raise unknown("scheduler", name, SCHEDULERS)
    if getattr(pipeline, "scheduler", None) is None:
        raise UserError(f"A {type(pipeline).__name__} has no scheduler. Leave --scheduler out.")
    if why := unfit(pipeline.scheduler, name):
        raise UserError(
            f"The scheduler {name!r} does not fit this model, whose own is "
            f"{type(pipeline.scheduler).__name__}: {why}. Fitting: "
            f"{_fitting(pipeline, pipeline.scheduler, USUAL)}."
        )
    pipeline.scheduler = made(pipeline, pipeline.scheduler, name)


def unfit(own: Any, name: str) -> str:
    """Why a sampler of SCHEDULERS does not fit a model with its `own`; empty where it does."""
    kind = SCHEDULERS[name][0]
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


def made(pipeline: Any, own: Any, name: str) -> Any:
    """The sampler of that name, with the configuration of the `own` of a pipeline's model."""
    import diffusers

    kind, changes = SCHEDULERS[name]
    config, takes = own.config, _takes(kind)
    # Also where the own sampler has them by default: the defaults of another may differ.
    kept = {k: config[k] for k in NEEDS if k in config and k in takes}
    if "clip_sample" in takes and "clip_sample" not in config:
        # The limits of pixels, which latent values exceed; diffusers' default for both.
        kept["clip_sample"] = getattr(pipeline, "vae", getattr(pipeline, "movq", None)) is None
    return getattr(diffusers, kind).from_config(config, **kept, **changes)


def _takes(kind: str) -> set[str]:
    import diffusers

    return set(inspect.signature(getattr(diffusers, kind).__init__).parameters)


def check(pipeline: Any, own: Any, steps: int) -> None:
    """Raise UserError for a sampler that cannot draw in so many steps what the model's own can.

    Both draw independent normal values from noise by the predictions of a perfect model, which are
    known (for these data the denoiser is linear). A sampler that clips, starts at another level of
    noise, or oversteps ends at other values.
    """
    if why := _fault(own, pipeline.scheduler, steps):
        raise UserError(
            f"The scheduler {type(pipeline.scheduler).__name__} cannot draw in {steps} steps with "
            f"this model, whose own is {type(own).__name__}: {why}. Leave --scheduler out, or give "
            f"other --steps or another one: {_fitting(pipeline, own, steps)}."
        )


def _fitting(pipeline: Any, own: Any, steps: int) -> str:
    """Names of the samplers that draw with a model in so many steps."""
    names = [
        n for n in SCHEDULERS
        if not unfit(own, n) and not _fault(own, made(pipeline, own, n), steps)
    ]  # fmt: skip
    return ", ".join(names) or "only its own"


def _fault(own: Any, new: Any, steps: int) -> str:
    """What is wrong with what a sampler draws, compared with the model's own; empty for nothing."""
    try:
        mean, spread = _drawn(own, new, steps)
    except Exception as error:  # samplers raise what their arithmetic does
        return f"it fails ({(str(error).strip().splitlines() or [type(error).__name__])[0]})"
    try:
        usual = _drawn(own, own, steps)
    except Exception:  # one that draws in other numbers of steps only
        usual = (CENTRE, SPREAD)
    if not abs(mean - CENTRE) <= abs(usual[0] - CENTRE) + OFF * CENTRE:
        return f"known values of {CENTRE:g} are drawn as {mean:.2g}"
    # Distilled models draw in such few steps; for others nothing but the mean is left.
    few = steps < FEW or type(new).__name__ == "LCMScheduler"
    low = 0.0 if few else max(LEAST, min(usual[1], SPREAD) - LESS * SPREAD)
    if low <= spread <= max(usual[1], SPREAD) + MORE * SPREAD:
        return ""
    return (
        f"a known spread of {SPREAD:g} is drawn as {spread:.2g}, and by the model's own as "
        f"{usual[1]:.2g}"
    )


@torch.inference_mode()
def _drawn(own: Any, sampler: Any, steps: int) -> tuple[float, float]:
    """Mean and standard deviation of known values as a sampler draws them; NaN for others."""
    trial = type(sampler).from_config(sampler.config)
    rng = torch.Generator().manual_seed(0)
    dynamic = {"mu": 1.0} if trial.config.get("use_dynamic_shifting") else {}
    trial.set_timesteps(steps, **dynamic)
    x = torch.randn(1, 4, 32, 32, generator=rng) * float(getattr(trial, "init_noise_sigma", 1.0))
    more = {"generator": rng} if "generator" in inspect.signature(trial.step).parameters else {}
    for t in trial.timesteps:
        seen = trial.scale_model_input(x, t) if hasattr(trial, "scale_model_input") else x
        x = trial.step(_perfect(own, seen, float(t)), t, x, **more).prev_sample
    return float(x.mean()), float(x.std())


def _perfect(own: Any, x: torch.Tensor, t: float) -> torch.Tensor:
    """What a perfect model of the known values predicts at a time, by its own noise schedule."""
    last = int(own.config.num_train_timesteps)
    flow = not hasattr(own, "alphas_cumprod")
    if flow:
        sigma = max(t / last, 1e-4)
        alpha = 1 - sigma
    else:
        levels = np.asarray(own.alphas_cumprod, np.float64).clip(1e-12, 1 - 1e-12)
        at = np.interp(t, np.arange(last), np.log(levels / (1 - levels)))  # log signal to noise
        alpha, sigma = (float((1 / (1 + np.exp(s * at))) ** 0.5) for s in (-1, 1))
    gain = alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2)
    image = CENTRE + gain * (x - alpha * CENTRE)
    noise = (x - alpha * image) / sigma
    kind = str(own.config.get("prediction_type", "epsilon"))
    if flow:
        return noise - image
    if kind == "sample":
        return image
    return alpha * noise - sigma * image if kind == "v_prediction" else noise
