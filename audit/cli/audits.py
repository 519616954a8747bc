"""`demo` and `run`: a suite on a model or on images, to a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.shared import Blur, Json, NoImages, Out, Quiet, References, audit, command, shown

Detect = Annotated[
    list[str] | None,
    typer.Option(
        help="More ways to see copying, which take time: magnitude, bright-ending (both look "
        "inside the model), whole-set, or all; may be repeated.",
    ),
]
Mitigations = Annotated[
    list[str] | None,
    typer.Option(
        "--mitigation",
        "-t",
        help="Mitigations to try in place of the suite's: inject:gender, placebo:gender, "
        "llm:MODEL,url=http://HOST/v1,attribute=gender, guidance:6, add-words:4, noise:0.5, "
        "A+B for both at once, ...; may be repeated.",
    ),
]


def demo(
    out: Out = Path("reports"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer images in fewer steps.")] = False,
    no_images: NoImages = False,
    blur: Blur = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Audit the embedded model, whose biases and copies were planted; prints the report's path."""
    from audit.design import suites
    from audit.runs.line import Options

    suite = suites.read_suite("world", quick)
    options = Options(out=out, command=command(), pictures=shown(no_images, blur))
    if quick:
        options = replace(options, steps=10, validation=300, training=30)
    audit(suite, options, quiet, as_json)


def run(
    suite: Annotated[str, typer.Argument(help="A shipped suite (see `list`) or a TOML file.")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="`embedded`, a diffusers folder, a .safetensors checkpoint, or a hub name "
            "(`organisation/name@revision`).",
        ),
    ] = "embedded",
    images: Annotated[
        Path | None,
        typer.Option(
            help="Audit images made elsewhere: a folder, .tar, .parquet file or saved dataset."
        ),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="Table of the images' prompts: file_name, text, seed, arm."),
    ] = None,
    reference: References = None,
    out: Out = Path("reports"),
    seeds: Annotated[
        int | None, typer.Option("--seeds", "-n", min=1, help="Images per prompt, for every block.")
    ] = None,
    precision: Annotated[
        float,
        typer.Option(
            help="Make images in rounds until every share is known to plus or minus this, "
            "e.g. 0.05; 0 makes what the suite plans."
        ),
    ] = 0.0,
    plan_power: Annotated[
        bool,
        typer.Option("--plan-power", help="Only say how many images the suite's questions need."),
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Sampling steps; else the model's own.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Guidance scale, 1 turns it off; else the model's own.")
    ] = None,
    negative: Annotated[str, typer.Option(help="Negative prompt.")] = "",
    scheduler: Annotated[
        str, typer.Option(help="Sampler by name, e.g. dpm++, euler, ddim; else the model's own.")
    ] = "",
    size: Annotated[str, typer.Option(help="Pixels: 512 or WIDTHxHEIGHT.")] = "",
    lora: Annotated[
        list[str] | None, typer.Option(help="LoRA weights as FILE or FILE@SCALE; may be repeated.")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=0, help="Images drawn at once, part of the result; 0 chooses.")
    ] = 0,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the denoiser: for long runs on a GPU.")
    ] = False,
    offload: Annotated[
        str, typer.Option(help="none, model or sequential: slower, with less GPU memory.")
    ] = "none",
    config: Annotated[
        Path | None, typer.Option(help="Diffusers folder that describes a single checkpoint.")
    ] = None,
    revision: Annotated[str, typer.Option(help="Commit, tag or branch of a hub model.")] = "",
    trust: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code that comes with the model.")
    ] = False,
    classifier: Annotated[
        str, typer.Option(help="`embedded-classifier` or an open_clip name.")
    ] = "embedded-classifier",
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="Training images to search for copies: a folder, tars, tables, or an index made "
            "by `t2i-audit index`."
        ),
    ] = None,
    descriptor: Annotated[
        str, typer.Option(help="Copy descriptor, as `index` takes it; an index has its own.")
    ] = "embedded-copy",
    held_out: Annotated[
        Path | None, typer.Option(help="Held-out images, exchangeable with --corpus.")
    ] = None,
    copies: Annotated[
        str,
        typer.Option(help="How copies are called: twin, conformal, or fixed:0.75 (uncalibrated)."),
    ] = "twin",
    search: Annotated[
        str, typer.Option(help="Search by size (auto), or flat, ivf-sq8, ivf-rabitq.")
    ] = "auto",
    detect: Detect = None,
    mitigation: Mitigations = None,
    no_images: NoImages = False,
    blur: Blur = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Run a suite on a model or on images, or continue it, and print the path of the report."""
    from audit.runs.options import Options
    from audit.runs.planning import asked

    chosen = asked(suite, mitigation or (), seeds)
    if plan_power:
        from audit.cli.power import say

        return say(chosen, as_json)
    options = Options(
        model=model, out=out, steps=steps, guidance=guidance, batch=batch, dtype=dtype,
        device=device, scheduler=scheduler, negative=negative, size=size, loras=tuple(lora or ()),
        compile=compile, offload=offload, trust=trust, revision=revision, config=config,
        images=images, prompts=prompts, classifier=classifier, corpus=corpus, held_out=held_out,
        descriptor=descriptor, copies=copies, search=search, references=tuple(reference or ()),
        command=command(), precision=precision, detect=tuple(detect or ()),
        pictures=shown(no_images, blur),
    )  # fmt: skip
    audit(chosen, options, quiet, as_json)
