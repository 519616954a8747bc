"""The inputs of the fuzzer: every form that the program reads, tiny, and the verb that reads it."""

from __future__ import annotations

import io
import json
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from audit.cli import main as cli
from audit.datasets import pixels, prompts
from audit.datasets.find import find
from audit.design import suites
from audit.design.imported import pictures as imported
from audit.design.imported import plan as plans
from audit.errors import Incomplete, UserError
from audit.records import Settings
from audit.runs import labelling
from audit.store import RunFolder
from tests.builders import runs
from tests.builders.suites import TOML
from tests.evidence.copies import made

PROMPT = "a photo of a nurse"
KEY, PORT = "k" * 43, 8123
LINES = "subject,attribute,value,share,source\n" + "".join(
    f"{s},gender,{g},0.5,x\n" for s in ("nurse", "technologist") for g in ("woman", "man")
)

CHECKS = 'checks = ["replication.rate <= 1 %"]\n'
PARTS = """
[[blocks]]
id = "b"
purpose = "replication"
file = "prompts.csv"
seeds = 2
[[references]]
name = "own"
label = "own"
file = "shares.csv"
[[mitigations]]
name = "both"
method = "stack"
blocks = ["jobs"]
options = { of = ["inject-gender", { method = "add-words", options = { count = 2 } }] }
[[associations]]
name = "x"
title = "X"
x = { label = "a", subjects = ["nurse"] }
y = { label = "b", subjects = ["technologist"] }
attribute = "gender"
a = "woman"
b = "man"
[margins]
copies = 0.1
[quick]
jobs = 1
"""
"""What the builders' suite does not have."""


@dataclass(frozen=True)
class Input:
    """A form that is read."""

    make: Callable[[Path], object]
    """Write the files into an empty folder."""
    use: Callable[[Path], Any]
    """Read them as the verb does; returns the answer, which a damaged file may not change."""
    files: tuple[str, ...]
    """Patterns of the files that are mutated."""
    checked: bool = False
    """Whether checksums guard every file: another answer without a sentence is a fault."""


def verb(*words: object) -> str:
    """The standard output of a command; its exceptions are raised."""
    from typer.testing import CliRunner

    result = CliRunner().invoke(cli.app, [str(w) for w in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code == 2:
        raise UserError(result.output)
    if result.exit_code == 3 and "undecided" not in result.stdout:
        raise Incomplete(result.output)
    return result.stdout


# Images


def picture(path: Path, kind: str) -> None:
    """A small image with a prompt, EXIF data and a profile, as far as its form has them."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (16, 24, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112], exif[0x010E] = 6, f"{PROMPT}\nSteps: 3, Sampler: x"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + PROMPT.encode("utf-16-be")
    more: dict[str, Any] = {"exif": exif} if kind in ("PNG", "JPEG", "WEBP", "TIFF") else {}
    if kind == "PNG":
        info = PngInfo()
        info.add_text("parameters", f"{PROMPT}\nSteps: 3, Sampler: x", zip=True)
        info.add_itxt("prompt", json.dumps({"1": {"class_type": "X", "inputs": {"text": PROMPT}}}))
        more["pnginfo"] = info
    if kind == "GIF":
        image, more = image.quantize(16), {"comment": PROMPT.encode(), "transparency": 1}
    if kind == "TIFF":
        more["compression"] = "tiff_lzw"
    image.save(path, kind, **more)


def show(path: Path) -> object:
    """The pixels and the prompt of an image."""
    data = pixels.content(path)
    return pixels.decode(data).tobytes(), prompts.embedded(data)


def shown(folder: Path) -> object:
    """The only image of a folder; damaged ones are left out with a reason."""
    return show(next(p for p in sorted(folder.iterdir()) if p.is_file()))


# Collections


def as_images(path: Path, table: Path | None = None) -> object:
    """What `run --images` reads: items, their place in the plan, notes, and every image."""
    source = imported.read(path, table)
    found = [(p.name, p.text, p.seed) for p in source.items()]
    with suppress(UserError):  # none of the prompts is in the suite
        plan = plans.join(suites.read_suite(str(path.parent / "small.toml")), source)
        found += [(s.id, s.text, s.seed) for s in plan.samples]
    source.notes(), source.left_out()
    for item in source.items():
        with suppress(pixels.Unreadable):
            source.image(item.name)
    return found


def as_training_set(path: Path) -> object:
    """What `index` does with it; then every image is found again by its id."""
    out = path.parent / f"made-{path.name}"
    verb("index", path, "-o", out, "--descriptor", "phash", "--duplicates")
    source = find(path)
    for unit in source.units():
        for item in source.read(unit):
            with suppress(pixels.Unreadable):
                source.image(item.entry.id)
    return None


def as_embeddings(path: Path) -> object:
    """What `index` reads of embeddings, without the model that made them."""
    from audit.evidence.copies.index import build

    return len(build({"train": find(path)}, _Of(), path.parent / "made").train)


class _Of:
    key = "fuzz-vectors"
    dimensions = 4

    def images(self, pictures: Any) -> np.ndarray:
        """float32[n, 4]."""
        return np.ones((len(pictures), 4), np.float32)


def _images(root: Path) -> Path:
    """Three images of one prompt of the suite."""
    (root / "small.toml").write_text(TOML)
    return made.folder(root / "set", made.pictures(3, 1))


def _with_table(root: Path, name: str) -> None:
    folder = _images(root)
    rows = [
        {"file_name": f"{i:03d}.png", "text": PROMPT, "seed": i, "arm": "none"} for i in range(3)
    ]
    if name.endswith(".csv"):
        lines = ["file_name,text,seed,arm", *(",".join(map(str, r.values())) for r in rows)]
    else:
        lines = [json.dumps(r) for r in rows]
    (folder / name).write_text("\n".join(lines) + "\n")


def _with_sidecars(root: Path) -> None:
    folder = _images(root)
    (folder / "001.txt").rename(folder / "001.caption")
    (folder / "002.txt").unlink()
    (folder / "002.json").write_text(json.dumps({"caption": PROMPT, "seed": 3, "tags": ["x", 1]}))


def _tar(root: Path) -> None:
    (root / "small.toml").write_text(TOML)
    made.tar(root / "set.tar", made.pictures(3, 1))


def _parquet(root: Path) -> None:
    import pyarrow.parquet as parquet

    (root / "small.toml").write_text(TOML)
    table = made.rows(made.pictures(3, 1)).append_column("seed", [[1, 2, 3]])
    parquet.write_table(table, root / "set.parquet")


def _embeddings(root: Path) -> None:
    made.embeddings(root / "set", np.random.default_rng(0).normal(size=(8, 4)).astype("f4"), 1)


# Suites and tables


def _suite(root: Path) -> None:
    """A suite with a table of prompts and one of shares."""
    (root / "small.toml").write_text(f"{CHECKS}{TOML}{PARTS}")
    rows = "".join(f"{i},caption {i},,{4**i}\n" for i in range(3))
    (root / "prompts.csv").write_text(f"id,text,subject,repeats\n{rows}")
    (root / "shares.csv").write_text(LINES)


def plan(root: Path) -> object:
    """Read a suite and plan its samples, as `run` does."""
    from audit import registry

    suite = suites.read_suite(str(root / "small.toml"))
    return len(suites.expand(suite, Settings("m", "r", 4, 3.0, 2), registry.rewriters(suite)))


def _labels(root: Path) -> None:
    rows = [f"{i},{'nurse' if i % 2 else 'judge'},{'woman' if i % 3 else 'man'},{r},{i},none,label"
            for i in range(4) for r in "ab"]  # fmt: skip
    (root / "labels.csv").write_text(
        "image,occupation,gender,rater,seed,arm,outcome\n" + "\n".join(rows) + "\n"
    )


def score(root: Path) -> object:
    """`score` of a table of labels."""
    return verb("score", "--labels", root / "labels.csv", "--out", root / "out", "-q")


# Runs


def _run(root: Path) -> None:
    few = runs.Plan(seeds=1, templates=("a photo of a {}",))
    runs.write(root / "run", few)
    runs.write(root / "other", runs.Plan(model="two", seeds=1, seed=1, templates=few.templates))


def _labelled(root: Path) -> None:
    """A run with images, a sheet that is filled, read labels and a journal."""
    import pandas as pd

    from tests.view import made as viewed

    folder = viewed.run(root / "run", n=6, seed=8).folder
    labelling.write_sheet(folder, 4, [], 0)
    filled = pd.read_csv(root / "run" / "labels" / "sheet.csv", dtype=str)
    filled["value"] = filled.attribute.map(lambda a: viewed.CLASSES[a][0])
    filled.to_csv(root / "filled.csv", index=False)
    labelling.read_back(folder, [root / "filled.csv"])
    rows = [{"rater": "ann", "sample": s, "attribute": "gender", "value": "man"}
            for s in filled["sample"].head(3)]  # fmt: skip
    (root / "run" / "labels" / "journal.jsonl").write_text(
        "".join(json.dumps(r) + "\n" for r in rows)
    )


def _reported(root: Path) -> None:
    from tests.report.made import Size, evidence
    from tests.report.test_from_folder import written

    written(evidence(Size(subjects=("nurse", "cook"), seeds=1, captions=8)), root / "run")


def check(root: Path) -> object:
    """`check` with a gate, listed and judged."""
    gate = "representation.nurse.gender.share.woman >= 10 %"
    verb("check", root / "run", "-g", gate, "--dry-run")
    return verb("check", root / "run", "-g", gate, "--json", "--junit", root / "junit.xml")


def export(root: Path) -> object:
    """`export` in every form."""
    for form, out in (("csv", "c"), ("parquet", "p"), ("evidence", "e.md"), ("model-card", "m.md")):
        verb("export", root / "run", "-f", form, "-o", root / out)
    return None


def compare(root: Path) -> object:
    """`compare` with another run."""
    return verb("compare", root / "run", root / "other", "--out", root / "out", "--anyway")


def report(root: Path) -> object:
    """`report` without images."""
    return verb("report", root / "run", "--no-images", "-o", root / "out.html")


def label(root: Path) -> object:
    """`label`, and `label --read` of a filled sheet; then the labels as a run reads them."""
    with suppress(UserError):
        verb("label", root / "run", "-n", "4")
    verb("label", root / "run", "--read", root / "filled.csv")
    return len(labelling.kept(RunFolder(root / "run")))


def labels_again(root: Path) -> object:
    """The labels that were read back, as the next run takes them."""
    found = labelling.labels(RunFolder(root / "run"))
    return None if found is None else found[0].to_csv()


def view(root: Path) -> object:
    """The pages of `view`, through HTTP; an answer of 500 is a crash."""
    from starlette.testclient import TestClient

    from audit.view import app, desk

    run = root / "run"
    opened = desk.Desk(RunFolder(run), None)
    opened.open()
    browser = TestClient(app.build(opened, PORT, KEY), base_url=f"http://127.0.0.1:{PORT}")
    browser.get(f"/?token={KEY}")
    ids = [p.stem for p in sorted(run.glob("images/*/*.png"))[:2]]
    pages = ["/", "/?order=near", "/label", "/labels?rater=ann", *(f"/image/{i}" for i in ids)]
    for page in [*pages, *(f"/thumb/{i}" for i in ids)]:
        if browser.get(page).status_code >= 500:
            raise RuntimeError(f"{page} answers 500")
    return None


# Indexes and models


def _index(root: Path) -> None:
    made.folder(root / "train", made.pictures(6, 1))
    made.folder(root / "held", made.pictures(6, 2))
    verb("index", root / "train", "-o", root / "index", "--held-out", root / "held",
         "--descriptor", "phash")  # fmt: skip


def search(root: Path) -> object:
    """`search` of a training image and another one."""
    asked = [root / side / "002.png" for side in ("train", "held")]
    return verb("search", *asked, "-i", root / "index", "--json")


def _model(root: Path) -> None:
    from tests.engine import small

    small.save("sd1", root).rename(root / "model")


def load(root: Path) -> object:
    """A model folder, as `run --model` reads it."""
    from audit.engine import model, source

    found = source.find(str(root / "model"))
    model.defaults(found)
    model.load(found, model.Loading(device="cpu", dtype="float32"))
    return None


def _form(kind: str) -> Input:
    return Input(lambda root: picture(root / f"0.{kind.lower()}", kind), shown, ("0.*",))


TABLES = ("run/results.json", "run/run.json", "run/plan.jsonl", "run/tables/*.parquet")
INPUTS: dict[str, Input] = {
    **{kind: _form(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")},
    "suite": Input(_suite, plan, ("small.toml",)),
    "suite tables": Input(_suite, plan, ("*.csv",)),
    "labels": Input(_labels, score, ("labels.csv",)),
    "sheet": Input(_labelled, label, ("filled.csv",)),
    "prompts CSV": Input(partial(_with_table, name="metadata.csv"), lambda r: as_images(r / "set"),
                         ("set/metadata.csv",)),
    "prompts JSONL": Input(partial(_with_table, name="metadata.jsonl"),
                           lambda r: as_images(r / "set"), ("set/metadata.jsonl",)),
    "sidecars": Input(_with_sidecars, lambda r: as_images(r / "set"),
                      ("set/*.txt", "set/*.caption", "set/*.json")),
    "tar set": Input(_tar, lambda r: as_training_set(r / "set.tar"), ("set.tar",)),
    "tar images": Input(_tar, lambda r: as_images(r / "set.tar"), ("set.tar",)),
    "Parquet set": Input(_parquet, lambda r: as_training_set(r / "set.parquet"), ("set.parquet",)),
    "Parquet images": Input(_parquet, lambda r: as_images(r / "set.parquet"), ("set.parquet",)),
    "embeddings": Input(_embeddings, lambda r: as_embeddings(r / "set"), ("set/*/*",)),
    "model": Input(_model, load, ("model/model_index.json", "model/*/*.json",
                                  "model/*/*.safetensors")),
    "check": Input(_run, check, ("run/findings.json", "run/results.json")),
    "export": Input(_run, export, ("run/findings.json", *TABLES)),
    "compare": Input(_run, compare, ("run/findings.json", *TABLES)),
    "report": Input(_reported, report, ("run/page.json", "run/findings.json", *TABLES)),
    "view": Input(_labelled, view, (*TABLES, "run/labels/*.json*", "run/vectors/*/*.npz",
                                    "run/images/*/*.png", "run/images/*/*.why")),
    "label": Input(_labelled, label, (*TABLES, "run/labels/*.json", "run/labels/sheet.csv",
                                      "run/images/*/*.png")),
    "kept labels": Input(_labelled, labels_again, ("run/labels/labels.csv",), checked=True),
    "index": Input(_index, search, ("index/index.json", "index/*.npy", "index/*-*.parquet"),
                   checked=True),
}  # fmt: skip
SLOW = ("model", "report", "compare", "labels", "view", "sheet", "label")
"""Inputs of which one mutation costs a second or so."""


def ready() -> None:
    """Import what the verbs import on use, and have libraries say nothing."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    warnings.simplefilter("ignore")
    import diffusers  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import transformers  # noqa: F401

    io.BytesIO().close()
