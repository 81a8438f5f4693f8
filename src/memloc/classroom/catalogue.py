"""Which assignments there are, and each as the grader and the maker need it; a teacher's own folder works like ours.

A folder of assignments holds one folder for each (``notebook.py``, ``checks.py``, ``assignment.yml``, ``rubric.md``)
and, at its top, the modules handed out beside every notebook (``kit.py`` and what it imports); a folder without
``kit.py`` uses ours. In a notebook's source only the part of nbgrader's metadata is written that says something:
``grade_id``, and ``solution`` or ``grade``. The rest is filled in here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import yaml
from nbformat import NotebookNode

from memloc.classroom.assignment import Assignment, Limits
from memloc.classroom.cells import STUDENT
from memloc.classroom.checks import checks_of
from memloc.config import from_mapping
from memloc.errors import MemlocError, unknown_name
from memloc.publishing import project_root
from memloc.publishing.chapters import read_source

SOURCE, CHECKS, FACTS, RUBRIC, KIT = "notebook.py", "checks.py", "assignment.yml", "rubric.md", "kit.py"

_importing = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Table:
    """A table to hand out: a released run's parquet file, which rows, and which columns under which names."""

    source: str
    columns: Mapping[str, str]
    where: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Facts:
    """What ``assignment.yml`` says."""

    title: str
    teaches: str
    minutes: int
    limits: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    by_hand: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def home(folder: Path | None = None) -> Path:
    """The folder of assignments: the one named, or the project's own.

    Raises:
        MemlocError: if it is not there.
    """
    found = folder.resolve() if folder else _of_project("notebooks", "assignments")
    if not found.is_dir():
        raise MemlocError("folder of assignments", str(found), f"a folder with one folder ({SOURCE}) an assignment")
    return found


def _of_project(*parts: str) -> Path:
    """A folder of the project around us; a book that is built elsewhere has none and shows the clone's."""
    here = project_root().joinpath(*parts)
    return here if here.is_dir() else Path(__file__).resolve().parents[3].joinpath(*parts)


def names(folder: Path | None = None) -> list[str]:
    """Names of the assignments in a folder, in the order of the alphabet."""
    return sorted(path.parent.name for path in home(folder).glob(f"*/{SOURCE}"))


def assignments(folder: Path | None = None) -> list[Assignment]:
    """All assignments of a folder."""
    return [assignment(name, folder) for name in names(folder)]


def assignment(name: str, folder: Path | None = None) -> Assignment:
    """One assignment with everything that belongs to it.

    Raises:
        MemlocError: for an unknown name, or one that lacks a file or has a broken one.
    """
    place = home(folder)
    if name not in names(folder):
        raise unknown_name("assignment", name, names(folder))
    told, kit = facts(name, folder), kit_of(place)
    notebook = _completed(read_source(place / name / SOURCE))
    by_hand = {part: float(points) for part, points in told.by_hand.items()}
    _check_parts(name, notebook, by_hand)
    modules = _modules(kit, place / name / CHECKS)
    return Assignment(
        name=name,
        title=told.title,
        folder=place / name,
        notebook=notebook,
        checks=tuple(checks_of(modules["checks"])),
        variant=lambda student: modules["kit"].variant(student, name),
        by_hand=by_hand,
        files=_handed_out(kit) | {table: _csv(table, entry, place) for table, entry in told.tables.items()},
        limits=from_mapping(Limits, dict(told.limits), f"limits of {name}"),
    )


def facts(name: str, folder: Path | None = None) -> Facts:
    """What an assignment's ``assignment.yml`` says."""
    path = home(folder) / name / FACTS
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise MemlocError(f"assignment {name}", str(path), "a readable YAML file") from error
    if not isinstance(content, dict):
        raise MemlocError(f"assignment {name}", str(path), "title, teaches and minutes, a line each")
    for field in ("title", "teaches", "minutes"):
        if field not in content:
            raise MemlocError(f"assignment {name}", f"no {field}", "title, teaches and minutes, a line each")
    return from_mapping(Facts, content, f"assignment {name}")


def kit_of(place: Path) -> Path:
    """The folder whose modules are handed out: this one, or ours if it has no kit."""
    return place if (place / KIT).is_file() else home()


def _handed_out(kit: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(kit.glob("*.py"))}


def _completed(notebook: NotebookNode) -> NotebookNode:
    """nbgrader's metadata in full: cells that are neither solution nor the student's id are locked, checks give 0."""
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            told = cell.metadata["nbgrader"]
            whole = {"schema_version": 3, "grade": False, "solution": False, "task": False}
            whole |= {"locked": not told.get("solution", False), "cell_type": cell.cell_type} | told
            cell.metadata["nbgrader"] = whole | ({"points": told.get("points", 0)} if whole["grade"] else {})
    return notebook


def _check_parts(name: str, notebook: NotebookNode, by_hand: Mapping[str, float]) -> None:
    """Free-text cells are those that bring points by hand, with the same points."""
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    ids = [cell.metadata["nbgrader"].get("grade_id") for cell in cells]
    if STUDENT not in ids or None in ids or len(set(ids)) != len(ids):
        raise MemlocError(
            f"grade_ids of {name}", ids, f"one for every nbgrader cell, no two alike, {STUDENT!r} among them"
        )
    free = {
        cell.metadata["nbgrader"]["grade_id"]: float(cell.metadata["nbgrader"].get("points", 0))
        for cell in cells
        if cell.cell_type == "markdown" and cell.metadata["nbgrader"]["solution"]
    }
    if free != by_hand:
        raise MemlocError(f"by_hand of {name}", by_hand, f"the free-text cells of its notebook, {free}")


def _csv(name: str, entry: Any, place: Path) -> bytes:
    """A table that is handed out, from a released run or from a parquet file in the teacher's folder."""
    if not isinstance(entry, dict) or not {"source", "columns"} <= entry.keys():
        raise MemlocError(f"table {name}", entry, "source, columns and, if not all rows are wanted, where")
    table = from_mapping(Table, entry, f"table {name}")
    own, ours = place / table.source, _of_project("results") / table.source
    try:
        frame = pd.read_parquet(own if own.is_file() else ours)
    except (OSError, ValueError) as error:
        raise MemlocError(
            f"table {name}", table.source, f"a parquet file under {place} or the project's results"
        ) from error
    for column in (*table.where, *table.columns):
        if column not in frame.columns:
            raise unknown_name(f"column of {table.source}", column, frame.columns)
    for column, wanted in table.where.items():
        frame = frame[frame[column].isin(wanted if isinstance(wanted, list) else [wanted])]
    chosen = frame[list(table.columns)].rename(columns=dict(table.columns)).convert_dtypes().round(4)
    return chosen.to_csv(index=False, lineterminator="\n").encode()


def _modules(kit: Path, checks: Path) -> dict[str, ModuleType]:
    """The kit and the checks written with it, as modules of their own: two folders may have kits of the same name."""
    with _importing, importable(kit):
        found = {"kit": _imported("kit", kit / KIT)}
        found["checks"] = _imported("checks", checks)
        return found


@contextlib.contextmanager
def importable(kit: Path) -> Iterator[None]:
    """The kit's modules can be imported by their names, and afterwards nothing in ``sys`` tells of it."""
    ours = [path.stem for path in kit.glob("*.py")] + ["checks"]
    before = {name: sys.modules.pop(name) for name in ours if name in sys.modules}
    sys.path.insert(0, str(kit))
    try:
        yield
    finally:
        sys.path.remove(str(kit))
        for name in ours:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _imported(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise MemlocError("assignment's module", str(path), "a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
