"""Chapter sources: finding and reading them, the parameters they declare, and the key that says whether one is current.

A source is a py:percent file without outputs. What a reader sees comes from the executed notebook and its record, which
lie side by side in the folder of chapters; both are generated and neither is edited.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memloc.config import config_key
from memloc.errors import MemlocError, unknown_name
from memloc.publishing.exercises import read_solutions, solutions_path

if TYPE_CHECKING:
    from nbformat import NotebookNode

KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}

CHAPTERS = "chapters"  # the folder of chapters, of the book and of their sources

# A new version of one of these may change what a chapter's outputs look like.
RENDERERS = (
    *("ipykernel", "itables", "jupytext", "matplotlib", "myst-nb"),
    *("numpy", "pandas", "papermill", "torch", "transformers"),
)


@dataclass(frozen=True)
class Chapter:
    """One source and the parameters it declares, with their defaults as written; or a page made from a template.

    Attributes:
        name: of the page: the source's file name without its ending, or a template's page (``publishing.atlas``).
        path: the source.
        declared: parameters to their defaults.
        fixed: parameters that make a template this page; nobody else may set them.
        words: what stands in a template for this page's own words (``read_source``).
        folder: of the book, where its notebook lies.
    """

    name: str
    path: Path
    declared: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    folder: str = CHAPTERS

    @property
    def free(self) -> set[str]:
        """The parameters that a reader may set."""
        return set(self.declared) - set(self.fixed)

    def accepted(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the parameters that this chapter declares, and its own."""
        return {name: value for name, value in parameters.items() if name in self.free} | dict(self.fixed)


def read_source(path: Path, words: Mapping[str, str] | None = None) -> NotebookNode:
    """The source as a notebook without outputs, ready for a kernel.

    Cell ids are made from the name and the position: jupytext draws them at random, and an executed chapter should
    differ between two runs only where its results do.

    Args:
        path: a py:percent file.
        words: replaced in every cell. Pages of one template would repeat its labels, and a book's labels are unique; so
            they are made the page's own before it runs, in the notebook that is executed and in no file.
    """
    import jupytext

    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    notebook.metadata["kernelspec"] = dict(KERNELSPEC)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"{path.stem[:50]}-{position}"
        for word, own in (words or {}).items():
            cell["source"] = cell["source"].replace(word, own)
    return notebook


def source_files(folder: Path) -> dict[str, Path]:
    """The sources of a folder by name, in reading order, which is the order of their names."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")}


def find_chapters(folder: Path, names: Iterable[str] | None = None) -> list[Chapter]:
    """The chapters of a folder, in reading order, with the parameters they declare.

    Raises:
        MemlocError: if the folder holds none, or a name is not among them.
    """
    from papermill import inspect_notebook

    sources = source_files(folder)
    if not sources:
        raise MemlocError("chapter sources", str(folder), "a folder with py:percent files (*.py)")
    for name in (wanted := list(sources if names is None else names)):
        if name not in sources:
            raise unknown_name("chapter", name, sources)
    chapters = []
    for name, path in sources.items():
        if name in wanted:
            declared = inspect_notebook(read_source(path))
            chapters.append(Chapter(name, path, {key: entry["default"] for key, entry in declared.items()}))
    return chapters


def check_parameters(chapters: Iterable[Chapter], parameters: Mapping[str, Any]) -> None:
    """Refuse a parameter that no chapter declares; papermill itself would only warn.

    Raises:
        MemlocError: naming the nearest ones.
    """
    known = {name for chapter in chapters for name in chapter.free}
    for name in parameters:
        if name not in known:
            raise unknown_name("chapter parameter", name, known)


def package_digest(*more: Path) -> str:
    """A hash over every file of this package (code, catalogues, profiles, claims) and of more folders, if there."""
    digest = hashlib.sha256()
    for root in (Path(__file__).resolve().parent.parent, *more):
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + file_hash(path).encode())
    return digest.hexdigest()


@functools.cache
def renderer_versions() -> dict[str, str]:
    """Installed versions of what shapes a chapter's outputs."""
    return {d.name.lower(): d.version for d in metadata.distributions() if d.name and d.name.lower() in RENDERERS}


def chapter_key(chapter: Chapter, parameters: Mapping[str, Any], package: str, solutions: str) -> str:
    """The key of one execution: source, solutions and their way, parameters, package, and versions of what renders."""
    inputs = {
        "source": hashlib.sha256(chapter.path.read_bytes()).hexdigest(),
        "solutions": [solutions, read_solutions(solutions_path(chapter.path))],
        "parameters": chapter.accepted(parameters),
        "words": dict(chapter.words),
        "package": package,
        "versions": renderer_versions(),
    }
    try:
        return config_key(inputs)
    except (TypeError, ValueError) as error:
        raise MemlocError("chapter parameters", parameters, "values that JSON can hold") from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_text_whole(path: Path, text: str) -> None:
    """Write a file so that another process sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def record_path(out: Path, name: str) -> Path:
    """Where the record of a chapter's execution lies."""
    return out / f"{name}.run.json"


def read_record(out: Path, name: str) -> dict[str, Any] | None:
    """The record of a chapter; ``None`` unless it is readable and what lies beside it is what it tells of."""
    try:
        path = record_path(out, name)  # of a page of the atlas, as seen from the chapters, in another folder
        record = json.loads(path.read_text(encoding="utf-8"))
        whole = record["notebook_sha256"] == file_hash(out / f"{name}.ipynb")
        whole = whole and all((path.parent / "data" / record["name"] / file).is_file() for file in record["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(record) if whole else None
