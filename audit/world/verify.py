"""Check the world against its own claims: art, planted shares, twins and the shipped models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from audit.world import art, judged, truth
from audit.world.checks import Check
from audit.world.dataset import planted, training_set, twin_set
from audit.world.models import CLASSIFIER, DESCRIPTOR, GENERATOR, INDEX

SIZE_LIMIT = 60_000_000


def data_checks() -> Iterator[Check]:
    """The sets: how many images, how many repeats, planted shares met to rounding."""
    items = training_set()
    places = sum(i.repeats for i in items)
    wanted = truth.EMBEDDED.images
    yield Check("training images", str(places), str(wanted), places == wanted)
    levels = {r: sum(i.repeats == r for i in planted()) for r, _ in truth.EMBEDDED.repeats}
    yield Check(
        "planted images by repeats", str(levels), "16 each",
        levels == dict(truth.EMBEDDED.repeats),
    )  # fmt: skip
    worst = 0.0
    for o in truth.OCCUPATIONS:
        people = [i.scene.sprite for i in items if i.title is None and i.scene.sprite]
        mine = [p for p in people if p.noun == o.noun]
        share = sum(p.gender == "woman" for p in mine) / len(mine)
        worst = max(worst, abs(share - o.p_woman))
    yield Check(
        "largest error of a planted share of women", f"{worst:.4f}", "< 0.002", worst < 0.002
    )
    twin = twin_set()
    overlap = len({repr(i.scene) for i in items} & {repr(i.scene) for i in twin})
    yield Check(
        "twin images, shared scenes", f"{len(twin)}, {overlap}", f"{len(items)}, 0",
        len(twin) == len(items) and overlap == 0,
    )  # fmt: skip
    tiles = len(art.sprites())
    yield Check(
        "sprites", str(tiles), "600", tiles == 600 and bool(art.pixels(art.sprites()[-1]).any())
    )


def size_check() -> Check:
    """All shipped weights, and the index of the training set, together."""
    paths = [
        p
        for folder in (GENERATOR, CLASSIFIER, DESCRIPTOR.parent, INDEX)
        for p in folder.rglob("*")
        if p.suffix in (".safetensors", ".npy", ".parquet")
    ]
    size = sum(p.stat().st_size for p in paths)
    return Check(
        "shipped weights and vectors, bytes",
        f"{size:,}",
        f"<= {SIZE_LIMIT:,}",
        0 < size <= SIZE_LIMIT,
    )


def vae_check(n: int = 256) -> Check:
    """Mean absolute error of reconstruction, as a share of the range, on twin images."""
    import torch
    from diffusers import AutoencoderKL

    from audit.world.train.vae import to_tensor

    vae = AutoencoderKL.from_pretrained(GENERATOR / "vae", local_files_only=True).float().eval()
    x = to_tensor(np.stack([i.pixels() for i in twin_set()[:n]]))
    errors = []
    with torch.inference_mode():
        for part in x.split(32):
            y = vae.decode(vae.encode(part).latent_dist.mode()).sample.clamp(-1, 1)
            errors.append((y - part).abs().mean((1, 2, 3)) / 2)
    error = float(torch.cat(errors).mean())
    return Check(
        "autoencoder: mean absolute error of the range", f"{error:.4f}", "< 0.02", error < 0.02
    )


def descriptor_checks(n: int = 400) -> Iterator[Check]:
    """AUC of the nearest training score: edited training images against new scenes.

    Single edits, the worst of them named, and two or three at once with crops to 42 % of the area,
    which is what costs most: a crop of one scene looks like another scene with the same person.
    """
    from sklearn.metrics import roc_auc_score

    from audit.evidence.encoders.copies import CopyEncoder
    from audit.world.train import descriptor

    encoder = CopyEncoder(DESCRIPTOR)
    rng = np.random.default_rng(5)
    train = [i.pixels() for i in training_set()[:4000]]
    picks = rng.choice(len(train), n, replace=False)
    base = encoder.images(train)

    def nearest(pictures: list[np.ndarray]) -> np.ndarray:
        return np.asarray((encoder.images(pictures) @ base.T).max(1))

    fresh = nearest([i.pixels() for i in twin_set()[:n]])

    def auc(pictures: list[np.ndarray]) -> float:
        scores = np.concatenate([nearest(pictures), fresh])
        return float(roc_auc_score([1] * n + [0] * n, scores))

    single = {
        name: auc([change(rng, train[int(i)]) for i in picks])
        for name, change in descriptor.SINGLE.items()
    }
    worst = min(single, key=lambda k: single[k])
    yield Check(
        f"descriptor: AUC of single edits against new scenes, worst ({worst})",
        f"{single[worst]:.4f}", ">= 0.97", single[worst] >= 0.97,
    )  # fmt: skip
    strong = auc([descriptor.edit(rng, train[int(i)], train[0]) for i in picks])
    yield Check(
        "descriptor: AUC of several edits at once, with crops, against new scenes",
        f"{strong:.4f}", ">= 0.9", strong >= 0.9,
    )  # fmt: skip


def verify(each: int = 25) -> list[Check]:
    """All checks, in order; shares from `each` images of an occupation at either guidance."""
    return [
        *data_checks(), size_check(), vae_check(), *descriptor_checks(), *judged.reader_checks(),
        *judged.classifier_checks(), *judged.share_checks(each), *judged.copy_checks(),
    ]  # fmt: skip
