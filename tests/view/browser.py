"""A small client of a real browser: headless Chromium over the DevTools protocol."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
         "--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--remote-debugging-port=0", "--remote-allow-origins=*")  # fmt: skip
PATIENCE = 15.0
"""Seconds after which something that was waited for will not come."""


class Tab:
    """One tab: go, read, press, and look."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._last = connection, 0
        self.said: list[dict[str, Any]] = []
        """Console messages, exceptions and refused loads, as the protocol gives them."""
        self.asked: list[str] = []
        """Addresses that were requested, without `data:`, which makes no request."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its result; RuntimeError for one that fails."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv(timeout=PATIENCE))
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded",
                                        "Runtime.consoleAPICalled"):  # fmt: skip
                self.said.append(answer["params"])
            if answer.get("method") == "Network.requestWillBeSent":
                address = str(answer["params"]["request"]["url"])
                if not address.startswith("data:"):
                    self.asked.append(address)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, promises awaited."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true, also across a page that is being left."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(RuntimeError):
                if value := self.run(script):
                    return value
            time.sleep(0.02)
        raise TimeoutError(f"{script} is not true at {self.run('location.href')}")

    def go(self, address: str) -> None:
        """Open an address and wait until it is there."""
        self.run("window.left = true")
        self.call("Page.navigate", url=address)
        self.loaded()

    def loaded(self) -> None:
        """Wait for the page that comes after one marked as left."""
        self.until("!window.left && document.readyState === 'complete'")

    def press(self, key: str, wait: bool = False) -> None:
        """Press a key as a person does; with `wait`, until the next page is there."""
        if wait:
            self.run("window.left = true")
        codes = {"Backspace": 8, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38,
                 "ArrowRight": 39, "ArrowDown": 40, "Delete": 46, "Tab": 9}  # fmt: skip
        code = codes.get(key, ord(key[0].upper()))
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)
        if wait:
            self.loaded()

    def type(self, words: str) -> None:
        """Put words into the field that has the focus."""
        self.call("Input.insertText", text=words)

    def click(self, selector: str, wait: bool = False) -> None:
        """Click in the middle of an element with the mouse."""
        spot = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        if wait:
            self.run("window.left = true")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=spot[0], y=spot[1], button="left",
                      clickCount=1)  # fmt: skip
        if wait:
            self.loaded()

    def screen(self, width: int, height: int, dark: bool = False) -> None:
        """Size of the window, and whether the person prefers dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def print(self) -> bytes:
        """The page as a PDF, as a person who changes nothing prints it."""
        found = self.call("Page.printToPDF", preferCSSPageSize=True)
        return base64.b64decode(found["data"])

    def look(self, path: Path) -> None:
        """A screenshot of the window."""
        found = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))


class Browser:
    """A running Chromium with a profile of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tabs = ExitStack()
        self._last: Tab | None = None

    def tab(self, address: str) -> Tab:
        """A new tab at an address."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT"
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            where = json.load(answer)["webSocketDebuggerUrl"]
        made = Tab(
            self._tabs.enter_context(connect(where, max_size=None, max_queue=None, close_timeout=1))
        )
        self._last = made
        made.go(address)
        return made

    def close(self) -> None:
        """End the browser, and let go of all tabs."""
        if self._last is not None:
            with suppress(ConnectionClosed):  # it goes before it answers
                self._last.call("Browser.close")
        self._tabs.close()


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Chromium from its start to its end, with nothing of other sessions."""
    log = (profile.parent / "chromium.log").open("wb")
    process = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"], stdout=log, stderr=log
    )
    try:
        made = Browser(_port(profile / "DevToolsActivePort", process))
        try:
            yield made
        finally:
            made.close()
            process.wait(10)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _port(path: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that Chromium chose for its protocol."""
    end = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError, ValueError, IndexError):
            return int(path.read_text("utf-8").split("\n")[0])
        time.sleep(0.05)
    raise RuntimeError("Chromium did not start")
