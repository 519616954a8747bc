"""The reading test: 24 questions that the report should answer, with answers from its findings.

    python -m docs.making.reading             # the questions, for readers
    python -m docs.making.reading --answers   # the table of docs/reading-test.md, for the examiner

Readers see pictures of the report only, never its code or documentation. An answer is right if it
gives the verdict and, where the question asks for a number, the number to its printed digits.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from audit.records import Finding, from_json
from audit.report import wording

EXAMPLE = Path(__file__).parents[2] / "reports" / "example" / "findings.json"


@dataclass(frozen=True)
class Question:
    """One question of a role; its answer is filled from findings, by name."""

    role: str
    asks: str
    answer: str
    """Text with `{NAME}`, `{NAME.span}`, `{NAME.verdict}`, `{NAME.n}`, `{NAME.open}`, where NAME is
    a key of FINDINGS."""
    first: bool
    """Whether the first screen is meant to answer it."""


FINDINGS = {
    "top": "replication/none/repeats=64",
    "once": "replication/none/repeats=1",
    "ordinary": "replication/none/ordinary",
    "copies": "replication/none/count-images",
    "single": "replication/none/count-single",
    "trains": "replication/none/count-training-images",
    "woman": "representation/none/technologist/gender=woman",
    "judge": "representation/none/judge/gender=woman",
    "gender": "representation/none/all/gender-gap",
    "tone": "representation/none/all/skin_tone-gap",
    "even": "representation/none/all/gender-gap/uniform",
    "more": "representation/none/all/gender-amplification/all captions",
    "arm": "mitigation/inject-gender/verdict",
    "gain": "mitigation/inject-gender/all/distance",
    "cost": "mitigation/inject-gender/cost-alignment",
    "subject": "mitigation/inject-gender/cost-subject",
    "reads": "quality/classifier/gender/all classes",
    "reads_tone": "quality/classifier/skin_tone/all classes",
    "needed": "representation/none/all/gender-needed",
    "repeats": "replication/why/none/repeats/excess",
}
"""The findings that answers are filled from, by id."""
LAWYER, JOURNALIST, ENGINEER, SCIENTIST, ARTIST = (
    "lawyer", "journalist", "engineer", "scientist", "artist")  # fmt: skip
QUESTIONS = (
    Question(LAWYER, "Is this a report on a product that people use?",
             "No: on an artificial test model with planted biases and copies.", True),
    Question(LAWYER, "Are copies of training images shown?", "{top.verdict}", True),
    Question(LAWYER, "How often does an image copy a training image, where its caption occurs 64 "
             "times in training? How sure is that?", "{top} {top.span}", True),
    Question(LAWYER, "Are copies shown for ordinary prompts?",
             "{ordinary.verdict}: {ordinary} {ordinary.span}; {ordinary.open} stand out but cannot "
             "be flagged", True),
    Question(LAWYER, "How many images were flagged as copies, of how many training images?",
             "{copies}, of {trains}", False),
    Question(LAWYER, "How many are the training image by their own pixels?", "{single}", False),
    Question(JOURNALIST, "What share of the technologists are women, and between which limits?",
             "{woman} {woman.span}", True),
    Question(JOURNALIST, "Does the model draw fewer women as technologists than the reference "
             "has?", "{woman.verdict}", True),
    Question(JOURNALIST, "Over all subjects, does gender differ from the reference by more than "
             "chance explains?", "{gender.verdict}: {gender} points", True),
    Question(JOURNALIST, "And skin tone?", "{tone.verdict}: {tone} points", True),
    Question(JOURNALIST, "Which subject deviates most in gender, and is that certain?",
             "judge, {judge}; {judge.verdict}", False),
    Question(JOURNALIST, "Does gender differ from an even split?",
             "{even.verdict}: {even} points {even.span}", False),
    Question(ENGINEER, "What is the verdict on the mitigation?", "{arm.verdict}", True),
    Question(ENGINEER, "By how much does it change the distance from its target, and how sure is "
             "that?", "{gain} {gain.span} points", True),
    Question(ENGINEER, "What does it cost in alignment to the prompt, and does that matter?",
             "{cost} {cost.span}; {cost.verdict}", True),
    Question(ENGINEER, "Does the mitigation make the subject harder to recognise?",
             "{subject.verdict}: {subject} {subject.span} points", False),
    Question(ENGINEER, "What does the mitigation do to a prompt? Give an example.",
             "It states a drawn gender: “a photo of a technologist” becomes “a photo of a female "
             "technologist” (or male).", False),
    Question(SCIENTIST, "How many images of each subject would decide the gender of every subject, "
             "and which command draws more?", "{needed}; --precision 0.07", True),
    Question(SCIENTIST, "How often does the classifier read gender rightly, and skin tone?",
             "{reads} {reads.span}; {reads_tone} {reads_tone.span}", True),
    Question(SCIENTIST, "Is the model more skewed than its training images?",
             "{more.verdict}: {more} {more.span} points", False),
    Question(SCIENTIST, "What is q, and from which value does a difference count as shown?",
             "The chance of such a result without a difference, corrected for the number of "
             "comparisons; below 0.05.", False),
    Question(ARTIST, "Is an image copied that occurs once in the training set?",
             "{once.verdict}: {once} {once.span}", False),
    Question(ARTIST, "Does the number of repetitions go with copying?",
             "{repeats.verdict}: {repeats} {repeats.span}", False),
    Question(ARTIST, "What can this report not tell about images outside the searched training "
             "set?", "Whether they were copied.", True),
)  # fmt: skip


def values(findings: Mapping[str, Finding]) -> dict[str, str]:
    """What answers may show of each finding, by the names of their texts."""
    out: dict[str, str] = {}
    for name, id in FINDINGS.items():
        f = findings[id]
        out |= {
            name: wording.estimate(f), f"{name}.span": wording.span(f),
            f"{name}.verdict": wording.short_verdict(f), f"{name}.n": wording.count(f.n),
            f"{name}.open": wording.count(f.references.get("open", 0.0)),
        }  # fmt: skip
    return out


def answer(question: Question, known: Mapping[str, str]) -> str:
    """The answer with its numbers; KeyError where a finding is missing."""
    text = question.answer
    for name, value in sorted(known.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(f"{{{name}}}", value)
    if "{" in text:
        raise KeyError(text)
    return text


def main(arguments: list[str]) -> None:
    """Print the questions, or the table with the answers."""
    if "--answers" not in arguments:
        for i, q in enumerate(QUESTIONS, 1):
            print(f"{i}. {q.asks}")
        return
    found = {f.id: f for f in from_json(EXAMPLE.read_text("utf-8"))}
    known = values(found)
    print("| | role | question | answer | first screen |\n|--:|---|---|---|---|")
    for i, q in enumerate(QUESTIONS, 1):
        print(f"| {i} | {q.role} | {q.asks} | {answer(q, known)} | {'yes' if q.first else ''} |")


if __name__ == "__main__":
    main(sys.argv[1:])
