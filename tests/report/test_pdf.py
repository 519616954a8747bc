"""A report as a PDF: by a browser that is there, or a sentence that says what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from audit.errors import UserError
from audit.report import pdf
from tests.report import pages
from tests.view import browser


def test_without_a_browser_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the commands is there: one sentence, and what to do."""
    monkeypatch.setattr(pdf, "APPLICATIONS", ())
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="needs Chromium, Chrome or Edge, and none is installed"):
        pdf.browser()


def test_a_browser_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its last line is in the error, and no file is left."""
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho first >&2\necho no display >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(pdf, "browser", lambda: str(program))
    with pytest.raises(UserError, match=r"did not print .*: no display"):
        pdf.write(tmp_path / "page.html", tmp_path / "page.pdf")
    assert not (tmp_path / "page.pdf").exists()


@pytest.mark.slow
@pytest.mark.skipif(not browser.CHROMIUM.exists(), reason="Chromium is not installed")
def test_a_page_is_printed(tmp_path: Path) -> None:
    """A page with a name that an address has to escape becomes a PDF."""
    page = tmp_path / "a page #1.html"
    page.write_text(pages.labels_page(), "utf-8")
    out = pdf.write(page, tmp_path / "page.pdf")
    assert out.read_bytes().startswith(b"%PDF")
    assert b"Skia" in out.read_bytes()
