"""The run folder: whole or absent, and never read when stale or damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.errors import UserError
from audit.files import write_atomic
from audit.store import RunFolder


def test_presence_is_progress(tmp_path: Path) -> None:
    """What was written is present; a temporary file left by a kill is not."""
    run = RunFolder(tmp_path / "run")
    assert run.present() == set()
    run.write_image("abc", np.zeros((4, 4, 3), np.uint8))
    run.write_blocked("abd", "blocked")
    (tmp_path / "run" / "images" / "ab" / ".abe.png.1.tmp").write_bytes(b"half")
    assert run.present() == {"abc", "abd"}
    assert run.blocked() == {"abd": "blocked"}


def test_pictures_come_back_bit_by_bit(tmp_path: Path) -> None:
    """PNG keeps every pixel, and equal pixels are equal files."""
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    run = RunFolder(tmp_path)
    run.write_image("s1", picture)
    run.write_image("s2", picture)
    assert np.array_equal(run.read_image("s1"), picture)
    assert run.image_path("s1").read_bytes() == run.image_path("s2").read_bytes()


def test_vectors_grow_in_chunks_and_damaged_chunks_are_made_again(tmp_path: Path) -> None:
    """Chunks add up; a torn one counts as absent, the rest stays."""
    run = RunFolder(tmp_path)
    rows = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)
    run.add_vectors("enc", ["a", "b"], rows[:2])
    run.add_vectors("enc", ["c"], rows[2:])
    found = run.vectors("enc")
    assert set(found) == {"a", "b", "c"}
    assert np.array_equal(found["c"], rows[2])
    victim = min((tmp_path / "vectors" / "enc").glob("*.npz"))
    victim.write_bytes(victim.read_bytes()[:40])
    assert 0 < len(run.vectors("enc")) < 3
    assert run.vectors("other") == {}


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second writer gets one sentence; after the first has gone it may write."""
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    with first.lock(), pytest.raises(UserError, match="Another process"), second.lock():
        pass
    with second.lock():
        pass


def test_an_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    """A file where a folder should be cannot hold a run."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="--out"), RunFolder(tmp_path / "file" / "run").lock():
        pass


WRITER = """
import sys
from pathlib import Path
from audit.files import write_atomic
i = 0
while True:
    write_atomic(Path(sys.argv[1]), (str(i % 10) * 300_000).encode())
    i += 1
"""


def test_a_kill_never_leaves_half_a_file(tmp_path: Path) -> None:
    """Killed at random moments, the file is always one whole version."""
    target = tmp_path / "file"
    rng = np.random.default_rng(5)
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], env=os.environ)
        deadline = time.monotonic() + 60
        while not target.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0.02, 0.2)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        body = target.read_bytes()
        assert len(body) == 300_000
        assert len(set(body)) == 1


def test_a_full_place_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails, the file that was there stays, and the message says what to do."""
    target = tmp_path / "file"
    write_atomic(target, b"old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("kept", "read"),
    [
        ([True, False], [True, False]), ([True, None, False], [True, pd.NA, False]),
        ([None, None], [pd.NA, pd.NA]), ([], []),
    ],
)  # fmt: skip
def test_decisions_of_earlier_versions_are_nullable_booleans(
    tmp_path: Path, kept: list[object], read: list[object]
) -> None:
    """They were written as booleans or, where one is missing, as objects; other columns stay."""
    run = RunFolder(tmp_path)
    column = pd.Series(kept, dtype=None if kept else object)
    words = dict.fromkeys(("sample", "prompt", "arm", "train", "train_caption", "outcome"), "x")
    numbers = {"seed": 1, "score": 0.5, "held_score": 0.4, "repeats": 1}
    table = pd.DataFrame({"copy": column, **words, **numbers})
    run.write_results({"tables": {"matches": run.write_table("matches", "k", table).name}})
    back = run.read_table("matches")
    assert back["copy"].dtype == "boolean"
    assert back["copy"].tolist() == read
    assert back.repeats.tolist() == table.repeats.tolist()


def test_decisions_of_another_kind_are_refused(tmp_path: Path) -> None:
    """Words in place of decisions are one sentence, not a guess."""
    run = RunFolder(tmp_path)
    table = pd.DataFrame({"copy": ["yes", "no"]})
    run.write_results({"tables": {"matches": run.write_table("matches", "k", table).name}})
    with pytest.raises(UserError, match=r"cannot be read\. Run the same command again"):
        run.read_table("matches")


@pytest.mark.parametrize("finite", [True, False])
@pytest.mark.parametrize(
    ("text", "right"),
    [('["\\ud83d\\ude00"]', ["\U0001f600"]), ('["caf\\udce9"]', ["caf\udce9"]),
     ('["\\ud800"]', None), ('{"\\uDFFF": 1}', None), ('["\\ude00\\ud83d"]', None)],
)  # fmt: skip
def test_half_of_a_character_is_not_text(text: str, right: object, finite: bool) -> None:
    """It could be neither written nor shown; bytes in the name of a file are let through."""
    from audit.files import loads

    if right is not None:
        assert loads(text, finite) == right
        return
    with pytest.raises(ValueError, match="half of a character"):
        loads(text.encode(), finite)


@pytest.mark.parametrize("part", ["a", '"b c"', "'d'", "a-1 "])
def test_a_key_of_endless_parts_is_refused_at_once(part: str) -> None:
    """It would take memory by the square of its parts."""
    from audit.files import toml

    for table in ("{} = 1", "[{}]", "x = {{ {} = 1 }}"):
        with pytest.raises(ValueError, match="nested too deeply"):
            toml(table.format(".".join([part] * 100_000)))
        assert toml(table.format(".".join([part] * 20)))
    long = "." * 100_000 + "a " * 100_000 + "-" * 100_000 + "1.5 " * 1000
    assert toml(f'x = "{long}"')["x"] == long
