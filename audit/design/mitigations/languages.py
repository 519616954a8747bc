"""The language of a prompt, by py3langid; everything that is not English is left alone."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from audit.errors import UserError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sk": "Slovak", "sv": "Swedish", "sw": "Swahili", "th": "Thai",
    "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""The languages that are told apart: those of most speakers on the web."""
_MARGIN = 9.0
"""Log-odds over English from which a language is believed; short English texts reach 5."""
_ALONE = 9.0
"""More is needed of a text without a function word of that language."""
_LATIN = 0.5
"""Share of letters of the Latin alphabet under which a text is not English."""
_ENGLISH = frozenset(
    """
    the of with wearing holding and at from by on her his their standing sitting an photo portrait
    is are who in working looking painting image picture
    """.split()
)
_FUNCTION = {
    "es": "un una el la los las de del en con y retrato foto",
    "fr": "un une le la les des du de dans avec et au aux sur",
    "de": "ein eine einer einen einem der die das im in mit und auf von",
    "it": "un una uno il la di con del della nel che in",
    "pt": "um uma os de do da em com na no retrato foto", "nl": "een het de van met op en die in",
    "sv": "en ett och med som av", "no": "en et og med som av", "da": "en et og med som af",
    "pl": "w na z przy",
    "tr": "bir ve ile", "ro": "un de cu in la si", "ca": "un una el la de amb",
    "id": "seorang dengan di yang sedang", "fi": "ja on", "cs": "v na s se", "hu": "egy az",
    "vi": "mot nguoi", "hr": "na u s", "sk": "v na s se", "sw": "ya wa na",
}  # fmt: skip


@cache
def _identifier() -> LanguageIdentifier:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise UserError(
            f"Recognizing a prompt's language needs py3langid, which is not installed ({error}). "
            "Install it with: pip install py3langid"
        ) from error
    found = LanguageIdentifier.from_model_file(MODEL_FILE)
    found.set_languages(sorted(NAMES))
    return found


@lru_cache(maxsize=4096)
def other(text: str) -> str:
    """The name of a prompt's language if it is not English, else nothing.

    A single word is taken for English, and so is a text that two languages claim alike.
    """
    letters = [c for c in text[:2000] if c.isalpha()]
    if not letters:
        return ""
    latin = sum(unicodedata.name(c, "").startswith("LATIN") for c in letters) / len(letters)
    ranked = _identifier().rank(text[:2000])
    if latin < _LATIN:
        first = next((n for n, _ in ranked if n != "en"), "")
        return NAMES.get(first, "another script")
    words = re.findall(r"[^\W\d_]+", text.lower())
    if len(words) < 2:
        return ""
    scores = {name: float(score) for name, score in ranked}
    best = str(ranked[0][0])
    theirs = _FUNCTION.get(best, "").split()
    own = sum(w in theirs and w not in _ENGLISH for w in words)
    english = sum(w in _ENGLISH and not (own and w in theirs) for w in words)
    margin = scores[best] - scores["en"]
    needed = _MARGIN + 12 * english - 5 * min(own, 3) + (0 if own else _ALONE)
    return NAMES[best] if best != "en" and margin > needed and (own or english == 0) else ""
