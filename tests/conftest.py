"""Shared by all tests: no model hub, no display, no threads of tokenizers, examples by commit.

Hypothesis draws the same examples for the same code, so that a change lands or not by itself;
`pytest --hypothesis-profile=search` looks for new ones, many more of them.
"""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
settings.register_profile("commit", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile("commit")
