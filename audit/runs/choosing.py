"""Which reader and which descriptor a run uses, and whose errors may correct it.

What was made for the embedded world reads the embedded world: its classifier, its descriptor, its
planted truth and the errors measured on its pictures. All other images are read by what is named,
or by a default that was made for photographs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from audit import registry
from audit.errors import UserError, known, say
from audit.evidence.attributes import judges
from audit.evidence.encoders import named, pinned
from audit.evidence.encoders.unread import Unread
from audit.records import Attribute, Suite
from audit.runs.context import Run
from audit.runs.given import AUTO
from audit.runs.options import Options

OWN_CLASSIFIER, OWN_DESCRIPTOR, PLAIN_DESCRIPTOR = "embedded-classifier", "embedded-copy", "phash"
NO_CLASSIFIER = "none"
FOREIGN = (
    "The images were read by the embedded classifier, which was trained on the drawn people of the "
    "calibration world and has never seen others: what it reads in these images is not evidence "
    "about them. Name a classifier that was made for such images with --classifier, or let people "
    "label some."
)
DOUBT = "read by the embedded classifier, which knows drawn people alone: no evidence about these"
"""The same in the words of a finding."""
TOLD_BY_RENDERS = (
    "Copies were searched with the embedded descriptor, which was trained on renders of the "
    "calibration world: how near it finds other images is not evidence of copying. Name a "
    "descriptor that was made for such images with --descriptor."
)
PLAIN = (
    "Copies were searched with the perceptual hash `phash`, the default that needs no download: it "
    "finds copies that were compressed, resized or brightened, and misses those that were cropped, "
    "mirrored or redrawn. `--descriptor sscd:FILE` finds these, too."
)


def drawn_by(options: Options) -> str:
    """The registered model that draws the images as it is, or empty text.

    Images made elsewhere, labels alone and a model with LoRAs are of unknown origin.
    """
    own = options.images is None and options.labels is None and not options.loras
    return options.model if own and options.model in registry.MODELS else ""


def classifier_name(options: Options) -> str:
    """The classifier's name, `auto` resolved by the origin of the images."""
    if options.classifier != AUTO:
        return options.classifier
    return OWN_CLASSIFIER if drawn_by(options) else pinned.NAME


def revisions(options: Options) -> dict[str, str]:
    """The pinned classifier with its revision, where it reads the images; for the report."""
    used = options.labels is None and classifier_name(options) == pinned.NAME
    return {pinned.NAME: pinned.REVISION[:12]} if used else {}


def descriptor_name(options: Options, suite: Suite) -> str:
    """The descriptor's name, `auto` resolved by the origin of both sides of the comparison."""
    if options.descriptor != AUTO:
        return options.descriptor
    worlds = options.corpus is None and suite.corpus in registry.CORPORA
    return OWN_DESCRIPTOR if drawn_by(options) and worlds else PLAIN_DESCRIPTOR


def index_descriptor(name: str, registered: bool) -> str:
    """The descriptor of an index, `auto` resolved by whether its images are a registered set."""
    if name != AUTO:
        return name
    return OWN_DESCRIPTOR if registered else PLAIN_DESCRIPTOR


def classifier(options: Options, device: str) -> Any:
    """The classifier; one that reads nothing for `--classifier none`."""
    name = classifier_name(options)
    return Unread() if name == NO_CLASSIFIER else named.named(name, device)


def ready(options: Options) -> None:
    """Raise UserError where the default classifier is missing, before anything is drawn."""
    if options.labels is None and options.classifier == AUTO and not drawn_by(options):
        pinned.weights()


def encoders(run: Run) -> tuple[Any, Any]:
    """The classifier, and the copy descriptor: None where no training set is searched.

    A finished index is searched with its own descriptor.
    """
    device, corpus = str(run.plan.device), run.plan.corpus
    chosen = classifier(run.options, device)
    if corpus is None:
        return chosen, None
    given = run.options.descriptor
    if corpus.descriptor is None:
        name = descriptor_name(run.options, run.suite)
        if name != given and name == PLAIN_DESCRIPTOR:
            run.notes.append(PLAIN)
        if name == OWN_DESCRIPTOR and not drawn_by(run.options):
            run.notes.append(TOLD_BY_RENDERS)
        return chosen, named.named(name, device)
    if corpus.descriptor == OWN_DESCRIPTOR and not drawn_by(run.options):
        run.notes.append(TOLD_BY_RENDERS)
    mine = "" if given == AUTO else given
    where = "" if run.options.trust_code else f"The index {run.options.corpus}"
    return chosen, named.recorded(corpus.descriptor, mine, device, where)


def foreign(options: Options, encoder: Any) -> bool:
    """Whether the embedded classifier, by whatever name, reads images that are not its own."""
    if not str(getattr(encoder, "name", "")).startswith(registry.LOCAL) or drawn_by(options):
        return False
    return bool(encoder.key == registry.load("encoder", OWN_CLASSIFIER)().key)


def readers(suite: Suite, asked: tuple[str, ...]) -> Suite:
    """The suite with readers for attributes, `NAME=READER` each, in place of its own.

    Associations of an attribute that then has no vectors are left out. Raises UserError for an
    unknown attribute.
    """
    chosen: dict[str, str] = {}
    for text in asked:
        name, _, reader = text.partition("=")
        if not name.strip() or not reader.strip():
            raise UserError(f"--reader {text!r} is not a valid reader. Give ATTRIBUTE=READER.")
        known("attribute", name.strip(), [a.name for a in suite.attributes], "--reader")
        chosen.setdefault(name.strip(), reader.strip())
    attributes = tuple(
        Attribute(a.name, a.classes, {}, reader=chosen[a.name])
        if a.name in chosen and chosen[a.name] != "clip" else a
        for a in suite.attributes
    )  # fmt: skip
    return _without_vectors(replace(suite, attributes=attributes), set(chosen))


def seconds(options: Options, attribute: Attribute) -> list[Attribute]:
    """The attribute by each further judge that was given for it, whose labels are compared.

    Raises UserError for one that is not a vision-language model.
    """
    given = [r.strip() for n, _, r in (t.partition("=") for t in options.readers)
             if n.strip() == attribute.name]  # fmt: skip
    for reader in given[1:]:
        if not reader.startswith(judges.PREFIX):
            raise UserError(
                f"--reader {attribute.name}={reader}: a second reader must be a judge, vlm:MODEL; "
                "its labels are compared with the first one's."
            )
    return [replace(attribute, reader=reader) for reader in given[1:]]


def without_classifier(suite: Suite) -> tuple[Suite, list[str]]:
    """The suite without what only a classifier reads, and notes on what was left out.

    Raises UserError where nothing is left to read.
    """
    gone = [a.name for a in suite.attributes if a.reader == "clip"]
    kept = [a for a in suite.attributes if a.name not in gone]
    if not kept:
        raise UserError(
            f"With --classifier none nothing reads {' and '.join(gone) or 'the images'}. Give each "
            "attribute a reader, as in --reader gender=face-gender."
        )
    prompts = tuple(
        replace(p, attributes=tuple(a for a in p.attributes if a not in gone))
        for p in suite.prompts
    )
    subject = suite.subject_attribute if suite.subject_attribute not in gone else None
    less = replace(
        suite, attributes=tuple(kept), prompts=prompts, subject_attribute=subject,
        person_texts=(), empty_texts=(), several_texts=(),
    )  # fmt: skip
    names = ", ".join(n.replace("_", " ") for n in gone)
    told = say("Without a classifier these attributes are not read: {names}.", names=names)
    return _without_vectors(less, set(gone)), [told] if gone else []


def _without_vectors(suite: Suite, names: set[str]) -> Suite:
    return replace(
        suite, associations=tuple(a for a in suite.associations if a.attribute not in names)
    )
