"""Assignments without a jail: cells run in this process, and hidden checks ask them directly."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from memloc.classroom import catalogue, inside
from memloc.classroom.assignment import Assignment
from memloc.classroom.checks import Ask, Lost

NAMES = ("centroids", "control", "gradients", "noise", "swapping")
FOLDER = catalogue.home()
SECONDS = 10.0  # of one answer


@dataclass(frozen=True)
class Wrong:
    """A plausible wrong submission.

    Attributes:
        name: what is wrong with it.
        loses: titles of the hidden checks it must lose, and no others.
        edits: ``grade_id`` to pieces of the solution and what stands in their place.
        cells: ``grade_id`` to a whole cell that stands in the place of the solution.
    """

    name: str
    loses: tuple[str, ...]
    edits: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)

    def sources(self, one: Assignment) -> dict[str, str]:
        """The cells that differ from the solution."""
        solutions = cells_of(one, "ann", {})
        sources = dict(self.cells)
        for part, pieces in self.edits.items():
            sources[part] = solutions[part]
            for old, new in pieces.items():
                assert old in sources[part], f"{one.name}, {self.name}: the solution has no {old!r}"
                sources[part] = sources[part].replace(old, new)
        return sources


@cache
def assignment(name: str) -> Assignment:
    """One of ours, read once."""
    return catalogue.assignment(name)


def cells_of(one: Assignment, student: str, replaced: Mapping[str, str]) -> dict[str, str]:
    """Code of the cells that define something, by grade_id, with the student's id and solutions in place."""
    cells = {}
    for cell in one.notebook.cells:
        told = cell.metadata.get("nbgrader")
        if cell.cell_type == "code" and told and (told["solution"] or told["grade_id"] in ("student", "setup")):
            cells[told["grade_id"]] = replaced.get(told["grade_id"], cell.source)
    assert replaced.keys() <= cells.keys(), "a wrong submission replaces a cell that is not there"
    return cells | {"student": f"STUDENT = {student!r}"}


@contextlib.contextmanager
def beside(one: Assignment, folder: Path) -> Iterator[None]:
    """The files that are handed out lie in the working folder, and can be imported."""
    for name, content in one.files.items():
        (folder / name).write_bytes(content)
    here = os.getcwd()
    with catalogue.importable(folder):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


def ask_of(cells: Mapping[str, str]) -> Ask:
    """Run cells; what they define then answers questions, with values that travel as they do into a jail."""
    namespace = vars(sys.modules.setdefault("submission", ModuleType("submission"))).copy()
    with contextlib.redirect_stdout(io.StringIO()):
        for source in cells.values():
            exec(compile(source, "<cell>", "exec"), namespace)

    def ask(code: str, /, **values: Any) -> Any:
        told = {name: inside.decode(inside.encode(value)) for name, value in values.items()}
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return inside.decode(inside.encode(eval(code, {**namespace, **told})))
        except Exception as error:
            raise Lost(f"your code raised {type(error).__name__}") from error

    return ask


def lost(one: Assignment, ask: Ask, student: str) -> dict[str, str]:
    """Titles of the checks that were not met, with what the student would read; any other error is the check's own."""
    found = {}
    for check in one.checks:
        try:
            check.run(ask, one.variant(student))
        except Lost as short:
            found[check.title] = short.message
    return found


def marks(name: str, replaced: Mapping[str, str], folder: Path, student: str = "ann") -> dict[str, str]:
    """The checks that a submission with these solutions loses."""
    one = assignment(name)
    np.random.seed(0)  # as in a new process
    with beside(one, folder):
        return lost(one, ask_of(cells_of(one, student, replaced)), student)


def own_folder(root: Path) -> Path:
    """A teacher's folder with one small assignment and no kit of its own."""
    folder = root / "mine"
    (folder / "adding").mkdir(parents=True)
    (folder / "adding" / "assignment.yml").write_text("title: Adding\nteaches: To add.\nminutes: 5\n")
    (folder / "adding" / "notebook.py").write_text(
        '# %% nbgrader={"grade_id": "student", "locked": false}\nSTUDENT = "your-id"\n\n'
        '# %% nbgrader={"grade_id": "add", "solution": true}\ndef add(a, b):\n'
        "    ### BEGIN SOLUTION\n    return a + b\n    ### END SOLUTION\n"
    )
    (folder / "adding" / "checks.py").write_text(
        "import kit\nfrom memloc.classroom.checks import check, require\n\n"
        '@check("Sums", part="add", points=1)\ndef sums(ask, variant):\n'
        '    require(ask("add(2, 3)") == 5 and kit.LAYERS == 6, "Not a sum.")\n'
    )
    (folder / "adding" / "rubric.md").write_text("# Rubric\n")
    return folder
