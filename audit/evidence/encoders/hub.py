"""The hub of models without waiting: its client tries again for a minute without a network."""

from __future__ import annotations

import logging
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies


def ready() -> None:
    """Have the hub's client print nothing, and take its local cache where its host has no address.

    Behind a proxy the host needs none. For the rest of the process, as by HF_HUB_OFFLINE.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils.logging import set_verbosity

    set_verbosity(logging.ERROR)
    if constants.HF_HUB_OFFLINE or getproxies():
        return
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, None)
    except OSError:
        constants.HF_HUB_OFFLINE = True
