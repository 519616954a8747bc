"""Training images by subject: captions sorted by what they state, read once, shares as planted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.datasets.source import Entry
from audit.design import suites
from audit.findings import amplification
from audit.findings.representation import Context
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Attribute
from audit.runs import training_images
from audit.world import models
from tests.builders import running

GENDER = next(a for a in suites.read_suite("world").attributes if a.name == "gender")


def run(path: Path) -> Any:
    """The world's training set under the world's suite, two subjects of it."""
    from dataclasses import replace

    suite = suites.read_suite("world")
    prompts = tuple(p for p in suite.prompts if p.subject in ("nurse", "builder"))
    return running.run(path, replace(suite, prompts=prompts), corpus=models.corpus())


def test_words_of_one_class_state_it() -> None:
    """Only words that distinguish the classes' texts count."""
    assert training_images.stated_words(GENDER) == {"woman", "female", "man", "male"}


def test_captions_are_sorted_by_what_they_state(tmp_path: Path) -> None:
    """All name the subject as a word; open ones contain no class word."""
    made = run(tmp_path)
    entries = made.plan.corpus.entries()
    places = np.repeat(np.arange(len(entries)), [e.repeats for e in entries])
    prompts = [p for p in made.suite.prompts if p.subject == "nurse"]
    found = training_images._chosen(entries, places, prompts, GENDER, models.classifier(), 400)
    captions = {e.id: e.caption for e in entries}
    assert all("nurse" in captions[i] for ids in found.values() for i in ids)
    silent_ = [captions[i] for i in found["captions that leave it open"]]
    assert not any(w in f" {c} " for c in silent_ for w in (" woman ", " man ", " female "))
    stated = np.mean([" woman " in f" {captions[i]} " for i in found["all captions"]])
    assert 0.1 < stated < 0.6
    near = [captions[i] for i in found["captions nearest the prompt"]]
    assert np.mean([len(c) for c in near]) < np.mean([len(c) for c in silent_])


def test_a_subject_is_a_word_and_not_a_part_of_one() -> None:
    """`cook` is not in `cookie`, in any case."""
    assert training_images._mentions("A Cook in a kitchen", "cook")
    assert not training_images._mentions("a cookie", "cook")


def test_training_shares_are_those_that_were_planted(tmp_path: Path) -> None:
    """Read by the embedded classifier, nurses are mostly women and builders men; read once."""
    made = run(tmp_path)
    assert not len(
        training_images.read(made, models.classifier(), made.plan.corpus.entries(), limit=0)
    )
    found = training_images.read(made, models.classifier(), made.plan.corpus.entries(), limit=60)
    shares = {
        s: float((part.value == "woman").mean())
        for s, part in found[
            (found.kind == "all captions") & (found.attribute == "gender") & found.value.notna()
        ].groupby("subject")
    }
    assert shares["nurse"] == pytest.approx(0.879, abs=0.13)
    assert shares["builder"] == pytest.approx(0.049, abs=0.1)
    counted = SimpleNamespace(**{**models.classifier().__dict__})
    counted.key, counted.texts = models.classifier().key, models.classifier().texts
    counted.scale = models.classifier().scale

    def refuse(_: object) -> np.ndarray:
        raise AssertionError("pictures are read once")

    counted.images = refuse
    again = training_images.read(made, counted, made.plan.corpus.entries(), limit=60)
    pd.testing.assert_frame_equal(found, again)


def test_nothing_without_captions(tmp_path: Path) -> None:
    """A training set without known captions gives no comparison and no claim."""
    made = run(tmp_path)
    nothing = training_images.read(made, models.classifier(), [Entry("a", "", 1)], 60)
    assert nothing.empty
    context = Context([GENDER], [], {}, None, 0)
    empty = pd.DataFrame(columns=list(ATTRIBUTE_COLUMNS))
    assert amplification.findings(empty, nothing, context, {}) == []


def table(shares: dict[str, float], n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Model readings with these shares of women."""
    rows = [
        (f"{s}{i}", f"{s}/{i % 20}", s, "none", i, "gender", "label",
         "woman" if rng.random() < p else "man", 0.9)
        for s, p in shares.items()
        for i in range(n)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def test_amplification_is_found_where_it_was_planted() -> None:
    """A model that doubles every skew is above; one that copies the set is not."""
    rng = np.random.default_rng(1)
    learned = {"a": 0.2, "b": 0.8, "c": 0.3, "d": 0.75, "e": 0.25}
    twice = {"a": 0.02, "b": 0.98, "c": 0.05, "d": 0.97, "e": 0.04}
    gender = Attribute("gender", ("woman", "man"), {})
    context = Context([gender], [], {}, None, 0)
    seen = table(learned, 300, rng).assign(kind="all captions")
    seen = seen[["subject", "attribute", "kind", "outcome", "value"]]
    subjects = dict.fromkeys(learned, 1)
    more = amplification.findings(table(twice, 200, rng), seen, context, subjects)
    same = amplification.findings(table(learned, 200, rng), seen, context, subjects)
    assert [f.verdict for f in more] == ["above"] * 7
    directional = more[1]
    assert directional.id.endswith("gender-amplification/directional, all captions")
    # By definition: signs of the planted shares against their mean, times what was added.
    assert directional.estimate == pytest.approx(np.mean([0.18, 0.18, 0.25, 0.22, 0.21]), abs=0.05)
    assert same[1].verdict == "compatible"
    assert more[0].estimate == pytest.approx(np.mean([0.18, 0.18, 0.25, 0.22, 0.21]), abs=0.04)
    assert more[0].where == "all 5 subjects"
    assert "points further towards the training majority" in more[2].sentence
    assert [f.verdict for f in same].count("compatible") >= 4
