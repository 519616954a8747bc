"""The registry: every promised name loads, and a wrong one gets a sentence."""

from __future__ import annotations

import json
import math

import pytest

from audit import registry
from audit.design.mitigations import methods
from audit.errors import UserError


@pytest.mark.parametrize(
    ("kind", "name"), [(k, n) for k, table in registry.TABLES.items() for n in table]
)
def test_every_registered_name_can_be_imported(kind: str, name: str) -> None:
    """No table promises what is not there."""
    assert callable(registry.load(kind, name))


def test_suites_know_the_options_of_every_registered_rewriter() -> None:
    """What can be loaded can be written in a suite, and the other way round."""
    assert set(methods.METHODS) == set(registry.MITIGATIONS)


def test_outside_code_is_reached_by_its_path() -> None:
    """A name with a colon needs no registration, and may be dotted."""
    assert registry.load("encoder", "json:dumps") is json.dumps
    assert registry.load("corpus", "json:JSONDecoder.decode") is json.JSONDecoder.decode
    assert registry.load("model", "math:pi") == math.pi


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("mitigation", "injct", "Unknown mitigation 'injct'. Did you mean inject?"),
        ("model", "embeded", "Did you mean embedded"),
        ("modle", "embedded", "Unknown kind 'modle'. Did you mean model?"),
        ("encoder", "no_such_module:thing", "cannot be imported: .*no_such_module"),
        ("encoder", "json:no_such_thing", "cannot be imported: .*no_such_thing"),
        ("encoder", "json:", "cannot be imported"),
        ("encoder", ":dumps", "cannot be imported"),
    ],
)
def test_wrong_names_get_one_sentence(kind: str, name: str, message: str) -> None:
    """Near names where there are any; the import's own words otherwise."""
    with pytest.raises(UserError, match=message):
        registry.load(kind, name)


def test_names_lists_every_table() -> None:
    """What `list` shows is what `load` takes."""
    assert registry.names() == {k: sorted(t) for k, t in registry.TABLES.items()}
