"""A run as one ZIP file, to be sent: it opens anywhere, with its own images."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from audit.datasets import pixels
from audit.errors import UserError
from audit.files import atomic
from audit.store import RunFolder

DAY = (1980, 1, 1, 0, 0, 0)
"""The date of every file in the archive: the same run gives the same bytes."""
PACKED = {".npz", ".parquet", ".png", ".tar"}
"""Files that are compressed already."""


def write(folder: RunFolder, image: Callable[[str], np.ndarray], out: Path) -> Path:
    """The whole run in a folder of its own name inside `out`; hidden files and links are left out.

    `image` reads an image made elsewhere by sample: these are kept as images of the run, without
    the metadata of their files, and the archive does not depend on their place.
    Raises UserError for another extension, and where the run is not finished.
    """
    if out.suffix != ".zip":
        raise UserError(f"{out} does not end in .zip. Use that extension.")
    results, top = folder.results(), folder.path.resolve().name
    with TemporaryDirectory() as place:
        sent = RunFolder(Path(place))
        if results["images"]:
            sent.write_results({**results, "images": "", "images_at": ""})
            for id in sorted(results["pictures"]):
                with suppress(pixels.Unreadable):  # unreadable here as it is there
                    sent.write_image(id, image(id))
        parts = {**_files(folder.path, out), **_files(sent.path, out)}
        with atomic(out) as file, zipfile.ZipFile(file, "w") as archive:
            for name, path in sorted(parts.items()):
                how = zipfile.ZIP_STORED if path.suffix in PACKED else zipfile.ZIP_DEFLATED
                entry = zipfile.ZipInfo(f"{top}/{name}", DAY)
                entry.external_attr, entry.compress_type = 0o644 << 16, how
                entry.file_size = path.stat().st_size
                with path.open("rb") as source, archive.open(entry, "w") as target:
                    while piece := source.read(1 << 20):
                        target.write(piece)
    return out


def _files(folder: Path, out: Path) -> dict[str, Path]:
    """The plain files below a folder by name, except the archive itself."""

    def plain() -> Iterator[Path]:
        for path in folder.rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and not path.is_symlink() and not hidden:
                yield path

    inner = [p for p in plain() if not (out.exists() and p.samefile(out))]
    return {p.relative_to(folder).as_posix(): p for p in inner}
