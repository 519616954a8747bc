"""What people see in the embedded model's images, beyond `world verify`: figures of docs/worlds.md.

    python -m benchmarks.legibility [--steps 20 12 10] [--each 10]

Agreement of the two readers on five tones of skin and on their two classes; the classifier against
both, sure or not; and how far images of each number of steps, on the same noise, are from the
nearest person of the world.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import pandas as pd
from sklearn.metrics import cohen_kappa_score

from audit.world.captions import article
from audit.world.judged import drawn, read, thresholds
from audit.world.nearest import nearest
from audit.world.seen import ATTRIBUTES, READERS, SEEN, seen
from audit.world.truth import OCCUPATIONS, TONES


def of_readers() -> None:
    """Cohen's kappa of the labels of skin: five tones, plain and with linear weights, and two."""
    table = pd.read_csv(SEEN / "labels.csv")
    place = {tone: i for i, tone in enumerate(TONES)}
    a, b = (table[f"skin_tone_{reader}"].map(place) for reader in READERS)
    two = (seen().table[f"skin_tone_{reader}"] for reader in READERS)
    print(
        f"kappa of skin, n = {len(table)}: five tones {cohen_kappa_score(a, b):.3f}, with linear "
        f"weights {cohen_kappa_score(a, b, weights='linear'):.3f}, two classes "
        f"{cohen_kappa_score(*two):.3f}"
    )


def of_classifier() -> None:
    """Images that both readers agree on: right among all, and by occupation among the sure ones."""
    known, floor = seen(), thresholds()
    for attribute in ATTRIBUTES:
        agreed = known.agreed(attribute)
        there = agreed.notna().to_numpy()
        value, sure = read(known.pictures, attribute)
        right = value == agreed.to_numpy(object)
        kept = there & (sure >= floor[attribute])
        print(
            f"{attribute}: right in {right[there].mean():.3f} of all {there.sum()}; "
            f"of {kept.sum()} with a class, where not all are right:"
        )
        by = (
            pd.Series(right[kept])
            .groupby(known.table.subject[kept].to_numpy())
            .agg(["sum", "size"])
        )
        print(by[by["sum"] < by["size"]].to_string(header=False))


def of_steps(steps: Sequence[int], each: int) -> None:
    """Mean distance from the nearest person, in levels of 255, by the number of steps."""
    texts = [f"an image of {article(o.noun)}" for o in OCCUPATIONS for _ in range(each)]
    for n in steps:
        far = [r.distance for r in nearest(drawn(texts, 3.0, n))]
        print(f"{n} steps, {len(far)} images: {sum(far) / len(far):.2f} levels")


def main() -> None:
    """Print all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[20, 12, 10])
    parser.add_argument("--each", type=int, default=10, help="images of each occupation")
    asked = parser.parse_args()
    of_readers()
    of_classifier()
    of_steps(asked.steps, asked.each)


if __name__ == "__main__":
    main()
