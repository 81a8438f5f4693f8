"""Headless Chromium, spoken to over its debugging socket: what a page says, loads and weighs, and how it lies."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import websocket

from memloc.publishing.pdf import find_browser

BROWSER = find_browser()
AXE = Path(__file__).parent / "axe" / "axe.min.js"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps"),
    *("--disable-extensions", "--disable-dev-shm-usage", "--remote-debugging-port=0", "--remote-allow-origins=*"),
    # no name is resolved, so a request that would leave the machine is seen and goes nowhere
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
PATIENCE = 60.0  # seconds for one answer of the browser; a machine at work on other things is slow
QUIET = 0.4  # seconds without a request after which a page has settled
NOTES = (
    "[togglebutton]: Adding toggle buttons",
    "[PST]: Changed to",
    "[PST]: Scrolled sidebar",
    "[PST]: Set focus",
)  # said as notes
SETTLED = "document.readyState == 'complete' && (!window.MathJax?.startup?.promise || window.memlocSettled === true)"
WATCH = "window.MathJax?.startup?.promise?.then(() => {window.memlocSettled = true})"


@dataclass
class Visit:
    """What happened while a page was open."""

    dom: str = ""
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)  # bytes by address, before any compression on the way

    @property
    def leaving(self) -> list[str]:
        """Addresses asked for that are not on this machine."""
        web = [address for address in self.requests if urlsplit(address).scheme in ("http", "https", "ws", "wss")]
        return [address for address in web if urlsplit(address).hostname != "127.0.0.1"]

    @property
    def weight(self) -> int:
        """Bytes of the page with everything it loaded."""
        return sum(self.weights.values())


class Tab:
    """One tab with a cold cache."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._addresses: dict[str, str] = {}
        self._last = time.monotonic()
        self.visit = Visit()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Network.setCacheDisabled", cacheDisabled=True)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what happens meanwhile is kept."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            message = self._receive(1.0)
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])
        raise TimeoutError(method)

    def _receive(self, patience: float) -> dict[str, Any]:
        self._socket.settimeout(patience)
        try:
            message = json.loads(self._socket.recv())
        except websocket.WebSocketTimeoutException:
            return {}
        self._keep(message.get("method", ""), message.get("params", {}))
        return dict(message)

    def _keep(self, method: str, told: dict[str, Any]) -> None:
        """Note what an event says about the page."""
        if method.startswith("Network."):
            self._last = time.monotonic()
        if method == "Network.requestWillBeSent":
            self._addresses[told["requestId"]] = told["request"]["url"]
            self.visit.requests.append(told["request"]["url"])
        elif method == "Network.dataReceived":
            address, weights = self._address(told), self.visit.weights
            if address and not address.startswith("data:"):
                weights[address] = weights.get(address, 0) + told["dataLength"]
        elif method == "Network.responseReceived" and told["response"]["status"] >= 400:
            self.visit.failed.append(f"{told['response']['status']} {told['response']['url']}")
        elif method == "Network.loadingFailed" and not told.get("canceled"):
            self.visit.failed.append(f"{told['errorText']} {self._address(told)}")
        elif method == "Runtime.consoleAPICalled":
            words = " ".join(str(value.get("value", value.get("description", ""))) for value in told["args"])
            if not words.startswith(NOTES):
                self.visit.console.append(f"{told['type']}: {words}")
        elif method == "Runtime.exceptionThrown":
            self.visit.console.append(str(told["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.visit.console.append(f"{told['entry']['level']}: {told['entry']['text']}")

    def _address(self, told: dict[str, Any]) -> str:
        return self._addresses.get(told["requestId"], "")

    def run(self, script: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        result = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def look(self, width: int, height: int = 1000, *, dark: bool = False) -> None:
        """The size of the window and the colour scheme that the person prefers; for pages opened from now on."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> Visit:
        """Open a page and wait until it has settled, its mathematics set."""
        self._addresses.clear()  # what the page before still loads is no part of this one
        self.visit = Visit()
        self.ask("Page.navigate", url=address)
        self.settle()
        return self.visit

    def settle(self) -> None:
        """Wait until the page is complete and asks for nothing more."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self._receive(0.1)
            self.run(WATCH)
            if self.run(SETTLED) and time.monotonic() - self._last > QUIET:
                self.visit.dom = str(self.run("document.documentElement.outerHTML"))
                return
        raise TimeoutError("the page does not settle")

    def sideways(self) -> int:
        """By how many pixels the page is wider than its window."""
        script = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.run(script))

    def barriers(self) -> list[str]:
        """What axe finds serious or critical, a line each."""
        if not self.run("typeof axe == 'object'"):
            self.run(AXE.read_text(encoding="utf-8") + ";0")
        found = self.run("axe.run({resultTypes: ['violations']}).then(r => r.violations)")
        grave = [fault for fault in found if fault["impact"] in ("serious", "critical")]
        return [
            f"{fault['id']} ({fault['impact']}): {node['html'][:160]} {[said['message'] for said in node['any']]}"
            for fault in grave
            for node in fault["nodes"]
        ]

    def picture(self, path: Path) -> None:
        """Keep what the window shows as a PNG."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def browser() -> Iterator[Tab]:
    """A tab of a browser with a new, empty profile."""
    assert BROWSER, "no Chromium on the PATH"
    with tempfile.TemporaryDirectory(prefix="chrome-", ignore_cleanup_errors=True) as folder:
        command = [BROWSER, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            socket = websocket.create_connection(_debugger(Path(folder), process), timeout=PATIENCE)
            yield Tab(socket)
            socket.close()
        finally:
            process.terminate()
            process.wait(20)


def _debugger(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of the one tab's debugging socket, which the browser writes down when it is ready."""
    port, end = folder / "DevToolsActivePort", time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if port.is_file() and (told := port.read_text().split()):
            with urlopen(f"http://127.0.0.1:{told[0]}/json/list") as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            if tabs:
                return str(tabs[0]["webSocketDebuggerUrl"])
        time.sleep(0.05)
    raise TimeoutError("Chromium does not start")
