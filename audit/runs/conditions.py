"""Pictures that images are drawn after with a ControlNet, and the arms that do so.

Image `i` of every prompt gets picture number `i`, beginning again after the last one: the same
picture on the same noise in every arm, and the same pictures under every prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit import registry
from audit.design.mitigations import arms, specs, stacks
from audit.design.mitigations.in_engine import CONTROL
from audit.engine.source import Source
from audit.errors import UserError
from audit.records import Mitigation, Suite

if TYPE_CHECKING:
    import numpy as np

MADE = "made"
MOST = 1_000
"""Pictures that are used; more images begin again with the first one."""
DIGITS = 16

Picture = Callable[[], "np.ndarray"]


@dataclass(frozen=True)
class Conditions:
    """A kind of condition, its ControlNet, and its pictures."""

    kind: str
    place: str
    """A folder, or MADE."""
    net: Source
    scale: float

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """Hash of each picture to what reads it, in a fixed order, each once."""
        found = dict(self._made() if self.place == MADE else self._given())
        if not found:
            raise UserError(f"--control: {self.place} holds no images. Give a folder that does.")
        return found

    def _made(self) -> Iterator[tuple[str, Picture]]:
        for one in registry.load("condition", self.kind)():
            yield _hash(one().tobytes()), one

    def _given(self) -> Iterator[tuple[str, Picture]]:
        from audit.datasets import find, pixels

        some = find.pictures(Path(self.place), far=True)
        records = (r for unit in some.units() for r in some.records(unit) if not r.left_out)
        for record, _ in zip(records, range(MOST), strict=False):
            try:
                content = record.content()
                pixels.decode(content)
            except pixels.Unreadable as error:
                raise UserError(
                    f"--control: {record.id} {error} Remove it, or save it again."
                ) from error
            yield _hash(content), partial(some.image, record.id)

    def picture(self, name: str) -> np.ndarray:
        """One picture, uint8[h, w, 3], by its hash.

        Raises UserError for one that is no longer there.
        """
        if name not in self.pictures:
            raise UserError(
                f"--control: a picture of the plan is no longer in {self.place}. Put it back, or "
                "run the suite again with what is there."
            )
        return self.pictures[name]()

    @property
    def options(self) -> dict[str, Any]:
        """What the arms of this kind do not say themselves."""
        return {
            "net": self.net.name, "revision": self.net.revision, "pictures": tuple(self.pictures),
        }  # fmt: skip

    @property
    def conditioning(self) -> Any:
        """The same for the loader of the model: `engine.controlnet.Conditioning`."""
        from audit.engine.controlnet import Conditioning

        return Conditioning(self.net, self.picture)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def given(options: Any) -> Conditions | None:
    """The conditions of a run's options, or None.

    Raises UserError where one option lacks the other, or no image is drawn.
    """
    if not options.control and not options.controlnet:
        return None
    if not (options.control and options.controlnet):
        raise UserError(
            "--control and --controlnet belong together: give the pictures as KIND=DIR, and the "
            "ControlNet that reads them."
        )
    if options.images is not None or options.labels is not None:
        raise UserError("--control is about images to be drawn: leave out --images and --labels.")
    from audit.engine import controlnet

    kind, _, place = options.control.partition("=")
    return Conditions(kind, place, controlnet.find(options.controlnet), options.control_scale)


def with_arm(suite: Suite, found: Conditions | None) -> Suite:
    """The suite with its arms of this kind filled in; with an arm of that name if it has none.

    That arm is drawn for every prompt about people. Raises UserError for arms of another kind, and
    for a name that is taken.
    """
    for arm in suite.mitigations:
        for part in arm.each:
            if part.method == CONTROL and (found is None or part.options["kind"] != found.kind):
                kind = part.options["kind"]
                raise UserError(
                    f"The mitigation {arm.name} draws after pictures of the kind {kind!r}. Give "
                    f"them with --control {kind}=DIR, and a ControlNet with --controlnet."
                )
    if found is None:
        return suite
    own = tuple(_filled(arm, found) for arm in suite.mitigations)
    if not any(part.method == CONTROL for arm in own for part in arm.each):
        own = (*own, _filled(_added(suite, found), found))
    whole = replace(suite, mitigations=own)
    for arm in whole.mitigations:
        arms.check(whole, arm)
    return whole


def _added(suite: Suite, found: Conditions) -> Mitigation:
    blocks = dict.fromkeys(
        p.block for p in suite.prompts if p.purpose == "representation" and not p.expects
    )
    if not blocks:
        raise UserError(f"--control: no prompt of the suite {suite.name} asks for a person.")
    if found.kind in {m.name for m in suite.mitigations}:
        raise UserError(
            f"--control: the suite {suite.name} has another mitigation named {found.kind}. Use "
            "another word for the kind."
        )
    arm = specs.parse(f"{CONTROL}:{found.kind},scale={found.scale:g}")
    return stacks.on(replace(arm, name=found.kind), tuple(blocks))


def _filled(arm: Mitigation, found: Conditions) -> Mitigation:
    def one(part: Mitigation) -> Mitigation:
        if part.method != CONTROL:
            return part
        return replace(part, options={"scale": found.scale, **part.options, **found.options})

    return one(replace(arm, parts=tuple(map(one, arm.parts))))
