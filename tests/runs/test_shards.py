"""Shards: the same bytes from one process, several processes, and parts that are gathered."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

import audit
from audit.cli import shared
from audit.design import suites
from audit.errors import Incomplete, UserError
from audit.keys import digest
from audit.records import Change, Intervention, Sample
from audit.report.exports import archive
from audit.runs import (
    distributing,
    gathering,
    line,
    locks,
    planning,
    pool,
    searching,
    shards,
    slurm,
)
from audit.runs.context import silent
from audit.runs.options import Options
from audit.runs.pictures import of_run
from audit.runs.shards import cut
from audit.store import RunFolder
from tests.builders import running
from tests.builders.submitted import Site
from tests.builders.suites import small as small_suite
from tests.engine import small

AT = "2026-12-01T00:00:00Z"


def plan(n: int, arms: int = 1) -> list[Sample]:
    """Samples of a few texts, whose arms change the engine."""
    return [
        Sample(f"{arm}-{i:05}", "p", str(arm), i, f"text {i % 7}", change=Change(1.0 + arm))
        for arm in range(arms) for i in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize(("n", "arms", "batch"), [(1, 1, 16), (110, 3, 16), (500, 7, 5)])
def test_a_cut_keeps_every_sample_and_the_batches_of_the_whole(
    n: int, arms: int, batch: int
) -> None:
    """Batches that a worker fills from its shard are those that one process fills from the plan."""

    def batches(samples: Sequence[Sample]) -> list[list[str]]:
        found = []
        for arm in dict.fromkeys(s.arm for s in samples):
            ids = [s.id for s in samples if s.arm == arm]
            found += [ids[start : start + batch] for start in range(0, len(ids), batch)]
        return found

    samples = plan(n, arms)
    found = cut(samples, batch)
    whole = [s for shard in found for s in shard.samples]
    assert sorted(s.id for s in whole) == sorted(s.id for s in samples)
    apart = [b for shard in found for b in batches(shard.samples)]
    assert sorted(apart) == sorted(batches(whole))
    assert len({s.name for s in found}) == len(found)
    assert [s.name for s in found] == [s.name for s in cut(samples, batch)]


def test_shards_of_earlier_versions_are_found_again() -> None:
    """Shared images, several changes and texts: the names are those that runs have on disk."""
    samples = [
        Sample(f"{i % 700:05}", f"p{i % 3}", f"a{i // 700}", i, f"text {i % 5}",
               change=[Change(), Change(guidance=2.0)][i // 350 % 2])
        for i in range(1500)
    ]  # fmt: skip
    found = cut(samples, 16)
    assert [len(s.samples) for s in found] == [64, 64, 64, 64, 64, 78, 64, 64, 64, 64, 46]
    assert digest([s.name for s in found]) == "e2cdfa146f839f7d"


def test_pictures_of_a_control_do_not_cut_batches() -> None:
    """Images of one arm are drawn together whatever their conditions are, also in shards."""
    shown = [Change(interventions=(Intervention("control", {"pictures": p}),)) for p in "abc"]
    samples = [Sample(f"{i:05}", "p", "c", i, "text", change=shown[i % 3]) for i in range(8)]
    (shard,) = cut(samples, 4)
    assert list(shard.samples) == samples


def test_workers_are_told_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may run in another folder; names of the hub, and `made`, stay as they are."""
    told, suite = list[Options](), suites.read_suite("world")

    def caught(job: Any, *_: Any) -> Iterator[Any]:
        told.append(job.options)
        yield from ()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(distributing, "results", caught)
    for name in ("net", "shapes", "made", "clip"):
        Path(name).mkdir()
    for given in ({"controlnet": "net", "control": "shape=shapes", "loras": ("a.safetensors@0.5",)},
                  {"controlnet": "one/net@main", "control": "shape=made",
                   "classifier": "local-dir:clip", "descriptor": "sscd"}):  # fmt: skip
        options = Options(workers=2, tuned=Path("tuned"), **given)
        distributing.ahead(running.run(tmp_path / "run", suite, options=options), [])
    one, two = told
    assert (one.controlnet, one.control) == (str(tmp_path / "net"), f"shape={tmp_path / 'shapes'}")
    assert (one.loras, one.tuned) == ((str(tmp_path / "a.safetensors@0.5"),), tmp_path / "tuned")
    assert (two.controlnet, two.control) == ("one/net@main", "shape=made")
    assert (two.classifier, two.descriptor) == (f"local-dir:{tmp_path / 'clip'}", "sscd")


def test_shards_are_large_in_large_plans_and_few_in_small_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At most LARGEST samples; a plan of a hundred has two shards."""
    assert [len(s.samples) for s in cut(plan(110), 16)] == [64, 46]
    assert [len(s.samples) for s in cut(plan(600), 16, elsewhere=True)] == [256, 256, 88]
    monkeypatch.setattr(shards, "PARTS", 4)
    assert [len(s.samples) for s in cut(plan(1000), 16)] == [256, 256, 256, 232]
    monkeypatch.setattr(shards, "LARGEST", 128)
    assert {len(s.samples) for s in cut(plan(1024), 16)} == {128}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model and a small suite."""
    root = tmp_path_factory.mktemp("place")
    small.save("sd1", root)
    small_suite(root)
    return root


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of four samples, and one time for all findings."""
    monkeypatch.setattr(shards, "TOGETHER", 4)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796083200")


def opened(place: Path, out: Path, **more: Any) -> Any:
    """A run of sixteen images, planned."""
    options = Options(
        model=str(place / "sd1"), out=out, steps=1, batch=4, validation=20, dtype="float32",
        device="cpu", classifier="embedded-classifier", **more,
    )  # fmt: skip
    return planning.open_run(suites.read_suite(str(place / "small.toml")), options)


def kept(report: Path) -> dict[str, bytes]:
    """Findings, report and images."""
    folder = report.parent
    files = [folder / "findings.json", report, folder / "page.json", folder / "plan.jsonl"]
    files += [*(folder / "images").rglob("*.png")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def calm(place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "TOGETHER", 4)
        patch.setenv("SOURCE_DATE_EPOCH", "1796083200")
        return kept(line.execute(opened(place, tmp_path_factory.mktemp("calm"))))


def part(place: Path, out: Path, which: str) -> Path:
    """Do one part; the run's folder."""
    run = opened(place, out, shard=which)
    return gathering.part(run, gathering.request(str(place / "small.toml"), [], None, run))


def images(folder: Path, shard: shards.Shard) -> list[Path]:
    """Paths of a shard's images."""
    return [folder / "images" / s.id[:2] / f"{s.id}.png" for s in shard.samples]


def cut_record(folder: Path, shard: shards.Shard) -> None:
    """Tear the last line of a shard's record."""
    path = folder / "shards" / f"{shard.name}.jsonl"
    path.write_bytes(path.read_bytes()[:-9])


def lose_images(folder: Path, shard: shards.Shard) -> None:
    """Delete a shard's images."""
    for path in images(folder, shard):
        path.unlink()


def damage_image(folder: Path, shard: shards.Shard) -> None:
    """Overwrite a byte in the middle of an image."""
    path = images(folder, shard)[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.usefixtures("several")
def test_parts_are_gathered_to_the_same_bytes(
    place: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """Three parts in any order; what is lost after that is listed, made again, and gathered."""
    for which in ("3/3", "1/3"):
        folder = part(place, tmp_path, which)
    with pytest.raises(
        Incomplete, match=r"^1 shard of .* is not finished: .* 4 of 4 images are missing"
    ):
        gathering.gather(folder)
    assert part(place, tmp_path, "2/3") == folder
    first = shards.of(opened(place, tmp_path))[0]
    for spoil, said in (
        (cut_record, "its record has no last line"),
        (lose_images, "4 of 4 images are missing"),
        (damage_image, "1 of 4 images are missing, 1 of them was damaged"),
    ):  # fmt: skip
        spoil(folder, first)
        with pytest.raises(Incomplete, match=said):
            gathering.gather(folder)
        part(place, tmp_path, "1/3")
    assert kept(gathering.gather(folder)) == calm
    assert kept(line.execute(opened(place, tmp_path))) == calm


def unpacked(report: Path) -> dict[str, bytes]:
    """As `kept`, of a run whose images are all in tars."""
    folder = RunFolder(report.parent)
    assert not [*(folder.path / "images").rglob("*.png")]
    names = {f"images/{i[:2]}/{i}.png": i for i in folder.images.members()}
    return {**kept(report), **{name: folder.images.content(i) for name, i in names.items()}}


def damage_tar(folder: Path, shard: shards.Shard) -> None:
    """Overwrite a byte in the middle of a packed image."""
    images, id = RunFolder(folder).images, shard.samples[2].id
    (tar,) = (folder / "images").glob(f"{shard.name}.tar")
    data = bytearray(tar.read_bytes())
    data[data.index(images.content(id)) + len(images.content(id)) // 2] ^= 1
    tar.write_bytes(data)


@pytest.mark.slow
@pytest.mark.usefixtures("several")
def test_a_packed_run_is_the_same(place: Path, calm: dict[str, bytes], tmp_path: Path) -> None:
    """A tar for each shard; repeated, with a damaged one, from files, and sent as an archive."""
    report = line.execute(opened(place, tmp_path, pack="tar"))
    assert unpacked(report) == calm
    every = shards.of(opened(place, tmp_path))
    names = {f"{s.name}.{e}" for s in every for e in ("tar", "json")}
    assert {p.name for p in (report.parent / "images").iterdir()} == names
    assert unpacked(line.execute(opened(place, tmp_path))) == calm
    damage_tar(report.parent, every[1])
    assert unpacked(line.execute(opened(place, tmp_path, pack="tar"))) == calm
    assert (report.parent / "images" / f"{every[1].name}-2.tar").exists()
    folder = RunFolder(report.parent)
    shown = of_run(folder, folder.results())
    assert len({shown.stamp(s.id) for s in folder.plan()}) == 16
    sent = archive.write(folder, shown.read, tmp_path / "sent.zip")
    with zipfile.ZipFile(sent) as file:
        assert f"{folder.path.name}/images/{every[0].name}.tar" in file.namelist()
    found = searching.ask([report.parent])
    assert [Path(n).stem for n in found.names] == sorted(s.id for s in folder.plan())
    assert (found.pictures[3] == folder.read_image(Path(found.names[3]).stem)).all()


@pytest.mark.slow
@pytest.mark.usefixtures("several")
def test_packed_parts_are_gathered_to_the_same_bytes(
    place: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """One part packs, the other does not, and gathering packs the rest."""
    run = opened(place, tmp_path, shard="1/2", pack="tar")
    gathering.part(run, gathering.request(str(place / "small.toml"), [], None, run))
    folder = part(place, tmp_path, "2/2")
    assert len(RunFolder(folder).images.members()) == 8
    damage_tar(folder, shards.of(opened(place, tmp_path))[0])
    with pytest.raises(Incomplete, match="1 of 4 images are missing, 1 of them was damaged"):
        gathering.gather(folder)
    part(place, tmp_path, "1/2")
    assert unpacked(gathering.gather(folder, {"pack": "tar"})) == calm


def test_only_images_that_are_drawn_are_packed(place: Path, tmp_path: Path) -> None:
    """Images that others made stay where they are."""
    with pytest.raises(UserError, match="--pack is about images that the run draws"):
        opened(place, tmp_path, pack="tar", images=tmp_path)


def is_worker(process: psutil.Process) -> bool:
    """Whether a process draws for this one; others that the tests started are left alone."""
    try:
        return "audit.runs.pool" in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


@pytest.mark.slow
@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.nightly)])
def test_workers_make_the_same_bytes_and_may_be_killed(
    place: Path, calm: dict[str, bytes], tmp_path: Path, kills: int
) -> None:
    """Two processes, of which one is killed now and then while images are drawn."""
    chance, left = random.Random(kills), kills

    def kill(step: str, done: int, total: int) -> None:
        nonlocal left
        assert total == 16 or step not in ("images", "classifier")
        mine = [p for p in psutil.Process().children() if is_worker(p)]
        if step == "images" and left and mine and chance.random() < 0.5:
            left -= 1
            chance.choice(mine).kill()

    for _ in range(1 + kills // 3):  # a shard that ends three processes is given up
        with suppress(Incomplete):
            run = opened(place, tmp_path, workers=2)
            report = line.execute(replace(run, progress=kill))
    assert left < kills
    assert kept(report) == calm
    closed = [shards.record(report.parent, s.name) for s in shards.of(opened(place, tmp_path))]
    assert [r.end.images for r in closed if r.end] == [4, 4, 4, 4]


@pytest.mark.slow
@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_jobs_of_slurm_make_the_same_bytes(
    place: Path, calm: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    real: bool,
) -> None:  # fmt: skip
    """An array of two jobs: inside this process, and by submitit's local executor."""
    monkeypatch.setattr(slurm, "CLUSTER", "local")
    if real:
        pytest.importorskip("submitit")
    else:
        monkeypatch.setitem(sys.modules, "submitit", Site().module)
    report = line.execute(opened(place, tmp_path, slurm=2))
    assert kept(report) == calm
    closed = [shards.record(report.parent, s.name) for s in shards.of(opened(place, tmp_path))]
    assert [r.end.images for r in closed if r.end] == [4, 4, 4, 4]


def kill_actors(records: Path, kills: int, ended: threading.Event) -> None:
    """Kill so many actors of Ray that this process started, once shards have been begun."""
    while kills and not ended.wait(0.01):
        mine = [p for p in psutil.Process().children(recursive=True) if is_actor(p)]
        if mine and any(records.glob("*.jsonl")):
            mine[0].kill()
            kills -= 1
    assert not kills


def is_actor(process: psutil.Process) -> bool:
    """Whether a process is an actor: Ray names it by its class."""
    try:
        return "".join(process.cmdline()).startswith("ray::Actor")
    except psutil.Error:  # it has just ended
        return False


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is optional")
@pytest.mark.nightly
@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("kills", [0, 1])
def test_actors_of_ray_make_the_same_bytes(
    place: Path, calm: dict[str, bytes], tmp_path: Path, kills: int
) -> None:
    """Two actors, of which one is killed while it draws."""
    run, ended = opened(place, tmp_path, ray="local", workers=2), threading.Event()
    with ThreadPoolExecutor(1) as beside:
        killing = beside.submit(kill_actors, run.folder.path / "shards", kills, ended)
        try:
            report = line.execute(run)
        finally:
            ended.set()
        killing.result()
    assert kept(report) == calm
    closed = [shards.record(report.parent, s.name) for s in shards.of(opened(place, tmp_path))]
    assert [r.end.images for r in closed if r.end] == [4, 4, 4, 4]


@pytest.mark.usefixtures("several")
def test_parts_and_runs_exclude_each_other(place: Path, tmp_path: Path) -> None:
    """The same part twice, and a whole run next to a part: a sentence, and nothing is touched."""
    run = opened(place, tmp_path, shard="1/2")
    with (
        locks.registered(run.folder, "1/2"),
        pytest.raises(UserError, match=r"Another process does shard 1/2"),
    ):
        line.execute(opened(place, tmp_path))
    with (
        locks.registered(run.folder, "1/2"),
        pytest.raises(UserError, match=r"Give each process a part of its own"),
        locks.registered(run.folder, "1/2"),
    ):
        pass
    assert not (run.folder.path / "plan.jsonl").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file.unlink(), "has no parts to gather"),
        (lambda file: file.write_text('{"suite": 3'), "is damaged"),
        (lambda file: file.write_text(file.read_text().replace('"steps": 1', '"steps": 2')),
         "has changed since its parts were made"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_gathered_says_why(
    change: Callable[[Path], object], said: str, place: Path, tmp_path: Path
) -> None:
    """No request, a damaged one, and one of another run."""
    run = opened(place, tmp_path, shard="1/2")
    wanted = gathering.request(str(place / "small.toml"), [], None, run)
    file = run.folder.path / gathering.FILE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(asdict(wanted), indent=1))
    change(file)
    with pytest.raises(UserError, match=said):
        gathering.gather(run.folder.path)


def test_a_request_trusts_nothing(place: Path, tmp_path: Path) -> None:
    """What a file in a run's folder may not decide is not written there, and not read from it."""
    run = opened(place, tmp_path, shard="1/2", trust_code=True)
    wanted = gathering.request(str(place / "small.toml"), [], None, run)
    assert not wanted.options.keys() & {*gathering.GIVEN_AGAIN, "shard", "workers"}
    folder = run.folder.path
    (folder / "shards").mkdir(parents=True)
    more = {**wanted.options, "trust_code": True, "trust": True, "workers": 99}
    (folder / gathering.FILE).write_text(json.dumps(asdict(replace(wanted, options=more))))
    again, _ = gathering._reopened(folder, {}, silent)
    assert (again.options.trust_code, again.options.trust, again.options.workers) == (
        False,
    ) * 2 + (0,)
    assert again.folder.path.samefile(folder)


@pytest.mark.parametrize("options", [{"precision": 0.1}, {"labels": "labels.csv"}])
def test_some_runs_have_no_parts(options: dict[str, Any], place: Path, tmp_path: Path) -> None:
    """One whose next image depends on all others, and one without images."""
    (tmp_path / "labels.csv").write_text("occupation,gender\nnurse,woman\n")
    given = {n: tmp_path / v if n == "labels" else v for n, v in options.items()}
    run = opened(place, tmp_path, shard="1/2", **given)
    with pytest.raises(UserError, match="--shard"):
        gathering.part(run, gathering.request("small", [], None, run))


def test_devices_and_versions_that_differ_are_named(tmp_path: Path) -> None:
    """Kinds are counted by shard; versions are named where they differ."""
    assert shards.mixed(tmp_path) == ""
    for name, device, torch in (("a", "cpu", "2.9"), ("b", "cpu", "2.9"), ("c", "GPU", "2.8")):
        made = shards.Began(device, {"torch": torch, "numpy": "2.0"}, AT)
        shards.write(tmp_path, name, [made, shards.Done(AT, 4, 0, [])])
    said = shards.mixed(tmp_path)
    assert "or versions: GPU, torch 2.8 (1 shard); cpu, torch 2.9 (2 shards). The" in said
    (tmp_path / "shards" / "c.jsonl").unlink()
    assert shards.mixed(tmp_path) == ""


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "-1/2", "a/b"])
def test_a_part_is_one_of_so_many(text: str) -> None:
    """I/N with I from 1 to N."""
    with pytest.raises(UserError, match="--shard must be I/N"):
        Options(shard=text)


def test_workers_are_a_number_or_auto() -> None:
    """As text or as a number; one process where nothing is said, and for each GPU by auto."""
    assert [Options(workers=w).workers for w in (3, "3", "auto")] == [3, 3, "auto"]
    assert pool.count(Options()) == 1
    with pytest.raises(UserError, match="--workers must be auto or a number"):
        Options(workers="many")


def test_a_report_does_not_show_who_did_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command in it is that of one process; in Python a part is refused."""
    words = (
        "t2i-audit run small --shard 1/2 --workers=2 --ray auto -q --gpus-per-worker 0.5 --slurm 8 "
        "--slurm-option partition=gpu --slurm-option=time=9"
    )
    monkeypatch.setattr("sys.argv", words.split())
    assert shared.command() == "t2i-audit run small -q"
    with pytest.raises(UserError, match="In Python give `workers`"):
        audit.run("small", shard="1/2")
