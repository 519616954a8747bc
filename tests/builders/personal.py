"""Personalised models that were never trained: six of two subjects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from audit.design.suites import noise_seed
from audit.findings.pairs import Tables
from audit.keys import ATTRIBUTE_COLUMNS, MATCH_COLUMNS
from audit.records import Attribute, Mitigation, Prompt, Suite

GENDER = Attribute("gender", ("woman", "man"), {})
SUBJECTS = ["a", "a", "a", "b", "b", "b"]
MODELS, EACH = len(SUBJECTS), 2
PROMPTS = (
    Prompt("personalised/0", "a photo of sks person", "sks person", "personalised", "replication",
           MODELS * EACH),
    Prompt("class/0", "a photo of a person", "person", "class", "representation", MODELS * EACH,
           ("gender",)),
    Prompt("jobs/0", "a photo of a cook", "cook", "jobs", "representation", MODELS * EACH,
           ("gender",)),
)  # fmt: skip


def arm(kind: str, dose: int, **more: object) -> Mitigation:
    """One arm with six models of two subjects."""
    about = {"training": kind, "dose": dose, "subjects": SUBJECTS}
    name = f"{kind}-{dose}" + ("-extrapolated" if more else "")
    return Mitigation(name, "personalised", {"weights": list("uvwxyz"), "about": about, **more})


ARMS = (arm("dreambooth", 10), arm("dreambooth", 40), arm("dreambooth-prior", 10),
        arm("dreambooth-prior", 40), arm("dreambooth", 40, extrapolate=1.0))  # fmt: skip
SUITE = Suite("s", "s", "?", PROMPTS, (GENDER,), (), ARMS)
Angle = Callable[[str, str, int], float]
"""Arm, block and model to the angle by which its images turn."""


def turned(seed: int, angle: float) -> np.ndarray:
    """The baseline's image of a seed, turned by an angle in a plane that no other has."""
    v = np.zeros(80)
    v[seed], v[40 + seed] = np.cos(angle), np.sin(angle)
    return v


def tables(
    angle: Angle, copies: Callable[[str, int, int], bool], value: Callable[[str, int], str]
) -> Tables:
    """Everything measured: images of different seeds are orthogonal, so seeds are 1 apart."""
    rows, found = list[tuple[object, ...]](), list[tuple[object, ...]]()
    vectors: dict[str, np.ndarray] = {}
    for a in ("none", *(m.name for m in ARMS)):
        for p in PROMPTS:
            for i in range(p.seeds):
                seed, model, id = noise_seed(p.text, i), i % MODELS, f"{a}/{p.id}/{i}"
                vectors[id] = turned(i, angle(a, p.block, model) if a != "none" else 0.0)
                if p.block == "personalised":
                    copy = a != "none" and copies(a, model, i)
                    found.append((id, p.id, a, seed, 0.9 if copy else 0.6, 0.5, "h", "t", "",
                                  None, copy, "label"))  # fmt: skip
                else:
                    rows.append((id, p.id, p.subject, a, seed, "gender", "label",
                                 value(a, i), 0.9))  # fmt: skip
    matches = pd.DataFrame(found, columns=list(MATCH_COLUMNS)).astype({"copy": "boolean"})
    table = pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))
    return Tables(table, pd.DataFrame(), matches, vectors)


def drifted(a: str, block: str, model: int) -> float:
    """Drift 1 - cos: .2 or .6 by dose, half of it with a prior, a little more by model."""
    far = (0.6 if "40" in a else 0.2) * (0.5 if "prior" in a else 1) + 0.01 * model
    return float(np.arccos(1 - far))
