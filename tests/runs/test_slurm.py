"""SLURM: results of an array of jobs, what a lost one costs, and what is said without a cluster."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from audit.errors import Incomplete, UserError
from audit.runs import slurm
from audit.runs.given import minutes
from audit.runs.options import Options
from tests.builders.labour import Squares
from tests.builders.submitted import Site

INSTALLED = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="submitit is optional"
)
TASKS = [("square", n) for n in range(5)]


def site(monkeypatch: pytest.MonkeyPatch, **more: Any) -> Site:
    """A cluster in place of submitit."""
    found = Site(**more)
    monkeypatch.setitem(sys.modules, "submitit", found.module)
    monkeypatch.setattr(slurm, "CLUSTER", "local")
    monkeypatch.setattr(slurm, "EVERY", 0.0)
    return found


def done(folder: Path, tasks: list[tuple[str, int]] = TASKS, **more: Any) -> dict[int, int]:
    """Results by position."""
    found = slurm.work(Squares(folder), tasks, folder, Options(**more), lambda *told: None)
    return dict(found)


def test_jobs_do_all_tasks_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two jobs with the options of sbatch; no more jobs than tasks."""
    cluster = site(monkeypatch)
    told: list[tuple[int, str, int, int]] = []
    given = ("partition=gpu", "gres=gpu:1", "time=1-02:30", "exclusive", "cpus-per-task=8")
    options = Options(slurm=2, slurm_option=given)
    found = slurm.work(Squares(tmp_path), TASKS, tmp_path, options, lambda *x: told.append(x))
    assert dict(found) == {n: n * n for n in range(5)}
    assert cluster.asked == {
        "cluster": "local", "slurm_max_num_timeout": slurm.AGAIN, "name": "t2i-audit",
        "timeout_min": 26 * 60 + 30, "slurm_array_parallelism": 2,
        "slurm_additional_parameters": {"partition": "gpu", "gres": "gpu:1", "exclusive": True,
                                        "cpus_per_task": "8"},
    }  # fmt: skip
    assert sorted(told) == [(n, "squares", n, n) for n in range(5)]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    assert done(tmp_path, TASKS[:1], slurm=9) == {0: 0}
    assert len(cluster.jobs) == 3


def test_a_lost_job_costs_its_share_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are waited for, then it is named; its log stays, and nothing pickled."""
    cluster = site(monkeypatch, losing=(1,))
    found: dict[int, int] = {}
    jobs = slurm.work(Squares(tmp_path), TASKS, tmp_path, Options(slurm=3), lambda *x: None)
    said = r"^1 of 3 SLURM jobs failed: 7_1 is NODE_FAIL, '\*\*\* node-7 is gone \*\*\*'\. Their"
    with pytest.raises(Incomplete, match=said):
        found.update(jobs)
    assert sorted(found) == [0, 2, 3]
    assert cluster.folder is not None
    assert sorted(p.suffix for p in cluster.folder.iterdir()) == [".err"] * 3


def test_what_a_job_raises_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, an error, and what sbatch answers; other jobs are cancelled."""
    cluster = site(monkeypatch)
    with pytest.raises(UserError, match=r"^It cannot be done\.$"):
        done(tmp_path, [("refuse", 1), ("square", 2)], slurm=2)
    assert [job.cancelled for job in cluster.jobs] == [[], ["7_1"]]
    with pytest.raises(RuntimeError, match="ZeroDivisionError: by zero"):
        done(tmp_path, [("fail", 1)], slurm=2)
    site(monkeypatch, refuses="sbatch failed:\nsbatch: error: invalid partition: gpx\n")
    with pytest.raises(UserError, match=r"to SLURM: sbatch: error: invalid partition: gpx\. Check"):
        done(tmp_path, slurm=2)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_node_that_cannot_help_is_a_sentence(tmp_path: Path) -> None:
    """One of another version, and one that does not see the folder."""
    share = slurm.Share(Squares(tmp_path), {0: ("square", 2)}, tmp_path, 1, 1, Options(), "0.0.1",
                        tmp_path / "said")  # fmt: skip
    assert share()[0] == "refused"
    assert "A node of the SLURM cluster has t2i-audit" in share()[1]


def test_without_submitit_or_sbatch_the_command_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is an extra, and it needs the commands of SLURM."""
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UserError, match=r'pip install "t2i-audit\[slurm\]"'):
        slurm.ready()
    monkeypatch.setitem(sys.modules, "submitit", Site().module)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="sbatch and srun, and they are not here"):
        slurm.ready()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("2:01", 3), ("04:00:00", 240), ("0:00:01", 1), ("2-0", 2880), ("1-1:1:0", 1501)],
)
def test_limits_are_those_of_sbatch(text: str, expected: int) -> None:
    """Minutes, M:SS, H:MM:SS, D-H, D-H:MM:SS."""
    assert minutes(text) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"slurm": 2, "slurm_option": "time=soon"}, "time must be minutes"),
        ({"slurm": 2, "slurm_option": "array=1-3"}, "sets array of its jobs itself"),
        ({"slurm": 2, "slurm_option": "gpu one"}, "must be NAME=VALUE"),
        ({"slurm": 2, "slurm_option": "x=1\nsrun"}, "must be NAME=VALUE"),
        ({"slurm_option": "gres=gpu"}, "give their number"),
        ({"slurm": 2, "ray": "local"}, "Both --slurm and --ray"),
        ({"slurm": 2, "shard": "1/2"}, "Both --slurm and --shard"),
        ({"slurm": -1}, "--slurm must be 0 or more"),
    ],
)
def test_options_that_do_not_fit_are_refused(given: dict[str, Any], said: str) -> None:
    """Before anything is submitted."""
    with pytest.raises(UserError, match=said):
        Options(**given)


@INSTALLED
@pytest.mark.nightly
def test_processes_of_submitit_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its local executor: two jobs, then one whose process is killed once."""
    monkeypatch.setattr(slurm, "CLUSTER", "local")
    assert done(tmp_path, slurm=2) == {n: n * n for n in range(5)}
    tasks = [("die once", 1), ("square", 2)]
    with pytest.raises(Incomplete, match=r"^1 of 2 SLURM jobs failed: \d+ is "):
        done(tmp_path, tasks, slurm=2)
    assert done(tmp_path, tasks, slurm=2) == {0: 1, 1: 4}
