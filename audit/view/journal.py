"""Labels given in the browser: all of them in order, and the sheet that results.

`journal.jsonl` has each label as one line, in the order of writing, and is append-only;
`queue.csv` has the last one per rater and image, in the form that `t2i-audit label --read` takes.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import BinaryIO

from audit.datasets.cells import written
from audit.errors import UserError
from audit.evidence.labels import sheet
from audit.files import checked, loads, locked, only
from audit.store import RunFolder

JOURNAL, QUEUE = "journal.jsonl", "queue.csv"
NAME = re.compile(r"[^\W_][\w .'\u2019-]{0,39}")
"""A rater's name: in a spreadsheet, a leading sign would make it a formula."""

Asked = tuple[int, str, str]
"""An image of the draw: number, sample, attribute."""


@dataclass(frozen=True)
class Label:
    """One rater's label of one image; an empty value withdraws it."""

    rater: str
    sample: str
    attribute: str
    value: str


def rater(name: str) -> str:
    """A rater's name as it is kept; UserError for one that a sheet could not contain."""
    plain = " ".join(name.split())
    if not NAME.fullmatch(plain):
        raise UserError(
            f"{plain[:40]!r} is not a valid name for a rater. Give initials or a name: letters, "
            "figures, spaces, dots and hyphens, at most 40, a letter or figure first."
        )
    return plain


class Journal:
    """The labels of a run's queue, safe for several tabs, raters and processes at once."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._read_to = self._file = 0
        self._last: dict[str, dict[tuple[str, str], str]] = {}

    @contextmanager
    def _held(self) -> Iterator[BinaryIO]:
        """The journal open for appending, exclusively among threads and processes."""
        path = self._folder.label_file(JOURNAL)
        try:
            lock = path.with_name(f".{path.name}.lock")
            with self._lock, locked(lock), path.open("a+b") as file:
                yield file
        except OSError as error:
            raise UserError(
                f"The label was not kept: {path}: {error.strerror}. Free some space or fix the "
                "folder's rights, and press the key again."
            ) from error

    def _catch_up(self, file: BinaryIO) -> None:
        """Read what was added since; start over if the file was replaced."""
        stat = os.fstat(file.fileno())
        if stat.st_ino != self._file or stat.st_size < self._read_to:
            self._file, self._read_to, self._last = stat.st_ino, 0, {}
        file.seek(self._read_to)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.splitlines():
            try:
                label = checked(Label, only(Label, checked(dict[str, object], loads(line))))
            except ValueError:
                continue  # torn by a crash; the next label is on its own line
            self._last.setdefault(label.rater, {})[label.sample, label.attribute] = label.value

    def put(self, label: Label, asked: Sequence[Asked]) -> int:
        """Keep one label and rewrite the sheet; the caller has checked it against the draw.

        Returns how many of the draw the rater has labelled, in this tab or any other.

        Raises UserError where it cannot be written: the label must then be given again, which is
        harmless if only the sheet failed.
        """
        with self._held() as file:
            self._catch_up(file)
            torn = b"" if file.tell() == 0 or self._ends(file) else b"\n"
            line = json.dumps(asdict(label), ensure_ascii=False, sort_keys=True)
            file.write(torn + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._catch_up(file)
            self._write(asked)
            mine = self._last[label.rater]
            return sum(bool(mine.get((s, a))) for _, s, a in asked)

    @staticmethod
    def _ends(file: BinaryIO) -> bool:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"

    def of(self, name: str, asked: Sequence[Asked]) -> dict[int, str]:
        """A rater's last labels, by number; an outdated sheet after a crash is rewritten."""
        if not self._folder.label_file(JOURNAL).exists():
            return {}
        with self._held() as file:
            self._catch_up(file)
            self._write(asked)
            mine = self._last.get(name, {})
            return {n: mine[s, a] for n, s, a in asked if mine.get((s, a))}

    def raters(self, asked: Sequence[Asked]) -> dict[str, int]:
        """Each rater with the number of labels, in the order of their first."""
        if not self._folder.label_file(JOURNAL).exists():
            return {}
        with self._held() as file:
            self._catch_up(file)
            return {r: sum(bool(said.get((s, a))) for _, s, a in asked)
                    for r, said in self._last.items()}  # fmt: skip

    def _write(self, asked: Sequence[Asked]) -> None:
        rows = [
            (number, sample, attribute, value, name)
            for name, said in self._last.items()
            for number, sample, attribute in asked
            if (value := said.get((sample, attribute)))
        ]
        data, path = written(sheet.COLUMNS, rows), self._folder.label_file(QUEUE)
        if not path.exists() or path.read_bytes() != data:
            self._folder.write_label_file(QUEUE, data)
