"""The members of a tar: which are images, where the content of each is, and the captions.

Names follow the WebDataset specification: a key is everything up to the first full stop of the
base name, folders included, and what follows says what the member is.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, join, normpath

from audit.datasets import kinds, listing, pixels
from audit.datasets.captions import MAX_TEXT, SIDECARS, sidecar_text
from audit.datasets.texts import spelled
from audit.errors import UserError

BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError,
          ArithmeticError)  # fmt: skip
"""Exceptions that reading a damaged tar raises."""
MAX_HEADER = 1 << 20
"""Bytes of one member's name and extended header."""
MAX_TEXTS = 256 << 20
"""Bytes of all captions of a tar."""
MOST_LINKS = 10
"""Links that are followed one after another."""
ZSTD = b"\x28\xb5\x2f\xfd"


class _Header(tarfile.TarInfo):
    """A member's header, whose extensions are bounded: they are read into memory whole."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo | tarfile.TarFile:
        extended = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE,
                    tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)  # fmt: skip
        if self.type in extended and self.size > MAX_HEADER:
            raise tarfile.ReadError(f"a name or header of {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]


@dataclass(frozen=True)
class Member:
    """One image of a tar."""

    file: tarfile.TarInfo | None
    """The member with its content; None where it has none."""
    reason: str = ""
    """Why it cannot be read; empty if it may."""
    left_out: str = ""
    """Why it is not one of the images, though it looks like one."""


@dataclass
class Contents:
    """Images of a tar, in its order, and their captions by name without ending."""

    members: dict[str, Member] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True
    """Whether the archive ends with its end mark; one that was cut short does not."""

    def caption(self, name: str) -> str:
        """The caption of an image: of the same name, else of its key; empty for none."""
        return self.captions.get(_stem(name)) or self.captions.get(_key(name), "")


def _stem(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + (base.rpartition(".")[0] or base)


def _key(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.partition(".")[0]


def opened(path: Path) -> tarfile.TarFile:
    """A tar, compressed or not; raises one of BROKEN, and UserError for Zstandard.

    Zstandard is read where this version of Python does so.
    """
    try:
        return tarfile.open(path, tarinfo=_Header)
    except tarfile.ReadError as error:
        if kinds.head(path).startswith(ZSTD) and "zst" not in tarfile.TarFile.OPEN_METH:
            raise UserError(
                f"{path} is compressed by Zstandard, which Python reads from version 3.14 on. "
                "Unpack it: zstd -d."
            ) from error
        raise


def content(archive: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes:
    """The first `limit` bytes of a member."""
    file = archive.extractfile(member)
    return file.read(limit) if file else b""


def has_images(path: Path) -> bool:
    """Whether a tar has a member that is an image, without reading on; raises one of BROKEN."""
    with opened(path) as archive:
        return any(_image(archive, m, m.name) == "" for m in archive if m.isfile())


def scan(path: Path) -> Contents:
    """The contents of a tar from one pass over its headers, which reads only the sidecars.

    Links are followed inside the archive. Raises one of BROKEN for a damaged tar, and UserError
    for one that contains a name twice, or captions above MAX_TEXTS.
    """
    found = Contents()
    files: dict[str, tarfile.TarInfo] = {}
    links: dict[str, tarfile.TarInfo] = {}
    texts: dict[str, dict[str, str]] = {}
    held = 0
    with opened(path) as archive:
        for name, member in _once(archive, path):
            if member.issym() or member.islnk():
                links[name] = member
                found.members[name] = Member(None)  # keeps its place
                continue
            files[name] = member
            held += _keep(archive, found, texts, (name, member))
            if held > MAX_TEXTS:
                raise UserError(
                    f"{path} holds more than {MAX_TEXTS:,} bytes of captions. Split it."
                )
        found.whole = _ended(archive)
        for name in links:
            target = _target(name, links, files)
            _keep(archive, found, texts, (name, target))
    found.captions = {
        k: text
        for k, t in texts.items()
        if (text := next((t[s] for s in SIDECARS if t.get(s)), ""))
    }
    return found


def _once(archive: tarfile.TarFile, path: Path) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Files and links by name."""
    seen: set[str] = set()
    for member in archive:
        if not (member.isfile() or member.issym() or member.islnk()):
            continue
        name = spelled(member.name)
        if name in seen:
            raise UserError(
                f"{path} contains {name} twice, and nothing says which one is meant. "
                "Remove one, or give them different names."
            )
        seen.add(name)
        yield name, member


def _target(
    name: str, links: Mapping[str, tarfile.TarInfo], files: Mapping[str, tarfile.TarInfo]
) -> tarfile.TarInfo | None:
    """The file that a link leads to inside the archive; None for none."""
    for _ in range(MOST_LINKS):
        link = links[name]
        there = spelled(link.linkname)
        near = normpath(join(dirname(name), there))
        name = next((n for n in ((near, f"./{near}") if link.issym() else (there,))
                     if n in files or n in links), "")  # fmt: skip
        if name in files:
            return files[name]
        if not name:
            break
    return None


def _keep(
    archive: tarfile.TarFile, found: Contents, texts: dict[str, dict[str, str]],
    one: tuple[str, tarfile.TarInfo | None],
) -> int:  # fmt: skip
    """Sort a member, or the target of a link, by its name; the bytes of text that it adds."""
    name, member = one
    ending = kinds.ending(name.rpartition("/")[2])
    if ending in SIDECARS and member is not None:
        found.members.pop(name, None)
        if not listing.copies(name):
            text = sidecar_text(ending, content(archive, member, MAX_TEXT)) or ""
            texts.setdefault(_stem(name), {})[ending] = text
            return len(text)
        return 0
    left_out = _image(archive, member, name)
    if left_out is None:
        found.members.pop(name, None)
    elif member is None:
        found.members[name] = Member(None, "a link to a member that is not in the tar", left_out)
    elif member.size > pixels.MAX_BYTES:
        said = f"a file of {member.size:,} bytes is too large"
        found.members[name] = Member(None, said, left_out)
    else:
        found.members[name] = Member(member, "", left_out)
    return 0


def _image(archive: tarfile.TarFile, member: tarfile.TarInfo | None, name: str) -> str | None:
    """Empty for an image, the reason to leave out what looks like one, None for anything else."""
    ending = kinds.ending(name.rpartition("/")[2])
    if ending in kinds.ENDINGS:
        return listing.copies(name)
    if ending in kinds.UNREAD:
        return f"a kind of image that is not read ({kinds.UNREAD[ending]})"
    if ending in kinds.OTHER or member is None:
        return None
    kind = kinds.of_content(content(archive, member, kinds.HEAD))
    if kind in kinds.READ:
        return listing.copies(name)
    return f"a kind of image that is not read ({kind})" if kind else None


def _ended(archive: tarfile.TarFile) -> bool:
    """Whether an archive that was read to its end has the final block of zeros.

    One that was cut short between two members looks whole otherwise (POSIX pax, "two 512-byte
    blocks of zeros").
    """
    file = archive.fileobj
    return file is None or file.tell() >= archive.offset + tarfile.BLOCKSIZE
