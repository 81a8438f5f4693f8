"""Walk through the pages of a built book in a browser, as on a large light screen and on a small dark one.

With ``MEMLOC_LOOKS=all`` in the environment also the other way round.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import chrome

from memloc.publishing import build

EVERY_LOOK = ((1400, False), (1400, True), (390, False), (390, True))  # width in pixels; whether dark
LOOKS = EVERY_LOOK if os.environ.get("MEMLOC_LOOKS") == "all" else ((1400, False), (390, True))
HEAVIEST = 1_500_000  # bytes that a page may load before anybody scrolls


@contextlib.contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of a built book."""
    with build.make_server(root, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def all_pages(root: Path) -> list[str]:
    """Every page of a built book, as seen from its root, but those that only lead to another."""
    html = root / "_build" / "html"
    stays = (path for path in html.rglob("*.html") if 'http-equiv="Refresh"' not in path.read_text(encoding="utf-8"))
    names = (path.relative_to(html).as_posix() for path in stays)
    return sorted(name for name in names if not name.startswith("_static"))


def walk(address: str, pages: Iterable[str], tab: chrome.Tab) -> list[str]:
    """Everything wrong with the pages, a line each."""
    found = []
    for page in pages:
        for width, dark in LOOKS:
            tab.look(width, dark=dark)
            visit = tab.open(f"{address}/{page}")
            told = [*visit.console, *visit.failed, *visit.leaving, *tab.barriers()]
            if visit.weight > HEAVIEST:
                told.append(f"weighs {visit.weight} bytes")
            if tab.sideways() > 0:
                told.append(f"is {tab.sideways()} pixels wider than its window")
            found += [f"{page} at {width}{' dark' * dark}: {line}" for line in told]
    return found
