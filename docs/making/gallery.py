"""A screenshot for the gallery: a page, or a part of it, in Chromium.

    python -m docs.making.gallery NAME PAGE.html ["SELECTOR"] [HEIGHT]

writes docs/gallery-NAME.webp. It needs Chromium on the path.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from docs.making.picture import ROOT, view

TOP, HEIGHT = ".kicker", 760
"""Where a view begins unless a selector is given, and its height in pixels."""


def main(arguments: list[str]) -> Path:
    """Take one view; returns the file."""
    name, page, *more = arguments
    at, height = (more + [TOP, str(HEIGHT)][len(more) :])[:2]
    out = ROOT / "docs" / f"gallery-{name}.webp"
    with tempfile.TemporaryDirectory() as folder:
        shot = view(Path(page).read_text("utf-8"), at, int(height), Path(folder))
        shot.save(out, "WEBP", quality=70, method=6)
    return out


if __name__ == "__main__":
    print(main(sys.argv[1:]))
