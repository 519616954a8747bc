"""A report as a PDF, printed by a browser that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from audit.errors import UserError
from audit.files import write_atomic

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
            "msedge", "microsoft-edge", "brave-browser")  # fmt: skip
"""Commands of Chromium and of what is built on it."""
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
PATIENCE = 180
"""Seconds after which a browser is given up."""


def browser() -> str:
    """The path of a browser; UserError where none is installed."""
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    found += [path for path in APPLICATIONS if Path(path).is_file()]
    if not found:
        raise UserError(
            "--pdf needs Chromium, Chrome or Edge, and none is installed. Install one, or open "
            "the report in any browser and print it to a file."
        )
    return found[0]


def write(page: Path, out: Path) -> Path:
    """Print a page to the file `out` as its own style asks; UserError where that fails.

    The browser has a profile of its own and no network: the page asks for nothing.
    """
    with TemporaryDirectory() as place:
        made = Path(place) / "page.pdf"
        command = [browser(), "--headless", "--disable-gpu", "--no-first-run",
                   "--disable-extensions", "--disable-background-networking",
                   "--host-resolver-rules=MAP * ~NOTFOUND", "--no-pdf-header-footer",
                   f"--user-data-dir={place}/profile", f"--print-to-pdf={made}",
                   *(["--no-sandbox"] if _root() else []), page.resolve().as_uri()]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
            said = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        if not made.is_file() or not made.stat().st_size:
            raise UserError(
                f"{command[0]} did not print {page}: {said[:200] or 'it gave no reason'}. Open the "
                "report in a browser and print it to a file."
            )
        write_atomic(out, made.read_bytes())
    return out


def _root() -> bool:
    """Whether this is the system's administrator, for whom Chromium has no sandbox."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
