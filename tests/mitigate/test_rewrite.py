"""Rewriters and the gate: minimal words, right articles, and nothing that should be left alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.mitigate.gate import gate
from audit.mitigate.quota import quota
from audit.mitigate.rewrite import ethical, inject, placebo

NOUNS = ("nurse", "astronaut", "engineer", "taxi driver", "cook")


@pytest.mark.parametrize(
    ("text", "subject", "drawn", "wanted"),
    [
        ("a photo of a nurse", "nurse", {"gender": "man"}, "a photo of a male nurse"),
        ("a photo of an astronaut", "astronaut", {"gender": "woman"}, "a photo of a female astronaut"),
        ("An engineer at work", "engineer", {"gender": "man"}, "A male engineer at work"),
        ("the nurse", "nurse", {"gender": "woman"}, "the female nurse"),
        ("a cook, smiling", "cook", {"skin_tone": "dark"}, "a cook with dark skin, smiling"),
        (
            "a photo of an artist", "artist", {"gender": "man", "skin_tone": "light"},
            "a photo of a male artist with light skin",
        ),
    ],
)  # fmt: skip
def test_injection_states_the_draw_in_the_noun_phrase(
    text: str, subject: str, drawn: dict[str, str], wanted: str
) -> None:
    """The word stands at the noun, and a or an follows it."""
    assert inject(text, subject, drawn, {}) == wanted


@pytest.mark.parametrize(
    ("text", "subject", "reason"),
    [
        ("a photo of a female nurse", "nurse", "gender is stated"),
        ("a nurse and her dog", "nurse", "gender is stated"),
        ("a photo of a tree", "nurse", "no known person"),
        ("a nursery", "nurse", "no known person"),
        ("a medieval cook", "cook", "historical"),
        ("an engineer in 1943", "engineer", "historical"),
        ("Marie Curie as an engineer", "engineer", "named"),
        ('a cook with a sign "open"', "cook", "quoted"),
        ("three cooks and a cook", "cook", "counted"),
        ("a photo", "", "no known person"),
    ],
)
def test_the_gate_gives_a_reason_and_rewriters_obey(text: str, subject: str, reason: str) -> None:
    """A gated text comes back unchanged from every rewriter."""
    assert reason in str(gate(text, subject, "gender"))
    for rewriter in (inject, ethical, placebo):
        assert rewriter(text, subject, {"gender": "woman"}, {}) == text


@given(
    st.sampled_from(NOUNS),
    st.sampled_from(["woman", "man"]),
    st.text(alphabet="abc xyz,", max_size=20),
)
def test_a_second_rewrite_changes_nothing(noun: str, gender: str, tail: str) -> None:
    """All rewriters are idempotent, for any surrounding text."""
    text = f"a photo of a {noun} {tail}"
    for rewriter in (inject, ethical, placebo):
        once = rewriter(text, noun, {"gender": gender}, {})
        assert rewriter(once, noun, {"gender": gender}, {}) == once


@given(st.text(max_size=60), st.sampled_from(NOUNS))
def test_a_gated_text_is_never_touched(text: str, noun: str) -> None:
    """Whatever the text, a reason to leave it alone is obeyed."""
    if gate(text, noun, "gender"):
        assert inject(text, noun, {"gender": "woman"}, {}) == text


@given(st.integers(0, 200), st.integers(0, 2**32))
def test_quotas_are_exact_and_repeatable(n: int, seed: int) -> None:
    """Counts lie within one of the target, and one seed gives one draw."""
    target = {"a": 0.5, "b": 0.3, "c": 0.2}
    drawn = quota(target, n, np.random.default_rng(seed))
    counts = Counter(drawn)
    assert len(drawn) == n
    assert all(abs(counts[k] - v * n) < 1 + 1e-6 for k, v in target.items())
    assert drawn == quota(target, n, np.random.default_rng(seed))


def test_remainders_meet_the_target_over_many_prompts() -> None:
    """One image a prompt still gives the declared shares in the long run."""
    rng = np.random.default_rng(1)
    counts = Counter(v for _ in range(4000) for v in quota({"a": 0.7, "b": 0.3}, 1, rng))
    assert counts["a"] / 4000 == pytest.approx(0.7, abs=0.025)
