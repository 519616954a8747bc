"""The pages and pictures through HTTP, and who is kept out."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from audit.datasets import pixels
from audit.records import Sample
from audit.runs.labelling import RECORD, write_sheet
from audit.view import app, desk, guard
from audit.view.query import Query, choose
from tests.view import made

PORT, KEY = 8123, "k" * 43
HERE = f"http://127.0.0.1:{PORT}"


def client(run: made.Made, train: desk.TrainImage | None = None, key: str = KEY) -> TestClient:
    """A browser that has exchanged the key for a cookie; without a key, one that has not."""
    built = app.build(desk.Desk(run.folder, train), PORT, KEY)
    found = TestClient(built, base_url=HERE, follow_redirects=False)
    if key:
        assert found.get(f"/?token={key}").status_code == 303
    return found


@pytest.fixture
def run(tmp_path: Path) -> made.Made:
    """A finished run of 24 images."""
    return made.run(tmp_path / "run", n=12, seed=8)


def test_the_key_becomes_a_cookie_and_leaves_the_address(run: made.Made) -> None:
    """The first answer sets a strict cookie that scripts cannot read, and redirects without key."""
    browser = client(run, key="")
    first = browser.get(f"/?token={KEY}")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    "address",
    ["/", "/label", "/labels?rater=a", "/static/view.js", "/static/none", "/thumb/x", "/none",
     "/?token=", "/?token=wrong", f"/?token={KEY}&token={KEY}", f"/label?token={KEY}"],
)  # fmt: skip
def test_nothing_is_shown_without_the_key(run: made.Made, address: str) -> None:
    """Pages, pictures, files and addresses that are not there: all the same refusal."""
    answer = client(run, key="").get(address)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "gender" not in answer.text


def test_another_cookie_is_not_the_key(run: made.Made) -> None:
    """Neither an empty nor a wrong nor another port's cookie lets anybody in."""
    for cookie in (f"t2i-audit-{PORT}=", f"t2i-audit-{PORT}=x", f"t2i-audit-1={KEY}", "é=\xff"):
        answer = client(run, key="").get("/", headers=[(b"cookie", cookie.encode("latin-1"))])
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", f"[::1]:{PORT}",
             f"127.0.0.1:{PORT}.evil.example", f"0.0.0.0:{PORT}", ""]
)  # fmt: skip
def test_other_names_for_this_machine_are_refused(run: made.Made, host: str) -> None:
    """A page that has its own name point here (DNS rebinding) gets nothing, even with the key."""
    browser = client(run)
    assert browser.get("/", headers={"host": host}).status_code == 421
    assert browser.get(f"/?token={KEY}", headers={"host": host}).status_code == 421
    assert browser.get("/", headers={"host": f"localhost:{PORT}"}).status_code == 200


def test_every_answer_forbids_what_is_not_needed(run: made.Made) -> None:
    """Pages, pictures, scripts, refusals and mistakes carry the policy; pages are not stored."""
    browser, stranger = client(run), client(run, key="")
    for answer in (browser.get("/"), browser.get(f"/thumb/{run.ids[0]}"), stranger.get("/"),
                   browser.get("/static/view.js"), browser.get("/none"),
                   browser.get("/?page=x")):  # fmt: skip
        assert answer.headers["content-security-policy"] == guard.POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    policy = dict(p.strip().split(" ", 1) for p in guard.POLICY.split(";"))
    assert policy.pop("default-src") == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert browser.get("/").headers["cache-control"] == "no-store"


def test_pages_ask_for_nothing_elsewhere_and_hold_no_script(run: made.Made) -> None:
    """No address leaves this server, and no page contains a script or style."""
    browser = client(run)
    for address in ("/", f"/image/{run.ids[3]}", "/label", "/label?rater=ab"):
        page = browser.get(address).text
        assert "://" not in page
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
        for found in re.findall(r'(?:src|href|action)="([^"]*)"', page):
            assert found.startswith(("/", "#")), found
    for name, (path, _) in app.FILES.items():
        words = path.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "://" not in words, name


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "POST", "TRACE"])
def test_only_get_is_answered(run: made.Made, method: str) -> None:
    """Nothing but labels can be written, and they only at their own address."""
    browser = client(run)
    for address in ("/", f"/image/{run.ids[0]}", f"/thumb/{run.ids[0]}", "/label"):
        assert browser.request(method, address, headers={"origin": HERE}).status_code == 405


def cells(page: str) -> list[str]:
    """Ids on a wall, in their order."""
    return re.findall(r'<li class="shot"><a href="/image/([^?"]+)', page)


def test_the_wall_shows_what_was_asked_for_page_by_page(run: made.Made) -> None:
    """All pages of a filter together are the rows that fit, each once, in order."""
    browser, opened = client(run), desk.Desk(run.folder).open()
    asked = Query(readings=(("gender", "is:woman"),), sort="near", size=30)
    want = [opened.table.samples[r].id for r in choose(opened.table, asked)]
    page = browser.get(asked.address()).text
    assert cells(page) == want
    assert f"<h1>{len(want)} <small>of 24 images" in page
    assert cells(browser.get("/").text) == [s.id for s in run.samples]


def test_copies_are_called_where_they_were(run: made.Made) -> None:
    """The wall marks exactly the copies; each image's page says yes, no, or not decided."""
    browser = client(run)
    marked = re.findall(
        r'<a href="/image/([^?"]+)(?:(?!</a>).)*?<b class="copy">', browser.get("/").text, re.DOTALL
    )
    called = run.matches.set_index("sample")["copy"]
    assert marked == [s.id for s in run.samples if called.loc[[s.id]].iloc[0] is True]
    assert marked
    named = set(run.matches["sample"][run.matches.single != ""])
    for id in {s.id for s in run.samples} - set(run.blocked):
        assert ("This is the training image" in browser.get(f"/image/{id}").text) == (id in named)
    assert named
    words = {True: "of a training image", False: "Not flagged as a copy", None: "Undecided whether"}
    seen = set()
    for r in run.matches[run.matches.outcome == "label"].itertuples():
        page = browser.get(f"/image/{r.sample}").text
        for answer, said in words.items():
            assert (said in page) == (answer is r.copy), r.sample
        seen.add(r.copy)
    assert seen == set(words)


def test_pages_turn_without_losing_the_filter(tmp_path: Path) -> None:
    """The next link leads through all that fit; beyond the end the last page is shown."""
    big = made.run(tmp_path, n=50, seed=2, images=False)
    browser, seen = client(big), []
    address = "/?arm=none&size=30"
    while address:
        page = browser.get(address).text
        seen += cells(page)
        found = re.search(r'href="([^"]*)" rel="next"', page)
        address = html.unescape(found[1]) if found else ""
    assert seen == [s.id for s in big.samples if s.arm == "none"]
    beyond = browser.get("/?arm=none&size=30&page=999").text
    assert cells(beyond) == seen[30:]


def test_a_filter_without_images_says_so(run: made.Made) -> None:
    """An empty wall is not an error, and says what to do."""
    page = client(run).get("/?words=nobody+has+this").text
    assert "No image matches" in page
    assert cells(page) == []


@pytest.mark.parametrize("address", ["/?page=x", "/?low=abc", "/?sort=nothing", "/?copy=x",
                                     "/image/{id}?page=x"])  # fmt: skip
def test_mistakes_are_told_in_a_sentence(run: made.Made, address: str) -> None:
    """An invalid question gets a page with status 400."""
    answer = client(run).get(address.format(id=run.ids[0]))
    assert answer.status_code == 400
    assert "That did not work" in answer.text


def test_hostile_words_are_text_and_nothing_else(tmp_path: Path) -> None:
    """Markup in prompts, captions and names is escaped wherever it is shown."""
    bad = made.run(tmp_path / '"><script>x', n=6, seed=3, texts=[made.HOSTILE] * 6)
    bad.matches["train_caption"] = made.HOSTILE
    bad.attributes["subject"] = made.HOSTILE
    made.finish(bad.folder, bad.samples, bad.attributes, bad.matches)
    browser = client(bad)
    for address in ("/", f"/image/{bad.ids[0]}", f"/?words={made.HOSTILE}",
                    f"/?subject={made.HOSTILE}", "/?sort=%22%3E%3Cscript%3Ex", "/label",
                    f"/label?rater={made.HOSTILE}"):  # fmt: skip
        page = browser.get(address).text
        assert "<script>" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;" in browser.get("/").text


def picture_of(data: bytes) -> np.ndarray:
    """Encoded bytes as uint8[h, w, 3]."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_pictures_are_the_runs_own(run: made.Made) -> None:
    """Small pictures come back pixel by pixel; a larger one is scaled down and keeps its shape."""
    browser = client(run)
    for id in run.ids[:3]:
        want = run.folder.read_image(id)
        assert np.array_equal(picture_of(browser.get(f"/thumb/{id}").content), want)
        assert np.array_equal(picture_of(browser.get(f"/picture/{id}").content), want)
    big = np.random.default_rng(1).integers(0, 255, (1500, 3000, 3), dtype=np.uint8)
    run.folder.write_image(run.ids[0], big)
    assert picture_of(browser.get(f"/thumb/{run.ids[0]}").content).shape == (128, 256, 3)
    assert picture_of(browser.get(f"/picture/{run.ids[0]}").content).shape == (512, 1024, 3)


def test_a_picture_is_kept_until_its_file_changes(run: made.Made) -> None:
    """An unchanged picture is not sent twice; a changed one is, at once."""
    browser, id = client(run), run.ids[0]
    first = browser.get(f"/thumb/{id}")
    again = browser.get(f"/thumb/{id}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = np.full((24, 24, 3), 7, np.uint8)
    run.folder.write_image(id, other)
    third = browser.get(f"/thumb/{id}", headers={"if-none-match": first.headers["etag"]})
    assert third.status_code == 200
    assert np.array_equal(picture_of(third.content), other)


@pytest.mark.parametrize(
    "id", ["..%2f..%2frun", "../run.json", "%2e%2e/run.json", "none", "%00", "a%2Fb"]
)
def test_paths_cannot_be_asked_for(run: made.Made, id: str) -> None:
    """Only ids of the plan are pictures."""
    browser = client(run)
    for room in ("thumb", "picture", "train", "image", "static"):
        assert browser.get(f"/{room}/{id}").status_code == 404


def test_missing_and_damaged_pictures_are_said_to_be(run: made.Made) -> None:
    """A blocked image has its reason on the wall; a damaged file is a 404, never a crash."""
    browser = client(run)
    assert run.blocked[0] in browser.get("/").text
    assert '<span class="none">blocked</span>' in browser.get("/").text
    assert browser.get(f"/thumb/{run.blocked[0]}").status_code == 404
    run.folder.image_path(run.ids[1]).write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
    assert browser.get(f"/thumb/{run.ids[1]}").status_code == 404
    run.folder.image_path(run.ids[2]).unlink()
    assert "no image" in browser.get(f"/image/{run.ids[2]}").text


def test_a_bomb_is_refused_before_it_opens(run: made.Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of more pixels than the cap is not decoded."""
    monkeypatch.setattr(pixels, "MAX_PIXELS", 100)
    assert client(run).get(f"/thumb/{run.ids[0]}").status_code == 404


def test_the_page_of_an_image_has_all_that_is_known(run: made.Made) -> None:
    """Final text, prompt, arm, seed, readings with scores, the nearest training image."""
    row = next(i for i, s in enumerate(run.samples) if s.arm == "rewrite" and "diverse" in s.text)
    sample = run.samples[row]
    page = client(run, lambda _: np.zeros((8, 8, 3), np.uint8)).get(f"/image/{sample.id}").text
    read = run.attributes[run.attributes["sample"] == sample.id]
    match = run.matches[run.matches["sample"] == sample.id].iloc[0]
    for r in read.itertuples():
        assert (r.value if r.outcome == "label" else f"no label: {r.outcome}") in page
        assert f"{r.score:.2f}" in page
    for words in (sample.text, str(sample.seed), sample.prompt, "rewrite", match.train,
                  f"{match.score:.2f}", f"{match.held_score:.2f}", match.train_caption,
                  sample.text.removesuffix(", diverse"), f"/train/{sample.id}"):  # fmt: skip
        assert html.escape(str(words)) in page
    assert run.samples[row - 12].id in page, "its twin with the same noise"


def test_the_training_image_is_the_nearest_one(run: made.Made) -> None:
    """The image next to it has the id in the matches; without a training set there is none."""
    asked: list[str] = []

    def train(id: str) -> np.ndarray:
        asked.append(id)
        return np.full((9, 9, 3), int(id.rpartition("-")[2]), np.uint8)

    match = run.matches.iloc[4]
    browser = client(run, train)
    assert picture_of(browser.get(f"/train/{match['sample']}").content)[0, 0, 0] == 4
    assert asked == [match.train]
    assert browser.get(f"/train/{run.blocked[0]}").status_code == 404
    assert client(run).get(f"/train/{match['sample']}").status_code == 404


def test_neighbours_on_the_page_are_the_nearest(run: made.Made) -> None:
    """The list is the one that exact cosines give, the image itself left out."""
    page = client(run).get(f"/image/{run.ids[2]}").text
    near = page[page.index('id="h-near"') :]
    cosines = run.vectors.astype(np.float64) @ run.vectors[2].astype(np.float64)
    cosines[2] = -2
    want = [run.ids[i] for i in np.argsort(-cosines)[:12]]
    assert cells(near) == want
    assert f"{cosines.max():.2f}" in near
    assert "clip-aa-training" not in page


def test_images_lead_to_each_other_in_the_order_of_the_wall(run: made.Made) -> None:
    """Next and previous follow the filter, also past images that two arms share."""
    browser = client(run)
    want = [s.id for s in run.samples]
    found = re.search(r'<li class="shot"><a href="([^"]+)"', browser.get("/").text)
    seen: list[str] = []
    address = html.unescape(found[1]) if found else ""
    while address and len(seen) < 100:
        page = browser.get(address).text
        seen.append(address.split("/")[2].split("?")[0])
        step = re.search(r'href="([^"]*)" rel="next"', page)
        address = html.unescape(step[1]) if step else ""
    assert seen == want


def test_a_run_that_grew_is_read_again(run: made.Made) -> None:
    """What a later run added is there at the next page."""
    browser = client(run)
    assert "of 24 images" in browser.get("/").text
    more = [*run.samples, Sample("f" * 20, "p/0", "none", 5, "a new picture")]
    made.finish(run.folder, more, run.attributes, run.matches)
    page = browser.get("/?words=new+picture").text
    assert "of 25 images" in page
    assert cells(page) == ["f" * 20]


def test_pictures_made_elsewhere_are_shown(tmp_path: Path, run: made.Made) -> None:
    """A run over a folder shows its pictures; a name that leads out of it is refused."""
    place = tmp_path / "theirs"
    place.mkdir()
    theirs = np.full((10, 12, 3), 99, np.uint8)
    (place / "a.png").write_bytes(pixels.png(theirs))
    (tmp_path / "secret.png").write_bytes(pixels.png(theirs))
    results = run.folder.results() | {
        "images": str(place), "pictures": {run.ids[0]: "a.png", run.ids[1]: "../secret.png"},
    }  # fmt: skip
    run.folder.write_results(results)
    browser = client(run)
    assert np.array_equal(picture_of(browser.get(f"/picture/{run.ids[0]}").content), theirs)
    assert browser.get(f"/picture/{run.ids[1]}").status_code == 404
    assert browser.get(f"/picture/{run.ids[2]}").status_code == 404


Post = Callable[..., int]


@pytest.fixture
def post(run: made.Made) -> Post:
    """Post a label with headers of choice; gives the status."""
    write_sheet(run.folder, 4, ["gender"], 0)
    drawn = json.loads(run.folder.label_file(RECORD).read_bytes())["rows"]
    body = {"rater": "ab", "sample": drawn["sample"][0], "attribute": "gender", "value": "man"}
    browser = client(run)

    def send(
        change: dict[str, object] | None = None, headers: dict[str, str] | None = None,
        content: str | None = None,
    ) -> int:  # fmt: skip
        usual = {"origin": HERE, "content-type": "application/json"}
        sent = {k: v for k, v in (usual | (headers or {})).items() if v}
        text = json.dumps(body | (change or {})) if content is None else content
        return browser.post("/labels", content=text, headers=sent).status_code

    return send


def kept(run: made.Made) -> list[dict[str, str]]:
    """All labels of the journal, in order."""
    path = run.folder.label_file("journal.jsonl")
    return [json.loads(x) for x in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": ""}, 403), ({"origin": "null"}, 403), ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9"}, 403), ({"origin": f"https://127.0.0.1:{PORT}"}, 403),
        ({"origin": f"http://localhost:{PORT}"}, 403), ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415), ({"content-type": ""}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"origin": f"http://localhost:{PORT}", "host": f"localhost:{PORT}"}, 200),
        ({"origin": HERE.upper()}, 403),
    ],
)  # fmt: skip
def test_labels_are_taken_from_our_own_page_alone(
    run: made.Made, post: Post, headers: dict[str, str], status: int
) -> None:
    """Another origin, another name of this one, a form's content type or none write nothing."""
    assert post(headers=headers) == status
    assert len(kept(run)) == (status == 200)


@pytest.mark.parametrize(
    ("change", "content"),
    [
        ({"value": "wommen"}, None), ({"sample": "none"}, None), ({"attribute": "skin_tone"}, None),
        ({"rater": ""}, None), ({"rater": "=cmd()"}, None), ({"rater": "a" * 41}, None),
        ({"value": 3}, None), ({"more": "x"}, None), ({}, "[]"), ({}, "no"), ({}, "[" * 3000),
        ({"rater": "a\nb,c"}, None),
    ],
)  # fmt: skip
def test_labels_that_are_none_are_refused(
    run: made.Made, post: Post, change: dict[str, object], content: str | None
) -> None:
    """A word, picture, attribute or rater that the draw does not allow is refused with a reason."""
    assert post(change, content=content) == 400
    assert kept(run) == []


def test_a_long_body_is_not_read(run: made.Made, post: Post) -> None:
    """A label of megabytes is refused by its length."""
    assert post({"value": "x" * 5000}) == 413
    assert kept(run) == []


@pytest.mark.parametrize(
    "headers",
    [{"transfer-encoding": "chunked", "content-length": "10"}, {"transfer-encoding": "identity"},
     {"content-length": "10"}, {"content-length": "4096"}],
)  # fmt: skip
def test_a_body_is_not_read_beyond_the_cap_whatever_it_states(
    run: made.Made, post: Post, headers: dict[str, str]
) -> None:
    """Another transfer encoding is refused, and a body longer than it says is not read on."""
    assert post({"value": "x" * 5000}, headers=headers) == 413
    assert kept(run) == []


def test_the_queue_is_blind(run: made.Made, post: Post) -> None:
    """Neither page nor data of the queue hold what was read, asked or drawn."""
    browser = client(run)
    page, data = browser.get("/label?rater=ab").text, browser.get("/labels?rater=ab").json()
    assert set(data) == {"rater", "items", "classes", "colours", "reasons", "said"}
    assert data["said"] == {}
    samples = [i[1] for i in data["items"]]
    for s in run.samples:
        assert s.text not in page
        assert s.text not in json.dumps(data)
    assert data["classes"] == {"gender": ["woman", "man"]}
    assert len(samples) == 4


def test_without_a_draw_the_page_says_how_to_make_one(run: made.Made) -> None:
    """Without a draw the page has the command, not an error."""
    browser = client(run)
    assert f"t2i-audit label {run.folder.path}" in browser.get("/label").text
    assert browser.get("/labels?rater=ab").status_code == 400


def test_commands_to_be_copied_are_quoted(tmp_path: Path) -> None:
    """A folder whose name a shell would run is quoted."""
    bad = made.run(tmp_path / "$(touch x); a", n=4, images=False)
    page = html.unescape(client(bad).get("/label").text)
    assert f"t2i-audit label '{bad.folder.path}'" in page
