"""Mends of built pages: what is taken away is used by nobody, and a second time changes nothing."""

from __future__ import annotations

from pathlib import Path

from memloc.publishing import lean, mending


def test_rules_that_nothing_uses_are_left_out() -> None:
    sheet = (
        "/*! licence */:root{--a:1}.used,.gone{color:red}.used .gone{x:y}p:not(.gone){a:b}"
        "@media print{.gone{a:b}.used{c:d}}@media screen{.gone{a:b}}@font-face{font-family:x}/* note */"
    )
    kept = lean.purge(sheet, {"used"})
    assert kept == (
        "/*! licence */:root{--a:1}.used{color:red}p:not(.gone){a:b}@media print{.used{c:d}}@font-face{font-family:x}"
    )


def test_pages_load_lean_sheets_and_small_icons(book: Path) -> None:
    html = book / "_build" / "html"
    page = (html / "book" / "intro.html").read_text()
    assert "styles/bootstrap.lean.css" in page
    assert "fontawesome/6.5.2/js" not in page
    fonts = next((html / "_static" / "vendor").rglob("webfonts"))
    assert 500 < (fonts / "fa-solid-900.lean.woff").stat().st_size < 10_000
    assert (html / "_static" / "styles" / "bootstrap.css").stat().st_size > 100_000, "the original stays for Sphinx"


def test_mending_twice_is_mending_once(book: Path) -> None:
    html = book / "_build" / "html"
    before = {path: path.read_bytes() for path in html.rglob("*") if path.suffix in (".html", ".css", ".woff")}
    mending.mend(html)
    assert [path.name for path, text in before.items() if path.read_bytes() != text] == []


def test_drawings_wait_and_keep_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text('<svg xmlns:x="y" width="72pt" height="36pt" viewBox="0 0 72 36">')
    text = mending.mended_text('<img alt="A line." src="a.svg" />', tmp_path / "page.html", {})
    assert text == '<img loading="lazy" width="96" height="48" alt="A line." src="a.svg">'


def test_what_opens_a_part_of_the_contents_has_a_name(book: Path) -> None:
    page = (book / "_build" / "html" / "book" / "intro.html").read_text()
    assert page.count("toctree-toggle") == page.count('<summary aria-label="Pages below this one">') > 0
