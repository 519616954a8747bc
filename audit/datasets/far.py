"""Images and folders at an address: `s3://`, `gs://`, `hf://`, `file://`, by fsspec.

An archive, a table or an image is copied into a temporary folder when it is read, and removed when
others are: memory is that of the local readers, and disk that of KEPT files. Only addresses that
the user gives are opened, never one that a file names.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from audit.datasets import kinds, pixels
from audit.datasets.captions import SIDECARS
from audit.datasets.folder import Folder
from audit.datasets.listing import LeftOut
from audit.datasets.parquet import Parquet
from audit.datasets.source import IMAGE_BYTES, Collection, Record, Unit
from audit.datasets.tar import Tars
from audit.errors import UserError
from audit.files import inside

SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub", "file": "", "memory": ""}
"""What an address may begin with, and the package that reads it besides fsspec."""
KEPT = 2
"""Files of a collection that are kept in the temporary folder, the ones read last."""
LAST = ("findings.json", "results.json", "run.json", "index.json")
"""Files that say that a run or an index is there: they are written after all others."""
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)


def address(path: Path | str) -> str:
    """The address that a path stands for, `s3://bucket/folder`; empty for a path on this machine.

    As a `Path`, an address has lost one of its slashes.
    """
    found = _ADDRESS.fullmatch(str(path))
    if not found or Path(path).exists():
        return ""
    scheme, rest = found[1].lower(), found[2].rstrip("/")
    return f"{scheme}://{'/' if scheme == 'file' else ''}{rest}"


def refuse(out: Path) -> None:
    """Raise UserError for a folder of results at an address."""
    if where := address(out):
        raise UserError(
            f"Results are written to a folder on this machine, not to {where}. Leave --out on it, "
            "and copy the finished folder: t2i-audit copy FOLDER ADDRESS."
        )


@contextmanager
def reaching(where: str, doing: str = "read") -> Iterator[None]:
    """Turn what storage raises into one sentence; an error of ours passes."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise UserError(
            f"There is nothing at {where}, or no such bucket. Check the address."
        ) from None
    except PermissionError:
        raise UserError(
            f"{where} may not be {'read' if doing == 'read' else 'written'} with your credentials. "
            "Log in with those of its owner, or choose another address."
        ) from None
    except Exception as error:  # each store raises its own kinds
        lines = str(error).strip().splitlines() or [type(error).__name__]
        done = "read" if doing == "read" else "written"
        raise UserError(
            f"{where} cannot be {done} ({lines[0][:200]}). Check the address, the network and your "
            "credentials, and run the same command again; everything finished so far is kept."
        ) from error


def system(where: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    UserError for an address of another kind, or if its package is not installed.
    """
    scheme = where.partition("://")[0]
    if scheme not in SCHEMES or "::" in where:
        known = ", ".join(f"{s}://" for s in SCHEMES if s != "memory")
        raise UserError(f"{where} is not an address that is read. Give a path, or {known}...")
    try:
        import fsspec

        with reaching(where):
            kind = fsspec.get_filesystem_class(scheme)
            found: tuple[Any, str] = fsspec.core.url_to_fs(where, **_fresh(kind))
            return found
    except (ImportError, UserError) as error:
        if isinstance(error, UserError) and not isinstance(error.__cause__, ImportError):
            raise
        package = SCHEMES[scheme] or "fsspec"
        raise UserError(
            f"{scheme}:// needs the package {package}. Install it: pip install 't2i-audit[remote]'"
        ) from error


def _fresh(kind: Any) -> dict[str, bool]:
    """Listings are not cached: another process may have written since."""
    return {"use_listings_cache": False} if "s3" in str(kind.protocol) else {}


@dataclass(frozen=True)
class Object:
    """A file at an address."""

    path: str
    """In its file system."""
    size: int
    stamp: str
    """Changes when its content does."""


def objects(where: str) -> dict[str, Object]:
    """The files below an address, or the one that it is, by name relative to it, sorted.

    UserError where there is none.
    """
    files, root = system(where)
    with reaching(where):
        found = files.find(root, detail=True)
    out = {}
    for path, about in sorted(found.items()):
        name = path[len(root) :].lstrip("/") if path != root else posixpath.basename(path)
        said = [about.get(k) for k in ("ETag", "etag", "blob_id", "LastModified", "mtime",
                                       "created")]  # fmt: skip
        changed = next((str(s) for s in said if s), "")
        size = int(about.get("size") or 0)
        out[name] = Object(path, size, f"{size}-{changed}-{pixels.DECODED}")
    if not out:
        raise UserError(f"There is nothing at {where}, or no such bucket. Check the address.")
    return out


def fetch(where: str, one: Object, to: Path) -> None:
    """Copy an object to a file, which is there whole or not at all.

    UserError where it cannot be read, is cut short, or does not fit on the disk.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(to.parent).free
    if one.size > free:
        raise UserError(
            f"{one.path} has {one.size:,} bytes, and {to.parent} has {free:,} left. Free some "
            "space, or set TMPDIR to another folder."
        )
    part = to.with_name(f".{to.name}.part")
    files = system(where)[0]
    try:
        with reaching(where):
            files.get_file(one.path, str(part))
        if part.stat().st_size != one.size:
            raise UserError(f"{one.path} was cut short on its way. Run the same command again.")
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


class Far(Collection):
    """Tars, Parquet tables or images at an address; a file of these is a unit."""

    kind = "address"

    def __init__(self, where: str) -> None:
        self.place, self.name = where, posixpath.basename(where) or "images"
        self._all = objects(where)
        self._groups = _groups(self._all)
        if not self._groups:
            raise UserError(
                f"{where} has no tars, Parquet tables or images. Give an address that does."
            )
        alone = [*self._all] == [self.name]
        self.prefix = f"{self.name}/" if alone and not _is_image(self.name) else ""
        self.aside = _aside(self._all, self._groups)
        self._kept: OrderedDict[str, Collection] = OrderedDict()
        self._lock = threading.RLock()
        self._told: dict[str, None] = {}

    @cached_property
    def _folder(self) -> Path:
        return _passing(self)

    def units(self) -> Sequence[Unit]:
        """One for each file, with its captions; sorted by name."""
        return [
            Unit(name, "+".join(self._all[n].stamp for n in some))
            for name, some in self._groups.items()
        ]

    def records(self, unit: Unit) -> Iterator[Record]:
        """The images of a file; UserError where it is damaged or cannot be fetched."""
        local = self._local(unit.id)
        for inner in local.units():
            for record in local.records(inner):
                yield replace(record, stamp=unit.stamp)
        self._told.update(dict.fromkeys(local.notes()))

    def about(self, unit: Unit) -> int:
        """One for an image; by size for a file of many, which is not fetched for this."""
        name = unit.id
        one = _is_image(name) and not kinds.is_tar(name)
        return 1 if one else max(1, self._all[name].size // IMAGE_BYTES)

    def content(self, id: str) -> bytes:
        """One image file by its record's id."""
        try:
            return self._local(self._unit(id)).content(id)
        except UserError as error:
            raise pixels.Unreadable(f"cannot be fetched ({error})") from None

    def stamp(self, id: str) -> str:
        """Of the file that contains the image, as it was when the address was listed."""
        return "+".join(self._all[n].stamp for n in self._groups[self._unit(id)])

    def notes(self) -> list[str]:
        """What was assumed or left out in what has been read so far."""
        return [*self._told]

    def _unit(self, id: str) -> str:
        parts = id.split("/")
        for i in range(1, len(parts) + 1):
            if (name := "/".join(parts[:i])) in self._groups:
                return name
        raise pixels.Unreadable("is not at that address")

    def _local(self, unit: str) -> Collection:
        """A unit on this machine, read like any other; it replaces the one unused for longest."""
        with self._lock:
            if unit not in self._kept:
                root = Path(tempfile.mkdtemp(dir=self._folder))
                for name in self._groups[unit]:
                    fetch(self.place, self._all[name], inside(root, name))
                self._kept[unit] = _local(root, unit)
                while len(self._kept) > KEPT:
                    with suppress(OSError):  # open elsewhere; it goes with the folder
                        shutil.rmtree(Path(self._kept.popitem(last=False)[1].place))
            self._kept.move_to_end(unit)
            return self._kept[unit]


def _local(root: Path, name: str) -> Collection:
    file = inside(root, name)
    if kinds.is_tar(name):
        return Tars(root, [file])
    return Parquet(root, [file]) if kinds.ending(name) == ".parquet" else Folder(root)


def _is_image(name: str) -> bool:
    return kinds.ending(name) in kinds.ENDINGS


def _safe(name: str) -> bool:
    """Whether a name stays below the folder that it is copied to, on any system."""
    plain = posixpath.normpath(name)
    return plain == name and not name.startswith(("/", "../")) and not re.search(r"[\\:\0]", name)


def _groups(found: Mapping[str, Object]) -> dict[str, list[str]]:
    """Each file with images, and its captions: tars, else tables, else images.

    Hidden files, and names that no folder can have, are left out.
    """
    shown = [n for n in found if _safe(n) and not any(p.startswith(".") for p in n.split("/"))]
    for own in (kinds.is_tar, lambda n: kinds.ending(n) == ".parquet"):
        if some := [n for n in shown if own(n)]:
            return {n: [n] for n in some}
    stems = {n: n.rpartition(".")[0] for n in shown if _is_image(n)}
    return {n: [n, *(s + e for e in SIDECARS if s + e in found)] for n, s in stems.items()}


def _aside(found: Mapping[str, Object], groups: Mapping[str, Sequence[str]]) -> list[LeftOut]:
    """Files that are not read and look like images or data."""
    used = {n for some in groups.values() for n in some}
    looks = (".csv", ".jsonl", ".parquet", *kinds.UNREAD)
    return [
        LeftOut(n, "not read at an address: copy the folder to this machine" if _safe(n)
                else "its name leaves the folder")
        for n in found
        if n not in used and (not _safe(n) or _is_image(n) or kinds.ending(n) in looks)
    ]  # fmt: skip


def local(path: Path) -> Path:
    """The folder itself, or a temporary copy of the one at an address, for indexes and runs."""
    where = address(path)
    if not where:
        return path
    folder = _passing(download)
    download(where, folder)
    return folder


def _passing(owner: object) -> Path:
    """A folder that goes with its owner, or with the process: silently, as an owner may be lost."""
    folder = Path(tempfile.mkdtemp(prefix="t2i-audit-"))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def download(where: str, to: Path) -> int:
    """Copy everything at an address into a folder; the number of files.

    What says that a run or an index is there comes last. UserError for a name that leaves it.
    """
    found = objects(where)
    for name in sorted(found, key=_order):
        if not _safe(name):
            raise UserError(f"{where} has a file {name[:60]!r}, whose name leaves the folder.")
        fetch(where, found[name], inside(to, name))
    return len(found)


def upload(folder: Path, where: str) -> int:
    """Copy a folder to an address; the number of files.

    Each is there whole or not at all: written under another name and moved where the store does not
    do so by itself. What says that a run or an index is there comes last.
    """
    files, root = system(where)
    names = sorted(
        (p.relative_to(folder).as_posix() for p in folder.rglob("*")
         if p.is_file() and "/." not in f"/{p.relative_to(folder).as_posix()}"), key=_order
    )  # fmt: skip
    for name in names:
        to = f"{root}/{name}"
        with reaching(where, "written"):
            if where.startswith(("s3:", "gs:", "hf:")):  # an object is put whole
                files.put_file(str(folder / name), to)
                continue
            files.makedirs(posixpath.dirname(to), exist_ok=True)
            files.put_file(str(folder / name), f"{to}.part")
            files.mv(f"{to}.part", to)
    return len(names)


def _order(name: str) -> tuple[int, str]:
    return (1 + LAST.index(name) if name in LAST else 0, name)
