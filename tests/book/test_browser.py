"""The book in a real browser: quiet, whole, within its window, light enough, and open to people with other senses."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import chrome
import nbformat
import papermill
import pytest
import walking

from memloc.publishing import build

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(chrome.BROWSER is None, reason="no Chromium on the PATH")


@pytest.fixture(scope="module")
def address(book: Path) -> Iterator[str]:
    """Where the small book is served."""
    with walking.served(book) as found:
        yield found


@pytest.fixture(scope="module")
def tab() -> Iterator[chrome.Tab]:
    """One tab for all tests."""
    with chrome.browser() as found:
        yield found


def test_pages_of_the_small_book(book: Path, address: str, tab: chrome.Tab) -> None:
    stubs = {path.stem for path in (book / "book").rglob("*.md") if "A stub." in path.read_text()}
    pages = [page for page in walking.all_pages(book) if Path(page).stem not in sorted(stubs)[1:]]
    assert walking.walk(address, pages, tab) == []


def test_pages_of_the_own_book(tab: chrome.Tab) -> None:
    if not build.is_current(ROOT):
        pytest.skip("the project's own book is not built, or not from the present sources: make book")
    with walking.served(ROOT) as found:
        assert walking.walk(found, walking.all_pages(ROOT), tab) == []


def test_served_pages_set_their_mathematics_and_follow_the_theme(address: str, tab: chrome.Tab) -> None:
    tab.look(390, dark=True)
    visit = tab.open(f"{address}/book/intro.html")
    assert visit.dom.count("<mjx-container") >= 5
    assert any(path.endswith(".woff") for path in visit.requests), "MathJax's fonts come from the book"
    assert tab.run("document.documentElement.dataset.theme") == "dark"
    # icons are drawn from a font that holds nothing else; where it does not load, boxes stand in their place
    assert tab.run("document.fonts.check('900 16px \"Font Awesome 6 Free\"', '\\uf002')")


def test_pages_opened_as_files_are_quiet(book: Path, tab: chrome.Tab) -> None:
    visit = tab.open((book / "_build" / "html" / "book" / "intro.html").as_uri())
    assert visit.console == []
    assert visit.leaving == []
    assert "<mjx-container" in visit.dom


def test_a_term_is_searched_and_landed_on(address: str, tab: chrome.Tab) -> None:
    tab.look(1400)
    tab.open(f"{address}/search.html?q=attainable")
    tab.run("new Promise(r => setTimeout(r, 1500))")
    link = "document.querySelector('#search-results li a')"
    assert "lossary" in tab.run(f"{link}.textContent")
    tab.open(str(tab.run(f"{link}.href")))
    assert tab.run("document.querySelector('#term-attainable-range') !== null")
    assert tab.run("document.querySelector('mark, .highlighted').textContent").lower() == "attainable"


def test_a_notebook_is_downloaded_and_runs(book: Path, address: str, tab: chrome.Tab, tmp_path: Path) -> None:
    """From the page's end and from the button at its top; in an empty folder its cells give what the page has."""
    name = next((book / "notebooks" / "chapters").glob("*.py")).stem
    tab.look(1400)
    tab.open(f"{address}/book/chapters/{name}.html")
    links = "[...document.querySelectorAll('a[href$=\".ipynb\"]')].map(a => a.href)"
    found = {urllib.request.urlopen(str(link)).read() for link in tab.run(links)}
    (content,) = found
    given = nbformat.reads(content.decode(), as_version=4)
    assert "smoke profile is 2.47" in "".join(cell.source for cell in given.cells)
    (tmp_path / "page.ipynb").write_bytes(content)
    made = papermill.execute_notebook(
        tmp_path / "page.ipynb", tmp_path / "again.ipynb", cwd=tmp_path, progress_bar=False, kernel_name="python3"
    )
    tables = [[o.data["text/html"] for c in n.cells for o in c.get("outputs", []) if "text/html" in o.get("data", {})]
              for n in (given, made)]  # fmt: skip
    assert tables[0]
    assert tables[0] == tables[1]


def test_a_bad_page_is_noticed(tmp_path: Path, tab: chrome.Tab) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<html><title>t</title><script>console.error('oh')</script><img src='http://far.example/a.png'>"
        "<p style='width: 3000px; color: #eee; background: #fff'>wide and pale</p></html>"
    )
    tab.look(390)
    visit = tab.open(page.as_uri())
    assert any("oh" in line for line in visit.console)
    assert visit.leaving == ["http://far.example/a.png"]
    assert any("far.example" in line for line in visit.failed)
    assert tab.sideways() > 2000
    rules = {line.split(" ")[0] for line in tab.barriers()}
    assert {"image-alt", "color-contrast"} <= rules
