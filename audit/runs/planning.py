"""Planning a run: resolving its options, its settings and samples. Nothing is written here."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit import registry
from audit.design import suites
from audit.design.mitigations.specs import with_arms
from audit.design.suites import Rewriter
from audit.errors import UserError, say, unknown
from audit.keys import BASELINE
from audit.records import Reference, Sample, Settings, Suite, Truth
from audit.report.facts import LeftAlone
from audit.runs.context import Plan, Progress, Run, silent
from audit.runs.given import TAR
from audit.runs.options import Options
from audit.store import RunFolder, run_name

if TYPE_CHECKING:
    import numpy as np

LIBRARIES = (
    "t2i-audit",
    "torch",
    "diffusers",
    "transformers",
    "open_clip_torch",
    "faiss-cpu",
    "numpy",
)
BATCHES = {"cpu": 16, "cuda": 32, "mps": 4}
"""Default batch size by device; large images take fewer."""
BATCH_PIXELS = 32 * 512 * 512


def versions() -> dict[str, str]:
    """Versions of this package and of the libraries that its numbers depend on."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "from a checkout"
    return found


def _corpus(suite: Suite, options: Options) -> Any:
    """The training set to search, opened before any image is generated, in case it is missing."""
    from audit.evidence.copies import training_set

    if options.corpus is not None:
        corpora = registry.corpora("" if options.trust_code else f"the index {options.corpus}")
        return training_set.at(options.corpus, options.held_out, corpora, far=True)
    corpus = registry.load("corpus", suite.corpus)() if suite.corpus else None
    return None if corpus is None else training_set.of_corpus(corpus)


def _source(options: Options) -> Any:
    from audit.engine.source import find

    name = options.model
    if name in registry.MODELS or (":" in name and not Path(name).exists()):
        return replace(find(str(registry.load("model", name)())), name=name)
    return find(name, registry.MODELS, options.revision)


def _truth(options: Options) -> Truth | None:
    """The planted truth of a registered model as it is; None for every other, also with LoRAs."""
    model = options.model
    if options.loras or (model not in registry.MODELS and ":" not in model):
        return None
    known = getattr(registry.load("model", model), "truth", None)
    return None if known is None else known()


def _about(truth: Truth, suite: Suite) -> tuple[Truth, list[str]]:
    """What of a truth is about the classes that a suite asks for, and notes on what is not.

    Shares of other classes under the same name, such as `light` of two skin tones and of three,
    are not the same shares.
    """
    every = truth.planted.shares
    named = {a: {c for _, of, c in every if of == a} for _, a, _ in every}
    other = [a for a in suite.attributes if a.name in named and set(a.classes) != named[a.name]]
    gone = {a.name for a in other}

    def without(reference: Reference) -> Reference:
        kept = {key: share for key, share in reference.shares.items() if key[1] not in gone}
        return replace(reference, shares=kept)

    notes: list[str] = [
        say(
            "What was planted in the model in {name} is left out: it is known for {known}, and "
            "this suite asks for {asked}.",
            name=a.name.replace("_", " "),
            known=" and ".join(sorted(named[a.name])),
            asked=", ".join(a.classes),
        )
        for a in other
    ]
    planted, training, seen = map(without, (truth.planted, truth.training, truth.seen))
    return Truth(planted, training, seen, truth.note), notes


def _settings(options: Options, source: Any, on: str) -> Settings:
    from audit.engine import model
    from audit.engine.loras import lora_key

    own = {**model.defaults(source, options.config), **registry.DEFAULTS.get(options.model, {})}
    size = options.size
    batch = options.batch
    if not batch:
        width, height = (int(v) for v in size.split("x")) if size else own["size"]
        batch = max(1, min(BATCHES.get(on, 1), BATCH_PIXELS // (width * height)))
    steps = own["steps"] if options.steps is None else options.steps
    guidance = own["guidance"] if options.guidance is None else options.guidance
    return Settings(
        options.model, source.revision, int(steps), float(guidance), batch,
        model.precision(options.dtype, model.device(options.device)), options.negative,
        options.scheduler, size, tuple(lora_key(lora) for lora in options.loras),
    )  # fmt: skip


def rewriters(suite: Suite, out: Path, progress: Progress) -> dict[str, Rewriter]:
    """Method to rewriter; slow ones keep their results under `out` and report progress."""
    found = registry.rewriters(suite, out)
    for method, rewrite in found.items():
        if not inspect.isfunction(rewrite):
            blocks = [m.blocks for m in suite.mitigations for x in m.each if x.method == method]
            total = sum(p.seeds for b in blocks for p in suite.prompts if p.block in b)
            found[method] = _reporting(rewrite, f"texts of {method}", total, progress)
    return found


def _reporting(rewrite: Rewriter, step: str, total: int, progress: Progress) -> Rewriter:
    done = itertools.count(1)

    @functools.wraps(rewrite)
    def wrapped(*args: Any, **more: Any) -> str | tuple[str, str]:
        made = rewrite(*args, **more)
        progress(step, next(done), total)
        return made

    return wrapped


def left_alone(samples: Iterable[Sample]) -> dict[str, LeftAlone]:
    """Arm to its number of images, and how many of them keep their prompt by reason, most first.

    Arms whose rewriter returns no reasons are left out.
    """
    rows = [s for s in samples if s.arm != BASELINE]
    images = Counter(s.arm for s in rows)
    reasons: dict[str, Counter[str]] = {}
    for s in rows:
        if s.reason:
            reasons.setdefault(s.arm, Counter())[s.reason] += 1
    return {a: LeftAlone(images[a], dict(r.most_common())) for a, r in reasons.items()}


def asked(
    suite: str | Suite,
    mitigations: Sequence[str] = (),
    seeds: int | None = None,
    quick: bool = False,
    trust_code: bool = False,
) -> Suite:
    """A suite by name or path, with the given mitigations and images per prompt, if any.

    `quick` takes the seeds of the suite's own `[quick]` table, and `trust_code` lets it name code,
    if it is read from a file. Raises UserError as `read_suite`, `with_arms` and `with_seeds` do.
    """
    chosen = suite if isinstance(suite, Suite) else suites.read_suite(suite, quick, trust_code)
    chosen = with_arms(chosen, mitigations) if mitigations else chosen
    return chosen if seeds is None else suites.with_seeds(chosen, seeds)


def open_run(suite: Suite, options: Options, progress: Progress = silent) -> Run:
    """Plan a run and find its folder; nothing is written yet.

    Raises UserError for options that name something missing or invalid.
    """
    from audit.runs import conditions, nudity, persons

    persons.check(options)
    nudity.check(suite, options)
    told: list[str] = []
    if (options.columns or options.split) and options.images is None:
        raise UserError("--columns and --split are about images: give these with --images.")
    from audit.datasets import far

    far.refuse(options.out)
    if options.pack == TAR and (options.images is not None or options.labels is not None):
        raise UserError("--pack is about images that the run draws. Leave it out here.")
    if options.labels is None:
        if options.missing:
            raise UserError("--missing is about the words of a table: give one with --labels.")
        suite, told = _read_by(suite, options)
    from audit.runs import turning

    turning.refuse(suite, options)
    suite = turning.with_reader(suite, options)
    if options.send_key:
        from audit.runs import judging

        suite = suites.with_keys(suite, options.send_key, judging.hosts(suite))
    given = conditions.given(options)
    if options.images is None and options.labels is None:
        suite = conditions.with_arm(suite, given)
    run = _open(suite, options, progress)
    asked = run.suite
    for text in reversed(options.references):
        name, _, file = text.partition("=")
        if not name or not file:
            raise UserError(f"--reference {text!r} is not a valid reference. Give NAME=FILE.csv.")
        asked = suites.with_reference(asked, name, Path(file))
    notes = [*run.notes, *told, *asked.notes]
    return replace(run, plan=replace(run.plan, suite=asked), notes=notes)


def _read_by(suite: Suite, options: Options) -> tuple[Suite, list[str]]:
    """The suite with the readers of the options, and notes on what is then not read.

    Raises UserError for a reader that is missing or may return an unknown class.
    """
    from audit.runs import choosing, judging

    suite, told = choosing.readers(suite, options.readers), list[str]()
    if choosing.classifier_name(options) == choosing.NO_CLASSIFIER:
        suite, told = choosing.without_classifier(suite)
    for attribute in suite.attributes:
        if attribute.reader != "clip":
            judging.check(attribute, options, choosing.drawn_by(options))
    return suite, told


def model_of(options: Options) -> tuple[Any, Settings, str]:
    """Where the options' model is, what decides its pixels, and the kind of device it draws on.

    Nothing of it is loaded. Raises UserError where there is none, or for an unknown sampler.
    """
    from audit.engine.model import device
    from audit.engine.samplers import SCHEDULERS

    if options.scheduler and options.scheduler not in SCHEDULERS:
        raise unknown("scheduler", options.scheduler, SCHEDULERS)
    on = device(options.device).type
    source = _source(options)
    return source, _settings(options, source, on), on


def _open(suite: Suite, options: Options, progress: Progress) -> Run:
    if options.labels is not None:
        return _open_labels(suite, options, progress)
    if options.images is not None:
        return _open_pictures(suite, options, progress)
    source, settings, on = model_of(options)
    samples = suites.expand(suite, settings, rewriters(suite, options.out, progress))
    folder = RunFolder(options.out / run_name(suite, settings))
    corpus = _corpus(suite, options)
    truth, notes = _truth(options), list[str]()
    if truth is not None:
        truth, notes = _about(truth, suite)
    plan = Plan(suite, options, settings, samples, corpus, source, on, truth=truth)
    return Run(plan, folder, progress, notes)


def _open_pictures(suite: Suite, options: Options, progress: Progress) -> Run:
    """Plan a run over existing images; the later steps are the same."""
    from audit.design.imported import plan
    from audit.design.imported.pictures import read

    assert options.images is not None
    pictures = read(options.images, options.prompts, options.chosen)
    settings = plan.settings(pictures)
    joined = plan.join(suite, pictures)
    folder = RunFolder(options.out / run_name(joined.suite, settings))
    planned = Plan(
        joined.suite, options, settings, tuple(joined.samples), _corpus(joined.suite, options),
        pictures=lambda id: pictures.image(joined.names[id]), names=joined.names,
        left_out=tuple(joined.left_out),
    )  # fmt: skip
    return Run(planned, folder, progress, list(joined.notes))


def _gone(sample: str) -> np.ndarray:
    from audit.datasets.pixels import Unreadable

    raise Unreadable(f"There is no image of {sample}: only labels were given.")


def _open_labels(suite: Suite, options: Options, progress: Progress) -> Run:
    """Plan a run over only labels: nothing is generated, encoded or searched."""
    from audit.design.imported import labels

    assert options.labels is not None
    found = labels.load(options.labels, suite, options.missing)
    folder = RunFolder(options.out / run_name(found.suite, found.settings))
    planned = Plan(
        found.suite, options, found.settings, tuple(found.samples), pictures=_gone, labels=found
    )
    return Run(planned, folder, progress, list(found.notes))
