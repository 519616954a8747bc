"""`index` and `search` from the command line, on the world, whose copies are known."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import kstest
from typer.testing import CliRunner

from audit import registry
from audit.cli import main as cli
from audit.datasets import pixels
from audit.datasets.find import find
from audit.design.suites import read_suite
from audit.errors import UserError
from audit.evidence.copies import decision, training_set
from audit.evidence.copies.index import build, load
from audit.evidence.encoders import named
from audit.runs import searching
from audit.runs.options import Options
from audit.runs.planning import open_run
from audit.world.export import render_set
from tests.evidence.copies import made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 training and 300 held-out images of the world, and their index."""
    root = tmp_path_factory.mktemp("searching")
    for name, folder in (("train", "train"), ("twin", "held")):
        render_set(name, root / folder, 300)
    result = CliRunner().invoke(
        cli.app,
        ["index", str(root / "train" / "images"), "--held-out", str(root / "held" / "images"),
         "--out", str(root / "idx"), "--device", "cpu", "--coverage", "0.25", "--json",
         "--descriptor", "embedded-copy"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    assert (body["images"], body["held_out"], body["unreadable"]) == (300, 300, 0)
    assert body["sides"]["rule"] in ("twin", "subsets")
    assert result.stderr.splitlines()[-1][1:-1] == body["sides"]["words"][1:]
    return root


def disguised(path: Path, out: Path) -> Path:
    """A copy, slightly cropped and saved as a poor JPEG."""
    with Image.open(path) as image:
        image.crop((2, 2, 62, 62)).convert("RGB").save(out, quality=40)
    return out


def run(*arguments: str) -> dict[str, Any]:
    """The JSON of a search."""
    result = CliRunner().invoke(cli.app, ["search", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_disguised_copy_is_found_and_a_stranger_is_not(place: Path, tmp_path: Path) -> None:
    """The source comes first, with p at the null's floor; a held-out image is not a copy."""
    sources = sorted((place / "train" / "images").rglob("*.png"))[::60]
    for i, path in enumerate(sources):
        disguised(path, tmp_path / f"{i}.jpg")
    body = run(str(tmp_path), "-i", str(place / "idx"), "-k", "2")
    first = [m for m in body["matches"] if m["rank"] == 1]
    assert [m["image"] for m in first] == [p.name for p in sources]
    assert {m["verdict"] for m in first} <= {"copy", "this training image"}
    assert {m["single"] for m in first} <= {"", "nearly identical pixels"}
    assert [m["p"] for m in first] == pytest.approx([1 / 301] * 5)
    assert all(m["verdict"] == "" and m["p"] is None for m in body["matches"] if m["rank"] == 2)
    assert (body["searched"], body["held_out"], body["coverage"]) == (300, 300, 0.25)
    stranger = sorted((place / "held" / "images").rglob("*.png"))[5]
    (only,) = run(str(stranger), "-i", str(place / "idx"), "-k", "1")["matches"]
    assert only["verdict"] == "no copy found"


def test_p_is_uniform_where_nothing_was_copied(place: Path) -> None:
    """New images of the same kind, in neither set, have p as expected by chance."""
    from audit.world.dataset import balanced

    pictures = tuple(i.pixels() for i in balanced((5, 5), 250))
    names = tuple(map(str, range(250)))
    index = load(place / "idx")
    encoder = named.named("embedded-copy")
    by = searching.compared(index, encoder)
    assert by.choice in ("twin", "subsets")
    table = searching.search(index, encoder, searching.Question(names, pictures, {}), 1, by)
    assert (table.verdict == "copy").mean() < 0.03
    assert not (table.single != "").any()
    # Balanced images have other shares than the sets, so p is only roughly uniform.
    assert kstest(table.p, "uniform").statistic < 0.2
    half = np.arange(300) % 2 == 0
    scores = decision.null(index, 0)
    inside = (1 + (scores[half][None] >= scores[~half][:, None]).sum(1)) / 151
    assert kstest(inside, "uniform").pvalue > 0.001


@pytest.mark.parametrize("asked", [1, 7, 60, 250])
def test_an_identical_image_is_named_among_any_number(place: Path, asked: int) -> None:
    """The training image itself, whatever the rest are; and nothing else is said to be none.

    300 held-out images can single out one of 15 images at most.
    """
    train = sorted((place / "train" / "images").rglob("*.png"))
    held = sorted((place / "held" / "images").rglob("*.png"))
    paths = [train[asked], *[p for p in held if p != train[asked]][: asked - 1]]
    index, encoder = load(place / "idx"), named.named("embedded-copy")
    by = searching.compared(index, encoder)
    table = searching.search(index, encoder, searching.ask(paths), 1, by).set_index("query")
    own = table.loc[str(paths[0])]
    assert (own.verdict, own.single) == ("this training image", "identical pixels")
    assert own.image == train[asked].name
    rest = set(table.verdict[1:])
    able = asked / (len(decision.null(index, 0)) + 1) <= 0.05
    assert rest <= ({"no copy found", "copy"} if able else {"cannot be flagged"})


def test_many_questions_leave_none_said_to_copy_nothing() -> None:
    """Verdicts from q alone: with one that is flagged the next needs less; never too early."""
    q = np.array([0.01, 0.3, 0.9])
    said = searching._verdicts(["", "", "identical pixels"], q, 100, True)
    assert said == ["copy", "no copy found", "this training image"]
    said = searching._verdicts([""] * 2000, np.ones(2000), 5000, True)
    assert set(said) == {"cannot be flagged"}
    said = searching._verdicts([""] * 2000, np.ones(2000), 40000, True)
    assert set(said) == {"no copy found"}
    assert searching._verdicts([""], np.array([np.nan]), 0, False) == ["not calibrated"]
    assert searching._verdicts([""], np.array([np.nan]), 0, True) == ["cannot be flagged"]


def test_words_for_people(place: Path, tmp_path: Path) -> None:
    """Without --json: a line of verdict, the nearest with captions, and what was searched."""
    copy = disguised(sorted((place / "train" / "images").rglob("*.png"))[3], tmp_path / "x.jpg")
    (tmp_path / "bad.png").write_text("no picture")
    result = CliRunner().invoke(cli.app, ["search", str(tmp_path), "-i", str(place / "idx")])
    assert result.exit_code == 0, result.output
    assert f"{copy}: copy (p = 0.0033, q = 0.0033)" in result.output
    assert "bad.png: unreadable (not an image in a known format)" in result.output
    assert "25.00% of the training set" in result.output


def test_without_a_held_out_set_nothing_is_called_a_copy(tmp_path: Path) -> None:
    """Scores are shown, the verdict says that there is none, and how to get one."""
    made.folder(tmp_path / "train", made.pictures(5, 1))
    build({"train": find(tmp_path / "train")}, named.named("phash"), tmp_path / "idx",
          how={"descriptor": "phash"})  # fmt: skip
    result = CliRunner().invoke(
        cli.app, ["search", str(tmp_path / "train" / "002.png"), "-i", str(tmp_path / "idx")]
    )
    assert "002.png: this training image (identical pixels)" in result.output
    assert "index --held-out" in result.output
    other = made.folder(tmp_path / "other", made.pictures(1, 9)) / "000.png"
    asked = ["search", str(other), "-i", str(tmp_path / "idx")]
    assert "000.png: not calibrated" in CliRunner().invoke(cli.app, asked).output
    assert "1.000  002.png  caption 2" in result.output


@pytest.mark.parametrize(
    ("what", "said"),
    [("missing.png", "There is nothing at"), ("empty", "there is no image"),
     ("bad.png", "None of the images can be read")],
)  # fmt: skip
def test_a_question_without_pictures_is_one_sentence(what: str, said: str, tmp_path: Path) -> None:
    """A missing path, an empty folder, and no readable images."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.png").write_text("no")
    with pytest.raises(UserError, match=said):
        searching.ask([tmp_path / what])


@pytest.mark.parametrize("pairs", [0, 2])
def test_what_a_set_holds_twice_is_listed(pairs: int, tmp_path: Path) -> None:
    """Images under two names, among others: in the table and in the JSON, and nothing else."""
    some = made.pictures(12, 5 + pairs)
    made.folder(tmp_path / "train", [*some, *some[:pairs]])
    command = ["index", str(tmp_path / "train"), "-o", str(tmp_path / "idx"), "--descriptor",
               "pixels", "--duplicates", "--json", "-q"]  # fmt: skip
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    groups = json.loads(result.stdout)["duplicates"]
    assert (groups["clusters"], groups["images"]) == (pairs, 2 * pairs)
    table = pd.read_csv(tmp_path / "idx" / "duplicates.csv")
    assert set(table.image) == {f"{i:03}.png" for p in range(pairs) for i in (p, 12 + p)}


def test_unreadable_images_are_listed(tmp_path: Path) -> None:
    """The index counts them and writes a table of reasons."""
    made.folder(tmp_path / "train", made.pictures(5, 1))
    (tmp_path / "train" / "bad,name.png").write_text("no picture")
    command = ["index", str(tmp_path / "train"), "-o", str(tmp_path / "idx"), "--descriptor",
               "pixels", "--half"]  # fmt: skip
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    assert "1 image has no vector" in result.output
    assert (tmp_path / "idx" / "unreadable.csv").read_text() == (
        'file,reason,prompt\n"bad,name.png",not an image in a known format,\n'
    )


def test_what_was_assumed_is_said_once(tmp_path: Path) -> None:
    """Rows of captions without an image, for either side; nothing of it in the result."""
    for side in ("train", "held"):
        made.folder(tmp_path / side, made.pictures(5, 1))
        (tmp_path / side / "metadata.csv").write_text("file_name,text\n000,a\nx.png,b\n")
    command = ["index", str(tmp_path / "train"), "--held-out", str(tmp_path / "held"), "-o",
               str(tmp_path / "idx"), "--descriptor", "pixels"]  # fmt: skip
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    said = "1 of 2 rows of metadata.csv name images that are not here (x.png)."
    assert result.stderr.count(said) == 1
    assert said not in result.stdout


def test_an_index_is_a_training_set_of_a_run(place: Path) -> None:
    """`--corpus INDEX`: descriptor, entries and images come from it; another twin is refused."""
    options = Options(corpus=place / "idx", device="cpu")
    corpus = open_run(read_suite("world"), options).plan.corpus
    assert corpus.descriptor == "embedded-copy"
    index = corpus.index(named.named("embedded-copy"), place / "unused", lambda a, b: None)
    entry = index.train.entry(0)
    known = pixels.read(place / "train" / "images" / entry.id)
    np.testing.assert_array_equal(corpus.image(entry.id), known)
    with pytest.raises(UserError, match="is an index already"):
        open_run(read_suite("world"), Options(corpus=place / "idx", held_out=place))
    with pytest.raises(UserError, match="cannot be compared"):
        corpus.index(named.named("phash"), place / "unused", lambda a, b: None)


def test_a_training_set_that_moved_away_has_no_pictures(tmp_path: Path) -> None:
    """The index still works; an image of the set is unreadable, with the reason."""
    made.folder(tmp_path / "train", made.pictures(5, 1))
    build({"train": find(tmp_path / "train")}, named.named("phash"), tmp_path / "idx")
    (tmp_path / "train").rename(tmp_path / "elsewhere")
    gone = training_set.at(tmp_path / "idx", None, lambda name: registry.load("corpus", name)())
    with pytest.raises(pixels.Unreadable, match="no longer where it was indexed"):
        gone.image("000.png")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("phash", "PerceptualHash"), ("pixels", "Pixels"), ("embedded-copy", "CopyEncoder"),
     ("dino:facebook/dinov2-small", "Dino"), ("timm:resnet10t", "Dino"),
     ("clip:ViT-B-32/openai", "ClipEncoder"), ("ViT-B-32/openai", "ClipEncoder"),
     ("local-dir:/nowhere", "ClipEncoder")],
)  # fmt: skip
def test_encoders_have_names(name: str, kind: str) -> None:
    """Registered names, kinds, and open_clip's own."""
    assert type(named.named(name)).__name__ == kind


@pytest.mark.parametrize(
    ("name", "said"),
    [("phas", "phash"), ("sscd:/nowhere.pt", "There is no SSCD file"), ("no.module:x", "imported")],
)
def test_a_wrong_encoder_is_one_sentence(name: str, said: str) -> None:
    """Near names, missing files, and missing modules."""
    with pytest.raises(UserError, match=said):
        named.named(name)


def test_the_page_of_a_search_shows_what_was_found(place: Path, tmp_path: Path) -> None:
    """The copy comes first with its source, numbers are the table's, a hostile name is text."""
    source = sorted((place / "train" / "images").rglob("*.png"))[7]
    stranger = sorted((place / "held" / "images").rglob("*.png"))[11]
    asked = tmp_path / "asked"
    asked.mkdir()
    shutil.copy(stranger, asked / "a.png")
    disguised(source, asked / "b<img src=x onerror=alert(1)>.jpg")
    (asked / "c.png").write_bytes(b"no picture")
    page = tmp_path / "deep" / "page.html"
    body = run(str(asked), "--index", str(place / "idx"), "-k", "2", "--page", str(page))
    html = page.read_text("utf-8")
    first = next(m for m in body["matches"] if m["query"].endswith(".jpg") and m["rank"] == 1)
    assert first["verdict"] in ("copy", "this training image")
    assert first["p_low"] <= first["p"] <= first["p_high"]
    assert html.index("b&lt;img src=x") < html.index("a.png")
    assert "<img src=x" not in html
    assert all(f"Cosine {m['score']:.3f}" in html for m in body["matches"])
    assert html.count("data:image/webp") == 6  # two images, each with two neighbours
    assert "c.png could not be read" in html
    assert not re.findall(r"(?:src|href)=.https?:", html)


def test_a_page_without_held_out_images_calls_nothing_a_copy(place: Path, tmp_path: Path) -> None:
    """No null, no verdict: the page says what is missing and still shows the neighbours."""
    made_index = CliRunner().invoke(
        cli.app, ["index", str(place / "train" / "images"), "--out", str(tmp_path / "bare"),
                  "--device", "cpu", "-q"],
    )  # fmt: skip
    assert made_index.exit_code == 0, made_index.output
    source = sorted((place / "held" / "images").rglob("*.png"))[3]
    page = tmp_path / "page.html"
    run(str(source), "--index", str(tmp_path / "bare"), "--page", str(page))
    html = page.read_text("utf-8")
    assert "Not calibrated" in html
    assert "Flagged as a copy" not in html
    assert html.count("data:image/webp") == 4


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 training and 80 held-out images of the world, indexed whole and by parts."""
    root = tmp_path_factory.mktemp("parts")
    for name, folder in (("train", "train"), ("twin", "held")):
        render_set(name, root / folder, 80)
    for descriptor, out in (("embedded-copy", "whole"), ("local:embedded-copy", "local")):
        result = CliRunner().invoke(
            cli.app,
            ["index", str(root / "train" / "images"), "--held-out", str(root / "held" / "images"),
             "--out", str(root / out), "--descriptor", descriptor, "--device", "cpu"],
        )  # fmt: skip
        assert result.exit_code == 0, result.output
    return root


def scene(part: Path, ground: Path, rng: np.random.Generator) -> np.ndarray:
    """The middle of one image pasted near a corner of another, not on the grid."""
    picture, own = pixels.read(ground).copy(), pixels.read(part)
    half = len(own) // 2
    top, left = (np.abs(c * (len(own) - half) - rng.integers(0, 4)) for c in rng.integers(0, 2, 2))
    down, along = len(own) // 4 + rng.integers(-3, 4, 2)
    picture[top : top + half, left : left + half] = own[down:, along:][:half, :half]
    return picture


def test_a_stolen_part_is_found_by_a_local_index_alone(parts: Path, tmp_path: Path) -> None:
    """Parts of training images in held-out scenes: found, framed and above chance."""
    train = sorted((parts / "train" / "images").rglob("*.png"))
    held = sorted((parts / "held" / "images").rglob("*.png"))
    rng = np.random.default_rng(11)
    picked, grounds = rng.permutation(80)[:12], rng.permutation(80)[:12]
    for i, (p, g) in enumerate(zip(picked, grounds, strict=True)):
        Image.fromarray(scene(train[p], held[g], rng)).save(tmp_path / f"{i:02}.png")
    found = {}
    for index in ("local", "whole"):
        body = run(str(tmp_path), "-i", str(parts / index), "-k", "1", "--device", "cpu")
        found[index] = [
            m["image"] == train[p].name for m, p in zip(body["matches"], picked, strict=True)
        ]
        if index == "local":
            assert all(len(m["part"]) == len(m["source_part"]) == 4 for m in body["matches"])
            right = [m for m, ok in zip(body["matches"], found[index], strict=True) if ok]
            assert np.median([m["p"] for m in right]) < 0.1
    assert sum(found["local"]) >= 9
    assert sum(found["whole"]) <= sum(found["local"]) - 6


def test_local_search_is_what_all_pairs_of_crops_give(parts: Path) -> None:
    """Top 5 of stored rows against a loop over pairs of crops of the images."""
    index, encoder = load(parts / "local"), named.named("local:embedded-copy")
    some = [pixels.read(p) for p in sorted((parts / "held" / "images").rglob("*.png"))[:6]]
    scores, where = index.train.nearest(encoder.images(some), 5)
    train = [pixels.read(parts / "train" / "images" / e.id) for e in index.train.entries]
    own, other = encoder.crops(some), encoder.crops(train)
    every = np.array([[(a @ b.T).max() for b in other] for a in own])
    np.testing.assert_allclose(scores, -np.sort(-every, axis=1)[:, :5], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(every, where, 1), scores, atol=1e-5)
    assert index.crops == encoder.count == 14


def test_a_local_index_refuses_what_it_cannot_do(parts: Path, tmp_path: Path) -> None:
    """Lists of compressed vectors, whole-image queries and embeddings: one sentence each."""
    picture = next((parts / "held" / "images").rglob("*.png"))
    command = ["search", str(picture), "-i", str(parts / "local"), "--search", "ivf-sq8"]
    with pytest.raises(UserError, match="all compared"):
        CliRunner().invoke(cli.app, command, catch_exceptions=False)
    with pytest.raises(UserError, match="cannot be compared"):
        load(parts / "local").check(named.named("embedded-copy"))
    made.embeddings(tmp_path / "train", np.eye(8, dtype=np.float32))
    with pytest.raises(UserError, match="needs images to cut"):
        build({"train": find(tmp_path / "train")}, named.named("local:pixels"), tmp_path / "i")


def test_the_page_frames_the_parts(parts: Path, tmp_path: Path) -> None:
    """Both images of a match are shown with the part framed, and the page states its limits."""
    picture = next((parts / "held" / "images").rglob("*.png"))
    command = [
        "search",
        str(picture),
        "-i",
        str(parts / "local"),
        "--page",
        str(tmp_path / "p.html"),
    ]
    assert CliRunner().invoke(cli.app, command).exit_code == 0
    text = (tmp_path / "p.html").read_text("utf-8")
    assert "of the framed parts" in text
    assert "Parts of images were compared" in text
