"""A person at the pages: a real browser that filters, opens, labels by keyboard, and reloads."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn

from audit.runs.labelling import write_sheet
from audit.view import app, serve
from audit.view.desk import Desk
from tests.view import browser, made

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser.CHROMIUM.exists(), reason="Chromium is not installed"),
]
KEY = "k" * 43
WALL = "[...document.querySelectorAll('#cards a')].map(a => a.pathname.split('/')[2])"
READY = "document.getElementById('queue').dataset.ready"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    """One browser for all tests of this file; every server has a port and a cookie of its own."""
    with browser.chromium(tmp_path_factory.mktemp("chromium") / "profile") as made_browser:
        yield made_browser


class Served:
    """A server in a thread, with the run that it shows."""

    def __init__(self, run: made.Made) -> None:
        self.run, self._socket = run, serve.bind(0)
        self.port = self._socket.getsockname()[1]
        desk = Desk(run.folder, lambda _: np.zeros((24, 24, 3), np.uint8))
        config = uvicorn.Config(app.build(desk, self.port, KEY), log_level="critical",
                                lifespan="off", ws="none")  # fmt: skip
        self._server = uvicorn.Server(config)
        self._socket.listen()
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._thread.start()

    def at(self, path: str = "/") -> str:
        """An address of this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def entry(self) -> str:
        """The address with the key."""
        return self.at(f"/?token={KEY}")

    def labels(self) -> list[dict[str, str]]:
        """The rows of the sheet that the labels make."""
        path = self.run.folder.label_file("queue.csv")
        return list(csv.DictReader(path.read_text("utf-8").splitlines())) if path.exists() else []

    def journal(self) -> list[dict[str, str]]:
        """Every label that was written, in order."""
        text = self.run.folder.label_file("journal.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def stop(self) -> None:
        """End the server."""
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A run of 80 images with six pictures of each of two attributes drawn."""
    run = made.run(tmp_path / "run", n=40, seed=11)
    write_sheet(run.folder, 6, [], 0)
    found = Served(run)
    yield found
    found.stop()


def faults(tab: browser.Tab) -> list[str]:
    """Exceptions and errors that the browser saw."""
    found = [s["exceptionDetails"]["text"] for s in tab.said if "exceptionDetails" in s]
    return found + [
        s["entry"]["text"] for s in tab.said if s.get("entry", {}).get("level") == "error"
    ]


def test_a_person_filters_and_opens_an_image(chromium: browser.Browser, served: Served) -> None:
    """A choice applies at once, keys lead to an image and back, and nothing is refused."""
    tab = chromium.tab(served.entry)
    assert tab.run("location.href") == served.at("/")
    assert len(tab.run(WALL)) == 60
    tab.until("[...document.querySelectorAll('#cards img')].slice(0, 6).every(i => i.naturalWidth)")
    # a choice in a select, as a person's change fires it
    tab.run("window.left = true")
    tab.run("(() => { const s = document.querySelector('[name=\"a.gender\"]');"
            "s.focus(); s.value = 'is:woman';"
            "s.dispatchEvent(new Event('change', {bubbles: true})); })()")  # fmt: skip
    tab.loaded()
    table = served.run.attributes
    women = set(table[(table.attribute == "gender") & (table.value == "woman")]["sample"])
    want = [s.id for s in served.run.samples if s.id in women]
    assert tab.run(WALL) == want[:60]
    assert tab.run("document.activeElement.name") == "a.gender"
    assert tab.run("location.search") == "?a.gender=is%3Awoman"
    # words by keyboard
    tab.click("h1")
    tab.press("/")
    tab.type("chef diverse")
    tab.press("Enter", wait=True)
    want = [s.id for s in served.run.samples if s.id in women and "chef, diverse" in s.text]
    assert tab.run(WALL) == want
    # an image, the next one, and back
    tab.click("#cards a", wait=True)
    assert tab.run("location.pathname") == f"/image/{want[0]}"
    assert tab.until("document.querySelector('.pairing img').naturalWidth") == 24
    tab.press("ArrowRight", wait=True)
    assert tab.run("location.pathname") == f"/image/{want[1]}"
    tab.press("Escape", wait=True)
    assert tab.run(WALL) == want
    assert faults(tab) == []


def test_arrow_keys_walk_the_wall(chromium: browser.Browser, served: Served) -> None:
    """Right goes to the next card, down to the one below; the focus can be seen."""
    tab = chromium.tab(served.entry)
    tab.run("document.querySelector('#cards a').focus()")
    place = "[...document.querySelectorAll('#cards a')].indexOf(document.activeElement)"
    tab.press("ArrowRight")
    assert tab.run(place) == 1
    tab.press("ArrowDown")
    below = tab.run(place)
    x = "Math.round(document.querySelectorAll('#cards a')[{}].getBoundingClientRect().x)"
    assert below > 1
    assert tab.run(x.format(below)) == tab.run(x.format(1))
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def begin(tab: browser.Tab) -> str:
    """Go on from what a question means, where that is shown; returns the number of the picture."""
    tab.until(f"{READY} || !before.hidden")
    if not tab.run("before.hidden"):
        tab.press("Enter")
    return str(tab.until(READY))


def label(tab: browser.Tab, key: str) -> None:
    """Press a key once the picture is there, and wait for the next."""
    number = begin(tab)
    tab.press(key)
    tab.until(f"{READY} ? {READY} !== {json.dumps(number)} : !finished.hidden || !before.hidden")


def words(served: Served, key: str, attribute: str) -> str:
    """What a key says of an attribute."""
    reasons = {"u": "uncertain", "n": "no person", "s": "several people", "x": "unreadable"}
    return reasons[key] if key in reasons else made.CLASSES[attribute][int(key) - 1]


def test_labels_by_keyboard_outlive_a_reload(chromium: browser.Browser, served: Served) -> None:
    """Every key is on disk before the next picture; a reload goes on where nothing was said."""
    tab = chromium.tab(served.entry)
    tab.go(served.at("/label"))
    tab.click("#rater")
    tab.type("ab")
    tab.press("Enter", wait=True)
    keys = ["1", "2", "u", "n", "1", "2", "3", "s", "x", "1"]
    for i, key in enumerate(keys):
        assert len(served.labels()) == i
        label(tab, key)
    want = [words(served, k, r["attribute"]) for k, r in zip(keys, served.labels(), strict=True)]
    assert [r["value"] for r in served.labels()] == want
    assert [r["number"] for r in served.labels()] == [str(i + 1) for i in range(10)]
    tab.go(served.at("/label?rater=ab"))
    assert tab.until(READY) == "11"
    assert tab.run("document.getElementById('progress').value") == 10
    label(tab, "1")
    label(tab, "1")
    assert tab.run("!document.getElementById('finished').hidden")
    assert len(served.labels()) == len(served.journal()) == 12
    assert faults(tab) == []


def test_going_back_mends_a_label(chromium: browser.Browser, served: Served) -> None:
    """Backspace shows the picture before with what was said; another key takes its place."""
    tab = chromium.tab(served.entry)
    tab.go(served.at("/label?rater=cd"))
    label(tab, "1")
    label(tab, "1")
    tab.press("Backspace")
    tab.until(f"{READY} == 2")
    assert tab.run("document.querySelector('[aria-pressed=true]').textContent") == "1 woman"
    label(tab, "2")
    assert tab.until(READY) == "3"
    assert [r["value"] for r in served.labels()] == ["woman", "man"]
    assert [r["value"] for r in served.journal()] == ["woman", "woman", "man"]
    tab.press("Backspace")
    tab.until(f"{READY} == 2")
    tab.press("Delete")
    tab.until("document.querySelector('[aria-pressed=true]') === null")
    tab.until(READY)
    assert [r["number"] for r in served.labels()] == ["1"]


def test_no_key_of_one_question_answers_the_next(chromium: browser.Browser, served: Served) -> None:
    """Between two questions the words of the next are shown, and only Enter goes on."""
    tab = chromium.tab(served.entry)
    tab.go(served.at("/label?rater=op"))
    begin(tab)
    for _ in range(6):
        label(tab, "1")
    tab.until("!before.hidden")
    assert tab.run("next.textContent") == "Perceived skin tone"
    assert "better than a guess" in tab.run("whys.textContent")
    tab.press("1")
    tab.press("u")
    assert len(served.labels()) == 6
    label(tab, "1")
    assert [r["value"] for r in served.labels()] == ["woman"] * 6 + ["light"]
    tab.press("?")
    tab.until("!before.hidden")
    assert begin(tab) == "8"
    assert faults(tab) == []


def test_two_tabs_lose_and_double_nothing(chromium: browser.Browser, served: Served) -> None:
    """One rater in two tabs: each label is counted once, the last word counts, both are kept."""
    one = chromium.tab(served.entry)
    one.go(served.at("/label?rater=ef"))
    two = chromium.tab(served.at("/label?rater=ef"))
    assert begin(one) == begin(two) == "1"
    label(one, "1")
    label(two, "2")  # the same picture, from a tab that did not know
    assert [r["value"] for r in served.labels()] == ["man"]
    assert [r["value"] for r in served.journal()] == ["woman", "man"]
    for tab in (one, two, one, two, one, two, one, two, one, two, one, two):
        if tab.run("document.getElementById('finished').hidden"):
            label(tab, "1")
    numbers = [r["number"] for r in served.labels()]
    assert sorted(numbers, key=int) == [str(i + 1) for i in range(len(numbers))]
    assert len(set(numbers)) == len(numbers)
    assert len(served.journal()) >= len(numbers)


def test_two_raters_do_not_meet(chromium: browser.Browser, served: Served) -> None:
    """Each has a queue of their own, and sees nothing of what the other said."""
    tab = chromium.tab(served.entry)
    tab.go(served.at("/label?rater=gh"))
    label(tab, "1")
    tab.go(served.at("/label?rater=ij"))
    assert begin(tab) == "1"
    assert tab.run("document.querySelector('[aria-pressed=true]')") is None
    label(tab, "2")
    assert [(r["rater"], r["value"]) for r in served.labels()] == [("gh", "woman"), ("ij", "man")]


def test_a_key_that_is_held_or_hurried_is_one_label(
    chromium: browser.Browser, served: Served
) -> None:
    """Repeats of a held key, and keys before the next picture is there, say nothing."""
    tab = chromium.tab(served.entry)
    tab.go(served.at("/label?rater=kl"))
    assert begin(tab) == "1"
    tab.run("for (let i = 0; i < 20; i += 1) document.dispatchEvent(new KeyboardEvent("
            "'keydown', {key: '1', repeat: i > 0}))")  # fmt: skip
    assert tab.until(f"{READY} == 2")
    tab.run("for (let i = 0; i < 20; i += 1) document.dispatchEvent(new KeyboardEvent("
            "'keydown', {key: '2'}))")  # fmt: skip
    assert tab.until(f"{READY} == 3")
    time.sleep(0.2)
    assert [r["value"] for r in served.journal()] == ["woman", "man"]
    tab.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: '1', ctrlKey: true}))")
    time.sleep(0.1)
    assert len(served.journal()) == 2


def test_a_label_that_is_not_saved_is_never_passed_over(
    chromium: browser.Browser, served: Served
) -> None:
    """When the server is gone the picture stays, and says so; when it is back the key works."""
    tab = chromium.tab(served.entry)
    tab.go(served.at("/label?rater=mn"))
    label(tab, "1")
    tab.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1,
             uploadThroughput=-1)  # fmt: skip
    tab.press("2")
    assert "Not saved" in tab.until("document.getElementById('trouble').textContent")
    assert tab.run(READY) == "2"
    tab.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1,
             uploadThroughput=-1)  # fmt: skip
    label(tab, "2")
    assert tab.run("document.getElementById('trouble').textContent") == ""
    assert [r["value"] for r in served.labels()] == ["woman", "man"]


def test_hostile_words_do_not_run(chromium: browser.Browser, tmp_path: Path) -> None:
    """Markup in texts, captions, subjects and the folder's name is shown as words."""
    run = made.run(tmp_path / "<img src=x onerror=alert(1)>", n=6, texts=[made.HOSTILE] * 6)
    run.matches["train_caption"] = run.attributes["subject"] = made.HOSTILE
    made.finish(run.folder, run.samples, run.attributes, run.matches)
    served = Served(run)
    try:
        tab = chromium.tab(served.entry)
        for path in ("/", f"/image/{run.ids[0]}", "/label"):
            tab.go(served.at(path))
            time.sleep(0.1)
            assert tab.run("document.title") != "owned"
            assert tab.run("document.querySelectorAll('img[src=x]').length") == 0
            assert tab.run("document.querySelectorAll('script:not([src])').length") == 0
        tab.go(served.at("/"))
        assert made.HOSTILE[:30] in tab.run("document.querySelector('.words').textContent")
        # and were something to slip through, the policy would still not let it run
        tab.run("document.body.insertAdjacentHTML('beforeend', "
                "'<img src=\"/none\" onerror=\"document.title=1\">')")  # fmt: skip
        time.sleep(0.2)
        assert tab.run("document.title") != "1"
    finally:
        served.stop()


def test_another_site_can_neither_read_nor_write(
    chromium: browser.Browser, served: Served, tmp_path: Path
) -> None:
    """A page of another port, with the cookie in the browser, gets no picture and no label in."""
    other = Served(made.run(tmp_path / "other", n=6))
    try:
        chromium.tab(served.entry)
        tab = chromium.tab(other.entry)
        sample, attribute = json.loads(
            served.run.folder.label_file("drawn.json").read_bytes()
        )["rows"]["sample"][0], "gender"  # fmt: skip
        body = json.dumps({"rater": "x", "sample": sample, "attribute": attribute, "value": "man"})
        for mode, kind in (("no-cors", "text/plain"), ("cors", "application/json")):
            tab.run(f"fetch('{served.at('/labels')}', {{method: 'POST', mode: '{mode}',"
                    f"credentials: 'include', headers: {{'Content-Type': '{kind}'}},"
                    f"body: {json.dumps(body)}}}).then(r => r.status, e => 0)")  # fmt: skip
        assert served.labels() == []
        # a page without any policy of its own, which the served ones are not
        tab.go("about:blank")
        size = tab.run(
            f"new Promise(done => {{ const i = new Image(); i.onload = () => done(i.naturalWidth);"
            f"i.onerror = () => done(0); i.src = '{served.at('/thumb/' + served.run.ids[0])}'; }})"
        )
        assert size == 0
    finally:
        other.stop()
