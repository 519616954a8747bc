"""Files of a run that are damaged, or valid and of another form: a sentence from every verb."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from starlette.testclient import TestClient

from audit.errors import UserError
from audit.findings import gates
from audit.records import Settings
from audit.report import from_folder
from audit.report.exports import card, evidence, tables
from audit.runs import comparing, labelling
from audit.store import RunFolder
from audit.view import app, desk
from tests.builders import runs
from tests.builders.damage import BYTES, another_form
from tests.report.made import Size
from tests.report.made import evidence as shown
from tests.report.test_from_folder import written
from tests.view import made

KEY = "k" * 43
Use = Callable[[Path], object]


def check(path: Path) -> object:
    """What `check` reads."""
    folder = RunFolder(path)
    texts = [*folder.checks(), "representation.nurse.gender.share.woman >= 10 %"]
    from audit.design.suites import conditions

    return gates.to_json(gates.check([conditions.parse(t) for t in texts], folder.findings()))


def export(path: Path) -> object:
    """Every format of `export`."""
    folder = RunFolder(path)
    tables.write(folder, "csv", path / "exported")
    found = folder.findings()
    evidence.markdown(found, "run")
    return card.card(found, folder.manifest())


def compare(path: Path) -> object:
    """`compare` with another run."""
    a, b = comparing.read(path, "A"), comparing.read(path.parent / "other", "B")
    return comparing.compare(a, b, anyway=True)


def view(path: Path) -> object:
    """The pages of `view` and a label; none may answer 500."""
    site = app.build(desk.Desk(RunFolder(path), None), 8123, KEY)
    browser = TestClient(site, base_url="http://127.0.0.1:8123", raise_server_exceptions=True)
    browser.get(f"/?token={KEY}")
    images = [p.stem for p in sorted(path.glob("images/*/*.png"))[:2]]
    places = ["/", "/?order=near", "/label", "/labels?rater=ann", *(f"/image/{i}" for i in images)]
    for place in [*places, *(f"/thumb/{i}" for i in images)]:
        assert browser.get(place).status_code < 500
    return None


def label(path: Path) -> object:
    """`label`, and `label --read` of a filled sheet."""
    folder = RunFolder(path)
    with suppress(UserError):
        labelling.write_sheet(folder, 4, [], 0)
    return labelling.read_back(folder, [path.parent / "filled.csv"])


def report(path: Path) -> object:
    """`report`."""
    folder = RunFolder(path)
    return from_folder.render(folder, folder.read_image, None, "none", path.parent / "out.html")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs for each verb: with findings, with images and labels, and with a report's facts."""
    root = tmp_path_factory.mktemp("finished")
    for name in ("check", "compare", "export"):
        runs.write(root / name / "run", runs.Plan(seeds=3))
    runs.write(root / "compare" / "other", runs.Plan(model="two", seeds=3, seed=1))
    for name in ("view", "label"):
        folder = made.run(root / name / "run", n=12, seed=8).folder
        labelling.write_sheet(folder, 4, [], 0)
    filled = pd.read_csv(root / "label" / "run" / "labels" / "sheet.csv", dtype=str)
    filled["value"] = filled.attribute.map(lambda a: made.CLASSES[a][0])
    filled.to_csv(root / "label" / "filled.csv", index=False)
    one = shown(Size(subjects=("nurse", "cook"), seeds=2, captions=8))
    written(one, root / "report" / "run")
    return root


VERBS: dict[Use, tuple[str, ...]] = {
    check: ("findings.json", "results.json"),
    export: ("findings.json", "results.json", "run.json", "tables/*.parquet"),
    compare: ("findings.json", "results.json", "run.json", "plan.jsonl", "tables/*.parquet"),
    view: ("results.json", "run.json", "plan.jsonl", "labels/drawn.json", "labels/journal.jsonl",
           "tables/*.parquet", "vectors/*/*.npz", "images/*/*.png", "images/*/*.why"),
    label: ("results.json", "plan.jsonl", "tables/*.parquet", "images/*/*.png"),
    report: ("page.json", "findings.json", "run.json", "plan.jsonl", "results.json"),
}  # fmt: skip
DRAWS = 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use", "pattern"),
    [(use, pattern) for use, patterns in VERBS.items() for pattern in patterns],
    ids=lambda x: x if isinstance(x, str) else x.__name__,
)
def test_any_damage_is_a_sentence_or_harmless(
    use: Use, pattern: str, finished: Path, tmp_path: Path
) -> None:
    """Bytes of every kind of damage, and JSON of another form: no other exception, no page of 500.

    Another draw for each verb and file.
    """
    shutil.copytree(finished / use.__name__, tmp_path / "now")
    path, chance = tmp_path / "now" / "run", random.Random(f"{use.__name__} {pattern}")
    if pattern.endswith("journal.jsonl"):
        rows = [{"rater": "ann", "sample": "x", "attribute": "gender", "value": "man"}] * 3
        (path / pattern).write_text("".join(json.dumps(r) + "\n" for r in rows))
    use(path)
    victim, said = sorted(path.glob(pattern))[0], []
    data = victim.read_bytes()
    for turn in range(DRAWS if use is not report else DRAWS // 3):
        victim.write_bytes(harmed(victim, data, turn, chance))
        try:
            use(path)
        except UserError as error:
            said.append(str(error))
        victim.write_bytes(data)
    assert all(len(s) < 2000 and s.endswith((".", "?")) for s in said), said


def harmed(victim: Path, data: bytes, turn: int, chance: random.Random) -> bytes:
    """The bytes of a file after the damage of a turn."""
    if turn % 2 and victim.suffix in (".json", ".jsonl"):
        lines = data.decode().splitlines(keepends=True)
        if victim.suffix == ".json":
            return another_form(data.decode(), chance).encode()
        at = chance.randrange(len(lines))
        lines[at] = another_form(lines[at], chance) + "\n"
        return "".join(lines).encode()
    return BYTES[chance.choice([*BYTES])](data, chance)


@pytest.mark.slow
def test_a_run_of_a_later_format_is_left_alone(finished: Path, tmp_path: Path) -> None:
    """Its sentence says that a newer version made it; unknown fields are named."""
    shutil.copytree(finished / "check" / "run", tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    body = json.loads((folder.path / "findings.json").read_text())
    body["findings"][0]["resolution"] = 1
    (folder.path / "findings.json").write_text(json.dumps(body))
    with pytest.raises(UserError, match=r"findings\.json is damaged: .*\(resolution\).*newer"):
        folder.findings()
    (folder.path / "findings.json").write_text(json.dumps(body | {"schema": 3}))
    with pytest.raises(UserError, match=r"have schema 3: a newer version"):
        folder.findings()
    body = json.loads((folder.path / "run.json").read_text()) | {"format": 2}
    (folder.path / "run.json").write_text(json.dumps(body))
    one = runs.suite(runs.Plan(seeds=3))
    for use in (folder.manifest, lambda: folder.write_manifest(one, runs_settings(), {})):
        with pytest.raises(UserError, match=r"format 2: a newer version of t2i-audit.*--out"):
            use()
    assert json.loads((folder.path / "run.json").read_text()) == body


def runs_settings() -> Settings:
    """Settings of any run."""
    return Settings("m", "r", 1, 1.0, 1)
