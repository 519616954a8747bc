"""Texts in the EXIF data of an image, in the encodings that programs give them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from audit.datasets import texts

USER_COMMENT, EXIF_BLOCK, DESCRIPTION = 0x9286, 0x8769, 0x010E
MAKE, MODEL, TITLE, XP_COMMENT = 0x010F, 0x0110, 0x9C9B, 0x9C9C
CODE = 8
"""Bytes that name the character code of a UserComment (EXIF 2.32, 4.6.5)."""
_SIGNATURE = re.compile(
    r"(?i:file |image )?(?i:created|generated|written|encoded|compressed|optimi[sz]ed|converted|"
    r"processed|saved|exported|resized|edited|made)[ ](?i:by|with|using)[ ](?i:the[ ])?[A-Z]\S*"
    r"(?:[ ]\S+)?(?:(?:[ ]\S+)?[ ](?i:v(?:er(?:sion)?)?\.?[ ]?)?\d[\w.]*.*)?"
    r"|(?i:creator|software|encoder|created by):[ ].*"
    r"|(?:Lav[cf]\d|Kakadu-|LEAD Technologies|Intel\(R\)|AppleMark|JPEG Encoder|OpenJPEG|"
    r"ImageMagick|gd-jpeg).*",
    re.DOTALL,
)
"""Comments in which an encoder gives its own name."""


def exif_texts(exif: Mapping[int, Any], block: Mapping[int, Any]) -> Iterator[str]:
    """The texts of an image that may hold its prompt, the most usual place first."""
    if (raw := block.get(USER_COMMENT, exif.get(USER_COMMENT))) is not None:
        yield user_comment(raw)
    for tag in (MODEL, MAKE, DESCRIPTION, XP_COMMENT, TITLE):
        if (raw := exif.get(tag)) is not None:
            text = plain_text(raw, tag in (XP_COMMENT, TITLE))
            if tag not in (MODEL, MAKE) or text.lower().startswith(("prompt:", "workflow:")):
                yield text


def user_comment(raw: Any) -> str:
    """A UserComment: its first bytes name the code, which programs do not always keep to."""
    if isinstance(raw, str):
        return plain_text(raw)
    data = bytes(raw)
    code, body = data[:CODE].upper(), data[CODE:]
    if code.startswith(b"UNICODE"):
        return _unicode(body)
    if code.startswith(b"JIS"):
        return _japanese(body)
    if code.startswith(b"ASCII") or not code.strip(b"\0"):
        return texts.decoded(body)[0]
    return texts.decoded(data)[0]


def _unicode(body: bytes) -> str:
    """UTF-16 in either order, with or without its mark, or UTF-8 under a false name."""
    found = texts.encoding(body, cut=True)
    if found.assumed:
        found = texts.Encoding(texts.wide(body, cut=True) or found.name)
    return body[found.skip :].decode(found.name, "replace").strip("\0")


def _japanese(body: bytes) -> str:
    for name in ("iso2022_jp", "shift_jis", "utf-8"):
        try:
            return body.decode(name).strip("\0")
        except UnicodeDecodeError:
            continue
    return texts.decoded(body)[0]


def plain_text(raw: Any, wide: bool = False) -> str:
    """A text of another tag; Pillow reads bytes as Latin-1, whatever they are."""
    if isinstance(raw, tuple | list) and raw and all(isinstance(v, int) for v in raw):
        raw = bytes(v & 255 for v in raw)
    if isinstance(raw, str):
        try:
            raw = raw.encode("latin-1")
        except UnicodeEncodeError:
            return str(raw)
    if not isinstance(raw, bytes):
        return ""
    return raw.decode("utf-16-le", "replace").strip("\0") if wide else texts.decoded(raw)[0]


def is_signature(text: str) -> bool:
    """Whether a comment is what an encoder writes of itself, such as `Created with GIMP`."""
    return len(text) <= 200 and _SIGNATURE.fullmatch(text.strip().rstrip(".")) is not None
