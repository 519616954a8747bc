"""`index`, `captions` and `search`: index a training set, ask for its images, and look some up."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.cli.meter import Meter
from audit.cli.options import with_options
from audit.cli.shared import INCOMPLETE, Json, Quiet, say, say_json
from audit.errors import counted
from audit.runs.options import Options

SEMANTIC = (
    "This descriptor is of what images show: an image that obeys the caption of a training image "
    "looks like a copy of it. `t2i-audit captions` makes a suite with the control that tells them "
    "apart; a copy descriptor (sscd) needs none."
)


@with_options("device", "columns", "split", "workers", "ray", "gpus_per_worker", "slurm",
              "slurm_option", "shard")  # fmt: skip
def index(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder of images, WebDataset tars, Parquet tables, a saved dataset, "
            "embeddings (img_emb/ next to metadata/), or `world`."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the index.")],
    options: Options,
    held_out: Annotated[
        str | None,
        typer.Option(help="Held-out images, exchangeable with the source; `world` has its own."),
    ] = None,
    held_out_split: Annotated[
        str, typer.Option(help="The split to read of the held-out images; default: all of them.")
    ] = "",
    descriptor: Annotated[
        str,
        typer.Option(
            help="sscd:FILE, dino:NAME, timm:NAME, clip:NAME, phash, pixels or embedded-copy; for "
            "embeddings, the model that made them. local:... also finds copied parts of images. "
            "auto: embedded-copy for `world`, else phash, which finds near-exact copies alone."
        ),
    ] = "auto",
    coverage: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the model's training set in the source."),
    ] = None,
    half: Annotated[
        bool,
        typer.Option("--half", help="Store float16: half the size, cosines exact to 0.001."),
    ] = False,
    duplicates: Annotated[
        bool,
        typer.Option(help="Also compare all pairs and list near-duplicates in duplicates.csv."),
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Index a training set, or add new images to an index; print the index's folder.

    The last line says which rule the held-out images allow, and why. Exit code 3: some files of
    the source cannot be read; the rest is indexed, and the same command tries them again.
    """
    from audit.runs import indexing

    started = time.monotonic()
    plan = indexing.Plan(held_out, descriptor, coverage, half, options.device, options.columns,
                         options.split, held_out_split)  # fmt: skip
    made = _made(source, out, plan, options, quiet, as_json)
    _say(made, quiet)
    groups = _duplicates(made, quiet) if duplicates else None
    by = indexing.compared(made, options.seed)
    say_json(_body(made, by, groups, started)) if as_json else say(out)
    _tell(quiet, f"{by.words[:1].upper()}{by.words[1:]}.")
    if getattr(made.encoder, "semantic", False):
        _tell(quiet, SEMANTIC)
    if made.index.damaged:
        raise typer.Exit(INCOMPLETE)


def _say(made: Any, quiet: bool) -> None:
    for words in _left_out(made):
        _tell(quiet, words)
    for note in made.notes:  # not progress
        say(note, err=True)


def _left_out(made: Any) -> list[str]:
    """What has no vector or was left out, in sentences."""
    from audit.runs import indexing

    words = [made.left_out_words] if made.left_out else []
    if lost := len(made.unreadable):
        listed = made.index.folder / indexing.LISTED
        words.insert(0, f"{counted(lost, 'image has', 'images have')} no vector; see {listed}.")
    return words


def _tell(quiet: bool, words: str) -> None:
    if not quiet:
        say(words, err=True)


def _body(made: Any, by: Any, groups: dict[str, Any] | None, started: float) -> dict[str, Any]:
    """Facts on the index, for `--json`."""
    found = made.index
    return {
        "index": str(found.folder), "images": len(found.train), "held_out": len(found.held),
        "unreadable": len(made.unreadable), "damaged_files": sorted(found.damaged),
        "repeated": found.repeated[0], "held_out_in_training": found.repeated[1],
        "dimensions": found.dimensions, "key": found.key,
        "descriptor": found.descriptor.key, "duplicates": groups,
        "sides": {"distinct": by.sizes[0], "distinct_held_out": by.sizes[1],
                  "p_nearest": _number(by.found.nearest), "p_kernel": _number(by.found.kernel),
                  "rule": by.choice, "words": by.words},
        "left_out": len(made.left_out), "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def _number(x: float) -> float | None:
    return None if math.isnan(x) else x


def _made(
    source: str, out: Path, plan: Any, options: Options, quiet: bool, as_json: bool
) -> Any:  # fmt: skip
    """The index; after a part of it its folder is printed, and the verb ends."""
    from audit.runs import index_parts

    meter = Meter(quiet)
    try:
        if not options.shard:
            return index_parts.make(source, out, plan, options, meter)
        index_parts.part(source, out, plan, options, meter)
    finally:
        meter.close()
    if as_json:
        say_json({"index": str(out), "shard": options.shard})
    else:
        say(out)
    raise typer.Exit


def _duplicates(made: Any, quiet: bool) -> dict[str, Any]:
    """Write the clusters of near-duplicates and report the path; facts on them."""
    from audit.runs import indexing

    path, facts = indexing.duplicates(made)
    _tell(
        quiet,
        f"{facts['images']} of {len(made.index.train)} images are near-duplicates of others "
        f"(cosine {facts['cosine']:.3f} or more), in "
        f"{counted(facts['clusters'], 'cluster', 'clusters')}; see {path}.",
    )
    return facts


def captions(
    index: Annotated[Path, typer.Argument(help="Folder of an index with held-out images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the suite.")],
    n: Annotated[int, typer.Option("-n", min=5, help="Captions of each side, at most.")] = 100,
    seeds: Annotated[int, typer.Option(min=1, help="Images of each caption.")] = 2,
    seed: Annotated[int, typer.Option(help="Which captions are drawn.")] = 0,
    as_json: Json = False,
) -> None:
    """Write a suite of captions: of training images, and of as many held-out images as control.

    Run it with --corpus INDEX. A descriptor of what images show (clip, dino) cannot tell a copy
    from an image that obeys its caption without this control.
    """
    from audit.runs import captioning

    suite, size = captioning.write(index, out, n, seeds, seed)
    if as_json:
        say_json({"suite": str(suite), "captions_of_each_side": size})
    else:
        say(suite)


@with_options("search", "device", "trust_code", "lang")
def search(
    pictures: Annotated[list[Path], typer.Argument(help="Images, or folders of them.")],
    index: Annotated[Path, typer.Option("--index", "-i", help="Folder of an index.")],
    options: Options,
    nearest: Annotated[
        int, typer.Option("-k", min=1, max=1000, help="Nearest images to show.")
    ] = 3,
    page: Annotated[
        Path | None, typer.Option(help="Also write an HTML page with the pairs side by side.")
    ] = None,
    descriptor: Annotated[
        str, typer.Option(help="The index's own descriptor, if it is a file, e.g. sscd:FILE.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Find the nearest training images and flag likely copies."""
    from audit.runs import searching

    opened, encoder = searching.opened(
        index, options.search, options.device, descriptor, options.trust_code
    )
    question = searching.ask(pictures)
    by = searching.compared(opened, encoder, options.seed)
    semantic = bool(getattr(encoder, "semantic", False))
    table = searching.search(opened, encoder, question, nearest, by, options.seed)
    if page is not None:
        searching.write_page(page, opened, question, table, by, options.lang)
        say(page, err=True)
    if as_json:
        rows = json.loads(table.to_json(orient="records"))
        body = {"matches": rows, "unreadable": question.unreadable,
                "searched": len(opened.train), "held_out": len(opened.held), "sides": by.words,
                "semantic": semantic,
                "coverage": None if math.isnan(opened.coverage) else opened.coverage}  # fmt: skip
        say_json(body)
        return
    for name, part in table.groupby("query", sort=False):
        first = part.iloc[0]
        say(f"{name}: {first.verdict}{_how_sure(first)}")
        for row in part.itertuples():
            text = f"  {row.score:.3f}  {row.image}  {row.caption[:80]}".rstrip()
            say(text + _where(row.part, row.source_part))
    for name, reason in question.unreadable.items():
        say(f"{name}: unreadable ({reason})", err=True)
    say(_closing(opened, question, by), err=True)
    if semantic:
        say(searching.SEMANTIC, err=True)


def _where(part: Any, source_part: Any) -> str:
    """The matching parts, where parts were compared."""
    if part is None or source_part is None:
        return ""
    own, other = (f"x {b[0]:.0%}-{b[2]:.0%}, y {b[1]:.0%}-{b[3]:.0%}" for b in (part, source_part))
    return f"  (its {own} like {other})"


def _how_sure(row: Any) -> str:
    if row.single:
        return f" ({row.single})"
    return "" if math.isnan(row.q) else f" (p = {row.p:.2g}, q = {row.q:.2g})"


def _closing(opened: Any, question: Any, by: Any) -> str:
    from audit.runs import searching

    some = counted(len(question.names), "image", "images")
    text = f"Searched {counted(len(opened.train), 'training image', 'training images')} for {some}."
    if reason := searching.why(opened):
        text += f" {reason}"
    if not len(opened.held):
        text += " Without held-out images (`index --held-out`) only an image that has a training "
        text += "image's pixels can be named."
    else:
        text += f" {by.words[:1].upper()}{by.words[1:]}."
    if opened.coverage >= 1:
        text += " They are the whole training set."
    elif not math.isnan(opened.coverage):
        text += f" They are {opened.coverage:.2%} of the training set: an image that was not found"
        text += " may be in the rest."
    return text
