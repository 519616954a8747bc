"""What a conversation may reach, by name: the runs of one folder, and what the user named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audit.cli.talk import words
from audit.errors import Untrusted, UserError, unknown
from audit.files import stays
from audit.store import RunFolder

WORLD = "world"
"""Name of the index of the embedded model's training set, which ships with the package."""
EMBEDDED = "embedded"
"""Name of the embedded model."""
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names that a user gives to places."""
LARGEST = 64 << 20
"""Bytes of a run's findings that are read."""


def labelled(given: Iterable[str], option: str) -> dict[str, str]:
    """`NAME=PLACE` texts by name; UserError for another form and for a name given twice."""
    found: dict[str, str] = {}
    for one in given:
        name, sign, place = one.partition("=")
        if not sign or not place or not LABEL.fullmatch(name):
            raise UserError(
                f"{option} {one!r} is not valid. Give NAME=PLACE with a name of letters, digits, "
                "dots, hyphens and underscores."
            )
        if name in found:
            raise UserError(f"{option} gives {name} twice. Leave one out.")
        found[name] = place
    return found


@dataclass(frozen=True)
class House:
    """The folder of runs, and indexes, suites and models by the names that the user gave them."""

    runs: Path
    indexes: Mapping[str, Path] = field(default_factory=dict)
    suites: Mapping[str, Path] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    clear: bool = False
    """Whether images are shown as they are, and not blurred."""

    def each(self) -> dict[str, Path]:
        """Folders of runs by name: those that are in the folder of runs, and no links out of it."""
        from audit.runs import catalogue

        if not self.runs.is_dir():
            return {}
        inner = (p for p in self.runs.iterdir() if stays(self.runs, p) and catalogue.is_run(p))
        return {p.name: p for p in sorted(inner)}

    def run(self, name: str) -> RunFolder:
        """A run by its name.

        The name is compared with those of the folder and never becomes part of a path. Raises
        UserError, with near names, for any other, and what `checked` raises.
        """
        there = self.each()
        if name not in there:
            known = [n for n in there if LABEL.fullmatch(n)]
            raise unknown("run", words.short(name, "the name of a run"), known[:50])
        return self.checked(there[name])

    @staticmethod
    def checked(path: Path) -> RunFolder:
        """A run whose files may be read.

        Raises Untrusted where one is a link out of its folder, UserError where it is too large.
        """
        for inner in (*path.iterdir(), *(path / "texts").glob("*.json")):
            if inner.is_symlink() and not stays(path, inner):
                raise Untrusted("A file of this run is a link out of its folder: it is not read.")
        findings = path / "findings.json"
        if findings.is_file() and findings.stat().st_size > LARGEST:
            raise UserError(f"The findings of this run are larger than {LARGEST >> 20} MiB.")
        return RunFolder(path)

    def index(self, name: str) -> Path:
        """The folder of an index by its name; UserError, with near names, for an unknown one."""
        if name in self.indexes:
            return self.indexes[name]
        if name != WORLD:
            short = words.short(name, "the name of an index")
            raise unknown("index", short, [*self.indexes, WORLD])
        from audit.world.models import INDEX

        return INDEX

    def suite(self, name: str) -> str:
        """A suite's file, or the name of a shipped one; UserError for anything else."""
        from audit.design import suites

        if name in self.suites:
            return str(self.suites[name])
        shipped = [p.stem for p in suites.folder().glob("*.toml")]
        if name not in shipped:
            short = words.short(name, "the name of a suite")
            raise unknown("suite", short, [*self.suites, *shipped])
        return name

    def model(self, name: str) -> str:
        """A model by the name that the user gave it; UserError, with near names, for any other."""
        if name in self.models:
            return self.models[name]
        if name != EMBEDDED:
            short = words.short(name, "the name of a model")
            raise unknown("model", short, [*self.models, EMBEDDED])
        return EMBEDDED

    def say(self, error: Exception) -> str:
        """The sentence of an error, capped, with names in place of places."""
        return words.sentence(self.unplaced(str(error)))

    def unplaced(self, text: str) -> str:
        """The text with names in place of the places that the user gave, and no other path."""
        places = {**self.indexes, **self.suites, "the folder of runs": self.runs}
        places |= {n: Path(p) for n, p in self.models.items() if Path(p).is_absolute()}
        return words.unrooted(words.without(text, places))
