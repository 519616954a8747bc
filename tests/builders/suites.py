"""A small suite of two occupations, one attribute and one rewrite."""

from __future__ import annotations

from pathlib import Path

TOML = """
name = "small"
title = "Small"
question = "Who?"
subject_attribute = "occupation"
[gate]
person = ["a person", "a photo of a person"]
empty = ["an empty scene", "a photo of a blue background"]
[[blocks]]
id = "jobs"
purpose = "representation"
templates = ["a photo of {a_subject}"]
subjects = ["technologist", "nurse"]
seeds = 4
attributes = ["gender"]
[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {a_value}", "a portrait of {a_value}"]
[attributes.occupation]
classes = ["technologist", "nurse", "judge", "cook"]
templates = ["a photo of {a_value}"]
[[references]]
name = "uniform"
label = "even"
uniform = true
[[mitigations]]
name = "inject-gender"
method = "inject"
blocks = ["jobs"]
options = { attribute = "gender", target = "uniform" }
"""


def small(folder: Path) -> Path:
    """The small suite as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.toml").write_text(TOML)
    return folder / "small.toml"
