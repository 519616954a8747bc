"""A finished run in small, written through the store: readings, matches and vectors from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from audit.keys import ATTRIBUTE_COLUMNS, MATCH_COLUMNS
from audit.records import Sample, Settings, Suite
from audit.store import RunFolder

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
CLASSES = {"gender": ["woman", "man"], "skin_tone": ["light", "medium", "dark"]}
WHY = ("uncertain", "no person")


@dataclass
class Made:
    """A run folder with the tables that were written into it."""

    folder: RunFolder
    samples: list[Sample]
    attributes: pd.DataFrame
    matches: pd.DataFrame
    vectors: np.ndarray
    ids: list[str]
    blocked: list[str] = field(default_factory=list)


def plan(n: int, rng: np.random.Generator, texts: list[str] | None = None) -> list[Sample]:
    """`n` baseline samples over a few prompts, and their rewritten twins, some left alone."""
    subjects = ["nurse", "technologist", "judge", "chef"]
    rows = []
    for i in range(n):
        subject = subjects[i % 4]
        text = texts[i] if texts and i < len(texts) else f"a photo of a {subject}"
        id, seed = f"{i:06d}{rng.integers(16**14):014x}", int(rng.integers(2**62))
        rows.append(Sample(id, f"p/{i % 4}", "none", seed, text))
    arm = [
        Sample(s.id, s.prompt, "rewrite", s.seed, s.text) if i % 5 == 0
        else Sample(f"r{s.id[1:]}", s.prompt, "rewrite", s.seed, f"{s.text}, diverse")
        for i, s in enumerate(rows)
    ]  # fmt: skip
    return rows + arm


def readings(samples: list[Sample], rng: np.random.Generator) -> pd.DataFrame:
    """Readings of two attributes, a tenth of them without a label; one id, one reading."""
    rows, known = [], {}
    subjects = ["nurse", "technologist", "judge", "chef"]
    for s in samples:
        for name, classes in CLASSES.items():
            if (s.id, name) not in known:
                gone = rng.random() < 0.1
                known[s.id, name] = (
                    (str(rng.choice(WHY)), None, float(rng.random())) if gone
                    else ("label", str(rng.choice(classes)), float(rng.random()))
                )  # fmt: skip
            subject = subjects[int(s.prompt[-1])]
            rows.append((s.id, s.prompt, subject, s.arm, s.seed, name, *known[s.id, name]))
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def nearest(samples: list[Sample], rng: np.random.Generator) -> pd.DataFrame:
    """Nearest training images: a few copies, a few undecided, one that is missing."""
    rows, known = [], {}
    for i, s in enumerate(samples):
        if s.id not in known:
            known[s.id] = (rng.uniform(0.2, 1.0), rng.uniform(0.2, 0.7), i)
        score, held, k = known[s.id]
        copy = None if k % 11 == 3 else bool(score > 0.9)
        rows.append((s.id, s.prompt, s.arm, s.seed, score, held, f"held-{k}", f"train-{k}",
                     f"caption {k}", 1 + k % 3, copy, "label"))  # fmt: skip
    return pd.DataFrame(rows, columns=list(MATCH_COLUMNS))


def picture(rng: np.random.Generator, side: int = 24) -> np.ndarray:
    """Noise, uint8[side, side, 3], different every time."""
    return rng.integers(0, 256, (side, side, 3), dtype=np.uint8)


def run(
    path: Path, n: int = 40, seed: int = 0, texts: list[str] | None = None, images: bool = True
) -> Made:
    """Write a run of `2 * n` samples; the last baseline image is blocked."""
    rng = np.random.default_rng(seed)
    folder, samples = RunFolder(path), plan(n, rng, texts)
    ids = list(dict.fromkeys(s.id for s in samples))
    attributes, matches = readings(samples, rng), nearest(samples, rng)
    gone = samples[n - 1].id
    attributes.loc[attributes["sample"] == gone, ["outcome", "value"]] = ["blocked", None]
    attributes.loc[attributes["sample"] == gone, "score"] = np.nan
    lost = matches["sample"] == gone
    matches.loc[lost, ["score", "held_score"]] = np.nan
    matches.loc[lost, ["train", "held", "copy"]] = None
    matches.loc[lost, "outcome"] = "blocked"
    alone = matches["sample"][matches["copy"] == True][:2]  # noqa: E712
    matches["single"] = np.where(matches["sample"].isin(alone), "its pixels", "")
    folder.write_blocked(gone, "blocked")
    for id in ids if images else []:
        if id != gone:
            folder.write_image(id, picture(rng))
    vectors = rng.normal(size=(len(ids), 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    seen = [i for i, id in enumerate(ids) if id != gone]
    folder.add_vectors("clip-aa", [ids[i] for i in seen], vectors[seen])
    folder.add_vectors("clip-aa-training", ["train-1"], vectors[:1])
    finish(folder, samples, attributes, matches)
    return Made(folder, samples, attributes, matches, vectors[seen], [ids[i] for i in seen], [gone])


def finish(
    folder: RunFolder, samples: list[Sample], attributes: pd.DataFrame, matches: pd.DataFrame
) -> None:
    """What the line writes at its end: plan, manifest, tables and which are the latest."""
    folder.write_plan(samples)
    suite = Suite("small", "Small", "?", (), (), (), ())
    folder.write_manifest(suite, Settings("made", "r", 1, 1.0, 1), {})
    tables = {"attributes": attributes, "matches": matches}
    names = {k: folder.write_table(k, "k", t).name for k, t in tables.items()}
    folder.write_results({"tables": names, "classes": CLASSES, "command": "t2i-audit run small",
                          "pictures": {}, "images": ""})  # fmt: skip
