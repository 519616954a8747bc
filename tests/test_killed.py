"""Every verb that writes, killed again and again and run again: the same bytes at last."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from audit.world.export import render_set
from tests.builders.suites import TOML
from tests.engine import small

inputs = pytest.importorskip("benchmarks.fuzz_inputs", reason="needs a POSIX system")
pytestmark = [pytest.mark.nightly, pytest.mark.slow]
KILLS = int(os.environ.get("T2I_AUDIT_KILLS", "10"))
"""Of each verb."""
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["audit.cli.main", "audit.runs.line", "audit.engine.sampler", "audit.report.page",
     "audit.evidence.encoders.openclip", "audit.evidence.encoders.copies",
     "audit.evidence.copies.index", "audit.world.models", "audit.world.render", "diffusers"]
)  # fmt: skip
PASSING = (".tmp", ".lock")
"""Files that say who works here, and not what was made."""


def command(folder: Path, words: Sequence[str]) -> None:
    """What a child does: the command in a folder, where it says nothing."""
    import torch

    from audit.cli import main

    torch.set_num_threads(1)
    os.environ["SOURCE_DATE_EPOCH"] = "1000000000"
    os.chdir(folder)
    with (folder.parent / "said").open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    sys.argv = ["t2i-audit", *words]
    main.main()


def child(folder: Path, words: Sequence[str]) -> BaseProcess:
    """A command in a process of its own."""
    process = CONTEXT.Process(target=command, args=(folder, words))
    process.start()
    return process


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, by name."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*"))
            if p.is_file() and not p.name.endswith(PASSING)}  # fmt: skip


def finished(folder: Path, words: Sequence[str]) -> dict[str, bytes]:
    """The command to its end, and the folder after it; nothing half-written stays."""
    process = child(folder, words)
    process.join()
    assert process.exitcode == 0, (folder.parent / "said").read_text()
    return files(folder)


@dataclass(frozen=True)
class Verb:
    """A command that writes into the folder in which it runs, and what has to be there."""

    words: str
    """`{}` is the place of what all share."""
    make: Callable[[Path], object] = lambda folder: None


def model(folder: Path) -> None:
    """A suite about a small model."""
    (folder / "small.toml").write_text(TOML)


def undrawn(folder: Path) -> None:
    """A run without a draw of images to label."""
    inputs.INPUTS["label"].make(folder)
    shutil.rmtree(folder / "run" / "labels")


def unread(folder: Path) -> None:
    """A run whose filled sheet was not read yet."""
    inputs.INPUTS["label"].make(folder)
    (folder / "run" / "labels" / "labels.csv").unlink()


VERBS = {
    "index": Verb("index {}/train/images -o index --held-out {}/held/images --descriptor phash "
                  "--duplicates"),
    "search": Verb("search {}/train/images/planted-00.png {}/held/images -i {}/index "
                   "--page found.html"),
    "report": Verb("report run", inputs.INPUTS["report"].make),
    **{f"export {form}": Verb(f"export run -f {form} -o {out}", inputs.INPUTS["compare"].make)
       for form, out in (("csv", "out"), ("parquet", "out"), ("xlsx", "x.xlsx"))},
    "export zip": Verb("export run -f zip -o x.zip", inputs.INPUTS["label"].make),
    "model card": Verb("export run -f model-card -o card.md", inputs.INPUTS["compare"].make),
    "compare": Verb("compare run other --out out --anyway", inputs.INPUTS["compare"].make),
    "label": Verb("label run -n 6", undrawn),
    "label --read": Verb("label run --read filled.csv", unread),
    "score": Verb("score --labels labels.csv --out out", inputs.INPUTS["labels"].make),
    "mitigate": Verb("mitigate small.toml --model {}/sd1 -t inject:gender -t placebo:gender "
                     "--steps 2 --batch 4 --corpus {}/train/images --held-out {}/held/images "
                     "--out out --classifier embedded-classifier --descriptor phash "
                     "--validation 40 --device cpu --dtype float32", model),
    "world render": Verb("world render set --limit 80"),
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, a training set with its twin, and an index of both."""
    root = tmp_path_factory.mktemp("place")
    small.save("sd1", root)
    render_set("planted", root / "train", 40)
    render_set("twin", root / "held", 40)
    finished(root, words("index {}/train/images -o {}/index --held-out {}/held/images "
                         "--descriptor phash", root))  # fmt: skip
    return root


def words(text: str, place: Path) -> list[str]:
    """The words of a command."""
    return [w.replace("{}", str(place)) for w in text.split()]


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_that_is_killed_ends_the_same(name: str, place: Path, tmp_path: Path) -> None:
    """kill -9 at random moments, and as soon as a random number of files has changed."""
    verb, chance, work = VERBS[name], random.Random(name), tmp_path / "at" / "work"
    base, asked = tmp_path / "base" / "work", words(verb.words, place)
    base.mkdir(parents=True)
    verb.make(base)

    def fresh() -> None:
        shutil.rmtree(work.parent, ignore_errors=True)
        shutil.copytree(base, work)

    fresh()
    started = time.monotonic()
    calm, seconds = finished(work, asked), time.monotonic() - started
    assert calm != files(base)
    fresh()
    killed, tried = 0, 0
    while killed < KILLS and tried < 20 * KILLS:
        tried += 1
        wanted = chance.randrange(1, 8) if tried % 2 else 1 << 30
        moment = time.monotonic() + chance.uniform(0.02, 1) * seconds
        before = stamps(work)
        process = child(work, asked)
        while time.monotonic() < moment and process.is_alive():
            if len(stamps(work) ^ before) >= wanted:
                break
            time.sleep(0.002)
        process.kill()
        process.join()
        if process.exitcode == 0:  # too late; the next one starts from nothing
            fresh()
            continue
        assert process.exitcode == -signal.SIGKILL, (work.parent / "said").read_text()
        killed += 1
        if chance.random() < 0.3:
            seen = finished(work, asked)
            assert [n for n in {*calm, *seen} if calm.get(n) != seen.get(n)] == []
            fresh()
    assert killed == KILLS
    seen = finished(work, asked)
    assert [n for n in {*calm, *seen} if calm.get(n) != seen.get(n)] == []
    assert not list(work.rglob("*.tmp"))


def stamps(folder: Path) -> set[tuple[str, int, int]]:
    """Every file that is there, with size and time."""
    found = set()
    for path in folder.rglob("*"):
        try:
            about = path.stat()
        except OSError:  # it was renamed
            continue
        found.add((str(path), about.st_size, about.st_mtime_ns))
    return found
