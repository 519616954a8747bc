"""The README's screenshot: three views of the committed example report in Chromium.

    python -m docs.making.picture

It needs Chromium on the path. The views are real; only the report's ban on scripts is removed from
the copy, because a script scrolls it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "reports" / "example" / "report.html"
OUT = ROOT / "docs" / "report.png"
VIEWS = ((".kicker", 1), ("#representation h3", 0.355), ("#replication h3:nth-of-type(3)", 0.645))
"""CSS selector of the element at the top of each view, and the view's share of the height."""
WIDTH, HEIGHT, MARGIN = 720, 1040, 24
"""Pixels."""


def view(html: str, at: str, height: int, folder: Path) -> Image.Image:
    """One view, WIDTH by `height` pixels, of a page from a selector on."""
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    move = f"document.querySelector('{at}').getBoundingClientRect().top - {MARGIN}"
    script = f"<script>document.body.style.marginTop = -({move}) + 'px'</script>"
    page, shot = folder / "page.html", folder / "shot.png"
    page.write_text(bare.replace("</body>", script + "</body>"), "utf-8")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--window-size={WIDTH},{height}", f"--screenshot={shot}"]  # fmt: skip
    subprocess.run(["chromium", *flags, page.as_uri()], check=True, capture_output=True)
    return Image.open(shot).convert("RGB")


def main() -> None:
    """Arrange the views side by side, the first over the whole height, with few colours."""
    html = REPORT.read_text("utf-8")
    whole = Image.new("RGB", (2 * WIDTH + 20, HEIGHT), "#d0d0d0")
    with tempfile.TemporaryDirectory() as folder:
        top = 0
        for i, (at, share) in enumerate(VIEWS):
            height = round(HEIGHT * share) - (5 if i else 0)
            shot = view(html, at, height, Path(folder))
            whole.paste(shot, (0 if i == 0 else WIDTH + 20, top if i else 0))
            top += height + 10 if i else 0
    whole.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(OUT, optimize=True)
    print(OUT)


if __name__ == "__main__":
    main()
