"""An assignment, and what a submission to it may use of the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from memloc.classroom.checks import Check


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        seconds: wall time of all cells and all questions together.
        answer_seconds: wall time of one question.
        memory_mb: resident memory of all its processes together.
        processes: how many it may run at a time, threads included.
        output_kb: text it may print.
        file_mb: what it may keep in files.
        notebook_mb: the size of the file handed in.
    """

    seconds: float = 120.0
    answer_seconds: float = 10.0
    memory_mb: int = 2048
    processes: int = 64
    output_kb: int = 256
    file_mb: int = 32
    notebook_mb: float = 5.0


@dataclass(frozen=True)
class Assignment:
    """One assignment, as the teacher has it.

    Attributes:
        name: also the notebook's file name.
        folder: where its source is; no submission ever sees it.
        notebook: the teacher's version with nbgrader metadata and solutions.
        checks: hidden checks, in order.
        by_hand: points of each free-text cell, by ``grade_id``.
        files: what is handed out beside the notebook, by file name.
        variant: a student's id to the student's own seed and task.
    """

    name: str
    title: str
    folder: Path
    notebook: NotebookNode
    checks: tuple[Check, ...]
    variant: Callable[[str], Any]
    by_hand: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = Limits()
    visible_points: bool = False  # whether visible checks count: a student's code can change what they see
