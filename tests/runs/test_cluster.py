"""Ray: the same results from actors; a lost one costs its task, a wrong address a sentence."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from audit.cli.main import spelled
from audit.errors import Incomplete, UserError
from audit.evidence.copies import index as indexes
from audit.runs import cluster, index_parts, indexing, planning
from audit.runs.context import silent
from audit.runs.options import Options
from tests.builders.labour import Squares
from tests.evidence.copies import made

INSTALLED = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is optional")
ONE = Options(ray="local", workers=1)


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """Ray on this machine, started once."""
    found, _ = cluster._connected("local")
    yield
    found.shutdown()


@INSTALLED
@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_a_lost_actor_costs_its_task_alone(tmp_path: Path) -> None:
    """One task ends its actor once, and is done again."""
    tasks = [("die once" if n == 1 else "square", n) for n in range(4)]
    told: list[tuple[int, str, int, int]] = []
    found = cluster.work(Squares(tmp_path), tasks, tmp_path, ONE, lambda *x: told.append(x))
    assert dict(found) == {n: n * n for n in range(4)}
    assert all(step == "squares" for _, step, _, _ in told)


@INSTALLED
@pytest.mark.nightly
@pytest.mark.usefixtures("ray")
def test_what_an_actor_raises_is_raised(tmp_path: Path) -> None:
    """A sentence, or that every actor was lost."""
    with pytest.raises(UserError, match=r"^It cannot be done\.$"):
        list(cluster.work(Squares(tmp_path), [("refuse", 1)], tmp_path, ONE, lambda *x: None))
    with pytest.raises(Incomplete, match="actor was lost 3 times"):
        list(cluster.work(Squares(tmp_path), [("die", 9)], tmp_path, ONE, lambda *x: None))


@INSTALLED
@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_actors_make_the_same_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks by an actor, against one process."""
    monkeypatch.setattr(indexes, "SHARD_ROWS", 8)
    train = str(made.folder(tmp_path / "train", made.pictures(30, 1)))
    plan = indexing.Plan(descriptor="phash")
    indexing.make(train, tmp_path / "calm", plan)
    index_parts.make(train, tmp_path / "idx", plan, ONE, silent)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir() if p.is_file()}
                for n in ("calm", "idx"))  # fmt: skip
    assert one == two


@INSTALLED
def test_an_address_without_a_cluster_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port at which nothing listens; other tests of this file are connected to Ray."""
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    wrong = replace(ONE, ray=address)
    with pytest.raises(
        UserError, match=rf"No Ray cluster can be used at --ray {address}: .*refused"
    ):
        list(cluster.work(Squares(tmp_path), [("square", 1)], tmp_path, wrong, lambda *x: None))


@pytest.mark.parametrize(
    "error",
    [ConnectionError("Could not find any running Ray instance. Please specify one."),
     RuntimeError("Failed to connect to GCS at address 10.0.0.1:6379\nA long trace.")],
)  # fmt: skip
def test_auto_without_a_cluster_is_a_sentence(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None at all, and one that does not answer."""

    def init(address: str, **more: object) -> None:
        assert address == "auto"
        raise error

    ray = SimpleNamespace(is_initialized=lambda: False, init=init)
    monkeypatch.setitem(sys.modules, "ray", ray)
    wrong, first = replace(ONE, ray="auto"), str(error).splitlines()[0].rstrip(".")
    with pytest.raises(UserError) as raised:
        list(cluster.work(Squares(tmp_path), [("square", 1)], tmp_path, wrong, lambda *x: None))
    assert str(raised.value).startswith(f"No Ray cluster can be used at --ray auto: {first}. Check")
    assert "\n" not in str(raised.value)


@INSTALLED
@pytest.mark.nightly
@pytest.mark.parametrize("dead", ["", "127.0.0.1:1"])
def test_auto_really_finds_no_cluster(dead: str, tmp_path: Path) -> None:
    """In a process of its own: no cluster, and the address of one that is gone."""
    code = (
        "from pathlib import Path\nfrom ray._private import services\n"
        "services.find_gcs_addresses = set  # those of other tests\n"
        "from audit.runs import cluster\n"
        "from audit.runs.options import Options\nfrom tests.builders.labour import Squares\n"
        "list(cluster.work(Squares(Path()), [('square', 1)], Path(), Options(ray='auto'), print))"
    )
    place = {"RAY_TMPDIR": str(tmp_path), **({"RAY_ADDRESS": dead} if dead else {})}
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **place}, text=True,
                          capture_output=True, check=False, timeout=300)  # fmt: skip
    assert "UserError: No Ray cluster can be used at --ray auto: " in done.stderr


@INSTALLED
@pytest.mark.nightly
@pytest.mark.usefixtures("ray")
def test_an_actor_that_fits_on_no_node_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one does all tasks."""
    start = cluster._Crew._start

    def unfit(crew: cluster._Crew, number: int) -> None:
        crew.cpus = 1000 if number else 0.5
        start(crew, number)

    monkeypatch.setattr(cluster._Crew, "_start", unfit)
    tasks, two = [("square", n) for n in range(4)], replace(ONE, workers=2)
    found = cluster.work(Squares(tmp_path), tasks, tmp_path, two, lambda *x: None)
    assert dict(found) == {n: n * n for n in range(4)}


def test_without_ray_the_command_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r'pip install "t2i-audit\[ray\]"'):
        list(cluster.work(Squares(tmp_path), [("square", 1)], tmp_path, ONE, lambda *x: None))


def test_a_node_that_cannot_help_is_a_sentence(tmp_path: Path) -> None:
    """One of another version, whose results might differ, and one without the folder."""
    kind, said = cluster.Actor(Squares(tmp_path), tmp_path, 0, "0.0.1").do(("square", 2))
    assert kind == "refused"
    assert "Install the same version on all of them" in said
    own = planning.versions()["t2i-audit"]
    kind, said = cluster.Actor(Squares(tmp_path), tmp_path / "gone", 0, own).do(("square", 2))
    assert kind == "refused"
    assert "Give a folder with --out that all nodes share" in said
    assert cluster.Actor(Squares(tmp_path), tmp_path, 0, own).do(("square", 2)) == ("done", 4)


@pytest.mark.parametrize("text", ["here", "host", "host:port", "host:123456"])
def test_an_address_is_a_host_with_a_port(text: str) -> None:
    """Or `auto`, or `local`."""
    with pytest.raises(UserError, match="--ray must be local, auto or HOST:PORT"):
        Options(ray=text)


def test_ray_alone_means_this_machine() -> None:
    """At the end, and before another option."""
    assert spelled(["run", "x", "--ray"]) == ["run", "x", "--ray", "local"]
    assert spelled(["run", "--ray", "-q"]) == ["run", "--ray", "local", "-q"]
    assert spelled(["run", "--ray", "auto", "x"]) == ["run", "--ray", "auto", "x"]
