"""Write sets of the world to disk: pictures, person masks, captions and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from audit.datasets import pixels
from audit.datasets.cells import of_frame
from audit.errors import UserError, unknown
from audit.files import write_atomic
from audit.world.dataset import Item, planted, training_set, twin_set
from audit.world.render import mask
from audit.world.truth import EMBEDDED, GENDERS, SKIN_TONES, World, skin_tones

SETS: dict[str, Callable[[World], Sequence[Item]]] = {
    "train": training_set,
    "twin": twin_set,
    "planted": planted,
}


def labels(item: Item) -> dict[str, object]:
    """One row of the table: what is in the picture and how often the training set holds it."""
    person = item.scene.sprite
    return {
        "id": item.id,
        "caption": item.caption,
        "repeats": item.repeats,
        "occupation": person.noun if person else None,
        "gender": person.gender if person else None,
        "skin_tone": person.skin_tone if person else None,
        "artist": person.artist if person else None,
        "colour": item.scene.colour,
        "pattern": item.scene.pattern,
    }


def render_set(which: str, out: Path, limit: int | None = None, world: World = EMBEDDED) -> Path:
    """Write `images/`, `masks/` and `labels.csv`; pictures that are there are not drawn again."""
    if which not in SETS:
        raise unknown("set", which, SETS)
    items: Sequence[Item] = SETS[which](world)[:limit]
    for item in items:
        path = out / "images" / f"{item.id}.png"
        if not path.exists():
            write_atomic(path.with_suffix(".txt"), item.caption.encode())
            write_atomic(out / "masks" / path.name, _mask_png(item))
            write_atomic(path, pixels.png(item.pixels()))
    table = pd.DataFrame([labels(i) for i in items])
    write_atomic(out / "labels.csv", of_frame(table))
    return out / "labels.csv"


def _mask_png(item: Item) -> bytes:
    import numpy as np

    return pixels.png(np.repeat(mask(item.scene)[..., None], 3, axis=2))


def truth_table(world: World = EMBEDDED) -> pd.DataFrame:
    """The planted shares as a reference table: subject, attribute, value, share, source."""
    rows = []
    for o in world.occupations:
        at_hand = o.source == "declared" or world is not EMBEDDED
        source = o.source if at_hand else f"BLS CPS Table 11 (2022): {o.source}"
        for value, share in zip(GENDERS, (o.p_woman, 1 - o.p_woman), strict=True):
            rows.append((o.noun, "gender", value, round(share, 6), source))
        tones = "declared" if world is EMBEDDED else o.source
        for tone, share in zip(SKIN_TONES, skin_tones(o.tones), strict=True):
            rows.append((o.noun, "skin_tone", tone, round(share, 6), tones))
    return pd.DataFrame(rows, columns=["subject", "attribute", "value", "share", "source"])


def caption_table(world: World = EMBEDDED) -> pd.DataFrame:
    """The planted images' captions as a prompt table: id, text, subject, repeats."""
    rows = [
        (i.id, i.caption, i.scene.sprite.noun if i.scene.sprite else "", i.repeats)
        for i in planted(world)
    ]
    return pd.DataFrame(rows, columns=["id", "text", "subject", "repeats"])


def write_prompts(folder: Path) -> list[Path]:
    """Write both tables as the CSV files that the world's suites read."""
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}. Give the folder of the suites.")
    written = []
    for name, table in (
        ("world_truth.csv", truth_table()),
        ("world_captions.csv", caption_table()),
    ):
        write_atomic(folder / name, of_frame(table))
        written.append(folder / name)
    return written
