"""Conversations of a suite: each turn becomes a prompt, whose images may go on from earlier ones.

A text-to-image model remembers nothing. What carries from turn to turn is what a chat front end
hands over: the last image (edits and variations are drawn on it), the earlier texts (`memory`), or
a caption of the last image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from audit.design.mitigations.arms import noise_seed
from audit.design.mitigations.changes import sample_ids
from audit.design.mitigations.grammar import article
from audit.design.suites import strangers
from audit.design.suites.schema import RawTurn, RawTurns
from audit.errors import UserError, known
from audit.keys import BASELINE, Step, Turn
from audit.records import Attribute, Change, Prompt, Sample, Settings, Suite

PURPOSE = "conversation"
JOIN = ". "
"""Between the texts of turns that are remembered."""
OPEN = ""
"""The class of a conversation that states none."""
_FIELD = re.compile(r"\{(a_)?(\w+)\}")


@dataclass(frozen=True)
class _Talk:
    """One conversation: a form with its subject, and the class that its first turn states."""

    raw: RawTurns
    subject: str
    value: str
    attributes: Mapping[str, Attribute]

    @property
    def where(self) -> str:
        """Its place in the file, for errors."""
        return f"turns {self.raw.id}"

    @property
    def stated(self) -> tuple[str, ...]:
        """Attribute and class that it states, the attribute alone, or nothing (`Turn.stated`)."""
        if self.raw.states is None:
            return ()
        return (self.raw.states, self.value) if self.value else (self.raw.states,)

    def name(self, number: int) -> str:
        """The id of a turn's prompt."""
        said = f"{self.raw.states}={self.value}/" if self.value else ""
        return f"{self.raw.id}/{self.subject}/{said}{number}"

    def filled(self, text: str, value: str = OPEN) -> str:
        """A turn's own text, with the subject and, before it, the words that state a class."""
        subject = f"{self.raw.words.get(value, value)} {self.subject}".strip()
        if "{" not in text and "}" not in text:
            return strangers.fitting(text, self.where)
        return strangers.filled(text, self.where, subject=subject, a_subject=article(subject))


def prompts(raw: RawTurns, attributes: Mapping[str, Attribute]) -> list[Prompt]:
    """The prompts of all conversations of one form, turn by turn.

    Raises UserError for attributes and classes that the suite lacks, and templates with others.
    """
    where = f"turns {raw.id}"
    for name in (*raw.attributes, *([raw.states] if raw.states else [])):
        known("attribute", name, attributes, where)
    values = [OPEN]
    if raw.states:
        if raw.states not in raw.attributes:
            raise UserError(f"{where}: it states {raw.states}, so add this to its `attributes`.")
        values += attributes[raw.states].classes
        if "{subject}" not in (raw.turns[0].draw or "") and "{a_subject}" not in (
            raw.turns[0].draw or ""
        ):
            raise UserError(f"{where}: the first turn lacks {{a_subject}}, so it states nothing.")
    for value in raw.words:
        known(str(raw.states), value, values[1:], f"{where}, words")
    talks = [_Talk(raw, s, v, attributes) for s in raw.subjects for v in values]
    return [p for talk in talks for p in _turns(talk)]


def _turns(talk: _Talk) -> Iterator[Prompt]:
    """One conversation; the noise of all groups comes from the texts that state nothing."""
    own = plain = ""
    before: list[tuple[str, str]] = []  # texts of earlier turns, as stated and without
    image = text = True  # whether the first turn is behind the last image, and behind its text
    rounds = [t for t in talk.raw.turns for _ in range(t.rounds)]
    for number, turn in enumerate(rounds, 1):
        first, step = number == 1, _step(talk, turn)
        if turn.kind != "another":  # which has the text of the turn before
            said = _texts(talk, turn, first)
            joins = talk.raw.memory == "texts" and turn.kind != "caption"
            before += [said] if joins else []
            own, plain = (JOIN.join(b[i] for b in before) for i in (0, 1)) if joins else said
            text = joins or first
        needs = bool(step.strength or step.read)
        image = text or (needs and image)
        yield Prompt(
            talk.name(number), own, talk.subject, talk.raw.id, PURPOSE, talk.raw.seeds,
            tuple(talk.raw.attributes),
            {talk.stated[0]: talk.value} if first and talk.value else {},
            template=_described(turn), turn=Turn(
                number, turn.kind, plain if first else f"{plain}\0{talk.subject}\0turn {number}",
                talk.name(number - 1) if needs else "", step, talk.stated, image,
            ),
        )  # fmt: skip


def _texts(talk: _Talk, turn: RawTurn, first: bool) -> tuple[str, str]:
    """A turn's own text as this conversation has it, and as it is without a stated class."""
    if turn.caption is not None:
        return turn.caption, turn.caption  # filled in when the image is read
    given = turn.draw or turn.edit or ""
    return talk.filled(given, talk.value if first else OPEN), talk.filled(given)


def _step(talk: _Talk, turn: RawTurn) -> Step:
    if turn.caption is None:
        return Step(turn.strength or 0.0)
    return Step(read=fields(turn.caption, talk.attributes, talk.where))


def fields(caption: str, attributes: Mapping[str, Attribute], where: str) -> tuple[str, ...]:
    """The attributes that a caption names, each once; UserError where it names others or none."""
    found = tuple(dict.fromkeys(m[2] for m in _FIELD.finditer(caption)))
    if not found or re.search(r"[{}]", _FIELD.sub("", caption)):
        raise UserError(
            f"{where}: the caption {caption!r} needs attributes in braces, such as {{gender}} or "
            "{a_gender}, and no other braces."
        )
    for name in found:
        known("attribute", name, attributes, f"{where}, caption")
        if attributes[name].reader != "clip":
            raise UserError(
                f"{where}: {name} has a reader of its own, and captions are read by the "
                "classifier. Leave it out of the caption."
            )
    return found


def captioned(caption: str, values: Mapping[str, str]) -> str:
    """A caption with what was read, by attribute: `{a_gender}` is `a woman`.

    >>> captioned("a photo of {a_gender} {job}", {"gender": "woman", "job": "nurse"})
    'a photo of a woman nurse'
    """
    return _FIELD.sub(lambda m: article(values[m[2]]) if m[1] else values[m[2]], caption)


def _described(turn: RawTurn) -> str:
    """A turn as it was asked for, with the strength that the prompt's text does not have."""
    said = turn.draw or turn.edit or turn.caption or "another one"
    on = f" at strength {turn.strength:g}" if turn.strength else ""
    return f"{turn.kind}{on}: {said}"


def samples(suite: Suite, settings: Settings) -> list[Sample]:
    """The samples of all conversations, turn by turn, each with the sample that it goes on from."""
    ids: dict[tuple[str, int], str] = {}
    rows = []
    for p in suite.prompts:
        if p.turn is None:
            continue
        change = Change(turn=p.turn.step if p.turn.step != Step() else None)
        for i in range(p.seeds):
            seed, last = noise_seed(p.turn.noise, i), ids.get((p.turn.last, i), "")
            ids[p.id, i] = id = sample_ids(p.text, settings, change, last)(seed)
            rows.append(Sample(id, p.id, BASELINE, seed, p.text, change=change, last=last))
    return rows
