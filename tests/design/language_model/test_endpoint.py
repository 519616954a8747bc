"""An endpoint that behaves and one that does not: requests, retries, limits, and the key."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from audit.design.language_model import endpoint
from audit.design.language_model.questions import Question
from audit.design.language_model.replies import Malformed, Reply
from audit.errors import UserError
from tests.design.language_model.serving import Answer, said, serving

ASKED = Question("small-1", "a nurse", "", "Rewrite: a nurse", 0.0, 50, None)
KEY = "sk-test-0123456789"
TOO_MUCH = b'{"choices": "' + b"x" * endpoint.MOST_BYTES + b'"}'


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for, none of them taken; no key, no proxy of the machine's."""
    taken: list[float] = []
    # The module's own name for it: other threads of this process sleep as before.
    own = SimpleNamespace(sleep=taken.append, monotonic=time.monotonic)
    monkeypatch.setattr(endpoint, "time", own)
    for name in (endpoint.OWN, endpoint.GENERAL, endpoint.GENERAL_URL):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # never asked about this machine
    return taken


def test_one_request_holds_what_the_question_says() -> None:
    """Path, model, message, temperature and limit; a seed only where something is drawn."""
    with serving(said("any nurse")) as server:
        assert endpoint.ask(ASKED, server.url, 5, 1) == Reply("any nurse")
        drawn = Question("small-1", "a nurse", "", "Rewrite", 0.7, 50, 12)
        endpoint.ask(drawn, server.url, 5, 1)
    assert server.paths == ["/v1/chat/completions"] * 2
    assert server.asked[0] == {
        "model": "small-1", "messages": [{"role": "user", "content": "Rewrite: a nurse"}],
        "temperature": 0.0, "max_tokens": 50, "stream": False,
    }  # fmt: skip
    assert (server.asked[1]["temperature"], server.asked[1]["seed"]) == (0.7, 12)
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_what_passes_is_tried_again(status: int, pauses: list[float]) -> None:
    """Server errors and rates: again after a pause that doubles, or that the server names."""
    failing = Answer(b"busy", status)
    asked = Answer(b"busy", status, {"Retry-After": "7"})
    with serving(failing, asked, said("any nurse")) as server:
        assert endpoint.ask(ASKED, server.url, 5, 3).content == "any nurse"
    assert len(server.asked) == 3
    assert pauses == [endpoint.PAUSE, 7.0]


@pytest.mark.parametrize("wait", ["999999", "9" * 400, "soon", "-5", "Wed, 21 Oct 2026"])
def test_a_pause_is_never_long(wait: str, pauses: list[float]) -> None:
    """No server can make a run sleep for a day."""
    with serving(Answer(b"", 429, {"Retry-After": wait}), said("x")) as server:
        endpoint.ask(ASKED, server.url, 5, 2)
    assert endpoint.PAUSE <= pauses[0] <= endpoint.LONGEST_PAUSE


def test_an_endpoint_that_stays_away_is_named_after_all_tries(pauses: list[float]) -> None:
    """Slow, broken, or not there: as many requests as were allowed, then one sentence."""
    with serving(Answer(wait=True)) as server:
        with pytest.raises(UserError, match=r"asked 2 times and did not answer within 0\.2 s"):
            endpoint.ask(ASKED, server.url, 0.2, 2)
        assert len(server.asked) == 2
        server.stop()
        with pytest.raises(UserError, match="asked 3 times and could not be reached"):
            endpoint.ask(ASKED, server.url, 5, 3)
    with serving(Answer(b"down", 503)) as server, pytest.raises(UserError, match="HTTP 503"):
        endpoint.ask(ASKED, server.url, 5, 1)
    assert len(pauses) == 3
    with pytest.raises(UserError, match="could not be reached"):
        endpoint.ask(ASKED, f"http://{'long' * 20}.invalid/v1", 5, 1)


def test_a_body_that_never_ends_is_left() -> None:
    """The limit is for the whole answer, not for each piece of it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def drip() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(65_536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            try:
                while not done.wait(0.05):
                    peer.sendall(b" ")
            except OSError:
                pass

    done = threading.Event()
    thread = threading.Thread(target=drip)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with pytest.raises(UserError, match="did not answer within"):
            endpoint.ask(ASKED, url, 0.3, 1)
    finally:
        done.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b"no", 401), "T2I_AUDIT_LLM_KEY"), (Answer(b"no", 403), "T2I_AUDIT_LLM_KEY"),
        (Answer(b"<html>", 404), "Check `url`"),
        (Answer(b'{"error": {"message": "no such\\u001b model\\nhere"}}', 400),
         "It says: no such  model here"),
        (Answer(b'{"error": "too long"}', 422), "It says: too long"),
        (Answer(b"[" * 100_000, 400), "Check `model`"), (Answer(TOO_MUCH, 400), "Check `model`"),
        (Answer(b"", 302, {"Location": "http://127.0.0.1:9/else"}), "points elsewhere"),
    ],
)  # fmt: skip
def test_a_client_error_is_one_sentence_at_once(answer: Answer, words: str) -> None:
    """No second request: the same would come of it."""
    with serving(answer) as server, pytest.raises(UserError) as error:
        endpoint.ask(ASKED, server.url, 5, 5)
    assert len(server.asked) == 1
    assert words in str(error.value)
    assert str(error.value).isprintable()


def test_a_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither text nor key goes where an answer points, on this host or another."""
    monkeypatch.setenv(endpoint.OWN, KEY)
    for status in (301, 302, 303, 307, 308):
        with serving(said("x")) as other:
            moved = Answer(b"", status, {"Location": f"{other.url}/chat/completions"})
            with serving(moved) as server, pytest.raises(UserError, match="points elsewhere"):
                endpoint.ask(ASKED, server.url, 5, 3)
            assert (len(server.asked), other.asked) == (1, [])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html><body>Log in</body></html>", "not JSON"), (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"), (b"[" * 200_000, "not JSON"), (b"[]", "no choices"),
        (b"7", "no choices"), (b'{"choices": []}', "no choices"),
        (b'{"choices": {}}', "no choices"),
        (b'{"choices": [null]}', "no choices"), (b'{"choices": [{"text": "a"}]}', "no choices"),
        (b'{"error": {"message": "x"}}', "no choices"), (TOO_MUCH, "longer than"),
        (said([{"type": "text"}]).body, "no text"), (said({"a": 1}).body, "no text"),
    ],
)  # fmt: skip
def test_what_is_not_the_api_is_malformed(body: bytes, why: str) -> None:
    """HTML, nothing, wrong shapes, bottomless nesting, and more than anybody would say."""
    with serving(Answer(body)) as server, pytest.raises(Malformed, match=why):
        endpoint.ask(ASKED, server.url, 5, 3)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (said("x", finish="content_filter"), Reply("", "its content filter stopped the answer")),
        (said(None, refusal="I can't"), Reply("", "it says so in `refusal`")),
        (said(None), Reply("")), (said("a nur", finish="length"), Reply("a nur", cut=True)),
        (said("x", refusal=None, tool_calls=None), Reply("x")),
    ],
)  # fmt: skip
def test_the_rest_of_what_the_api_says(answer: Answer, reply: Reply) -> None:
    """Filters, refusals and answers that were cut."""
    with serving(answer) as server:
        assert endpoint.ask(ASKED, server.url, 5, 1) == reply


def test_the_key_goes_into_one_header_and_never_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the server repeats it."""
    monkeypatch.setenv(endpoint.OWN, KEY)
    monkeypatch.setenv(endpoint.GENERAL, "sk-other-9876543210")
    loud = json.dumps({"error": {"message": f"wrong key {KEY}!"}}).encode()
    with serving(said("x")) as server:
        endpoint.ask(ASKED, server.url, 5, 1, True)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    for answer in (Answer(loud, 400), Answer(loud, 401), Answer(loud, 500)):
        with serving(answer) as server, pytest.raises(UserError) as error:
            endpoint.ask(ASKED, server.url, 5, 1, True)
        assert KEY not in str(error.value)
    with serving(said(f"a nurse, Bearer {KEY}")) as server, pytest.raises(Malformed):
        endpoint.ask(ASKED, server.url, 5, 1, True)


def test_a_key_is_sent_only_to_hosts_that_the_user_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A suite from elsewhere may name any address; the user agrees by option or environment."""
    monkeypatch.setenv(endpoint.GENERAL, KEY)
    assert endpoint.key_for("https://api.openai.com/v1", False) == KEY
    for url in ("https://example.org/v1", "https://api.openai.com.example.org/v1",
                "http://127.0.0.1:8000/v1", "http://api.openai.com/v1"):  # fmt: skip
        assert endpoint.key_for(url, False) == ""
    for url in ("http://127.0.0.1:8000/v1", "http://[::1]:8000/v1", "https://example.org/v1"):
        assert endpoint.key_for(url, True) == KEY
    monkeypatch.setenv(endpoint.GENERAL_URL, "https://example.org/v1")
    assert endpoint.key_for("https://example.org/v1", False) == KEY
    monkeypatch.setenv(endpoint.OWN, "own-key")
    for url in ("https://elsewhere.example.net/v1", "https://api.openai.com/v1"):
        assert endpoint.key_for(url, False) == ""
        assert endpoint.key_for(url, True) == "own-key"
    monkeypatch.setenv(endpoint.HOSTS, "one.example.net, Elsewhere.example.net")
    assert endpoint.key_for("https://elsewhere.example.net/v1", False) == "own-key"


def test_no_key_crosses_the_network_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was agreed; the sentence of a refusal says why."""
    monkeypatch.setenv(endpoint.OWN, KEY)
    monkeypatch.setenv(endpoint.HOSTS, "elsewhere.example.net")
    assert endpoint.key_for("http://elsewhere.example.net/v1", True) == ""
    with serving(Answer(b"no", 401)) as server, pytest.raises(UserError, match="--send-key 127"):
        endpoint.ask(ASKED, server.url, 5, 1)


@pytest.mark.parametrize("key", ["two\nlines", "sk-\u2019quote", "sk\x00", "a\tb"])
def test_a_key_that_no_header_holds_is_refused_unsaid(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """The sentence names the variable, not what is in it."""
    if "\x00" in key:
        monkeypatch.setattr(os, "environ", {endpoint.OWN: key})
    else:
        monkeypatch.setenv(endpoint.OWN, key)
    with serving(said("x")) as server, pytest.raises(UserError, match=endpoint.OWN) as error:
        endpoint.ask(ASKED, server.url, 5, 1, True)
    assert key not in str(error.value)
    assert not server.asked
