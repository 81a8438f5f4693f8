"""Tables of marks: all of it, for Canvas, for Moodle, by hand; no spreadsheet runs a cell of them."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import pytest

from memloc.classroom.marks import canvas, grades, moodle, read_by_hand, safe, to_mark, with_by_hand, write_all
from memloc.classroom.results import Mark, Part, Result
from memloc.errors import MemlocError

ADA = Result(
    "ada",
    "twice",
    "graded",
    marks=(Mark("Twice", "double", 1.5, 4.0, "Not twice."), Mark("Mean", "mean", 2.0, 2.0)),
    by_hand=(Part("why", 3.0, "Because."),),
    flags=("late",),
    late=True,
    seconds=1.25,
    peak_mb=40.0,
)
BOB = Result("bob", "twice", "missing", "nothing was handed in", (Mark("Twice", "double", 0.0, 4.0, "x"),))


def rows(text: str) -> list[list[str]]:
    """A CSV's rows."""
    return list(csv.reader(io.StringIO(text)))


def marked(tmp_path: Path, text: str) -> Path:
    """A file of marks by hand."""
    path = tmp_path / "marks.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_all_columns_line_up() -> None:
    head, ada, bob = rows(grades([ADA, BOB]))
    told = dict(zip(head, ada, strict=True))
    assert (told["points"], told["of"], told["pending"], told["late"], told["flags"]) == (
        "3.5",
        "9",
        "yes",
        "yes",
        "late",
    )
    assert (told["Twice"], told["Mean"], told["by hand: why"], told["seconds"]) == ("1.5", "2", "", "1.25")
    told = dict(zip(head, bob, strict=True))
    assert (told["status"], told["points"], told["Mean"], told["note"]) == ("missing", "0", "", "nothing was handed in")


def test_canvas_and_moodle_get_what_they_import() -> None:
    table = rows(canvas([ADA, BOB], "Twice (1)", {"ada": "Ada L"}))
    assert table[0] == ["Student", "ID", "SIS Login ID", "Section", "Twice (1)"]
    assert table[1] == ["    Points Possible", "", "", "", "9"]
    assert table[2:] == [["Ada L", "", "ada", "", "3.5"], ["bob", "", "bob", "", "0"]]
    table = rows(moodle([ADA, dataclasses.replace(BOB, marks=())], "Twice"))
    assert table[0] == ["Username", "ID number", "Twice", "Twice (feedback)"]
    assert table[1][:3] == ["ada", "ada", "3.5"]
    assert table[1][3].startswith("Twice (1.5 of 4): Not twice.\nParts marked by hand are still open.\nIt came after")
    assert table[2][3] == "Nothing was handed in."
    assert rows(moodle([Result("eve", "twice", "graded")], "Twice"))[1][3] == "All checks passed."


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=cmd|' /C calc'!A0"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe(text).startswith("'")
    evil = Result(text, text, "graded", text, (Mark(text, "p", 0, 1, text),), by_hand=(Part(text, 1, text),), note=text)
    for table in (grades([evil]), canvas([evil], text), moodle([evil], text), to_mark([evil])):
        for row in rows(table):
            for found in row:
                assert not found.lstrip().startswith(("=", "+", "-", "@")), (table, found)


def test_numbers_and_plain_text_stay_and_controls_go() -> None:
    assert [safe(value) for value in (-1.5, 0, None, "ada", "a=b")] == ["-1.5", "0", "", "ada", "a=b"]
    assert safe("a\x1b[31m\x00b") == "a [31m b"


def test_marks_by_hand_are_merged(tmp_path: Path) -> None:
    asked = rows(to_mark([ADA, BOB]))
    assert asked == [
        ["student", "assignment", "part", "points", "of", "text"],
        ["ada", "twice", "why", "", "3", "Because."],
    ]
    path = marked(tmp_path, 'student,assignment,part,points\nada,twice,why,"2,5"\nada,other,what,1\nbob,twice,why,\n')
    ada, bob = with_by_hand([ADA, BOB], read_by_hand(path))
    assert (ada.points, ada.pending) == (6.0, False)
    assert bob == BOB
    assert with_by_hand([], read_by_hand(path)) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("add,twice,why,1", "did you mean ada"),
        ("ada,twice,wyh,1", "did you mean why"),
        ("ada,twice,why,4", "from 0 to 3"),
        ("ada,twice,why,-1", "from 0 to 3"),
        ("ada,twice,why,nan", "from 0 to 3"),
        ("ada,twice,why,good", "from 0 to 3"),
        ("ada,twice,why,1\nada,twice,why,2", "once"),
    ],
)
def test_wrong_marks_by_hand_are_refused(line: str, told: str, tmp_path: Path) -> None:
    path = marked(tmp_path, f"student,assignment,part,points\n{line}\n")
    with pytest.raises(MemlocError, match=told):
        with_by_hand([ADA, BOB], read_by_hand(path))


def test_files_that_hold_no_marks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="points among them"):
        read_by_hand(marked(tmp_path, "student,part\nada,why\n"))
    with pytest.raises(MemlocError, match="in UTF-8"):
        read_by_hand(tmp_path / "nowhere.csv")


def test_all_tables_are_written(tmp_path: Path) -> None:
    names = [path.name for path in write_all([ADA, BOB], "Twice", tmp_path / "out")]
    assert names == ["grades.csv", "canvas.csv", "moodle.csv", "by_hand.csv"]
    assert all((tmp_path / "out" / name).is_file() for name in names)
