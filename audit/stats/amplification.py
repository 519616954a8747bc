"""Whether a model is more skewed than its training set."""

from __future__ import annotations

import math

from audit.stats.interval import UNKNOWN, Interval


def difference(first: Interval, second: Interval) -> Interval:
    """First minus second of two independent estimates, from their limits alone.

    The method of variance estimates recovery, MOVER (Donner & Zou 2012, Stat Methods Med Res
    21:347, eq. 3): it keeps the asymmetry of both, whatever corrections were applied to them.
    Unknown where either is unknown.
    """
    values = (first.estimate, first.low, first.high, second.estimate, second.low, second.high)
    if not all(math.isfinite(v) for v in values):
        return UNKNOWN
    middle = first.estimate - second.estimate
    down = math.hypot(first.estimate - first.low, second.high - second.estimate)
    up = math.hypot(first.high - first.estimate, second.estimate - second.low)
    return Interval(middle, max(middle - down, -1.0), min(middle + up, 1.0))


def towards_majority(model: Interval, training: Interval) -> Interval:
    """How much further the model's share is on the side of the training majority, -1..1.

    Model minus training where the class is the training majority, training minus model where it is
    the minority (Seshadri, Singh & Elazar 2024, NAACL, eq. 1; Zhao et al. 2017, EMNLP). Unknown
    where the training share is unknown or exactly one half: there is no majority then.
    """
    found = difference(model, training)
    if training.estimate == 0.5 or not math.isfinite(found.estimate):
        return UNKNOWN
    if training.estimate > 0.5:
        return found
    return Interval(-found.estimate, -found.high, -found.low)
