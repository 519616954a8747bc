"""Which columns of a table of images are read: by type and name, and where needed by content."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.datasets.captions import ARM_COLUMNS, SEED_COLUMNS, TEXT_COLUMNS, column, folded, listed
from audit.datasets.chosen import USUALLY, Chosen
from audit.errors import UserError

IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "picture", "photo", "image_bytes")
"""Usual names of columns with image bytes, as `folded` writes them."""
PATH_COLUMNS = ("image_path", "file_name", "path", "image", "filename", "file", "image_file",
                "img_path", "file_path", "filepath", "img")  # fmt: skip
"""Columns of text that may contain paths, where no column contains bytes."""
_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ",
           b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL ", b"\xff\x0a")  # fmt: skip
"""How image files begin; WebP, AVIF and HEIC say it from the fifth byte on."""
_NOT_PATHS = {
    "addresses on the web": ("http://", "https://", "s3://", "gs://"),
    "images as base64 text": ("data:image", "iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD"),
}
"""What columns of text hold in place of paths, by its beginnings."""
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jfif", ".avif")

Peek = Callable[[Sequence[str]], Mapping[str, Sequence[Any]]]
"""Some cells of each of the named columns, missing ones left out."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read."""

    image: str
    paths: bool
    """Whether the images are given as paths instead of bytes."""
    words: tuple[str, ...]
    """Captions, seed and arm, as far as these columns exist."""
    notes: tuple[str, ...] = ()
    """What has to be said about the choice."""


def columns(schema: Any, path: Path, peek: Peek | None = None, chosen: Chosen = USUALLY) -> Columns:
    """The columns of a table, by its Arrow schema.

    UserError where no column contains images, where several do and none is called `image`, where
    columns of captions differ in capitals alone, and for a chosen column that is missing or
    contains something else. Without `peek` names decide, and the first.
    """
    named = chosen.column("image", schema.names, str(path))
    image, paths, notes = (
        _named_image(schema, named, path, peek) if named else _image_column(schema, path, peek)
    )
    words = list[str]()
    for what, usual in (("caption", TEXT_COLUMNS), ("seed", SEED_COLUMNS), ("arm", ARM_COLUMNS)):
        if own := chosen.column(what, schema.names, str(path)):
            words.append(own)
        else:
            found = (column(schema.names, (wanted,), str(path)) for wanted in usual)
            words += [name for name in found if name and name != image]
    if not chosen.named("caption") and not {folded(w) for w in words} & set(TEXT_COLUMNS):
        there = listed(schema.names)
        notes = (*notes, f"Tables without a column of captions ({', '.join(TEXT_COLUMNS)}), with "
                         f"the columns {there}")  # fmt: skip
    return Columns(image, paths, tuple(words), notes)


def _image_column(schema: Any, path: Path, peek: Peek | None) -> tuple[str, bool, tuple[str, ...]]:
    """The column of bytes, or of structs of bytes and path, or of paths; true for paths."""
    held = [str(f.name) for f in schema if holds_bytes(f.type)]
    named = [n for n in held if folded(n) in IMAGE_COLUMNS]
    if peek is None or (len(held) == 1 and named):
        found = (named or held)[:1]
    else:
        cells = peek(held) if held else {}
        found = [n for n in held if any(map(is_image, cells[n]))]
        found = found or named or [n for n in held if not cells[n]]
    if len(found) > 1:
        return _of_several(found, path)
    if found:
        return found[0], False, ()
    texts = [str(f.name) for f in schema if is_text(f.type)]
    if name := column(texts, PATH_COLUMNS, str(path)):
        _are_paths(name, path, (peek([name]) if peek else {}).get(name, ()))
        return name, True, ()
    there = ", ".join(f"{f.name!r} ({str(f.type)[:60]})" for f in list(schema)[:12])
    raise UserError(
        f"{path} has no column of image bytes or of paths ({', '.join(PATH_COLUMNS)}). Name it "
        f"with --columns image=NAME; the columns are {there}."
    )


def _named_image(
    schema: Any, name: str, path: Path, peek: Peek | None
) -> tuple[str, bool, tuple[str, ...]]:
    """The column that the user named, of bytes or of paths; UserError where it has neither."""
    kind = schema.field(name).type
    if holds_bytes(kind):
        return name, False, ()
    if not is_text(kind):
        raise UserError(
            f"The column {name!r} of {path} contains {str(kind)[:60]}, not image bytes or paths. "
            "Name another with --columns image=NAME."
        )
    _are_paths(name, path, (peek([name]) if peek else {}).get(name, ()))
    return name, True, ()


def _are_paths(name: str, path: Path, cells: Sequence[Any]) -> None:
    """UserError for a column of text that has something else than paths."""
    for what, starts in _NOT_PATHS.items():
        if any(str(c).startswith(starts) for c in cells):
            raise UserError(
                f"The column {name!r} of {path} has {what}, not paths of images. Store the images' "
                "bytes in a column 'image'."
            )


def _of_several(found: Sequence[str], path: Path) -> tuple[str, bool, tuple[str, ...]]:
    names = listed(found)
    image = [n for n in found if folded(n) == "image"]
    if len(image) != 1:
        raise UserError(
            f"{path} has {len(found)} columns of images ({names}). Say which one is meant with "
            "--columns image=NAME."
        )
    return image[0], False, (f"Tables with several columns of images ({names}), of which "
                             f"{image[0]!r} was read",)  # fmt: skip


def plain_type(kind: Any) -> Any:
    """The type of the values behind a dictionary, runs or an extension."""
    import pyarrow as pa

    while True:
        if isinstance(kind, pa.DictionaryType | pa.RunEndEncodedType):
            kind = kind.value_type
        elif isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        else:
            return kind


def is_text(kind: Any) -> bool:
    """Whether a column of this Arrow type contains text."""
    from pyarrow import types

    kind = plain_type(kind)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_bytes(kind: Any) -> bool:
    """Whether a column of this Arrow type contains bytes."""
    from pyarrow import types

    kind = plain_type(kind)
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )


def holds_bytes(kind: Any) -> bool:
    """Whether it contains bytes, or structs that have them in a field `bytes`."""
    from pyarrow import types

    kind = plain_type(kind)
    if not types.is_struct(kind):
        return is_bytes(kind)
    return any(f.name == "bytes" and is_bytes(f.type) for f in kind)


def is_image(cell: Any) -> bool:
    """Whether a cell holds an image file, or the path of one."""
    if isinstance(cell, Mapping):
        body, path = cell.get("bytes"), cell.get("path")
        if not body:
            return isinstance(path, str) and path.lower().endswith(_ENDINGS)
        cell = body
    if not isinstance(cell, bytes):
        return False
    riff = cell[:4] == b"RIFF" and cell[8:12] == b"WEBP"
    boxed = cell[4:8] == b"ftyp" and cell[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1")
    return riff or boxed or cell.startswith(_STARTS)
