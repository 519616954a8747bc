"""How many planted copies are found in the world, and how many flags are false, rule by rule.

    python benchmarks/planted.py [--replicates 20] [--size 2000] [--run RUN]

Planted by hand: 2 % of each batch are noisy, cropped and recompressed training images, the rest are
new images of people. `false` is the mean share of false flags (the false discovery rate), `found`
the mean share of the copies that were flagged, `any` the share of batches of new images only in
which anything was flagged as a copy. Every replicate makes a new split of the world's images into a
training set and its twin.

Made by the model, from the folder of a run of the world's suite: for each level of repetition, the
images' nearest training image against their nearest held-out image, as an area under the curve with
an interval over prompts.

    python benchmarks/planted.py --sizes SIZES.jsonl [--replicates 60]

Held-out sets of other sizes and of another source, vectors drawn around 60 centres: the false
discovery rate and power of the whole decision, with the share of runs in which none is made. Every
replicate is a line of the file; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from audit.datasets.source import Entry, Unit
from audit.evidence.copies import decision, shards
from audit.evidence.copies.index import Descriptor, Index
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.rule import CopyRule
from audit.evidence.copies.side import Side
from audit.evidence.copies.sides import sides
from audit.evidence.copies.training_set import of_corpus
from audit.stats.error_control import conformal, fixed, twin
from audit.world import models, planting
from audit.world.dataset import planted

RULES = ("twin", "conformal", "fixed:0.75", "fixed:0.9")
SHARE, Q = 0.02, 0.1


def called(made: planting.Replicate, rule: str, null: np.ndarray) -> np.ndarray:
    """Images that a rule flags as copies, bool[n]."""
    score = made.table.score.to_numpy(float)
    if rule == "twin":
        w = twin_evidence(score, made.table.held_score.to_numpy(float))
        return twin(w, np.where(w > 0, made.table.train, made.table.held), Q).selected
    if rule == "conformal":
        return conformal(score, null, Q).selected
    return fixed(score, float(rule.partition(":")[2])).selected


RATIOS, SHIFTS = (1.0, 0.8, 0.5, 0.2, 0.1), (0.0, 0.1, 0.3, 1.0)
"""Held-out over training images, and distance of their means in units of the spread."""
TRAINING, MADE, WIDTH, CENTRES, SAME = 1500, 600, 64, 60, 0.97


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _side(folder: Path, name: str, rows: np.ndarray) -> Side:
    entries = [(Entry(str(i), "", 1), "") for i in range(len(rows))]
    units = [Unit(name, "")]
    stem = shards.name(name, "vectors", units)
    return Side([shards.write(folder, stem, units, entries, rows)], rows.shape[1])


def sized(ratio: float, shift: float, copies: int, seed: int) -> dict[str, float | str]:
    """One decision on images whose first `copies` are training images with a little noise."""
    rng = np.random.default_rng(seed)
    centres = 1.5 * rng.standard_normal((CENTRES, WIDTH))

    def draw(n: int, away: float = 0.0) -> np.ndarray:
        rows = centres[rng.integers(CENTRES, size=n)] + rng.standard_normal((n, WIDTH))
        return _unit(rows + away * np.where(np.arange(WIDTH) % 2, 1, -1))

    train, held, made = draw(TRAINING), draw(round(ratio * TRAINING), shift), draw(MADE)
    noise = 0.01 * rng.standard_normal((copies, WIDTH))
    made[:copies] = _unit(train[rng.permutation(TRAINING)[:copies]] + noise)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        both = [_side(folder, *side) for side in (("train", train), ("held", held))]
        index = Index(folder, "k", "n", Descriptor("d", "k"), WIDTH, both[0], both[1], 1.0, {})
        by = sides(index, SAME, seed)
        index = decision.without_shared_images(index, by)
        (score, where), (far, there) = index.nearest(made), index.nearest(made, True)
        table = pd.DataFrame({"score": score, "held_score": far, "train": where, "held": there})
        asked = decision.Asked(CopyRule("twin"), Q, seed)
        got = decision.decide(table, made, index, by, asked)
    flagged = got.selection.selected
    return {
        "rule": by.choice, "undecided": float(bool(got.doubt)), "any": float(flagged.any()),
        "false": float(flagged[copies:].sum() / max(flagged.sum(), 1)),
        "found": float(flagged[:copies].mean()) if copies else 0.0,
    }  # fmt: skip


def by_size(path: Path, replicates: int) -> Table:
    """Error rate and power by size and source of the held-out set; the lines of `path` are kept."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    done = {(r["ratio"], r["shift"], r["copies"], r["seed"]) for r in rows}
    with path.open("a", encoding="utf-8") as file:
        for case in itertools.product(RATIOS, SHIFTS, (0, 55), range(replicates)):
            if case in done:
                continue
            names = dict(zip(("ratio", "shift", "copies", "seed"), case, strict=True))
            rows.append(names | sized(*case))
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    columns = ("held-out / training", "shift", "copies", "undecided", "false", "found", "any")
    table = Table(title=f"{replicates} replicates, {TRAINING} training images, q = {Q}")
    for column in columns:
        table.add_column(column, justify="right")
    for case, part in pd.DataFrame(rows).groupby(["ratio", "shift", "copies"]):
        cells = (part.undecided, part.false, part.found, part["any"])
        table.add_row(*(f"{c:g}" for c in case), *(f"{c.mean():.2f}" for c in cells))
    return table


def mean(values: list[float], digits: int = 3) -> str:
    """Mean and its standard error."""
    error = np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.{digits}f} ± {error:.{digits}f}"


def by_hand(pool: planting.Pool, null: np.ndarray, replicates: int, size: int) -> Table:
    """Error rate and power of every rule."""
    table = Table(title=f"{replicates} replicates of {size}, {SHARE:.0%} planted by hand, q = {Q}")
    for column in ("rule", "false", "found", "any in fresh"):
        table.add_column(column, justify="left" if column == "rule" else "right")
    plain = round(size * (1 - SHARE))
    for rule in RULES:
        false, found, something = [], [], []
        for i in range(replicates):
            made = pool.replicate(i, size, SHARE)
            got = called(made, rule, null)
            false.append(float((got & ~made.copies).sum() / max(got.sum(), 1)))
            found.append(float((got & made.copies).sum() / made.copies.sum()))
            something.append(float(called(pool.replicate(i, plain, 0.0), rule, null).any()))
        table.add_row(rule, mean(false), mean(found), f"{np.mean(something):.2f}")
    return table


def by_edit(pool: planting.Pool, replicates: int, size: int) -> Table:
    """Share of each edit's copies that the twin flags."""
    table = Table(title="found by the twin, by edit")
    for column in ("edit", "copies", "found", "median cosine", "median W"):
        table.add_column(column, justify="left" if column == "edit" else "right")
    rows = []
    for i in range(replicates):
        made = pool.replicate(i, size, 3 * SHARE)
        got, seen = called(made, "twin", np.empty(0)), made.table[made.copies]
        w = twin_evidence(seen.score.to_numpy(float), seen.held_score.to_numpy(float))
        edits = [pool.edits[k] for k in made.chosen]
        rows.append(pd.DataFrame({"edit": edits, "found": got[made.copies], "score": seen.score,
                                  "w": w}))  # fmt: skip
    for name, part in pd.concat(rows).groupby("edit", sort=False):
        table.add_row(str(name), str(len(part)), f"{part.found.mean():.2f}",
                      f"{part.score.median():.3f}", f"{part.w.median():.2f}")  # fmt: skip
    return table


def by_model(run: Path) -> Table:
    """Nearest training image against nearest held-out image, by its repeats in the training set.

    By cosine alone, images that are near to everything count against the model's own copies; by the
    evidence W, which the rule uses, each image's two sides are compared with each other.
    """
    matches = pd.read_parquet(next((run / "tables").glob("matches-*.parquet")))
    matches = matches[(matches.arm == "none") & (matches.outcome == "label")]
    asked = matches[matches.prompt.str.startswith("captions/")]
    table = Table(title=f"made by the model for captions of its training set: {run.name}")
    columns = ("repeats", "images", "AUC of cosine", "over prompts", "AUC of W", "over prompts",
               "cosine", "held out")  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    repeats = asked.prompt.map({f"captions/{i.id}": i.repeats for i in planted()})
    for name, at in ((*((str(r), repeats == r) for r in sorted(repeats.unique())),
                      ("16, 64", repeats >= 16))):  # fmt: skip
        rows = asked[at]
        w = twin_evidence(rows.score.to_numpy(float), rows.held_score.to_numpy(float))
        told = (rows, rows.assign(score=w, held_score=-w))
        table.add_row(
            name, str(len(rows)), *(cell for t in told for cell in _told(t)),
            f"{rows.score.median():.3f}", f"{rows.held_score.median():.3f}",
        )  # fmt: skip
    return table


def _told(rows: pd.DataFrame) -> tuple[str, str]:
    low, high = interval(rows, np.random.default_rng(0))
    return f"{area(rows):.3f}", f"[{low:.3f}, {high:.3f}]"


def area(rows: pd.DataFrame) -> float:
    """Chance that a training side's score is above a held-out one's."""
    truth = np.repeat([1, 0], len(rows))
    return float(roc_auc_score(truth, np.concatenate([rows.score, rows.held_score])))


def interval(rows: pd.DataFrame, rng: np.random.Generator) -> tuple[float, float]:
    """Percentile bootstrap over prompts."""
    groups = [g for _, g in rows.groupby("prompt")]
    draws = [
        area(pd.concat([groups[i] for i in rng.integers(len(groups), size=len(groups))]))
        for _ in range(1000)
    ]
    return float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--indexes", type=Path, default=Path("reports/indexes"))
    parser.add_argument("--run", type=Path, help="folder of a run of the world's suite")
    parser.add_argument("--sizes", type=Path, help="file of the replicates by size")
    given = parser.parse_args()
    if given.sizes:
        Console(width=110).print(by_size(given.sizes, given.replicates))
        return
    encoder = models.copy_descriptor()
    index = of_corpus(models.corpus()).index(encoder, given.indexes, lambda done, total: None)
    fresh = round(given.replicates * given.size * (1 - SHARE))
    references = planting.references(index)
    null = index.nearest(references[len(index.train) :])[0]
    console = Console(width=110)
    pool = planting.pool(encoder, references, 0, fresh, 1000)
    console.print(by_hand(pool, null, given.replicates, given.size))
    hard = planting.pool(encoder, references, 1, 3 * given.size, 1600,
                         (*planting.EDITS, *planting.HARDER))  # fmt: skip
    console.print(by_edit(hard, 3, given.size))
    if given.run:
        console.print(by_model(given.run))


if __name__ == "__main__":
    main()
