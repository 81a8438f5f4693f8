"""The book in a real browser: nothing in the console, no request that leaves the machine, mathematics set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import chrome
import pytest

from memloc.publishing import build

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(chrome.BROWSER is None, reason="no Chromium on the PATH")


@pytest.fixture(scope="module")
def address(book: Path) -> Iterator[str]:
    """Where the small book is served."""
    with build.make_server(book, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def some_pages(html: Path) -> list[str]:
    """First page, chapters and status page of a built book, as seen from its root."""
    return ["book/intro.html", *sorted(path.relative_to(html).as_posix() for path in html.glob("book/chapters/*.html"))]


def check(visit: chrome.Visit) -> None:
    """The three things that must hold of every page."""
    assert visit.console == []
    assert visit.leaving == []
    assert "</html>" in visit.dom


def test_served_pages_are_quiet_and_set_their_mathematics(book: Path, address: str) -> None:
    intro = chrome.visit(f"{address}/book/intro.html")
    check(intro)
    assert intro.dom.count("<mjx-container") >= 5
    assert any(path.endswith(".woff") for path in intro.requests), "MathJax's fonts come from the book"
    name = next((book / "notebooks" / "chapters").glob("*.py")).stem
    check(chrome.visit(f"{address}/book/chapters/{name}.html"))


def test_pages_opened_as_files_are_quiet(book: Path) -> None:
    visit = chrome.visit((book / "_build" / "html" / "book" / "intro.html").as_uri())
    check(visit)
    assert "<mjx-container" in visit.dom


def test_every_page_of_the_own_book() -> None:
    if not build.is_current(ROOT):
        pytest.skip("the project's own book is not built, or not from the present sources: make book")
    html = ROOT / "_build" / "html"
    with build.make_server(ROOT, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for page in some_pages(html):
            check(chrome.visit(f"http://127.0.0.1:{server.server_address[1]}/{page}"))
        server.shutdown()


def test_a_noisy_page_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html><script>console.error('oh')</script><img src='http://far.example/a.png' alt='a'></html>")
    visit = chrome.visit(page.as_uri())
    assert any("oh" in line for line in visit.console)
    assert visit.leaving == ["http://far.example/a.png"]
