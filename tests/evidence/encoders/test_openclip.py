"""The keys of open_clip encoders: two models never share the vectors that a run keeps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from audit.evidence.encoders.openclip import ClipEncoder
from audit.world.models import CLASSIFIER


def test_models_with_the_same_weights_name_have_different_keys() -> None:
    """Many architectures have weights called `openai`."""
    names = [f"{a}/openai" for a in ("ViT-B-32", "ViT-L-14", "RN50")]
    assert len({ClipEncoder(name).key for name in names}) == 3


def test_a_folder_has_the_same_key_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name and files decide, not where it is; other files give another key."""
    one = shutil.copytree(CLASSIFIER, tmp_path / "clip")
    monkeypatch.chdir(tmp_path)
    keys = {ClipEncoder(f"local-dir:{p}").key for p in ("clip", "./clip", one)}
    assert len(keys) == 1
    (one / "recipe.json").write_text("{}", "utf-8")
    assert ClipEncoder("local-dir:clip").key not in keys
