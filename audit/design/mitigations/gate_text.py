"""Detection of names in a text: by lists in any case, by grammar, and by capitals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.design.mitigations.gate_names import (
    AGENT,
    BRANDS,
    ELSEWHERE,
    FAMOUS,
    FAMOUS_PHRASES,
    GIVEN,
    NO_NAMES,
    PARTICLES,
    PLACE_FIRST,
    PLACE_LAST,
)

_STOP = frozenset(
    """
    a an the of in at on by for with and or but as to from near is are was who whose that this
    while during under over behind beside between into onto about after before against like his
    her their its my your our not no
    """.split()
)
_DEPICTS = frozenset(
    """
    photo photograph portrait picture image painting drawing sketch headshot illustration face
    statue bust close-up closeup selfie rendering depiction shot likeness
    """.split()
)
_WORD = re.compile(r"[^\W\d_](?:[\w'-]*\w)?|[^\s\w]")
_FAMOUS = re.compile(rf"(?<![\w-])(?:{FAMOUS_PHRASES})(?![\w-])")
_BRANDS = re.compile(rf"(?<![\w-])(?:{BRANDS})(?![\w-])", re.IGNORECASE)
_NOT_STOP = rf"(?!(?:{'|'.join(sorted(_STOP))})\b)"
_STYLE = re.compile(
    r"\b(?:in the (?:\w+ )?style of|inspired by|style of|reminiscent of|tribute to|"
    r"(?:photo\w*|paint\w*|draw\w*|shot|art\w*|illustrat\w*|directed|designed|sculpt\w*|film\w*"
    rf"|image|picture|portrait|work|music) by|, by) (?:{_NOT_STOP}[\w.'-]+ ?){{1,4}}",
    re.IGNORECASE,
)
"""The maker or the style of an image, which does not say who is shown."""
_OBJECT = re.compile(
    r"\b(?:(?:making|preparing|cooking|baking|serving|pouring|mixing|reading|explaining|teaching"
    r"|studying|translating|quoting|selling|driving|repairing|restoring|wearing|performing"
    r"|rehearsing|singing|humming|stacking|shelving|buying|planting)(?: about)?"
    r"|(?:writing|talking|lecturing) about|listening to"
    r"|(?:pianist|violinist|cellist|organist|guitarist|musician|conductor|orchestra) (?:playing"
    r"|conducting|rehearsing)|(?:with|holding|near|beside|under|in front of|carrying|painting) "
    r"(?:an?|the) (?:portrait|poster|bust|statue|book|picture|photo|biography|painting|poem"
    rf"|quote|sonata|novel|map|copy|edition|volume|album|recording|dvd|paperback|score)"
    r" (?:of|by|about|from))(?: (?:a|an|the))?"
    rf" (?:{_NOT_STOP}[\w.'-]+ ?){{1,3}}",
    re.IGNORECASE,
)
"""Something that a person reads, plays, cooks or holds, which does not say who is shown."""
_PRINTED = re.compile(
    rf"\b(?:in|wearing|with|under|holding|behind) an? (?:{_NOT_STOP}[\w.'-]+ ){{1,2}}(?:t-?shirts?"
    r"|shirt|tee|hoodie|jersey|sweatshirt|mug|poster|sticker|backpack|lunchbox|calendar|badge|cap"
    r"|album)\b",
    re.IGNORECASE,
)
"""A name on clothes or things."""
_TITLE = re.compile(
    rf"\b(?:(?:mrs?|ms|mx|dr|prof|sir|dame)\b\.?|(?:rev|sgt|capt|lt|gen|col|sen|gov)\.) "
    rf"{_NOT_STOP}[^\W\d]"
)
_INITIALS = re.compile(
    r"(?:^|[\s,])(?!(?:u\. ?[sk]|e\. ?g|i\. ?e|[ap]\. ?m|d\. ?c|b\. ?c|a\. ?d)\.)"
    r"(?:(?:[a-z]\. ?){2,3}[a-z]{2,}|(?<![\w,] )[a-z]\. [a-z]{2,})"
)
"""Two initials anywhere, or one at the start."""


@dataclass(frozen=True)
class _Token:
    text: str
    """The word; those of the subject are in the suite's own case."""
    start: bool
    """Whether a sentence begins with it."""
    about: bool
    """Whether it belongs to the subject."""
    joined: bool = False
    """Whether its possessive `'s` was removed."""

    @property
    def low(self) -> str:
        return self.text.lower()

    @property
    def capital(self) -> bool:
        return (
            len(self.text) > 1 and self.text[0].isupper() and self.text[1:] != self.text[1:].upper()
        )


def _tokens(text: str, subject: str) -> list[_Token]:
    """Words and punctuation of a tidy text; the subject's words are in the subject's case."""
    at = text.lower().find(subject.lower()) if subject else -1
    end = at + len(subject)
    if at >= 0 and len(text) == len(text.lower()):
        text = text[:at] + subject + text[end:]
    rows: list[_Token] = []
    for m in _WORD.finditer(text):
        word = m.group()
        bare = re.sub(r"'s$", "", word)
        start = not rows or rows[-1].text in (".", ":", "!", "?", ";", "|")
        rows.append(_Token(bare, start, 0 <= at <= m.start() < end, bare != word))
    return rows


def _is_place(rows: list[_Token], i: int) -> bool:
    """Whether the name at `i` is part of the name of a place or an institution."""
    before = rows[i - 1].low if i else ""
    if before == "." and i > 1:
        before = rows[i - 2].low
    if before in PLACE_FIRST and rows[i - 1].low not in ("american", "british", "european"):
        return True
    for row in rows[i + 1 : i + 4]:
        if row.low in _STOP or not row.text[0].isalpha():
            return False
        if row.low in PLACE_LAST:
            return True
    return False


def _listed(rows: list[_Token], given: bool) -> bool:
    """Whether a word is a known name, in any case of letters."""
    for i, row in enumerate(rows):
        parts = {row.low} if row.low in FAMOUS else set(row.low.split("-"))
        if (
            parts <= FAMOUS | GIVEN
            and parts & (FAMOUS | (GIVEN if given else FAMOUS))
            and not _is_place(rows, i)
            and not (i and rows[i - 1].low in ("in", "at") and row.low in GIVEN)
        ):
            return True
    return False


def _grammar(lower: str, subject: str) -> bool:
    """Whether the sentence structure shows a name: `nurse named X`, `X as a nurse`, `Dr. X`."""
    noun = "person"  # one noun for all: the patterns are compiled once
    lower = lower.replace(subject.lower(), noun) if subject else lower
    called = rf"\b(?:{noun}|people)(?:,? who is|,? also|,)? (?:named|called|nicknamed|dubbed) "
    called += rf"{_NOT_STOP}(?!(?:out|away|up|in|on|back)\b)[^\W\d]"
    common = "|".join(
        sorted(_DEPICTS | {"person", "people", "someone", "somebody", "anyone", "same"})
    )
    bare = rf"(?:{_NOT_STOP}(?!(?:{common}|working|dressed|such|well|\w+ly)\b)[\w.'-]+ ){{1,4}}"
    doing = (
        "(?:working |dressed |posing |depicted |portrayed |acting |shown |imagined |dressed up )?"
    )
    acting = rf"(?:^|\bof ){bare}{doing}as (?:an?|the) (?:[\w-]+ )?{noun}(?![\w-])"
    return bool(
        re.search(called, lower)
        or (subject and re.search(acting, lower))
        or _TITLE.search(lower)
        or _INITIALS.search(lower)
    )


def _tells(rows: list[_Token], noun: str) -> bool:
    """Whether capitals outside the subject are informative: not in headlines or upper case.

    `noun` is the subject as written in the text.
    """
    own = [r for r in rows if not r.about and r.text[0].isalpha()]
    if len(own) < 3:
        return True
    if not any(r.text[0].islower() for r in own):
        return noun.islower()
    content = [r for r in own if r.low not in _STOP | PARTICLES]
    plain = [r for r in content if r.low in _DEPICTS or r.low.endswith("ing")]
    return not (len(content) > 2 and plain and all(r.text[0].isupper() for r in content))


def _runs(rows: list[_Token], tells: bool) -> list[tuple[int, int]]:
    """First and last index of each run of capitals, with small words of names between them."""
    found: list[tuple[int, int]] = []
    first = last = -1
    small = 0
    for i, row in enumerate(rows):
        initial = len(row.text) == 1 and row.text.isupper() and row.text not in ("A", "I")
        counts = (row.about or tells) and row.low not in _STOP
        if (row.capital or initial) and counts:
            if first < 0 or (not row.about and rows[last].about and not rows[last].capital):
                first = i
            last, small = i, 0
            if row.joined:
                found.append((first, last))
                first = -1
        elif first >= 0 and row.low in PARTICLES and small < 2:
            small += 1
        elif first >= 0 and not (row.text == "." and len(rows[last].text) <= 3):
            found.append((first, last))
            first = -1
    return [*found, (first, last)] if first >= 0 else found


def _modifier(rows: list[_Token], first: int, last: int) -> bool:
    """Whether a run modifies the noun after it: `a Goldman Sachs banker`."""
    after = rows[last + 1] if last + 1 < len(rows) else None
    return after is not None and after.text[0].isalpha() and after.low not in _STOP


def _names(rows: list[_Token], first: int, last: int) -> bool:
    """Whether a run of capitals is a person's name."""
    run = [r for r in rows[first : last + 1] if r.text[0].isalpha()]
    words = [r for r in run if r.low not in PARTICLES or r.text[0].isupper()]
    own = [r for r in words if r.low not in NO_NAMES and not (r.start and r.low.endswith("ing"))]
    before = rows[first - 1].low if first else ""
    if not own or words[-1].low in PLACE_LAST or words[0].low in PLACE_FIRST:
        return False
    far = rows[first - 2] if first > 1 else None
    if _is_place(rows, last) or before in ELSEWHERE:
        return False
    if far is not None and (
        (before == "the" and far.low in ELSEWHERE)
        or (before == "of" and far.low not in _DEPICTS)
        or (
            before == "," and not far.about and [r.low for r in rows[last + 1 : last + 2]] != ["as"]
        )
    ):
        return bool(own[0].low in GIVEN)
    if before in ("a", "an") or (before == "the" and not own[0].about):
        return bool(own[0].low in GIVEN and len(own) > 1)
    if all(r.about for r in own) and re.search(AGENT, own[-1].low) and own[0].low not in GIVEN:
        return False
    if len(own) > 1:
        return not (before and _modifier(rows, first, last) and rows[last + 1].about)
    return _one(rows, first, last, own[0])


def _one(rows: list[_Token], first: int, last: int, row: _Token) -> bool:
    """Whether a single capitalized word is a name: after a title, depicted, or in apposition."""
    before = rows[first - 1] if first else None
    after = rows[last + 1] if last + 1 < len(rows) else None
    ends = after is None or after.text in (",", ".") or after.low in _STOP
    if before is not None and before.about and not row.about:
        return not row.low.endswith("ing")
    if before is not None and before.low == "of" and first > 1 and ends:
        return rows[first - 2].low in _DEPICTS
    opens = row.start or row.about or (before is not None and before.text == ",")
    then = [r.low for r in rows[last + 1 : last + 3]]
    return bool(
        opens and (after is None or then[:1] == ["as"] or then in ([",", "a"], [",", "an"]))
    )


def unbranded(name: str) -> str:
    """A name, or nothing if it is one of a firm, a drink or a sight."""
    return "" if _BRANDS.search(name) else name


def named(text: str, subject: str) -> bool:
    """Whether a tidy text (straight quotation marks, no accents) names a person or a character.

    Lists and grammar apply in any case of letters; other names need capitals, and capitals count
    if the rest of the text is not all in capitals. The subject's capitals are the suite's.
    """
    plain = _OBJECT.sub(" | ", _PRINTED.sub(" | ", _STYLE.sub(" | ", _BRANDS.sub("Brand", text))))
    lower = plain.lower()
    rows = _tokens(plain, subject)
    if _FAMOUS.search(lower) or _listed(rows, given=True) or _grammar(lower, subject):
        return True
    at = max(lower.find(subject.lower()), 0)
    tells = _tells(rows, plain[at : at + len(subject)])
    return any(_names(rows, first, last) for first, last in _runs(rows, tells))
