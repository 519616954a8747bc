"""Safe Markdown: untrusted text cannot become markup, a cell or a link."""

from __future__ import annotations

import re
from collections.abc import Sequence

from audit.records import Finding
from audit.report import wording
from audit.report.wording import clip

_MARKS = re.compile(r"([\\`*_\[\]<>|#~&$])")


def escape(text: object, length: int = 400) -> str:
    """A text on one line whose characters are shown literally, cut at `length`.

    Backslashes before punctuation (CommonMark 0.31, sec. 2.4); to keep addresses from becoming
    links, their colon and the dot after `www` are escaped too. Characters that control or reorder
    text are left out.
    """
    line = _MARKS.sub(r"\\\1", clip(text, length))
    line = re.sub(r"(?i)(https?|ftp|mailto|xmpp)(:)", r"\1\\:", line)
    line = re.sub(r"(?i)\bwww\.", lambda m: m[0][:-1] + r"\.", line).replace("@", r"\@")
    # Characters with a meaning at the beginning of a line only.
    return re.sub(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=:]))", r"\1" + "\\\\", line)


def code(text: object, length: int = 200) -> str:
    """A text as a code span, for a table: backticks become quotes, pipes are escaped."""
    return "`" + clip(text, length).replace("`", "'").replace("|", r"\|") + "`"


def span(f: Finding) -> str:
    """A finding's interval in its unit, or a note that there is none."""
    found = wording.span(f)
    return "(no interval)" if found == wording.DASH else found


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown already; columns in `right` are right-aligned."""
    rules = ["---:" if i in right else "---" for i in range(len(heads))]
    lines = ["| " + " | ".join(cells) + " |" for cells in (heads, rules, *rows)]
    return "\n".join(lines)
