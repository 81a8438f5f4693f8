"""Numbers of the text: each leads to what it was computed from, and one that comes from nowhere stops its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import html_check
import nbformat

from memloc.publishing import numbers, runner

PLANTED = """\
# %% [markdown]
# # A page
#
# The number is {glue:text}`planted-number`, in words {glue:text}`planted-words`.

# %%
from myst_nb import glue

glue("planted-words", "many", display=False)
glue("planted-number", NUMBER, display=False)
"""


def executed(sources: Callable[..., Path], text: str) -> tuple[runner.ChapterRun, Path]:
    """What became of a page, and the folder it lies in."""
    folder = sources(**{"01_a": text})
    out = folder.parents[1] / "book" / "chapters"
    (run,) = runner.execute_chapters("smoke", out=out, sources=folder, say=lambda line: None)
    return run, out


def test_small_book_is_traced(book: Path) -> None:
    html = book / "_build" / "html"
    name = next((book / "notebooks" / "chapters").glob("*.py")).stem
    assert html_check.untraced(html) == []
    found = html_check.traces(html / "book" / "chapters" / f"{name}.html")
    assert {trace.text for trace in found} == {"2.47"}, "words are no links"
    for trace in found:
        assert trace.downloads, trace
        assert (trace.downloads[0]).read_text() == "layer,weight\n1,0.25\n2,0.75\n"


def test_a_number_from_nowhere_stops_its_page(sources: Callable[..., Path]) -> None:
    run, out = executed(sources, PLANTED.replace("NUMBER", '"0.97"'))
    assert run.state == "failed"
    assert "source of the number planted-number" in run.error
    assert not (out / "01_a.ipynb").exists()


def test_words_need_no_source_and_are_no_links(sources: Callable[..., Path]) -> None:
    run, out = executed(sources, PLANTED.replace("NUMBER", '"few"'))
    assert run.error == ""
    text = "".join(cell.source for cell in nbformat.read(out / "01_a.ipynb", as_version=4).cells)
    assert "](#number" not in text
    assert "Numbers on this page" not in text


def test_checker_finds_numbers_without_a_trace(tmp_path: Path) -> None:
    entry = '<ul><li><p><span id="number-a"></span></p></li></ul>'
    pages = {
        "bare": '<p>It is <span class="pasted-text">0.5</span></p>',
        "nowhere": '<p><a class="memloc-number" href="#gone"><span class="pasted-text">0.5</span></a></p>',
        "sourceless": f'<a class="memloc-number" href="#number-a"><span class="pasted-text">.5</span></a>{entry}',
        "words": '<p><span class="pasted-text">none</span></p>',
        "good": f'<a class="memloc-number" href="#number-a"><span class="pasted-text">.5</span></a><p><strong>Released '
        f'run.</strong> <a class="reference download" href="bare.html">rows</a></p>{entry}',
    }
    for name, text in pages.items():
        (tmp_path / f"{name}.html").write_text(f"<html><body><article>{text}</article></body></html>")
    found = [line.partition(".html")[0] for line in html_check.untraced(tmp_path)]
    assert found == ["bare", "nowhere", "sourceless"]


def test_numbers_of_one_source_stand_together() -> None:
    run, other = ({"words": words, "files": [], "rows": {}} for words in ("This copy's run", "Released run"))
    told = [("grad", "1", run), ("real", "2", other), ("grad-end", "3", run)]
    cell = nbformat.v4.new_code_cell()
    for prefix, value, source in told:
        glued = {"scrapbook": {"name": f"{prefix}-a"}}
        cell.outputs.append(nbformat.v4.new_output("display_data", {"text/plain": f"'{value}'"}, metadata=glued))
        traced = {numbers.TRACED: {"prefix": prefix, "names": ["a"], "sources": [source]}}
        cell.outputs.append(nbformat.v4.new_output("display_data", {}, metadata=traced))
    groups = numbers.take_groups(nbformat.v4.new_notebook(cells=[cell]))
    assert [group.values for group in groups] == [{"grad-a": "1", "grad-end-a": "3"}, {"real-a": "2"}]
    assert [group.sources[0].words for group in groups] == ["This copy's run", "Released run"]
