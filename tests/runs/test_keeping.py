"""What is read of items is kept, whatever happens to the next one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from audit.datasets import pixels
from audit.runs.keeping import Kept, kept
from audit.store import RunFolder


def test_finished_items_survive_and_unreadable_ones_are_left_out(tmp_path: Path) -> None:
    """A crash in the second of three chunks; the same again reads only what is missing."""
    folder, told, asked = RunFolder(tmp_path), list[tuple[Any, ...]](), list[int]()
    run: Any = SimpleNamespace(folder=folder, progress=lambda *said: told.append(said))
    wanted = {f"item {i}": i for i in range(6)}

    def read(i: int) -> Kept:
        asked.append(i)
        if i == 1:
            raise pixels.Unreadable("torn")
        if i == 3 and len(asked) == 4:
            raise RuntimeError
        return "label", str(i)

    with pytest.raises(RuntimeError):
        kept(run, "numbers", wanted, read, "numbers", 2)
    assert set(folder.readings("numbers")) == {"item 0", "item 2"}
    found = kept(run, "numbers", wanted, read, "numbers", 2)
    assert asked == [0, 1, 2, 3, 1, 3, 4, 5]
    assert found == {f"item {i}": ("label", str(i)) for i in (0, 2, 3, 4, 5)}
    assert told[-1] == ("numbers", 6, 6)
    again = kept(run, "numbers", wanted, read, "numbers", usable=lambda x: x[1] != "4")
    assert asked[8:] == [1, 4]
    assert again == found
