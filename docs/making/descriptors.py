"""The page of descriptors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

from audit import registry
from docs.making.markdown import code, doc, found, said, section

BEHIND = {
    "embedded-classifier": ("audit.evidence.encoders.openclip:ClipEncoder",),
    "embedded-copy": ("audit.evidence.encoders.copies:CopyEncoder",),
    "clip-vit-l-14": (
        "audit.evidence.encoders.pinned",
        "audit.evidence.encoders.openclip:ClipEncoder",
    ),
}
"""The objects behind a registered function, which have more of its description."""
KINDS = {
    "clip:NAME": (
        "audit.evidence.encoders.openclip",
        "audit.evidence.encoders.openclip:ClipEncoder",
    ),
    "sscd:FILE": ("audit.evidence.encoders.sscd", "audit.evidence.encoders.sscd:Sscd"),
    "dino:NAME": ("audit.evidence.encoders.dino", "audit.evidence.encoders.dino:Dino"),
    "timm:NAME": ("audit.evidence.encoders.dino:Dino",),
    "local:DESCRIPTOR": ("audit.evidence.encoders.tiles", "audit.evidence.encoders.tiles:Tiled"),
}
"""Forms that take the user's own name or file."""
SAME = {"sscd": "sscd:FILE", "dinov2": "dino:NAME"}
"""Registered encoders that are such a form with a fixed name."""


def page() -> str:
    """One section per encoder that can be named."""
    head = (
        '`--descriptor NAME` of `index` and `run`, `descriptor="NAME"` in Python. Vectors have '
        "unit length, so a dot product is a cosine; scores of two descriptors cannot be "
        "compared, and an index records which one it was made with.\n\n"
    )
    registered = {n: (t, *BEHIND.get(n, () if n in SAME else (t.partition(":")[0],)))
                  for n, t in registry.ENCODERS.items()}  # fmt: skip
    every = {**registered, **KINDS}
    return head + "".join(_descriptor(n, targets) for n, targets in every.items())


def _descriptor(name: str, targets: Sequence[str]) -> str:
    texts = list(dict.fromkeys(said(t) for t in targets))
    if name in SAME:
        form = SAME[name]
        texts.append(f"As [`{form}`](#{form.replace(':', '').lower()}).")
    shown = [*targets, *KINDS.get(SAME.get(name, ""), ())]
    methods = [inspect.getdoc(o.images) or "" for t in shown if hasattr(o := found(t), "images")]
    shape = re.search(r"float32\[n, [^\]]+\]", "\n".join([*map(said, shown), *methods]))
    command = f"```sh\nt2i-audit index TRAINING_IMAGES --descriptor {name} --out INDEX\n```"
    vectors = f"Vectors: {code(shape[0])}." if shape else ""
    return section(name, *map(doc, texts), vectors, command)
