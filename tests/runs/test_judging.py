"""Judges at an endpoint: an image is asked about once, counted, and no key is in a file."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from audit.datasets import pixels
from audit.design.language_model import endpoint
from audit.errors import UserError
from audit.records import Attribute
from audit.runs import judging
from audit.runs.options import Options
from tests.design.language_model.serving import Answer, Server, said, serving

GENDER = Attribute("gender", ("woman", "man"), {})
PICTURES = {
    f"{i:02}": np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8) for i in range(12)
}


def verdict(value: object = "woman", people: int = 1) -> Answer:
    """An answer in the form that is asked for, with its tokens."""
    content = json.dumps({"people": people, "evidence": "a hat", "value": value})
    whole = json.loads(said(content).body)
    usage = {"prompt_tokens": 1000, "completion_tokens": 50}
    return Answer(json.dumps({**whole, "usage": usage}).encode())


def judge(server: Server, out: Path, more: str = "", **options: Any) -> judging.Judge:
    """A judge of gender at that server."""
    reader = f"vlm:m,url={server.url},tries=1,timeout=5{more}"
    attribute = Attribute("gender", ("woman", "man"), {}, reader=reader)
    return judging.Judge(attribute, Options(out=out, **options), {})


def picture(id: str) -> np.ndarray:
    """One of PICTURES; others are gone."""
    if id not in PICTURES:
        raise pixels.Unreadable("gone")
    return PICTURES[id]


def read(one: judging.Judge, ids: list[str] | None = None) -> dict[str, tuple[str, str | None]]:
    """All readings by image."""
    asked = sorted(PICTURES) if ids is None else ids
    return {i: (o, v) for i, o, v in one.read(asked, picture)}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between tries, and no key unless a test sets one."""
    monkeypatch.setattr(endpoint, "PAUSE", 0.0)
    for name in (endpoint.OWN, endpoint.GENERAL, endpoint.HOSTS):
        monkeypatch.delenv(name, raising=False)


def shown(body: dict[str, Any]) -> np.ndarray:
    """The image inside a request."""
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    data = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)))


def test_an_image_is_sent_whole_with_the_schema_and_never_twice(tmp_path: Path) -> None:
    """A second reading, by another process as it were, plays the answers back."""
    with serving(verdict()) as server:
        first = read(judge(server, tmp_path))
        assert read(judge(server, tmp_path)) == first
        assert len(server.asked) == len(PICTURES)
        body = server.asked[0]
        assert body["response_format"]["json_schema"]["strict"] is True
        sent = {shown(b).tobytes() for b in server.asked}
        assert sent == {p.tobytes() for p in PICTURES.values()}
        texts = {b["messages"][0]["content"][0]["text"] for b in server.asked}
        assert len(texts) == 1  # nothing of an image is in the words
        one = read(judge(server, tmp_path, ",answers=" + str(tmp_path / "other.jsonl")), ["00"])
        assert one == {"00": ("label", "woman")}
        assert len(server.asked) == len(PICTURES) + 1
    assert first == dict.fromkeys(PICTURES, ("label", "woman"))


def test_missing_answers_keep_their_reason(tmp_path: Path) -> None:
    """Refusals of three kinds, null, prose and nobody: no class, and none is asked again."""
    filtered = {"error": {"code": "content_filter", "message": "The image was filtered."}}
    script = [
        said(None, refusal="no"), said("", finish="content_filter"),
        Answer(json.dumps(filtered).encode(), 400), said("null"), said("A woman."),
        verdict("cannot tell", 0), verdict("man", 2), verdict("cannot tell"), verdict("man"),
    ]  # fmt: skip
    ids = sorted(PICTURES)[: len(script)]
    with serving(*script) as server:
        found = read(judge(server, tmp_path, ",parallel=1"), ids)
        again = read(judge(server, tmp_path), ids)
        assert len(server.asked) == len(script)
    assert [found[i][0] for i in ids] == [
        "refused", "refused", "refused", "no answer", "malformed", "no person", "several people",
        "uncertain", "label",
    ]  # fmt: skip
    assert again == found
    rows = [json.loads(x) for x in (tmp_path / judging.FILE).read_text().splitlines()]
    assert {r["reason"] for r in rows if r["outcome"] == "refused"} >= {"The image was filtered."}


def test_what_took_too_long_is_missing_now_and_asked_again_later(tmp_path: Path) -> None:
    """It is not kept; a server that never answers ends the reading."""
    with serving(Answer(wait=True), verdict()) as server:
        reader = f"vlm:m,url={server.url},tries=1,timeout=0.3,parallel=1"
        attribute = Attribute("gender", ("woman", "man"), {}, reader=reader)
        slow = judging.Judge(attribute, Options(out=tmp_path), {})
        assert read(slow, ["00", "01"]) == {"00": ("timed out", None), "01": ("label", "woman")}
        again = judging.Judge(attribute, Options(out=tmp_path), {})
        assert read(again, ["00", "01"])["00"] == ("label", "woman")
        assert len(server.asked) == 3


def test_a_reading_that_stops_continues_where_it_was(tmp_path: Path) -> None:
    """After an error in the middle, the same command asks only what is left."""
    script: list[Any] = [*[verdict()] * 5, Answer(b"{}", 401)]
    with serving(*script) as server, pytest.raises(UserError, match="answers so far, 5, are kept"):
        read(judge(server, tmp_path, ",parallel=1"))
    with serving(verdict()) as server:
        assert len(read(judge(server, tmp_path, ",parallel=1"))) == len(PICTURES)
        assert len(server.asked) == len(PICTURES) - 5


@pytest.mark.parametrize(
    ("takes", "form"),
    [
        (lambda b: "max_tokens" not in b, 1),
        (lambda b: "response_format" not in b, 2),
        (lambda b: "response_format" not in b and "max_tokens" not in b, 3),
    ],
)
def test_the_first_form_that_a_server_accepts_is_kept(
    takes: Callable[[dict[str, Any]], bool], form: int, tmp_path: Path
) -> None:
    """Without the schema, with newer names of options, or both."""

    def strict(body: dict[str, Any]) -> Answer:
        return verdict() if takes(body) else Answer(b'{"error": {"message": "unknown"}}', 400)

    with serving(strict) as server:
        found = read(judge(server, tmp_path, ",parallel=1"))
        assert len(server.asked) == len(PICTURES) + form
    assert set(found.values()) == {("label", "woman")}


def test_no_form_at_all_is_an_error_with_the_servers_words(tmp_path: Path) -> None:
    """A server that refuses every request says why."""
    refusing = Answer(b'{"error": {"message": "no such model"}}', 400)
    with serving(refusing) as server, pytest.raises(UserError, match="no such model"):
        read(judge(server, tmp_path, ",parallel=1"))


def test_a_price_is_booked_before_its_reserve_is_freed(tmp_path: Path) -> None:
    """While an answer is written down, another thread cannot spend its money."""
    price, seen = ",parallel=1,input=1,output=3", list[float]()
    with serving(verdict()) as server:
        one = judge(server, tmp_path, price, max_cost=1.0)
        put = one.kept.put

        def kept(found: judging.Seen) -> judging.Seen:
            seen.append(sum(one.costs.values()) + one._reserved)
            return put(found)

        setattr(one.kept, "put", kept)  # noqa: B010 - for its type
        read(one)
    assert seen == sorted(seen)
    assert all(s >= 0.00115 * (i + 1) for i, s in enumerate(seen))


def test_requests_stop_before_the_cost_is_reached(tmp_path: Path) -> None:
    """0.00115 an answer: the limit is never passed, also after the command is repeated."""
    price = ",parallel=3,input=1,output=3"
    with serving(verdict()) as server:
        for _ in range(2):
            with pytest.raises(UserError, match=r"more than --max-cost 0\.008 allows"):
                read(judge(server, tmp_path, price, max_cost=0.008))
        asked = len(server.asked)
        assert 0.00115 * asked <= 0.008
        done = judge(server, tmp_path, price, max_cost=1.0)
        read(done)
        assert len(server.asked) == len(PICTURES)
    assert "12,600 tokens, at a cost of 0.01" in done.note


def test_no_more_requests_at_a_time_than_asked_for(tmp_path: Path) -> None:
    """At most `parallel`, and more than one."""
    import threading

    now, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=5)

    def counted(body: dict[str, Any]) -> Answer:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        both.wait()
        with lock:
            now -= 1
        return verdict()

    with serving(counted) as server:
        read(judge(server, tmp_path, ",parallel=2"))
    assert most == 2


@contextmanager
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A key in the environment."""
    monkeypatch.setenv(endpoint.OWN, "sk-a-key-of-some-length")
    yield "sk-a-key-of-some-length"


@pytest.mark.parametrize("agreed", [True, False])
def test_the_key_goes_to_an_agreed_host_and_into_no_file(
    agreed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One header; even a server that repeats it gets it into no answer that is kept."""
    with secret(monkeypatch) as key, serving(said(f'{{"value": "{key}"}}')) as server:
        given: dict[str, Any] = {"send_key": ("127.0.0.1",)} if agreed else {}
        found = read(judge(server, tmp_path, **given), ["00"])
        sent = server.headers[0].get("Authorization", "")
    assert (key in sent) == agreed
    assert found["00"][0] == "malformed"
    if agreed:
        assert key not in (tmp_path / judging.FILE).read_text()


def test_large_images_are_reduced_and_gone_ones_are_unreadable(tmp_path: Path) -> None:
    """What is sent has at most the longest side, and is what the hash is of."""
    big = np.zeros((3000, 1500, 3), np.uint8)
    assert judging.sent(big).shape == (judging.LONGEST_SIDE, judging.LONGEST_SIDE // 2, 3)
    with serving(verdict()) as server:
        assert read(judge(server, tmp_path), ["gone"]) == {"gone": ("unreadable", None)}
        assert not server.asked
