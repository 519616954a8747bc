"""Conversations: who is still there after each turn, and what an earlier turn said of them.

Three claims, turn by turn. `changed`: in how many conversations another class is read than in turn
1, against what another seed would change. `shift`: how far the share of a class has moved since
turn 1. `leak`: how far a class that only turn 1 states moves the share of a later turn, against the
same conversations, by noise, in which nothing is stated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.design import suites
from audit.errors import figure, ours, say
from audit.evidence.measured import Measured
from audit.findings.claim import Claim, Counts, adjusted, finding
from audit.findings.common import LEVELS, Common, mean
from audit.findings.groups import Changed, changed, labelled, lacking, widened, worth
from audit.findings.pairs import Question, behind_errors, judged
from audit.findings.representation import Context
from audit.findings.wording import cap, estimate, percent, share_phrase, unseen
from audit.findings.wording import change as words
from audit.keys import BASELINE, Key, both
from audit.records import Attribute, Finding, Prompt
from audit.stats.decisions import compared, least_seen
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.persistence import linked, redrawn
from audit.stats.proportions import wilson

ENDS = ("_a", "_b")
"""Suffixes of the two sides of a pair."""
ANOTHER = "another seed"
"""Name of the reference of `changed`."""
OPEN = ""
"""The group in which nothing is stated."""
PAIRED = "paired by conversation; Newcombe's limits with the design effect of subjects; " \
    "McNemar's exact p, by whole subjects where they have several pairs"  # fmt: skip


def apart(m: Measured) -> tuple[pd.DataFrame, Measured]:
    """The readings of conversations, and the measurements without them.

    Images of a conversation are not independent, so other findings leave them out.
    """
    talks = {p.id for p in m.suite.prompts if p.turn is not None}
    if not talks or not len(m.table):
        return pd.DataFrame(), m
    ours = m.table.prompt.isin(talks)
    others = m.others[~m.others.prompt.isin(talks)] if len(m.others) else m.others
    return m.table[ours], replace(m, table=m.table[~ours], others=others)


def findings(table: pd.DataFrame, prompts: Sequence[Prompt], context: Context) -> list[Finding]:
    """All claims on conversations, form by form, attribute by attribute, turn by turn.

    `table` has ATTRIBUTE_COLUMNS. q is within one form, attribute and kind of claim.
    """
    if not len(table):
        return []
    found: list[Finding] = []
    rows = _placed(table, prompts)
    for block, form in rows.groupby("subject", sort=False):
        turns = {p.turn.number: p for p in prompts if p.turn is not None and p.block == block}
        for attribute in context.attributes:
            here = form[form.attribute == attribute.name]
            if len(here):
                read = _Read(here, attribute, str(block), turns, context)
                found += adjusted([*read.changes(), *read.shifts(), *read.leaks()])
    return found


def _placed(table: pd.DataFrame, prompts: Sequence[Prompt]) -> pd.DataFrame:
    """The rows by their place: `subject` is the form, `prompt` the subject, `seed` the chain.

    Subjects of a form are its clusters, as prompts are those of a subject elsewhere. A chain is a
    conversation's number among those of the same prompt, whatever its group.
    """
    by_id = {p.id: p for p in prompts if p.turn is not None}
    chains = {(p.id, suites.noise_seed(p.turn.noise, i)): i
              for p in by_id.values() if p.turn for i in range(p.seeds)}  # fmt: skip
    known = [by_id[i] for i in table.prompt]
    keys = zip(table.prompt, table.seed, strict=True)
    return pd.DataFrame({
        "subject": [p.block for p in known], "prompt": [p.subject for p in known],
        "seed": [chains[p, int(s)] for p, s in keys],
        "number": [p.turn.number if p.turn else 0 for p in known],
        "stated": [p.turn.stated[1] if p.turn and len(p.turn.stated) > 1 else OPEN for p in known],
        **{c: table[c].to_numpy() for c in ("attribute", "outcome", "value")},
    })  # fmt: skip


@dataclass(frozen=True)
class _Read:
    """One attribute in all conversations of one form."""

    rows: pd.DataFrame
    attribute: Attribute
    block: str
    turns: Mapping[int, Prompt]
    """A prompt of each turn by its number: all subjects have the same turns."""
    context: Context

    def side(self, number: int, stated: str = OPEN) -> pd.DataFrame:
        """The rows of a turn in the conversations that state a class, by default none."""
        return self.rows[(self.rows.number == number) & (self.rows.stated == stated)]

    @property
    def later(self) -> list[int]:
        """Numbers of the turns after the first."""
        return sorted(n for n in self.turns if n > 1)

    @property
    def classes(self) -> Sequence[str]:
        """The first of two classes, or all of more."""
        own = self.attribute.classes
        return own[:1] if len(own) == 2 else own

    def changes(self) -> Iterator[Finding]:
        """By turn: the share of conversations in which another class is read than in turn 1."""
        for number in self.later:
            yield self._changed(number, _sides(self.side(1), self.side(number)))

    def _changed(self, number: int, sides: Common) -> Finding:
        known, name = labelled(sides.pairs, ENDS), self._name
        first, later = (known[f"value{end}"].to_numpy(object) for end in ENDS)
        codes = {c: i for i, c in enumerate(self.attribute.classes)}
        a, b = (np.array([codes[v] for v in x], int) for x in (first, later))
        place = np.asarray(pd.factorize(known.prompt)[0])
        moved = (a != b).astype(float)
        wide, narrow, size = _share(moved, known)
        null, rng = redrawn(a, b, place), np.random.default_rng([self.context.seed, number])
        p = linked(a, b, place, rng)
        said = _verdict(wide, narrow, null, p, self.context.margin)
        gone = sides.pairs.drop(known.index)
        counts = Counts(len(known), size, len(gone),
                        lacking(gone, tuple(f"outcome{end}" for end in ENDS)))  # fmt: skip
        claim = Claim(
            self._key("changed", number),
            say("share with another {name} than in turn 1", name=name),
            self._where(number), "share", "pairs",
            "as read; Wilson's limits with the design effect of subjects; p of no link by "
            "exchanging conversations within subjects",
        )  # fmt: skip
        return finding(
            claim, wide, counts, references={ANOTHER: null}, against=ANOTHER, p=p,
            verdict=said, family=self._family("changed"),
            sentence=say(
                "{where}: another {name} than in turn 1 is read in {share} of conversations; "
                "another seed changes it in {null}, n = {n}{end}", where=cap(claim.where),
                name=name, share=estimate(wide.estimate, wide.low, wide.high), null=percent(null),
                n=len(known), end=self._end,
            ),
        )  # fmt: skip

    def shifts(self) -> Iterator[Finding]:
        """By turn and class: the change of its share since turn 1."""
        for number in self.later:
            sides = _sides(self.side(1), self.side(number))
            for value in self.classes:
                yield self._moved("shift", number, value, sides, "since turn 1", "in turn 1")

    def leaks(self) -> Iterator[Finding]:
        """By turn and class: the change of its share where turn 1 states it.

        Only for turns that something of turn 1 reaches: on all others it has no effect at all.
        """
        stated = next(iter(self.turns[1].turn.stated if self.turns[1].turn else ()), "")
        for number in self.later if stated == self.attribute.name else ():
            turn = self.turns[number].turn
            for value in self.attribute.classes if turn and turn.bound else ():
                sides = _sides(self.side(number), self.side(number, value))
                yield self._moved(
                    "leak", number, value, sides,
                    say("where turn 1 states {value}", value=value), "where it states nothing",
                )  # fmt: skip

    def _moved(
        self, kind: str, number: int, value: str, sides: Common, why: str, before: str
    ) -> Finding:
        c = changed(sides, sides, value, ENDS, PAIRED) if len(sides.pairs) else _NONE
        asked = Question(BASELINE, {}, self.context, {})
        (wide, seen, how), (narrow, *_) = (
            behind_errors(c.change(level), self.attribute, asked) for level in LEVELS
        )
        claim = Claim(
            self._key(kind, number, value),
            say("change in the {phrase} {since}", phrase=share_phrase(value), since=why),
            self._where(number), "points", "pairs", c.method + how,
        )  # fmt: skip
        subjects = float(labelled(sides.pairs, ENDS).prompt.nunique()) if c.n else math.nan
        size = Counts(c.n, subjects, c.missing, c.reasons)
        said = compared(wide, narrow, 0.0, self.context.margin)
        said = judged(wide, size, "subjects", said)
        first, second = map(percent, c.shares)
        return finding(
            claim, wide, size, verdict=said,
            naive=seen.estimate, naive_low=seen.low, naive_high=seen.high, p=c.p,
            references={"before": c.shares[0], "after": c.shares[1]}, family=self._family(kind),
            sentence=say(
                "{where}: the {phrase} changes {since} by {size} (read {first} {before}, {second} "
                "here), n = {n} conversations{unseen}{end}", where=cap(claim.where),
                phrase=share_phrase(value), since=why, first=first, before=before, second=second,
                size=words(wide.estimate, wide.low, wide.high), n=c.n,
                unseen=unseen(said, least_seen(wide)), end=self._end,
            ),
        )  # fmt: skip

    @property
    def _end(self) -> str:
        """The end of a sentence, with what speaks against all readings."""
        doubt = self.context.doubt
        return say("; {doubt}.", doubt=ours(doubt)) if doubt else "."

    @property
    def _name(self) -> str:
        return self.attribute.name.replace("_", " ")

    def _key(self, kind: str, number: int, value: str = "") -> Key:
        detail = both(f"turn-{number}", value, "=") if value else f"turn-{number}"
        return Key("conversation", BASELINE, self.block, self.attribute.name, kind, detail)

    def _where(self, number: int) -> str:
        turn = self.turns[number].turn
        how = turn.kind if turn else ""
        if turn and turn.step.strength:
            how = say("{kind} at {strength}", kind=how, strength=figure(f"{turn.step.strength:g}"))
        return say("{form}, turn {n} ({how})", form=self.block, n=number, how=how)

    def _family(self, kind: str) -> str:
        return f"{self.block}: {kind} of {self._name}"


_NONE = Changed(
    lambda _: UNKNOWN, math.nan, 0, math.nan, 0, {}, (math.nan, math.nan), "pairs", PAIRED
)
"""What is known without a single pair."""


def _sides(a: pd.DataFrame, b: pd.DataFrame) -> Common:
    """Two turns, or two groups of one turn, with the pairs of equal conversations among them."""
    on = ["subject", "prompt", "seed"]
    return Common(a, b, a.merge(b, on=on, suffixes=ENDS, validate="one_to_one"))


def _share(hits: np.ndarray, rows: pd.DataFrame) -> tuple[Interval, Interval, float]:
    """A share at both LEVELS with subjects as clusters, and the effective number of pairs."""
    if not len(hits):
        return UNKNOWN, UNKNOWN, math.nan
    size, wider = worth(hits, rows, hits, rows)
    n = size if math.isfinite(size) else float(len(hits))
    found = [widened(wilson(mean(hits) * n, n, level), wider(level)) for level in LEVELS]
    wide, narrow = (Interval(x.estimate, max(x.low, 0.0), x.high) for x in found)
    return wide, narrow, n


def _verdict(wide: Interval, narrow: Interval, null: float, p: float, margin: float) -> str:
    """Against another seed: a difference where the exact test shows one, else as limits say."""
    if not math.isfinite(p):
        return "undecided"
    if p < 0.05:
        return "below" if wide.estimate < null else "above"
    said = compared(wide, narrow, null, margin)
    return said if said in ("equivalent", "compatible") else "undecided"
