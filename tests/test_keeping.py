"""What a run leaves and finds again: locks, torn files, notes, earlier reports, read-only runs."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from audit import files
from audit.cli import main as cli
from audit.errors import Notice, UserError
from audit.keys import BASELINE
from audit.records import Sample, to_json
from audit.runs import conclude, draw, mending, work
from audit.store import RunFolder
from tests.builders import running, runs
from tests.builders.damage import BYTES, DEEP
from tests.evidence.copies import made


@pytest.mark.parametrize("number", sorted(files.LOCKLESS))
@pytest.mark.parametrize("wait", [True, False])
def test_a_file_system_without_locks_is_a_warning(
    number: int, wait: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the error is called: the work is done, and the sentence says what to mind."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with RunFolder(tmp_path / "run").lock(wait):
            RunFolder(tmp_path / "run").add_notes(said=["x"])
    assert RunFolder(tmp_path / "run").notes().said == ["x"]
    if number != errno.ENOSYS:  # where the library has locks of its own
        assert [w.category for w in said] == [Notice]
        assert "has no locks: run only one command" in str(said[0].message)


def test_an_error_of_the_disk_is_not_taken_for_missing_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other error is the sentence that the folder cannot be written."""

    def flock(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UserError, match="Input/output error"), RunFolder(tmp_path).lock():
        pass


def test_torn_files_of_dead_processes_go_when_the_lock_is_taken(tmp_path: Path) -> None:
    """Those of running processes stay, and so do files that only look alike."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    torn = [tmp_path / p / f".x.png.{dead.pid}.tmp" for p in ("", "images/ab", "vectors/e")]
    kept = [tmp_path / f".x.png.{os.getpid()}.tmp", tmp_path / "my.1.tmp", tmp_path / ".a.tmp"]
    for path in [*torn, *kept]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    with RunFolder(tmp_path).lock():
        assert not any(p.exists() for p in torn)
        assert all(p.exists() for p in kept)


@pytest.mark.parametrize(
    "data",
    [DEEP, '{"a":' * 50_000, "NaN", "[1, Infinity]", "-Infinity", "1e999", "9" * 5000, "{", "",
     b"\xff\xfe", b'{"a": "\xe9"}'],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_json_is_one_kind_of_error(data: str | bytes) -> None:
    """Nested too deeply, too long a number, not finite, torn, not UTF-8: ValueError of a line."""
    with pytest.raises(ValueError, match=r".") as error:
        files.loads(data)
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(ValueError, match="too deeply"):
        files.toml("a = " + "[" * 50_000 + "]" * 50_000)


@pytest.mark.parametrize("kind", BYTES)
def test_work_that_was_done_is_not_done_again(kind: str, tmp_path: Path) -> None:
    """Unless its key changes or its file is damaged; nothing is remembered of nothing."""
    made: list[int] = []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"a": np.arange(6.0).reshape(2, 3), "words": np.array(["x", "yy"])}

    folder = RunFolder(tmp_path)
    first = work.remembered(folder, "w", [1, "k"], make)
    again = work.remembered(folder, "w", [1, "k"], make)
    assert len(made) == 1
    assert all(np.array_equal(first[n], again[n]) for n in first)
    work.remembered(folder, "w", [2, "k"], make)
    assert len(made) == 2
    for path in (tmp_path / "work").iterdir():
        path.write_bytes(BYTES[kind](path.read_bytes(), random.Random(kind)))
    mended = work.remembered(folder, "w", [1, "k"], make)
    assert all(np.array_equal(first[n], mended[n]) for n in first)
    work.remembered(folder, "none", 1, dict)
    assert len(list((tmp_path / "work").iterdir())) == 2


def test_what_is_noted_while_drawing_is_said_whenever_the_run_goes_on(tmp_path: Path) -> None:
    """Long texts of this plan, and what memory made of the batch, from earlier runs, too."""
    samples = [Sample(str(i), "p", BASELINE, i, f"text {i}") for i in range(3)]
    run = running.run(tmp_path, samples=samples)
    run.folder.add_notes(cut=["text 0", "text 2", "of another plan"], said=["Memory ran out."])
    later = running.run(tmp_path, samples=samples)
    later.folder.add_notes(cut=["text 0"], said=["Memory ran out."])
    assert draw.notes(later) == [
        "2 texts are longer than the model reads and were cut short.", "Memory ran out.",
    ]  # fmt: skip
    (tmp_path / "notes.json").write_text(DEEP)
    assert draw.notes(later) == []


@pytest.mark.parametrize("kind", BYTES)
def test_every_damage_to_an_image_is_noticed(kind: str, tmp_path: Path) -> None:
    """Before anything is drawn: the file is removed, and an image that is whole stays."""
    chance = random.Random(kind)
    run = running.run(tmp_path)
    for id in ("aa", "bb"):
        run.folder.write_image(id, np.full((9, 7, 3), 90, np.uint8))
    run.folder.write_blocked("cc", "blocked")
    run.folder.write_blocked("dd", "bl\0cked")
    whole = run.folder.image_path("aa").read_bytes()
    for _ in range(50):
        data = BYTES[kind](whole, chance)
        run.folder.image_path("aa").write_bytes(data)
        gone = mending.removed(run, ["aa", "bb", "cc"])
        assert gone == (set() if data == whole else {"aa"})
    assert mending.removed(run, ["dd"]) == {"dd"}
    assert run.folder.present() >= {"bb", "cc"}


def test_findings_that_change_leave_the_earlier_report(tmp_path: Path) -> None:
    """Where it is kept is said; the same findings, or damaged ones, leave nothing behind."""
    path = runs.write(tmp_path / "run", runs.Plan(seeds=3))
    run = running.run(path)
    run.folder.write_report("<p>earlier</p>")
    text = (path / "findings.json").read_text()
    conclude.keep_earlier(run, text)
    assert not (path / "earlier").exists()
    with pytest.warns(Notice, match=r"earlier report is kept as .*report\.html"):
        conclude.keep_earlier(run, "[]\n")
    (kept,) = (path / "earlier").iterdir()
    assert (kept / "report.html").read_text() == "<p>earlier</p>"
    assert json.loads((kept / "findings.json").read_text()) == json.loads(text)
    (path / "findings.json").write_text("{")
    conclude.keep_earlier(run, "[]\n")
    assert len(list((path / "earlier").iterdir())) == 1


def test_findings_keep_their_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head says what they are of; the date is that of the first time; lists are read too."""
    path = runs.write(tmp_path / "run", runs.Plan(seeds=3))
    run = running.run(path, runs.suite(runs.Plan(seeds=3)))
    found = run.folder.findings()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    run.folder.write_findings(conclude.dated(run, found))
    head = run.folder.head()
    assert (head.run, head.suite, head.written) == ("run", "small", "1970-01-01T00:00:00Z")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert conclude.dated(run, found) == (path / "findings.json").read_text()
    assert "1970-01-02T00:00:00Z" in conclude.dated(run, found[1:])
    body = json.loads((path / "findings.json").read_text())
    assert list(body)[:2] == ["schema", "run"]
    assert [row["name"] for row in body["findings"]] == [f.name for f in found]
    (path / "findings.json").write_text(json.dumps(body["findings"]))
    assert to_json(run.folder.findings()) == to_json(found)
    assert run.folder.head() == files.Head()


def test_a_report_elsewhere_needs_no_right_to_write_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`report RUN -o FILE` takes no lock; `report RUN` does."""
    from audit.report import from_folder

    path, out = runs.write(tmp_path / "run", runs.Plan(seeds=3)), tmp_path / "elsewhere.html"
    monkeypatch.setattr(from_folder, "render", lambda *given: out if out in given else path)

    def locked(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("audit.store.locked", locked)
    runner = CliRunner()
    good = runner.invoke(cli.app, ["report", str(path), "-o", str(out)])
    assert (good.exit_code, good.stdout.strip()) == (0, str(out))
    bad = runner.invoke(cli.app, ["report", str(path)])
    assert isinstance(bad.exception, UserError)
    assert "Read-only" in str(bad.exception)


def test_plans_are_read_strictly(tmp_path: Path) -> None:
    """A table that the results name by a path is not followed."""
    folder = RunFolder(runs.write(tmp_path / "run", runs.Plan(seeds=3)))
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "secret.parquet")
    results = {**folder.results(), "tables": {"attributes": "../../secret.parquet"}}
    folder.write_results(results)
    with pytest.raises(UserError, match="names no table of attributes"):
        folder.read_table("attributes")


def test_index_ends_with_3_where_files_are_left_out(tmp_path: Path) -> None:
    """The rest is indexed and searched, and the file is listed and named, quiet or not."""
    for i in range(3):
        made.tar(tmp_path / "set" / f"{i}.tar", made.pictures(4, i), 4 * i)
    cut = tmp_path / "set" / "1.tar"
    whole = cut.read_bytes()
    cut.write_bytes(whole[:700])
    call = ["index", str(tmp_path / "set"), "-o", str(tmp_path / "idx"), "--descriptor", "phash"]
    torn = CliRunner().invoke(cli.app, [*call, "--quiet"])
    assert torn.exit_code == 3
    assert torn.stdout.strip() == str(tmp_path / "idx")
    assert "1 file of the training set cannot be read and left out" in torn.stderr
    listed = pd.read_csv(tmp_path / "idx" / "unreadable.csv")
    assert listed.file.tolist() == ["1.tar"]
    cut.write_bytes(whole)
    mended = CliRunner().invoke(cli.app, [*call, "--json"])
    assert mended.exit_code == 0
    assert json.loads(mended.stdout)["images"] == 12
    assert pd.read_csv(tmp_path / "idx" / "unreadable.csv").empty


def test_embeddings_of_another_model_are_refused(tmp_path: Path) -> None:
    """Their length is not the descriptor's: a sentence that says which option to give."""
    place = made.embeddings(tmp_path / "e", np.eye(9, 512, dtype=np.float32))
    call = ["index", str(place), "-o", str(tmp_path / "idx"), "--descriptor", "phash"]
    said = CliRunner().invoke(cli.app, call).exception
    assert isinstance(said, UserError)
    assert "512 numbers each" in str(said)
    assert "--descriptor" in str(said)
