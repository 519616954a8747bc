"""Files on disk: written whole or not at all, locked for one writer, hashed, and read strictly.

JSON, TOML and tables of another form than what was written are errors, never used as they are.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import math
import os
import re
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from audit.errors import Notice, Untrusted, UserError

_T = TypeVar("_T")
TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)\.tmp")
"""Names of files that are being written: the final name, and the process that writes."""
LOCKLESS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""Errors of file systems that have no locks."""
OPEN = 256
"""Files that a process may hold open on any system."""
FORMAT = 1
"""Format of a run folder; those of earlier versions state none."""
_LONG_KEY = re.compile(
    r"""(?<![\w."'-])(?:[\w-]++|"[^"\n]{0,99}"|'[^'\n]{0,99}')"""
    r"""(?:[ \t]*+\.[ \t]*+(?:[\w-]++|"[^"\n]{0,99}"|'[^'\n]{0,99}')){500}"""
)
HASHED = (".json", ".safetensors", ".txt", ".model", ".py", ".jinja")
_KNOWN: dict[tuple[str, int, int], bytes] = {}


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; UserError where the folder cannot be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):  # its folder may be what is gone
            temporary.unlink()
        raise UserError(
            f"Cannot write {path}: {error.strerror}. Free some space or choose another folder "
            "with --out; everything finished so far is kept."
        ) from error


def inside(folder: Path, name: str) -> Path:
    """The path of a file by its name relative to a folder.

    Raises Untrusted for a name that leaves the folder: as an absolute path, by `..`, or by a link.
    """
    path = folder / name
    try:
        if path.resolve().is_relative_to(folder.resolve()):
            return path
    except (OSError, ValueError):  # a name that no file can have
        pass
    raise Untrusted(f"{name!r} is outside of {folder}. Put the file into that folder.")


def content(path: Path) -> str:
    """Hash of a file, or of every file of a folder with its name: any change gives another hash.

    A file's hash is kept for the process as long as its size and time stay the same.
    """
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file.suffix in HASHED:
            name = file.name if file == path else file.relative_to(path).as_posix()
            digest.update(f"{name}\0{file.stat().st_size}\0".encode() + _hash(file))
    return digest.hexdigest()[:16]


def _hash(file: Path) -> bytes:
    stat = file.stat()
    key = (str(file.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _KNOWN:
        with file.open("rb") as handle:
            _KNOWN[key] = hashlib.file_digest(handle, "sha256").digest()
    return _KNOWN[key]


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Lock a file among threads and processes; its folder is created if missing.

    With `wait`, waits for another holder; without it, raises BlockingIOError if there is one. Where
    the file system has no locks, warns and goes on. Raises OSError where the file cannot be
    written.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout as error:
        raise BlockingIOError(f"{path} is held by another process") from error
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in LOCKLESS:
            raise
        warnings.warn(
            f"The file system of {path.parent} has no locks: run only one command on it at a time.",
            Notice,
            stacklevel=2,
        )
        yield
        return
    try:
        yield
    finally:
        lock.release()


def sweep(folder: Path) -> None:
    """Remove half-written files, at any depth, whose writers no longer run.

    Files of another machine's process, which may have any number, are removed after a day.
    """
    import time

    for path in folder.rglob(".*.tmp"):
        found = TEMPORARY.fullmatch(path.name)
        with suppress(OSError):
            old = path.stat().st_mtime < time.time() - 24 * 3600
            if found and (old or not _runs(int(found["pid"]))):
                path.unlink()


def _runs(process: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(process))


def open_files() -> bool:
    """Whether this process may keep more files open: fewer than half of OPEN are."""
    try:
        here = len(os.listdir("/dev/fd"))
    except OSError:
        return False
    return here < OPEN // 2


def loads(data: str | bytes, finite: bool = True) -> Any:
    """JSON, strictly: ValueError, in one line, for everything else.

    Also for text that is not UTF-8, nested too deeply, with lone surrogates or with numbers too
    long, and with `finite` for NaN and for numbers beyond 64-bit floats.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        how: dict[str, Any] = {"parse_float": _finite, "parse_constant": _finite}
        found = json.loads(text, **(how if finite else {}))
        if "\\ud" in text or "\\uD" in text:
            # What names of files may have instead of bytes that are not UTF-8 is let through.
            json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it has half of a character, a lone surrogate") from None
    return found


def only(kind: type[Any], row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row; ValueError that names its fields where a record has none of that name."""
    if extra := sorted(map(str, set(row) - {f.name for f in fields(kind)})):
        some = ", ".join(x[:40] for x in extra[:3])
        raise ValueError(f"unknown fields ({some}), perhaps of a newer version of t2i-audit")
    return row


def _finite(number: str) -> float:
    found = float(number)
    if not math.isfinite(found):
        raise ValueError(f"{number[:20]} is not a finite number")
    return found


def toml(data: str | bytes) -> dict[str, Any]:
    """TOML; ValueError, in one line, for everything else, also where it is nested too deeply."""
    text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    if _LONG_KEY.search(text):  # the parser's memory grows with the square of its parts
        raise ValueError("it is nested too deeply")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


@functools.cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def checked(kind: type[_T], value: object) -> _T:
    """A parsed value as a record of that type, by the types of its fields.

    Fields that the type does not have are ignored. Raises ValueError, in one line, where a field is
    missing or of another type.
    """
    from pydantic import ValidationError

    try:
        return cast("_T", _adapter(cast("Any", kind)).validate_python(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else str(first["msg"])) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


@dataclass(frozen=True)
class Manifest:
    """`run.json`: what the run is of."""

    suite: str
    settings: dict[str, Any]  # of `Settings`; those of other versions may differ
    versions: dict[str, str] = field(default_factory=dict)
    format: int = 0


@dataclass(frozen=True)
class Notes:
    """`notes.json`: what was noted while images were drawn."""

    cut: list[str] = field(default_factory=list)
    """Texts that are longer than the model reads."""
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Results:
    """`results.json`: names of the latest tables, and data for reading them without the suite.

    Parts that earlier versions did not write are empty.
    """

    tables: dict[str, str]
    classes: dict[str, list[str]] = field(default_factory=dict)
    subject_classes: dict[str, list[str]] = field(default_factory=dict)
    command: str = ""
    pictures: dict[str, str] = field(default_factory=dict)
    images: str = ""
    corpus: str = ""
    instruments: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
