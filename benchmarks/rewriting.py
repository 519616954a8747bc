"""How well `inject` rewrites prompts that people type: `python -m benchmarks.rewriting`.

It reads `prompts/rewriting/prompts.csv`: 1,526 prompts of 29 families in two halves, and sets of
155, 644, 336, 192 and 236 that were written later. `right` marks with ^ where a word that states a
gender belongs, and is empty where the prompt must stay. Half `build` served to build the reader;
`unseen`, `third`, `fourth`, `fifth` and `seventh` had one look each, in this order, see
docs/rewriting.md; `sixth` served to mend before the last of them; `both` is all of them.
`--languages` prints the frames in Spanish and German instead. A text is right if it is one of those
that the mark allows, in any case of letters: every other change of an open prompt counts as
ungrammatical or unfaithful.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from statsmodels.stats.proportion import proportion_confint

import audit
from audit.design import suites
from audit.design.mitigations.gate import gate
from audit.design.mitigations.grammar import find, insert_before
from audit.records import Prompt

PROMPTS = Path(__file__).parents[1] / "prompts/rewriting/prompts.csv"
HALVES = ("build", "unseen", "third", "fourth", "fifth", "sixth", "seventh", "both")
INSTEAD = {
    "person": ("woman", "man"), "individual": ("woman", "man"), "child": ("girl", "boy"),
    "kid": ("girl", "boy"), "human": ("woman", "man"),
}  # fmt: skip
"""Nouns that may also be replaced."""


@dataclass(frozen=True)
class Case:
    """A labelled prompt."""

    half: str
    family: str
    prompt: str
    right: str
    """The prompt with ^ before the noun phrase's compound; empty if it must stay."""

    @property
    def allowed(self) -> set[str]:
        """Texts that are right, in lower case."""
        before, _, after = self.right.lower().partition("^")
        before = re.sub(r"\ban(\s*[(\[]*)$", r"a\1", before)
        out = {f"{before}{word} {after}" for word in ("female", "male")}
        noun = re.match(r"\w+", after)
        if noun and noun[0] in INSTEAD:
            out |= {before + word + after[noun.end() :] for word in INSTEAD[noun[0]]}
        if before.endswith(("someone", "somebody")):
            out |= {re.sub(r"\w+$", f"a {word}", before) + after for word in ("woman", "man")}
        return out

    def verdict(self, text: str) -> str:
        """right, missed, changed or wrong, for a rewriter's text."""
        if not self.right:
            return "right" if text == self.prompt else "changed"
        if text == self.prompt:
            return "missed"
        return "right" if text.lower() in self.allowed else "wrong"


def cases(half: str) -> list[Case]:
    """The prompts of a half, or of both."""
    with PROMPTS.open(encoding="utf-8", newline="") as file:
        rows = [Case(**row) for row in csv.DictReader(file, strict=True)]
    return [c for c in rows if half in ("both", c.half)]


def by_parser(prompts: Sequence[str]) -> list[str]:
    """The texts of `audit.rewrite`, in one batch."""
    return [row.text for row in audit.rewrite(prompts, "inject:gender")]


def by_list(prompts: Sequence[str]) -> list[str]:
    """The texts by a suite's own nouns and the gate's rules alone, as without a parser."""
    subjects = sorted({p.subject for p in suites.read_suite("occupations").prompts}, key=len)
    texts = []
    for text in prompts:
        subject = next((s for s in reversed(subjects) if find(text, s)), "")
        noun = find(text, subject)
        asked = Prompt("p", text, subject, "b", "representation", 1)
        kept = noun is None or gate(text, asked, "gender", ("female", "male"))
        texts.append(text if kept or noun is None else insert_before(text, noun.start(), "female"))
    return texts


def share(k: int, n: int) -> str:
    """A share in percent with its 95 % interval of Wilson."""
    if not n:
        return "-"
    low, high = proportion_confint(k, n, method="wilson")
    return f"{k / n:6.1%} ({low:.1%} to {high:.1%})"


def table(half: str, mistakes: bool) -> None:
    """Print what each rewriter reached, wrongly changed and wrote wrongly, by family."""
    rows = cases(half)
    ways: dict[str, Callable[[Sequence[str]], list[str]]] = {
        "parser": by_parser, "list": by_list,
    }  # fmt: skip
    for name, way in ways.items():
        began = time.perf_counter()
        texts = way([c.prompt for c in rows])
        each = (time.perf_counter() - began) / len(rows) * 1000
        counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for c, text in zip(rows, texts, strict=True):
            said = ("open " if c.right else "left ") + c.verdict(text)
            for key in (c.family, "all"):
                counts[key][said] += 1
            if mistakes and c.verdict(text) != "right" and name == "parser":
                print(f"  {c.family}: {c.prompt!r} -> {text if text != c.prompt else ''!r}")
        print(f"\n{name}, half {half}, {len(rows)} prompts, {each:.2f} ms each")
        print(f"{'family':28} {'n':>4} {'reached':28} {'wrongly changed':26} wrong text")
        for family, n in sorted(counts.items(), key=lambda kv: kv[0] == "all"):
            is_open = n["open right"] + n["open missed"] + n["open wrong"]
            left = n["left right"] + n["left changed"]
            made = n["open right"] + n["open wrong"]
            said = f"{share(made, is_open):28} {share(n['left changed'], left):26}"
            print(f"{family:28} {is_open + left:4d} {said} {share(n['open wrong'], made)}")


def frames() -> None:
    """Print, for Spanish and German, how many frames leave a gender open, and what is done."""
    path = PROMPTS.with_name("other_languages.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    made = audit.rewrite([r["prompt"] for r in rows], "inject:gender")
    print("language  frames  gender left open  left alone  with its language")
    for language in dict.fromkeys(r["language"] for r in rows):
        mine = [(r, m) for r, m in zip(rows, made, strict=True) if r["language"] == language]
        free = sum(r["open"] == "yes" for r, _ in mine)
        alone = sum(not m.changed for _, m in mine)
        told = sum(language in m.reason for _, m in mine)
        print(f"{language:9} {len(mine):6d} {free:17d} {alone:11d} {told:18d}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", default="build", choices=HALVES)
    parser.add_argument("--mistakes", action="store_true", help="List each prompt that went wrong.")
    parser.add_argument("--languages", action="store_true", help="Frames in Spanish and German.")
    given = parser.parse_args()
    if given.languages:
        frames()
    else:
        table(given.half, given.mistakes)
