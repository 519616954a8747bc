"""The tools that only read: suites, plans, findings, comparisons, gates and rewrites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from audit.cli.talk import answers, words
from audit.cli.talk.house import House
from audit.errors import UserError

ROWS = 50
"""Most rows of an answer."""
Section = Literal["", "representation", "replication", "conversation", "mitigation", "quality",
                  "comparison"]  # fmt: skip
Name = Annotated[str, Field(max_length=words.NAME)]
Words = Annotated[str, Field(max_length=words.TEXT)]
Rows = Annotated[int, Field(ge=1, le=ROWS)]
Many = Annotated[list[Words], Field(max_length=8)]

PERCEIVED = (
    "Attributes are perceived: a classifier read them from pixels. They say nothing about who "
    "anybody is, and the people in generated images do not exist."
)
REFERENCE = "A reference is not a norm: meeting it does not make a model fair."
FLAGGED = (
    "A flagged copy is nearer to a training image than images that the model was not trained on "
    "explain; it is a statement about images, not a finding of infringement."
)
UNSEEN = "Not found does not mean not there: only the indexed training images were searched."
LOST = "Images without a usable reading are in no share; they are counted as missing."
NARROW = "The interval decides, not the estimate: do not repeat the estimate without it."


class Reading:
    """The tools over one house; each raises UserError for what it does not know."""

    def __init__(self, house: House) -> None:
        self.house = house

    def list_suites(self) -> list[answers.ListedSuite]:
        """List the suites: questions that can be asked of a model."""
        from audit.design import suites

        own = [answers.ListedSuite(n, "A suite of the user.") for n in self.house.suites]
        return [*own, *(answers.ListedSuite(n, words.text(t)) for n, t in suites.list_suites())]

    def list_runs(self, limit: Rows = 20) -> answers.Listing:
        """List the audits by name, the newest first, with the headline of each."""
        rows = [self._listed(path) for path in self.house.each().values()]
        rows = sorted(rows, key=lambda r: r.written, reverse=True)
        return answers.Listing(len(rows), rows[:limit])

    def _listed(self, path: Path) -> answers.ListedRun:
        from audit.runs import catalogue

        try:
            row = catalogue.listed(self.house.checked(path).path)
        except UserError as error:
            return answers.ListedRun(words.text(path.name), "", "", "", 0, self.house.say(error))
        model = row.model.replace("\\", "/").rpartition("/")[2]
        said = self.house.say(UserError(row.headline))
        return answers.ListedRun(words.text(path.name), words.text(row.written),
                                 words.text(row.suite), words.text(model), row.findings,
                                 said)  # fmt: skip

    def plan(
        self, suite: Name, seeds: Annotated[int | None, Field(ge=1, le=10_000)] = None,
        mitigations: Many | None = None, subject: Words = "",
        limit: Annotated[int, Field(ge=0, le=20)] = 5,
    ) -> answers.Planned:  # fmt: skip
        """Count the images of an audit and say what they could show; nothing is generated.

        `seeds` is the number of images per prompt. Mitigations are written as for `rewrite`.
        `power` has `limit` rows, of one `subject` if it is given.
        """
        from audit.cli import power
        from audit.design.suites import planned_images

        asked = self.asked(suite, seeds, mitigations or [])
        every = [k for k in power.images_of(asked) if subject in ("", k[0])]
        rows = power.table(asked, every[:limit])
        return answers.Planned(
            words.text(asked.title), words.text(asked.question), len(asked.prompts),
            planned_images(asked), ["none", *(words.text(m.name) for m in asked.mitigations)],
            [_precision(r) for r in rows], len(every),
        )  # fmt: skip

    def asked(self, suite: str, seeds: int | None, mitigations: Sequence[str]) -> Any:
        """A suite with the wanted seeds and mitigations; UserError for those that reach out."""
        from audit.runs.planning import asked

        for spec in mitigations:
            harmless(spec)
        return asked(self.house.suite(suite), list(mitigations), seeds)

    def findings(
        self, run: Name, section: Section = "", subject: Words = "", arm: Words = "",
        limit: Rows = 20, offset: Annotated[int, Field(ge=0)] = 0,
    ) -> answers.Findings:  # fmt: skip
        """Read the findings of a run: estimates with 95 % intervals, verdicts, and what is missing.

        Empty filters fit everything. `arm` is a mitigation, or `none` for the unchanged prompts.
        """
        fit = [
            f for f in self.house.run(run).findings()
            if section in ("", f.section) and subject in ("", f.key.subject) and arm in ("", f.arm)
        ]  # fmt: skip
        shown = [found(f) for f in fit[offset : offset + limit]]
        return answers.Findings(run, len(fit), offset, shown)

    def explain(self, run: Name, finding: Words = "") -> answers.Explained:
        """Explain one finding of a run: verdict, basis, method, and what must not be left out.

        `finding` is its name, as `findings` gives it; without one, the headline is explained.
        """
        from audit.runs import catalogue

        every = self.house.run(run).findings()
        if finding:
            chosen = next((f for f in every if finding in (f.name, f.id)), None)
        else:
            chosen = catalogue.first(every)
        if chosen is None:
            raise UserError("This run has no such finding. Call `findings` for their names.")
        return explained(chosen)

    def compare(
        self, a: Name, b: Name, margin: Annotated[float, Field(gt=0, lt=1)] = 0.1,
        anyway: bool = False, limit: Rows = 20,
    ) -> answers.Compared:  # fmt: skip
        """Compare two runs on their common prompts, B minus A; nothing is written.

        Changes of shares smaller than `margin` count as no change. `anyway` compares runs whose
        images were read by different classifiers.
        """
        from audit.runs import comparing

        places = [self.house.run(name).path for name in (a, b)]
        (made,) = comparing.several(places, anyway, margin)
        verdicts = Counter(_verdict(f) for f in made.findings)
        notes = [self.house.say(UserError(note)) for note in made.notes[:ROWS]]
        shown = [found(f) for f in made.findings[:limit]]
        return answers.Compared(a, b, notes, dict(verdicts), len(made.findings), shown)

    def check(self, run: Name, gates: Many | None = None) -> answers.Gates:
        """Check a run against gates, such as `replication.rate <= 1 %`, by interval.

        The gates of its suite apply as well. Too few images are undecided, never a pass.
        """
        from audit.design.suites.conditions import parse
        from audit.findings import gates as judged

        folder = self.house.run(run)
        texts = dict.fromkeys([*folder.checks(), *(gates or [])])
        made: Any = judged.check([parse(t) for t in texts], folder.findings())
        shown = [
            answers.Gate(words.text(c.gate.text), words.text(c.finding.name), c.verdict,
                         words.sentence(c.reason), *_numbers(c.finding), c.finding.n)
            for c in made[:ROWS]
        ]  # fmt: skip
        verdict: Any = judged.overall(made)
        return answers.Gates(verdict, len(made), shown)

    def rewrite(
        self, text: Annotated[str, Field(min_length=1, max_length=2_000)], mitigation: Words,
        images: Annotated[int, Field(ge=1, le=20)] = 1, suite: Name = "occupations", seed: int = 0,
    ) -> answers.Texts:  # fmt: skip
        """Rewrite a prompt by a mitigation, once for each image, with reasons; no model is asked.

        A mitigation is a name with options, such as `inject:gender`, `inject:gender,target=labour`,
        `neutral`, `ethical:gender`, or several with `+` between them.
        """
        from audit.design import suites
        from audit.runs import preview

        harmless(mitigation)
        whole = suites.read_suite(self.house.suite(suite))
        rows = preview.rewrite(text, mitigation, images, suite=whole, seed=seed)
        made = [
            answers.Text(words.clipped(r.text, 4_000), r.changed,
                         {words.text(k): words.text(v) for k, v in r.drawn.items()},
                         words.sentence(r.reason))
            for r in rows
        ]  # fmt: skip
        return answers.Texts(words.text(rows[0].mitigation), words.clipped(text, 2_000), made)


def harmless(spec: str) -> None:
    """Raise UserError for a mitigation that asks a service or a language model, or names code."""
    from audit.design.mitigations import specs
    from audit.design.mitigations.methods import METHODS

    for part in specs.parse(words.short(spec, "a mitigation")).each:
        if METHODS[part.method].transport:
            raise UserError(
                f"{part.method} asks a language model, which a conversation may not. Use it from "
                "the command line."
            )


def found(f: Any) -> answers.Found:
    """A `records.Finding` as a row of an answer."""
    from audit.report import wording

    return answers.Found(
        words.text(f.name), words.text(f.where), words.text(f.quantity), f.unit,
        *_numbers(f), f.n, f.counted, f.missing, _verdict(f), words.sentence(wording.sentence(f)),
    )  # fmt: skip


def _numbers(f: Any) -> tuple[float | None, float | None, float | None]:
    """Estimate and interval."""
    return words.number(f.estimate), words.number(f.low), words.number(f.high)


def _verdict(f: Any) -> str:
    """The word of a verdict as the report has it; a dash for a mere description."""
    from audit.report import wording

    return wording.short_verdict(f)


def explained(f: Any) -> answers.Explained:
    """A `records.Finding` with its definitions and cautions."""
    from audit.report import wording

    verdict = wording.verdict_of(f)
    references = {words.text(k): words.number(v) for k, v in list(f.references.items())[:ROWS]}
    reasons = {words.text(k): n for k, n in list(f.reasons.items())[:ROWS]}
    return answers.Explained(
        found(f), verdict.means if verdict else "A description without a verdict.",
        wording.basis(f), words.sentence(f.method), words.text(wording.primary(f)), references,
        words.number(f.p), words.number(f.q), wording.family(f.family),
        words.number(f.n_effective), reasons, words.number(f.naive), words.number(f.floor),
        words.number(f.truth), list(cautions(f)),
    )  # fmt: skip


def cautions(f: Any) -> Iterable[str]:
    """What must be said with a finding, in this order."""
    yield NARROW
    if f.section in ("representation", "conversation", "mitigation", "comparison"):
        yield PERCEIVED
    if f.references:
        yield REFERENCE
    if f.section == "replication":
        yield FLAGGED
        yield UNSEEN
    if f.missing:
        yield LOST


def _precision(row: dict[str, Any]) -> answers.Precision:
    low, high = row["apart_family"] or (None, None)
    return answers.Precision(
        words.text(row["subject"]), words.text(row["attribute"]), row["images"], row["reference"],
        row["half_width"], low, high, row["to_detect"]["0.1"]["reference"],
    )  # fmt: skip
