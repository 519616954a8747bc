"""The trimmed tokenizer against CLIP's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
from transformers import CLIPTokenizer

from audit.world import tokens
from audit.world.dataset import balanced, training_set


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    """The trimmed tokenizer, built afresh."""
    folder: Path = tokens.build(tmp_path_factory.mktemp("tokenizer"))
    return CLIPTokenizer.from_pretrained(folder)


def test_the_worlds_captions_get_clips_own_tokens(tokenizer: CLIPTokenizer) -> None:
    """Token by token, captions are split as CLIP's full tokenizer splits them."""
    full = open_clip.tokenizer.SimpleTokenizer()
    rng = np.random.default_rng(8)
    items = training_set()
    texts = [items[int(i)].caption for i in rng.integers(len(items), size=60)]
    texts += [i.caption for i in balanced((8,), 60)]
    for text in texts:
        ours = [t for t in tokenizer.tokenize(text) if not t.startswith("<|")]
        assert ours == [full.decoder[i] for i in full.encode(text)]


def test_any_text_tokenizes(tokenizer: CLIPTokenizer) -> None:
    """Unknown words, scripts and emoji fall back to bytes: no unknown token, no failure."""
    for text in ("zebra", "Ünïcode 漢字", "\N{WOMAN}", ""):
        ids = tokenizer(text).input_ids
        assert ids[0] == tokenizer.bos_token_id
        assert ids[-1] == tokenizer.eos_token_id
        assert max(ids) < len(tokenizer)


def test_captions_fit_the_context(tokenizer: CLIPTokenizer) -> None:
    """No caption of the training set is cut short."""
    longest = max(len(tokenizer(i.caption).input_ids) for i in training_set())
    assert longest <= tokens.CONTEXT
