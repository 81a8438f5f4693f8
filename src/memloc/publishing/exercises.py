"""Exercises in chapters, and whether their solutions are folded, shown, or kept back.

A chapter's source holds exercises alone: readers can download it. Solutions lie in a file of the same name among
``notebooks/solutions``, one section an exercise, and are put below their exercises when a chapter is executed. Those
that are kept back are in no file that the book consists of.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from memloc.errors import MemlocError, unknown_name

if TYPE_CHECKING:
    from nbformat import NotebookNode

WAYS = ("fold", "show", "withhold")
EXERCISE = re.compile(r"^```\{exercise\}.*?^```$", re.MULTILINE | re.DOTALL)
LABEL = re.compile(r"^:label: (\S+)$", re.MULTILINE)
SECTION = re.compile(r"^## (\S+)\n", re.MULTILINE)


def solutions_path(chapter: Path) -> Path:
    """Where the solutions of a chapter's exercises lie, given its source."""
    return chapter.parent.parent / "solutions" / f"{chapter.stem}.md"


def check_way(way: str) -> str:
    """``way`` itself.

    Raises:
        MemlocError: if it is none of ``fold``, ``show`` and ``withhold``.
    """
    if way not in WAYS:
        raise unknown_name("way to treat solutions", way, WAYS)
    return way


def read_solutions(path: Path) -> dict[str, str]:
    """Solutions by the label of their exercise; none where there is no file.

    Raises:
        MemlocError: for text before the first section, an empty solution, or two of one exercise.
    """
    if not path.is_file():
        return {}
    before, *parts = SECTION.split(path.read_text(encoding="utf-8"))
    if before.strip():
        raise MemlocError(f"start of {path.name}", before.strip()[:40], "a section '## label-of-an-exercise'")
    found: dict[str, str] = {}
    for label, text in zip(parts[::2], parts[1::2], strict=True):
        if label in found or not text.strip():
            raise MemlocError(f"solution in {path.name}", label, "one text for each exercise")
        found[label] = text.strip()
    return found


def labels(notebook: NotebookNode) -> list[str]:
    """Labels of all exercises of a chapter, in order.

    Raises:
        MemlocError: for an exercise without a label.
    """
    found = []
    for cell in notebook.cells:
        for exercise in EXERCISE.findall(cell.source) if cell.cell_type == "markdown" else []:
            label = LABEL.search(exercise)
            if not label:
                raise MemlocError("exercise", exercise.splitlines()[0], "a line ':label: name' below its title")
            found.append(label[1])
    return found


def put_solutions(notebook: NotebookNode, solutions: dict[str, str], way: str) -> None:
    """Put each solution below its exercise, folded or open; nothing where they are kept back.

    Raises:
        MemlocError: if an exercise has no solution, or a solution no exercise.
    """
    check_way(way)
    asked = labels(notebook)
    if len(asked) != len(set(asked)) or set(asked) != set(solutions):
        odd = sorted(set(asked) ^ set(solutions)) or asked
        raise MemlocError("exercises and solutions", odd, "one solution for each exercise, and no other")
    if way == "withhold":
        return
    extra = ":class: dropdown\n" if way == "fold" else ""

    def with_solution(match: re.Match[str]) -> str:
        label = LABEL.search(match[0])
        assert label  # labels() has seen to it
        answer = f"````{{solution}} {label[1]}\n:label: {label[1]}-solution\n{extra}\n{solutions[label[1]]}\n````"
        return f"{match[0]}\n\n{answer}"

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell["source"] = EXERCISE.sub(with_solution, cell.source)
