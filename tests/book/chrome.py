"""Open a page in headless Chromium: what its console said, which addresses it asked for, what scripts made of it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
FLAGS = shlex.split(
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-default-apps --disable-extensions --disable-dev-shm-usage "
    "--enable-logging=stderr --v=0 --virtual-time-budget=10000 --window-size=1200,1000 --dump-dom"
)
# no name is resolved, so a request that would leave the machine is seen in the log and goes nowhere
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
CONSOLE = re.compile(r"CONSOLE[^\]]*\] (.*)")
# The log does not tell errors from notes; these two notes of the theme are none.
NOTES = re.compile(r'^"(\[togglebutton\]: Adding toggle buttons|\[PST\]: (Changed to \w+ mode|Scrolled sidebar))')


@dataclass(frozen=True)
class Visit:
    """One page, opened once."""

    dom: str
    console: list[str]
    requests: list[str]

    @property
    def leaving(self) -> list[str]:
        """Addresses asked for that are not on this machine."""
        web = [address for address in self.requests if urlsplit(address).scheme in ("http", "https", "ws", "wss")]
        return [address for address in web if urlsplit(address).hostname != "127.0.0.1"]


def _addresses(events: list[dict[str, Any]]) -> list[str]:
    """What pages asked for. The browser's own requests (its clock, its updates) have no origin as their initiator."""
    asked = [event.get("params") or {} for event in events]
    return sorted({p["url"] for p in asked if "url" in p and p.get("initiator", "not an origin") != "not an origin"})


def visit(address: str, *extra: str) -> Visit:
    """Open an address with a new, empty profile and wait until the page has settled."""
    assert BROWSER, "no Chromium on the PATH"
    with tempfile.TemporaryDirectory(prefix="chrome-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "net.json"
        command = [BROWSER, *FLAGS, NOWHERE, f"--user-data-dir={folder}/profile", f"--log-net-log={log}", *extra]
        done = subprocess.run([*command, address], capture_output=True, text=True, timeout=120)
        text = log.read_text(encoding="utf-8") if log.exists() else ""
    assert done.returncode == 0, f"Chromium ended with {done.returncode}: {done.stderr[-1500:]}"
    assert '"events"' in text, "Chromium wrote no log of its requests"
    try:
        events = json.loads(text)["events"]
    except ValueError:  # a browser that ends quickly leaves the log without its closing brackets
        events = json.loads(text.rstrip().rstrip(",") + "]}")["events"]
    said = [line for line in CONSOLE.findall(done.stderr) if not NOTES.match(line)]
    return Visit(done.stdout, said, _addresses(events))
