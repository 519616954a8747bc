"""Encoders by name, for `--classifier` and `--descriptor`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit import registry
from audit.errors import Untrusted
from audit.evidence.encoders import pinned


def _clip(name: str, device: str) -> Any:
    from audit.evidence.encoders.openclip import ClipEncoder

    return ClipEncoder(name, device=device)


def _sscd(name: str, device: str) -> Any:
    from audit.evidence.encoders.sscd import Sscd

    return Sscd(Path(name), device=device)


def _dino(name: str, device: str) -> Any:
    from audit.evidence.encoders.dino import Dino

    return Dino(name, device=device)


KINDS: dict[str, Callable[[str, str], Any]] = {
    "clip": _clip,
    "sscd": _sscd,
    "dino": _dino,
    "timm": lambda name, device: _dino(f"timm:{name}", device),
}
"""`kind:what`: an open_clip name, an SSCD file, a DINOv2 folder or hub name, a timm name."""


ARITHMETIC = ("phash", "pixels")
"""Descriptors without a network, which run on no other device than the processor."""
HARMLESS = re.compile(
    r"(?:clip:)?(?P<arch>[\w-]+)/(?P<tag>\w+)|timm:\w[\w.-]*|dino:(?P<hub>\w[\w.-]*/\w[\w.-]*)"
)
"""Names of published models; everything else that is not registered is code or a path."""


def recorded(name: str, given: str, device: str, where: str) -> Any:
    """The encoder that an index names, as `named`; `where` is empty if the user trusts the index.

    An encoder that is a file, or code outside of this package, is loaded only where the user names
    one, `given`, whose vectors the index then checks. Raises Untrusted otherwise.
    """
    plain = name.removeprefix("local:")
    match = HARMLESS.fullmatch(plain)
    paths = [v for v in match.groupdict().values() if v] if match else []
    published = match is not None and not any(Path(p).exists() for p in paths)
    known = plain in registry.ENCODERS or published
    if known or not where:
        return named(name, device)
    if given:
        return named(given, device)
    raise Untrusted(
        f"{where} was made by the descriptor {name!r}, which is a file or code outside of this "
        "package. Name it yourself with --descriptor, or give --trust-code if you made this index."
    )


def named(name: str, device: str = "cpu") -> Any:
    """An encoder by registered name, `kind:what`, `package.module:object` or open_clip name.

    `local:` before any of them encodes crops, for similarity of parts (`encoders.tiles`).

    Raises UserError, with near names, for an unknown name.
    """
    kind, _, what = name.partition(":")
    if kind == "local" and what:
        from audit.evidence.encoders.tiles import Tiled

        return Tiled(named(what, device))
    if kind in KINDS and what:
        return KINDS[kind](what, device)
    if name == pinned.NAME:
        return pinned.clip(device)
    if kind == "local-dir" or ("/" in name and not what):
        return _clip(name, device)
    return registry.load("encoder", name)()
