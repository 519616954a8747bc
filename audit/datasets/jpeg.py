"""The part of a JPEG file that decides its pixels.

A JPEG that is decoded at a reduced size is compared with others by this part: the reduced pixels
of two files can be equal where the whole ones are not.
"""

from __future__ import annotations

START, SCAN, ADOBE = 0xD8, 0xDA, 0xEE
"""Markers: of the file, of the first scan, and the segment that names Adobe's colours."""


def is_jpeg(data: bytes) -> bool:
    """Whether a file begins as a JPEG does."""
    return data[:3] == b"\xff\xd8\xff"


def body(data: bytes) -> bytes:
    """The tables and scans, without comments, EXIF data, profiles and other applications' segments.

    Segments: ITU-T T.81, annex B.1.1. Files that differ only in what is left out here have the same
    pixels, apart from their orientation. A file with other than segments before its first scan is
    returned whole.
    """
    kept, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == SCAN:
            return b"".join([*kept, data[at:]])
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        said = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not said or marker == ADOBE:
            kept.append(data[at:end])
        at = end
    return data
