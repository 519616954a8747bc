"""The options of a run and their rules. An option is one field of `Options` and nothing else.

Command line, Python and reference are generated from the fields; see docs/extending/option.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from audit.engine.choices import DTYPES, OFFLOADS, known_device
from audit.errors import UserError, unknown
from audit.evidence.copies.chooser import KINDS
from audit.evidence.copies.rule import CopyRule
from audit.runs.opt import AtLeast, Between, Flag, OneOf, Opt, declared

AUTO, LOCAL = "auto", "local"
"""Of a classifier or a descriptor: chosen by the origin of the images (`runs.choosing`)."""
ONLY, FIRST, EACH = "only", "first", "each"
"""Of images with several people: none, the largest, or every one is read."""
HOW = ("shard", "workers", "ray", "gpus_per_worker")
"""Options that say who does the work: nothing in the results depends on them."""
INSIDE = ("magnitude", "bright-ending")
"""Detectors that read the internals of the model."""
DETECTORS = (*INSIDE, "whole-set")


def detectors(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repeats, `all` written out; UserError for an unknown name."""
    for name in names:
        if name not in (*DETECTORS, "all"):
            raise unknown("detector", name, [*DETECTORS, "all"])
    return tuple(n for n in DETECTORS if n in names or "all" in names)


def half_width(precision: float) -> float:
    """A half-width of intervals, 0.005 to 0.49, unchanged; UserError for any other number."""
    if not 0.005 <= precision < 0.5:
        raise UserError(
            f"--precision {precision:g} is not a valid half-width. Give 0.005 to 0.49; "
            "0.05 means plus or minus 5 points."
        )
    return precision


def pixels(text: str) -> str:
    """`512` and `512x768` as `WIDTHxHEIGHT`, empty unchanged; UserError for anything else."""
    if not text:
        return text
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if match is None or int(match[1]) == 0 or match[2] == "0":
        raise UserError(f"--size {text!r} is not a valid size. Give pixels as 512 or WIDTHxHEIGHT.")
    return f"{match[1]}x{match[2] or match[1]}"


def _columns(texts: Sequence[str]) -> tuple[str, ...]:
    from audit.datasets.chosen import chosen

    chosen(texts)
    return tuple(texts)


def words(texts: Sequence[str]) -> tuple[str, ...]:
    """The words of lists with commas between them, each once; UserError for an empty one."""
    found = [w.strip() for t in texts for w in t.split(",")]
    if "" in found:
        raise UserError("--missing has an empty word. Give words as in --missing 'N/A,Other'.")
    return tuple(dict.fromkeys(found))


def validated(given: str | int) -> str | int:
    """A number of images from 0, as a number; a path unchanged. UserError for anything else."""
    text = str(given).strip()
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    if not text or re.fullmatch(r"[-+]?[\d.]+", text):
        raise UserError(
            f"--validation {given!r} is neither a number of images, 0 or more, nor the folder or "
            "table of labelled images."
        )
    return text


def counted(given: str | int) -> str | int:
    """A number of processes from 0 to 1024, as a number; `auto` unchanged. UserError otherwise."""
    text = str(given).strip()
    if text == AUTO:
        return text
    if not re.fullmatch(r"\d{1,4}", text) or int(text) > 1024:
        raise UserError(f"--workers must be auto or a number up to 1024, not {given!r}.")
    return int(text)


def cluster(text: str) -> str:
    """`local`, `auto`, HOST:PORT and empty text, unchanged; UserError for anything else."""
    if text in ("", AUTO, LOCAL) or re.fullmatch(r"[\w.:\[\]-]+:\d{1,5}", text):
        return text
    raise UserError(f"--ray must be local, auto or HOST:PORT, not {text!r}.")


def part(text: str) -> str:
    """`I/N` with I from 1 to N, unchanged, and empty text; UserError for anything else."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if text and (match is None or not 1 <= int(match[1]) <= int(match[2])):
        raise UserError(f"--shard must be I/N, with I from 1 to N, such as 2/8, not {text!r}.")
    return text


def _precision(value: float) -> float:
    return half_width(value) if value else 0.0


def _copies(text: str) -> str:
    CopyRule.parse(text)
    return text


@dataclass(frozen=True)
class Options:
    """How a run is made, apart from the suite; None and 0 mean the model's own default.

    Values are converted to the type of their field. Raises UserError for invalid ones.
    """

    model: Annotated[
        str,
        Opt(
            "Model to audit: `embedded`, a diffusers folder, a .safetensors checkpoint, or a hub "
            "name (`organisation/name@revision`).",
            "--model -m",
        ),
    ] = "embedded"
    images: Annotated[
        Path | None,
        Opt("Audit existing images instead: a folder, .tar, .parquet file or saved dataset."),
    ] = None
    prompts: Annotated[
        Path | None, Opt("Table of prompts for --images: file_name, text, seed, arm.")
    ] = None
    columns: Annotated[
        tuple[str, ...],
        Opt(
            "Columns to read of a table of images, or of --prompts, where their names leave it "
            "open: image=NAME,caption=NAME, also seed= and arm=; may be repeated.",
            parse=_columns,
        ),
    ] = ()
    split: Annotated[str, Opt("The split of a data set to read; default: all of them.")] = ""
    labels: Annotated[
        Path | None,
        Opt("CSV or Parquet table: subject, and a column per attribute; see docs/images.md."),
    ] = None
    missing: Annotated[
        tuple[str, ...],
        Opt(
            "Words in --labels that mean no answer, such as 'N/A,Other'; may be repeated. Their "
            "cells count as uncertain.",
            parse=words,
        ),
    ] = ()
    references: Annotated[
        tuple[str, ...],
        Opt(
            "Your own reference shares as NAME=FILE.csv (subject, attribute, value, share, "
            "source); may be repeated, and the first one decides the verdicts.",
            "--reference",
        ),
    ] = ()
    out: Annotated[Path, Opt("Folder in which run folders are created.", "--out -o")] = Path(
        "reports"
    )
    precision: Annotated[
        float,
        Opt(
            "Generate in rounds until each share's interval has this half-width, e.g. 0.05; "
            "0 generates what the suite plans.",
            parse=_precision,
            tables=True,
        ),
    ] = 0.0
    steps: Annotated[int | None, Opt("Sampling steps; default: the model's.", allow=AtLeast(1))] = (
        None
    )
    guidance: Annotated[float | None, Opt("Guidance scale, 1 = off; default: the model's.")] = None
    negative: Annotated[str, Opt("Negative prompt.")] = ""
    scheduler: Annotated[str, Opt("Sampler, e.g. dpm++, euler, ddim; default: the model's.")] = ""
    size: Annotated[str, Opt("Image size in pixels: 512 or WIDTHxHEIGHT.", parse=pixels)] = ""
    loras: Annotated[
        tuple[str, ...], Opt("LoRA weights as FILE or FILE@SCALE; may be repeated.", "--lora")
    ] = ()
    partial_lora: Annotated[bool, Opt("Lay on LoRAs that fit the model in part.")] = False
    batch: Annotated[
        int,
        Opt(
            "Batch size (affects pixels, so part of the run's identity); 0 = automatic.",
            allow=AtLeast(0),
        ),
    ] = 0
    dtype: Annotated[str, Opt("Precision of the weights.", allow=OneOf(DTYPES))] = "auto"
    device: Annotated[str, Opt("Device: auto, cpu, cuda, cuda:1, mps.", parse=known_device)] = (
        "auto"
    )
    workers: Annotated[
        str | int,
        Opt(
            "Processes that draw, encode and read images, each with its own model: a number, or "
            "auto for one per GPU. The results are the same.",
            parse=counted,
            numbers=True,
        ),
    ] = 0
    ray: Annotated[
        str,
        Opt(
            "Draw, encode and read with the actors of a Ray cluster: auto, HOST:PORT, or local, "
            "which starts Ray on this machine (`pip install t2i-audit[ray]`).",
            parse=cluster,
        ),
    ] = ""
    gpus_per_worker: Annotated[
        float,
        Opt("GPUs of a Ray actor, such as 0.5; 0: one.", allow=AtLeast(0)),
    ] = 0.0
    shard: Annotated[
        str,
        Opt(
            "Do only part I of N, as 2/8, of the images, then stop; `t2i-audit gather` finishes "
            "the run.",
            parse=part,
        ),
    ] = ""
    compile: Annotated[bool, Opt("Compile the denoiser: for long runs on a GPU.")] = False
    offload: Annotated[
        str, Opt("Offload to main memory: slower, needs less GPU memory.", allow=OneOf(OFFLOADS))
    ] = "none"
    config: Annotated[
        Path | None, Opt("Diffusers folder that describes a single-file checkpoint.")
    ] = None
    revision: Annotated[str, Opt("Commit, tag or branch of a hub model.")] = ""
    trust: Annotated[bool, Opt("Run code that comes with the model.", "--trust-remote-code")] = (
        False
    )
    trust_code: Annotated[
        bool,
        Opt(
            "Import and run what a suite, an index or a run names outside of this package: "
            "`module:object`, descriptor files."
        ),
    ] = False
    send_key: Annotated[
        tuple[str, ...],
        Opt(
            "Host of a suite's `url` that may receive the key of the environment; may be repeated."
        ),
    ] = ()
    classifier: Annotated[
        str,
        Opt(
            "Attribute classifier: auto (`embedded-classifier` for the embedded model, else "
            "`clip-vit-l-14`), an open_clip name, or none."
        ),
    ] = AUTO
    readers: Annotated[
        tuple[str, ...],
        Opt(
            "Reader of an attribute in place of the suite's: gender=face-gender, "
            "gender=vlm:MODEL,url=http://HOST/v1, ...; may be repeated.",
            "--reader",
        ),
    ] = ()
    validation: Annotated[
        str | int,
        Opt(
            "Folder or table of labelled images of the same kind, on which the readers' errors are "
            "measured; for the embedded model the number of its own to use.",
            parse=validated,
            numbers=True,
            tables=True,
        ),
    ] = 800
    drawn: Annotated[
        bool,
        Opt("The images are drawn art, not photographs: the readers of Monk classes may be used."),
    ] = False
    people: Annotated[
        str,
        Opt(
            "Images of several people: only reads none of them, first the largest person, each "
            "every person (the image is then a cluster). Needs the extra `faces`.",
            allow=OneOf((ONLY, FIRST, EACH)),
            tables=True,
        ),
    ] = ONLY
    tone: Annotated[
        bool,
        Opt(
            "Measure lightness and hue of the skin in photographs, to compare arms and stated "
            "groups within the run. Needs the extra `faces`.",
            tables=True,
        ),
    ] = False
    max_cost: Annotated[
        float,
        Opt(
            "Stop before the readers' requests cost more than this, by the prices given with them; "
            "0: no limit.",
            allow=AtLeast(0),
        ),
    ] = 0.0
    corpus: Annotated[
        Path | None,
        Opt(
            "Training images to search for copies: a folder, tars, tables, or an index made by "
            "`t2i-audit index`; default: the suite's."
        ),
    ] = None
    held_out: Annotated[
        Path | None, Opt("Held-out images, exchangeable with those of --corpus.")
    ] = None
    descriptor: Annotated[
        str,
        Opt(
            "Copy descriptor, as in `index`: auto is `embedded-copy` for the embedded model and "
            "its training set, else `phash`. An existing index keeps its own, which must be named "
            "here if it is a file."
        ),
    ] = AUTO
    copies: Annotated[
        str,
        Opt(
            "Decision rule for flagging copies: twin, conformal, or fixed:0.75 (uncalibrated).",
            parse=_copies,
            tables=True,
        ),
    ] = "twin"
    q: Annotated[
        float,
        Opt("Target false discovery rate of flagged copies.", allow=Between(0, 1), tables=True),
    ] = 0.1
    search: Annotated[
        str, Opt("Search method for the training set; auto goes by its size.", allow=OneOf(KINDS))
    ] = "auto"
    training: Annotated[
        int,
        Opt(
            "Training images to classify per subject and kind of caption.",
            allow=AtLeast(0),
            tables=True,
        ),
    ] = 120
    detect: Annotated[
        tuple[str, ...],
        Opt(
            "Additional memorization detectors (slow): magnitude, bright-ending (both read the "
            "internals of the model), whole-set, or all; may be repeated.",
            parse=detectors,
            tables=True,
        ),
    ] = ()
    seed: Annotated[
        int,
        Opt(
            "Seed of resampling and of the sample galleries; images have seeds of their own.",
            allow=AtLeast(0),
            tables=True,
        ),
    ] = 0
    pictures: Annotated[
        str,
        Opt(
            "Images in the report.",
            allow=OneOf(("all", "blur", "none")),
            flags=(
                Flag("--no-images", "none", "Omit images from the report."),
                Flag("--blur", "blur", "Blur images until clicked; in print they stay blurred."),
            ),
        ),
    ] = "all"
    command: str = ""
    """The command as it was typed, for the report."""

    def __post_init__(self) -> None:
        kind: Any = type(self)  # mypy considers a frozen dataclass's class unhashable
        for name, option in declared(kind).items():
            object.__setattr__(self, name, option.value(getattr(self, name)))

    @property
    def loading(self) -> Any:
        """The options of the model's loader."""
        from audit.engine.model import Loading

        return Loading(
            self.dtype, self.device, self.scheduler, self.loras, self.compile, self.offload,
            self.trust, self.config, self.partial_lora,
        )  # fmt: skip

    @property
    def chosen(self) -> Any:
        """The columns and the split that are read of existing images."""
        from audit.datasets.chosen import chosen

        return chosen(self.columns, self.split)

    @property
    def rule(self) -> CopyRule:
        """The rule of `copies`, parsed."""
        return CopyRule.parse(self.copies)
