"""The syntax of generators: kept byte for byte, and never read as words."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.design.mitigations.against_copies import insert_words, repeat_words
from audit.design.mitigations.syntax import pieces, readable

SYNTAX = (
    ("a nurse --ar 16:9 --no doctor", "a nurse", " --ar 16:9 --no doctor"),
    ("a nurse. Negative prompt: doctor, text", "a nurse.", " Negative prompt: doctor, text"),
    ("a (nurse:1.2)", "a nurse", ":1.2)"),
    ("<lora:doctor_v1:0.8> a nurse", "a nurse", "<lora:doctor_v1:0.8>"),
    ("a nurse {fog|doctor}", "a nurse", "{fog|doctor}"),
    ("a nurse __doctor__", "a nurse", "__doctor__"),
    ("a nurse BREAK fog", "a nurse", "BREAK"),
    ("a nurse [doctor:judge:0.5]", "a nurse", "[doctor:judge:0.5]"),
    ('a nurse, sign "doctor"', "a nurse, sign", '"doctor"'),
    ("a nurse::2 fog::1", "a nurse", "::2"),
)


@pytest.mark.parametrize(("prompt", "words", "kept"), SYNTAX)
def test_syntax_is_blank_and_words_stay(prompt: str, words: str, kept: str) -> None:
    """The words can be read where they were, and the syntax cannot."""
    seen = readable(prompt)
    assert words in seen.text
    assert "doctor" not in seen.text
    assert kept.strip() in {prompt[a:b].strip() for a, b in seen.kept} or kept in prompt


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    """Each character comes from one of the prompt, in order; spans lie inside it."""
    seen = readable(text)
    assert len(seen.at) == len(seen.text) + 1
    assert list(seen.at) == sorted(set(seen.at))
    assert all(0 <= a < b <= len(text) for a, b in seen.kept)
    assert 0 <= seen.end <= len(text)


@pytest.mark.parametrize("text", ["(" * 10_000, "a " * 5_000, '"' * 10_000, "{|" * 5_000,
                                  "--a " * 2_500, "<a:" * 3_333, "'" * 10_000,
                                  "[:" * 5_000])  # fmt: skip
def test_time_is_bounded(text: str) -> None:
    """10,000 characters of open brackets take less than two seconds of the processor."""
    began = time.process_time()
    readable(text)
    pieces(text)
    assert time.process_time() - began < 2


@given(st.sampled_from([row[0] for row in SYNTAX]), st.integers(0, 99))
def test_random_words_leave_syntax_whole(prompt: str, seed: int) -> None:
    """Every piece of syntax and quotation is still there, and parameters are still last."""
    for change in (insert_words, repeat_words):
        new = change(prompt, np.random.default_rng(seed), 3)
        seen = readable(prompt)
        assert all(prompt[a:b].strip() in new for a, b in seen.kept)
        rest = pieces(prompt)[2]
        assert new.endswith(rest.rstrip())
        assert len(new.split()) == len(prompt.split()) + 3
