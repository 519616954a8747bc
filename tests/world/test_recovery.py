"""What was planted in the training images comes back out of the representation half of the audit.

The pictures are the world's own, so generation plays no part: this holds the instruments alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import pytest

from audit.design import suites
from audit.evidence.attributes.zero_shot import probabilities, prototypes
from audit.findings.representation import Context, findings
from audit.records import Attribute, Finding, Reference
from audit.runs.reader_errors import confusion
from audit.world import models, truth
from audit.world.dataset import Item, balanced, training_set

EACH = 60
"""Training images of each occupation that are read."""


@cache
def gender() -> Attribute:
    """The attribute as the embedded world's own suite declares it."""
    return next(a for a in suites.read_suite("world").attributes if a.name == "gender")


@cache
def logits() -> tuple[np.ndarray, list[str], list[str], np.ndarray, np.ndarray]:
    """Log-odds of woman for training images (with subject and truth) and balanced renders."""
    encoder = models.classifier()
    classes = prototypes([gender().texts[c] for c in gender().classes], encoder.texts)

    def odds(items: Sequence[Item]) -> np.ndarray:
        vectors = encoder.images([i.pixels() for i in items])
        p = probabilities(vectors, classes, encoder.scale)
        return np.asarray(np.log(p[:, 0] + 1e-12) - np.log(p[:, 1] + 1e-12))

    rng = np.random.default_rng(5)
    people = [
        (item, person)
        for item in training_set()
        if (person := item.scene.sprite) is not None and item.repeats == 1
    ]
    chosen = [
        people[j]
        for noun in truth.BY_NOUN
        for j in rng.permutation([k for k, (_, p) in enumerate(people) if p.noun == noun])[:EACH]
    ]
    held = balanced((9,), 600)
    genders = [item.scene.sprite.gender if item.scene.sprite else "" for item in held]
    women = ["woman" if person.gender == "woman" else "man" for _, person in chosen]
    return (
        odds([item for item, _ in chosen]), [person.noun for _, person in chosen], women,
        odds(held), np.array(genders) == "woman",
    )  # fmt: skip


def judged(noise: float, seed: int) -> list[Finding]:
    """Findings per occupation with noise of that many log-odds on every reading."""
    rng = np.random.default_rng(seed)
    odds, nouns, _, held, is_woman = logits()
    noisy, noisy_held = (x + noise * rng.standard_normal(len(x)) for x in (odds, held))
    names = np.array(gender().classes)
    read = names[(noisy_held < 0).astype(int)].tolist()
    errors = confusion((~is_woman).astype(int), read, gender().classes)
    rows = pd.DataFrame(
        {
            "sample": [str(i) for i in range(len(odds))],
            "prompt": [f"{n}/{i}" for i, n in enumerate(nouns)],
            "subject": nouns, "arm": "none", "seed": 0, "attribute": "gender",
            "outcome": "label", "value": names[(noisy < 0).astype(int)], "score": 1.0,
        }
    )  # fmt: skip
    shares = {
        (o.noun, "gender", c): o.p_woman if c == "woman" else 1 - o.p_woman
        for o in truth.OCCUPATIONS
        for c in gender().classes
    }
    planted = Reference("planted", "planted", shares, "")
    context = Context([gender()], [planted], {"gender": errors}, planted, 0)
    return [
        f for f in findings(rows, context, dict.fromkeys(truth.BY_NOUN, 1)) if "/all/" not in f.id
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_planted_shares_are_recovered_for_nine_occupations_in_ten(seed: int) -> None:
    """The interval holds P(woman | occupation) of at least 18 of 20 occupations."""
    found = judged(0.0, seed)
    assert len(found) == 20
    assert sum(f.low <= f.truth <= f.high for f in found) >= 18


def test_a_bad_classifier_is_corrected_where_the_naive_interval_fails() -> None:
    """With noise on its logits: corrected intervals still cover, naive ones do not."""
    odds = logits()[0]
    noise = 1.2 * float(np.median(np.abs(odds)))
    held, naive = [], []
    for seed in range(4):
        for f in judged(noise, seed):
            held.append(f.low <= f.truth <= f.high)
            naive.append(f.naive_low <= f.truth <= f.naive_high)
    assert np.mean(held) >= 0.9
    assert np.mean(naive) < 0.75
