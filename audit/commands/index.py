"""`index` and `search`: a training set made searchable, and whether a picture is in it."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.commands.meter import Meter
from audit.commands.shared import INTERRUPTED, Json, Quiet

Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]


def _source(text: str, held_out: bool = False) -> Any:
    from audit import registry
    from audit.replication.files import Listed
    from audit.replication.sources import find

    if text in registry.CORPORA and not Path(text).exists():
        return Listed(registry.load("corpus", text)(), held_out)
    return find(Path(text))


def index(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder of pictures, WebDataset tars, Parquet tables, a saved dataset, "
            "embeddings (img_emb/ beside metadata/), or `world`."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the index.")],
    held_out: Annotated[
        str | None,
        typer.Option(help="Held-out images, exchangeable with the source; `world` has its own."),
    ] = None,
    descriptor: Annotated[
        str,
        typer.Option(
            help="sscd:FILE, dino:NAME, timm:NAME, clip:NAME, phash, pixels, embedded-copy. For "
            "embeddings: what made them. local:... also finds parts of pictures."
        ),
    ] = "embedded-copy",
    coverage: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the model's training set that this is."),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store float16: half the size, cosines to 0.001.")
    ] = False,
    duplicates: Annotated[
        bool,
        typer.Option(help="Also list near-duplicates, all pairs compared, in duplicates.csv."),
    ] = False,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a training set searchable, or add to it what is new; prints the folder of the index."""
    from audit import encoders
    from audit.generate.model import device as found_device

    started = time.monotonic()
    sides = {"train": _source(source)}
    if held_out is not None or source == "world":
        sides["held"] = _source(held_out or source, held_out=held_out is None)
    encoder = encoders.named(descriptor, str(found_device(device)))
    if coverage is None and source == "world":
        coverage = 1.0  # the embedded model was trained on it, and on nothing else
    how = {"descriptor": descriptor, "dtype": "float16" if half else "float32",
           "coverage": coverage}  # fmt: skip
    made = _build(sides, encoder, out, how, Meter(quiet))
    if unreadable := _unreadable(made):
        _tell(quiet, f"{unreadable} images have no vector; see {out / 'unreadable.csv'}.")
    groups = _duplicates(made, encoder, sides["train"], quiet) if duplicates else None
    typer.echo(json.dumps(_body(made, groups, started)) if as_json else out)


def _unreadable(made: Any) -> int:
    return len(made.train.skipped) + len(made.held.skipped)


def _tell(quiet: bool, words: str) -> None:
    if not quiet:
        typer.echo(words, err=True)


def _body(made: Any, groups: dict[str, Any] | None, started: float) -> dict[str, Any]:
    """What was made, for `--json`."""
    return {
        "index": str(made.folder), "images": len(made.train), "held_out": len(made.held),
        "unreadable": _unreadable(made), "dimensions": made.dimensions, "key": made.key,
        "descriptor": made.descriptor.key, "duplicates": groups,
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def _duplicates(made: Any, encoder: Any, source: Any, quiet: bool) -> dict[str, Any]:
    """Write the clusters of near-duplicates, largest first; facts on them."""
    from audit import copying
    from audit.store import write_atomic

    table, facts = copying.duplicates(made, encoder, source.image)
    path = made.folder / "duplicates.csv"
    write_atomic(path, table.to_csv(index=False, lineterminator="\n").encode())
    _tell(
        quiet,
        f"{facts['images']} of {len(made.train)} images are near-duplicates of others (cosine "
        f"{facts['cosine']:.3f} or more), in {facts['clusters']} clusters; see {path}.",
    )
    return dict(facts)


def _build(sides: Any, encoder: Any, out: Path, how: Any, meter: Meter) -> Any:
    """Build under a lock and a meter, and leave the list of what has no vector."""
    from audit.replication.index import build
    from audit.store import RunFolder

    try:
        with RunFolder(out).lock():
            made = build(sides, encoder, out, lambda done, total: meter("index", done, total), how)
            _list_unreadable(out, {**made.train.skipped, **made.held.skipped})
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. Run the same command to continue.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        meter.close()
    return made


def _list_unreadable(out: Path, reasons: dict[str, str]) -> None:
    from audit.store import write_atomic

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "reason"))
    writer.writerows(sorted(reasons.items()))
    write_atomic(out / "unreadable.csv", text.getvalue().encode())


def search(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    index: Annotated[Path, typer.Option("--index", "-i", help="Folder of an index.")],
    nearest: Annotated[int, typer.Option("-k", min=1, max=1000, help="Images to show.")] = 3,
    how: Annotated[
        str, typer.Option("--search", help="By size (auto), or flat, ivf-sq8, ivf-rabitq.")
    ] = "auto",
    page: Annotated[
        Path | None, typer.Option(help="Also write a page with the pictures side by side.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Ask whether, and where, pictures are copied in a training set or among generated images."""
    from audit import encoders, searching
    from audit.generate.model import device as found_device
    from audit.replication.approximate import prepared
    from audit.replication.index import load

    opened = prepared(load(index), how)
    encoder = encoders.named(opened.descriptor.name, str(found_device(device)))
    question = searching.ask(pictures)
    table = searching.search(opened, encoder, question, nearest)
    if page is not None:
        _write_page(page, opened, question, table)
        typer.echo(page, err=True)
    if as_json:
        rows = json.loads(table.to_json(orient="records"))
        body = {"matches": rows, "unreadable": question.unreadable,
                "searched": len(opened.train), "held_out": len(opened.held),
                "coverage": None if math.isnan(opened.coverage) else opened.coverage}  # fmt: skip
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    for name, part in table.groupby("query", sort=False):
        first = part.iloc[0]
        typer.echo(f"{name}: {first.verdict}{_how_sure(first)}")
        for row in part.itertuples():
            text = f"  {row.score:.3f}  {row.image}  {row.caption[:80]}".rstrip()
            typer.echo(text + _where(row.part, row.source_part))
    for name, reason in question.unreadable.items():
        typer.echo(f"{name}: unreadable ({reason})", err=True)
    typer.echo(_closing(opened, question), err=True)


def _write_page(page: Path, opened: Any, question: Any, table: Any) -> None:
    """The page of a search; pictures of the training set only where it still lies as indexed."""
    from audit import registry, searching
    from audit.replication import training_set
    from audit.report import search as report
    from audit.store import write_atomic

    corpus = training_set.at(opened.folder, None, lambda name: registry.load("corpus", name)())
    held = int((~opened.held.left_out).sum()) if len(opened.held) else 0
    most = searching.NULL if opened.crops == 1 else searching.NULL_LOCAL
    reason = opened.train.finder.choice.reason if opened.train.finder is not None else ""
    searched = report.Searched(
        table, len(opened.train), min(held, most), opened.coverage,
        opened.descriptor.name, reason, question.unreadable,
    )  # fmt: skip
    pictures = dict(zip(question.names, question.pictures, strict=True))
    page.parent.mkdir(parents=True, exist_ok=True)
    made = report.page(searched, pictures.__getitem__, corpus.image)
    write_atomic(page, made.encode("utf-8"))


def _where(part: Any, source_part: Any) -> str:
    """Which part is like which, where parts were compared."""
    if part is None or source_part is None:
        return ""
    own, other = (f"x {b[0]:.0%}-{b[2]:.0%}, y {b[1]:.0%}-{b[3]:.0%}" for b in (part, source_part))
    return f"  (its {own} like {other})"


def _how_sure(row: Any) -> str:
    return "" if math.isnan(row.q) else f" (p = {row.p:.2g}, q = {row.q:.2g})"


def _closing(opened: Any, question: Any) -> str:
    text = f"Searched {len(opened.train)} images for {len(question.names)} pictures."
    if opened.train.finder is not None:
        text += f" {opened.train.finder.choice.reason}"
    if not len(opened.held):
        text += " Without held-out images (`index --held-out`) no score can be called a copy."
    if not math.isnan(opened.coverage):
        text += f" They are {opened.coverage:.2%} of the training set: what was not found may be"
        text += " in the rest."
    return text
