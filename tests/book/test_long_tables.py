"""Long tables can be sorted and searched once they are in sight; short ones, and pages without, load nothing for it.

Those of many rows scroll in a box of their own.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import chrome
import pandas as pd
import pytest

from memloc.errors import MemlocError
from memloc.publishing import long_tables, project_root
from memloc.publishing.long_tables import write_assets
from memloc.publishing.tabulate import show_table

LONG, TALL = 20, 31
LOOK = """(() => {
  const table = document.querySelector("table");
  const before = table.tBodies[0].rows[0].cells[0].textContent;
  const search = document.querySelector("input[type=search]");
  search.value = "word7";
  search.dispatchEvent(new Event("input"));
  const shown = [...table.tBodies[0].rows].map(row => row.cells[1].textContent);
  return JSON.stringify([before, shown]);
})()"""
BOX = """(() => {
  const head = document.querySelector("thead th"), box = head.closest("table").parentElement;
  const top = head.getBoundingClientRect().top - box.getBoundingClientRect().top;
  box.scrollTop = box.scrollHeight;
  const moved = head.getBoundingClientRect().top - box.getBoundingClientRect().top;
  return JSON.stringify([box.clientHeight, box.scrollHeight, box.tabIndex, top, moved]);
})()"""
READY = "!!document.querySelector('input[type=search]')"

needs_browser = pytest.mark.skipif(chrome.BROWSER is None, reason="no Chromium on the PATH")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Static files as in a built book."""
    (tmp_path / "_static").mkdir()
    for name in ("memloc.js", "memloc.css"):
        shutil.copy(project_root(Path(__file__).parent) / "book" / "_static" / name, tmp_path / "_static")
    write_assets(tmp_path)
    return tmp_path


def page(folder: Path, rows: int, above: int = 0) -> str:
    """The address of a page with a table, so many pixels down."""
    frame = pd.DataFrame({"number": range(10, 10 + rows), "text": [f"word{n}" for n in range(rows)]})
    script = '<script src="_static/memloc.js?digest=1"></script><link rel="stylesheet" href="_static/memloc.css">'
    table = f'<article class="bd-article"><div class="output">{show_table(frame).data}</div></article>'
    body = f'<div style="height: {above}px"></div>{table}'
    path = folder / f"{rows}-{above}.html"
    path.write_text(f"<!doctype html><html><head><title>t</title>{script}</head><body>{body}</body></html>")
    return path.as_uri()


def wait_until_ready(tab: chrome.Tab) -> None:
    deadline = time.monotonic() + 30
    while not tab.run(READY):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@needs_browser
def test_a_long_table_is_searched_in_a_page_opened_as_a_file(folder: Path) -> None:
    with chrome.browser() as tab:
        visit = tab.open(page(folder, LONG + 4))
        wait_until_ready(tab)
        before, shown = json.loads(tab.run(LOOK))
    assert visit.console == []
    assert before == "10"
    assert shown == ["word7"]


@needs_browser
def test_nothing_is_loaded_for_short_tables_and_for_long_ones_out_of_sight(folder: Path) -> None:
    with chrome.browser() as tab:
        for address in (page(folder, LONG - 1), page(folder, LONG, above=9000)):
            visit = tab.open(address)
            assert not [request for request in visit.requests if "itables" in request]


@needs_browser
def test_a_tall_table_scrolls_under_its_heads_in_a_box_that_the_keyboard_reaches(folder: Path) -> None:
    with chrome.browser() as tab:
        tab.look(1000, 600)
        tab.open(page(folder, 3 * TALL))
        wait_until_ready(tab)
        height, whole, tab_index, top, moved = json.loads(tab.run(BOX))
        assert height <= 0.75 * 600 < whole
        assert tab_index == 0
        assert moved == pytest.approx(0, abs=1), f"from {top}"
        tab.open(page(folder, TALL - 1))
        height, whole, *_ = json.loads(tab.run(BOX))
        assert height == whole


def test_a_bundle_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    long_tables._bundle.cache_clear()
    monkeypatch.setattr(long_tables, "EXPORT", long_tables.re.compile(r"exported\{([^{}]*)\}"))
    with pytest.raises(MemlocError, match="bundle of itables"):
        long_tables._bundle()
