"""Random words, numbers and repetitions: the authors' outputs from their draws, and even places."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from audit.design.mitigations.against_copies import (
    NEUTRAL_WORDS,
    add_numbers,
    insert_words,
    paraphrase_tokens,
    repeat_words,
    word_scores,
)
from audit.design.mitigations.gate import gate, states
from audit.design.mitigations.gate_words import GENDERED, PERIODS
from audit.records import Prompt

WALL = "a red bicycle leaning on a stone wall"
Random = Callable[[str, np.random.Generator, int], str]
ALL: tuple[Random, ...] = (repeat_words, insert_words, add_numbers)
WORDS = st.lists(st.text(alphabet="abcxyz,", min_size=1, max_size=5), min_size=1, max_size=10)


class Drawn:
    """Draws in the order of the authors' code: what goes in from numpy, where from `random`."""

    def __init__(self, seed: int) -> None:
        self.words, self.places = np.random.RandomState(seed), random.Random(seed)
        self.calls = 0

    def integers(self, high: int) -> int:
        """Words and places in turn, each from its own source."""
        self.calls += 1
        return int(self.words.choice(high)) if self.calls % 2 else self.places.randint(0, high - 1)


def defined(text: str, what: Callable[[list[str]], str], seed: int, count: int) -> str:
    """The authors' definition in other words: a list that grows by slices."""
    places, given_words, words = random.Random(seed), text.split(" "), text.split(" ")
    for _ in range(count):
        word = what(given_words)
        at = places.randint(0, len(words))
        words = [*words[:at], word, *words[at:]]
    return " ".join(words)


def test_the_authors_outputs_come_back_from_their_draws() -> None:
    """What the authors' code gives for seed 0 and four words, published reference outputs."""
    numbers = "42613 a red bicycle 45891 leaning on a 43567 68268 stone wall"
    assert add_numbers(WALL, Drawn(0), 4) == numbers  # type: ignore[arg-type]
    repeated = "a a red bicycle a leaning on a wall on stone wall"
    assert repeat_words(WALL, Drawn(0), 4) == repeated  # type: ignore[arg-type]


@given(WORDS, st.integers(0, 2**31), st.integers(0, 8))
def test_the_definition_holds_for_any_draws(words: list[str], seed: int, count: int) -> None:
    """From the same draws as the authors' definition comes the same text, for all three."""
    text, rng = " ".join(words), np.random.RandomState(seed)
    ours = [f(text, Drawn(seed), count) for f in ALL]  # type: ignore[arg-type]
    for given_text, what in zip(
        ours,
        (
            lambda w: str(rng.choice(w)),
            lambda _: NEUTRAL_WORDS[rng.choice(len(NEUTRAL_WORDS))],
            lambda _: str(rng.choice(100_000)),
        ),
        strict=True,
    ):
        rng.seed(seed)
        assert given_text == defined(text, what, seed, count)


@given(WORDS, st.integers(0, 2**63), st.integers(0, 8))
def test_words_stay_in_order_and_one_seed_gives_one_text(
    words: list[str], seed: int, count: int
) -> None:
    """The text is a subsequence of what comes back, `count` words longer, the same every time."""
    for change in ALL:
        new = change(" ".join(words), np.random.default_rng(seed), count).split()
        assert new == change(" ".join(words), np.random.default_rng(seed), count).split()
        assert len(new) == len(words) + count
        left = iter(new)
        assert all(w in left for w in words)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_places_are_even(seed: int) -> None:
    """Between four words, all five places are equally likely; so are the words that repeat."""
    rng = np.random.default_rng(seed)
    text = "one two three four"
    drawn = (insert_words(text, rng, 1).split() for _ in range(4000))
    places = Counter(next(i for i, w in enumerate(d) if w not in text.split()) for d in drawn)
    assert stats.chisquare([places[i] for i in range(5)]).pvalue > 1e-4
    more = Counter(w for _ in range(4000) for w in repeat_words(text, rng, 1).split())
    assert stats.chisquare([more[w] - 4000 for w in text.split()]).pvalue > 1e-4


@pytest.mark.parametrize("seed", [4, 5])
def test_numbers_are_even(seed: int) -> None:
    """Numbers are uniform from 0 to 99,999."""
    rng = np.random.default_rng(seed)
    drawn = [int(w) for w in add_numbers("", rng, 4000).split()]
    assert min(drawn) >= 0
    assert max(drawn) < 100_000
    assert stats.kstest(np.array(drawn) / 100_000, "uniform").pvalue > 1e-4


def test_a_text_without_words_has_none_to_repeat() -> None:
    """Nothing can be repeated of nothing; words and numbers still go in."""
    rng = np.random.default_rng(0)
    assert repeat_words("", rng) == ""
    assert len(insert_words("", rng, 3).split()) == len(add_numbers("", rng, 3).split()) == 3
    with pytest.raises(ValueError, match="-1"):
        add_numbers("a", rng, -1)


def test_shipped_words_state_nothing() -> None:
    """No shipped word is gendered, of a period, or makes a prompt that the gate would hold back."""
    assert len(set(NEUTRAL_WORDS)) == len(NEUTRAL_WORDS) > 200
    prompt = Prompt("p", "t", "nurse", "b", "representation", 1)
    for word in NEUTRAL_WORDS:
        assert word not in GENDERED
        assert not PERIODS.search(word)
        assert not states(f"a {word} nurse", "skin_tone", "nurse")
        assert gate(f"a photo of a {word} nurse {word}", prompt) is None


def test_clips_pieces_add_up_to_words() -> None:
    """The tokenizer's own pieces are joined again; a word has the highest score of its pieces."""
    from open_clip.tokenizer import SimpleTokenizer

    clip = SimpleTokenizer()
    text = "A photorealistic hummingbird, hovering near xylophones"
    pieces = [clip.decoder[i] for i in clip.encode(text)]
    assert len(pieces) > len(text.split())
    ends = np.cumsum([len(clip.encode(w)) for w in text.split()]) - 1
    assert ends[-1] == len(pieces) - 1
    counts = np.diff(ends, prepend=-1).tolist()
    scores = [float(i) for i in range(len(pieces))]
    assert word_scores(counts, scores) == [float(e) for e in ends]
    starts = [scores[-1] - e + c - 1 for e, c in zip(ends, counts, strict=True)]
    assert word_scores(counts, scores[::-1]) == starts
    cut = word_scores(counts, scores[: ends[2] + 1])
    assert cut[3:] == [0.0] * (len(counts) - 3)
    assert word_scores([1, 0, 1], [2.0, 3.0]) == [2.0, 0.0, 3.0]
    with pytest.raises(ValueError, match="1 pieces have 2"):
        word_scores([1], [1.0, 2.0])


@pytest.mark.parametrize(
    ("text", "scores", "count", "wanted"),
    [
        ("a red bicycle on a wall", [0, 1, 9, 0, 0, 2], 1, "a red two-wheeler on a wall"),
        ("a red bicycle on a wall", [0, 1, 9, 0, 0, 8], 2, "a red two-wheeler on a barrier"),
        ("A bicycle, parked", [0, 9, 1], 1, "A two-wheeler, parked"),
        ("a photo of a dog", [0, 0, 0, 0, 9], 1, "a photo of a hound"),
        ("a Dog asleep", [0, 9, 0], 1, "a Hound asleep"),
        ("an old dog", [0, 9, 0], 1, "a dog"),
        ("A cat", [0, 9], 1, "An animal"),
        ("a red apple", [0, 9, 0], 1, "an apple"),
        ("only", [9], 1, "only"),
        ("a red bicycle", [1, 2, 3], 0, "a red bicycle"),
    ],
)
def test_the_highest_scores_are_replaced_or_taken_out(
    text: str, scores: list[float], count: int, wanted: str
) -> None:
    """Synonyms where there are any, else the word goes, and the article follows."""
    words = {"bicycle": ["two-wheeler", "bike"], "wall": ["barrier"], "dog": ["hound"],
             "cat": ["animal"]}  # fmt: skip
    assert paraphrase_tokens(text, scores, words, count) == wanted


@given(WORDS, st.data())
def test_only_the_highest_scores_are_touched(words: list[str], data: st.DataObject) -> None:
    """The other words stay in order, and never fewer than one word is left."""
    words = [w for w in words if w.lower() not in ("a", "an")] or ["dog"]  # these follow others
    scores = data.draw(st.permutations([float(i) for i in range(len(words))]))
    count = data.draw(st.integers(0, len(words)))
    text = " ".join(words)
    kept = [w for w, s in zip(words, scores, strict=True) if s < len(words) - count]
    new = paraphrase_tokens(text, scores, {}, count).split()
    assert new == (kept or new)
    assert len(new) == max(len(words) - count, 1)


def test_synonyms_are_drawn_evenly_and_scores_are_checked() -> None:
    """With a generator any synonym may come; scores that do not fit are refused."""
    rng = np.random.default_rng(7)
    drawn = Counter(
        paraphrase_tokens("dog", [1.0], {"dog": ["hound", "puppy"]}, 1, rng) for _ in range(2000)
    )
    assert stats.binomtest(drawn["hound"], 2000).pvalue > 1e-4
    with pytest.raises(ValueError, match="2 words have 1"):
        paraphrase_tokens("a dog", [1.0], {})
    with pytest.raises(ValueError, match="not a number"):
        paraphrase_tokens("dog", [float("nan")], {})
