"""From chapter sources to a book: the papermill runner, the status page, the HTML build, the look of figures."""

from __future__ import annotations

from pathlib import Path

from memloc.config import book_above
from memloc.errors import MemlocError


def project_root(start: Path | None = None) -> Path:
    """The folder of the book: the nearest one, from ``start`` (default: here) upwards, that holds ``_toc.yml``.

    The clone this package was installed from is tried last, so that the commands work from anywhere.

    Raises:
        MemlocError: if there is none.
    """
    here = (start or Path.cwd()).resolve()
    if found := book_above(here) or book_above(Path(__file__).resolve().parents[3]):
        return found
    raise MemlocError("folder of the book", str(here), "a folder with _config.yml and _toc.yml, or one inside it")
