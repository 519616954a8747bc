"""`personalize`: models trained on a few images of a subject, as the arms of a run.

Every kind of training, at every dose of steps, is an arm; its models, one for each subject and seed
of training, take turns over the images of a prompt. The run is then like any other: the baseline is
the model as it was, pairs share their noise, and the training set is the subjects' own images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit import registry
from audit.datasets import listing
from audit.design import suites
from audit.design.mitigations.grammar import article
from audit.errors import UserError, known, say
from audit.findings.personal import CLASS, METHOD, PRIOR, SUBJECT
from audit.keys import BASELINE, digest
from audit.records import Mitigation, Prompt, Sample, Settings, Suite
from audit.runs import line, planning
from audit.runs.context import Progress, Run, silent
from audit.runs.given import AUTO
from audit.runs.options import Options
from audit.runs.searching import Question, ask

if TYPE_CHECKING:
    import numpy as np

    from audit.engine.dreambooth import Side, Training
    from audit.engine.model import Model

DREAMBOOTH, LORA = "dreambooth", "lora"
KINDS = (DREAMBOOTH, f"{DREAMBOOTH}{PRIOR}", LORA, f"{LORA}{PRIOR}")
"""Kinds of training: of the whole denoiser or of a LoRA, without and with prior preservation."""
FOLDER = "personalised"
"""Below the folder of the runs: trained weights, while they are needed."""


@dataclass(frozen=True)
class Recipe:
    """How a model is personalised, and what its models draw; defaults are diffusers' examples'."""

    kinds: tuple[str, ...] = KINDS
    doses: tuple[int, ...] = (100, 400, 800)
    """Steps of training; a longer training begins like a shorter one."""
    trainings: int = 3
    """Seeds of training for each subject."""
    word: str = "sks"
    """The rare word that names the subject in `a photo of WORD NOUN`."""
    noun: str = "person"
    """The subject's class."""
    rate: float = 5e-6
    lora_rate: float = 1e-4
    rank: int = 4
    train_batch: int = 1
    """Images of the subject in a batch."""
    class_images: int = 200
    """Images of the class that the model draws itself, for prior preservation at weight 1."""
    extrapolate: float = 1.0
    """How far extrapolated arms go beyond the models of the highest dose; 0 leaves them out."""
    most_prompts: int = 20
    """Other prompts: the suite's first one for each subject, at most so many."""
    seeds: int = 1
    """Images of each other prompt that every model draws."""
    own_seeds: int = 4
    """The same of the subject's prompt and of its class's."""

    def __post_init__(self) -> None:
        for kind in self.kinds:
            known("kind of training", kind, KINDS, "--arms")
        if not self.kinds or not self.doses or min(self.doses) < 1:
            raise UserError("Give at least one of --arms and one of --doses, of 1 step or more.")

    @property
    def text(self) -> str:
        """The subject's prompt."""
        return f"a photo of {self.word} {self.noun}"

    @property
    def class_text(self) -> str:
        """The class's prompt."""
        return f"a photo of {article(self.noun)}"

    def training(self, kind: str) -> Training:
        """The training of a kind."""
        from audit.engine.dreambooth import Training

        low = kind.removesuffix(PRIOR) == LORA
        prior = 1.0 if kind.endswith(PRIOR) else 0.0
        return Training(
            low, prior, self.lora_rate if low else self.rate, self.rank, self.train_batch
        )


EMBEDDED = Recipe(
    doses=(20, 60, 180), rate=2e-4, lora_rate=2e-3, train_batch=4, class_images=40, extrapolate=1.0
)
"""For the embedded model, which is small and is trained at higher rates."""


@dataclass(frozen=True)
class Subject:
    """One subject: the name of its folder, and its images."""

    name: str
    images: Question

    @property
    def key(self) -> list[str]:
        """Hashes of the files."""
        return [sha256(Path(name).read_bytes()).hexdigest() for name in self.images.names]


@dataclass(frozen=True)
class Job:
    """One training: a kind, on a subject, from a seed; every dose has weights of its own."""

    kind: str
    subject: Subject
    seed: int
    weights: Mapping[int, str]
    """Dose to the name of its weights."""


def subjects(folder: Path) -> list[Subject]:
    """The subjects below a folder: one for each folder in it, or the folder itself.

    Raises UserError where there is none, for images beside folders, and for damaged images.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}. Give one with images of a subject.")
    inner = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if inner and any(p.parent == folder for p in listing.listed(folder).images):
        raise UserError(
            f"{folder} has images beside folders. Put the images of each subject into a folder."
        )
    found = [Subject(p.name, ask([p])) for p in inner or [folder]]
    for one in found:
        for name, reason in one.images.unreadable.items():
            raise UserError(f"{name} cannot be read ({reason}). Remove or replace it.")
    return found


def jobs(settings: Settings, of: Sequence[Subject], recipe: Recipe) -> list[Job]:
    """Every training of a recipe: kind by kind, subject by subject, seed by seed."""
    drawn = [settings.steps, settings.guidance, settings.scheduler, recipe.class_images]
    out = []
    for kind in recipe.kinds:
        how: list[object] = [settings.revision, recipe.text, repr(recipe.training(kind))]
        how += [recipe.class_text, *drawn] if kind.endswith(PRIOR) else []
        for subject in of:
            for seed in range(recipe.trainings):
                key = [*how, subject.key, seed]
                weights = {dose: digest([*key, dose]) for dose in recipe.doses}
                out.append(Job(kind, subject, seed, weights))
    return out


def suite_of(suite: Suite, made: Sequence[Job], recipe: Recipe) -> Suite:
    """A suite about personalised models: the subject, its class, other prompts, and the arms.

    Of the given suite its prompts that do not ask for captions of training images are kept, one for
    each subject. Its name has a digest of the subjects: others get a run of their own. Raises
    UserError where there is none.
    """
    models = len(made) // len(recipe.kinds)
    others: dict[str, Prompt] = {}
    for p in suite.prompts:
        if p.purpose == "representation" and len(others) < recipe.most_prompts:
            others.setdefault(p.subject, replace(p, seeds=models * recipe.seeds))
    if not others:
        raise UserError(
            f"The suite {suite.name} has no prompts about people. Give another --suite."
        )
    read = next(iter(others.values())).attributes
    own = models * recipe.own_seeds
    first = [
        Prompt(f"{SUBJECT}/0", recipe.text, f"{recipe.word} {recipe.noun}", SUBJECT,
               "replication", own),
        Prompt(f"{CLASS}/0", recipe.class_text, recipe.noun, CLASS, "representation", own, read),
    ]  # fmt: skip
    taken = {p.text for p in first}
    even = {(recipe.noun, a.name, c): 1 / len(a.classes) for a in suite.attributes
            for c in a.classes}  # fmt: skip
    references = tuple(
        replace(r, shares={**even, **r.shares}) if r.name == "uniform" else r
        for r in suite.references
    )
    prompts = (*first, *(p for p in others.values() if p.text not in taken))
    of = digest(sorted({j.subject.name: j.subject.key for j in made}.values()), 6)
    return replace(
        suite, name=f"personalised-{of}-{suite.name}", prompts=prompts, corpus=None, checks=(),
        attributes=tuple(a for a in suite.attributes if a.name != suite.subject_attribute),
        subject_attribute=None, references=references,
        associations=(), mitigations=tuple(_arms(made, recipe, [p.block for p in prompts])),
        title=say("Personalised models: {title}", title=suite.title),
        question="What does training on a few images of one subject give back, and what does it do "
        "to everybody else?",
    )  # fmt: skip


def _arms(made: Sequence[Job], recipe: Recipe, blocks: Sequence[str]) -> Iterator[Mitigation]:
    """An arm for each kind and dose, and those that extrapolate from the highest."""
    every = tuple(dict.fromkeys(blocks))
    for kind in recipe.kinds:
        mine = [j for j in made if j.kind == kind]
        for dose in recipe.doses:
            about = {"training": kind, "dose": dose, "subjects": [j.subject.name for j in mine]}
            options = {"weights": tuple(j.weights[dose] for j in mine), "about": about}
            yield Mitigation(f"{kind}-{dose}", METHOD, options, every)
            if dose == max(recipe.doses) and recipe.extrapolate:
                beyond = {**options, "extrapolate": recipe.extrapolate}
                yield Mitigation(f"{kind}-{dose}-extrapolated", METHOD, beyond, (SUBJECT,))


def open_run(
    suite: Suite, folder: Path, recipe: Recipe, options: Options, progress: Progress = silent
) -> tuple[Run, list[Job]]:
    """Plan a run whose arms are personalised models; nothing is trained yet.

    Raises UserError as `planning.open_run` does, and as `subjects` and `suite_of`.
    """
    _, settings, _ = planning.model_of(options)
    made = jobs(settings, subjects(folder), recipe)
    chosen = options.descriptor
    if chosen == AUTO and options.model in registry.MODELS:
        chosen = "embedded-copy"
    given = replace(
        options, corpus=folder, tuned=options.out / FOLDER, loras=(), descriptor=chosen
    )  # fmt: skip
    return planning.open_run(suite_of(suite, made, recipe), given, progress), made


def execute(run: Run, made: Sequence[Job], recipe: Recipe, keep: bool = False) -> Path:
    """Train what is missing, make the run, and remove the weights, unless `keep`.

    Returns the path of the report. Raises UserError for a model that cannot be personalised.
    """
    from audit.engine.personalised import path_of

    assert run.options.tuned is not None  # `open_run` sets it
    train(run, made, recipe)
    report = line.execute(run)
    for name in {w for job in made for w in job.weights.values()} if not keep else ():
        path_of(run.options.tuned, name).unlink(missing_ok=True)
    return report


def train(run: Run, made: Sequence[Job], recipe: Recipe) -> None:
    """Train the models of planned images that are missing, and that are not on disk."""
    from audit.engine import dreambooth, personalised

    folder = run.options.tuned
    assert folder is not None
    present = run.folder.present()
    asked = {str(one.parameters["weights"]) for s in run.samples if s.id not in present
             for one in s.change.interventions}  # fmt: skip
    todo = [
        (job, doses)
        for job in made
        if (doses := [d for d, name in job.weights.items()
                      if name in asked and not personalised.path_of(folder, name).is_file()])
    ]  # fmt: skip
    if not todo:
        return
    model = _model(run)
    dreambooth.check(model)
    of_class: Side | None = None
    done, total = 0, sum(max(doses) for _, doses in todo)
    if any(job.kind.endswith(PRIOR) for job, _ in todo):
        drawn = list(_class_images(run, model, recipe))
        if not drawn:
            raise UserError(
                f"The model's own checker blocks every image of {recipe.class_text!r}, so there is "
                "no prior to preserve. Give --arms without a prior, or another --noun."
            )
        of_class = dreambooth.side(model, drawn, recipe.class_text)
    for job, doses in todo:
        before = done
        for dose, deltas in dreambooth.train(
            model, _sides(model, job, recipe, of_class), recipe.training(job.kind), doses, job.seed
        ):
            personalised.keep(folder, job.weights[dose], deltas)
            done = before + dose
            run.progress("steps of training", done, total)


def _sides(model: Model, job: Job, recipe: Recipe, of_class: Side | None) -> list[Side]:
    from audit.engine import dreambooth

    own = dreambooth.side(model, list(job.subject.images.pictures), recipe.text)
    return [own, of_class] if of_class is not None and job.kind.endswith(PRIOR) else [own]


def _model(run: Run) -> Any:
    """The model to be trained, at single precision."""
    from audit.engine.model import load

    return load(run.plan.source, replace(run.options.loading, dtype="float32", tuned=None))


def _class_images(run: Run, model: Model, recipe: Recipe) -> Iterator[np.ndarray]:
    """Images of the class that the model draws itself, uint8[h, w, 3], without blocked ones.

    Their noise is that of no image of the run.
    """
    from audit.engine.sampler import draw

    text, n = recipe.class_text, recipe.class_images
    samples = [
        Sample(str(i), CLASS, BASELINE, suites.noise_seed(f"class images\0{text}", i), text)
        for i in range(n)
    ]
    run.progress("class images", 0, n)
    for done, batch in enumerate(draw(model, samples, run.settings), 1):
        run.progress("class images", min(n, done * run.settings.batch), n)
        yield from (p for p, why in zip(batch.pictures, batch.missing, strict=True) if not why)
