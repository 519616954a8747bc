"""Images of shards that are drawn, packed as one tar each (`--pack tar`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from audit.runs.context import Run
from audit.runs.given import TAR
from audit.runs.shards import Shard


class Packer:
    """Packs each shard of a run once nothing of it is missing; does nothing without `--pack tar`.

    A shard that is packed is read as one whose images are files.
    """

    def __init__(self, run: Run, parts: Sequence[Shard], missing: Collection[str]) -> None:
        self._run, self._on = run, run.options.pack == TAR
        self._parts = list(parts) if self._on else []
        self._left = [{id for id in p.ids if id in missing} for p in self._parts]
        self._of = {id: n for n, ids in enumerate(self._left) for id in ids}
        for part, left in zip(self._parts, self._left, strict=True):
            if not left:
                self._pack(part)

    def drawn(self, ids: Sequence[str]) -> None:
        """These images are on disk; UserError where their shard cannot be written."""
        for number in dict.fromkeys(self._of[i] for i in ids if i in self._of):
            self._left[number].difference_update(ids)
            if not self._left[number]:
                self._pack(self._parts[number])

    def _pack(self, part: Shard) -> None:
        self._run.folder.images.pack(part.name, part.ids)

    def close(self) -> None:
        """Remove the folders that were emptied, where no other worker draws into them."""
        if self._on and not self._run.shard:
            self._run.folder.images.tidy()
