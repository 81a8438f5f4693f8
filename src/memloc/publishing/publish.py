"""The built book as a folder for any web server: pages, and beside each its executed notebook and its tables.

Where ``repository.url`` is set in ``_config.yml``, pages carry buttons to the repository and to Binder. They lead to
the branch ``repository.branch`` (default ``gh-pages``), which holds this folder: so they lead to files that are there.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from memloc.errors import MemlocError
from memloc.publishing import project_root
from memloc.publishing.build import is_current, pages, repository
from memloc.publishing.chapters import read_record, write_text_whole
from memloc.publishing.downloads import DATA

ENVIRONMENT = """\
# What a launched notebook needs.
channels: [conda-forge]
dependencies:
  - python=3.11
  - pip
  - pip: ["memloc @ git+{url}"]
"""


def publish(root: Path | None = None) -> Path:
    """Make ``_build/publish`` anew.

    Returns:
        The folder.

    Raises:
        MemlocError: if the book is not built from what lies there now.
    """
    root = project_root(root) if root is None else root.resolve()
    if not is_current(root):
        raise MemlocError(
            "built book", str(root / "_build"), "a book built from its present sources: memloc book build"
        )
    target = root / "_build" / "publish"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root / "_build" / "html", target)
    (target / ".nojekyll").touch()  # hosts that would leave out folders whose names begin with _
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    for name in pages(toc):
        _beside(root, target, name)
    _for_launching(root, target)
    return target


def _beside(root: Path, target: Path, name: str) -> None:
    """Put the executed notebook of a page, and its tables, beside it."""
    source, page = root / name, Path(name)
    record = read_record(source.parent, source.name)
    if record is None:
        return  # a page of prose
    data = source.parent / DATA / source.name
    shutil.copyfile(data / f"{source.name}.ipynb", target / f"{name}.ipynb")
    for file in record["data"]:
        place = target / page.parent / DATA / page.name / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / file, place)


def _for_launching(root: Path, target: Path) -> None:
    """What a notebook reads when it runs in the published folder: the book's frame and the released runs."""
    for name in ("_config.yml", "_toc.yml"):
        shutil.copyfile(root / name, target / name)
    if (root / "results").is_dir():
        shutil.copytree(root / "results", target / "results")
    url = repository(yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8")))
    if url:
        write_text_whole(target / "environment.yml", ENVIRONMENT.format(url=url))
