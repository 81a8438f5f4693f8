"""From a submission to marks: what is run, what is flagged, how checks are judged, what is kept."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.classroom.grading_world import ANSWERS, assignment, cell, needs_jail, notebook, submission

from memloc.classroom import grading
from memloc.classroom.assignment import Assignment
from memloc.classroom.cells import cells_of
from memloc.classroom.checks import Check, Lost
from memloc.classroom.grading import grade, grade_all, judged
from memloc.classroom.originals import differences, parts, to_run
from memloc.classroom.results import Result, from_json, to_json
from memloc.classroom.submissions import Submission
from memloc.errors import MemlocError


@pytest.fixture
def world(tmp_path: Path) -> Assignment:
    """The assignment."""
    return assignment(tmp_path / "assignment")


def handed_in(book: dict[str, Any], student: str = "ada") -> Submission:
    """A notebook as a submission."""
    return Submission(student, tuple(cells_of(book)))


def test_right_wrong_and_half_right_answers(world: Assignment) -> None:
    needs_jail()
    right = grade(world, submission())
    assert (right.status, right.points, right.of, right.pending) == ("graded", 6.0, 9.0, True)
    assert right.visible[0].passed
    assert right.flags == right.errors == ()
    assert right.by_hand[0].text == ANSWERS["why"]
    wrong = grade(world, submission(double="def double(values):\n    return values", mean="def mean(v): return 0.0"))
    assert [(m.points, m.message) for m in wrong.marks] == [
        (0.0, "Not twice the values."),
        (1.0, "Not the mean, though a number."),
    ]
    assert wrong.visible[0].message == "AssertionError: double([1]) should be [2]"


def test_a_notebook_as_handed_out_has_no_marks(world: Assignment) -> None:
    needs_jail()
    stubs = {name: f"def {name}(values):\n    raise NotImplementedError()" for name in ("double", "mean")}
    result = grade(world, handed_in(notebook({**stubs, "why": "YOUR ANSWER HERE"})))
    assert result.points == 0.0
    assert {mark.message for mark in result.marks} == {"This is not written yet (NotImplementedError)."}
    assert result.visible[0].message.startswith("NotImplementedError")
    assert (result.by_hand[0].text, result.pending) == ("", False)
    assert result.flags == ("no id",)


def test_edited_checks_are_graded_on_the_originals_and_flagged(world: Assignment) -> None:
    needs_jail()
    book = notebook({**ANSWERS, "double": "def double(values):\n    return values"}, "ada")
    book["cells"][4]["source"] = "pass  # all is well"
    result = grade(world, handed_in(book))
    assert result.flags == ("checks edited",)
    assert not result.visible[0].passed
    assert result.points == 2.0


def test_visible_checks_count_only_where_the_assignment_says_so(world: Assignment) -> None:
    needs_jail()
    counted = grade(dataclasses.replace(world, visible_points=True), submission(mean=""))
    assert (counted.points, counted.of) == (5.0, 10.0)


def flags(world: Assignment, book: dict[str, Any], student: str = "ada") -> list[str]:
    """What is out of order in a notebook."""
    return differences(cells_of(world.notebook), cells_of(book), student)


def test_what_differs_from_the_original_is_flagged(world: Assignment) -> None:
    book = notebook(ANSWERS, "ada")
    assert flags(world, book) == []
    book["cells"][2]["source"] = "import helper   \n\n"
    assert flags(world, book) == [], "spaces are no edit"
    assert flags(world, book, "bob") == ["another id"]
    missing = {
        **book,
        "cells": [c for c in book["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") != "mean"],
    }
    assert flags(world, missing) == ["answer missing: mean"]
    twice = {**book, "cells": [*book["cells"], book["cells"][3], book["cells"][4]]}
    assert flags(world, twice) == ["answer twice: double", "checks edited"]
    own = {**book, "cells": [*book["cells"], cell("mine = 1"), cell("a remark", "markdown"), cell("  \n")]}
    assert flags(world, own) == ["own cells"]


def test_the_originals_run_with_the_students_answers_and_id(world: Assignment) -> None:
    book = notebook({**ANSWERS, "double": "mine"}, "somebody")
    book["cells"].insert(0, cell("import os; os._exit(0)"))
    book["cells"][3]["source"] = "changed"
    sources = [one.source for one in to_run(cells_of(world.notebook), handed_in(book, "ada"))]
    assert sources[:3] == ['STUDENT = "ada"', "import helper", "mine"]
    assert len(sources) == 5
    bare = to_run(cells_of(world.notebook), Submission("ada"))
    assert [one.source for one in bare if one.solution] == ["", ""]
    assert not any("SOLUTION" in one.source for one in bare), "never the teacher's solution"


def test_cells_on_a_students_own_result_are_not_run(world: Assignment) -> None:
    originals = cells_of(world.notebook)
    longer = [*originals, replace(originals[-2], name="own_result", source="a minute of training", solution=False)]
    assert [one.name for one in to_run(longer, Submission("ada"))] == [
        one.name for one in originals if one.kind == "code"
    ]


def test_a_check_that_fails_by_itself_is_lost_and_told_to_the_teacher_alone(world: Assignment) -> None:
    def broken(ask: object, variant: object) -> None:
        raise KeyError("secret")

    def generous(ask: object, variant: object) -> None:
        raise Lost("x" * 9999, share=7)

    mark, note = judged(Check("title", "double", 2.0, broken), lambda code, /, **values: None, 0)
    assert mark.points == 0.0
    assert "secret" not in mark.message
    assert "KeyError" in note
    mark, note = judged(Check("title", "double", 2.0, generous), lambda code, /, **values: None, 0)
    assert (mark.points, len(mark.message), note) == (2.0, 500, "")


def test_parts_by_hand_hold_the_students_text(world: Assignment) -> None:
    (part,) = parts(world, submission(why="x" * 10**6).cells)
    assert (part.name, part.of, part.points, len(part.text)) == ("why", 3.0, None, 20_000)
    (part,) = parts(world, submission(why="YOUR ANSWER HERE").cells)
    assert (part.text, part.points) == ("", 0.0)


def test_all_are_graded_kept_and_found_again(
    world: Assignment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_jail()
    students = [submission("ada"), submission("bob", mean=""), Submission("eve", problem="no notebook")]
    students.append(Submission("finn", problem="nothing was handed in", missing=True))
    out = tmp_path / "out"
    results = grade_all(world, students, out)
    assert [(one.student, one.status, one.points) for one in results] == [
        ("ada", "graded", 6.0),
        ("bob", "graded", 4.0),
        ("eve", "refused", 0.0),
        ("finn", "missing", 0.0),
    ]
    assert all(one.of == 9.0 for one in results)
    assert not results[3].pending
    assert results[0] == from_json(json.loads(json.dumps(to_json(results[0]))))
    graded: list[str] = []
    monkeypatch.setattr(grading, "grade_and_keep", lambda a, one, *rest: graded.append(one.student))
    assert grade_all(world, students, out) == results, "found again"
    (world.folder / "checks.py").write_text("# changed\n")
    assert {one.status for one in grade_all(world, students[:1], out)} == {"failed"}, "a changed check grades anew"


def test_one_failure_stops_nobody(world: Assignment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_jail()

    def grade_some(assignment: Assignment, one: Submission, confine: bool = True) -> Result:
        if one.student == "ada":
            raise RuntimeError("the grader's own fault")
        if one.student == "bob":
            import os

            os._exit(3)
        if one.student == "cleo":
            import time

            time.sleep(60)
        return grading.without_run(assignment, one)

    monkeypatch.setattr(grading, "grade", grade_some)
    monkeypatch.setattr(grading, "patience", lambda assignment: 1.0)
    handed = [submission("ada"), submission("bob"), submission("cleo"), Submission("dan", problem="no notebook")]
    results = grade_all(world, handed, tmp_path / "out")
    assert [one.status for one in results] == ["failed", "failed", "failed", "refused"]
    assert "the grader's own fault" in results[0].note
    assert "ended with 3" in results[1].note
    assert all("fault" not in mark.message for mark in results[0].marks)
    assert results[0].pending, "its text can still be marked by hand"
    monkeypatch.undo()
    assert [one.status for one in grade_all(world, handed[:2], tmp_path / "out")] == ["graded", "graded"], "again"


def test_bad_calls_are_refused_before_anything_runs(world: Assignment, tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="workers"):
        grade_all(world, [], tmp_path, workers=0)
    with pytest.raises(MemlocError, match="each id once"):
        grade_all(world, [submission("ada"), submission("ada")], tmp_path)
