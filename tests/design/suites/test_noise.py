"""Blocks that share the noise of another: the same seeds under other words, and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import registry
from audit.design import suites
from audit.design.suites.noise import counterfactual
from audit.errors import UserError
from audit.records import Settings

SETTINGS = Settings("m", "r", 4, 3.0, 2)


def suite_file(folder: Path, **changed: str) -> str:
    """A suite of two blocks, the second on the noise of the first."""
    lines = {
        "subjects": 'subjects = ["nurse", "cook"]',
        "templates": 'templates = ["a female {subject}"]',
        "same": 'same_noise_as = "open"',
    } | changed  # fmt: skip
    text = f"""
name = "pairs"
title = "Pairs"
question = "Who?"

[[blocks]]
id = "open"
purpose = "representation"
templates = ["{{a_subject}}"]
subjects = ["nurse", "cook"]
seeds = 3
attributes = ["gender"]

[[blocks]]
id = "woman"
purpose = "representation"
{lines["templates"]}
{lines["subjects"]}
seeds = 4
attributes = ["gender"]
states = {{ gender = "woman" }}
{lines["same"]}

[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {{a_value}}"]
"""
    path = folder / "pairs.toml"
    path.write_text(text, "utf-8")
    return str(path)


def seeds(name: str) -> dict[str, list[int | None]]:
    """Prompt to the seeds of its images."""
    suite = suites.read_suite(name)
    found: dict[str, list[int | None]] = {}
    for s in suites.expand(suite, SETTINGS, registry.rewriters(suite)):
        found.setdefault(s.prompt, []).append(s.seed)
    return found


def test_counterparts_have_the_same_noise_and_other_prompts_do_not(tmp_path: Path) -> None:
    """Image by image, in either block; without the line every prompt has its own."""
    found = seeds(suite_file(tmp_path))
    assert found["woman/nurse/0"][:3] == found["open/nurse/0"]
    assert found["woman/cook/0"][:3] == found["open/cook/0"]
    assert len({x for rows in found.values() for x in rows}) == 8
    apart = seeds(suite_file(tmp_path, same=""))
    assert apart["open/nurse/0"] == found["open/nurse/0"]
    assert not set(apart["woman/nurse/0"]) & set(apart["open/nurse/0"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"same": 'same_noise_as = "opn"'}, "Unknown block 'opn'. Did you mean open?"),
        ({"same": 'same_noise_as = "woman"'}, "woman shares its noise itself"),
        ({"subjects": 'subjects = ["cook", "nurse"]'}, "have other subjects"),
        ({"templates": 'templates = ["a female {subject}", "one {subject}"]'}, "have other subj"),
    ],
)
def test_blocks_that_do_not_match_are_one_sentence(
    changed: dict[str, str], said: str, tmp_path: Path
) -> None:
    """Unknown, in a chain, or with other prompts."""
    with pytest.raises(UserError, match=said):
        suites.read_suite(suite_file(tmp_path, **changed))


def test_the_shipped_suite_has_a_pair_for_every_open_prompt() -> None:
    """Woman and man, on the noise of the prompt that states nothing."""
    suite = suites.read_suite("counterfactual")
    found = list(counterfactual(suite.prompts))
    assert len(found) == 20
    texts = {p.text for p in suite.prompts if p.block == "open"}
    for one, two, attribute in found:
        assert (one.states[attribute], two.states[attribute]) == ("woman", "man")
        assert one.noise == two.noise
        assert one.noise in texts
        assert one.text.replace("female", "male") == two.text
