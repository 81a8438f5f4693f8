"""The commands, and each assignment through the whole grader: its jail, its marks, its pages."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import nbformat
import pytest
from tests.classroom.assignment_world import NAMES, assignment, own_folder
from tests.classroom.grading_world import needs_jail
from tests.classroom.test_wrong import WRONG

from memloc.classroom import catalogue
from memloc.classroom.assignment import Assignment
from memloc.classroom.cells import STUDENT, cells_of
from memloc.classroom.grading import grade
from memloc.classroom.making import make, student_version
from memloc.classroom.submissions import Submission
from memloc.cli import main


def notebook_of(one: Assignment, student: str, solved: bool, **replaced: str) -> nbformat.NotebookNode:
    """What a student hands in: the notebook with id and answers."""
    made = nbformat.from_dict(one.notebook if solved else student_version(one.notebook))
    for cell in made.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = f'STUDENT = "{student}"' if name == STUDENT else replaced.get(name, cell.source)
    return made


def without_experiments(one: Assignment) -> Assignment:
    """The assignment without the cells that only train and draw: a test waits for none of them."""
    kept = [c for c in one.notebook.cells if not c.metadata.get("nbgrader", {}).get("grade_id", "").startswith("own_")]
    notebook = nbformat.from_dict({**one.notebook, "cells": kept})
    return dataclasses.replace(one, notebook=notebook)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_submission_gets_its_marks_from_the_grader(name: str) -> None:
    needs_jail()
    one, wrong = without_experiments(assignment(name)), next(wrong for whose, wrong in WRONG if whose == name)
    handed_in = notebook_of(one, "ann", True, **wrong.sources(one))
    result = grade(one, Submission("ann", tuple(cells_of(handed_in))))
    assert result.status == "graded", result.reason
    assert {mark.title for mark in result.marks if mark.points < mark.of} == set(wrong.loses)
    assert result.flags == ()
    assert result.note == ""
    assert {stop.name for stop in result.errors} <= {"AssertionError"}


def hand_in(folder: Path, place: Path) -> Assignment:
    """Three submissions to the teacher's own assignment: right, empty, and late with a wrong answer."""
    one = catalogue.assignment("adding", folder)
    answers = {"ann": {}, "eve": {"add": "def add(a, b):\n    return a - b\n"}}
    for student, replaced in answers.items():
        (place / student).mkdir(parents=True)
        nbformat.write(notebook_of(one, student, True, **replaced), place / student / "adding.ipynb")
    (place / "kim").mkdir()
    nbformat.write(notebook_of(one, "kim", False), place / "kim" / "adding.ipynb")
    return one


def test_grading_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs_jail()
    folder, place, out = own_folder(tmp_path), tmp_path / "in", tmp_path / "out"
    hand_in(folder, place)
    (tmp_path / "roster.csv").write_text("student\nann\neve\nkim\nzoe\n")
    command = ["classroom", "grade", str(place), "--assignment", "adding", "--assignments", str(folder)]
    command += ["--out", str(out), "--roster", str(tmp_path / "roster.csv"), "--due", "2001-01-01", "--seconds", "60"]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "3 graded, 1 missing" in told
    rows = {row["student"]: row for row in csv.DictReader((out / "grades.csv").open())}
    assert {student: float(row["points"]) for student, row in rows.items()} == {"ann": 1, "eve": 0, "kim": 0, "zoe": 0}
    assert {student: row["late"] for student, row in rows.items()} == dict.fromkeys(("ann", "eve", "kim"), "yes") | {
        "zoe": "no"
    }
    assert sorted(path.stem for path in (out / "feedback").iterdir()) == ["ann", "eve", "kim", "zoe"]
    assert "Not a sum." in (out / "feedback" / "eve.html").read_text()
    assert "add(2, 3)" not in (out / "feedback" / "eve.html").read_text()
    for name in ("canvas.csv", "moodle.csv", "similar.csv", "by_hand.csv"):
        assert (out / name).is_file()
    assert main(["classroom", "make", "--out", str(tmp_path / "course"), "--assignments", str(folder)]) == 0
    assert (tmp_path / "course" / "release" / "adding" / "adding.ipynb").is_file()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--assignment", "ading"], "did you mean adding"),
        (["--assignment", "adding", "--due", "tomorrow"], "time"),
        (["--assignment", "adding", "--roster", "nobody.csv"], "roster"),
        (["--assignment", "adding", "--seconds", "0"], "limit seconds"),
        (["--assignment", "adding", "--marks", "nothing.csv"], "marks by hand"),
    ],
)
def test_bad_options_are_told_in_one_line(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = own_folder(tmp_path)
    hand_in(folder, tmp_path / "in")
    command = ["classroom", "grade", str(tmp_path / "in"), "--assignments", str(folder), "--out", str(tmp_path / "out")]
    assert main([*command, *options]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_nothing_to_grade_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    folder = own_folder(tmp_path)
    command = ["classroom", "grade", str(tmp_path / "in"), "--assignments", str(folder), "--out", str(tmp_path / "out")]
    assert main([*command, "--assignment", "adding"]) == 2
    assert "submissions" in capsys.readouterr().err


def test_marks_in_the_table_by_hand_are_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = own_folder(tmp_path), tmp_path / "out"
    hand_in(folder, tmp_path / "in")
    out.mkdir()
    (out / "by_hand.csv").write_text("student,assignment,part,points\nann,adding,essay,3\n")
    command = ["classroom", "grade", str(tmp_path / "in"), "--assignments", str(folder), "--out", str(out)]
    assert main([*command, "--assignment", "adding"]) == 2
    assert "--marks" in capsys.readouterr().err
    assert "essay,3" in (out / "by_hand.csv").read_text()


def test_a_course_of_one_assignment(tmp_path: Path) -> None:
    one = catalogue.assignment("adding", own_folder(tmp_path))
    made = make([one], tmp_path / "course")
    assert "return a + b" in (made / "source" / "adding" / "adding.ipynb").read_text()
    assert "return a + b" not in (made / "release" / "adding" / "adding.ipynb").read_text()
