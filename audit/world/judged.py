"""Checks of the generator and its classifier by readers' eyes, and by the nearest person.

Two readers labelled pictures that the model drew (`seen`): they say whether pictures can be read at
all, and whether the classifier is right about them. Shares over many more pictures are read by the
nearest person of the world (`nearest`), which is held against the same labels first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from audit.world import truth
from audit.world.captions import article
from audit.world.checks import Check, at_least, at_most
from audit.world.dataset import planted, twin_set
from audit.world.models import CLASSIFIER, DESCRIPTOR, GENERATOR
from audit.world.nearest import nearest
from audit.world.seen import ATTRIBUTES, READERS, seen

INNER = {"gender": "gender", "skin_tone": "skin_tone", "occupation": "noun"}
"""Attributes as the world's own code calls them."""
LEGIBLE = {"gender": 0.93, "skin_tone": 0.95, "occupation": 0.95}
AGREED = {"gender": 0.95, "skin_tone": 0.90, "occupation": 0.95}
RIGHT = {"gender": 0.97, "skin_tone": 0.97, "occupation": 0.95}
WORST = {"gender": 0.80, "skin_tone": 0.85, "occupation": 0.90}
ENOUGH = 10
"""Images of an occupation with a class from which its own accuracy counts."""
NAMED, ABSTAINED = 0.85, 0.6
"""Shares of images with a class where readers agree, and without one where they cannot tell."""
NEAREST = {"gender": 0.90, "skin_tone": 0.90, "occupation": 0.95}
RETURN = {64: 0.95, 16: 0.60}
GAP = 0.13
"""Floors, and a ceiling for the gap, that the shipped models keep; figures in docs/worlds.md."""


def reader_checks() -> Iterator[Check]:
    """Share of the pictures that both readers could read, and how far they agree (kappa)."""
    from sklearn.metrics import cohen_kappa_score

    known = seen()
    for attribute in ATTRIBUTES:
        legible = known.legible(attribute)
        yield at_least(
            f"readers: {attribute} legible to both, n = {len(legible)}",
            float(legible.mean()), LEGIBLE[attribute],
        )  # fmt: skip
        a, b = (known.table.loc[legible, f"{attribute}_{reader}"] for reader in READERS)
        kappa = float(cohen_kappa_score(a, b))
        yield at_least(
            f"readers: agreement on {attribute}, Cohen's kappa", kappa, AGREED[attribute]
        )


def read(pictures: np.ndarray, attribute: str) -> tuple[np.ndarray, np.ndarray]:
    """What the embedded classifier reads in uint8[n, 64, 64, 3]: classes, and probabilities."""
    from audit.evidence.attributes.zero_shot import probabilities, prototypes
    from audit.evidence.encoders.openclip import ClipEncoder
    from audit.world.train.classifier import zero_shot_texts

    encoder = ClipEncoder(f"local-dir:{CLASSIFIER}")
    texts = zero_shot_texts(INNER[attribute])
    p = probabilities(
        encoder.images(list(pictures)), prototypes(list(texts.values()), encoder.texts),
        encoder.scale,
    )  # fmt: skip
    return np.array(list(texts))[p.argmax(1)], p.max(1)


def thresholds() -> dict[str, float]:
    """Confidence below which the world's suites take a reading as uncertain, by attribute."""
    from audit.design.suites import read_suite

    return {a.name: a.threshold for a in read_suite("world_seen").attributes}


def classifier_checks() -> Iterator[Check]:
    """The classifier, and the nearest person, against what both readers saw."""
    known, floor = seen(), thresholds()
    people = nearest(known.pictures)
    for attribute in ATTRIBUTES:
        agreed = known.agreed(attribute)
        there = agreed.notna().to_numpy()
        value, sure = read(known.pictures, attribute)
        kept = there & (sure >= floor[attribute])
        right = value == agreed.to_numpy(object)
        yield at_least(
            f"classifier: {attribute} as both readers saw it, n = {int(kept.sum())}",
            float(right[kept].mean()), RIGHT[attribute],
        )  # fmt: skip
        by = pd.Series(right[kept]).groupby(known.table.subject[kept].to_numpy())
        often, few = by.mean()[by.size() >= ENOUGH], by.size()[by.size() < ENOUGH]
        rare = "".join(f"; {s} has {n}" for s, n in few.items())
        yield at_least(
            f"classifier: {attribute}, worst occupation ({often.idxmin()}) of those with {ENOUGH} "
            f"images or more{rare}",
            float(often.min()), WORST[attribute],
        )  # fmt: skip
        yield at_least(
            f"classifier: {attribute} named where both readers agree, of {int(there.sum())}",
            float(kept.sum() / there.sum()), NAMED,
        )  # fmt: skip
        if attribute == "gender":
            unclear = ~known.legible(attribute)
            yield at_least(
                f"classifier: uncertain where a reader could not tell, n = {int(unclear.sum())}",
                float((sure < floor[attribute])[unclear].mean()), ABSTAINED,
            )  # fmt: skip
        near = np.array([getattr(r.sprite, INNER[attribute]) for r in people])
        yield at_least(
            f"nearest person: {attribute} as both readers saw it",
            float((near == agreed.to_numpy(object))[there].mean()), NEAREST[attribute],
        )  # fmt: skip


def drawn(texts: Sequence[str], guidance: float, steps: int = 10, first: int = 0) -> np.ndarray:
    """One picture of the embedded model for each text, uint8[n, 64, 64, 3]; text k has seed k."""
    from audit.design.suites import noise_seed
    from audit.engine.model import load
    from audit.engine.sampler import draw
    from audit.engine.source import find
    from audit.records import Sample, Settings

    samples = [Sample(str(k), "", "none", noise_seed(t, first + k), t) for k, t in enumerate(texts)]
    made: dict[str, np.ndarray] = {}
    settings = Settings("embedded", "", steps, guidance, 16)
    ordered = sorted(samples, key=lambda s: s.text)
    for batch in draw(load(find(str(GENERATOR))), ordered, settings):
        made.update(zip(batch.ids, batch.pictures, strict=True))
    return np.stack([made[s.id] for s in samples])


def women(guidance: float, each: int) -> np.ndarray:
    """Whether a woman was drawn, by the nearest person: bool[occupations, each], seed by seed."""
    nouns = [o.noun for o in truth.OCCUPATIONS for _ in range(each)]
    pictures = drawn([f"a photo of {article(noun)}" for noun in nouns], guidance)
    found = [r.sprite.gender == "woman" for r in nearest(pictures)]
    return np.array(found).reshape(len(truth.OCCUPATIONS), each)


def share_checks(each: int = 25, guidance: float = 3.0) -> Iterator[Check]:
    """At guidance 1 the model draws what was planted; how far the default guidance amplifies it.

    Amplification is the mean change of the share of women from guidance 1 on the same seeds, over
    occupations planted above one half, and of men below it, with a bootstrap of the seeds within
    each occupation. It is shown where its interval excludes 0, or lies within 5 points of it.
    """
    planted_shares = np.array([o.p_woman for o in truth.OCCUPATIONS])
    faithful, guided = women(1.0, each), women(guidance, each)
    gap = float(np.abs(faithful.mean(1) - planted_shares).mean())
    chance = float(np.mean([_by_chance(p, each) for p in planted_shares]))
    yield at_most(
        f"generator: mean gap of women at guidance 1, {each} of each ({chance:.3f} by chance)",
        gap, GAP,
    )  # fmt: skip
    change = guided.astype(float) - faithful
    for whom, side, sign in (("women", planted_shares > 0.5, 1), ("men", planted_shares < 0.5, -1)):
        at, low, high = _mean_change(sign * change[side])
        shown = low > 0 or high < 0 or (low > -0.05 and high < 0.05)
        yield Check(
            f"generator: {whom} where most are, from guidance 1 to {guidance:g}",
            f"{at:+.3f} [{low:+.3f}, {high:+.3f}]", "not 0, or within .05", shown,
        )  # fmt: skip


def _by_chance(share: float, n: int) -> float:
    """Mean distance of a share of n draws from the share that they are drawn with."""
    from scipy.stats import binom

    k = np.arange(n + 1)
    return float((np.abs(k / n - share) * binom.pmf(k, n, share)).sum())


def _mean_change(change: np.ndarray, draws: int = 2000) -> tuple[float, float, float]:
    """Mean over rows of the mean over columns, with a 95 % percentile interval."""
    rng, means = np.random.default_rng(0), np.zeros(draws)
    for row in change:
        means += row[rng.integers(len(row), size=(draws, len(row)))].mean(1) / len(change)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(change.mean()), float(low), float(high)


def copy_checks(each: int = 4) -> Iterator[Check]:
    """Images planted 64 and 16 times come back from their captions; those planted once do not.

    An image is back where its descriptor is nearer to the planted image than the nearest of the
    twin's is, and as near as an edited copy (a cosine of .75 or more).
    """
    from audit.evidence.encoders.copies import CopyEncoder

    encoder = CopyEncoder(DESCRIPTOR)
    strangers = encoder.images([i.pixels() for i in twin_set()])
    for level in (64, 16, 1):
        items = [i for i in planted() if i.repeats == level for _ in range(each)]
        made = encoder.images(list(drawn([i.caption for i in items], 3.0)))
        own = (made * encoder.images([i.pixels() for i in items])).sum(1)
        share = float(((own > (made @ strangers.T).max(1)) & (own >= COPY)).mean())
        what = f"generator: images planted {level} times come back, n = {len(items)}"
        yield at_least(what, share, RETURN[level]) if level > 1 else at_most(what, share, 0.02)


COPY = 0.75
