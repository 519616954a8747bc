"""The page for a labelling sheet: numbered images, without the classifier's labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from audit.evidence.attributes.colour import swatches_of
from audit.report import language, wording
from audit.report.page import environment, frame
from audit.report.thumbnails import Album

SIDE = 256
BUDGET = 40_000_000
"""Budget of characters for images: the page is for local use, not for sending."""


def labelling_page(
    rows: pd.DataFrame, classes: Mapping[str, Sequence[str]], reasons: Sequence[str],
    image: Callable[[str], np.ndarray], run: str,
) -> str:  # fmt: skip
    """HTML with a numbered image per row of a drawn sample (columns sample and attribute).

    The order is the sheet's, and the classifier's label is not shown: labelling must be blind.
    """
    album = Album(BUDGET)
    parts = []
    numbered = rows.assign(number=range(1, len(rows) + 1))
    for attribute, part in numbered.groupby("attribute", sort=False):
        cells = [
            {"number": r.number, "src": album.small(image, r.sample, SIDE)}
            for r in part.itertuples(index=False)
        ]
        names = classes[str(attribute)]
        parts.append({"attribute": attribute, "classes": names, "cells": cells,
                      "colours": swatches_of(names)})  # fmt: skip
    return language.marked(environment().get_template("labels.html.j2").render(
        **frame(), parts=parts, reasons=reasons, run=run,
        sheet="sheet.csv", total=len(rows), t=wording.text, w=wording, left_out=album.left_out,
    ))  # fmt: skip
