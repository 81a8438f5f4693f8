"""Assignments as files: metadata, rubrics, tables, variants; whole notebooks run with solutions, and stubs say so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from nbformat import NotebookNode
from tests.classroom.assignment_world import FOLDER, NAMES, assignment, own_folder

from memloc.classroom import catalogue
from memloc.classroom.cells import STUDENT
from memloc.classroom.making import student_version
from memloc.errors import MemlocError

RUN = """
import json, sys, time
start, told, names = time.process_time(), {}, {}
for place, (name, source) in enumerate(json.load(open("cells.json"))):
    try:
        exec(compile(source, f"<cell {name}>", "exec"), names)
    except Exception as error:
        told[name] = type(error).__name__
seconds = time.process_time() - start
json.dump([told, seconds], open("told.json", "w"))
"""


def run(name: str, notebook: NotebookNode, folder: Path, student: str = "ann") -> tuple[dict[str, str], float]:
    """Errors by cell, and seconds of a processor, of all code cells in a process of its own without memloc's code."""
    import json

    cells = []
    for place, cell in enumerate(notebook.cells):
        told = cell.metadata.get("nbgrader", {"grade_id": f"cell {place}"})
        source = f"STUDENT = {student!r}" if told["grade_id"] == STUDENT else cell.source
        cells += [(told["grade_id"], source)] if cell.cell_type == "code" else []
    for file, content in assignment(name).files.items():
        (folder / file).write_bytes(content)
    (folder / "cells.json").write_text(json.dumps(cells))
    environment = {**os.environ, "MPLBACKEND": "Agg", "MPLCONFIGDIR": str(folder), "OMP_NUM_THREADS": "1"}
    code = "import sys; sys.modules['memloc'] = None; sys.path.insert(0, ''); " + f"exec({RUN!r})"
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, timeout=240)
    errors, seconds = json.loads((folder / "told.json").read_text())
    return errors, float(seconds)


@pytest.mark.parametrize("name", NAMES)
def test_with_solutions_a_notebook_runs_from_top_to_bottom(name: str, tmp_path: Path) -> None:
    errors, seconds = run(name, assignment(name).notebook, tmp_path)
    assert errors == {}
    assert seconds < 60


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_fails_with_not_implemented_and_nothing_else(name: str, tmp_path: Path) -> None:
    notebook = student_version(assignment(name).notebook)
    errors, _ = run(name, notebook, tmp_path)
    assert set(errors.values()) == {"NotImplementedError"}
    told = [cell.metadata["nbgrader"] for cell in notebook.cells if "nbgrader" in cell.metadata]
    visible = {one["grade_id"] for one in told if one["grade"] and not one["solution"]}
    assert visible <= errors.keys(), "a visible check passes without a solution"


def test_names_are_those_of_the_folder() -> None:
    assert tuple(catalogue.names()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_checks_give_ten_points_and_belong_to_parts(name: str) -> None:
    one = assignment(name)
    assert sum(check.points for check in one.checks) == pytest.approx(10)
    assert 5 <= len(one.checks) <= 11
    told = [cell.metadata["nbgrader"] for cell in one.notebook.cells if "nbgrader" in cell.metadata]
    parts = {entry["grade_id"] for entry in told if entry["solution"] and entry["cell_type"] == "code"}
    assert {check.part for check in one.checks} == parts
    assert 3 <= len(parts) <= 6


@pytest.mark.parametrize("name", NAMES)
def test_every_solution_is_followed_by_a_visible_check(name: str) -> None:
    cells = [cell for cell in assignment(name).notebook.cells if cell.cell_type == "code"]
    for cell, following in pairwise(cells):
        if cell.metadata["nbgrader"]["solution"]:
            told = following.metadata["nbgrader"]
            assert told["grade_id"] == f"{cell.metadata['nbgrader']['grade_id']}_visible"
            assert told["grade"]
            assert told["points"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_rubric_tells_of_every_check_with_its_points(name: str) -> None:
    one = assignment(name)
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| ([\d.]+)", (one.folder / catalogue.RUBRIC).read_text(), re.MULTILINE)
    assert [(part, title, float(points)) for part, title, points in rows] == [
        (check.part, check.title, check.points) for check in one.checks
    ]
    for part, points in one.by_hand.items():
        assert f"`{part}`, {points:g} points" in (one.folder / catalogue.RUBRIC).read_text()


@pytest.mark.parametrize("name", NAMES)
def test_no_check_stands_in_the_notebook(name: str) -> None:
    text = "\n".join(cell.source for cell in assignment(name).notebook.cells)
    text += "".join(content.decode() for content in assignment(name).files.values())
    lines = {line.strip() for line in (assignment(name).folder / catalogue.CHECKS).read_text().splitlines()}
    for line in lines:
        assert len(line) < 40 or line not in text
    assert "memloc" not in text, "a notebook needs no memloc, and a submission must not find answers in it"


def test_variants_differ_between_students_and_assignments_and_stay() -> None:
    variant = assignment("noise").variant
    assert variant(" ann ") == variant("ann")
    many = [variant(f"student {i}") for i in range(60)]
    assert len({one.seed for one in many}) == 60
    assert len({one.task for one in many}) >= 3
    assert variant("ann").seed != assignment("swapping").variant("ann").seed


def test_tables_hold_numbers_of_released_runs_and_little_else() -> None:
    for name in NAMES:
        for file, content in assignment(name).files.items():
            assert len(content) < 100_000, file
    lines = assignment("noise").files["traces.csv"].decode().splitlines()
    assert lines[0] == "task,model,seed,epoch,group,accuracy"
    forgetting = assignment("control").files["forgetting.csv"].decode().splitlines()
    assert len(forgetting) == 1 + 2 * 2 * 3 * 6
    assert {line.split(",")[3] for line in forgetting[1:]} == set("123456")


def test_a_teachers_own_folder_works_and_uses_our_kit(tmp_path: Path) -> None:
    before = {name for name in sys.modules if name in ("kit", "tiny", "checks")}
    one = catalogue.assignment("adding", own_folder(tmp_path))
    assert [check.title for check in one.checks] == ["Sums"]
    assert set(one.files) == {"kit.py", "tiny.py"}
    assert one.variant("ann").assignment == "adding"
    assert {name for name in sys.modules if name in ("kit", "tiny", "checks")} == before


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("assignment.yml", "title: Adding\nteaches: To add.\nminuts: 5\n", "no minutes"),
        ("assignment.yml", "title: Adding\nteaches: To add.\nminutes: 5\nlimit: {}\n", "limit"),
        ("assignment.yml", "title: A\nteaches: B\nminutes: 5\nlimits: {second: 3}\n", "did you mean seconds"),
        ("assignment.yml", "title: A\nteaches: B\nminutes: 5\nby_hand: {essay: 3}\n", "essay"),
        ("assignment.yml", "title: A\nteaches: B\nminutes: 5\ntables: {a.csv: {source: no.parquet, columns: {a: b}}}\n",
         "no.parquet"),
        ("assignment.yml", "- a list\n", "assignment.yml"),
        ("notebook.py", '# %% nbgrader={"grade_id": "add"}\nx = 1\n', "'student'"),
    ],
)  # fmt: skip
def test_a_broken_assignment_is_told_in_one_line(file: str, text: str, told: str, tmp_path: Path) -> None:
    folder = own_folder(tmp_path)
    (folder / "adding" / file).write_text(text)
    with pytest.raises(MemlocError, match=told):
        catalogue.assignment("adding", folder)


def test_unknown_names_are_told_with_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="did you mean swapping"):
        catalogue.assignment("swaping")
    with pytest.raises(MemlocError, match="folder of assignments"):
        catalogue.names(tmp_path / "nowhere")
    assert FOLDER.name == "assignments"
