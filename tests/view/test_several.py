"""A folder of runs, and two arms side by side, through HTTP."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from audit.errors import UserError
from audit.records import to_json
from audit.runs import catalogue
from audit.store import RunFolder
from audit.view import app, desk, several
from tests.view import made
from tests.view.test_app import HERE, KEY, PORT, client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, one that goes on, one that is damaged, and a folder without a run."""
    place = tmp_path_factory.mktemp("runs")
    run = made.run(place / "first", n=12, seed=8)
    run.folder.write_findings(to_json([]))
    (place / "going-on").mkdir()
    shutil.copy(run.folder.path / "run.json", place / "going-on")
    shutil.copytree(run.folder.path, place / "damaged")
    (place / "damaged" / "results.json").write_text("{")
    (place / "other").mkdir()
    return place


@pytest.fixture
def browser(folder: Path) -> TestClient:
    """A browser that knows the key."""
    found = catalogue.runs(folder)
    open_ = several.build(found, lambda x: desk.Desk(RunFolder(x.folder)), PORT, KEY)
    made_ = TestClient(open_, base_url=HERE, follow_redirects=False)
    assert made_.get(f"/?token={KEY}").status_code == 303
    return made_


def test_runs_are_listed_with_what_is_known(folder: Path) -> None:
    """The finished, the unfinished and the damaged one; a run is a list of itself."""
    found = {x.folder.name: x for x in catalogue.runs(folder)}
    assert set(found) == {"first", "going-on", "damaged"}
    assert found["first"].run
    assert not found["going-on"].run
    assert found["going-on"].headline == "Not finished."
    assert {x.suite for x in found.values()} == {"small"}
    assert [x.folder for x in catalogue.runs(folder / "first")] == [folder / "first"]
    with pytest.raises(UserError, match="is a run"):
        catalogue.runs(folder / "other")


def test_every_address_of_a_listed_run_is_its_own(folder: Path, browser: TestClient) -> None:
    """The list leads to each run; its links, images and filters stay below its address."""
    page = browser.get("/").text
    names = [x.folder.name for x in catalogue.runs(folder)]
    at = names.index("first")
    assert f'href="/run/{at}/"' in page
    assert f'href="/run/{names.index("going-on")}/"' not in page
    wall = browser.get(f"/run/{at}/").text
    inside = re.findall(r'(?:href|src|action)="(/[^"]*)"', wall)
    assert {a for a in inside if not a.startswith(f"/run/{at}/")} == {"/"}
    assert len([a for a in inside if "/image/" in a]) == 24
    for address in [a for a in inside if "/image/" in a or "/thumb/" in a][:6]:
        assert browser.get(address.replace("&amp;", "&")).status_code in (200, 404)
    image = next(a for a in inside if "/image/" in a).replace("&amp;", "&")
    links = re.findall(r'(?:href|src)="(/[^"]*)"', browser.get(image).text)
    assert {a for a in links if not a.startswith(f"/run/{at}/")} == {"/"}
    damaged = browser.get(f"/run/{names.index('damaged')}/")
    assert damaged.status_code == 400
    assert "is damaged" in damaged.text
    assert browser.get("/run/99/").status_code == 404


def test_labels_are_written_only_to_a_run(browser: TestClient) -> None:
    """A POST elsewhere is refused, and one to a run needs its origin as ever."""
    assert browser.post("/run/0/picture/x", json={}).status_code == 405
    assert browser.post("/run/x/labels", json={}).status_code == 405
    assert browser.post("/run/0/labels", json={}).status_code == 403


def test_two_arms_are_shown_pair_by_pair(tmp_path: Path) -> None:
    """Left and right share prompt and seed; filters keep both or neither."""
    run = made.run(tmp_path / "run", n=12, seed=8)
    here = client(run)
    assert "/sides" in here.get("/").text
    page = here.get("/sides").text
    ids = re.findall(r'<li class="shot"><a href="/image/([^?"]+)', page)
    by_id = {s.id: s for s in run.samples}
    pairs = [*zip(ids[::2], ids[1::2], strict=True)]
    assert len(pairs) == 12
    for one, other in pairs:
        a, b = by_id[one], by_id[other]
        assert (a.prompt, a.seed) == (b.prompt, b.seed)
    swapped = here.get("/sides", params={"a": "rewrite", "b": "none"}).text
    again = re.findall(r'<li class="shot"><a href="/image/([^?"]+)', swapped)
    assert sorted(zip(again[1::2], again[::2], strict=True)) == sorted(pairs)
    read = run.attributes[run.attributes.attribute == "gender"].drop_duplicates("sample")
    known = {r.sample: (r.outcome, r.value) for r in read.itertuples()}
    differ = here.get("/sides", params={"differ": "gender"}).text
    shown = len(re.findall(r'<li class="shot">', differ)) // 2
    assert shown == sum(known[a] != known[b] for a, b in pairs) > 0
    assert here.get("/sides", params={"a": "nothing"}).status_code == 400
    subject = here.get("/sides", params={"subject": "nurse"}).text
    assert 0 < subject.count('<li class="shot">') < 24


def test_a_run_of_one_arm_has_no_sides(tmp_path: Path) -> None:
    """The link is missing, and the address says why."""
    run = made.run(tmp_path / "run", n=4, seed=8)
    run.folder.write_plan([s for s in run.samples if s.arm == "none"])
    here = TestClient(app.build(desk.Desk(run.folder), PORT, KEY), base_url=HERE)
    here.get(f"/?token={KEY}")
    assert "/sides" not in here.get("/").text
    answer = here.get("/sides")
    assert answer.status_code == 400
    assert "one arm only" in answer.text
