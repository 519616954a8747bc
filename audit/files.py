"""Files on disk: written whole or not at all, locked for one writer, hashed with their folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from audit.errors import Untrusted, UserError

HASHED = (".json", ".safetensors", ".txt", ".model", ".py")
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

    With `wait`, waits for another holder; without it, raises BlockingIOError if there is one.
    Raises OSError where the file cannot be written.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=-1 if wait else 0):
            yield
    except Timeout as error:
        raise BlockingIOError(f"{path} is held by another process") from error
