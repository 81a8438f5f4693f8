"""A course: what is in whose version, and that it is written whole, over nobody's work."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from tests.classroom.assignment_world import NAMES, assignment

from memloc.classroom import catalogue
from memloc.classroom.cells import cells_of, stub
from memloc.classroom.making import make, student_version
from memloc.cli import main
from memloc.errors import MemlocError


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of all assignments."""
    return make([assignment(name) for name in NAMES], tmp_path_factory.mktemp("made") / "course")


def texts(folder: Path) -> dict[str, str]:
    """All files by name, as text."""
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def lines_of_solutions(name: str) -> set[str]:
    """Lines that stand between the marks of solutions and nowhere else in the notebook, its hints or its kit."""
    inside, outside, within = set(), [content.decode() for content in assignment(name).files.values()], False
    for cell in assignment(name).notebook.cells:
        for line in cell.source.splitlines():
            within = within or "BEGIN SOLUTION" in line
            if within:
                inside.add(line.strip())
            else:
                outside.append(line)
            within = within and "END SOLUTION" not in line
    return {line for line in inside if len(line) > 12 and line not in "\n".join(outside)}


@pytest.mark.parametrize("name", NAMES)
def test_a_release_holds_neither_solutions_nor_hidden_checks(name: str, course: Path) -> None:
    released = "\n".join(texts(course / "release" / name).values())
    notebook = nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4)
    shown = released + "\n".join(cell.source for cell in notebook.cells)
    assert "SOLUTION" not in shown
    assert "memloc" not in shown
    solutions = lines_of_solutions(name)
    assert solutions
    assert [line for line in solutions if line in shown] == []
    for line in (assignment(name).folder / catalogue.CHECKS).read_text().splitlines():
        assert len(line.strip()) < 40 or line.strip() not in shown, line


def test_only_the_teacher_has_rubrics_and_checks(course: Path) -> None:
    for path in course.rglob("*"):
        if path.name in (catalogue.CHECKS, catalogue.RUBRIC):
            assert path.parts[len(course.parts)] == "teacher"
    assert sorted(path.name for path in (course / "teacher").iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_both_versions_are_notebooks_by_nbgraders_rules(name: str, course: Path) -> None:
    from nbgrader.nbgraderformat import read

    student, teacher = (read(course / kind / name / f"{name}.ipynb", as_version=4) for kind in ("release", "source"))
    assert len(student.cells) == len(teacher.cells)
    for ours, theirs in zip(teacher.cells, student.cells, strict=True):
        told = theirs.metadata.get("nbgrader")
        if told and told["solution"]:
            assert theirs.metadata["deletable"] is False
            assert theirs.source != ours.source
            if theirs.cell_type == "code":
                assert "raise NotImplementedError()" in theirs.source
        elif told is None or told["grade_id"] != "student":
            assert theirs.source == ours.source
    assert set(assignment(name).files) < {path.name for path in (course / "release" / name).iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_the_graders_stubs_are_nbgraders(name: str) -> None:
    released = {cell.name: cell.source for cell in cells_of(student_version(assignment(name).notebook)) if cell.name}
    for cell in cells_of(assignment(name).notebook):
        if cell.solution and cell.kind == "code":
            plain = released[cell.name].replace("    # YOUR CODE HERE\n", "")
            assert stub(cell.source).split() == plain.split()


def test_the_same_course_has_the_same_bytes_and_an_untouched_one_is_replaced(course: Path, tmp_path: Path) -> None:
    again = make([assignment(name) for name in NAMES], tmp_path / "course")
    assert texts(again) == texts(course)
    make([assignment("noise")], again)
    assert sorted(path.name for path in (again / "source").iterdir()) == ["noise"]
    assert [path.name for path in tmp_path.iterdir()] == ["course"], "a working folder stays behind"


@pytest.mark.parametrize("work", ["submitted/ann/noise/noise.ipynb", "gradebook.db", "source/noise/noise.ipynb"])
def test_a_course_with_somebodys_work_in_it_stays(work: str, tmp_path: Path) -> None:
    out = make([assignment("noise")], tmp_path / "course")
    (out / work).parent.mkdir(parents=True, exist_ok=True)
    (out / work).write_text("mine")
    before = texts(out)
    with pytest.raises(MemlocError, match=work.split("/")[0]):
        make([assignment("noise")], out)
    assert texts(out) == before


def test_a_folder_that_is_no_course_stays(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(MemlocError, match="folder of the course"):
        make([assignment("noise")], tmp_path)
    assert texts(tmp_path) == {"thesis.txt": "mine"}


def test_without_nbgrader_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    assert main(["classroom", "make", "--out", str(tmp_path / "course"), "--only", "noise"]) == 2
    told = capsys.readouterr().err
    assert "pip install memloc[classroom]" in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "course").exists()


def test_a_solution_that_is_not_closed_is_told(tmp_path: Path) -> None:
    notebook = nbformat.from_dict(assignment("noise").notebook)
    cell = next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution"))
    before, cell.source = cell.source, cell.source.replace("### END SOLUTION", "")
    try:
        with pytest.raises(MemlocError, match="END SOLUTION"):
            student_version(notebook)
    finally:
        cell.source = before
