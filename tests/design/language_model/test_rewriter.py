"""The rewriter `llm` as plans, suites and the command line use it, against a local endpoint."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from audit.cli.main import app
from audit.design import suites
from audit.design.language_model import endpoint
from audit.design.language_model.questions import INCLUSIVE, STATED, question
from audit.design.language_model.rewriter import FILE, LanguageModel
from audit.design.mitigations.options import Llm
from audit.design.mitigations.rewrite import why_not
from audit.design.mitigations.specs import parse, with_arms
from audit.errors import UserError
from audit.records import Prompt
from audit.report.effects import mitigations
from audit.runs import planning
from audit.runs.options import Options
from audit.runs.preview import rewrite
from audit.store import asdict_sample
from tests.design.language_model.serving import Answer, Server, said, serving
from tests.report.made import Size, evidence

KEY = "sk-test-0123456789"
VALUE = re.compile(r"asked for: (\w+)\.")


def obliging(body: dict[str, Any]) -> Answer:
    """An answer that does as it is told: the prompt with the value, or with `any`."""
    message = body["messages"][0]["content"]
    value = VALUE.search(message)
    text = message.rsplit("Prompt: ", 1)[1]
    return said(f"{text}, {value[1] if value else 'any'}")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No pauses, a key for this machine, and a folder of its own to work in."""
    monkeypatch.setenv(endpoint.HOSTS, "127.0.0.1")
    monkeypatch.setattr(endpoint, "PAUSE", 0.0)
    monkeypatch.setenv(endpoint.OWN, KEY)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    """An obliging endpoint."""
    with serving(obliging) as found:
        yield found


def spec(server: Server, more: str = "") -> str:
    """The mitigation as it is typed."""
    return f"llm:small-1,url={server.url},attribute=gender{more}"


def test_images_share_an_answer_where_nothing_is_drawn_from_chance(server: Server) -> None:
    """At temperature 0 one request serves a prompt, or each value that was drawn for it."""
    rows = rewrite("a photo of a nurse", spec(server), images=8)
    assert [r.text for r in rows] == ["a photo of a nurse, any"] * 8
    assert len(server.asked) == 1
    rows = rewrite("a photo of a nurse", spec(server, ",target=uniform"), images=8)
    assert Counter(r.text.split(", ")[1] for r in rows) == {"woman": 4, "man": 4}
    assert all(r.text.endswith(r.drawn["gender"]) for r in rows)
    assert len(server.asked) == 3
    assert rows == rewrite("a photo of a nurse", spec(server, ",target=uniform"), images=8)
    assert len(server.asked) == 3


def test_at_a_temperature_every_image_has_its_own_answer(server: Server) -> None:
    """With a seed that depends on the image alone, sent along and kept."""
    rewrite("a photo of a nurse", spec(server, ",temperature=0.7"), images=4)
    seeds = [b["seed"] for b in server.asked]
    assert len(set(seeds)) == 4
    rewrite("a photo of a nurse", spec(server, ",temperature=0.7"), images=6)
    assert [b["seed"] for b in server.asked][:4] == seeds
    assert len(server.asked) == 6


def test_what_decides_an_answer_is_in_its_key_and_nothing_else() -> None:
    """Model, words, text, value, temperature, tokens and seed; not the address or the patience."""
    base = {"model": "m", "attribute": "gender", "target": "uniform"}

    def key(text: str = "a nurse", value: str = "woman", seed: int = 1, **more: Any) -> str:
        return question(text, {"gender": value}, Llm(**{**base, **more}), seed).key

    same = [key(), key(seed=2), key(url="http://a.test/v1"), key(timeout=9), key(tries=9),
            key(answers="x")]  # fmt: skip
    other = [key("a cook"), key(value="man"), key(model="n"), key(tokens=9), key(temperature=1),
             key(temperature=1, seed=2), key(instruction="Say {value}: {prompt}")]  # fmt: skip
    assert len(set(same)) == 1
    assert len({*same, *other}) == 8


def test_a_text_that_looks_like_a_placeholder_stays_a_text() -> None:
    """Placeholders are filled in one pass, and the prompt's own braces are its own."""
    asks = Llm(model="m", attribute="skin_tone", target="uniform")
    text = "a nurse with {value} and {prompt.__class__} and {attribute}"
    message = question(text, {"skin_tone": "dark"}, asks, 0).message
    assert message.endswith(f"Prompt: {text}")
    assert "skin tone of the person who is asked for: dark." in message
    assert "{" not in INCLUSIVE.replace("{prompt}", "").replace("{attribute}", "")
    assert all(STATED.count(p) == 1 for p in ("{prompt}", "{value}", "{attribute}"))


GATED = ("a photo of Marie Curie, a scientist", "a female judge", "a 1920s pilot", "3 nurses",
         'a sign that says "nurse"', "a photo of a tree")  # fmt: skip
WORDS = st.sampled_from(
    'a the photo of nurse judge woman king Mozart 1920s medieval three "x" in Rome\'s old'.split()
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(WORDS, min_size=1, max_size=9).map(" ".join) | st.sampled_from(GATED), st.booleans()
)
def test_a_gated_text_is_never_sent_and_never_changed(
    server: Server, text: str, drawn: bool
) -> None:
    """Whatever the text: what the gate keeps does not reach the endpoint, the rest does once."""
    prompt = Prompt("p", text, "nurse", "b", "representation", 1, ("gender",))
    options = {"model": "m", "url": server.url, "attribute": "gender"}
    values = {"gender": "woman"} if drawn else {}
    before, reason = len(server.asked), why_not(text, prompt, options)
    model = LanguageModel(Path("kept"))
    made = model(text, prompt, values, options, np.random.default_rng(0))
    sent = [b["messages"][0]["content"].rsplit("Prompt: ", 1)[1] for b in server.asked[before:]]
    if reason:
        assert made == (text, reason)
        assert sent == []
    else:
        assert made[0].startswith(f"{text}, ")
        assert sent in ([text], [])


def test_a_kept_text_names_the_gate_as_its_reason(server: Server) -> None:
    """As every rewriter does."""
    for text in GATED:
        (row,) = rewrite(text, spec(server, ",target=uniform"))
        assert (row.text, bool(row.reason)) == (text, True)
    assert not server.asked


SUITE = """
name = "mine"
title = "T"
question = "Q?"
[[blocks]]
id = "jobs"
purpose = "representation"
templates = ["a photo of {a_subject}", "a drawing of {a_subject} in 1850", "{a_subject} at work"]
subjects = ["nurse", "astronaut", "cook"]
seeds = 4
attributes = ["gender"]
[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {a_value}"]
[[mitigations]]
name = "rewritten"
method = "llm"
blocks = ["jobs"]
"""


def plan(server: Server, options: str = "") -> list[str]:
    """The plan of the suite as the lines that a run keeps."""
    url = f'model = "small-1", url = "{server.url}", attribute = "gender"'
    Path("mine.toml").write_text(f"{SUITE}options = {{ {url}{options} }}\n")
    run = planning.open_run(suites.read_suite("mine.toml"), Options(out=Path("runs")))
    return [json.dumps(asdict_sample(s)) for s in run.samples]


def test_a_suite_gets_no_key_unless_the_user_names_its_host(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By option or environment; a suite cannot agree for the user."""
    monkeypatch.delenv(endpoint.HOSTS)
    plan(server)
    assert server.headers
    assert not any("Authorization" in h for h in server.headers)
    chosen = suites.read_suite("mine.toml")
    with pytest.raises(UserError, match="no mitigation and no reader has a `url` of this host"):
        planning.open_run(chosen, Options(out=Path("x"), send_key=("elsewhere.test",)))
    before = len(server.headers)
    planning.open_run(chosen, Options(out=Path("x"), send_key=("127.0.0.1",)))
    assert {h["Authorization"] for h in server.headers[before:]} == {f"Bearer {KEY}"}
    with pytest.raises(UserError, match="cannot decide that a key is sent"):
        plan(server, ", send_key = true")
    with pytest.raises(UserError, match=r"ends in \.jsonl"):
        plan(server, ', answers = "../.bashrc"')


def test_a_plan_is_played_back_byte_for_byte_without_an_endpoint(server: Server) -> None:
    """Each prompt and value asked once, gated ones never; the key is sent and nowhere kept."""
    first = plan(server, ', target = "uniform"')
    assert len(server.asked) == 3 * 2 * 2
    assert {h["Authorization"] for h in server.headers} == {f"Bearer {KEY}"}
    assert not any("1850" in json.dumps(b) for b in server.asked)
    server.stop()
    assert plan(server, ', target = "uniform"') == first
    moved = ', target = "uniform", answers = "elsewhere.jsonl", tries = 1'
    (Path("runs") / FILE).rename("elsewhere.jsonl")
    assert plan(server, moved) == first
    with pytest.raises(UserError, match=r"could not be reached.*kept in runs/answers/llm\.jsonl"):
        plan(server, ', target = "uniform", tries = 1')
    rows = [json.loads(line) for line in first]
    assert {r.get("reason") for r in rows if "1850" in r["text"]} == {
        None, "historical or period term"
    }  # fmt: skip
    for path in Path().rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


def test_what_a_server_repeats_of_the_key_is_not_kept() -> None:
    """Neither in the file of answers nor in the plan."""
    with serving(said(f"a nurse with {KEY}"), said("x")) as server:
        lines = plan(server)
    assert KEY not in "".join(lines) + (Path("runs") / FILE).read_text()
    assert "it repeats the key" in "".join(lines)


def test_refusals_and_junk_are_counted_and_never_asked_again() -> None:
    """Each has its outcome in the file, its reason in the plan, and its count on the page."""
    script = (
        said("I'm sorry, I can't."), Answer(b"<html>"), said("two\nlines"),
        said("<script>alert(1)</script> a cook"), said("a photo of a cook"), obliging,
    )  # fmt: skip
    with serving(*script) as server:
        plan(server)
        assert len(server.asked) == 6
        run = planning.open_run(suites.read_suite("mine.toml"), Options(out=Path("runs")))
        assert len(server.asked) == 6
    kept = [json.loads(line) for line in (Path("runs") / FILE).read_text().splitlines()]
    assert [k["outcome"] for k in kept] == [
        "refused", "malformed", "malformed", "rewritten", "unchanged", "rewritten",
    ]  # fmt: skip
    left = planning.left_alone(run.samples)["rewritten"]
    assert left.images == 36
    assert left.reasons == {
        "historical or period term": 12, "the model refused": 4,
        "the answer cannot be used: it is not JSON": 4,
        "the answer cannot be used: it has 2 lines": 4,
        "the model gave the prompt back as it was": 4,
    }  # fmt: skip
    small = evidence(Size(subjects=("nurse", "cook"), seeds=3, captions=8))
    shown = replace(small, suite=replace(small.suite, mitigations=run.suite.mitigations),
                    facts=replace(small.facts, left_alone={"rewritten": left}))  # fmt: skip
    arm = next(a for a in mitigations(shown, {}) if a["name"] == "rewritten")
    assert arm["left"].startswith("28 of 36 images keep their original prompt: historical")
    assert "http" not in arm["made"]


def test_growing_asks_for_nothing_twice(server: Server) -> None:
    """More images of the same prompts need no more answers at temperature 0."""
    plan(server)
    asked = len(server.asked)
    bigger = suites.with_seeds(suites.read_suite("mine.toml"), 30)
    run = planning.open_run(bigger, Options(out=Path("runs")))
    assert len(server.asked) == asked
    assert sum(s.arm == "rewritten" for s in run.samples) == 9 * 30


def test_planning_says_how_far_it_is(server: Server) -> None:
    """Answers take time: every text is reported."""
    seen: list[tuple[str, int, int]] = []
    plan(server)
    suite = suites.read_suite("mine.toml")
    planning.rewriters(suite, Path("runs"), lambda *step: seen.append(step))
    planning.open_run(suite, Options(out=Path("runs")), lambda *step: seen.append(step))
    assert seen == [("texts of llm", i + 1, 36) for i in range(36)]


@pytest.mark.nightly
def test_a_killed_command_goes_on_without_asking_twice() -> None:
    """`kill -9` between two answers costs no answer; the second run asks for the rest alone."""
    came = threading.Event()

    def stuck(_: dict[str, Any]) -> Answer:
        came.set()
        return Answer(wait=True)

    with serving(obliging, stuck, obliging) as server:
        given = ["rewrite", "a photo of a nurse", "-n", "4", "-t", spec(server, ",target=uniform")]
        here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        child = subprocess.Popen([sys.executable, "-m", "audit", *given], env=here)
        assert came.wait(60)
        child.send_signal(signal.SIGKILL)
        child.wait()
        path = Path("reports") / FILE
        assert len(path.read_text().splitlines()) == 1
        with path.open("a") as file:
            file.write('{"key": "torn')
        done = CliRunner().invoke(app, given)
        assert done.exit_code == 0
        assert len(server.asked) == 3
    assert Counter(done.stdout.split()) >= Counter({"woman": 2, "man": 2})


def test_the_command_line_rewrites_explains_and_gives_json(server: Server) -> None:
    """Texts on stdout, reasons on stderr; the same without the endpoint."""
    given = ["rewrite", "a photo of a nurse", "-n", "2"]
    named = ["rewrite", "a photo of Marie Curie, a scientist", "-t", spec(server), "--explain"]
    run = CliRunner().invoke
    first = run(app, [*given, "-t", spec(server, ",target=uniform"), "--explain"])
    assert first.exit_code == 0
    assert sorted(first.stdout.splitlines()) == [
        "a photo of a nurse, man", "a photo of a nurse, woman",
    ]  # fmt: skip
    assert "target woman 50%, man 50%; drawn gender" in first.stderr
    left = run(app, named)
    assert left.stdout == "a photo of Marie Curie, a scientist\n"
    assert "left alone, named person" in left.stderr
    server.stop()
    again = run(app, [*given, "-t", spec(server, ",target=uniform"), "--json"])
    body = json.loads(again.stdout)
    assert [r["text"] for r in body] == first.stdout.splitlines()
    assert {r["method"] for r in body} == {"llm"}
    assert {r["mitigation"] for r in body} == {"llm-small-1-attribute-gender-target-uniform"}


def test_a_refusal_is_explained_on_the_command_line() -> None:
    """The text as it was, with the reason."""
    with serving(said("I cannot help with that.")) as server:
        given = ["rewrite", "a photo of a nurse", "-t", spec(server)]
        done = CliRunner().invoke(app, [*given, "--explain"])
        body = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)
    assert done.stdout == "a photo of a nurse\n"
    assert "left alone, the model refused" in done.stderr
    assert body[0]["reason"] == "the model refused"


def test_an_endpoint_that_fails_midway_keeps_what_it_said() -> None:
    """One sentence that counts the answers; the next run asks for the others."""
    with serving(obliging, Answer(b"", 500), Answer(b"", 500), obliging) as server:
        with pytest.raises(UserError, match=r"asked 2 times and answered HTTP 500.*so far, 1,"):
            rewrite("a photo of a nurse", spec(server, ",target=uniform,tries=2"), images=2)
        rewrite("a photo of a nurse", spec(server, ",target=uniform,tries=2"), images=2)
        assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("url=ftp://a.test/v1", "base of an API"), ("url=file:///etc/passwd", "base of an API"),
        ("url=http://", "base of an API"), ("url=127.0.0.1:8000", "base of an API"),
        ("url=http://a.test/v1?key=x", "a key comes from"), ("url=http://a b/v1", "a key comes"),
        ("url=http://a.test:port/v1", "url"), ("temperature=3", "temperature"),
        ("temperature=nan", "temperature"), ("tokens=0", "tokens"), ("timeout=0", "timeout"),
        ("tries=0", "tries"), ("instruction=Rewrite it", "{prompt}"), ("token=3", "mean tokens"),
        ("instruction={prompt} as {value}", "if there is a target"),
        ("target=uniform,instruction=Rewrite {prompt}", "if there is a target"),
        ("target=labor", "Did you mean labour"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_one_sentence(more: str, words: str) -> None:
    """Before anything is asked."""
    with pytest.raises(UserError, match=re.escape(words)):
        with_arms(suites.read_suite("occupations"), [f"llm:m,attribute=gender,{more}"])


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    """It would appear in plans and reports."""
    with pytest.raises(UserError, match="T2I_AUDIT_LLM_KEY") as error:
        parse("llm:m,url=http://me:hunter2@a.test/v1,attribute=gender")
    assert "hunter2" not in str(error.value)


def test_an_arm_is_named_by_what_it_asks_not_by_whom() -> None:
    """The same model elsewhere is the same arm, with the same draws."""
    here, there = (
        parse(f"llm:org/small-1,url=http://{host}/v1,attribute=gender,tries=2")
        for host in ("a.test", "b.test:80")
    )
    assert here.name == there.name == "llm-org-small-1-attribute-gender"
    with pytest.raises(UserError, match="attribute"):
        parse("llm:m")
    with pytest.raises(UserError, match="not the folder of a language model"):
        rewrite("a photo of a nurse", "llm:no-such-folder,attribute=gender")


def test_two_runs_at_once_agree(server: Server) -> None:
    """At a temperature two processes may ask the same; the first answer counts for both."""
    prompt = Prompt("p", "a nurse", "nurse", "b", "representation", 1, ("gender",))
    counted = iter(range(100))

    def different(_: dict[str, Any]) -> Answer:
        time.sleep(0.05)
        return said(f"a nurse, version {next(counted)}")

    options = {"model": "m", "url": server.url, "attribute": "gender", "temperature": 1.0}
    server.script[:] = [different]
    made: list[tuple[str, str]] = []

    def one() -> None:
        rng = np.random.default_rng(3)
        made.append(LanguageModel(Path("kept"))("a nurse", prompt, {}, options, rng))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(made)) == 1
    assert len((Path("kept") / FILE).read_text().splitlines()) == 1
