"""The pages of the atlas: one a task of the study and one a family of its models, each made from a template.

A template is a py:percent file like a chapter, with a parameter that says whose page it is. The runner makes its pages
beside the chapters and treats them alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from memloc.analysis.study import published
from memloc.data.catalogue import get_task
from memloc.errors import MemlocError, unknown_name
from memloc.models.catalogue import get_model
from memloc.publishing.style import sort_tasks

if TYPE_CHECKING:
    from memloc.publishing.chapters import Chapter  # its notebooks' formats take seconds to load; a page needs none

TEMPLATES, FOLDER = "templates", "atlas"
STUDIED = ("bert-base-cased", "opt-125m", "gpt-neo-125m", "pythia-160m")  # the study's models, each of another family
LABEL, TITLE = "this-page", "One page of the atlas"  # what stands in a template for its page's label and title
INDEX = "index"


def tasks() -> list[str]:
    """The study's tasks, in the order of all figures and tables."""
    return sort_tasks(published().tasks)


def families() -> dict[str, str]:
    """The families of the study's models, each with the study's model."""
    return {get_model(name).architecture.name: name for name in STUDIED}


def page_name(kind: str, name: str) -> str:
    """The page of a task or a family: its file, its start of labels, and what ``memloc book execute`` calls it.

    Raises:
        MemlocError: for a task or family of which the atlas has no page.
    """
    known = {"task": tasks(), "family": list(families())}
    if kind not in known:
        raise unknown_name("kind of page", kind, known)
    if name not in known[kind]:
        raise unknown_name(f"{kind} of the atlas", name, known[kind])
    return f"{kind}-{name.replace('_', '-')}"


def find_pages(templates: Path) -> list[Chapter]:
    """The pages of the templates that lie in a folder: the index, tasks, families; none where there is no folder.

    Raises:
        MemlocError: for a template without the parameter that says whose page it is.
    """
    return [page for kind in (INDEX, "task", "family") for page in _of_template(templates / f"{kind}.py", kind)]


def _of_template(path: Path, kind: str) -> Iterator[Chapter]:
    from papermill import inspect_notebook

    from memloc.publishing.chapters import Chapter, read_source

    if not path.is_file():
        return
    declared = {key: entry["default"] for key, entry in inspect_notebook(read_source(path)).items()}
    if kind == INDEX:
        yield Chapter("atlas", path, declared, folder=FOLDER)
        return
    if kind not in declared:
        raise MemlocError(f"parameters of {path.name}", sorted(declared), f"{kind} among them")
    titles = {name: get_task(name).title.partition(" (")[0] for name in tasks()}  # a title goes on to what it asks
    if kind == "family":
        titles = {name: f"{get_model(model).title} and its family" for name, model in families().items()}
    for name, title in titles.items():
        label = page_name(kind, name)
        yield Chapter(label, path, declared, {kind: name}, {LABEL: label, TITLE: title}, FOLDER)
