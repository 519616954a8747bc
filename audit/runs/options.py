"""The options of a run and their rules. An option is one field of `Options` and nothing else.

Command line, Python and reference are generated from the fields; see docs/extending/option.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from audit.engine.choices import DTYPES, OFFLOADS, known_device
from audit.errors import LANGUAGES
from audit.evidence.copies.chooser import KINDS
from audit.evidence.copies.rule import CopyRule
from audit.runs.given import (
    AUTO,
    FILES,
    TAR,
    cluster,
    columns,
    condition,
    copies,
    counted,
    detectors,
    one_way,
    part,
    pixels,
    precision,
    sbatch,
    validated,
    words,
)
from audit.runs.opt import AtLeast, Between, Flag, OneOf, Opt, Within, declared

ONLY, FIRST, EACH = "only", "first", "each"
"""Of images with several people: none, the largest, or every one is read."""
HOW = ("shard", "workers", "ray", "gpus_per_worker", "slurm", "slurm_option",
       "pack")  # fmt: skip
"""Options that say who does the work, and how it is kept: no result depends on them."""


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
            parse=columns,
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
            parse=precision,
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
    control: Annotated[
        str,
        Opt(
            "Draw people also after given pictures, by --controlnet: KIND=DIR, as in "
            "silhouette=FOLDER, or KIND=made for those of the embedded world. KIND names the arm.",
            parse=condition,
        ),
    ] = ""
    controlnet: Annotated[
        str,
        Opt("ControlNet for --control: a folder, or a hub name (`organisation/name@revision`)."),
    ] = ""
    control_scale: Annotated[
        float,
        Opt(
            "Factor of what the ControlNet adds; 0 draws the model's own images.",
            allow=Within(0, 10),
        ),
    ] = 1.0
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
            'which starts Ray on this machine (`pip install "t2i-audit[ray]"`).',
            parse=cluster,
        ),
    ] = ""
    gpus_per_worker: Annotated[
        float,
        Opt("GPUs of a Ray actor, such as 0.5; 0: one.", allow=AtLeast(0)),
    ] = 0.0
    slurm: Annotated[
        int,
        Opt(
            "Draw, encode and read in so many jobs of a SLURM array, wait for them, and finish "
            '(`pip install "t2i-audit[slurm]"`); 0: none.',
            allow=AtLeast(0),
        ),
    ] = 0
    slurm_option: Annotated[
        tuple[str, ...],
        Opt(
            "Option of sbatch for these jobs: partition=gpu, gres=gpu:1, cpus-per-task=8, mem=32G, "
            "time=04:00:00, ...; may be repeated.",
            parse=sbatch,
        ),
    ] = ()
    shard: Annotated[
        str,
        Opt(
            "Do only part I of N, as 2/8, of the images, then stop; `t2i-audit gather` finishes "
            "the run.",
            parse=part,
        ),
    ] = ""
    pack: Annotated[
        str,
        Opt(
            "How images are kept that the run draws: a file each, or tar: those of a finished "
            "shard in one (WebDataset), for runs of a million. Both are read.",
            allow=OneOf((FILES, TAR)),
        ),
    ] = FILES
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
    nudity: Annotated[
        bool,
        Opt(
            "Score nudity, to compare prompts that differ in the group that they state; no image "
            "is left out for it. Needs the extra `photos`.",
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
            parse=copies,
            tables=True,
        ),
    ] = "twin"
    q: Annotated[
        float,
        Opt("Target false discovery rate of flagged copies.", allow=Between(0, 1), tables=True),
    ] = 0.1
    segments: Annotated[
        str,
        Opt(
            "Also flag copies of the person and of the background apart; how people are found: "
            "auto, figures (of the embedded world), people (in photographs), attention (of the "
            "model), or package.module:function.",
            tables=True,
        ),
    ] = ""
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
    lang: Annotated[
        str,
        Opt("Language of the report; findings.json and exports stay English.", "--lang",
            allow=OneOf(LANGUAGES)),
    ] = LANGUAGES[0]  # fmt: skip
    command: str = ""
    """The command as it was typed, for the report."""
    tuned: Path | None = None
    """Folder of personalised weights, where arms name them (`runs.personalizing`)."""

    def __post_init__(self) -> None:
        kind: Any = type(self)  # mypy considers a frozen dataclass's class unhashable
        for name, option in declared(kind).items():
            object.__setattr__(self, name, option.value(getattr(self, name)))
        one_way(self.slurm, self.slurm_option, {"--ray": self.ray, "--shard": self.shard})

    @property
    def loading(self) -> Any:
        """The options of the model's loader."""
        from audit.engine.model import Loading

        return Loading(
            self.dtype, self.device, self.scheduler, self.loras, self.compile, self.offload,
            self.trust, self.config, self.partial_lora, self.tuned,
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
