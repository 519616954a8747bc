"""Labels on disk: none lost, none doubled, by any writer, and `label --read` takes them."""

from __future__ import annotations

import csv
import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from audit.cli.main import app as command
from audit.errors import UserError
from audit.runs import labelling
from audit.store import RunFolder
from audit.view import journal, queue
from audit.view.journal import Journal, Label
from tests.view import made


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run with twelve pictures drawn of each of two attributes."""
    run = made.run(tmp_path / "run", n=24, seed=9)
    labelling.write_sheet(run.folder, 12, [], 0)
    return run.folder


def draw(folder: RunFolder) -> queue.Drawn:
    """The draw, which is there."""
    found = queue.drawn(folder)
    assert found is not None
    return found


def lines(folder: RunFolder) -> list[dict[str, str]]:
    """The journal, line by line."""
    text = folder.label_file(journal.JOURNAL).read_text("utf-8")
    return [json.loads(x) for x in text.splitlines()]


def rows(folder: RunFolder) -> list[dict[str, str]]:
    """The sheet that the labels make."""
    text = folder.label_file(journal.QUEUE).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def some(draw: queue.Drawn, rater: str, n: int, seed: int) -> list[Label]:
    """`n` labels at random, pictures with repetition."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        _, sample, attribute = draw.asked[rng.integers(len(draw.asked))]
        words = [*draw.classes[attribute], "uncertain", ""]
        found.append(Label(rater, sample, attribute, str(rng.choice(words))))
    return found


def last(labels: list[Label]) -> dict[tuple[str, str, str], str]:
    """The final labels, without those taken back."""
    found = {(x.rater, x.sample, x.attribute): x.value for x in labels}
    return {k: v for k, v in found.items() if v}


def on_sheet(folder: RunFolder) -> dict[tuple[str, str, str], str]:
    """The sheet as a table; fails where a row is there twice."""
    found = rows(folder)
    known = {(r["rater"], r["sample"], r["attribute"]): r["value"] for r in found}
    assert len(known) == len(found)
    return known


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_last_word_counts_and_all_are_kept(folder: RunFolder, seed: int) -> None:
    """The journal has every label in order, the sheet the last of each rater and picture."""
    drawn, kept = draw(folder), Journal(folder)
    labels = [x for pair in zip(some(drawn, "ab", 60, seed), some(drawn, "Zoë", 60, seed + 9),
                                strict=True) for x in pair]  # fmt: skip
    for i, label in enumerate(labels):
        done = kept.put(label, drawn.asked)
        mine = [x for x in labels[: i + 1] if x.rater == label.rater]
        assert done == len(last(mine))
    assert [Label(**x) for x in lines(folder)] == labels
    assert on_sheet(folder) == last(labels)
    again = Journal(folder)
    numbers = {(s, a): n for n, s, a in drawn.asked}
    for who in ("ab", "Zoë"):
        want = {numbers[s, a]: v for (r, s, a), v in last(labels).items() if r == who}
        assert again.of(who, drawn.asked) == want
    assert again.raters(drawn.asked) == {w: sum(k[0] == w for k in last(labels))
                                         for w in ("ab", "Zoë")}  # fmt: skip


def test_two_servers_of_one_run_see_each_other(folder: RunFolder) -> None:
    """Neither loses what the other wrote since."""
    drawn, one, two = draw(folder), Journal(folder), Journal(folder)
    labels = some(drawn, "ab", 40, 3)
    for i, label in enumerate(labels):
        (one if i % 2 else two).put(label, drawn.asked)
    assert on_sheet(folder) == last(labels)
    assert one.of("ab", drawn.asked) == two.of("ab", drawn.asked)


def test_threads_lose_and_double_nothing(folder: RunFolder) -> None:
    """Eight raters at once through one journal."""
    drawn, kept = draw(folder), Journal(folder)
    work = {f"r{i}": some(drawn, f"r{i}", 15, i) for i in range(8)}

    def label(who: str) -> None:
        for x in work[who]:
            kept.put(x, drawn.asked)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(label, work))
    check(folder, work)


def check(folder: RunFolder, work: dict[str, list[Label]]) -> None:
    """Each rater's labels are in the journal in their order, and the sheet has their last."""
    found = [Label(**x) for x in lines(folder)]
    for who, labels in work.items():
        assert [x for x in found if x.rater == who] == labels
    assert len(found) == sum(map(len, work.values()))
    assert on_sheet(folder) == last(found)


def write(path: Path, who: str, seed: int) -> None:
    """What one process writes."""
    folder = RunFolder(path)
    drawn, kept = draw(folder), Journal(folder)
    for x in some(drawn, who, 25, seed):
        kept.put(x, drawn.asked)


def test_processes_lose_and_double_nothing(folder: RunFolder) -> None:
    """Two servers at once, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=write, args=(folder.path, f"r{i}", i)) for i in range(2)]
    for p in both:
        p.start()
    for p in both:
        p.join(60)
        assert p.exitcode == 0
    drawn = draw(folder)
    check(folder, {f"r{i}": some(drawn, f"r{i}", 25, i) for i in range(2)})


def test_a_torn_line_costs_itself_alone(folder: RunFolder) -> None:
    """After a crash in the middle of a line, what was before and comes after is kept."""
    drawn = draw(folder)
    labels = [x for x in some(drawn, "ab", 30, 4) if x.value]
    Journal(folder).put(labels[0], drawn.asked)
    with folder.label_file(journal.JOURNAL).open("ab") as file:
        file.write(b'{"rater": "ab", "sam')
    assert len(Journal(folder).of("ab", drawn.asked)) == 1
    after = Journal(folder)
    after.put(labels[1], drawn.asked)
    after.put(labels[2], drawn.asked)
    assert on_sheet(folder) == last(labels[:3])
    assert Journal(folder).of("ab", drawn.asked) == after.of("ab", drawn.asked)


def test_a_sheet_that_a_crash_left_behind_is_mended(folder: RunFolder) -> None:
    """The journal is what counts: the sheet is written again from it."""
    drawn = draw(folder)
    labels = some(drawn, "ab", 10, 5)
    for x in labels:
        Journal(folder).put(x, drawn.asked)
    folder.label_file(journal.QUEUE).unlink()
    Journal(folder).of("ab", drawn.asked)
    assert on_sheet(folder) == last(labels)


def test_labels_of_another_draw_are_left_out_but_kept(folder: RunFolder) -> None:
    """A picture that is no longer drawn stays in the journal and out of the sheet."""
    drawn, kept = draw(folder), Journal(folder)
    kept.put(Label("ab", "gone", "gender", "man"), drawn.asked)
    _, sample, attribute = drawn.asked[0]
    kept.put(Label("ab", sample, attribute, drawn.classes[attribute][0]), drawn.asked)
    assert [r["sample"] for r in rows(folder)] == [sample]
    assert len(lines(folder)) == 2


def test_a_journal_that_was_moved_away_is_forgotten(folder: RunFolder) -> None:
    """Labels begin again where the file does."""
    drawn, kept = draw(folder), Journal(folder)
    _, sample, attribute = drawn.asked[0]
    word = drawn.classes[attribute][0]
    kept.put(Label("ab", sample, attribute, word), drawn.asked)
    folder.label_file(journal.JOURNAL).rename(folder.path / "old")
    assert kept.of("ab", drawn.asked) == {}
    kept.put(Label("cd", sample, attribute, word), drawn.asked)
    assert [r["rater"] for r in rows(folder)] == ["cd"]


def test_label_reads_the_sheet_back(folder: RunFolder) -> None:
    """The command takes what the browser wrote, with raters, reasons and values."""
    drawn, kept = draw(folder), Journal(folder)
    labels = some(drawn, "ab", 80, 6) + some(drawn, "c. d'Arc", 80, 7)
    for x in labels:
        kept.put(x, drawn.asked)
    path = folder.label_file(journal.QUEUE)
    done = CliRunner().invoke(command, ["label", str(folder.path), "--read", str(path), "--json"])
    assert json.loads(done.stdout)["labels"] == len(last(labels))
    found = labelling.labels(folder)
    assert found is not None
    read = {(r.rater, r.sample, r.attribute): r.value if r.outcome == "label" else r.outcome
            for r in found[0].itertuples()}  # fmt: skip
    assert read == last(labels)


@pytest.mark.parametrize("name", ["", " ", "=1+1", "+a", "-a", "@a", "a,b", 'a"b', "a\tb;c", "_a",
                                  "a" * 41, "\u202eab", "a\u200bb"])  # fmt: skip
def test_names_that_a_sheet_cannot_hold_are_refused(name: str) -> None:
    """Nothing that a spreadsheet would take for a formula or a border of cells."""
    with pytest.raises(UserError, match="not a valid name for a rater"):
        journal.rater(name)


@pytest.mark.parametrize(("name", "kept"), [("ab", "ab"), ("  Zoë  K. ", "Zoë K."), ("李", "李")])
def test_names_are_kept_as_a_sheet_reads_them(name: str, kept: str) -> None:
    """Blanks are folded as `label --read` folds them."""
    assert journal.rater(name) == kept


def test_a_folder_that_cannot_be_written_is_said_so(folder: RunFolder) -> None:
    """A label that is not on disk is never called saved."""
    drawn = draw(folder)
    path = folder.label_file(journal.JOURNAL)
    path.mkdir()
    _, sample, attribute = drawn.asked[0]
    with pytest.raises(UserError, match="was not kept"):
        Journal(folder).put(Label("ab", sample, attribute, "man"), drawn.asked)


def test_a_rater_s_capitals_do_not_make_another_rater(folder: RunFolder) -> None:
    """The queue goes on under the name as it was first written, and the sheet can be read back."""
    asked, mine = draw(folder), Journal(folder)
    for name, (_, sample, attribute) in zip(("Ann", "ANN", " ann "), asked.asked, strict=False):
        body = {"rater": name, "sample": sample, "attribute": attribute, "value": "uncertain"}
        queue.put(asked, mine, body)
    assert {r["rater"] for r in rows(folder)} == {"Ann"}
    assert len(queue.state(asked, mine, "aNN")["said"]) == 3
    assert labelling.read_back(folder, [folder.label_file(journal.QUEUE)])["raters"] == 1


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"rows": {"sample": [1]}}'])
def test_a_damaged_draw_is_found_again_by_the_queue(folder: RunFolder, data: bytes) -> None:
    """As when sheets are read back: the same images in the same order."""
    before = draw(folder).asked
    folder.write_label_file(labelling.RECORD, data)
    assert draw(folder).asked == before
    folder.write_label_file(labelling.RECORD, data)
    folder.label_file(labelling.SHEET).unlink()
    with pytest.raises(UserError, match="is damaged"):
        queue.drawn(folder)
