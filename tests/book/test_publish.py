"""The folder for web servers, and the PDF: complete, and every address in them leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import html_check
import pytest
import yaml

from memloc.errors import MemlocError
from memloc.publishing import build, pdf
from memloc.publishing.publish import publish

URL = "https://github.com/someone/memloc"


def test_notebooks_and_tables_lie_beside_their_pages(book: Path) -> None:
    target = publish(book)
    name = next((book / "notebooks" / "chapters").glob("*.py")).stem
    chapters = target / "book" / "chapters"
    assert (chapters / f"{name}.html").is_file()
    made = book / "book" / "chapters" / "data" / name / f"{name}.ipynb"
    assert (chapters / f"{name}.ipynb").read_bytes() == made.read_bytes()
    assert (target / "_sources" / "book" / "chapters" / f"{name}.ipynb").read_bytes() == made.read_bytes()
    assert (chapters / "data" / name / "fig-test-line.csv").read_text().startswith("row,column,kind,x,y\n")
    assert (target / ".nojekyll").is_file()
    assert not list(target.rglob("*.run.json"))
    assert not (target / "environment.yml").exists(), "no repository is configured"
    assert html_check.faults(target) == []


def test_buttons_lead_into_the_published_folder() -> None:
    config = yaml.safe_load((Path(__file__).resolve().parents[2] / "_config.yml").read_text())
    assert build.with_buttons(config) == config, "no repository, no buttons"
    told = build.with_buttons({**config, "repository": {"url": f"{URL}/"}})
    assert told["repository"] == {"url": URL, "branch": "gh-pages"}
    assert told["html"]["use_repository_button"] is True
    assert told["launch_buttons"]["binderhub_url"]
    assert told["html"]["favicon"] == config["html"]["favicon"]
    other = build.with_buttons({"repository": {"url": URL, "branch": "pages"}})
    assert other["repository"]["branch"] == "pages"


def test_one_page_holds_all_pages_and_every_link_in_it_leads_somewhere(book: Path) -> None:
    text = pdf.one_page(book)
    place = book / "_build" / "pdf" / "book.html"
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    page = html_check.Page(place)
    named = list(build.pages(yaml.safe_load((book / "_toc.yml").read_text())))
    assert {pdf.anchor(name) for name in named} <= page.ids
    assert len(re.findall(r'<article class="bd-article', text)) == len(named)
    assert [a for a in page.links if a.startswith("#") and a[1:] not in page.ids] == []
    beside = [a for a in [*page.links, *page.loads] if not a.startswith("#") and ":" not in a]
    assert [a for a in beside if not (place.parent / a.split("?")[0].split("#")[0]).is_file()] == []
    assert not [a for a in page.loads if html_check.outside(a)]


@pytest.mark.skipif(pdf.find_browser() is None, reason="no Chromium on the PATH")
def test_pdf_is_printed(book: Path) -> None:
    data = pdf.make_pdf(book).read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) > 20


def test_what_is_missing_is_named(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_config.yml", "_toc.yml"):
        (tmp_path / name).write_text((book / name).read_text())
    monkeypatch.setattr(pdf, "find_browser", lambda: "chromium")
    for make in (publish, pdf.make_pdf):
        with pytest.raises(MemlocError, match="memloc book build"):
            make(tmp_path)
    monkeypatch.setattr(pdf, "find_browser", lambda: None)
    with pytest.raises(MemlocError, match="install chromium"):
        pdf.make_pdf(book)
