"""Prompts without weights and tags: every way of writing them, and what is left as it is."""

from __future__ import annotations

import random

import pytest

from audit.datasets.weights import spoken

NURSE = "a photo of a nurse"
WAYS = ("({}:1.2)", "(({}))", "[{}]", "({})", "{{{}}}", "{{{{{}}}}}", "(({}:1.1):0.9)",
        "({})1.2", "({})++", "({})--", "({}:.5)", "( {} : 1 )", "[[{}]]", "([{}]:1.2)",
        "1.3::{}::")  # fmt: skip
TAGS = ("<lora:detail:0.8>", "<lyco:x y_2:1>", "<hypernet:a.b:0.5>", "<embed:x>", "<LoRA:A:1:0>")


@pytest.mark.parametrize("way", WAYS)
def test_weights_are_taken_off(way: str) -> None:
    """Around all of a prompt, or some of its words."""
    assert spoken(way.format(NURSE)) == NURSE
    assert spoken(f"a photo of {way.format('a nurse')}") == NURSE


@pytest.mark.parametrize("tag", TAGS)
def test_tags_of_other_models_are_taken_off(tag: str) -> None:
    """Before, behind and inside, with the commas that they leave."""
    for text in (f"{tag} {NURSE}", f"{NURSE}, {tag}", f"{tag}{NURSE}", f"{NURSE}, {tag}, {tag},"):
        assert spoken(text) == NURSE
    assert spoken(f"a nurse, {tag}, smiling") == "a nurse, smiling"


def test_fresh_combinations() -> None:
    """Weights in weights and tags anywhere, drawn from a seed."""
    chance = random.Random(1)
    for _ in range(200):
        words = NURSE.split()
        at = chance.randrange(len(words))
        for _ in range(chance.randrange(1, 4)):
            words[at] = chance.choice(WAYS[:-1]).format(words[at])
        words.insert(chance.randrange(len(words) + 1), chance.choice(TAGS))
        assert spoken(" ".join(words)) == NURSE, words


@pytest.mark.parametrize(
    "text",
    [
        NURSE, "a [man:woman:0.5] at work", "a {red|blue} car", "a [cat|dog]", "(a nurse:0)",
        "a nurse (", ") a nurse", "5 < 6", "C++ programmer", "a 3:2 photo", "<b>nurse</b>",
        "time 10:30", "a nurse: smiling",
    ],
)  # fmt: skip
def test_what_is_not_a_weight_stays(text: str) -> None:
    """Prompts that change while they are drawn, weights of nothing, and plain text."""
    assert spoken(text) == text


def test_brackets_that_are_escaped_are_text() -> None:
    """As AUTOMATIC1111 writes them, also inside a weight."""
    assert spoken(r"a CEO \(boss\)") == "a CEO (boss)"
    assert spoken(r"(a CEO \(boss\):1.2)") == "a CEO (boss)"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000, "(a" * 60_000, "[" * 10 + "x" * 150_000, "::" * 90_000, "<lora:" * 30_000,
        "(a:" * 50_000 + "1)", ", " * 90_000,
    ],
)  # fmt: skip
def test_hostile_prompts_end(text: str) -> None:
    """In time that grows with their length alone."""
    assert len(spoken(text)) <= len(text)
