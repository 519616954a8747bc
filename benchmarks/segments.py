"""How well the attention of the embedded model finds people, against the world's own masks.

    python benchmarks/segments.py [--images 48] [--few 24] [--seed 5] [--figure FILE.webp]
    python benchmarks/segments.py --copies [--references 600] [--images 480] [--splits 100]
        [--attention]

Intersection over union (IoU) of the person, mean over images with a percentile bootstrap. Truth of
renders is the renderer's mask. Truth of drawn images is the outline of the world's person that
resembles the image most, in its best place (`audit.world.nearest`); images that resemble nobody
are left out and counted. The figure shows these outlines for judging by eye.

Beside the attention: the same maps without refinement along edges; a plain threshold, by distance
from the colour of the image's border (Otsu); a mask that is the same for all images, where people
stand most often; and the whole image. Then every layer and level of noise by itself.

With `--copies`, how well copies of the person and of the background are told apart (`--segments`
of a run): by what the rest of an image is filled with, and by what finds people. People are planted
on other backgrounds and backgrounds behind other people (`audit.world.parts`); the references are
split into a training set and its twin again and again, and each split is decided as a run is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from audit.engine.cross_attention import layers
from audit.engine.edges import labelled, otsu
from audit.engine.segments import LEVELS, Where, of_drawn, of_given
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.segments import BACKGROUND, GREY, PARTS, kept
from audit.evidence.copies.segments import cut as blanked
from audit.evidence.encoders.named import named
from audit.runs.options import Options
from audit.runs.segmenting import Segmenter
from audit.stats.interval import Interval
from audit.stats.proportions import cluster_bootstrap
from audit.world import parts
from audit.world.dataset import Item, fresh
from audit.world.nearest import outlines
from audit.world.render import SIDE, mask
from audit.world.truth import OCCUPATIONS

WORD = "person"
OTHERS = ("woman", "man", "background")
NOUNS = tuple(o.noun for o in OCCUPATIONS)
UNLIKE = 45.0
"""Root mean square difference from the most similar person above which an image is left out."""


def iou(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of masks bool[n, h, w]: float64[n]."""
    return (found & truth).sum((1, 2)) / np.maximum((found | truth).sum((1, 2)), 1)


def interval(values: np.ndarray) -> Interval:
    """A mean with its percentile bootstrap over images."""
    return cluster_bootstrap(values, np.arange(len(values)), np.random.default_rng(0))


def enlarged(maps: np.ndarray) -> np.ndarray:
    """Maps [n, h, w] at the images' size, by interpolation."""
    images = [Image.fromarray(m.astype(np.float32)) for m in maps]
    return np.stack([np.asarray(i.resize((SIDE,) * 2, Image.Resampling.BILINEAR)) for i in images])


def cut(values: np.ndarray) -> np.ndarray:
    """Values [n, h, w] above the Otsu threshold of each."""
    return np.stack([v > otsu(v) for v in values])


def refined(images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Masks of the first word by the command's own refinement."""
    return np.stack([labelled(i, m[:1]) == 0 for i, m in zip(images, maps, strict=True)])


def from_border(images: np.ndarray) -> np.ndarray:
    """The plain threshold: distance from the median colour of the border."""
    edge = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1)
    apart = images.astype(float) - np.median(edge, 1)[:, None, None]
    return cut(np.sqrt((apart**2).sum(-1)))


def usual(seed: int) -> np.ndarray:
    """The pixels where most people of another draw stand, at the best of nine thresholds."""
    truth = np.stack([mask(i.scene) > 127 for i in people(seed + 1, 200)])
    often = truth.mean(0)
    candidates = [often > t for t in np.arange(0.1, 1, 0.1)]
    return max(candidates, key=lambda m: float(iou(np.broadcast_to(m, truth.shape), truth).mean()))


def people(seed: int, n: int) -> list[Item]:
    """Fresh renders that show a person."""
    return [i for i in fresh(seed, 2 * n) if i.scene.sprite is not None][:n]


def methods(images: np.ndarray, maps: np.ndarray, fixed: np.ndarray) -> Mapping[str, np.ndarray]:
    """Masks bool[n, h, w] of every method."""
    return {
        "attention, refined along edges": refined(images, maps),
        "attention alone": cut(enlarged(maps[:, 0])),
        "distance from the border's colour": from_border(images),
        "the same mask everywhere": np.broadcast_to(fixed, images.shape[:3]),
        "the whole image": np.ones(images.shape[:3], bool),
    }


def shown(title: str, rows: Mapping[str, np.ndarray]) -> Table:
    """A table of mean IoU with intervals."""
    table = Table("", "IoU of the person", "95 % interval", "images", title=title)
    for name, values in rows.items():
        found = interval(values)
        table.add_row(name, f"{found.estimate:.3f}", f"[{found.low:.3f}, {found.high:.3f}]",
                      str(len(values)))  # fmt: skip
    return table


def alone(segmenter: Segmenter, images: np.ndarray, truth: np.ndarray) -> list[Table]:
    """Every layer at the usual levels, and every level by the usual layers."""
    given = (segmenter.model, list(images), [WORD], segmenter.settings, "")
    by_layer, by_level = {}, {}
    for name in layers(segmenter.model):
        maps = of_given(*given, Where(name)).values
        by_layer[name.replace(".transformer_blocks.0.attn2", "")] = iou(
            refined(images, maps), truth
        )
    for level in (0.02, *LEVELS, 0.7, 0.9):
        maps = of_given(*given, Where(levels=(level,))).values
        by_level[f"{level:g} of the schedule"] = iou(refined(images, maps), truth)
    return [shown("renders, one layer", by_layer), shown("renders, one level", by_level)]


def given(segmenter: Segmenter, images: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Maps of images that exist, float32[n, words, h, w], in batches."""
    size = segmenter.settings.batch
    found = [
        of_given(segmenter.model, list(images[i : i + size]), words, segmenter.settings).values
        for i in range(0, len(images), size)
    ]
    return np.concatenate(found)


def other_words(
    items: Sequence[Item], images: np.ndarray, maps: np.ndarray, truth: np.ndarray
) -> Mapping[str, np.ndarray]:
    """IoU of the person with segments of words that name it, or do not."""
    of = np.arange(len(items))
    people = [i.scene.sprite for i in items]
    own = np.array([NOUNS.index(p.noun) if p else -1 for p in people])
    gender = np.array([p.gender if p else "" for p in people])
    rows = {"its occupation": iou(refined(images, maps[of, 1 + len(OTHERS) + own][:, None]), truth)}
    for i, word in enumerate(OTHERS, 1):
        found = iou(refined(images, maps[:, [i]]), truth)
        for name in ("woman", "man"):
            rows[f"{word}, images of a {name}"] = found[gender == name]
    return rows


def drawn(segmenter: Segmenter, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of every occupation in turn, and their maps while they were drawn."""
    nouns = [OCCUPATIONS[i % len(OCCUPATIONS)].noun for i in range(n)]
    texts = [f"a photo of {'an' if noun[0] in 'aeiou' else 'a'} {noun}" for noun in nouns]
    size, images, maps = segmenter.settings.batch, [], []
    for start in range(0, n, size):
        some = range(start, min(start + size, n))
        found = of_drawn(segmenter.model, [texts[i] for i in some], list(some),
                         [WORD], segmenter.settings)  # fmt: skip
        images.append(found[0])
        maps.append(found[2].values)
    return np.concatenate(images), np.concatenate(maps)


def figure(path: Path, images: np.ndarray, truth: np.ndarray, found: np.ndarray) -> None:
    """Images, each with its outline by resemblance and by attention below it."""
    cells = [images]
    for masks in (truth, found):
        cells += [np.stack([tinted(i, m) for i, m in zip(images, masks, strict=True)])]
    rows = [np.concatenate(list(c), 1) for c in cells]
    Image.fromarray(np.concatenate(rows)).save(path, "WEBP", quality=80)


def tinted(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image with everything outside of the mask almost white."""
    return np.where(mask[..., None], image, 200 + image // 5).astype(np.uint8)


def around(image: np.ndarray, keep: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The image with a colour in all pixels that are not kept."""
    return np.where(keep[..., None], image, np.rint(colour).astype(np.uint8))


Cut = Callable[[np.ndarray, np.ndarray, str], np.ndarray]
FILLS: Mapping[str, Cut] = {
    "grey around people, background continued (the run's)": blanked,
    "background continued around people, too": lambda i, keep, part: blanked(i, keep, BACKGROUND),
    "grey": lambda i, keep, part: around(i, keep, np.full(3, GREY)),
    "mean of the part": lambda i, keep, part: around(i, keep, i[keep].mean(0)),
    "mean of the image": lambda i, keep, part: around(i, keep, i.mean((0, 1))),
}


def cosines(
    encoder: Any, sides: Sequence[parts.Pasted], masks: Sequence[np.ndarray], filled: Cut
) -> np.ndarray:
    """Cosines of images with references by either part, float[2, images, references]."""
    found = []
    for part in PARTS:
        rows = []
        for side, people_ in zip(sides, masks, strict=True):
            keeps = [kept(m, part) for m in people_]
            there = np.array([k.any() for k in keeps])
            cuts = [filled(i, k, part) for i, k, t in zip(side.images, keeps, there, strict=True)
                    if t]  # fmt: skip
            all_ = np.zeros((len(there), encoder.images(cuts[:1]).shape[1]), np.float32)
            all_[there] = encoder.images(cuts)
            rows.append(all_)
        found.append(rows[1] @ rows[0].T)
    return np.stack(found)


def beyond(made: parts.Pasted, found: np.ndarray, share: float = 0.025) -> dict[str, list[str]]:
    """By part: images of each kind whose W exceeds all but a share of those that copy nothing.

    One split, the sources in its training half.
    """
    rng, total = np.random.default_rng(0), found.shape[2]
    train = np.isin(np.arange(total), made.source)
    rest = rng.permutation(np.flatnonzero(~train))[: total // 2 - train.sum()]
    train[rest] = True
    out = {}
    for part, c in zip(PARTS, found, strict=True):
        w = twin_evidence(c[:, train].max(1), c[:, ~train].max(1))
        line = np.quantile(np.abs(w[made.kind == "neither"]), 1 - share)
        out[part] = [f"{(w[made.kind == k] > line).mean():.2f}" for k in parts.KINDS[:3]]
    return out


def decided(made: parts.Pasted, found: np.ndarray, splits: int, title: str) -> Table:
    """False flags and power of either part, mean over splits with intervals over them."""
    table = Table("part", "false flags", "of pasted parts", "of whole copies", "of the other part",
                  title=title)  # fmt: skip
    n = int((made.source < 0).sum() * 2 / 3)
    runs = [parts.replicate(made, found, k, n) for k in range(splits)]
    for i, part in enumerate(PARTS):
        columns = [[(r.flagged[:, i] & ~r.copied[:, i]).sum() / max(r.flagged[:, i].sum(), 1)
                    for r in runs]]  # fmt: skip
        columns += [[r.flagged[made.kind[r.rows] == kind, i].mean() for r in runs]
                    for kind in (part, "both", PARTS[1 - i])]  # fmt: skip
        ci = [interval(np.array(c, float)) for c in columns]
        table.add_row(part, *(f"{c.estimate:.3f} [{c.low:.3f}, {c.high:.3f}]" for c in ci))
    return table


def copies(asked: argparse.Namespace, out: Console) -> None:
    """Print the tables on copies of parts."""
    n, few = asked.images, asked.references
    scenes = parts.scenes(asked.seed, few + n)
    sources = np.random.default_rng(asked.seed).permutation(few)[: 3 * n // 8].tolist()
    known, made = parts.shown(scenes[:few]), parts.pasted(scenes[:few], scenes[few:], sources, 1)
    sides = known, made
    own = [outlines(s.images)[0] for s in sides]
    encoder = named("embedded-copy", "cpu")
    first = cosines(encoder, sides, own, blanked)
    table = Table("fill", "part", *(f"{k}" for k in parts.KINDS[:3]),
                  title="flagged where 2.5 % of images without copies would be")  # fmt: skip
    for name, filled in FILLS.items():
        found = first if filled is blanked else cosines(encoder, sides, own, filled)
        for part, cells in beyond(made, found).items():
            table.add_row(name, part, *cells)
    out.print(table)
    out.print(decided(made, first, asked.splits, "masks by resemblance (`figures`)"))
    by = {"the renderer's masks": [s.people for s in sides]}
    if asked.attention:
        segmenter = Segmenter(Options(device="cpu"), [WORD], "up_blocks.")
        seen = [f.labels == 0 for f in segmenter.given(list(made.images))]
        by["masks of images by attention, of references by the renderer"] = [
            known.people, np.stack(seen)
        ]  # fmt: skip
    by["masks of images by distance from the border, of references by the renderer"] = [
        known.people, from_border(made.images)
    ]  # fmt: skip
    for name, masks in by.items():
        out.print(decided(made, cosines(encoder, sides, masks, blanked), asked.splits, name))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--few", type=int, default=24, help="images of the later tables")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="steps of drawn images")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--copies", action="store_true", help="copies of parts instead")
    parser.add_argument("--references", type=int, default=600, help="for --copies")
    parser.add_argument("--splits", type=int, default=100, help="for --copies")
    parser.add_argument("--attention", action="store_true", help="for --copies: minutes more")
    asked = parser.parse_args()
    out = Console(width=110)
    if asked.copies:
        copies(asked, out)
        return
    segmenter = Segmenter(Options(steps=asked.steps, device="cpu"), [WORD], "up_blocks.")
    fixed = usual(asked.seed)

    items = people(asked.seed, asked.images)
    images = np.stack([i.pixels() for i in items])
    truth = np.stack([mask(i.scene) > 127 for i in items])
    maps = given(segmenter, images, (WORD, *OTHERS, *NOUNS))
    rows = {k: iou(m, truth) for k, m in methods(images, maps, fixed).items()}
    out.print(shown("renders, their own masks", rows))
    out.print(shown("renders, other words, refined", other_words(items, images, maps, truth)))

    pictures, seen = drawn(segmenter, asked.images)
    near, far = outlines(pictures)
    like = far <= UNLIKE
    found = methods(pictures, seen, fixed)
    title = f"drawn images, outlines by resemblance ({(~like).sum()} that resemble nobody left out)"
    out.print(shown(title, {k: iou(m, near)[like] for k, m in found.items()}))
    if asked.figure:
        first = next(iter(found.values()))
        figure(asked.figure, *(x[:20] for x in (pictures, near, first)))

    for table in alone(segmenter, images[: asked.few], truth[: asked.few]):
        out.print(table)
    empty = [i.pixels() for i in fresh(asked.seed + 2, 600) if i.scene.sprite is None][: asked.few]
    there, not_there = (
        of_given(segmenter.model, list(some), [WORD], segmenter.settings).contrast[:, 0]
        for some in (images[: asked.few], empty)
    )
    area = roc_auc_score([1] * len(there) + [0] * len(not_there), [*there, *not_there])
    out.print(f"contrast of '{WORD}': {there.mean():.3f} with a person, {not_there.mean():.3f} "
              f"without; area under the curve {area:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
