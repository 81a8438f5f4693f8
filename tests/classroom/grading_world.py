"""A small assignment of the tests' own, and submissions to it: two answers, one visible check, one free text."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nbformat import NotebookNode, from_dict

from memloc.classroom.assignment import Assignment, Limits
from memloc.classroom.cells import cells_of
from memloc.classroom.checks import Ask, Check, require, same
from memloc.classroom.jail import Jail
from memloc.classroom.submissions import Submission
from memloc.errors import MemlocError

SECRET = 314159  # in a question's values: must never come to a student
EXPECTED = 271828.5  # what a check compares with
LIMITS = Limits(seconds=30.0, answer_seconds=3.0, memory_mb=512, processes=32, output_kb=64, file_mb=8, notebook_mb=1.0)

DOUBLE = '''def double(values):
    """Twice the values."""
    ### BEGIN SOLUTION
    return [2 * value for value in values]
    ### END SOLUTION
'''
MEAN = '''def mean(values):
    """The mean of values."""
    ### BEGIN SOLUTION
    return sum(values) / len(values)
    ### END SOLUTION
'''
ANSWERS = {
    "double": "def double(values):\n    return [2 * value for value in values]",
    "mean": "def mean(values):\n    return sum(values) / len(values)",
    "why": "Because the mean of twice the values is twice their mean.",
}


def cell(source: str, kind: str = "code", **told: Any) -> dict[str, Any]:
    """A cell of a notebook, with nbgrader's metadata if anything is told."""
    extra = {} if kind == "markdown" else {"outputs": [], "execution_count": None}
    metadata = {"nbgrader": {"schema_version": 3, "grade": False, "solution": False, **told}} if told else {}
    return {"cell_type": kind, "source": source, "metadata": metadata, **extra}


def notebook(answers: dict[str, str] | None = None, student: str = "your-id") -> dict[str, Any]:
    """The teacher's notebook; with answers, a student's."""
    given = {"double": DOUBLE, "mean": MEAN, "why": "Since ..."} | (answers or {})
    cells = [
        cell("# Twice", "markdown"),
        cell(f'STUDENT = "{student}"', grade_id="student"),
        cell("import helper", grade_id="setup"),
        cell(given["double"], grade_id="double", solution=True),
        cell("assert double([1]) == [2], 'double([1]) should be [2]'", grade_id="seen", grade=True, points=1),
        cell(given["mean"], grade_id="mean", solution=True),
        cell(given["why"], "markdown", grade_id="why", grade=True, solution=True, points=3),
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def hidden_double(ask: Ask, variant: int) -> None:
    """A hidden check whose question holds a secret value."""
    got = ask("double(values)", values=np.array([SECRET, variant]))
    require(same(got, [2 * SECRET, 2 * variant]), "Not twice the values.")


def hidden_mean(ask: Ask, variant: int) -> None:
    """A hidden check that gives half of its points for less."""
    got = ask("mean(values)", values=[EXPECTED - 1, EXPECTED + 1])
    require(same(np.shape(got), ()), "Not a number.")
    require(same(got, EXPECTED), "Not the mean, though a number.", share=0.5)


def assignment(folder: Path, limits: Limits = LIMITS, **changed: Any) -> Assignment:
    """The assignment; its folder holds what no submission may read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checks.py").write_text("# the hidden checks\n")
    told: dict[str, Any] = {
        "name": "twice",
        "title": "Twice",
        "folder": folder,
        "notebook": from_dict(notebook()),
        "checks": (
            Check("Twice the values", "double", 4.0, hidden_double),
            Check("Their mean", "mean", 2.0, hidden_mean),
        ),
        "variant": len,
        "by_hand": {"why": 3.0},
        "files": {"helper.py": b"def greet():\n    return 'hello'\n"},
        "limits": limits,
    }
    assert isinstance(told["notebook"], NotebookNode)
    return Assignment(**{**told, **changed})


def submission(student: str = "ada", **answers: str) -> Submission:
    """What a student handed in, without a file."""
    return Submission(student, tuple(cells_of(notebook(ANSWERS | answers, student))))


def content(student: str = "ada", **answers: str) -> bytes:
    """A student's notebook as a file's content."""
    return json.dumps(notebook(ANSWERS | answers, student)).encode()


@functools.cache
def reason_not_to_confine() -> str:
    """Why this machine cannot confine; empty if it can."""
    try:
        with Jail({}, LIMITS):
            return ""
    except MemlocError as error:
        return str(error)


def needs_jail() -> None:
    """Skip, visibly, where nothing can be confined."""
    if reason_not_to_confine():
        pytest.skip(reason_not_to_confine())


def command_of(pid: int | str) -> str:
    """A process's command line; empty when it has gone, or waits for nothing but being noticed."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
