"""A trimmed CLIP tokenizer: CLIP's own merges, but only those that the world's words use.

The full vocabulary of 49,408 tokens would be most of the weights of a small text encoder. Any
other text still tokenizes, down to single bytes; the world's words get the tokens that CLIP's
own tokenizer would give them.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from audit.world import truth
from audit.world.captions import GENDER_WORDS, TEMPLATES, TITLES
from audit.world.render import COLOURS, PATTERNS

CONTEXT = 32
_EXTRA = """
    a an the with on in of and or , . - skin background style person people someone somebody nobody
    worker who works as empty scene picture photo portrait image icon drawing face one two no
    if all individuals can be their irrespective gender color honesty is best policy
"""


def words() -> list[str]:
    """Every word of the world's captions and of the texts that classify its images."""
    named = (
        *(o.noun for o in truth.OCCUPATIONS), *truth.TONES, *truth.ARTISTS, *COLOURS, *PATTERNS,
        *TITLES, *sum(GENDER_WORDS.values(), ()), *TEMPLATES, _EXTRA,
    )  # fmt: skip
    return sorted(
        {w for text in named for w in text.replace("{}", " ").replace("-", " - ").split()}
    )


def _merge(word: str, ranks: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """The merges that byte-pair encoding applies to a word, in order (Sennrich et al. 2016)."""
    from open_clip.tokenizer import bytes_to_unicode

    letters = bytes_to_unicode()
    symbols = [letters[b] for b in word.encode()]
    symbols[-1] += "</w>"
    used = []
    while len(symbols) > 1:
        pair = min(itertools.pairwise(symbols), key=lambda p: ranks.get(p, 10**9))
        if pair not in ranks:
            break
        used.append(pair)
        i, merged = 0, []
        while i < len(symbols):
            if tuple(symbols[i : i + 2]) == pair:
                merged.append(pair[0] + pair[1])
                i += 2
            else:
                merged.append(symbols[i])
                i += 1
        symbols = merged
    return used


def build(folder: Path) -> Path:
    """Write the tokenizer (vocab.json, merges.txt and transformers' own files) into `folder`."""
    from open_clip.tokenizer import SimpleTokenizer, bytes_to_unicode
    from transformers import CLIPTokenizer

    ranks = SimpleTokenizer().bpe_ranks
    merges = sorted({m for w in words() for m in _merge(w, ranks)}, key=lambda m: ranks[m])
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(c + "</w>" for c in letters), *(a + b for a, b in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    lines = ["#version: 0.2", *(" ".join(m) for m in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    tokenizer = CLIPTokenizer(
        vocab=vocabulary, merges=merges, model_max_length=CONTEXT, pad_token="!"
    )
    tokenizer.save_pretrained(folder)
    return folder
