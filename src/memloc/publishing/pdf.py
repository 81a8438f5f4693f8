"""The whole book as one PDF: the built pages put one after the other, links turned inwards, printed by Chromium."""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml
from bs4 import BeautifulSoup
from bs4.element import Tag

from memloc.errors import MemlocError
from memloc.publishing import project_root
from memloc.publishing.build import is_current, pages
from memloc.publishing.chapters import write_text_whole

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 600  # seconds; setting the mathematics of all pages takes most of them
LEFT_OUT = ("a.headerlink", "details.above-input", "button", "div.prev-next-area", "script")
FLAGS = (
    *("--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"),  # what a page needs is in the book
    *("--no-pdf-header-footer", "--generate-pdf-document-outline", "--virtual-time-budget=600000"),
)


def find_browser() -> str | None:
    """The first Chromium on the PATH; None if there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def make_pdf(root: Path | None = None) -> Path:
    """Print the built book.

    Returns:
        The PDF.

    Raises:
        MemlocError: if the book is not built from what lies there now, or no Chromium is installed, or it fails.
    """
    root = project_root(root) if root is None else root.resolve()
    browser = find_browser()
    if browser is None:
        raise MemlocError("Chromium", None, f"one of {', '.join(BROWSERS)} on the PATH; install chromium to print")
    if not is_current(root):
        raise MemlocError(
            "built book", str(root / "_build"), "a book built from its present sources: memloc book build"
        )
    page, pdf = root / "_build" / "pdf" / "book.html", root / "_build" / "pdf" / "memloc.pdf"
    write_text_whole(page, one_page(root))
    pdf.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="memloc-pdf-", ignore_cleanup_errors=True) as folder:
        command = [browser, *FLAGS, f"--user-data-dir={folder}", f"--print-to-pdf={pdf}", page.as_uri()]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium refuses to run as root with it
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise MemlocError("printing", f"{PATIENCE} s", "an answer of Chromium by then") from error
    if done.returncode or not pdf.exists():
        raise MemlocError("printing", f"exit status {done.returncode}", f"a PDF from {browser}\n{done.stderr[-1000:]}")
    return pdf


def one_page(root: Path) -> str:
    """The book as one page of HTML: a title, the contents, and every page in their order."""
    html, toc = root / "_build" / "html", yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    names = list(pages(toc))
    articles = {name: _article(html, name, names) for name in names}
    head = _head(html / f"{names[0]}.html", names[0])
    titles = {name: article.h1.get_text().strip() if article.h1 else name for name, article in articles.items()}
    body = "\n".join(str(article) for article in articles.values())
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light" data-mode="light"><head>{head}</head>\n'
        f'<body class="memloc-print"><section class="memloc-title"><p class="memloc-book">{config["title"]}</p>'
        f"<p>{config['author']}</p><p>{config['copyright']}</p></section>\n"
        f'<nav class="memloc-contents">{_contents(toc, titles)}</nav>\n{body}\n</body></html>\n'
    )


def anchor(name: str, element: str = "") -> str:
    """A page, or an element of it, as a place in the one page."""
    return f"{name.replace('/', '-')}--{element}"


def _article(html: Path, name: str, names: list[str]) -> Tag:
    """The text of a page, with places and addresses as they are in the one page."""
    path = html / f"{name}.html"
    article = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").select_one("article.bd-article")
    if article is None:
        raise MemlocError("built page", str(path), "a page of the book with an article")
    for left_out in article.select(", ".join(LEFT_OUT)):
        left_out.decompose()
    for found in article.select("details"):
        found["open"] = ""
    for found in article.select("[id]"):
        found["id"] = anchor(name, str(found["id"]))
    for found in article.select("a[href]"):
        found["href"] = _inwards(str(found["href"]), name, names)
    for found in article.select("img[src]"):
        found["src"] = _seen_from_pdf(str(found["src"]), name)
        found.attrs.pop("loading", None)
    article["id"] = anchor(name)
    return article


def _inwards(address: str, name: str, names: list[str]) -> str:
    """An address of a page: a place of the one page, a file beside the book, or, as it is, one in the world."""
    path, _, element = address.partition("#")
    if ":" in path:
        return address
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)).removesuffix(".html") if path else name
    return f"#{anchor(target, element)}" if target in names else _seen_from_pdf(address, name)


def _seen_from_pdf(address: str, name: str) -> str:
    return posixpath.normpath(posixpath.join("../html", posixpath.dirname(name), address))


def _head(page: Path, name: str) -> str:
    """Title, style sheets and mathematics of a page; no other script, since nothing on paper moves."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    kept: list[Any] = [soup.new_tag("meta", charset="utf-8"), soup.title]
    for link in soup.select('link[rel="stylesheet"]'):
        link["href"] = _seen_from_pdf(str(link["href"]), name)
        kept.append(link)
    for script in soup.select("script"):
        if "mathjax" in str(script.get("src", "")).lower():
            script["src"] = _seen_from_pdf(str(script["src"]), name)
            kept.append(script)
        elif "window.MathJax" in script.get_text():
            kept.append(script)
    return "\n".join(str(part) for part in kept)


def _contents(toc: Any, titles: dict[str, str]) -> str:
    """Parts with their pages, as nested lists."""
    if isinstance(toc, list):
        return f"<ul>{''.join(f'<li>{_contents(entry, titles)}</li>' for entry in toc)}</ul>"
    name = toc.get("root") or toc.get("file")
    own = f'<a href="#{anchor(name)}">{titles[name]}</a>' if name else f"<strong>{toc.get('caption', '')}</strong>"
    inside = toc.get("parts") or toc.get("chapters") or toc.get("sections")
    return own + (_contents(inside, titles) if inside else "")
