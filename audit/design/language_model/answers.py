"""Answers on disk, one line each, append-only: a question is asked only once.

Incomplete lines are ignored, so a crash costs only the answer in progress.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO, Generic, Protocol, TypeVar

from audit.design.language_model.replies import OUTCOMES, plain
from audit.errors import UserError
from audit.files import checked, loads, locked, only


@dataclass(frozen=True)
class Answer:
    """The outcome for one text, with the reason."""

    key: str
    """`Question.key`."""
    model: str
    """As given by the user."""
    prompt: str
    value: str
    """Drawn value that the answer should state, or empty."""
    outcome: str
    """One of `replies.OUTCOMES`."""
    text: str
    """The final text: the prompt itself unless the outcome is "rewritten"."""
    reason: str
    said: str
    """The model's own words, possibly shortened."""

    @property
    def sound(self) -> bool:
        """Whether the line is valid: files are edited by hand or come from others."""
        if not all(isinstance(getattr(self, f.name), str) for f in fields(self)):
            return False
        if self.outcome == "rewritten":
            return plain(self.text) and not self.reason
        return self.outcome in OUTCOMES and self.text == self.prompt and plain(self.reason)


class Kept(Protocol):
    """A record of a file of answers: a dataclass with the key of its question."""

    @property
    def key(self) -> str:
        """Of the question."""

    @property
    def sound(self) -> bool:
        """Whether the line is valid: files are edited by hand or come from others."""


Record = TypeVar("Record", bound=Kept)


class Answers(Generic[Record]):
    """A file of answers, safe for several processes; the first answer to a question is kept."""

    def __init__(self, path: Path, kind: type[Record]) -> None:
        self.path, self.kind = path, kind
        self._known: dict[str, Record] = {}
        self._read_to = self._file = 0

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> Record | None:
        """The answer under a key, even if another process has just written it."""
        if key not in self._known:
            try:
                with self.path.open("rb") as file:
                    self._catch_up(file)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise UserError(f"{self.path} cannot be read: {error.strerror}.") from error
        return self._known.get(key)

    def put(self, answer: Record) -> Record:
        """Store an answer; returns the stored one, which is another process's if that was first."""
        try:
            with (
                locked(self.path.with_name(f".{self.path.name}.lock")),
                self.path.open("a+b") as file,
            ):
                self._catch_up(file)
                if answer.key not in self._known:
                    self._append(file, answer)
                    self._catch_up(file)
        except OSError as error:
            raise UserError(
                f"The answer was not kept: {self.path}: {error.strerror}. Free some space or give "
                "another file, answers=FILE, and run the same command again."
            ) from error
        return self._known.get(answer.key, answer)

    @staticmethod
    def _append(file: BinaryIO, answer: Record) -> None:
        """Append one line; after a torn last line, begin a new one."""
        torn = False
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            torn = file.read(1) != b"\n"
        line = json.dumps(vars(answer), sort_keys=True).encode()
        file.write(b"\n" * torn + line + b"\n")
        file.flush()
        os.fsync(file.fileno())

    def _catch_up(self, file: BinaryIO) -> None:
        """Read the lines added since; start over if the file was replaced."""
        stat = os.fstat(file.fileno())
        if stat.st_ino != self._file or stat.st_size < self._read_to:
            self._file, self._read_to, self._known = stat.st_ino, 0, {}
        file.seek(self._read_to)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.split(b"\n"):
            try:
                row = checked(dict[str, object], loads(line))
                answer = checked(self.kind, only(self.kind, row))
            except ValueError:
                continue
            if answer.sound:
                self._known.setdefault(answer.key, answer)
