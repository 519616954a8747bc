"""Do detectors that look inside the embedded model recognise captions of repeated images?

    python benchmarks/detectors.py [--negatives 200] [--seeds 4] [--steps 20] [--guidance 3]

Positives are the captions of the images that the training set contains 64 and 16 times. An area
under the curve depends on its negatives as much as on the detector, so there are two sets of them:
captions of held-out images, and captions in the positives' own form, a separate title and an
occupation, whose images the training set contains once. The second shows the effect of the form.

Intervals are plain percentile bootstraps over captions, positives and negatives separately. Where
the scores do not overlap they collapse to a point, and n says more than they do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score, roc_curve

from audit.engine.bright_ending import bright_ending
from audit.engine.magnitude import magnitude
from audit.engine.model import Loading, load
from audit.engine.source import find
from audit.records import Settings
from audit.world.dataset import planted, twin_set
from audit.world.models import embedded

Measure = Callable[[np.ndarray, np.ndarray], float]


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve: P(a positive scores higher), ties counted half."""
    truth = np.repeat([1, 0], [len(positive), len(negative)])
    return float(roc_auc_score(truth, np.concatenate([positive, negative])))


def power(positive: np.ndarray, negative: np.ndarray) -> float:
    """Highest share of positives found with at most 1 % of negatives."""
    truth = np.repeat([1, 0], [len(positive), len(negative)])
    false, true, _ = roc_curve(truth, np.concatenate([positive, negative]))
    return float(true[false <= 0.01].max())


def interval(
    measure: Measure, positive: np.ndarray, negative: np.ndarray, draws: int = 1000
) -> str:
    """The measure with its 95 % bootstrap interval, as text."""
    rng = np.random.default_rng(0)
    each = [
        measure(rng.choice(positive, len(positive)), rng.choice(negative, len(negative)))
        for _ in range(draws)
    ]
    low, high = np.quantile(each, [0.025, 0.975])
    return f"{measure(positive, negative):.3f} [{low:.3f}, {high:.3f}]"


def captions(n: int) -> dict[str, list[str]]:
    """Captions by set: repeated 64 and 16 times, held out (drawn from a seed), and titled once."""
    rng = np.random.default_rng(11)
    held = [twin_set()[int(i)].caption for i in rng.choice(len(twin_set()), n, replace=False)]
    levels = {r: [i.caption for i in planted() if i.repeats == r] for r in (64, 16, 1)}
    return {"64": levels[64], "16": levels[16], "held out": held, "titled once": levels[1]}


def scores(texts: list[str], settings: Settings, seeds: range) -> dict[str, np.ndarray]:
    """float64[texts] by detector."""
    model = load(find(str(embedded())), Loading(dtype="float32", device="auto"))
    found, seconds = {}, {}
    started = time.perf_counter()
    early = magnitude(model, texts, settings, seeds, 5)
    seconds["magnitude"] = time.perf_counter() - started
    name = f"5 steps, n = {len(seeds)}"
    found[f"magnitude of noise, {name}"] = early.score
    found[f"magnitude of output, {name}"] = early.output_score
    found["magnitude of output, 1 step, n = 1"] = early.output[:, 0, 0]
    started = time.perf_counter()
    late = bright_ending(model, texts, settings, seeds[:1])
    seconds["bright ending"] = time.perf_counter() - started
    found["magnitude of noise, all steps, n = 1"] = late.plain.mean(1)
    found["bright ending, all steps, n = 1"] = late.score
    Console(stderr=True).print({k: round(v) for k, v in seconds.items()}, "seconds")
    return found


def main() -> None:
    """Print one table per set of negatives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--negatives", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    options = parser.parse_args()
    sets = captions(options.negatives)
    texts = [t for group in sets.values() for t in group]
    where = np.repeat(list(sets), [len(g) for g in sets.values()])
    settings = Settings("embedded", "", options.steps, options.guidance, 16)
    found = scores(texts, settings, range(options.seeds))
    for negative in ("held out", "titled once"):
        sizes = f"{len(sets['64'])} + {len(sets['16'])} against {len(sets[negative])}"
        table = Table(title=f"captions of repeated images against: {negative} ({sizes})")
        for column in ("detector", "repeats", "AUC", "found at 1 % false"):
            table.add_column(column)
        for name, values in found.items():
            for level in (["64"], ["16"], ["64", "16"]):
                pair = values[np.isin(where, level)], values[where == negative]
                table.add_row(
                    name, " and ".join(level), interval(auc, *pair), interval(power, *pair)
                )
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
