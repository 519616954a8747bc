"""The report's words and numbers in one place: another language needs only another file.

`templates/en.toml` contains every sentence, heading and table head by name. The sentences of
findings are written in `audit.findings.wording`, whose number formats are used here too, so a
sentence and its table cell never differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.errors import harmless
from audit.files import toml
from audit.findings import wording as said
from audit.keys import BASELINE
from audit.records import Finding

ALPHA = 0.05
"""q-values of at least this are called compatible with chance."""
CHART = 40
"""Most rows of one chart: more would not be readable on a sheet of paper."""
DASH = "\N{EN DASH}"
TIE = "\N{NO-BREAK SPACE}"

_LANGUAGE: dict[str, Any] = toml(
    (Path(__file__).parent / "templates" / "en.toml").read_text("utf-8")
)
PAGES = ("script",)
"""Sections of the file whose texts are named `SECTION.NAME`."""
TEXTS: Mapping[str, str] = _LANGUAGE["texts"] | {
    f"{page}.{name}": words for page in PAGES for name, words in _LANGUAGE[page].items()
}
VERDICTS: Mapping[str, Mapping[str, str]] = _LANGUAGE["verdicts"]
"""Phrases by the unit of a finding; `any` has those that do not depend on it."""
CANNOT: Sequence[str] = _LANGUAGE["limits"]["always"]
EMBEDDED: str = _LANGUAGE["limits"]["embedded"]
FORMULAS: Sequence[Mapping[str, str]] = _LANGUAGE["formulas"]
CITATIONS: Sequence[str] = _LANGUAGE["sources"]["cited"]


def text(key: str, **values: object) -> str:
    """The text with this name, its placeholders filled; KeyError for an unknown name."""
    words = TEXTS[key].replace(" %", f"{TIE}%").replace("n = ", f"n{TIE}={TIE}")
    return words.format(**values) if values else words


def tie(words: str) -> str:
    """Numbers as typeset: no break in `9 %`, `n = 60` and `[4 %, 22 %]`, and a true minus."""
    words = re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", words)
    words = words.replace("= < ", "< ")  # a small p has its own sign
    words = words.replace(" %", f"{TIE}%").replace("n = ", f"n{TIE}={TIE}")
    return re.sub(r"\[[^\[\]]{1,40}\]", lambda m: m[0].replace(" ", TIE), words)


def percent(x: float) -> str:
    """A share in [0, 1] with sensible digits, `9 %` or `0.4 %`; NaN is `not known`."""
    return tie(said.percent(x))


def interval(low: float, high: float) -> str:
    """A 95 % interval of shares in brackets; a dash where there is none."""
    return tie(said.interval(low, high)) or DASH


def points(x: float) -> str:
    """A signed difference of shares in percentage points, `+40`; NaN is `not known`."""
    return tie(said.points(x))


def distance(x: float) -> str:
    """An unsigned distance of shares in points, `4`, with a decimal below 1; NaN is a dash."""
    if not math.isfinite(x):
        return DASH
    return f"{100 * x:.1f}" if 0 < 100 * abs(x) < 1 else f"{100 * x:.0f}"


def count(x: float) -> str:
    """A whole number with thin groups, `12 000`; NaN is `not known`."""
    return f"{x:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}") if math.isfinite(x) else _unknown()


def number(x: Any, digits: int = 3) -> str:
    """A plain number, whole where it is whole; anything else is `not known`."""
    x = as_number(x)
    if not math.isfinite(x):
        return _unknown()
    return f"{x:.0f}" if float(x).is_integer() and abs(x) >= 1 else f"{x:.{digits}f}"


def as_number(x: object) -> float:
    """A fact as a float: NaN for anything but a finite number."""
    if isinstance(x, bool) or not isinstance(x, int | float | np.number):
        return math.nan
    return float(x) if math.isfinite(x) else math.nan


def repeats(n: Any) -> str:
    """How often the training set contains an image, such as `16 times in training`, or a dash."""
    times = as_number(n)
    if not math.isfinite(times):
        return DASH
    return text("replication.repeat") if times == 1 else text("replication.repeats", n=count(times))


def _unknown() -> str:
    return TEXTS["unknown"]


def p_value(x: float) -> str:
    """A p- or q-value: `0.03`, `< 0.001`, or a dash where there was no test."""
    return said.p_value(x) if math.isfinite(x) else DASH


def estimate(f: Finding) -> str:
    """A finding's estimate in its unit; NaN is `not known`."""
    return _value(f, f.estimate)


def span(f: Finding) -> str:
    """A finding's 95 % interval in its unit; a dash where there is none."""
    if not (math.isfinite(f.low) and math.isfinite(f.high)):
        return DASH
    return tie(f"[{_value(f, f.low)}, {_value(f, f.high)}]")


def worst(f: Finding) -> str:
    """The naive share if all images without a label counted against it, and for it."""
    if not f.missing or not math.isfinite(f.worst_low):
        return DASH
    return tie(f"{percent(f.worst_low)} to {percent(f.worst_high)}")


def _value(f: Finding, x: float) -> str:
    if not math.isfinite(x):
        return _unknown()
    match f.unit:
        case "share":
            return percent(x)
        case "points":
            return points(x)
        case "cosine":
            shown = f"{x:+.3f}"
            return tie(shown if float(shown) else "0.000")
        case "distance":
            return distance(x)
        case "bits":
            return f"{x:.3f}"
        case "coefficient":
            return tie(f"{x:.2f}")
        case _:
            return count(x)


def primary(f: Finding) -> str:
    """Name of the reference of a finding's verdict, or nothing."""
    return f.against or next(iter(f.references), "")


def verdict(f: Finding) -> str:
    """The verdict as a phrase: what is above or below what, and whether it survives q."""
    if f.verdict in VERDICTS["any"] or not f.verdict:
        return VERDICTS["any"].get(f.verdict, "")
    table = VERDICTS.get(f.unit, VERDICTS["points"])
    name = primary(f)
    reference = f"{clip(name, 40)}, {percent(f.references[name])}" if name else DASH
    known = table.get(f.verdict)  # a finding's own text, from a file, is never a format
    words = clip(f.verdict, 40) if known is None else known.format(ref=reference)
    if f.verdict in ("above", "below") and math.isfinite(f.q) and f.q >= ALPHA:
        words += f", but q is {p_value(f.q)}"
    return words


def short_verdict(f: Finding) -> str:
    """The verdict as a word for a table, marked where it does not survive multiple comparisons."""
    doubtful = f.verdict in ("above", "below") and math.isfinite(f.q) and f.q >= ALPHA
    return (
        f"{f.verdict} (q{TIE}\N{GREATER-THAN OR EQUAL TO}{TIE}{ALPHA:g})" if doubtful else f.verdict
    )


def arm(name: str) -> str:
    """Display name of an arm: the baseline is `no rewrite`."""
    return "no rewrite" if name == BASELINE else clip(name, 40)


def clip(words: object, length: int = 160) -> str:
    """Untrusted text on one line of at most `length` characters, cut with an ellipsis.

    Control characters, lone surrogates and marks that reorder the text around them are left out.
    """
    raw = str(words)[: 4 * length + 64]
    line = " ".join(harmless("".join(" " if c.isspace() else c for c in raw)).split())
    if len(line) <= length and len(raw) == len(str(words)):
        return line
    return line[: length - 1].rstrip(" \N{ZERO WIDTH JOINER}") + "\N{HORIZONTAL ELLIPSIS}"


def basis(f: Finding) -> str:
    """The basis of a claim: n if its sentence leaves it out, effective n, missing, method."""
    parts = [text("answers.missing", n=count(f.missing))]
    if math.isfinite(f.n_effective):
        parts.insert(0, text("answers.effective", n=count(f.n_effective)))
    if str(f.n) not in f.sentence:
        parts.insert(0, text("answers.n", n=count(f.n)))
    method = clip(f.method[:1].upper() + f.method[1:], 120)
    words = ", ".join(parts)
    if not words.startswith("n"):
        words = words[:1].upper() + words[1:]
    return words + (f". {method}." if method else ".")


def family(f: str) -> str:
    """Display name of a family of comparisons."""
    return clip(f.replace("_", " ").removesuffix(f", {BASELINE}"), 80)


def sentence(f: Finding) -> str:
    """A finding's own sentence, clipped, with numbers tied to their units."""
    return tie(clip(f.sentence, 400))
