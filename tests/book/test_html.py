"""The built pages: nothing from outside, no broken link or anchor, no image without words."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import html_check
import pytest

from memloc.errors import MemlocError
from memloc.publishing import build

ROOT = Path(__file__).resolve().parents[2]


def first_chapter(book: Path) -> str:
    """The HTML of the one executed chapter."""
    name = next((book / "notebooks" / "chapters").glob("*.py")).stem
    return (book / "_build" / "html" / "book" / "chapters" / f"{name}.html").read_text()


def test_small_book_has_no_faults(book: Path) -> None:
    assert html_check.faults(book / "_build" / "html") == []


def test_own_book_has_no_faults() -> None:
    if not build.is_current(ROOT):
        pytest.skip("the project's own book is not built, or not from the present sources: make book")
    assert html_check.faults(ROOT / "_build" / "html") == []
    assert html_check.untraced(ROOT / "_build" / "html") == []


def test_checker_finds_each_fault(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text('<p id="here"></p>')
    (tmp_path / "page.html").write_text(
        '<script src="https://cdn.example/a.js"></script><link rel="stylesheet" href="//cdn.example/a.css">'
        '<img src="there.html"><a href="gone.html">x</a><a href="there.html#nowhere">x</a><a href="../../etc">x</a>'
        '<a href="there.html#here">fine</a><a href="https://example.org">fine</a><link rel="next" href="there.html">'
    )
    found = "\n".join(html_check.faults(tmp_path))
    for fault in ("a.js from outside", "a.css from outside", "no alt text", "gone.html", "#nowhere", "../../etc"):
        assert fault in found
    assert len(found.splitlines()) == 6


def test_no_page_names_a_cdn(book: Path) -> None:
    for page in (book / "_build" / "html").rglob("*.html"):
        assert not re.search("unpkg|cdnjs|jsdelivr|googleapis|thebe_", page.read_text()), page


def test_figure_has_number_caption_words_and_source(book: Path) -> None:
    html = first_chapter(book)
    figure = re.search(r'<figure[^>]*id="fig-test-line".*?</figure>', html, flags=re.DOTALL)
    assert figure
    assert 'alt="A line that rises."' in figure.group()
    assert "memloc-figure" in figure.group()
    assert "Fig. 1" in figure.group()
    assert re.search(r'href="[^"]*_downloads/[^"]*\.py"', figure.group())


def test_numbers_in_prose_come_from_the_run(book: Path) -> None:
    html = first_chapter(book)
    assert "2.47" in html
    assert "smoke" in html


def test_status_page_tells_what_was_run(book: Path) -> None:
    html = (book / "_build" / "html" / "book" / "chapters" / "status.html").read_text()
    for told in ("smoke", "factor=2.0", "CPU", "python 3.11", "pandas"):
        assert told in html, told


def test_second_build_does_nothing_and_a_change_is_seen(book: Path) -> None:
    assert build.is_current(book)
    page = book / "_build" / "html" / "book" / "intro.html"
    before = page.stat().st_mtime_ns
    build.build_html(book)
    assert page.stat().st_mtime_ns == before
    source = book / "book" / "bibliography.md"
    text = source.read_text()
    source.write_text(text + "\nA new line.\n")
    assert not build.is_current(book)
    source.write_text(text)
    assert build.is_current(book)
    compiled = book / "notebooks" / "__pycache__" / "checks.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"as grading an assignment leaves them behind")
    assert build.is_current(book)
    shutil.rmtree(compiled.parent)


def test_missing_page_is_named_before_building(tmp_path: Path) -> None:
    (tmp_path / "_config.yml").write_text("title: t\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n  - file: gone\n")
    (tmp_path / "intro.md").write_text("# T\n")
    with pytest.raises(MemlocError, match="gone"):
        build.build_html(tmp_path)
    assert not (tmp_path / "_build").exists()


def test_warning_fails_the_build_and_the_next_one_too(book: Path, tmp_path: Path) -> None:
    page = book / "book" / "bibliography.md"
    text = page.read_text()
    try:
        page.write_text(text + "\nSee {numref}`fig-that-is-not`.\n")
        for _ in range(2):
            with pytest.raises(MemlocError, match="fig-that-is-not"):
                build.build_html(book)
    finally:
        page.write_text(text)
        build.build_html(book)
    assert json.loads((book / "_build" / "memloc-build.json").read_text())
