"""The template's part of a label's variance, and verdicts that depend on one template."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.findings import templates
from audit.findings.representation import Context
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Attribute, Finding, Prompt, Reference

GENDER = Attribute("gender", ("woman", "man"), {})
TEXTS = ("a photo of {a_subject}", "a portrait of {a_subject}", "a picture of {a_subject}")


def made(
    seed: int, shift: tuple[float, float, float], n: int = 40, subjects: int = 8
) -> tuple[pd.DataFrame, dict[str, Prompt], Context]:
    """Subjects with their own shares, shifted by each template."""
    rng = np.random.default_rng(seed)
    rows, prompts = [], {}
    shares: dict[tuple[str, str, str], float] = {}
    for k in range(subjects):
        own = rng.uniform(0.3, 0.7)
        shares |= {(f"s{k}", "gender", "woman"): 0.5, (f"s{k}", "gender", "man"): 0.5}
        for t, text in enumerate(TEXTS):
            p = Prompt(f"b/s{k}/{t}", text, f"s{k}", "b", "representation", n, ("gender",),
                       template=text)  # fmt: skip
            prompts[p.id] = p
            share = np.clip(own + shift[t], 0, 1)
            rows += [
                (f"{p.id}{i}", p.id, p.subject, "none", i, "gender", "label",
                 "woman" if rng.random() < share else "man", 0.9)
                for i in range(n)
            ]  # fmt: skip
    reference = Reference("uniform", "uniform", shares, "test")
    table = pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))
    return table, prompts, Context([GENDER], [reference], {}, None, 0)


def both(seed: int, shift: tuple[float, float, float]) -> tuple[Finding, Finding]:
    """The two claims on a simulated table."""
    table, prompts, context = made(seed, shift)
    variance, fragile = templates.findings(table, context, prompts)
    return variance, fragile


@pytest.mark.parametrize("seed", range(4))
def test_a_template_that_moves_shares_is_seen(seed: int) -> None:
    """Shifts of -.3, 0, .3 are .06 of a variance of about .25; no shift is about nothing."""
    moved, still = both(seed, (-0.3, 0.0, 0.3))[0], both(seed, (0.0, 0.0, 0.0))[0]
    assert moved.estimate == pytest.approx(0.09 / (0.25 + 0.03), abs=0.12)
    assert moved.estimate > 0.15
    assert moved.low <= moved.estimate <= moved.high
    assert still.estimate < 0.03
    assert "is due to the template, n = " in moved.sentence


def test_verdicts_that_hang_on_one_template_are_counted_and_named() -> None:
    """Where one template causes the difference from the reference, leaving it out changes it."""
    fragile = both(1, (0.45, 0.0, 0.0))[1]
    steady = both(1, (0.0, 0.0, 0.0))[1]
    assert fragile.estimate > steady.estimate
    assert fragile.n == 8
    assert "templates is left out (s" in fragile.sentence


def test_missing_labels_count_as_missing() -> None:
    """Images without a label are left out of the variance and counted."""
    table, prompts, context = made(3, (0.0, 0.0, 0.0))
    table.loc[:9, ["outcome", "value"]] = ["uncertain", None]
    variance = templates.findings(table, context, prompts)[0]
    assert variance.missing == 10
    assert variance.n == len(table) - 10


def test_nothing_where_there_is_one_template_or_none() -> None:
    """Prompts from a file have no template, and one template cannot be compared."""
    table, prompts, context = made(3, (0.0, 0.0, 0.0))
    one = table[table.prompt.str.endswith("/1")]
    assert templates.findings(one, context, prompts) == []
    bare = {
        k: Prompt(p.id, p.text, p.subject, "b", "representation", 1) for k, p in prompts.items()
    }
    assert templates.findings(table, context, bare) == []


def test_labels_all_alike_are_not_known() -> None:
    """A model that only draws women has no variance to explain: NaN, with the reason."""
    table, prompts, context = made(3, (0.0, 0.0, 0.0))
    variance = templates.findings(table.assign(value="woman"), context, prompts)[0]
    assert np.isnan(variance.estimate)
    assert variance.verdict == "undecided"
    assert "all labels are the same" in variance.sentence
