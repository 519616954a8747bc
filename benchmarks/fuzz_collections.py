"""Images and collections of images for the fuzzer: tiny ones of each form, and their readers."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from audit.cli import main as cli
from audit.datasets import pixels, prompts
from audit.datasets.chosen import USUALLY, Chosen, chosen
from audit.datasets.find import find
from audit.design import suites
from audit.design.imported import pictures as imported
from audit.design.imported import plan as plans
from audit.errors import Incomplete, UserError
from tests.builders.suites import TOML
from tests.evidence.copies import made

PROMPT = "a photo of a nurse"


def verb(*words: object) -> str:
    """The standard output of a command; its exceptions are raised."""
    from typer.testing import CliRunner

    result = CliRunner().invoke(cli.app, [str(w) for w in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code == 2:
        raise UserError(result.output)
    if result.exit_code == 3 and "undecided" not in result.stdout:
        raise Incomplete(result.output)
    return result.stdout


def picture(path: Path, kind: str) -> None:
    """A small image with a prompt, EXIF data and a profile, as far as its form has them."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (16, 24, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112], exif[0x010E] = 6, f"{PROMPT}\nSteps: 3, Sampler: x"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + PROMPT.encode("utf-16-be")
    more: dict[str, Any] = {"exif": exif} if kind in ("PNG", "JPEG", "WEBP", "TIFF") else {}
    if kind == "PNG":
        info = PngInfo()
        info.add_text("parameters", f"{PROMPT}\nSteps: 3, Sampler: x", zip=True)
        info.add_itxt("prompt", json.dumps({"1": {"class_type": "X", "inputs": {"text": PROMPT}}}))
        more["pnginfo"] = info
    if kind == "GIF":
        image, more = image.quantize(16), {"comment": PROMPT.encode(), "transparency": 1}
    if kind == "TIFF":
        more["compression"] = "tiff_lzw"
    image.save(path, kind, **more)


def show(path: Path) -> object:
    """The pixels and the prompt of an image."""
    data = pixels.content(path)
    return pixels.decode(data).tobytes(), prompts.embedded(data)


def shown(folder: Path) -> object:
    """The only image of a folder; damaged ones are left out with a reason."""
    return show(next(p for p in sorted(folder.iterdir()) if p.is_file()))


def as_images(path: Path, table: Path | None = None, which: Chosen = USUALLY) -> object:
    """What `run --images` reads: items, their place in the plan, notes, and every image."""
    source = imported.read(path, table, which)
    found = [(p.name, p.text, p.seed) for p in source.items()]
    with suppress(UserError):  # none of the prompts is in the suite
        plan = plans.join(suites.read_suite(str(path.parent / "small.toml")), source)
        found += [(s.id, s.text, s.seed) for s in plan.samples]
    source.notes(), source.left_out()
    for item in source.items():
        with suppress(pixels.Unreadable):
            source.image(item.name)
    return found


def as_training_set(path: Path) -> object:
    """What `index` does with it; then every image is found again by its id."""
    out = path.parent / f"made-{path.name}"
    verb("index", path, "-o", out, "--descriptor", "phash", "--duplicates")
    source = find(path)
    for unit in source.units():
        for item in source.read(unit):
            with suppress(pixels.Unreadable):
                source.image(item.entry.id)
    return None


def as_embeddings(path: Path) -> object:
    """What `index` reads of embeddings, without the model that made them."""
    from audit.evidence.copies.index import build

    return len(build({"train": find(path)}, _Of(), path.parent / "made").train)


class _Of:
    key = "fuzz-vectors"
    dimensions = 4

    def images(self, pictures: Any) -> np.ndarray:
        """float32[n, 4]."""
        return np.ones((len(pictures), 4), np.float32)


def images(root: Path) -> Path:
    """Three images of one prompt of the suite."""
    (root / "small.toml").write_text(TOML)
    return made.folder(root / "set", made.pictures(3, 1))


def with_table(root: Path, name: str) -> None:
    """Images with a table of prompts."""
    folder = images(root)
    rows = [
        {"file_name": f"{i:03d}.png", "text": PROMPT, "seed": i, "arm": "none"} for i in range(3)
    ]
    if name.endswith(".csv"):
        lines = ["file_name,text,seed,arm", *(",".join(map(str, r.values())) for r in rows)]
    else:
        lines = [json.dumps(r) for r in rows]
    (folder / name).write_text("\n".join(lines) + "\n")


def with_sidecars(root: Path) -> None:
    """Images with sidecars of each ending."""
    folder = images(root)
    (folder / "001.txt").rename(folder / "001.caption")
    (folder / "002.txt").unlink()
    (folder / "002.json").write_text(json.dumps({"caption": PROMPT, "seed": 3, "tags": ["x", 1]}))


def tar(root: Path) -> None:
    """A WebDataset tar."""
    (root / "small.toml").write_text(TOML)
    made.tar(root / "set.tar", made.pictures(3, 1))


def parquet(root: Path) -> None:
    """A Parquet table with images, captions and seeds."""
    import pyarrow.parquet as parquet

    (root / "small.toml").write_text(TOML)
    table = made.rows(made.pictures(3, 1)).append_column("seed", [[1, 2, 3]])
    parquet.write_table(table, root / "set.parquet")


WHICH = chosen(["image=photo b,caption=what it shows"])
"""The columns that `as_named` names."""


def two_columns(root: Path) -> None:
    """A Parquet table with two columns of images, and a folder with a table of captions."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    (root / "small.toml").write_text(TOML)
    files = [pixels.png(p) for p in made.pictures(3, 1)]
    table = pa.table({"photo a": files, "photo b": files, "what it shows": [PROMPT] * 3})
    folder = made.folder(root / "set", made.pictures(3, 2))
    parquet.write_table(table, folder / "photos.parquet")
    rows = "".join(f"{i:03d}.png,{PROMPT}\n" for i in range(3))
    (folder / "metadata.csv").write_text(f"photo b,what it shows\n{rows}")


def as_named(root: Path) -> object:
    """What `--images --columns` reads of both."""
    table = root / "set" / "photos.parquet"
    moved = table.rename(root / "photos.parquet") if table.exists() else root / "photos.parquet"
    try:
        return [as_images(place, None, WHICH) for place in (moved, root / "set")]
    finally:
        moved.rename(table)


def embeddings(root: Path) -> None:
    """Vectors with metadata."""
    made.embeddings(root / "set", np.random.default_rng(0).normal(size=(8, 4)).astype("f4"), 1)


def saved(root: Path) -> None:
    """A dataset that was saved to disk."""
    (root / "small.toml").write_text(TOML)
    made.saved(root / "set", made.pictures(3, 1), 1)
