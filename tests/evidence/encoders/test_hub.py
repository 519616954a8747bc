"""Names of the hub without a network: one sentence at once, from a client that says nothing."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from huggingface_hub import constants

from audit.errors import UserError
from audit.evidence.encoders import hub, pinned
from audit.evidence.encoders.openclip import ClipEncoder


def offline() -> bool:
    """Whether the client takes its cache alone."""
    return bool(constants.HF_HUB_OFFLINE)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine on which no host has an address; the hosts that were asked for."""
    found: list[str] = []

    def unknown(host: str, *rest: Any, **more: Any) -> None:
        found.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.example")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    return found


def test_a_host_without_an_address_is_asked_for_once(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After that the client takes its cache alone; behind a proxy nothing is asked."""
    hub.ready()
    hub.ready()
    assert asked == ["hub.example"]
    assert offline()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("https_proxy", "http://proxy.example:1")
    hub.ready()
    assert not offline()
    assert asked == ["hub.example"]


@pytest.mark.slow
def test_a_name_of_the_hub_is_refused_without_retries(
    asked: list[str], capfd: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    """Of an open_clip model and of the default classifier."""
    with pytest.raises(UserError, match="cannot be loaded"):
        ClipEncoder("ViT-B-32/laion400m_e32").texts(["a nurse"])
    with pytest.raises(UserError, match="neither in the local cache"):
        pinned.weights(tmp_path)
    assert asked == ["hub.example"]
    assert "Retrying" not in "".join(capfd.readouterr())
