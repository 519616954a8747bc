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
import platform
import re
import time
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from audit.errors import Notice, Untrusted, UserError

_T = TypeVar("_T")
HERE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
"""This machine among those that share a folder."""
TEMPORARY = re.compile(r"\.(?P<name>.+?)(?:\.(?P<host>[0-9a-f]{8}))?\.(?P<pid>\d+)\.tmp")
"""Names of files that are being written: the final name, and the machine and process that write;
earlier versions named no machine."""
LOCKLESS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""Errors of file systems that have no locks."""
OPEN = 256
"""Files that a process may hold open on any system."""
FORMAT = 1
"""Format of a run folder; those of earlier versions state none."""
SCHEMA = 2
"""Schema of findings.json; the first was a list of findings without a head."""
_LONG_KEY = re.compile(
    r"""(?<![\w."'-])(?:[\w-]++|"[^"\n]{0,99}"|'[^'\n]{0,99}')"""
    r"""(?:[ \t]*+\.[ \t]*+(?:[\w-]++|"[^"\n]{0,99}"|'[^'\n]{0,99}')){500}"""
)
HASHED = (".json", ".safetensors", ".txt", ".model", ".py", ".jinja")
_KNOWN: dict[tuple[str, int, int], bytes] = {}


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; UserError where the folder cannot be written."""
    with atomic(path) as file:
        file.write(data)


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file to write in pieces, which is there whole at the end, or not at all.

    UserError where the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{HERE}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
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
    """The path of a file by its name relative to a folder; Untrusted where it leaves the folder."""
    path = folder / name
    if not stays(folder, path):
        raise Untrusted(f"{name!r} is outside of {folder}. Put the file into that folder.")
    return path


def stays(folder: Path, path: Path) -> bool:
    """Whether a path below a folder stays in it: not by `..`, nor by a link, nor as another place.

    The files of a snapshot in a hub's cache are links to `blobs` of the same repository; these
    stay in it too.
    """
    try:
        own, target = folder.resolve(), path.resolve()
        if target.is_relative_to(own):
            return True
        linked = path.is_symlink() and path.parent.resolve().is_relative_to(own)
    except (OSError, ValueError):  # a name that no file can have
        return False
    blobs = _blobs(own) if linked else None
    return blobs is not None and target.is_relative_to(blobs)


def _blobs(root: Path) -> Path | None:
    """The folder of files of the repository that a snapshot, or a folder in one, belongs to."""
    for above in root.parents:
        if above.name == "snapshots" and (above.parent / "blobs").is_dir():
            return above.parent / "blobs"
    near = root.parent / "blobs"
    return near if near.is_dir() and not near.is_symlink() else None


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

    Files of another machine's process are removed after a day.
    """
    for path in folder.rglob(".*.tmp"):
        found = TEMPORARY.fullmatch(path.name)
        with suppress(OSError):
            old = path.stat().st_mtime < time.time() - 24 * 3600
            ours = found is not None and found["host"] in (None, HERE)
            if found and (old or (ours and not _runs(int(found["pid"])))):
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


def loads(data: str | bytes, finite: bool = True, once: bool = False) -> Any:
    """JSON, strictly: ValueError, in one line, for everything else.

    Also for text that is not UTF-8, nested too deeply, with lone surrogates or with numbers too
    long, with `finite` for NaN and for numbers beyond 64-bit floats, and with `once` for objects
    that have a key twice.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        found = _decoder(finite, once).decode(text)
        if "\\ud" in text or "\\uD" in text:
            # What names of files may have instead of bytes that are not UTF-8 is let through.
            json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it has half of a character, a lone surrogate") from None
    return found


@functools.cache
def _decoder(finite: bool, once: bool) -> json.JSONDecoder:
    """Made once: files of a run have a line of JSON for each image."""
    number: dict[str, Any] = {"parse_float": _finite, "parse_constant": _finite} if finite else {}
    return json.JSONDecoder(object_pairs_hook=_once if once else None, **number)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        key = next(k for k, n in Counter(k for k, _ in pairs).items() if n > 1)
        raise ValueError(f"its key {key[:40]!r} is there twice")
    return found


def only(kind: type[Any], row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row; ValueError that names its fields where a record has none of that name."""
    if extra := sorted(map(str, row.keys() - _names(cast("Any", kind)))):
        some = ", ".join(x[:40] for x in extra[:3])
        raise ValueError(f"unknown fields ({some}), perhaps of a newer version of t2i-audit")
    return row


@functools.cache
def _names(kind: Any) -> frozenset[str]:
    return frozenset(f.name for f in fields(kind))


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


@functools.cache
def _invalid() -> Any:
    from pydantic import ValidationError

    return ValidationError


def checked(kind: type[_T], value: object) -> _T:
    """A parsed value as a record of that type, by the types of its fields.

    Fields that the type does not have are ignored. Raises ValueError, in one line, where a field is
    missing or of another type.
    """
    try:
        return cast("_T", _adapter(cast("Any", kind)).validate_python(value))
    except _invalid() as error:
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
    columns: list[str] = field(default_factory=list)
    corpus: str = ""
    instruments: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
    grouped: list[str] = field(default_factory=list)
    """Prompts that state a group, whose images are in no share."""


@dataclass(frozen=True)
class Head:
    """What findings.json says before its findings; empty where an earlier version wrote it."""

    run: str = ""
    """Name of the run's folder."""
    suite: str = ""
    model: str = ""
    version: str = ""
    """Of t2i-audit."""
    written: str = ""
    """When these findings were first written, in UTC: `2026-11-30T19:54:01Z`. The only part that
    differs where the same audit is repeated in another folder of the same name."""


def now() -> str:
    """The time for `Head.written`; that of SOURCE_DATE_EPOCH where the environment has it."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(given) if given.isascii() and given.isdigit() else time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def headed(rows: str, head: Head) -> str:
    """The text of findings.json: schema and head, then the findings, which are a list in JSON."""
    above = json.dumps({"schema": SCHEMA, **asdict(head)}, indent=1, ensure_ascii=False)
    return f'{above[:-2]},\n "findings": {rows}\n}}\n'


def rows_of(text: str) -> tuple[Head, list[dict[str, Any]]]:
    """Head and findings of findings.json, also of the first schema.

    Raises ValueError for another form, UserError for the schema of a newer version.
    """
    body = loads(text)
    if isinstance(body, list):
        return Head(), checked(list[dict[str, Any]], body)
    row = checked(dict[str, Any], body)
    schema = row.get("schema")
    if not isinstance(schema, int):
        raise ValueError("it states no schema")
    if schema > SCHEMA:
        raise UserError(
            f"These findings have schema {schema}: a newer version of t2i-audit wrote them, and "
            f"this one reads schemas up to {SCHEMA}. Update t2i-audit."
        )
    return checked(Head, row), checked(list[dict[str, Any]], row.get("findings"))
