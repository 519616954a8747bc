"""An OpenAI-compatible endpoint: one POST to `/chat/completions`, with time limits and a cap.

The key comes from the environment, is sent in one header, and is never written or shown.
Redirects are not followed, because they could send it elsewhere.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import re
import time
import urllib.error
import urllib.request
from typing import Protocol
from urllib.parse import urlsplit

from audit.design.language_model.deadline import Deadline
from audit.design.language_model.replies import Malformed, Reply
from audit.errors import UserError
from audit.files import loads

OWN, GENERAL, GENERAL_URL = "T2I_AUDIT_LLM_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"
HOSTS = "T2I_AUDIT_LLM_HOST"
"""Hosts that may receive a key, separated by commas."""
MOST_BYTES = 1_000_000
"""Limit of an answer; a rewritten prompt with its envelope has a few thousand."""
PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the second request, doubled before each further one, and their maximum."""
TRY_AGAIN = frozenset({408, 409, 425, 429})
"""Client errors that may be temporary, like all server errors."""


FILTERED = re.compile(r"content[_ -]?(filter|policy)|moderation[_ -]?blocked|responsibleai", re.I)
"""Codes by which services say that their own filter refused a question."""


class Asked(Protocol):
    """A question: the body of its request."""

    @property
    def body(self) -> dict[str, object]:
        """As JSON."""


class Unanswered(UserError):
    """No answer after all tries; `timed_out` where the last one took too long."""

    def __init__(self, what: str, timed_out: bool) -> None:
        super().__init__(what)
        self.timed_out = timed_out


class Rejected(UserError):
    """A request that the server does not accept, with its status."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(what)
        self.status = status


class _Filtered(Exception):
    """The service's own filter refused the question, in its own words."""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class _Failed(Exception):
    """A request that may succeed later, with the seconds that the server asks to wait."""

    def __init__(self, what: str, wait: float = 0.0, late: bool = False) -> None:
        super().__init__(what)
        self.wait, self.late = wait, late


def key_for(url: str, agreed: bool) -> str:
    """The key for an address, or empty text.

    `T2I_AUDIT_LLM_KEY` is sent only to a host that the user named: by the option that `agreed` says
    of, or in `T2I_AUDIT_LLM_HOST`; an untrusted suite must not obtain it. `OPENAI_API_KEY` was set
    for something else: it is sent to OpenAI and to the host of `OPENAI_BASE_URL`, too. Neither is
    sent in the clear, except to this machine. Raises UserError for a key that does not fit into a
    header.
    """
    name = _held()
    key, parts = os.environ.get(name, "").strip(), urlsplit(url)
    host = parts.hostname or ""
    if not (agreed or host in _named(name)) or not (parts.scheme == "https" or _here(host)):
        return ""
    if not (key.isascii() and (key.isprintable() or not key)):
        raise UserError(f"{name} contains characters that are not valid in a key. Set it again.")
    return key


def _held() -> str:
    """Name of the variable whose key is used."""
    return OWN if os.environ.get(OWN, "").strip() else GENERAL


def _named(name: str) -> set[str]:
    """Hosts that the environment names for a key."""
    hosts = {h.strip().lower() for h in os.environ.get(HOSTS, "").split(",")}
    if name == GENERAL:
        hosts |= {"api.openai.com", urlsplit(os.environ.get(GENERAL_URL, "")).hostname or ""}
    return hosts - {""}


def _withheld(url: str, key: str) -> str:
    """Why a key that is set was not sent to an address; empty if it was, or none is set."""
    if key or not os.environ.get(_held(), "").strip():
        return ""
    host = urlsplit(url).hostname or ""
    if urlsplit(url).scheme != "https" and not _here(host):
        return f"The key in {_held()} was not sent, because the address is not https."
    return (
        f"The key in {_held()} was not sent, because a suite names the address. Give --send-key "
        f"{host} if it may have it."
    )


def _here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ask(question: Asked, url: str, timeout: float, tries: int, agreed: bool = False) -> Reply:
    """The endpoint's reply.

    `timeout` is in seconds, for each request with its whole answer; `agreed` as for `key_for`.
    Raises Unanswered after `tries` failures, Rejected at once for a request that the server does
    not accept, and Malformed for an answer that does not follow the API.
    """
    host, late = urlsplit(url).netloc, False
    for i in range(tries):
        try:
            key = key_for(url, agreed)
            return _reply(_post(question, url, timeout, key), key)
        except _Filtered as error:  # asking again would select what passes
            return Reply("", str(error))
        except _Failed as error:
            what, late = str(error), error.late
            if i + 1 < tries:
                time.sleep(min(max(PAUSE * 2**i, error.wait), LONGEST_PAUSE))
    times = f"{tries} times" if tries > 1 else "once"
    raise Unanswered(f"The language model at {host} was asked {times} and {what}", late)


def _post(question: Asked, url: str, timeout: float, key: str) -> bytes:
    headers = {"Content-Type": "application/json", "Accept": "application/json",
               "User-Agent": "t2i-audit"}  # fmt: skip
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(question.body).encode(), headers, method="POST"
    )
    with Deadline(timeout) as deadline:
        try:
            found = _exchanged(request, url, key, (timeout, deadline))
            if deadline.over:  # what was cut off may look like an answer
                raise TimeoutError
            return found
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            why = getattr(error, "reason", error)
            if deadline.over or isinstance(why, TimeoutError):
                raise _Failed(f"did not answer within {timeout:g} s.", late=True) from None
            raise _Failed(f"could not be reached ({_said(str(why), key)}).") from None


def _exchanged(
    request: urllib.request.Request, url: str, key: str, limit: tuple[float, Deadline]
) -> bytes:
    """The body of the answer; raises as `ask` does, and what urllib raises."""
    timeout, deadline = limit
    handlers = [_Stay(), *deadline.handlers()]
    if _here(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine
    until = time.monotonic() + timeout
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
            return _body(response, until)
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(error, url, key, until) from None


def _body(response: _Readable, until: float) -> bytes:
    """A whole body within the size limit, read until a time of the monotonic clock."""
    data = b""
    while part := response.read1(65_536):
        data += part
        if len(data) > MOST_BYTES:
            raise Malformed(f"it is longer than {MOST_BYTES:,} bytes")
        if time.monotonic() > until:
            raise TimeoutError
    return data


def _refused(error: urllib.error.HTTPError, url: str, key: str, until: float) -> Exception:
    """The exception for an error status: `_Failed` for another try, otherwise UserError."""
    status = f"HTTP {error.code} {_said(str(error.reason), key)}".strip()
    if error.code >= 500 or error.code in TRY_AGAIN:
        wait = error.headers.get("Retry-After", "")
        return _Failed(f"answered {status}.", float(wait) if wait.isdecimal() else 0.0)
    unknown_key = _withheld(url, key) or f"Give a key that it knows in {OWN}."
    hint = {
        401: unknown_key, 403: unknown_key,
        404: "Check `url`, which often ends in /v1, and `model`.",
    }.get(error.code)  # fmt: skip
    if 300 <= error.code < 400:
        hint = "It points elsewhere, and redirects are not followed; give that address as `url`."
    if hint is None:  # a server's message about a key may quote it, so 401 is not repeated
        code, words = _complaint(error, key, until)
        if error.code in (400, 403, 422) and FILTERED.search(code):
            return _Filtered(words or code)
        hint = f"It says: {words}" if words else "Check `model` and the options."
    return Rejected(
        f"The language model at {urlsplit(url).netloc} answered {status}. {hint}", error.code
    )


def _complaint(error: urllib.error.HTTPError, key: str, until: float) -> tuple[str, str]:
    """The code and the message of the server's own error, each as one short line."""
    try:
        found = loads(_body(error, until))
        found = found.get("error", found)
        code, words = (
            (f"{found.get('code', '')} {found.get('type', '')}", found.get("message", ""))
            if isinstance(found, dict) else ("", found)
        )  # fmt: skip
    except (Malformed, OSError, http.client.HTTPException, ValueError, AttributeError):
        return "", ""
    return _said(code, key), _said(words, key) if isinstance(words, str) else ""


def _said(words: str, key: str) -> str:
    """Untrusted text for an error message: short, one line, printable, without the key."""
    hidden = words.replace(key, "[key]") if key else words
    return "".join(c if c.isprintable() else " " for c in hidden)[:300].strip()


def _reply(body: bytes, key: str) -> Reply:
    """The first choice of a chat completion; Malformed says what is missing."""
    try:
        found = loads(body)
    except ValueError:
        raise Malformed("it is not JSON") from None
    choices = found.get("choices") if isinstance(found, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(message, dict) or not isinstance(first, dict):
        raise Malformed("it holds no choices")
    finish, content = first.get("finish_reason"), message.get("content")
    tokens = _counted(found.get("usage"))
    if finish == "content_filter":
        return Reply("", "its content filter stopped the answer", tokens=tokens)
    if message.get("refusal"):
        return Reply("", "it says so in `refusal`", tokens=tokens)
    if content is not None and not isinstance(content, str):
        raise Malformed("it holds no text")
    if len(key) >= 8 and key in (content or ""):
        raise Malformed("it repeats the key")
    return Reply(content or "", cut=finish == "length", tokens=tokens)


def _counted(usage: object) -> tuple[int, int]:
    """Tokens of question and answer; 0 for what the server does not say."""
    found = usage if isinstance(usage, dict) else {}
    counts = [found.get(k) for k in ("prompt_tokens", "completion_tokens")]
    first, second = (
        n if isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 10**9 else 0
        for n in counts
    )
    return first, second
