"""The cells of a notebook as grading sees them: their nbgrader names, what they are, their text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memloc.errors import MemlocError

STUDENT = "student"
"""The ``grade_id`` of the cell that says whose notebook it is."""

OWN = "own_"
"""How the ``grade_id`` of a cell begins in which students look at their own result; grading leaves it out."""

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
ASKING = "YOUR ANSWER HERE"  # what nbgrader puts where a text is to be written


@dataclass(frozen=True)
class Cell:
    """One cell. ``name`` is its ``grade_id``, empty where it has none."""

    name: str
    kind: str
    source: str
    grade: bool = False
    solution: bool = False
    points: float = 0.0

    @property
    def visible_check(self) -> bool:
        """Whether it is a check that students see and run."""
        return self.kind == "code" and self.grade and not self.solution

    @property
    def given(self) -> bool:
        """Whether it has a name and is not the student's to change."""
        return bool(self.name) and not self.solution and self.name != STUDENT


def cells_of(notebook: Mapping[str, Any]) -> list[Cell]:
    """The cells of a notebook of format 4, whoever made it.

    Raises:
        MemlocError: if it is not built like a notebook.
    """
    cells = notebook.get("cells") if isinstance(notebook, Mapping) else None
    if not isinstance(cells, Sequence) or isinstance(cells, str):
        raise MemlocError("notebook", "no list of cells", "a Jupyter notebook of format 4")
    return [_cell(cell) for cell in cells]


def read(content: bytes) -> list[Cell]:
    """The cells of a notebook's file.

    Raises:
        MemlocError: if it is not text in UTF-8, not JSON, nested without end, or not a notebook.
    """
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise MemlocError("notebook", "bytes that are not UTF-8", "a Jupyter notebook in UTF-8") from None
    except RecursionError:
        raise MemlocError("notebook", "JSON that is nested too deeply", "a Jupyter notebook of format 4") from None
    except ValueError:
        raise MemlocError("notebook", "no valid JSON", "a whole Jupyter notebook of format 4") from None
    return cells_of(notebook)


def _cell(cell: Any) -> Cell:
    cell = cell if isinstance(cell, Mapping) else {}
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    metadata = cell.get("metadata")
    told = metadata.get("nbgrader") if isinstance(metadata, Mapping) else None
    told = told if isinstance(told, Mapping) else {}
    name, points = told.get("grade_id"), told.get("points")
    return Cell(
        name=name if isinstance(name, str) else "",
        kind="code" if cell.get("cell_type") == "code" else "text",
        # lone surrogates, which JSON can hold and no file can
        source=source.encode("utf-8", "replace").decode() if isinstance(source, str) else "",
        grade=told.get("grade") is True,
        solution=told.get("solution") is True,
        points=float(points) if isinstance(points, (int, float)) and 0 <= points < 1e6 else 0.0,
    )


def plain(source: str) -> str:
    """A source without what editors change by themselves: spaces at ends of lines, empty lines, tabs."""
    return "\n".join(line.rstrip().expandtabs(4) for line in source.splitlines() if line.strip())


def stub(source: str, put: str = "raise NotImplementedError()") -> str:
    """A teacher's cell as it is handed out: ``put`` stands where the solution was marked."""
    lines, inside = [], False
    for line in source.splitlines():
        mark = line.strip()
        if mark == BEGIN:
            inside = True
            lines.append(line[: len(line) - len(line.lstrip())] + put)
        elif mark == END:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def untouched(text: str, original: str) -> bool:
    """Whether a free text is what was handed out, or nothing."""
    return plain(text) in ("", ASKING, plain(stub(original, ASKING)))


def with_student(source: str, student: str) -> str:
    """The cell that names the student, naming this one."""
    return re.sub(r"^STUDENT\s*=.*$", lambda _: f"STUDENT = {json.dumps(student)}", source, flags=re.MULTILINE)


def named_student(source: str) -> str | None:
    """Whom a cell names; None where it names nobody."""
    found = re.search(r"^STUDENT\s*=\s*(['\"])(.*?)\1", source, flags=re.MULTILINE)
    return found.group(2) if found else None
