"""From assignments to a course as nbgrader knows it: the teacher's version, the student's, and what only teachers see.

::

    nbgrader_config.py
    source/NAME/     NAME.ipynb with solutions, the kit, tables
    release/NAME/    the same for students: nbgrader has put stubs in place of the solutions
    teacher/NAME/    the rubric and the hidden checks; neither is ever handed out
    manifest.json    what was written, so that the same command replaces its own work and nobody else's
"""

from __future__ import annotations

import copy
import importlib
import json
import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from memloc.classroom.assignment import Assignment
from memloc.classroom.catalogue import CHECKS, RUBRIC
from memloc.disk import explained
from memloc.errors import MemlocError
from memloc.manifest import MANIFEST, describe, json_bytes

CONFIG = "nbgrader_config.py"

CONFIG_TEXT = '''"""An nbgrader course, made by `memloc classroom make`; `nbgrader formgrader` opens it.

Marks come from `memloc classroom grade`: the hidden checks are in no notebook, so `nbgrader autograde` finds none.
"""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "memloc"
c.ClearSolutions.enforce_metadata = True
'''


def student_version(notebook: NotebookNode) -> NotebookNode:
    """The notebook without solutions, by nbgrader's own steps in its own order.

    Two of its steps need a course's database (``SaveCells``) or files (headers, test templates) and are left out.

    Raises:
        MemlocError: if nbgrader is not installed, or a cell breaks its rules.
    """
    try:
        nbgrader = importlib.import_module("nbgrader")  # an optional package, so not among the imports
        steps = importlib.import_module(f"{nbgrader.__name__}.preprocessors")
        invalid = importlib.import_module(f"{nbgrader.__name__}.nbgraderformat").ValidationError
    except ImportError as error:
        raise MemlocError("package nbgrader", "not installed", "pip install memloc[classroom]") from error

    made, resources = copy.deepcopy(notebook), dict[str, Any](metadata={"name": "notebook"})
    log = logging.getLogger("traitlets")
    order = (
        *(steps.LockCells, steps.ClearSolutions, steps.ClearOutput, steps.CheckCellMetadata, steps.ClearHiddenTests),
        *(steps.ClearMarkScheme, steps.ComputeChecksums, steps.CheckCellMetadata),
    )
    before = log.level
    log.setLevel(logging.CRITICAL)  # what nbgrader would log is told in the error
    try:
        for step in order:
            made, resources = step().preprocess(made, resources)
    except (RuntimeError, invalid) as error:
        accepted = "solutions between BEGIN SOLUTION and END SOLUTION, in solution cells"
        raise MemlocError("notebook", str(error), accepted) from error
    finally:
        log.setLevel(before)
    return made


def course_files(assignments: Iterable[Assignment]) -> dict[str, bytes]:
    """Everything of a course, by path within it."""
    files = {CONFIG: CONFIG_TEXT.encode()}
    for one in assignments:
        versions = {"source": one.notebook, "release": student_version(one.notebook)}
        for kind, notebook in versions.items():
            place = f"{kind}/{one.name}"
            files[f"{place}/{one.name}.ipynb"] = nbformat.writes(notebook).encode() + b"\n"
            files |= {f"{place}/{name}": content for name, content in one.files.items()}
        for name in (RUBRIC, CHECKS):
            path = one.folder / name
            if not path.is_file():
                raise MemlocError(f"assignment {one.name}", f"no {name}", f"{path}: marks in words for the teacher")
            files[f"teacher/{one.name}/{name}"] = path.read_bytes()
    return files


def make(assignments: Iterable[Assignment], out: Path) -> Path:
    """Write a course whole, or not at all.

    A course that was made before and that nobody has touched since is replaced.

    Raises:
        MemlocError: if the folder holds anything else, such as submissions or an edited notebook.
    """
    files, out = course_files(assignments), out.resolve()
    _refuse_other(out)
    work = out.with_name(f".{out.name}.partial")
    with explained(out):
        shutil.rmtree(work, ignore_errors=True)
        for name, content in files.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (work / MANIFEST).write_bytes(json_bytes(describe(work)))
        if out.exists():
            shutil.rmtree(out)
        os.rename(work, out)
    return out


def _refuse_other(out: Path) -> None:
    """Only what this command wrote, unchanged, may be replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    accepted = "a new one, or a course in which nothing was changed or added since it was made"
    if not (out / MANIFEST).is_file():
        raise MemlocError("folder of the course", str(out), accepted)
    there, listed = describe(out)["files"], json.loads((out / MANIFEST).read_bytes()).get("files", {})
    for name in sorted(there.keys() | listed.keys()):
        if there.get(name) != listed.get(name):
            raise MemlocError("file in the course's folder", str(out / name), accepted)
