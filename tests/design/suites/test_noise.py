"""Counterfactual pairs: the same noise under other words."""

from __future__ import annotations

from audit.design import suites
from audit.design.suites.noise import counterfactual


def test_the_shipped_suite_has_a_pair_for_every_open_prompt() -> None:
    """Woman and man, on the noise of the prompt that states nothing."""
    suite = suites.read_suite("counterfactual")
    found = list(counterfactual(suite.prompts))
    assert len(found) == 20
    texts = {p.text for p in suite.prompts if not p.grouped}
    for one, two, attribute in found:
        assert (one.states[attribute], two.states[attribute]) == ("woman", "man")
        assert one.frame == two.frame
        assert one.frame in texts
        assert one.text.replace("female", "male") == two.text
