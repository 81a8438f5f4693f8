"""Long tables can be sorted and searched, short ones are left alone, and pages of neither load a script for it."""

from __future__ import annotations

import json
from pathlib import Path

import chrome
import pandas as pd
import pytest

from memloc.errors import MemlocError
from memloc.publishing import long_tables
from memloc.publishing.long_tables import LONG, NAMES, has_long_table, with_assets, write_assets
from memloc.publishing.tabulate import show_table

LOOK = """(() => {
  const table = document.querySelector("table");
  const first = () => table.tBodies[0].rows[0].cells[0].textContent;
  const before = first();
  table.querySelector("thead th").click();
  table.querySelector("thead th").click();
  const search = document.querySelector("input[type=search]");
  search.value = "word7";
  search.dispatchEvent(new Event("input"));
  const shown = [...table.tBodies[0].rows].map(row => row.cells[1].textContent);
  return JSON.stringify([before, first(), shown]);
})()"""


def page(rows: int) -> str:
    frame = pd.DataFrame({"number": range(10, 10 + rows), "text": [f"word{n}" for n in range(rows)]})
    return f"<!doctype html><html><head><title>t</title></head><body>{show_table(frame).data}</body></html>"


def test_only_pages_with_long_tables_get_the_script(tmp_path: Path) -> None:
    path = tmp_path / "book" / "chapters" / "a.html"
    assert not has_long_table(page(LONG - 1))
    assert has_long_table(page(LONG))
    assert with_assets(page(LONG - 1), path, tmp_path) == page(LONG - 1)
    once = with_assets(page(LONG), path, tmp_path)
    assert f'src="../../_static/{NAMES[0]}"' in once
    assert with_assets(once, path, tmp_path) == once


@pytest.mark.skipif(chrome.BROWSER is None, reason="no Chromium on the PATH")
def test_a_long_table_is_sorted_and_searched_in_a_page_opened_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "_static").mkdir()
    write_assets(tmp_path)
    (tmp_path / "a.html").write_text(with_assets(page(LONG + 4), tmp_path / "a.html", tmp_path))
    with chrome.browser() as tab:
        visit = tab.open((tmp_path / "a.html").as_uri())
        before, _, shown = json.loads(tab.run(LOOK))
    assert visit.console == []
    assert before == "10"
    assert shown == ["word7"]


def test_a_bundle_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    long_tables._bundle.cache_clear()
    monkeypatch.setattr(long_tables, "EXPORT", long_tables.re.compile(r"exported\{([^{}]*)\}"))
    with pytest.raises(MemlocError, match="bundle of itables"):
        long_tables._bundle()
