"""The teacher's notebook beside the one that was handed in: what is run, what differs, what a person has to mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from memloc.classroom.assignment import Assignment
from memloc.classroom.cells import OWN, STUDENT, Cell, cells_of, named_student, plain, untouched, with_student
from memloc.classroom.results import Part, Stop, Visible
from memloc.classroom.submissions import Submission

TEXT = 20_000


def to_run(originals: Sequence[Cell], submission: Submission) -> list[Cell]:
    """The code that is run: the teacher's cells in order, with this student's id and answers in them.

    Cells in which students look at their own result (``own_...``) are left out: they take most of the time, and nothing
    is asked about them.
    """
    answers: dict[str, str] = {}
    for cell in submission.cells:
        answers.setdefault(cell.name, cell.source)
    cells = []
    for cell in originals:
        source = cell.source
        if cell.solution:
            source = answers.get(cell.name, "")
        elif cell.name == STUDENT:
            source = with_student(source, submission.student)
        if cell.kind == "code" and not cell.name.startswith(OWN):
            cells.append(Cell(cell.name, cell.kind, source, cell.grade, cell.solution, cell.points))
    return cells


def differences(originals: Sequence[Cell], cells: Sequence[Cell], student: str) -> list[str]:
    """Flags for what a student's notebook has otherwise than it was handed out."""
    flags, counts = [], Counter(cell.name for cell in cells)
    handed_in = {cell.name: plain(cell.source) for cell in cells}
    for cell in originals:
        if cell.solution and counts[cell.name] != 1:
            flags.append(f"answer {'twice' if counts[cell.name] else 'missing'}: {cell.name}")
    if any(cell.given and (counts[cell.name] != 1 or handed_in[cell.name] != plain(cell.source)) for cell in originals):
        flags.append("checks edited")
    named = next((named_student(cell.source) for cell in cells if cell.name == STUDENT), None)
    placeholder = next((named_student(cell.source) for cell in originals if cell.name == STUDENT), None)
    if placeholder is not None and named != student:
        flags.append("no id" if named in (None, "", placeholder) else "another id")
    known = {plain(cell.source) for cell in originals}
    own = [c for c in cells if c.kind == "code" and plain(c.source) not in known and c.name not in _names(originals)]
    return [*flags, *(["own cells"] if any(plain(cell.source) for cell in own) else [])]


def _names(cells: Sequence[Cell]) -> set[str]:
    return {cell.name for cell in cells if cell.name}


def seen(
    cells: Sequence[Cell], errors: Sequence[dict[str, str] | None], why: str, counted: bool
) -> tuple[tuple[Visible, ...], tuple[Stop, ...]]:
    """Visible checks, and errors of the other cells. Nothing is known of cells whose process was ended."""
    visible, stops = [], [Stop("notebook", "Stopped", why)] if why else []
    for cell, error in zip(cells, errors, strict=True):
        if cell.visible_check:
            message = why or (f"{error['name']}: {error['text']}" if error else "")
            of = cell.points if counted else 0.0
            visible.append(Visible(cell.name, not message, message, of if not message else 0.0, of))
        elif error and not why:
            stops.append(Stop(cell.name or "a cell without a name", error["name"], error["text"]))
    return tuple(visible), tuple(stops)


def parts(assignment: Assignment, cells: Sequence[Cell]) -> tuple[Part, ...]:
    """What a person has to mark: the student's text. What is as it was handed out is empty and has no points."""
    originals = {cell.name: cell.source for cell in cells_of(assignment.notebook)}
    texts: dict[str, str] = {}
    for cell in cells:
        texts.setdefault(cell.name, cell.source)
    found = []
    for name, points in assignment.by_hand.items():
        text = texts.get(name, "")
        nothing = untouched(text, originals.get(name, ""))
        found.append(Part(name, float(points), "" if nothing else text[:TEXT], 0.0 if nothing else None))
    return tuple(found)
