"""The solution gets full marks, the empty notebook none, and plausible wrong ones lose what they should, exactly."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from tests.classroom.assignment_world import NAMES, Wrong, assignment, marks

from memloc.classroom.making import student_version

WRONG = [(name, one) for name in NAMES for one in importlib.import_module(f"tests.classroom.wrong.{name}").WRONG]


@pytest.mark.parametrize("student", ["ann", "s1234567", "mary.o'neil@example.org"])
@pytest.mark.parametrize("name", NAMES)
def test_the_solution_gets_full_marks_whoever_hands_it_in(name: str, student: str, tmp_path: Path) -> None:
    assert marks(name, {}, tmp_path, student) == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_empty_notebook_gets_nothing(name: str, tmp_path: Path) -> None:
    stubs = {
        cell.metadata["nbgrader"]["grade_id"]: cell.source
        for cell in student_version(assignment(name).notebook).cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    }
    titles = {check.title for check in assignment(name).checks}
    assert marks(name, stubs, tmp_path).keys() == titles


@pytest.mark.parametrize(("name", "wrong"), WRONG, ids=[f"{name}: {wrong.name}" for name, wrong in WRONG])
def test_a_wrong_submission_loses_what_it_should(name: str, wrong: Wrong, tmp_path: Path) -> None:
    found = marks(name, wrong.sources(assignment(name)), tmp_path)
    assert found.keys() == set(wrong.loses), found
    assert len(set(wrong.loses)) == len(wrong.loses)


@pytest.mark.parametrize("name", NAMES)
def test_at_least_four_wrong_ones_and_every_check_is_lost_by_some(name: str) -> None:
    wrong = [one for whose, one in WRONG if whose == name]
    assert len(wrong) >= 4
    assert {title for one in wrong for title in one.loses} == {check.title for check in assignment(name).checks}
