"""`run --plan-power`: precision of the planned images, and sample sizes that are needed."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cache
from typing import Any

from audit.cli.shared import say, say_json
from audit.errors import harmless

POWER = 0.8
HALVES = (0.1, 0.05)
"""Half-widths, and shifts of a share, for which numbers of images are given."""


def show(suite: Any, as_json: bool) -> None:
    """Print the precision and the needed sample sizes of each subject; nothing is generated."""
    rows = table(suite)
    if as_json:
        say_json(rows, indent=1)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title = Text(harmless(f"{suite.title}: precision of the planned images"))
    shown = Table(title=title, box=None)
    heads = ("subject", "attribute", "images", "reference", "half-width", "detectable shares",
             "in the family", "to see 10 points", "by a mitigation", "of two models")  # fmt: skip
    for head in heads:
        shown.add_column(head, justify="left" if head in heads[:2] else "right")
    for r in rows:
        shown.add_row(
            *(Text(harmless(r[k])) for k in ("subject", "attribute")), str(r["images"]),
            _share(r["reference"]), f"±{100 * r['half_width']:.0f} points",
            _apart(r["apart"]), _apart(r["apart_family"]),
            *(_number(n) for n in r["to_detect"]["0.1"].values()),
        )  # fmt: skip
    Console(width=160).print(shown)
    ten, five = (power_images(h) for h in HALVES)
    say(
        f"\nDetectable shares: the nearest shares below and above the reference that an exact test "
        f"at 5 % detects with {100 * POWER:.0f} % power; in the family: the same test at 5 % "
        "divided by the number of subjects. The last three columns are images that would be needed "
        "to detect 10 points in the family: between the share and its reference; between the "
        "shares with and without a mitigation, in pairs, fewer where both images of a pair tend to "
        "be alike; and between two models, from each. Half-widths of ±10 and ±5 points need "
        f"{ten} and {five} images at most. Classifier errors and images without a label reduce "
        "the precision. --precision 0.05 generates images until that half-width is reached."
    )


def power_images(half: float) -> int:
    """Images that give a half-width at any share."""
    from audit.stats import power

    return int(power.images_for_precision(0.5, half))


@cache
def to_detect(centre: float, shift: float, family: int) -> dict[str, float | None]:
    """Images that detect a share `shift` from `centre` as one of `family` comparisons.

    Against `centre` as a reference; pairs of a mitigation, whose images are as unlike as those of
    different noise; and images of each of two models. The larger number of both directions.
    """
    from audit.stats import power

    wanted = power.Wanted(POWER, 0.95, family)
    ends = [x for x in (round(centre - shift, 9), round(centre + shift, 9)) if 0 <= x <= 1]
    numbers = {
        "reference": [power.images_for_share(x, centre, wanted) for x in ends],
        "mitigation": [
            power.pairs_for_change((1 - centre) * x, centre * (1 - x), wanted) for x in ends
        ],
        "models": [power.images_per_arm(centre, x, wanted) for x in ends],
    }
    return {k: _null(max(n)) for k, n in numbers.items()}


def images_of(suite: Any) -> dict[tuple[str, str], int]:
    """Planned images by subject and attribute, in the suite's order."""
    images: dict[tuple[str, str], int] = {}
    for p in suite.prompts:
        if p.purpose == "representation" and not p.grouped:
            for a in p.attributes:
                images[p.subject, a] = images.get((p.subject, a), 0) + p.seeds
    return images


def table(suite: Any, only: Collection[tuple[str, str]] | None = None) -> list[dict[str, Any]]:
    """One row per subject and attribute: planned images, precision, and needed sample sizes.

    With `only`, the rows of these subjects and attributes alone: each takes a moment.
    """
    from audit.stats import power

    images = images_of(suite)
    first = {a.name: a.classes[0] for a in suite.attributes}
    rows = []
    for (subject, attribute), n in images.items():
        if only is not None and (subject, attribute) not in only:
            continue
        stated = (r.share(subject, attribute, first[attribute]) for r in suite.references)
        reference = next((s for s in stated if math.isfinite(s)), math.nan)
        family = sum(a == attribute for _, a in images)
        known = math.isfinite(reference)
        centre = reference if known else 0.5
        apart, family_apart = (
            [_null(x) for x in power.least_difference(n, centre, power.Wanted(POWER, 0.95, m))]
            if known
            else None
            for m in (1, family)
        )
        rows.append(
            {
                "subject": subject, "attribute": f"{attribute}: {first[attribute]}", "images": n,
                "reference": _null(reference), "half_width": power.half_width(n, centre),
                "apart": apart, "apart_family": family_apart,
                "images_for": {str(h): power_images(h) for h in HALVES},
                "to_detect": {str(h): _needed(centre, h, family, known) for h in HALVES},
            }
        )  # fmt: skip
    return rows


def _needed(centre: float, shift: float, family: int, known: bool) -> dict[str, float | None]:
    """`to_detect`, without a number for a reference that is not known."""
    found = to_detect(centre, shift, family)
    return found if known else {**found, "reference": None}


def _number(n: float | None) -> str:
    return "-" if n is None else f"{n:.0f}"


def _null(x: float) -> float | None:
    return x if math.isfinite(x) else None


def _share(x: float | None) -> str:
    return "none" if x is None else f"{100 * x:.0f} %"


def _apart(pair: list[float | None] | None) -> str:
    if pair is None:
        return "-"
    low, high = ("none" if x is None else f"{100 * x:.0f} %" for x in pair)
    return f"{low} | {high}"
