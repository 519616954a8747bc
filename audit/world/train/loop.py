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
    `stable.pt`: a longer run can go on from there."""
    compiled: bool = True
    """Compile the model where there is a C++ compiler: a fifth fewer seconds a step."""


def prepared(model: nn.Module, schedule: Schedule) -> Callable[..., Any]:
    """The model laid out channels last, as what is to be called in training."""
    model.to(memory_format=torch.channels_last)
    return torch.compile(model) if schedule.compiled and shutil.which("g++") else model


def half_precision() -> torch.autocast:
    """Compute in bfloat16 where the processor has instructions for it.

    Others emulate it, ten times more slowly than they compute in single precision.
    """
    known = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - no public name
    return torch.autocast("cpu", torch.bfloat16, enabled=known)


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


class _Training:
    """A model under way: its optimiser, its averaged weights, and where it has come to."""

    def __init__(self, model: nn.Module, schedule: Schedule, work: Path) -> None:
        self.model, self.schedule, self.work = model, schedule, work
        self.optimiser = torch.optim.AdamW(
            model.parameters(), schedule.rate, betas=(0.9, 0.99),
            weight_decay=schedule.weight_decay, fused=True,
        )  # fmt: skip
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.step, self.spent = 0, 0.0

    @property
    def done(self) -> bool:
        """Whether steps or time are used up."""
        return self.step >= self.schedule.steps or self.spent >= self.schedule.budget_seconds

    def resume(self, say: Callable[[str], None]) -> None:
        """Go on from the last checkpoint, where there is one."""
        checkpoint = self.work / "checkpoint.pt"
        if not checkpoint.exists():
            return
        state = torch.load(checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        _match_layout(self.optimiser)
        self.average, self.step, self.spent = state["average"], state["step"], state["spent"]
        say(f"continuing at step {self.step} after {self.spent:.0f} s")

    def learn(self, value: torch.Tensor, decayed: float) -> None:
        """One step of the optimiser, and of the averaged weights."""
        for group in self.optimiser.param_groups:
            group["lr"] = _rate(self.schedule, self.step, decayed)
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(self.schedule.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for key, tensor in self.model.state_dict().items():
                if tensor.dtype.is_floating_point:
                    self.average[key].lerp_(tensor, 1 - decay)
                else:
                    self.average[key].copy_(tensor)

    def save(self, stable: bool) -> None:
        """Keep everything that going on needs; the state before the decay under its own name."""
        state = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        state |= {"average": self.average, "step": self.step, "spent": self.spent}
        _save(self.work / "checkpoint.pt", state)
        if stable:
            _save(self.work / "stable.pt", state)

    def log(self, logged: list[dict[str, float]], say: Callable[[str], None]) -> dict[str, float]:
        """The mean of what was logged since the last time, as a line of the log."""
        means = {k: sum(r[k] for r in logged) / len(logged) for k in logged[0]}
        figures = {"step": self.step, "seconds": round(self.spent), **means}
        with (self.work / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(figures) + "\n")
        say(" ".join(f"{k} {v:.4g}" for k, v in figures.items()))
        return figures


def fit(
    model: nn.Module,
    loss: Callable[[int], tuple[torch.Tensor, dict[str, float]]],
    schedule: Schedule,
    work: Path,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Train `model` in place and leave its averaged weights in it.

    `loss(step)` draws its batch from `step` alone: a resumed run sees the batches that an
    uninterrupted one would have seen. Progress is saved in `work` (our own file, read back with
    `weights_only`). Returns the last logged figures.
    """
    work.mkdir(parents=True, exist_ok=True)
    training = _Training(model, schedule, work)
    training.resume(say)
    model.train()
    started = time.monotonic() - training.spent
    logged: list[dict[str, float]] = []
    figures: dict[str, float] = {}
    while not training.done:
        decayed = _decayed(schedule, training.step, training.spent)
        value, parts = loss(training.step)
        training.learn(value, decayed)
        training.spent = time.monotonic() - started
        logged.append({"loss": float(value.detach()), **parts})
        if training.step % schedule.save_every == 0 or training.done:
            figures = training.log(logged, say)
            logged.clear()
            training.save(stable=decayed == 0)
    model.load_state_dict(training.average)
    model.eval()
    return figures
