"""A matplotlib figure as a small, accessible `<svg>` element that the report's CSS can colour.

Text stays text (searchable, in the report's font). Inline styles become attributes, because the
report's Content-Security-Policy allows no inline styles; unreferenced ids are dropped.
"""

from __future__ import annotations

import io
import re
import warnings
from html import escape

from matplotlib.figure import Figure

from audit.report.language import spelled

INK, ACCENT, SECOND, QUIET, PAPER = "#000000", "#0b5fa5", "#a4470a", "#767676", "#fefefe"
CSS = {
    INK: "currentColor",
    ACCENT: "var(--accent)",
    SECOND: "var(--second)",
    QUIET: "var(--quiet)",
    PAPER: "var(--page)",
}
"""Colours as drawn, and the report's colours that replace them, light or dark."""
SALT = "t2i-audit"


def inline(figure: Figure, name: str, description: str) -> str:
    """The figure as an `<svg>` whose ids begin with `name` and whose label is `description`."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Text is measured with matplotlib's font, shown in the reader's: gaps do not
        # matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    text = buffer.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    box = re.search(r'viewBox="([^"]+)"', text)
    assert box  # matplotlib always writes one
    head = f'<svg viewBox="{box[1]}" class="chart" role="img" aria-label="{escape(description)}">'
    return head + _numbers(_small(body, name).rstrip())


def _numbers(body: str) -> str:
    """Texts that are numbers as the language writes them: ticks of axes."""
    return re.sub(r"(?<=>)[-\u2212+]?\d+\.\d+(?=</text>)", lambda m: spelled(m[0]), body)


def _small(body: str, name: str) -> str:
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r'\sstyle="([^"]*)"', _attributes, body)
    body = body.replace("xlink:href", "href")
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', body))
    names = {n: f"{name}-{i}" for i, n in enumerate(sorted(a or b for a, b in used))}
    body = re.sub(
        r'\sid="([^"]+)"', lambda m: f' id="{names[m[1]]}"' if m[1] in names else "", body
    )
    body = re.sub(r"(href=\"#|url\(#)([^\")]+)", lambda m: m[1] + names[m[2]], body)
    body = re.sub(r'\stransform="rotate\(-?0 [^"]*\)"', "", body)
    body = re.sub(r"(?<=[\s\"(,])-?\d+\.\d{3,}", _rounded, body)
    body = re.sub(r">\s+<", "><", body)
    body = re.sub(r"<defs>(<path (?![^>]*\bid=)[^>]*/>)*</defs>|<g/>", "", body)
    return re.sub(r"\s*\n\s*", " ", body)


def _id(name: str | None) -> str:
    return f' id="{name}"' if name else ""


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def _attributes(match: re.Match[str]) -> str:
    """`style="a: b"` as attributes `a="b"`, with the report's colours for the drawn ones."""
    out = []
    for part in match[1].split(";"):
        key, _, value = (p.strip() for p in part.partition(":"))
        if key in ("font", "font-size"):
            size = re.search(r"([\d.]+)px", value)
            out.append(f'font-size="{size[1]}"' if size else "")
        elif key and key not in ("stroke-linejoin", "stroke-linecap", "font-family"):
            out.append(f'{key}="{CSS.get(value, value)}"')
    return " " + " ".join(o for o in out if o)
