"""Write the files of the repository that the code determines.

    python -m docs.make

These are the pages of docs/reference/, from the registry, the suites, the options and the
docstrings, and the tables in prompts/ of what was planted in the world. Tests compare the committed
files with the output of this module: change the code, run this, and commit both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from audit.world.export import write_prompts
from docs.making import api, commands, descriptors, findings, mitigations, suites

HERE = Path(__file__).parent / "reference"
PROMPTS = Path(__file__).parents[1] / "prompts"
HEAD = "<!-- Made by `python -m docs.make` from the code; change that. -->\n"

Pages = dict[str, str]


def make() -> Pages:
    """Every page of the reference, by file name."""
    kinds: dict[str, tuple[str, Callable[[], str]]] = {
        "suites": ("Suites: the shipped questions", suites.suite_page),
        "attributes": ("Attributes and their readers", suites.attribute_page),
        "descriptors": ("Descriptors: how images are compared", descriptors.page),
        "mitigations": ("Mitigations", mitigations.page),
        "commands": ("Commands", commands.page),
        "findings": ("Findings: every number of a report", findings.page),
        "api": ("Python", api.page),
    }
    pages = {f"{k}.md": f"{HEAD}# {title}\n\n{body().strip()}\n"
             for k, (title, body) in kinds.items()}  # fmt: skip
    rows = [f"- [{title}]({k}.md): {_entries(pages[f'{k}.md'])}"
            for k, (title, _) in kinds.items()]  # fmt: skip
    text = "One page for each kind of name, generated from the code."
    return {"index.md": f"{HEAD}# Reference\n\n{text}\n\n" + "\n".join(rows) + "\n", **pages}


def _entries(page: str) -> str:
    return ", ".join(re.findall(r"^## ([^`\n]+)$", page, re.MULTILINE)) + "."


def main() -> None:
    """Write the pages and the world's tables, and delete pages that are no longer generated."""
    HERE.mkdir(exist_ok=True)
    pages = make()
    for path in HERE.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (HERE / name).write_text(text, "utf-8")
        print(HERE / name)
    for path in write_prompts(PROMPTS):
        print(path)


if __name__ == "__main__":
    main()
