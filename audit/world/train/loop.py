"""One training loop for all recipes: resumable to the step, averaged weights, a JSON-lines log."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: warm-up, a constant rate, then cosine decay to `floor` of it."""

    steps: int
    rate: float
    warmup: int = 200
    floor: float = 0.02
    average: float = 0.999
    """Decay of the exponential moving average of the weights."""
    weight_decay: float = 0.01
    save_every: int = 250
    budget_seconds: float = math.inf
    """With a budget, the decay follows time spent, not steps, and training ends with it."""
    decay: float = 1.0
    """Share of the run, at its end, in which the rate falls. The state before it is kept as
    `stable.pt`, so that a longer run can go on from there."""
    compiled: bool = True
    """Compile the model where there is a C++ compiler: a fifth fewer seconds a step."""


def prepared(model: nn.Module, schedule: Schedule) -> Callable[..., Any]:
    """The model laid out channels last, as what is to be called in training."""
    model.to(memory_format=torch.channels_last)
    return torch.compile(model) if schedule.compiled and shutil.which("g++") else model


def _decayed(schedule: Schedule, step: int, spent: float) -> float:
    """Progress inside the decay: 0 before it begins, 1 at the end."""
    done = min(1.0, max(step / schedule.steps, spent / schedule.budget_seconds))
    return max(0.0, 1 - (1 - done) / schedule.decay)


def _rate(schedule: Schedule, step: int, decayed: float) -> float:
    fall = schedule.floor + (1 - schedule.floor) * 0.5 * (1 + math.cos(math.pi * decayed))
    return schedule.rate * min(1.0, (step + 1) / schedule.warmup) * fall


def _save(path: Path, state: dict[str, object]) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def _match_layout(optimiser: torch.optim.Optimizer) -> None:
    """Lay moments out as their parameters: the fused step walks both by address."""
    for parameter, moments in optimiser.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            moments[name] = torch.empty_like(parameter).copy_(moments[name]).detach()


def fit(
    model: nn.Module,
    loss: Callable[[int], tuple[torch.Tensor, dict[str, float]]],
    schedule: Schedule,
    work: Path,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Train `model` in place and leave its averaged weights in it.

    `loss(step)` draws its batch from `step` alone, so that a resumed run sees the batches that an
    uninterrupted one would have seen. Progress is saved in `work` (our own file, read back with
    `weights_only`). Returns the last logged figures.
    """
    work.mkdir(parents=True, exist_ok=True)
    optimiser = torch.optim.AdamW(
        model.parameters(), schedule.rate, betas=(0.9, 0.99),
        weight_decay=schedule.weight_decay, fused=True,
    )  # fmt: skip
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    step, spent, figures = 0, 0.0, {}
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        _match_layout(optimiser)
        average, step, spent = state["average"], state["step"], state["spent"]
        say(f"continuing at step {step} after {spent:.0f} s")
    model.train()
    started, logged = time.monotonic() - spent, []
    while step < schedule.steps and spent < schedule.budget_seconds:
        decayed = _decayed(schedule, step, spent)
        for group in optimiser.param_groups:
            group["lr"] = _rate(schedule, step, decayed)
        value, parts = loss(step)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        decay = min(schedule.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for key, tensor in model.state_dict().items():
                if tensor.dtype.is_floating_point:
                    average[key].lerp_(tensor, 1 - decay)
                else:
                    average[key].copy_(tensor)
        spent = time.monotonic() - started
        logged.append({"loss": float(value.detach()), **parts})
        last = step == schedule.steps or spent >= schedule.budget_seconds
        if step % schedule.save_every == 0 or last:
            figures = {k: sum(r[k] for r in logged) / len(logged) for k in logged[0]}
            figures = {"step": step, "seconds": round(spent), **figures}
            logged.clear()
            with (work / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(figures) + "\n")
            say(" ".join(f"{k} {v:.4g}" for k, v in figures.items()))
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
            state |= {"average": average, "step": step, "spent": spent}
            _save(checkpoint, state)
            if decayed == 0:
                _save(work / "stable.pt", state)
    model.load_state_dict(average)
    model.eval()
    return figures
