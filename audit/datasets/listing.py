"""The files below a folder: which are its images, which it has besides, and what is left out."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audit.datasets import cells, kinds, pixels
from audit.datasets.captions import NAMED, SIDECARS, TABLES, some_names
from audit.datasets.texts import spelled
from audit.errors import UserError
from audit.files import stays

SYSTEM = {"__macosx": "__MACOSX", ".ipynb_checkpoints": "a notebook's checkpoint",
          "@eadir": "@eaDir", "$recycle.bin": "a recycle bin"}  # fmt: skip
"""Folders of copies, in small letters, that systems and programs keep."""
CACHES = {"thumbs.db", "ehthumbs.db"}
_SHEET = re.compile(r"(^|_)grid-\d", re.IGNORECASE)
LONGEST = 380
"""Characters of a note, which a report shows in full."""


@dataclass(frozen=True)
class LeftOut:
    """A file that is not one of the images, though it may look like one."""

    file: str
    """By its path below the folder."""
    reason: str
    prompt: str = ""
    """The prompt that was seen; empty for none."""


@dataclass
class Listing:
    """Everything below a folder that matters, by path."""

    images: list[Path] = field(default_factory=list)
    tars: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    """Parquet files."""
    beside: dict[Path, dict[str, Path]] = field(default_factory=lambda: defaultdict(dict))
    """Path without its ending to the sidecars with that name, by ending in small letters."""
    left_out: list[LeftOut] = field(default_factory=list)


def listed(root: Path) -> Listing:
    """The files below a folder, sorted by path.

    A file is an image if its content says so, or else its ending. Hidden files, copies that
    systems keep, links that leave the folder, images of kinds that are not read, and contact sheets
    are left out, each with its reason; a link to a file of the same repository of a hub's cache is
    read. Links to folders are not followed.
    """
    found = Listing()
    for path, reason in _files(root):
        _sort(found, root, path, reason)
    for some in (found.images, found.tars, found.tables):
        some.sort()
    sheets = _contact_sheets(found.images)
    found.images = [p for p in found.images if p not in sheets]
    found.left_out += [LeftOut(_name(root, p), reason) for p, reason in sheets.items()]
    found.left_out.sort(key=lambda x: x.file)
    return found


def _name(root: Path, path: Path) -> str:
    return spelled(path.relative_to(root).as_posix())


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file and every link below a folder, with the reason to leave it out, if any."""
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names.sort()
        inner = _of_folder(here.relative_to(root).parts)
        for name in names:
            if (here / name).is_symlink():
                yield here / name, "a link to a folder"
        for name in files:
            path = here / name
            known = inner or _of_name(name)
            yield path, known or (_of_link(root, path) if path.is_symlink() else "")


def copies(name: str) -> str:
    """Why a file with this path is a copy or hidden; empty for other files."""
    *folders, base = name.split("/")
    return _of_folder([f for f in folders if f not in (".", "..")]) or _of_name(base)


def _of_folder(parts: Sequence[str]) -> str:
    for part in parts:
        if known := SYSTEM.get(part.lower()):
            return f"in a folder of copies ({known})"
        if part.startswith("."):
            return "in a hidden folder"
    return ""


def _of_name(name: str) -> str:
    if name.lower() in CACHES:
        return "a cache of thumbnails"
    if name.startswith("."):
        return "a hidden file"
    return "a backup or an unfinished download" if name.lower().endswith(kinds.BACKUPS) else ""


def _of_link(root: Path, path: Path) -> str:
    if not stays(root, path):
        return "a link that leaves the folder"
    return "" if path.is_file() else "a link to nothing"


def snapshot(root: Path) -> Path:
    """The folder itself, or the only snapshot of a repository in a hub's cache.

    Raises UserError for several.
    """
    if not ((root / "blobs").is_dir() and (root / "snapshots").is_dir()):
        return root
    some = sorted(p for p in (root / "snapshots").iterdir() if p.is_dir())
    if len(some) > 1:
        raise UserError(f"{root} has {len(some)} snapshots. Give one of them, such as {some[0]}.")
    return some[0] if some else root


def _sort(found: Listing, root: Path, path: Path, reason: str) -> None:
    """Put a file where it belongs."""
    ending = kinds.ending(path.name)
    if reason:
        looks = ending in kinds.ENDINGS or ending in kinds.UNREAD
        linked = path.is_symlink() and (ending in (*SIDECARS, ".tar", ".parquet") or not ending
                                        or path.name in TABLES)  # fmt: skip
        if looks or linked or path.name.lower() in CACHES or _is_backup(path):
            found.left_out.append(LeftOut(_name(root, path), reason))
    elif not path.is_file():
        return  # a pipe or a device, which must not be opened
    elif ending in SIDECARS:
        found.beside[path.with_suffix("")].setdefault(ending, path)
    elif kinds.is_tar(path.name):
        found.tars.append(path)
    elif ending == ".parquet":
        found.tables.append(path)
    elif ending in kinds.UNREAD:
        said = f"a kind of image that is not read ({kinds.UNREAD[ending]})"
        found.left_out.append(LeftOut(_name(root, path), said))
    elif ending in kinds.ENDINGS:
        found.images.append(path)
    elif ending not in kinds.OTHER and (kind := kinds.of_content(kinds.head(path))):
        if kind in kinds.READ:
            found.images.append(path)
        else:
            said = f"a kind of image that is not read ({kind})"
            found.left_out.append(LeftOut(_name(root, path), said))


def _is_backup(path: Path) -> bool:
    """Whether an image's name has an ending of BACKUPS behind its own."""
    name = path.name.lower()
    end = next((b for b in kinds.BACKUPS if name.endswith(b)), "")
    return bool(end) and kinds.ending(name.removesuffix(end)) in kinds.ENDINGS


def _contact_sheets(images: Sequence[Path]) -> dict[Path, str]:
    """Sheets of several images, which carry the metadata of one of them, with the reason.

    They are called `grid-0000` or are in a folder `...-grids`, as AUTOMATIC1111's interface has it.
    """
    maybe = [p for p in images if _SHEET.search(p.name) or p.parent.name.lower().endswith("-grids")]
    if not maybe:
        return {}
    known = {p: m for p in maybe if (m := _metadata(p))}
    others: dict[tuple[str, ...], Path] = {}
    for path in sorted(set(images) - set(maybe)):
        if known and (said := _metadata(path)):
            others.setdefault(said, path)
    return {p: f"a contact sheet, with the metadata of {others[m].name}"
            for p, m in known.items() if m in others}  # fmt: skip


def _metadata(path: Path) -> tuple[str, ...]:
    """The texts in an image's header; empty for none."""
    try:
        with pixels.opened(path) as image:
            texts = [f"{k}={v}" for k, v in sorted(image.info.items()) if isinstance(v, str)]
            exif = image.getexif()
            more = {**exif, **exif.get_ifd(0x8769)}
            texts += [f"{t}={more[t]!r}" for t in (0x010E, 0x9286) if t in more]
            return tuple(texts)
    except pixels.Unreadable:
        return ()


def table(left_out: Iterable[LeftOut]) -> bytes:
    """A CSV of files with reason and prompt, as UTF-8, in the order of their names.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    rows = sorted((x.file, x.reason, x.prompt) for x in left_out)
    return cells.written(("file", "reason", "prompt"), rows)


def rows(text: str) -> list[LeftOut]:
    """The files of such a CSV; ValueError for any other."""
    lines = csv.DictReader(io.StringIO(text, newline=""))
    found = []
    for line in lines:
        row = {k: cells.plain(line.get(k) or "") for k in ("file", "reason", "prompt")}
        if not row["file"] or not row["reason"]:
            raise ValueError(f"line {lines.line_num} names no file, or no reason")
        found.append(LeftOut(**row))
    return found


def said(left_out: Iterable[LeftOut], where: str = "") -> str:
    """What was left out, by reason with the first names, and the table `where` all of it is.

    In at most LONGEST characters as far as reasons allow, with fewer names for that; empty where
    nothing was left out.
    """
    names: Mapping[str, list[str]] = defaultdict(list)
    for one in left_out:
        names[re.sub(r", with the metadata of .*", "", one.reason)].append(one.file)
    many = sum(map(len, names.values()))
    if not many:
        return ""
    start = f"{many} files were" if many > 1 else "1 file was"
    end = f" {where} lists {'them' if many > 1 else 'it'}." if where else ""
    text = ""
    for most in (NAMED, 1, 0):
        text = f"{start} left out: {'; '.join(_parts(names, most))}.{end}"
        if len(text) <= LONGEST:
            break
    return text


def _parts(names: Mapping[str, Sequence[str]], most: int) -> Iterator[str]:
    """Each reason with the number of its files and the first of them, the commonest first."""
    for reason, files in sorted(names.items(), key=lambda x: -len(x[1])):
        if len(files) == 1 and most:
            yield f"{some_names(files)}, {reason}"
        else:
            yield f"{len(files)} as {reason}" + (
                f" ({some_names(files, most=most)})" if most else ""
            )
