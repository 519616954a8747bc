"""The inputs of the fuzzer: every form that the program reads, tiny, and the verb that reads it."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from audit.datasets import labelled
from audit.datasets.pixels import Unreadable
from audit.design import suites
from audit.errors import UserError
from audit.records import Settings
from audit.runs import labelling
from audit.store import RunFolder
from benchmarks import fuzz_collections as collections
from benchmarks.fuzz_collections import verb
from tests.builders import runs
from tests.builders.suites import TOML
from tests.evidence.copies import made

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


def _label_table(root: Path) -> None:
    """The same as Parquet."""
    import pandas as pd

    _labels(root)
    pd.read_csv(root / "labels.csv").to_parquet(root / "labels.parquet")
    (root / "labels.csv").unlink()


def score(root: Path) -> object:
    """`score` of a table of labels."""
    (table,) = root.glob("labels.*")
    return verb("score", "--labels", table, "--out", root / "out", "-q")


def _known(root: Path) -> None:
    """Labelled images, on which a reader's errors are measured."""
    collections.made.folder(root / "known", collections.made.pictures(4, 1))
    rows = "".join(f"{i:03d}.png,p{i},{'woman' if i % 2 else 'man'}\n" for i in range(4))
    (root / "known" / "labels.csv").write_text(f"file_name,person,gender\n{rows}")


def known(root: Path) -> object:
    """What a run reads of them."""
    found = labelled.load(root / "known", {"gender": ("woman", "man")})
    for id in found.ids:
        with suppress(Unreadable):
            found.read(id)
    return found.people, found.words("gender"), found.labels("gender", ("woman", "man"))


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
    for form, out in (("csv", "c"), ("parquet", "p"), ("evidence", "e.md"), ("model-card", "m.md"),
                      ("xlsx", "x.xlsx"), ("zip", "z.zip")):  # fmt: skip
        verb("export", root / "run", "-f", form, "-o", root / out)
    return None


def listed(root: Path) -> object:
    """`runs` of a folder."""
    return verb("runs", root), verb("runs", root, "--json")


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


def index_again(root: Path) -> object:
    """The same `index` command on a damaged index, which mends it or says what is wrong."""
    verb("index", root / "train", "-o", root / "index", "--held-out", root / "held",
         "--descriptor", "phash")  # fmt: skip
    return search(root)


def _continued(root: Path) -> None:
    """A finished run over images."""
    folder = collections.images(root)
    for text in folder.glob("*.txt"):
        text.write_text(collections.PROMPT)
    run_again(root)


def run_again(root: Path) -> object:
    """The same `run` command on its folder: the same findings, or a sentence."""
    own = ("--classifier", "embedded-classifier")  # the fuzzer has no network
    said = verb(
        "run", root / "small.toml", "--images", root / "set", "--out", root / "out", *own, "-q"
    )
    return Path(said.strip()).with_name("findings.json").read_bytes()


def _lora(root: Path) -> None:
    """A LoRA of the small model's denoiser."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(5)
    held = {}
    for key, value in _pipeline(root).unet.state_dict().items():
        if key.endswith(("attn1.to_q.weight", "attn2.to_v.weight")):
            out, into = value.shape
            held[f"unet.{key.replace('.weight', '.lora_A.weight')}"] = torch.randn(2, into)
            held[f"unet.{key.replace('.weight', '.lora_B.weight')}"] = torch.randn(out, 2)
    save_file(held, root / "lora.safetensors")


def _pipeline(root: Path) -> Any:
    from tests.engine import small

    return small.stable_diffusion(root)


def lora(root: Path) -> object:
    """A LoRA, as `run --lora` lays it on."""
    from audit.engine import loras

    return loras.add_lora(_pipeline(root), str(root / "lora.safetensors"), False)


Use = Callable[[Path], Any]


def _at(name: str, use: Use) -> Use:
    """Read a file or folder of an input."""
    return lambda root: use(root / name)


def _form(kind: str) -> Input:
    return Input(
        lambda root: collections.picture(root / f"0.{kind.lower()}", kind),
        collections.shown,
        ("0.*",),
    )


TABLES = ("run/results.json", "run/run.json", "run/plan.jsonl", "run/tables/*.parquet")
INPUTS: dict[str, Input] = {
    **{kind: _form(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")},
    "suite": Input(_suite, plan, ("small.toml",)),
    "label table": Input(_label_table, score, ("labels.parquet",)),
    "labelled images": Input(_known, known, ("known/labels.csv", "known/*.png")),
    "suite tables": Input(_suite, plan, ("*.csv",)),
    "labels": Input(_labels, score, ("labels.csv",)),
    "sheet": Input(_labelled, label, ("filled.csv",)),
    "prompts CSV": Input(partial(collections.with_table, name="metadata.csv"),
                         _at("set", collections.as_images), ("set/metadata.csv",)),
    "prompts JSONL": Input(partial(collections.with_table, name="metadata.jsonl"),
                           _at("set", collections.as_images), ("set/metadata.jsonl",)),
    "sidecars": Input(collections.with_sidecars, _at("set", collections.as_images),
                      ("set/*.txt", "set/*.caption", "set/*.json")),
    "tar set": Input(collections.tar, _at("set.tar", collections.as_training_set), ("set.tar",)),
    "tar images": Input(collections.tar, _at("set.tar", collections.as_images), ("set.tar",)),
    "Parquet set": Input(collections.parquet, _at("set.parquet", collections.as_training_set),
                         ("set.parquet",)),
    "Parquet images": Input(collections.parquet, _at("set.parquet", collections.as_images),
                            ("set.parquet",)),
    "named columns": Input(collections.two_columns, collections.as_named,
                           ("set/*.parquet", "set/metadata.csv")),
    "saved set": Input(collections.saved, _at("set", collections.as_training_set), ("set/*",)),
    "saved images": Input(collections.saved, _at("set", collections.as_images), ("set/*",)),
    "embeddings": Input(collections.embeddings, _at("set", collections.as_embeddings),
                        ("set/*/*",)),
    "model": Input(_model, load, ("model/model_index.json", "model/*/*.json",
                                  "model/*/*.safetensors")),
    "LoRA": Input(_lora, lora, ("lora.safetensors",)),
    "run again": Input(_continued, run_again, (
        "out/*/*.json*", "out/*/tables/*", "out/*/vectors/*/*", "out/*/work/*",
        "out/*/left_out.csv",
    ), checked=True),
    "check": Input(_run, check, ("run/findings.json", "run/results.json")),
    "runs": Input(_run, listed, ("*/findings.json", "*/results.json", "*/run.json")),
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
    "index again": Input(_index, index_again, ("index/index.json", "index/source.json",
                                               "index/*.npy", "index/*.parquet", "index/*.csv"),
                         checked=True),
}  # fmt: skip
SLOW = (
    "label table",
    "model",
    "LoRA",
    "run again",
    "report",
    "compare",
    "labels",
    "view",
    "sheet",
    "label",
)
"""Inputs of which one mutation costs a second or so."""


def ready() -> None:
    """Import what the verbs import on use, and have libraries say nothing."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ["SOURCE_DATE_EPOCH"] = "1000000000"  # when findings were written is no answer
    warnings.simplefilter("ignore")
    import diffusers  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import torch
    import transformers  # noqa: F401

    torch.set_num_threads(1)  # a fork has no threads of OpenMP
