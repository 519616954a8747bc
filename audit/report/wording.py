"""The report's words and numbers in one place, in the language that is spoken (`language`).

`templates/en.toml` contains every sentence, heading and table head by name. The sentences of
findings are written in `audit.findings.wording`, whose number formats are used here too, so a
sentence and its table cell never differ.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from audit.errors import harmless
from audit.findings import wording as said
from audit.keys import BASELINE
from audit.records import Finding
from audit.report import language, verdicts
from audit.report.language import FOREIGN, NATIVE
from audit.report.verdicts import Verdict

CHART = 40
"""Most rows of one chart: more would not be readable on a sheet of paper."""
DASH = "\N{EN DASH}"
TIE = "\N{NO-BREAK SPACE}"

spelled = language.spelled
_ENGLISH = language.language(language.ENGLISH)
TEXTS, VERDICTS, CITATIONS, CANNOT = (
    _ENGLISH.texts, _ENGLISH.verdicts, _ENGLISH.citations, _ENGLISH.cannot,
)  # fmt: skip
"""Those in English; what a page says is of `language.now()`."""
AGAINST = frozenset({"gap", "slope", "distance", "parity", "overshoot"})
"""Kinds of claims whose quantity names a reference."""
_NAMED = re.compile(rf"\b(from|of|past) ({'|'.join(map(re.escape, _ENGLISH.references))})\b")


def text(key: str, **values: object) -> str:
    """The text with this name, its placeholders filled; KeyError for an unknown name."""
    words = language.now().texts[key].replace(" %", f"{TIE}%").replace("n = ", f"n{TIE}={TIE}")
    return words.format(**values) if values else words


def tie(words: str) -> str:
    """Numbers as typeset: no break in `9 %`, `n = 60` and `[4 %, 22 %]`, and a true minus."""
    words = re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", words)
    words = words.replace("= < ", "< ")  # a small p has its own sign
    words = words.replace(" %", f"{TIE}%").replace("n = ", f"n{TIE}={TIE}")
    return re.sub(r"\[[^\[\]]{1,40}\]", lambda m: m[0].replace(" ", TIE), words)


def percent(x: float) -> str:
    """A share in [0, 1] with sensible digits, `9 %` or `0.4 %`; NaN is `not known`."""
    return tie(language.name(said.percent(x)))


def interval(low: float, high: float) -> str:
    """A 95 % interval of shares in brackets; a dash where there is none."""
    return tie(spelled(said.interval(low, high))) or DASH


def points(x: float) -> str:
    """A signed difference of shares in percentage points, `+40`; NaN is `not known`."""
    return tie(language.name(said.points(x)))


def distance(x: float) -> str:
    """An unsigned distance of shares in points, `4`, with a decimal below 1; NaN is a dash."""
    if not math.isfinite(x):
        return DASH
    return spelled(f"{100 * x:.1f}" if 0 < 100 * abs(x) < 1 else f"{100 * x:.0f}")


def count(x: float) -> str:
    """A whole number with thin groups, `12 000`; NaN is `not known`."""
    return f"{x:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}") if math.isfinite(x) else _unknown()


def number(x: Any, digits: int = 3) -> str:
    """A plain number, whole where it is whole; anything else is `not known`."""
    x = as_number(x)
    if not math.isfinite(x):
        return _unknown()
    whole = float(x).is_integer() and abs(x) >= 1
    return spelled(f"{x:.0f}" if whole else f"{x:.{digits}f}")


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
    return text("unknown")


def p_value(x: float) -> str:
    """A p- or q-value: `0.03`, `< 0.001`, or a dash where there was no test."""
    return spelled(said.p_value(x)) if math.isfinite(x) else DASH


def estimate(f: Finding) -> str:
    """A finding's estimate in its unit; NaN is `not known`."""
    return _value(f, f.estimate)


def span(f: Finding) -> str:
    """A finding's 95 % interval in its unit; a dash where there is none."""
    if not (math.isfinite(f.low) and math.isfinite(f.high)):
        return DASH
    return tie(between(_value(f, f.low), _value(f, f.high)))


def between(low: str, high: str) -> str:
    """Two limits in brackets; a semicolon keeps decimal commas apart."""
    return text("limits", low=low, high=high)


def worst(f: Finding) -> str:
    """The naive share if all images without a label counted against it, and for it."""
    if not f.missing or not math.isfinite(f.worst_low):
        return DASH
    return tie(text("range", low=percent(f.worst_low), high=percent(f.worst_high)))


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
            return tie(spelled(shown if float(shown) else "0.000"))
        case "distance":
            return distance(x)
        case "bits":
            return spelled(f"{x:.3f}")
        case "coefficient":
            return tie(spelled(f"{x:.2f}"))
        case "lightness" | "degrees":
            return tie(spelled(f"{x:+.1f}"))
        case _:
            return count(x)


def primary(f: Finding) -> str:
    """Name of the reference of a finding's verdict, or nothing."""
    return f.against or next(iter(f.references), "")


def label(f: Finding) -> str:
    """What a finding is about: where, and which quantity."""
    where, quantity = clip(f.where, 120), clip(f.quantity, 150)
    if f.key.kind in AGAINST:
        quantity = _known_names(quantity)
    if not where or (f.key.kind == "why" and f.unit == "coefficient"):
        return said.cap(quantity)  # which names the factor that `where` repeats
    return text("card.title", where=said.cap(where), quantity=quantity)


def _known_names(words: str) -> str:
    """The words with references under the names that the report gives them."""
    return _NAMED.sub(lambda m: f"{m[1]} {reference(m[2])}", words)


def verdict_of(f: Finding) -> Verdict | None:
    """The verdict of a finding as one of VERDICTS; None for a mere description."""
    return language.now().verdicts.get(verdicts.name(f))


def verdict(f: Finding) -> str:
    """The verdict as a phrase: the word, the reference that it is about, and why it is open."""
    found = verdict_of(f)
    if found is None:  # a finding's own text, from a file, is never a format
        known = f.verdict in ("", "described")
        return text("verdict.described") if known else clip(f.verdict, 40)
    name = primary(f)
    if verdicts.doubtful(f):
        return text("verdict.doubtful", word=found.word, q=p_value(f.q))
    if f.unit == "share" and name in f.references and found.name in ("higher", "lower", "same"):
        shown = {"name": reference(name), "share": percent(f.references[name])}
        return text("verdict.against", word=found.word, **shown)
    return found.word


def short_verdict(f: Finding) -> str:
    """The verdict as a word for a table; a dash for a description."""
    found = verdict_of(f)
    if found is not None:
        return found.word
    return DASH if f.verdict in ("", "described") else clip(f.verdict, 40)


def reference(name: str) -> str:
    """Display name of a reference: its own words where it is one of a shipped suite."""
    return language.now().references.get(name, clip(name, 40))


def prose(words: str) -> str:
    """A text of ours in the report's language, marked where only English has it."""
    return language.prose(words)


def inside(word: str) -> str:
    """A verdict's word inside a sentence; nouns in it keep their capitals."""
    return word.lower() if language.now().code == language.ENGLISH else word[:1].lower() + word[1:]


def shown(attribute: str) -> str:
    """An attribute by its name, `skin tone`, in the report's language."""
    return language.name(attribute.replace("_", " "))


def named(word: str) -> str:
    """A class, an outcome or another name in the report's language."""
    return language.name(word)


ENDS, NEAR = 0.075, 0.15
"""Distance from none and all within which a share is said in hundredths: alone, and as the limit
of a share that is."""


def tens(x: float, ends: float = ENDS) -> str:
    """A share as a person says it: `3 in 10`, `4 in 100` near the ends, `none`, `all`."""
    if not math.isfinite(x):
        return _unknown()
    if x <= 0 or x >= 1:
        return text("tens.none" if x <= 0 else "tens.all")
    if _in_ten(x, ends):
        return text("tens.ten", n=f"{10 * x:.0f}")
    few = 100 * x
    if few < 0.5 or few > 99.5:
        return text("tens.few" if few < 0.5 else "tens.most")
    return text("tens.hundred", n=f"{few:.0f}")


def about(f: Finding) -> str:
    """A share and its interval as a person says them: `3 in 10, between 2 and 5`."""
    if not math.isfinite(f.estimate):
        return _unknown()
    if not (math.isfinite(f.low) and math.isfinite(f.high)):
        return tens(f.estimate)
    if _in_ten(f.estimate):
        low, high = (f"{10 * x:.0f}" if _in_ten(x) else tens(x) for x in (f.low, f.high))
    else:  # a rounded tenth could be that of a reference next to it
        low, high = (tens(x, NEAR) for x in (f.low, f.high))
    if low != high:
        return text("tens.between", share=tens(f.estimate), low=low, high=high)
    # The limits are the same tenth, or almost all or none: they are said in hundredths.
    share, low, high = (f"{100 * x:.0f}" for x in (f.estimate, f.low, f.high))
    if low == high or f.low == f.high:
        return tens(f.estimate)
    return text("tens.between", share=text("tens.hundred", n=share), low=low, high=high)


def _in_ten(x: float, ends: float = ENDS) -> bool:
    """Whether a share is far enough from none and all to be said in tenths."""
    return ends <= x <= 1 - ends


SIZES = {"images": "size.images", "pairs": "size.pairs", "people": "size.people",
         "prompts": "size.prompts", "subjects": "size.subjects.only",
         "trainings": "size.trainings"}  # fmt: skip


def size(f: Finding) -> str:
    """How many of what a claim is about: `180 images of 6 subjects`, `62 pairs`."""
    n = count(f.n)
    if f.counted == "subjects" and math.isfinite(f.n_effective) and f.n_effective != f.n:
        return text("size.subjects", n=n, subjects=count(f.n_effective))
    return text(SIZES.get(f.counted, "size.images"), n=n)


def arm(name: str) -> str:
    """Display name of an arm: the baseline is `unchanged prompt`."""
    return text("arm.none") if name == BASELINE else clip(name, 40)


def clip(words: object, length: int = 160) -> str:
    """Untrusted text on one line of at most `length` characters, cut with an ellipsis.

    Control characters, lone surrogates and marks that reorder the text around them are left out.
    """
    if str(words).startswith(FOREIGN):
        return f"{FOREIGN}{clip(str(words).strip(FOREIGN + NATIVE), length)}{NATIVE}"
    raw = str(words)[: 4 * length + 64]
    line = " ".join(harmless("".join(" " if c.isspace() else c for c in raw)).split())
    if len(line) <= length and len(raw) == len(str(words)):
        return line
    return line[: length - 1].rstrip(" \N{ZERO WIDTH JOINER}") + "\N{HORIZONTAL ELLIPSIS}"


def date(written: str) -> str:
    """The day of a time in ISO 8601, as the language writes it; other text clipped."""
    day = clip(written[:10], 10)
    found = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", day)
    return text("date", year=found[1], month=found[2], day=found[3]) if found else day


def basis(f: Finding) -> str:
    """The basis of a claim: what was counted, independent images, missing ones, method."""
    parts = [size(f)]
    single = f.counted in ("images", "people") and f.unit != "points"
    if single and math.isfinite(f.n_effective) and count(f.n_effective) != count(f.n):
        parts.append(text("basis.effective", n=count(f.n_effective)))
    if f.missing:
        parts.append(text("basis.missing", n=count(f.missing)))
    return ", ".join(parts)


def family(f: str) -> str:
    """Display name of a family of comparisons."""
    return clip(f.replace("_", " ").removesuffix(f", {BASELINE}"), 80)


def sentence(f: Finding) -> str:
    """A finding's own sentence, clipped, with numbers tied to their units."""
    return tie(clip(f.sentence, 400))
