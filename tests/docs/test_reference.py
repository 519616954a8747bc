"""The reference is what the code says: pages are made again, compared, and lack nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

import audit
from audit import keys, registry
from audit.cli import main as cli
from audit.design import suites
from audit.design.mitigations.methods import METHODS
from audit.design.mitigations.specs import parse
from audit.evidence.encoders import named
from docs.make import HERE, make
from docs.making import descriptors, findings, mitigations
from docs.making.markdown import doc, table
from tests.docs.blocks import DOCS

PAGES = make()
ROOT = DOCS.parent
AGAIN = "Run `python -m docs.make` and commit docs/reference/."


def sections(page: str) -> dict[str, str]:
    """Sections of a page by heading."""
    return dict(s.split("\n", 1) for s in re.split(r"^## ", PAGES[page], flags=re.MULTILINE)[1:])


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_pages_are_what_the_code_says(name: str) -> None:
    """A change of code that is not in its page fails here, and says what to do."""
    path = HERE / name
    assert path.is_file(), f"{path} is missing. {AGAIN}"
    assert path.read_text("utf-8") == PAGES[name], f"{path} is not what the code says. {AGAIN}"


def test_no_page_is_left_over() -> None:
    """Every file of the folder is made."""
    assert {p.name for p in HERE.iterdir()} == set(PAGES), AGAIN


def verbs() -> set[str]:
    """Every verb of the command line, as it is typed."""
    group = typer.main.get_command(cli.app)
    world = group.commands["world"].commands  # type: ignore[attr-defined]
    return (set(group.commands) - {"world"}) | {f"world {n}" for n in world}  # type: ignore[attr-defined]


NAMED = {
    "suites.md": {name for name, _ in suites.list_suites()},
    "attributes.md": {
        a.name for n, _ in suites.list_suites() for a in suites.read_suite(n).attributes
    }
    | {"Readers of pixels"},
    "descriptors.md": set(registry.ENCODERS) | set(descriptors.KINDS),
    "mitigations.md": set(registry.MITIGATIONS),
    "commands.md": verbs(),
    "api.md": {f"audit.{n}" for n in audit.__all__},
}


@pytest.mark.parametrize("page", sorted(NAMED))
def test_everything_that_can_be_named_has_its_section_with_a_description(page: str) -> None:
    """One section each, and at least one sentence in it outside of tables, code and links."""
    there = sections(page)
    assert set(there) == NAMED[page]
    for name, text in there.items():
        bare = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        prose = [p for p in bare.split("\n\n") if re.match(r"[*`\w].{15,}", p.strip())]
        assert prose, f"{page}: {name} has no description: write a docstring. {AGAIN}"


def test_every_form_of_an_encoder_and_every_reader_is_there() -> None:
    """`kind:what`, `local:`, and the readers of pixels with what they read."""
    assert {k.partition(":")[0] for k in descriptors.KINDS} == set(named.KINDS) | {"local"}
    assert set(descriptors.BEHIND) | set(descriptors.SAME) <= set(registry.ENCODERS)
    readers = sections("attributes.md")["Readers of pixels"]
    for name in registry.READERS:
        assert re.search(rf"^\| `{name}` \| \S.{{10,}} \|$", readers, re.MULTILINE), name


def test_every_option_of_a_mitigation_is_in_its_table() -> None:
    """With its default where it has one, by name."""
    for name, text in sections("mitigations.md").items():
        told = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]*) \|", text, re.MULTILINE)
        model = METHODS[name].options
        assert [option for option, _, _ in told] == list(model.model_fields if model else [])
        for option, _, default in told:
            needed = model is not None and model.model_fields[option].is_required()
            assert (default == "needed") == needed, (name, option)


@pytest.mark.parametrize("name", sorted(registry.MITIGATIONS))
def test_the_example_of_a_mitigation_can_be_given(name: str) -> None:
    """The example on the page parses to that method; words in capitals are for the reader."""
    spec = mitigations.example(name)
    assert bool(spec) == bool(METHODS[name].first_option)
    if not spec:
        assert f'method = "{name}"' in sections("mitigations.md")[name]
        return
    assert f" -t {spec}\n" in sections("mitigations.md")[name]
    if not re.search(r":[A-Z]", spec):
        assert parse(spec.replace("'", "")).method == name


def test_every_field_verdict_and_outcome_is_explained() -> None:
    """No cell of what findings and results hold is empty."""
    assert tuple(findings.MEANING) == keys.VERDICTS
    assert tuple(findings.OUTCOMES) == keys.OUTCOMES
    for page in ("findings.md", "api.md"):
        assert "|  |" not in PAGES[page], f"{page}: a field has no docstring"


def test_text_cannot_break_out_of_its_table_or_become_a_tag() -> None:
    """Bars are escaped, line ends become spaces, and angle brackets are text outside of code."""
    assert table(("a",), [("x | y\nz <b>",)]).splitlines()[-1] == "| x \\| y z &lt;b> |"
    assert doc("One `a < b` and a < b.\n\n>>> 1 < 2\nTrue").startswith("One `a < b` and a &lt; b.")
    assert "```python\n>>> 1 < 2\nTrue\n```" in doc("x\n\n>>> 1 < 2\nTrue")


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a Markdown file, as its readers make them."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in found}


FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link names a file of the repository, and a heading that it has."""
    text = path.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        assert there.exists(), f"{path.name}: {target}"
        if anchor:
            assert anchor in anchors(there.read_text("utf-8")), f"{path.name}: {target}"
