"""Damaged images of a run: they are drawn again, because their noise is known."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from audit.errors import counted
from audit.keys import OUTCOMES
from audit.runs.context import Run

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def whole(data: bytes) -> bool:
    """Whether these bytes are a PNG file none of whose parts was changed, by their checksums.

    The PNG specification (third edition), sec. 5.3: length, type, data and CRC-32 of both.
    """
    at = len(SIGNATURE)
    if not data.startswith(SIGNATURE):
        return False
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        end = at + 8 + size
        if end + 4 > len(data):
            return False
        if zlib.crc32(data[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            return False
        if data[at + 4 : at + 8] == b"IEND":
            return end + 4 == len(data)
        at = end + 4
    return False


def removed(run: Run, ids: Iterable[str]) -> set[str]:
    """Remove damaged images of the run, and files without a known reason; their ids.

    What is packed is taken out of the manifest of its pack.
    """
    known, gone = {outcome.encode() for outcome in OUTCOMES}, set[str]()
    images, wanted = run.folder.images, list(ids)
    packed = {id: whole(data) or data in known for id, data in images.packed(wanted)}
    if lost := [id for id, intact in packed.items() if not intact]:
        gone |= images.drop(lost)
    folders: dict[str, str] = {}  # each is looked up once: a run may have a million images
    for id in wanted:
        if id in packed:
            continue
        if id[:2] not in folders:
            folders[id[:2]] = str(run.folder.image_path(id).parent)
        file = f"{folders[id[:2]]}/{id}.png"
        if data := _bytes(file):
            intact = whole(data)
        elif not Path(file).exists():
            file = f"{folders[id[:2]]}/{id}.why"
            intact = _bytes(file) in known
        else:
            intact = False
        if not intact:
            with suppress(OSError):
                Path(file).unlink()
                gone.add(id)
    if gone:
        some = counted(len(gone), "damaged image is", "damaged images are")
        run.progress(f"{some} drawn again", 0, len(gone))
    return gone


def _bytes(file: str) -> bytes:
    """The bytes of a file, without the cost of a path or a buffer for each; empty if unreadable."""
    try:
        with open(file, "rb", buffering=0) as opened:
            return opened.read()
    except OSError:
        return b""
