"""Neighbours against scikit-learn, the shelf of pictures, the store's new eyes, the command."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from audit.errors import UserError
from audit.records import Settings, Suite
from audit.runs.pictures import RunPictures
from audit.store import RunFolder
from audit.view import pictures, serve
from audit.view.neighbours import Neighbours, Vectors, unit
from audit.view.pictures import Shelf
from tests.view import made


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_neighbours_are_scikit_learns(seed: int) -> None:
    """Exact cosines in the same order as brute force, for vectors of any length."""
    rng = np.random.default_rng(seed)
    rows = (rng.normal(size=(300, 16)) * rng.uniform(0.1, 9, (300, 1))).astype(np.float32)
    ids = tuple(f"i{i}" for i in range(300))
    vectors = Vectors(ids, unit(rows), {d: i for i, d in enumerate(ids)})
    brute = NearestNeighbors(n_neighbors=13, metric="cosine", algorithm="brute").fit(rows)
    far, where = brute.kneighbors(rows[:20])
    for i in range(20):
        found = vectors.nearest(ids[i], 12)
        assert [d for d, _ in found] == [ids[j] for j in where[i, 1:]]
        np.testing.assert_allclose([s for _, s in found], 1 - far[i, 1:], atol=1e-5)


def test_ties_and_vectors_of_nothing() -> None:
    """Equal cosines come in the run's order; a row of zeros is not a neighbour."""
    rows = np.array([[1, 0], [0, 1], [2, 0], [0, 0], [1, 0], [3, 0]], np.float32)
    ids = tuple("abcdef")
    vectors = Vectors(ids, unit(rows), {d: i for i, d in enumerate(ids)})
    assert [d for d, _ in vectors.nearest("a", 2)] == ["c", "e"]
    assert [d for d, _ in vectors.nearest("a", 99)] == ["c", "e", "f", "b"]
    assert vectors.nearest("d", 3) == []
    assert vectors.nearest("z", 3) == []
    assert vectors.nearest("a", 0) == []


def test_a_damaged_chunk_is_left_where_it_is(tmp_path: Path) -> None:
    """Who only looks takes nothing away; the run itself would, to make it again."""
    run = made.run(tmp_path, n=8)
    chunk = next((tmp_path / "vectors" / "clip-aa").iterdir())
    chunk.write_bytes(b"no npz")
    found = Neighbours(run.folder, lambda: run.ids).of("clip-aa")
    assert found is not None
    assert found.ids == ()
    assert chunk.exists()
    run.folder.vectors("clip-aa")
    assert not chunk.exists()


def test_the_store_gives_back_what_it_kept(tmp_path: Path) -> None:
    """Plan and manifest survive the disk; a damaged one is a sentence."""
    run = made.run(tmp_path, n=8, images=False)
    assert run.folder.plan() == run.samples
    assert run.folder.manifest()["settings"]["model"] == "made"
    assert run.folder.encoders() == ["clip-aa", "clip-aa-training"]
    (tmp_path / "plan.jsonl").write_text('{"id": 1', "utf-8")
    (tmp_path / "run.json").unlink()
    with pytest.raises(UserError, match=r"plan\.jsonl is damaged"):
        run.folder.plan()
    with pytest.raises(UserError, match=r"run\.json"):
        run.folder.manifest()
    empty = RunFolder(tmp_path / "none")
    assert (empty.encoders(), empty.stamp()) == ([], "")


def test_the_shelf_stays_within_its_budget() -> None:
    """The least recently asked for goes first, and what is held is not made twice."""
    shelf = Shelf(budget=100)
    made_of: list[str] = []

    def get(key: str) -> None:
        def make() -> bytes:
            made_of.append(key)
            return b"x" * 40

        shelf.get(key, make)

    for key in ("a", "b", "a", "c", "a", "b"):
        get(key)
    assert made_of == ["a", "b", "c", "b"]
    assert shelf.held <= 100
    shelf.get("big", lambda: b"x" * 500)
    assert shelf.held <= 100


def test_few_pictures_are_decoded_at_once() -> None:
    """However many are asked for, memory is needed for few."""
    lock, now, most = threading.Lock(), 0, 0
    picture = np.zeros((4, 4, 3), np.uint8)
    gate = threading.Event()

    def read(_: str) -> np.ndarray:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        gate.wait(0.05)
        with lock:
            now -= 1
        return picture

    shelf, source = Shelf(), RunPictures(read, lambda id: id)
    threads = [
        threading.Thread(target=shelf.encoded(source, str(i), "small")[1]) for i in range(20)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 1 <= most <= pictures.AT_ONCE


def test_a_port_that_is_taken_is_said_so() -> None:
    """The sentence names the port; the server is bound to this machine alone."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port} is not available"):
            serve.bind(port)
    with serve.bind(0) as free:
        assert free.getsockname()[0] == "127.0.0.1"


SERVE = """
import sys
from pathlib import Path
import typer
from audit.cli.view import view
typer.run(view)
"""


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    """It prints an address with a key, answers it, keeps others out, and ends on Ctrl-C."""
    made.run(tmp_path / "run", n=8)
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path / "run"), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address)
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with browser.open(address) as answer:
            assert answer.url == address.partition("?")[0]
            assert "of 16 images" in answer.read().decode()
            assert "server" not in {k.lower() for k in answer.headers}
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.partition("?")[0])
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert out == ""
    assert "Traceback" not in err
    assert "token" not in err
    assert process.returncode == 0


def test_the_command_refuses_anything_but_a_run(tmp_path: Path) -> None:
    """A folder without results is told in a sentence, before anything is served."""
    from audit.cli.view import view

    with pytest.raises(UserError, match="is a run"):
        view(tmp_path, 0, "", None, True)


@pytest.mark.slow
def test_the_training_images_are_found_by_name(tmp_path: Path) -> None:
    """A shipped suite's corpus, or the one that is named, gives the pictures; others have none."""
    from audit.cli.shared import training_images

    run = made.run(tmp_path / "run", n=8, images=False)
    assert training_images(run.folder, "") is None
    (tmp_path / "train").mkdir()
    want = np.full((8, 8, 3), 33, np.uint8)
    (tmp_path / "train" / "a.png").write_bytes(pictures.whole(want))
    found = training_images(run.folder, str(tmp_path / "train"))
    assert np.array_equal(found("a.png"), want)
    suite = Suite("world", "World", "?", (), (), (), ())
    run.folder.write_manifest(suite, Settings("made", "r", 1, 1.0, 1), {})
    assert training_images(run.folder, "")("train-00003").shape == (64, 64, 3)
