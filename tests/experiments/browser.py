"""Debian's chromium without a window, asked through its DevTools protocol: what the tests of pages need."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
import websocket

TIMEOUT_S = 30


def chromium():
    """Its path; without one the test is skipped, but fails in continuous integration."""
    found = shutil.which("chromium")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("no chromium on PATH; `make browser` installs Debian's as root")
    if found is None:
        pytest.skip("no chromium on PATH: apt-get install chromium, or make browser as root")
    return found


@contextlib.contextmanager
def open_page(address, **media):
    """A page that has loaded ``address``, as a ``Page``."""
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"]
    flags += ["--disable-background-networking", "--window-size=1366,900"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [chromium(), *flags, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            page = Page(_socket(Path(profile, "DevToolsActivePort"), process))
            page.load(address)
            yield page
            page.socket.close()
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)


def _socket(port_file, process):
    """The connection to the only tab of a browser that may still be starting."""
    until = time.monotonic() + TIMEOUT_S
    while not (port_file.exists() and port_file.read_text().count("\n")):
        assert process.poll() is None, f"chromium ended with {process.returncode}"
        assert time.monotonic() < until, "chromium did not start"
        time.sleep(0.05)
    port = port_file.read_text().split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=TIMEOUT_S) as answer:
        (tab,) = [one for one in json.load(answer) if one["type"] == "page"]
    return websocket.create_connection(
        tab["webSocketDebuggerUrl"], timeout=TIMEOUT_S, suppress_origin=True, max_size=None
    )


class Page:
    """A tab: scripts run in it, and what it has complained about and asked for since it was opened.

    Attributes:
        complaints: uncaught errors and whatever stands in the console.
        requests: addresses that it asked for, without those of ``data:``.
    """

    def __init__(self, socket):
        self.socket = socket
        self.complaints, self.requests = [], []
        self._events, self._last = set(), 0
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def load(self, address):
        """Go there and wait until everything is there."""
        self.ask("Page.navigate", url=address)
        while "Page.loadEventFired" not in self._events:
            self._receive()

    def ask(self, method, **parameters):
        """One command of the protocol, and its result."""
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = self._receive()
            if message.get("id") == self._last:
                assert "error" not in message, message
                return message["result"]

    def run(self, script):
        """The value of an expression, awaited if it is a promise."""
        said = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def press(self, key):
        """Press a key for whatever has the focus."""
        code = {"Enter": 13, " ": 32}[key]
        keys = {"key": key, "windowsVirtualKeyCode": code, "text": "\r" if key == "Enter" else key}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **keys)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **keys)

    def _receive(self):
        message = json.loads(self.socket.recv())
        method, said = message.get("method", ""), message.get("params", {})
        self._events.add(method)
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(said)
        if method == "Network.requestWillBeSent" and not said["request"]["url"].startswith("data:"):
            self.requests.append(said["request"]["url"])
        return message
