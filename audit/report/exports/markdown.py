"""Markdown that says what was meant: strangers' text cannot become markup, a cell or a link."""

from __future__ import annotations

import re
from collections.abc import Sequence

from audit.records import Finding
from audit.report import wording
from audit.report.wording import clip

_MARKS = re.compile(r"([\\`*_\[\]<>|#~&$])")


def escape(text: object, length: int = 400) -> str:
    """A text on one line whose characters are shown as they are, cut at `length`.

    Backslashes before punctuation (CommonMark 0.31, sec. 2.4); so that no address becomes a link,
    the colon of one and the dot after `www` are escaped too. Characters that control or reorder
    are left out.
    """
    line = _MARKS.sub(r"\\\1", clip(text, length))
    line = re.sub(r"(?i)(https?|ftp|mailto|xmpp)(:)", r"\1\\:", line)
    line = re.sub(r"(?i)\bwww\.", lambda m: m[0][:-1] + r"\.", line).replace("@", r"\@")
    # What only means something at the beginning of a line.
    return re.sub(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=:]))", r"\1" + "\\\\", line)


def code(text: object, length: int = 200) -> str:
    """A text as a code span, for a table: backticks become quotes, pipes are escaped."""
    return "`" + clip(text, length).replace("`", "'").replace("|", r"\|") + "`"


def span(f: Finding) -> str:
    """A finding's interval in the unit of its kind, or that there is none."""
    found = wording.span(f)
    return "(no interval)" if found == wording.DASH else found


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown already; columns in `right` are set to the right."""
    rules = ["---:" if i in right else "---" for i in range(len(heads))]
    lines = ["| " + " | ".join(cells) + " |" for cells in (heads, rules, *rows)]
    return "\n".join(lines)
