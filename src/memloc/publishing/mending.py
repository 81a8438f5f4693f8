"""What is mended in built pages: weight, and what keeps people with a screen reader or no network from reading them.

Each mend is of something that the theme writes and has no setting for. A mended page is left alone by the next build
unless Sphinx writes it anew, so that every mend can be made twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from memloc.publishing.chapters import write_text_whole
from memloc.publishing.lean import lean_sheets
from memloc.publishing.long_tables import write_assets

IMAGE = re.compile(r'<img (?![^>]*\bloading=)([^>]*\bsrc="([^"]+\.svg)"[^>]*?)\s*/?>')
SIZE = re.compile(r'<svg [^>]*?\bwidth="([\d.]+)pt" height="([\d.]+)pt"')
SHEET = re.compile(r'(<link [^>]*href="[^"]*/)([^"/?]+\.css)(\?[^"]*)?(")')
PIXELS = 4 / 3  # of a point
PLAIN = (
    # asked for across origins, which a page opened as a file has not; style sheets load the same fonts without
    (re.compile(r'\s*<link rel="preload" as="font"[^>]*>'), ""),
    # icons are drawn from the font; the script would draw them a second time and weighs more than all else
    (re.compile(r'\s*<script [^>]*src="[^"]*vendor/fontawesome/[^"]*"></script>'), ""),
    (re.compile(r'\s*<link rel="preload" as="script" [^>]*vendor/fontawesome/[^>]*>'), ""),
    # names that hide the words a person sees and says
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    (
        re.compile(r'<summary>(<span class="toctree-toggle" role="presentation">)'),
        r'<summary aria-label="Pages below this one">\1',
    ),
    (re.compile(r'(<button class="btn search-button-field [^>]*?) aria-label="Search"'), r"\1"),
    # its children say that they are entries of a bibliography, and such a list has no other role
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
)


def mend(html: Path) -> None:
    """Mend all pages below a folder."""
    sheets = lean_sheets(html)
    write_assets(html)
    for page in sorted(html.rglob("*.html")):
        if "_static" in page.relative_to(html).parts:
            continue
        text = page.read_text(encoding="utf-8")
        mended = mended_text(text, page, sheets)
        if text != mended:
            write_text_whole(page, mended)


def mended_text(text: str, page: Path, sheets: Mapping[str, str]) -> str:
    """The text of a page after all mends."""
    for pattern, instead in PLAIN:
        text = pattern.sub(instead, text)

    def lean(match: re.Match[str]) -> str:
        start, name, _, end = match.groups()
        return f"{start}{sheets[name]}{end}" if name in sheets else match[0]

    def lazy(match: re.Match[str]) -> str:
        return f'<img loading="lazy"{_size(page.parent / match[2])} {match[1]}>'

    return IMAGE.sub(lazy, SHEET.sub(lean, text))


def _size(image: Path) -> str:
    """Width and height of a drawing as attributes, so that the page does not jump when it arrives."""
    found = SIZE.search(image.read_text(encoding="utf-8")[:2000]) if image.is_file() else None
    return f' width="{float(found[1]) * PIXELS:.0f}" height="{float(found[2]) * PIXELS:.0f}"' if found else ""
