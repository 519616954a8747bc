"""Kill it, fill the disk, break its files: the same end, or a sentence that says why not."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import signal
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from audit.design import suites
from audit.errors import UserError
from audit.records import Settings
from audit.runs import line, planning
from audit.runs.options import Options
from audit.store import RunFolder
from audit.world.export import render_set
from tests.builders.suites import TOML
from tests.engine import small

pytestmark = pytest.mark.slow
NIGHTLY = pytest.mark.nightly
"""Every run has one member of each kind; the rest come at night."""
KEPT = (".json", ".npy", ".parquet")
"""Files of an index."""
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["audit.runs.line", "audit.engine.sampler",
     "audit.evidence.encoders.openclip", "audit.evidence.encoders.copies",
     "audit.evidence.copies.index", "audit.report.page", "diffusers", "audit.world.models"]
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, a small training set and a suite that asks about both."""
    root = tmp_path_factory.mktemp("place")
    small.save("sd1", root)
    render_set("planted", root / "train", 40)
    render_set("twin", root / "held", 40)
    (root / "small.toml").write_text(TOML)
    return root


def options(place: Path, out: Path) -> Options:
    """A run of seconds that passes every stage of the line."""
    return Options(
        model=str(place / "sd1"), out=out, steps=2, batch=4, validation=40, dtype="float32",
        device="cpu", corpus=place / "train" / "images", held_out=place / "held" / "images",
        classifier="embedded-classifier", descriptor="embedded-copy",
    )  # fmt: skip


def work(place: Path, out: Path, largest: int = 0) -> None:
    """What a child process does; its sentence goes to a file, its exit code is the command's."""
    import torch

    torch.set_num_threads(1)
    if largest:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    try:
        line.execute(
            planning.open_run(suites.read_suite(str(place / "small.toml")), options(place, out))
        )
    except UserError as error:
        if largest:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        (place / "sentence").write_text(str(error))
        os._exit(2)


def child(place: Path, out: Path, largest: int = 0) -> BaseProcess:
    """A run in a process of its own."""
    process = CONTEXT.Process(target=work, args=(place, out, largest))
    process.start()
    return process


def finished(place: Path, out: Path) -> bytes:
    """Run to the end; findings, report and index as bytes."""
    process = child(place, out)
    process.join()
    assert process.exitcode == 0
    folder = next(out.glob("small-*"))
    index = sorted(p for p in (out / "indexes").rglob("*.*") if p.suffix in KEPT)
    assert len(index) >= 4
    files = [folder / "findings.json", folder / "report.html", *index]
    return b"".join(p.read_bytes() for p in files)


@pytest.fixture(scope="module")
def calm(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, float, Path]:
    """An undisturbed run: its bytes, its seconds and its folder."""
    out = tmp_path_factory.mktemp("calm")
    finished(place, tmp_path_factory.mktemp("warm"))  # the fork server imports but once
    started = time.monotonic()
    return finished(place, out), time.monotonic() - started, out


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=NIGHTLY)])
def test_killed_at_any_moment_it_ends_the_same(
    place: Path, calm: tuple[bytes, float, Path], tmp_path: Path, kills: int
) -> None:
    """kill -9 at random moments and whenever a new kind of file appears: the same bytes at last."""
    chance, out = random.Random(11), tmp_path / "torn"
    kinds = ("images/*/*.png", "vectors/*/*.npz", "tables/*.parquet", "findings.json", "plan.jsonl")
    for turn in range(kills):
        if turn % 6 == 0:
            shutil.rmtree(out, ignore_errors=True)
        had = {k: len(list(out.glob(f"*/{k}"))) for k in kinds}
        process = child(place, out)
        end = time.monotonic() + chance.uniform(0.02, 1.1) * calm[1]
        while time.monotonic() < end and process.is_alive():
            if turn % 2 and len(list(out.glob(f"*/{kinds[turn % 5]}"))) > had[kinds[turn % 5]]:
                break
            time.sleep(0.002)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
    assert finished(place, out) == calm[0]
    whole = [p for p in out.rglob("*") if p.is_file()]
    assert not [p for p in whole if p.suffix == ".parquet" and p.stat().st_size == 0]


@pytest.mark.parametrize("sizes", [(900,), pytest.param((100, 900, 3_000, 20_000), marks=NIGHTLY)])
def test_a_full_disk_is_a_sentence_and_loses_nothing(
    place: Path, calm: tuple[bytes, float, Path], tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    """Files above a size cannot be written, wherever that strikes first: exit 2, then the end."""
    for i, largest in enumerate(sizes):
        out = tmp_path / str(i)
        process = child(place, out, largest)
        process.join()
        assert process.exitcode == 2
        assert "Free some space" in (place / "sentence").read_text()
    assert finished(place, out) == calm[0]


@NIGHTLY
def test_a_folder_that_vanishes_midway_is_a_sentence(
    place: Path, calm: tuple[bytes, float, Path], tmp_path: Path
) -> None:
    """The images' folder becomes something that cannot be written: exit 2, and nothing is lost."""
    out = tmp_path / "out"
    process = child(place, out)
    while not (made := list(out.glob("*/images/*/*.png"))) and process.is_alive():
        time.sleep(0.001)
    images = made[0].parent.parent
    images.rename(images.with_name("away"))
    images.write_text("not a folder")
    process.join()
    assert process.exitcode == 2
    assert "Cannot write" in (place / "sentence").read_text()
    images.unlink()
    images.with_name("away").rename(images)
    kept = {p: p.stat().st_mtime_ns for p in images.rglob("*.png")}
    assert finished(place, out) == calm[0]
    assert all(p.stat().st_mtime_ns == t for p, t in kept.items())


@pytest.mark.parametrize(
    "pattern",
    [
        "findings.json", "vectors/*/*.npz",
        *(pytest.param(p, marks=NIGHTLY)
          for p in ("plan.jsonl", "run.json", "report.html", "tables/*.parquet")),
    ],
)  # fmt: skip
def test_a_torn_file_is_made_again(
    place: Path, calm: tuple[bytes, float, Path], tmp_path: Path, pattern: str
) -> None:
    """Whatever is cut in half next to the images is derived from them again."""
    out = tmp_path / "out"
    shutil.copytree(calm[2], out)
    for victim in next(out.glob("small-*")).glob(pattern):
        victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    assert finished(place, out) == calm[0]


@pytest.mark.parametrize(
    "pattern",
    ["train-*.npy", *(pytest.param(p, marks=NIGHTLY) for p in ("index.json", "held-*.parquet"))],
)
def test_a_damaged_index_is_made_again(
    place: Path, calm: tuple[bytes, float, Path], tmp_path: Path, pattern: str
) -> None:
    """A damaged index is never searched: what is cut in half or overwritten is made again."""
    out = tmp_path / "out"
    shutil.copytree(calm[2], out)
    victim = next((out / "indexes").rglob(pattern))
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    assert finished(place, out) == calm[0]
    was = bytearray(victim.read_bytes())
    was[len(was) // 2 : len(was) // 2 + 8] = b"\xff" * 8
    victim.write_bytes(was)
    assert finished(place, out) == calm[0]


def test_two_processes_do_not_share_a_folder(
    place: Path, calm: tuple[bytes, float, Path], tmp_path: Path
) -> None:
    """The second says that the first is at work, and disturbs nothing."""
    out = tmp_path / "out"
    first = child(place, out)
    while not list(out.glob("*/plan.jsonl")) and first.is_alive():
        time.sleep(0.001)
    second = child(place, out)
    second.join()
    assert second.exitcode == 2
    assert "Another process" in (place / "sentence").read_text()
    first.join()
    assert first.exitcode == 0
    assert finished(place, out) == calm[0]


def test_a_grown_run_redoes_nothing(
    place: Path, calm: tuple[bytes, float, Path], tmp_path: Path
) -> None:
    """More seeds, another attribute and no mitigation: no picture is drawn again."""
    out = tmp_path / "out"
    shutil.copytree(calm[2], out)
    folder = next(out.glob("small-*"))
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.png")}
    vectors = {p: p.stat().st_mtime_ns for p in folder.rglob("*.npz")}
    suite = suites.read_suite(str(place / "small.toml"))
    tone = replace(
        suite.attributes[0], name="hair", classes=("a", "b"), texts={"a": ("a",), "b": ("b",)}
    )
    wider = replace(
        suites.with_seeds(suite, 6), mitigations=(), attributes=(*suite.attributes, tone)
    )
    run = planning.open_run(wider, options(place, out))
    assert run.folder.path == folder
    line.execute(run)
    assert all(p.stat().st_mtime_ns == t for p, t in {**before, **vectors}.items())
    assert len(list(folder.rglob("*.png"))) == len(before) + 4


@NIGHTLY
def test_a_hundred_thousand_samples_are_planned_and_listed(tmp_path: Path) -> None:
    """The plan is whole, ids are distinct, and listing what is there does not open it."""
    suite = suites.with_seeds(suites.read_suite("world"), 1)
    many = replace(
        suite, mitigations=(),
        prompts=tuple(replace(p, seeds=100_000 // len(suite.prompts) + 1) for p in suite.prompts),
    )  # fmt: skip
    samples = suites.expand(many, Settings("m", "r", 20, 3.0, 16), {})
    assert len({s.id for s in samples}) == len(samples) >= 100_000
    folder = RunFolder(tmp_path / "run")
    folder.write_plan(samples)
    assert (tmp_path / "run" / "plan.jsonl").read_bytes().count(b"\n") == len(samples)
    for s in samples[:300]:
        folder.write_image(s.id, np.zeros((1, 1, 3), np.uint8))
    folder.write_blocked(samples[300].id, "blocked")
    assert folder.present() == {s.id for s in samples[:301]}
    assert folder.blocked() == {samples[300].id: "blocked"}
