"""What strangers made is data: hostile suites, indexes, runs, images and models, under a hook."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audit.world
from audit import registry
from audit.cli import shared
from audit.datasets import pixels
from audit.datasets.folder import Folder
from audit.design import suites
from audit.errors import Untrusted, UserError, harmless
from audit.evidence.encoders import named
from audit.files import inside
from audit.report import wording
from audit.runs import labelling
from audit.store import RunFolder
from tests.builders import runs
from tests.builders.running import SETTINGS
from tests.builders.suites import TOML
from tests.report.test_wording import SHARE

CASES = Path(__file__).parent / "cases" / "fuzz"
GENERATOR = Path(audit.world.__file__).parent / "assets" / "generator"
SECRET = "a secret of the reader"
EVIL = "open('ran', 'w').write('yes')\ndef f(*a, **k): return ''\n"
CODE = ("evil:f", "os:abort", "pickle:loads", "evil.deep:f", "subprocess:getoutput")
Suites = Mapping[str, str]


def changed(*pairs: tuple[str, str]) -> str:
    """The small suite with other words."""
    text = TOML
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def naming(code: str) -> Suites:
    """Suites that name an object of code, in every place that takes one."""
    reader = f'[attributes.tone]\nclasses = ["a", "b"]\nreader = "{code}"\n[attributes.gender]'
    part = f'options = {{ of = ["x", {{ method = "{code}" }}] }}'
    return {
        "reader": changed(("[attributes.gender]", reader)),
        "corpus": changed(('question = "Who?"', f'question = "Who?"\ncorpus = "{code}"')),
        "method": changed(('method = "inject"', f'method = "{code}"')),
        "part": changed(('method = "inject"', 'method = "stack"'),
                        ('options = { attribute = "gender", target = "uniform" }', part)),
    }  # fmt: skip


def reaching(outside: Path) -> Suites:
    """Suites whose tables are outside of their folder."""
    block = 'templates = ["a photo of {a_subject}"]\nsubjects = ["technologist", "nurse"]'
    return {
        f"{what}-{i}": changed((old, f'file = "{name}"'))
        for i, name in enumerate((f"../{outside.name}/secret.csv", str(outside / "secret.csv"),
                                  "linked.csv"))
        for what, old in (("block", block), ("reference", "uniform = true"))
    }  # fmt: skip


@pytest.mark.parametrize("code", CODE)
@pytest.mark.parametrize("place", ["reader", "corpus", "method", "part"])
def test_code_that_a_suite_names_needs_the_users_word(
    code: str, place: str, tmp_path: Path
) -> None:
    """Whatever it is and wherever it is named; with the flag it is the user's decision."""
    (tmp_path / "evil.toml").write_text(naming(code)[place])
    with pytest.raises(Untrusted, match="--trust-code"):
        suites.read_suite(str(tmp_path / "evil.toml"))
    if place != "part":  # whose stack names an arm that is not there
        suites.read_suite(str(tmp_path / "evil.toml"), trust_code=True)


@pytest.mark.parametrize("kind", sorted(registry.TABLES))
@pytest.mark.parametrize("code", CODE)
def test_no_table_of_names_is_passed_by(kind: str, code: str) -> None:
    """Every kind of name: a file reaches the tables alone, and every name of these."""
    with pytest.raises(Untrusted, match="the index x"):
        registry.load(kind, code, "the index x")
    for name in registry.TABLES[kind]:
        assert registry.load(kind, name, "the index x") is registry.load(kind, name)


@pytest.mark.parametrize("name", ["sscd:/any/file.pt", "local:sscd:f.onnx", "dino:../folder",
                                  "clip:local-dir:/x", "local-dir:/x", "timm:a@/x.safetensors",
                                  "clip:a/../../x", "ViT-B-32/x.pt",
                                  "local:os:abort", *CODE])  # fmt: skip
def test_an_index_names_no_file_and_no_code(name: str) -> None:
    """Its descriptor is a published one, or the user's own."""
    with pytest.raises(Untrusted, match="--descriptor"):
        named.recorded(name, "", "cpu", "The index i")
    assert named.recorded(name, "phash", "cpu", "The index i").key.startswith("phash")
    assert named.recorded("phash", "", "cpu", "The index i").key.startswith("phash")


@pytest.mark.parametrize("name", ["../x", "/etc/hostname", "a/../../x", "link", "a\0b"])
def test_no_name_leaves_its_folder(name: str, tmp_path: Path) -> None:
    """By dots, as an absolute path, or through a link."""
    (tmp_path / "in").mkdir()
    (tmp_path / "x").write_text(SECRET)
    (tmp_path / "in" / "link").symlink_to(tmp_path / "x")
    with pytest.raises(Untrusted, match="outside of"):
        inside(tmp_path / "in", name)
    assert inside(tmp_path / "in", "a/b.csv") == tmp_path / "in" / "a" / "b.csv"


@pytest.mark.parametrize(
    "template",
    ["{subject.__class__}", "{a_subject:>2000000000}", "{subject[0]}", "{subject!r}", "{0}", "{}",
     "{ subject }", "{subject", "subject}", "{{{a_subject:9}}}", "{other}"],
)  # fmt: skip
def test_templates_hold_fields_and_nothing_else(template: str, tmp_path: Path) -> None:
    """No width, attribute, index or conversion is filled in."""
    old = "a photo of {a_subject}"
    (tmp_path / "s.toml").write_text(changed((old, f"a photo of {template}")))
    with pytest.raises(UserError, match=r"may contain only \{subject\} or \{a_subject\}|lacks"):
        suites.read_suite(str(tmp_path / "s.toml"))
    (tmp_path / "s.toml").write_text(changed((old, "a {{photo}} of {a_subject}")))
    texts = {p.text for p in suites.read_suite(str(tmp_path / "s.toml")).prompts}
    assert texts == {"a {photo} of a nurse", "a {photo} of a technologist"}


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ((("seeds = 4", "seeds = 1000000000"),), "less than or equal"),
        ((("a photo of {a_subject}", "x" * 20_000 + "{a_subject}"),), "characters"),
        ((("[attributes.gender]", '[attributes."../gender"]'),), "attributes"),
        ((("[attributes.gender]", '[attributes."=1+1"]'),), "attributes"),
        ((('question = "Who?"', 'question = "Who?"\nx = ' + "[" * 5000),), "nested"),
    ],
)
def test_a_suite_has_bounds(pairs: tuple[tuple[str, str], ...], said: str, tmp_path: Path) -> None:
    """Of images, of texts, and of the names that become files."""
    (tmp_path / "s.toml").write_text(changed(*pairs))
    with pytest.raises(UserError, match=said):
        suites.read_suite(str(tmp_path / "s.toml"))


def test_a_plan_has_a_bound() -> None:
    """However the seeds were given."""
    big = suites.with_seeds(suites.read_suite("occupations"), 10**6)
    with pytest.raises(UserError, match="is the most"):
        suites.expand(big, SETTINGS, {})


CONTROL = "a\x1b]0;title\x07b\x1b[31mc\u202ed\u2066e\x9bf\x00g\ud800h"


def test_what_is_printed_obeys_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences, and marks that reorder a line, are left out; JSON keeps them as escapes."""
    shared.say(CONTROL)
    shared.say(CONTROL, err=True)
    out, err = capsys.readouterr()
    assert out == err == "a]0;titleb[31mcdefgh\n" == harmless(CONTROL) + "\n"
    shared.say_json({"caption": CONTROL, "name": "看護師"})
    out = capsys.readouterr().out
    assert harmless(out) == out
    assert json.loads(out) == {"caption": CONTROL, "name": "看護師"}


def test_verbs_print_in_one_place() -> None:
    """`say` and `say_json` filter; nothing else writes to the terminal."""
    for path in sorted((Path(shared.__file__).parent).glob("*.py")):
        text = path.read_text("utf-8")
        if path.name != "shared.py":
            assert "typer.echo" not in text, path
            assert "print(" not in text.replace("console.print(", "").replace(".print(shown)", "")


def test_the_words_of_a_finding_are_no_format() -> None:
    """`findings.json` comes with a run."""
    f = replace(SHARE, verdict="{ref.__class__:>2000000}")
    assert "class" in wording.verdict(f)
    assert len(wording.verdict(f)) < 100


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("t2i-audit run x.toml; rm -rf y", "t2i-audit run 'x.toml;' rm -rf y"),
        ("t2i-audit run 'a b.toml' --steps 4", "t2i-audit run 'a b.toml' --steps 4"),
        ("rm -rf y", "the same"), ("t2i-audit run x --trust-code", "the same"),
        ("t2i-audit run 'x", "the same"), ("audit.run('x')", "the same"),
        ("t2i-audit world train vae", "the same"), ("", "t2i-audit run"),
    ],
)  # fmt: skip
def test_the_command_of_a_run_is_repeated_with_care(said: str, printed: str) -> None:
    """Quoted for a shell, and only a command of this program that trusts nobody."""
    assert labelling._repeated(said).startswith(printed)


def received(folder: Path) -> RunFolder:
    """A finished run, as others send it."""
    return RunFolder(runs.write(folder, runs.Plan()))


def spoilt(run: RunFolder, change: Callable[[dict[str, Any]], None]) -> None:
    """A run with other results.json."""
    found = run.results()
    change(found)
    run.write_results(found)


def test_a_sheet_is_drawn_by_a_quoted_command(tmp_path: Path) -> None:
    """A folder's name is not part of the shell's grammar."""
    run = received(tmp_path / "x; rm -rf y")
    found = labelling.write_sheet(run, 2, [], 0)
    words = shlex.split(found["next"].rpartition("then: ")[2])
    assert words[:3] == ["t2i-audit", "label", str(run.path)]


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    """Neither the sidecar's nor the table's; those that stay inside are."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "secret.csv").write_text(f"file_name,text\na.png,{SECRET}\n")
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.png").write_bytes(pixels.png(np.zeros((2, 2, 3), np.uint8)))
    (tmp_path / "in" / "a.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "in" / "metadata.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "in" / "words.md").write_text("a nurse")
    (tmp_path / "in" / "b.txt").symlink_to(tmp_path / "in" / "words.md")
    found = Folder(tmp_path / "in")
    said = [r.caption.text for u in found.units() for r in found.records(u)]
    assert said == ["", "a nurse"]


def test_the_images_of_a_run_are_in_its_folder(tmp_path: Path) -> None:
    """An id from a plan or a table is a name, and a link leads to nothing outside."""
    run = RunFolder(tmp_path / "run")
    run.write_image("ab12", np.zeros((2, 2, 3), np.uint8))
    (tmp_path / "secret.png").write_bytes(pixels.png(np.full((2, 2, 3), 9, np.uint8)))
    run.image_path("ab13").symlink_to(tmp_path / "secret.png")
    assert run.read_image("ab12").shape == (2, 2, 3)
    for id in ("ab13", "../../../secret", "/../../../secret", str(tmp_path / "secret")):
        with pytest.raises(Untrusted):
            run.read_image(id)


OWN = ("--classifier", "embedded-classifier", "--drawn")


def commands(folder: Path, outside: Path) -> list[list[str]]:
    """Hostile inputs in a folder, and the commands that read them."""
    found: list[list[str]] = []
    (folder / "evil.py").write_text(EVIL)
    texts = {f"{n}-{i}": t for i, c in enumerate(CODE) for n, t in naming(c).items()}
    for name, text in {**texts, **reaching(outside)}.items():
        (folder / f"{name}.toml").write_text(text)
        found.append(["run", f"{name}.toml", "--images", "pics", *OWN, "-q"])
    (folder / "linked.csv").symlink_to(outside / "secret.csv")
    shutil.copytree(CASES / "reader_pickle" / "pics", folder / "pics")
    tables = [CASES / "reader_pickle" / "evil.toml", *sorted((CASES / "toml").glob("*.toml"))]
    found += [
        ["run", str(p), "--images", "pics", *OWN, "-q"] for p in tables if p.stem != "long_prompt"
    ]
    (folder / "small.toml").write_text(TOML)
    for name, change in indexes(outside).items():
        index(folder / name, change)
        found.append(["search", "pics", "-i", name])
        found.append(["run", "small.toml", "--images", "pics", "--corpus", name, *OWN, "-q"])
    for name, change in results(outside).items():
        run = received(folder / name)
        spoilt(run, change)
        found += [[v, name] for v in ("label", "check", "report")]
        found.append(["export", name, "-o", f"{name}-out"])
    for name, spoil in MODELS.items():
        shutil.copytree(GENERATOR, folder / name)
        spoil(folder / name)
        found.append(["run", "small.toml", "--model", name, "-n", "1", "--steps", "1", *OWN, "-q"])
    return found


def index(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A small index whose index.json is changed."""
    audit.index(str(folder.parent / "pics"), folder, descriptor="phash")
    found = json.loads((folder / "index.json").read_text())
    change(found)
    (folder / "index.json").write_text(json.dumps(found))


def indexes(outside: Path) -> dict[str, Callable[[dict[str, Any]], None]]:
    """Changes to an index that make it reach out."""

    def named_by(name: str) -> Callable[[dict[str, Any]], None]:
        return lambda m: m["descriptor"].update(name=name)

    codes = [*CODE, "sscd:evil.pt", f"sscd:{outside}/secret.pt", "local:evil:f"]
    return {
        **{f"index-{i}": named_by(c) for i, c in enumerate(codes)},
        "index-place": lambda m: m["places"].update(train=["listed", "evil:f"]),
        "index-shard": lambda m: m["shards"]["train"][0].__setitem__(0, f"../{outside.name}/x"),
    }


def results(outside: Path) -> dict[str, Callable[[dict[str, Any]], None]]:
    """Changes to the results of a run that make it reach out."""
    up = f"../../{outside.name}"
    return {
        "run-tables": lambda r: r["tables"].update(attributes=f"{up}/secret.parquet"),
        "run-pictures": lambda r: r.update(
            images="pics", pictures=dict.fromkeys(["a", "b"], f"../{outside.name}/secret.png")),
        "run-corpus": lambda r: r.update(corpus="evil:f"),
        "run-command": lambda r: r.update(command="rm -rf / \x1b[31m"),
    }  # fmt: skip


def part(folder: Path, library: str, kind: str) -> None:
    """A model whose denoiser is of another library."""
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "unet": [library, kind]}))


def code(folder: Path) -> None:
    """A model that brings its own denoiser."""
    part(folder, "evil", "Net")
    (folder / "unet" / "evil.py").write_text(EVIL)


def pickles(folder: Path) -> None:
    """A model with pickled weights alone."""
    for file in (folder / "unet").glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))


MODELS: dict[str, Callable[[Path], object]] = {
    "model-code": code, "model-os": lambda f: part(f, "os", "system"),
    "model-popen": lambda f: part(f, "subprocess", "Popen"), "model-pickles": pickles,
    "model-stray": lambda f: (f / "pipeline.py").write_text(EVIL),
}  # fmt: skip


@pytest.mark.slow
def test_nothing_of_strangers_runs_or_is_read_from_elsewhere(tmp_path: Path) -> None:
    """No module is imported, no process started, no file opened outside of the allowed folders."""
    folder, outside = tmp_path / "cases", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    for name in ("secret.csv", "secret.txt", "secret.parquet", "secret.pt", "x.npy", "x.parquet"):
        (outside / name).write_text(SECRET)
    (outside / "secret.png").write_bytes(pixels.png(np.full((4, 4, 3), 9, np.uint8)))
    (folder / "commands.json").write_text(json.dumps(commands(folder, outside)))
    ran = subprocess.run(
        [sys.executable, "-m", "tests.hooked", str(folder)], capture_output=True, text=True,
        cwd=Path(__file__).parents[1], timeout=500, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    for done in json.loads(ran.stdout.splitlines()[-1]):
        assert not done["seen"], done
        assert done["code"] in (0, 2), done
        assert SECRET not in done["out"], done
        assert harmless(done["out"]) == done["out"], done
        if done["argv"][0] in ("run", "search"):
            assert done["code"] == 2, done
    assert not list(tmp_path.rglob("ran"))
